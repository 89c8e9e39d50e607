"use strict";
// Sorting: a click on a header sorts by its column, a second one turns the order; dashes stay last.
function sortBy(header, column) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  const body = header.closest("table").tBodies[0];
  const value = row => {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    return cell.textContent.trim() === "–" ? null : cell.textContent.trim();
  };
  const order = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    const sign = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", {numeric: true});
    return descending ? -sign : sign;
  };
  body.append(...[...body.rows].sort(order));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
}
for (const header of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sortBy(header, header.cellIndex));
  header.append(button);
}
// The tooltip of a point is shown while it is pointed at or focused; arrow keys lead from point to point.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
let shown = null;
function showTip(point) {
  shown = point;
  tip.textContent = point.getAttribute("aria-label");
  tip.hidden = false;
  const at = point.querySelector("path").getBoundingClientRect();
  const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = at.top - tip.offsetHeight - 8;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = (above < 8 ? at.bottom + 8 : above) + "px";
}
const hide = () => { shown = null; tip.hidden = true; };
for (const plot of document.querySelectorAll(".plot")) {
  const points = [...plot.querySelectorAll(".point")];
  points.forEach((point, index) => {
    point.querySelector("title").remove();
    point.setAttribute("tabindex", index ? "-1" : "0");
    point.addEventListener("pointerenter", () => showTip(point));
    point.addEventListener("pointerleave", hide);
    point.addEventListener("focus", () => showTip(point));
    point.addEventListener("blur", hide);
    point.addEventListener("keydown", event => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const next = points[(index + step + points.length) % points.length];
      point.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
}
// A focused point is scrolled into view, and its tooltip moves with it.
addEventListener("scroll", () => { if (shown) showTip(shown); }, {passive: true});
