// a button for light and dark; it needs this script, so that the script adds it
const root=document.documentElement,button=document.createElement("button");
button.className="theme";
const dark=()=>root.dataset.theme
  ? root.dataset.theme==="dark" : matchMedia("(prefers-color-scheme:dark)").matches;
const name=()=>{button.textContent=dark()?"light":"dark"};
button.onclick=()=>{root.dataset.theme=dark()?"light":"dark";name()};
name();document.querySelector("main").prepend(button);
