// The inside of one session: both people's regions on a labelled diagram, exchange by exchange, and what is felt and read.

import { given, words, filled } from "./given.js";
import { INK, canvas, el, explained, heat, label, path, scale, size } from "./draw.js";

// Places of the regions on a schematic side view that looks to the left, in a box of 100 x 100; and on which side the label stands.
const PLACES = {
  dmpfc: [26, 24, "front"], vlpfc: [30, 50, "front"], vmpfc: [17, 58, "front"], ofc: [28, 68, "front"],
  mirror: [45, 22, "back"], acc: [42, 36, "back"], insula: [50, 48, "back"], tpj: [72, 40, "back"], limbic: [50, 66, "back"],
};
const FRONT = ["dmpfc", "vlpfc", "vmpfc", "ofc"], BACK = ["mirror", "acc", "tpj", "insula", "limbic"];
const OUTLINE = "M8 56C6 36 16 14 42 9C68 5 92 18 95 44C96 56 91 64 84 68C86 76 78 84 68 81C65 86 66 94 68 98L57 98C57 90 54 84 50 80C42 84 34 80 30 76C20 76 9 70 8 56Z";
const FOLDS = "M24 34C34 30 44 44 56 40M58 14C54 26 64 34 74 32M80 58C72 54 66 58 56 58M84 68C76 68 70 74 68 81";

/** Draw a session (from 1) of a pair at an exchange (from 1); session 0 says what will be here. */
export function drawInside(place, course, session, exchange, exchanges) {
  const { svg, w, h } = canvas(place, words.inside.index, "group");
  const at = Math.min(session, course.held);
  const stacked = w < 560, third = stacked ? w : w * 0.37;
  const nobody = Array.from({ length: exchanges }, () => new Array(18).fill(0));
  const rows = at < 1 ? nobody : course.inside[at - 1];
  const boxes = stacked ? [[0, 0, w, h * 0.36], [0, h * 0.36, w, h * 0.36]] : [[0, 0, third, h], [w - third, 0, third, h]];
  ["client", "therapist"].forEach((role, k) => person(svg, boxes[k], role, k === 0, rows.map((row) => row.slice(9 * k, 9 * k + 9)), exchange, exchanges));
  if (at < 1) {
    words.inside.nothing.forEach((text, k) => svg.append(label(w / 2, (stacked ? 0.8 : 0.5) * h + k * size(1.6), text, { "text-anchor": "middle", fill: INK.text, "font-size": size(1.15) })));
    return svg;
  }
  signals(svg, stacked ? [0, h * 0.73, w, h * 0.27] : [third, 0, w - 2 * third, h], course, at, exchange, exchanges);
  return svg;
}

/** One person; the client looks to the right, toward the therapist. */
function person(svg, [left, top, w, h], role, flipped, rows, exchange, exchanges) {
  const title = size(1.6), box = Math.min(h - title - size(0.2), w * 0.48);
  const ox = left + (w - box) / 2, oy = top + title + (h - title - box) / 2;
  const px = (x) => ox + ((flipped ? 100 - x : x) / 100) * box, py = (y) => oy + (y / 100) * box;
  svg.append(label(left + w / 2, top + size(1.2), words.inside[role], { "text-anchor": "middle", "font-weight": 700 }));
  const turn = flipped ? `translate(${ox + box} ${oy}) scale(${-box / 100} ${box / 100})` : `translate(${ox} ${oy}) scale(${box / 100})`;
  svg.append(el("g", { transform: turn, fill: "none" },
    el("path", { d: OUTLINE, fill: "#fbfaf8", stroke: "#9aa4ae", "stroke-width": 1.2 }), el("path", { d: FOLDS, stroke: "#d5dade", "stroke-width": 1 })));
  const order = given.regions.map((region) => region.name);
  for (const [names, atFront] of [[FRONT, true], [BACK, false]]) {
    const onRight = flipped === atFront;
    names.forEach((name, i) => {
      const values = rows.map((row) => row[order.indexOf(name)]);
      const y = top + title + size(0.8) + ((h - title - size(0.6)) / names.length) * (i + 0.14);
      const x = onRight ? ox + box + size(0.4) : ox - size(0.4);
      region(svg, { name, role, values, exchange, exchanges, at: [px(PLACES[name][0]), py(PLACES[name][1])], x, y, onRight, room: (w - box) / 2 - size(0.8) });
    });
  }
}

