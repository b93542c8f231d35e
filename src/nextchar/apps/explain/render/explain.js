// predictions at a character, next to it, on hover and on tap
const tip=document.createElement("div");
tip.className="read-out tip";tip.hidden=true;document.body.append(tip);
let on=null;
const hide=()=>{tip.hidden=true;on?.classList.remove("on");on=null};
const show=mark=>{
  if(mark===on)return;
  hide();
  if(!mark)return;
  if(mark.title){mark.dataset.title=mark.title;mark.removeAttribute("title")}
  on=mark;on.classList.add("on");tip.textContent=mark.dataset.title;tip.hidden=false;
  const box=mark.getClientRects()[0],width=document.documentElement.clientWidth;
  tip.style.left=Math.max(4,Math.min(box.left,width-tip.offsetWidth-8))+scrollX+"px";
  const under=box.bottom+6+tip.offsetHeight<innerHeight;
  tip.style.top=(under?box.bottom+6:box.top-6-tip.offsetHeight)+scrollY+"px";
};
const marked=event=>event.target.closest?.(".shaded [title],.shaded [data-title]");
document.addEventListener("pointerover",event=>show(marked(event)));
document.addEventListener("click",event=>show(marked(event)));
addEventListener("keydown",event=>{if(event.key==="Escape")hide()});
addEventListener("scroll",hide,true);
// activations of any unit over the same text
const store=document.querySelector("#units");
if(store){
  const data=JSON.parse(store.textContent),text=Array.from(data.text);
  const bytes=Uint8Array.from(atob(data.steps),each=>each.charCodeAt(0));
  const place=document.querySelector("#any-unit"),choice=document.createElement("select");
  choice.setAttribute("aria-label","unit");
  data.units.forEach((name,at)=>choice.add(new Option(name,at)));
  const view=document.createElement("div");view.className="text shaded tall";
  const draw=()=>{
    view.textContent="";
    for(let at=0,start=+choice.value*text.length;at<text.length;){
      const step=bytes[start+at]-data.sides;let end=at+1;
      while(end<text.length&&bytes[start+end]-data.sides===step)end++;
      const run=document.createElement("b");
      run.className=step?(step>0?"p":"n")+Math.abs(step):"";
      run.textContent=text.slice(at,end).join("");view.append(run);at=end;
    }
  };
  choice.onchange=draw;place.append(choice,view);draw();place.hidden=false;
}
