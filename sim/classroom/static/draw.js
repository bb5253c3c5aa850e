// Drawing: SVG elements with presentation attributes only, so that a figure can be taken out of the page as it is.

const SVG = "http://www.w3.org/2000/svg";

// Okabe and Ito's colours; A is solid and filled, B dashed and hollow, so that both can be told apart in grey.
export const INK = {
  a: "#0072B2", b: "#D55E00", aText: "#005a8e", bText: "#a33f00", text: "#1f2328", quiet: "#57606a", line: "#d0d7de",
  faint: "#eaeef2", paper: "#ffffff", hot: "#1b3a57", cold: "#eef2f6",
};
export const LOOK = {
  a: { stroke: INK.a, fill: INK.a, text: INK.aText, dash: "none" },
  b: { stroke: INK.b, fill: INK.paper, text: INK.bText, dash: "9 5" },
};
export const SIDES = ["a", "b"];

/** An SVG element with attributes and children (elements, or text). */
export function el(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An HTML element with properties and children. */
export function tag(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria")) made.setAttribute(`aria-${key.slice(4).toLowerCase()}`, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Text in a drawing. */
export function label(x, y, text, attributes = {}) {
  return el("text", { x, y, fill: INK.text, "font-size": size(), ...attributes }, text);
}

/** Size of type in drawings, in px; larger in projector mode. */
export function size(times = 1) {
  return Math.round(10 * times * Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--drawn"))) / 10;
}

/** A drawing that fills its place; its old content goes. Returns the svg, width and height. */
export function canvas(place, name, role = "img") {
  const { width, height } = place.getBoundingClientRect();
  const w = Math.max(Math.round(width), 120), h = Math.max(Math.round(height), 60);
  const old = place.querySelector("svg");
  const svg = el("svg", { viewBox: `0 0 ${w} ${h}`, width: w, height: h, role, "aria-label": name, "font-family": "system-ui, sans-serif" });
  if (old) old.replaceWith(svg);
  else place.append(svg);
  return { svg, w, h };
}

/** Draw a place again; what had the focus in the old drawing (by its ``data-focus``) has it in the new one. */
export function refocused(place, draw) {
  const held = place.contains(document.activeElement) && document.activeElement.dataset.focus?.split(" ")[0];
  draw();
  if (held) place.querySelector(`[data-focus~="${held}"]`)?.focus({ preventScroll: true });
}

/** A part of a drawing that says on hovering and on focus what it is; ``name`` is what it is called aloud. */
export function explained(part, about, focus, name) {
  for (const [key, value] of Object.entries({ "data-about": about, "data-focus": focus, "aria-label": name, tabindex: 0, role: "img" })) part.setAttribute(key, value);
  return part;
}

/** A linear scale from data to px. */
export function scale([low, high], [from, to]) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

/** A path through points, broken where a value is missing. */
export function path(points) {
  let text = "", down = false;
  for (const [x, y] of points) {
    if (x === null || y === null || Number.isNaN(y)) { down = false; continue; }
    text += `${down ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    down = true;
  }
  return text;
}

/** A colour between cold and hot for a share 0..1, dark where much; readable in grey. */
export function heat(share) {
  const mix = (k) => Math.round(Number.parseInt(INK.cold.slice(k, k + 2), 16) * (1 - share) + Number.parseInt(INK.hot.slice(k, k + 2), 16) * share);
  return `rgb(${mix(1)},${mix(3)},${mix(5)})`;
}