function region(svg, { name, role, values, exchange, exchanges, at: [cx, cy], x, y, onRight, room }) {
  const share = values[exchange - 1] / 100, bars = Math.min(room, size(5.2)), anchor = onRight ? "start" : "end";
  svg.append(el("path", { d: `M${cx} ${cy}L${x} ${y}`, stroke: "#c3cad1", "stroke-width": 0.8 }));
  svg.append(el("circle", { cx, cy, r: size(0.35) + size(0.65) * Math.sqrt(share), fill: heat(share), stroke: INK.hot, "stroke-width": 1, "data-region": `${role}-${name}`, "data-share": share }));
  const group = explained(el("g", { class: "about" }), `region:${name}`, `${role}-${name}`, `${words.inside[role]}: ${words.regions[name].name}`);
  group.append(label(x + (onRight ? 1 : -1) * size(0.3), y + size(0.05), words.regions[name].short, { "text-anchor": anchor, "font-weight": 600, "font-size": size(0.95) }));
  const start = onRight ? x + size(0.3) : x - size(0.3) - bars, step = bars / exchanges, tall = size(1.35);
  group.append(el("rect", { x: start, y: y - size(1), width: bars, height: size(2.9), fill: "transparent" }));  // to hover over
  values.forEach((value, k) => {
    const high = Math.max((tall * value) / 100, 0.8);
    group.append(el("rect", { x: start + k * step, y: y + size(0.45) + tall - high, width: Math.max(step - 1, 1), height: high, fill: k === exchange - 1 ? INK.hot : "#9fb3c5" }));
  });
  svg.append(group);
}

/** Two small charts: what the client feels and the therapist reads; what is given and what is perceived. */
function signals(svg, [left, top, w, h], course, session, exchange, exchanges) {
  const half = (h - size(1.4)) / 2, from = left + size(1), to = left + w - size(1);
  const x = scale([1, exchanges], [from, to]);
  [["felt", "read"], ["given", "perceived"]].forEach((names, k) => {
    const y0 = top + size(0.4) + k * half, y = scale([0, 100], [y0 + half - size(0.5), y0 + size(2.6)]);
    svg.append(el("path", { d: `M${from} ${y(0)}H${to}M${from} ${y(100)}H${to}`, stroke: INK.faint }));
    names.forEach((name, i) => {
      const values = course.signals[name][session - 1];
      const look = i === 0 ? { stroke: INK.text, "stroke-width": 2.2 } : { stroke: INK.quiet, "stroke-width": 2.2, "stroke-dasharray": "4 3" };
      svg.append(el("path", { d: path(values.map((value, j) => [x(j + 1), y(value)])), fill: "none", ...look, "data-signal": name }));
      svg.append(el("circle", { cx: x(exchange), cy: y(values[exchange - 1]), r: size(0.35), fill: i === 0 ? INK.text : INK.paper, stroke: INK.text, "stroke-width": 1.5 }));
      const row = y0 + size(1.05) + i * size(1.15);
      svg.append(el("path", { d: `M${from} ${row - size(0.3)}h${size(1.6)}`, ...look }));
      svg.append(explained(el("g", { class: "about" }, label(from + size(2), row, words.inside.signals[name], { fill: INK.text, "font-size": size(0.92) })), name, name, words.inside.signals[name]));
    });
  });
  svg.append(label(left + w / 2, top + h - size(0.2), filled(words.inside.over, { n: exchanges }), { "text-anchor": "middle", fill: INK.quiet, "font-size": size(0.85) }));
}
