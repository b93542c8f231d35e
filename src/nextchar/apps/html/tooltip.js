// tooltip with the numbers under the pointer; the scales are in data-x and data-y of the svg
const short = v => Math.abs(v) >= 1e4 ? Math.round(v).toLocaleString("en") : String(+v.toPrecision(5));
const inverse = (text, pixel) => {
  const [low, high, first, last, log] = text.split(" ").map(Number);
  const share = (pixel - first) / (last - first);
  return log ? low * (high / low) ** share : low + share * (high - low);
};
for (const svg of document.querySelectorAll("svg[data-x]")) {
  const figure = svg.closest(".figure"), box = document.createElement("div");
  box.className = "tooltip";
  box.hidden = true;
  figure.append(box);
  svg.addEventListener("pointerleave", () => { box.hidden = true; });
  svg.addEventListener("pointermove", event => {
    const size = svg.getBoundingClientRect(), outer = figure.getBoundingClientRect();
    const x = (event.clientX - size.left) * svg.viewBox.baseVal.width / size.width;
    const rows = [];
    let nearest = null;
    const lines = [...svg.querySelectorAll("polyline[data-name]")];
    lines.sort((a, b) => a.parentNode.dataset.order - b.parentNode.dataset.order);
    for (const line of lines) {
      let best = null;
      for (const point of line.points)
        if (!best || Math.abs(point.x - x) < Math.abs(best.x - x)) best = point;
      if (!best) continue;
      if (!nearest || Math.abs(best.x - x) < Math.abs(nearest - x)) nearest = best.x;
      rows.push(line.dataset.name + ": " + short(inverse(svg.dataset.y, best.y)));
    }
    if (!rows.length) return;
    const labels = svg.dataset.labels && svg.dataset.labels.split("|");
    const at = inverse(svg.dataset.x, nearest);
    box.replaceChildren(...[(labels ? labels[Math.round(at)] : short(at)), ...rows].map(text => {
      const row = document.createElement("div");
      row.textContent = text;
      return row;
    }));
    box.hidden = false;
    const left = event.clientX - outer.left;
    box.style.left = left > outer.width / 2 ? "" : left + 14 + "px";
    box.style.right = left > outer.width / 2 ? outer.width - left + 14 + "px" : "";
    box.style.top = event.clientY - outer.top + 10 + "px";
  });
}
