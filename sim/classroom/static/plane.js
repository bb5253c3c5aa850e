// The attachment plane: where each person stands with the other, the way they came, and rings to drag.

import { words, number } from "./given.js";
import { INK, LOOK, SIDES, canvas, el, label, path, scale, size } from "./draw.js";

const LOW = 1, HIGH = 7, CUT = 4;

/** Draw the plane at a session. ``move(key, [anxiety, avoidance])`` is called when a ring is moved; null = none can be. */
export function drawPlane(place, play, at, move) {
  const { svg, w, h } = canvas(place, words.plane.title, "group");
  const pad = { left: size(3.2), right: size(0.6), top: size(0.6), bottom: size(3) };
  const side = Math.min(w - pad.left - pad.right, h - pad.top - pad.bottom);
  const x = scale([LOW, HIGH], [pad.left, pad.left + side]), y = scale([LOW, HIGH], [pad.top + side, pad.top]);
  frame(svg, x, y, side, pad);
  for (const one of SIDES) {
    trail(svg, play[one].to_therapist, at, x, y, one);
    inGeneral(svg, play[one].general, at, x, y, one);
    for (const role of ["therapist", "client"]) person(svg, play[one], role, at, x, y, one);
  }
  if (move) rings(svg, play, x, y, move);
  return svg;
}

function frame(svg, x, y, side, pad) {
  svg.append(el("rect", { x: x(LOW), y: y(HIGH), width: side, height: side, fill: INK.paper, stroke: INK.line }));
  svg.append(el("rect", { x: x(LOW), y: y(CUT), width: side / 2, height: side / 2, fill: "#f3f8f4" }));
  svg.append(el("path", { d: `M${x(CUT)} ${y(LOW)}V${y(HIGH)}M${x(LOW)} ${y(CUT)}H${x(HIGH)}`, stroke: INK.line, "stroke-width": 1.5 }));
  const names = [["secure", 1.12, 1.14, "start"], ["preoccupied", 6.88, 1.14, "end"], ["dismissing", 1.12, 6.62, "start"], ["fearful", 6.88, 6.62, "end"]];
  for (const [style, a, v, anchor] of names) {
    svg.append(label(x(a), y(v), words.styles[style], { "text-anchor": anchor, fill: INK.quiet, "font-weight": 600 }));
  }
  for (let tick = LOW; tick <= HIGH; tick += 1) {
    svg.append(label(x(tick), y(LOW) + size(1.2), tick, { "text-anchor": "middle", fill: INK.quiet, "font-size": size(0.9) }));
    svg.append(label(x(LOW) - size(0.5), y(tick) + size(0.35), tick, { "text-anchor": "end", fill: INK.quiet, "font-size": size(0.9) }));
  }
  svg.append(label(x(CUT), y(LOW) + size(2.5), words.plane.x, { "text-anchor": "middle", fill: INK.quiet }));
  const across = `${pad.left - size(2)} ${y(CUT)}`;
  svg.append(el("text", { transform: `translate(${across}) rotate(-90)`, "text-anchor": "middle", fill: INK.quiet, "font-size": size() }, words.plane.y));
}

function trail(svg, points, at, x, y, side) {
  const until = points.slice(0, Math.min(at, points.length - 1) + 1);
  svg.append(el("path", { d: path(until.map(([a, v]) => [x(a), y(v)])), fill: "none", stroke: LOOK[side].stroke, "stroke-width": 2, opacity: 0.65, "stroke-dasharray": side === "b" ? "4 3" : "none" }));
}

/** A client is a circle, a therapist a square. */
function person(svg, course, role, at, x, y, side) {
  const series = role === "client" ? course.to_therapist : course.to_client;
  const [a, v] = series[Math.min(at, series.length - 1)];
  const r = size(0.75), look = { fill: side === "a" ? LOOK.a.fill : "none", stroke: LOOK[side].stroke, "stroke-width": 2.5, "data-person": `${side}_${role}`, "data-anxiety": a, "data-avoidance": v };
  const shape = role === "client"
    ? el("circle", { cx: x(a), cy: y(v), r, ...look })
    : el("rect", { x: x(a) - r, y: y(v) - r, width: 2 * r, height: 2 * r, ...look });
  shape.append(el("title", {}, `${side.toUpperCase()} ${words.plane[role]}: ${number(a)}, ${number(v)}`));
  const left = side === "a";
  svg.append(shape, label(x(a) + (left ? -1 : 1) * size(1.1), y(v) + (left ? -size(0.7) : size(1.2)), side.toUpperCase(), {
    "text-anchor": left ? "end" : "start", fill: LOOK[side].text, "font-weight": 700, "font-size": size(1.1), stroke: INK.paper, "stroke-width": 3, "paint-order": "stroke",
  }));
}

/** The client's attachment in general, which moves slowly, week by week. */
function inGeneral(svg, points, at, x, y, side) {
  const [a, v] = points[Math.min(at, points.length - 1)], r = size(0.55);
  svg.append(el("path", { d: `M${x(a) - r} ${y(v)}h${2 * r}M${x(a)} ${y(v) - r}v${2 * r}`, stroke: LOOK[side].text, "stroke-width": 2.2, "data-general": side, "data-anxiety": a, "data-avoidance": v }));
}

/** Rings where people started: dragged with the pointer, or moved by the arrow keys. Two at one place move together. */
function rings(svg, play, x, y, move) {
  const handles = [];
  for (const role of ["therapist", "client"]) {
    const [a, b] = SIDES.map((one) => play[one].points[role]);
    if (a[0] === b[0] && a[1] === b[1]) handles.push([["a", "b"], role, a]);
    else handles.push([["a"], role, a], [["b"], role, b]);
  }
  for (const [sides, role, [anxiety, avoidance]] of handles) {
    const keys = sides.map((one) => `${one}_${role}`);
    const ring = el("circle", {
      cx: x(anxiety), cy: y(avoidance), r: size(1.25), fill: "transparent", stroke: sides.length > 1 ? INK.text : LOOK[sides[0]].stroke,
      "stroke-width": 1.5, "stroke-dasharray": "2 2", class: "ring", tabindex: 0, role: "slider", "data-ring": keys[0], "data-focus": keys.join(" "),
      "aria-label": `${sides.map((one) => words.controls[one]).join(", ")}: ${words.plane[role]}, ${words.plane.x}, ${words.plane.y}`,
      "aria-valuemin": LOW, "aria-valuemax": HIGH, "aria-valuenow": anxiety, "aria-valuetext": `${number(anxiety)}, ${number(avoidance)}`,
    });
    const to = (point) => move(keys, point.map((value) => Math.round(Math.min(Math.max(value, LOW), HIGH) * 10) / 10));
    ring.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      to([anxiety + step[0], avoidance + step[1]]);
    });
    ring.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const box = svg.getBoundingClientRect(), unit = x(LOW + 1) - x(LOW);
      const follow = (moved) => to([LOW + (moved.clientX - box.left - x(LOW)) / unit, LOW + (y(LOW) - (moved.clientY - box.top)) / unit]);
      const release = () => { removeEventListener("pointermove", follow); for (const end of ["pointerup", "pointercancel"]) removeEventListener(end, release); };
      addEventListener("pointermove", follow);
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release);
    });
    svg.append(ring);
  }
}
