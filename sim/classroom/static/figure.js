// The figure as a file: plane and charts put together with title, legend and stamp; SVG, or PNG made from it in the browser.

import { given, words, filled } from "./given.js";
import { state, address } from "./state.js";
import { INK, LOOK, SIDES, el, tag } from "./draw.js";
import { open } from "./dialogs.js";

const NAME = () => `attune-${state.lesson}-seed${state.query.seed}`;

/** All drawings of the page as one svg element that stands by itself. */
export function composed(play) {
  const parts = ["plane", "alliance", "distress"].map((id) => document.querySelector(`#${id} svg`).cloneNode(true));
  const [plane, alliance, distress] = parts.map((part) => ({ part, w: Number(part.getAttribute("width")), h: Number(part.getAttribute("height")) }));
  const top = 64, left = plane.w + 20, w = left + alliance.w + 10, below = top + Math.max(plane.h, alliance.h + distress.h);
  // The whole address, however long: without all of it the picture cannot be made again.
  const lines = given.handout ? [words.page.one_person] : address().match(new RegExp(`.{1,${Math.floor((w - 28) / 6)}}`, "g"));
  const h = below + 46 + 12 * lines.length;
  place(plane.part, 0, top);
  place(alliance.part, left, top);
  place(distress.part, left, top + alliance.h);
  const svg = el("svg", { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${w} ${h}`, width: w, height: h, "font-family": "system-ui, sans-serif" });
  svg.append(el("title", {}, `${words.page.title}: ${given.lessons[state.lesson].title}`), el("rect", { width: w, height: h, fill: INK.paper }),
    text(14, 24, given.lessons[state.lesson].title, 17, INK.text, 700));
  let x = 14;
  for (const side of SIDES) {
    const said = `${side.toUpperCase()}: ${words.plane.client} ${play[side].client.toLowerCase()}, ${words.plane.therapist} ${play[side].therapist.toLowerCase()}`;
    svg.append(el("path", { d: `M${x} 44h26`, stroke: LOOK[side].stroke, "stroke-width": 3, "stroke-dasharray": LOOK[side].dash }), text(x + 32, 48, said, 13, LOOK[side].text, 600));
    x += 60 + 7.2 * said.length;
  }
  const stamp = filled(words.export.stamped, { version: given.version, seed: state.query.seed });
  svg.append(plane.part, alliance.part, distress.part, text(14, below + 28, `${stamp}. ${words.export.stamp}`, 12, INK.text, 600),
    ...lines.map((line, k) => text(14, below + 46 + 12 * k, line, 10, INK.quiet, 400)));
  return svg;
}

function place(part, x, y) {
  part.setAttribute("x", x);
  part.setAttribute("y", y);
  for (const ring of part.querySelectorAll(".ring")) ring.remove();
  for (const still of part.querySelectorAll("[tabindex]")) still.removeAttribute("tabindex");  // nothing to do in a file
}

function text(x, y, content, size, fill, weight) {
  return el("text", { x, y, "font-size": size, fill, "font-weight": weight }, content);
}

/** The dialog from which the figure is saved. */
export function openFigure(play) {
  const source = new XMLSerializer().serializeToString(composed(play));
  const url = URL.createObjectURL(new Blob([source], { type: "image/svg+xml" }));
  const picture = tag("img", { src: url, alt: words.alliance.title, className: "preview" });
  const svg = tag("a", { href: url, download: `${NAME()}.svg`, className: "download", id: "save-svg" }, words.export.svg);
  const png = tag("a", { className: "download", id: "save-png", download: `${NAME()}.png`, hidden: true }, words.export.png);
  picture.addEventListener("load", () => asPng(picture, png));
  open(words.export.heading_figure, tag("p", {}, svg, " ", png), picture);
}

function asPng(picture, link) {
  const sheet = tag("canvas", { width: 2 * picture.naturalWidth, height: 2 * picture.naturalHeight });
  sheet.getContext("2d").drawImage(picture, 0, 0, sheet.width, sheet.height);
  sheet.toBlob((blob) => {
    link.href = URL.createObjectURL(blob);
    link.hidden = false;
  }, "image/png");
}
