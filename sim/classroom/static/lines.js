// The alliance and, below it on the same sessions, distress and who still attends; one person each, or the fan of many.

import { words, filled, number } from "./given.js";
import { INK, LOOK, SIDES, canvas, el, explained, label, path, scale, size } from "./draw.js";

/** Draw the alliance up to a session. ``ghost``: show faintly what is still to come. ``pick(side, rupture)`` on a rupture. */
export function drawAlliance(place, play, many, at, ghost, pick) {
  const { svg, w, h } = canvas(place, words.alliance.title, "group");
  const axes = frame(svg, w, h, play, [1, 7], 1, words.alliance.y, many ? size(5.5) : size(3.6));
  if (many) {
    for (const one of SIDES) bands(svg, many[one], one, axes);
    for (const one of SIDES) svg.append(line(median(many[one], axes), one, { "data-median": one, "stroke-width": 3.4 }));
  }
  else for (const one of SIDES) course(svg, play[one], one, at, ghost, axes, pick);
  if (many) ends(svg, many, axes, w);
  else {
    nameEnds(svg, play, "alliance", at, axes, 1);
    legend(svg, axes);
  }
  return svg;
}

/** Draw distress (one person), or the share that still attends (many). */
export function drawBelow(place, play, many, at, ghost) {
  const { svg, w, h } = canvas(place, many ? words.distress.attending : words.distress.title, "group");
  if (many) {
    const axes = frame(svg, w, h, play, [0, 100], 100, `${words.distress.attending} %`, size(5.5), true);
    for (const one of SIDES) {
      const points = many[one].attending.map((share, k) => [axes.x(k), axes.y(100 * share)]);
      svg.append(line(points, one, { "data-attending": one }));
    }
    return svg;
  }
  const strip = size(3.4);
  const axes = frame(svg, w, h - strip, play, [0, 40], 20, words.distress.y, size(3.6), true);
  for (const one of SIDES) {
    const points = play[one].distress.map((value, k) => [axes.x(k), axes.y(value)]);
    if (ghost) svg.append(line(points, one, { opacity: 0.22 }));
    svg.append(line(points.slice(0, at + 1), one, { "data-distress": one }));
  }
  nameEnds(svg, play, "distress", at, axes, 0);
  attending(svg, play, at, axes, h - strip);
  return svg;
}

function frame(svg, w, h, play, [low, high], step, title, right, wide = false) {
  const left = size(3.2), top = size(1.9), bottom = wide ? size(0.5) : size(2.6);
  const x = scale([0, play.weeks], [left, w - right]), y = scale([low, high], [h - bottom, top]);
  for (let tick = low; tick <= high; tick += step) {
    svg.append(el("line", { x1: left, x2: w - right, y1: y(tick), y2: y(tick), stroke: INK.faint }));
    svg.append(label(left - size(0.5), y(tick) + size(0.35), tick, { "text-anchor": "end", fill: INK.quiet, "font-size": size(0.9) }));
  }
  svg.append(el("line", { x1: left, x2: left, y1: y(low), y2: y(high), stroke: INK.line }));
  svg.append(label(left - size(2.4), size(1.1), title, { fill: INK.quiet, "font-size": size(0.95) }));
  if (play.weeks > play.sessions) {
    svg.append(el("line", { x1: x(play.sessions), x2: x(play.sessions), y1: y(low), y2: y(high), stroke: INK.quiet, "stroke-dasharray": "2 4" }));
  }
  if (!wide) xAxis(svg, x, h - bottom, play);
  return { x, y, left, right: w - right, top, bottom: h - bottom };
}

function xAxis(svg, x, y, play) {
  const step = play.weeks > 60 ? 20 : play.weeks > 24 ? 10 : 5;
  for (let tick = 0; tick <= play.weeks; tick += step) {
    svg.append(label(x(tick), y + size(1.2), tick, { "text-anchor": "middle", fill: INK.quiet, "font-size": size(0.9) }));
  }
  const title = play.weeks > play.sessions ? filled(words.alliance.x_weeks, { sessions: play.sessions }) : words.alliance.x;
  svg.append(label(x(play.weeks / 2), y + size(2.3), title, { "text-anchor": "middle", fill: INK.quiet, "font-size": size(0.95) }));
}

function line(points, side, more = {}) {
  return el("path", { d: path(points), fill: "none", stroke: LOOK[side].stroke, "stroke-width": 2.8, "stroke-dasharray": LOOK[side].dash, "stroke-linejoin": "round", ...more });
}

function course(svg, one, side, at, ghost, axes, pick) {
  const points = one.alliance.map((value, k) => [axes.x(k), axes.y(value)]);
  if (ghost) svg.append(line(points, side, { opacity: 0.22, "data-ghost": side }));
  svg.append(line(points.slice(0, at + 1), side, { "data-line": side, "data-end": one.alliance[Math.min(at, one.held)] }));
  marks(svg, one, side, at, axes, pick);
  if (one.left && at >= one.held) {
    const [x, y] = points[one.held];
    svg.append(el("path", { d: `M${x} ${y - size(0.8)}v${size(1.6)}M${x + 3} ${y - size(0.8)}v${size(1.6)}`, stroke: LOOK[side].text, "stroke-width": 2, "data-left": side }));
  }
}

/** One mark a session: a cross where a rupture was left unrepaired, a ring with a dot where all were repaired. */
function marks(svg, one, side, at, axes, pick) {
  const bySession = new Map();
  for (const event of one.ruptures) {
    if (event.session > at) break;
    if (event.kind !== "repair" || !bySession.has(event.session)) {
      const before = bySession.get(event.session);
      bySession.set(event.session, before && !before.repaired ? before : event);
    }
  }
  const r = size(0.5);
  for (const [session, event] of bySession) {
    const x = axes.x(session), y = axes.y(one.alliance[session]);
    const kind = event.kind === "repair" ? "repair" : event.repaired ? "repaired" : "open";
    const name = filled(words.alliance.mark, { side: words.controls[side], session, kind: kind === "open" ? words.alliance.open : words.alliance.repair });
    const group = explained(el("g", { "data-mark": `${side}-${session}`, "data-kind": kind }), "rupture", `${side}-${session}`, name);
    if (kind === "open") {
      const d = `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`;
      group.append(el("path", { d, stroke: INK.paper, "stroke-width": 5 }), el("path", { d, stroke: LOOK[side].text, "stroke-width": 2.2 }));
    } else {
      group.append(el("circle", { cx: x, cy: y, r: r * 1.1, fill: INK.paper, stroke: LOOK[side].text, "stroke-width": 2 }), el("circle", { cx: x, cy: y, r: r * 0.4, fill: LOOK[side].text }));
    }
    if (pick && event.kind !== "repair") pickable(group, () => pick(side, event));
    svg.append(group);
  }
}

/** A mark that is a button: for the pointer, and for Enter and the space bar. */
function pickable(group, act) {
  group.setAttribute("class", "pick");
  group.setAttribute("role", "button");
  group.addEventListener("click", act);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

/** A and B and their values beside the ends of the lines, kept apart. */
function nameEnds(svg, play, name, at, axes, digits) {
  const found = SIDES.map((one) => {
    const series = play[one][name], k = Math.min(at, series.length - 1);
    return { one, x: axes.x(k), y: axes.y(series[k]), value: series[k] };
  });
  const [first, second] = found;
  const near = Math.abs(first.x - second.x) < size(4) && Math.abs(first.y - second.y) < size(1.2);
  const apart = (size(1.25) - Math.abs(first.y - second.y)) / 2;
  for (const each of found) {
    const other = each === first ? second : first;
    const up = each.y < other.y || (each.y === other.y && each === first);
    const shift = near ? (up ? -apart : apart) : 0;
    svg.append(label(each.x + size(0.6), each.y + size(0.35) + shift, `${each.one.toUpperCase()} ${number(each.value, digits)}`, {
      fill: LOOK[each.one].text, "font-weight": 700, "font-size": size(1.05), stroke: INK.paper, "stroke-width": 3, "paint-order": "stroke",
    }));
  }
}

function legend(svg, axes) {
  const y = size(1.1), r = size(0.4);
  const items = [["open", words.alliance.open], ["repaired", words.alliance.repair], ["left", words.alliance.left]];
  const width = ([, text]) => size(text.length * 0.52 + 2.2);
  while (items.reduce((sum, item) => sum + width(item), 0) > axes.right - axes.left - size(4)) items.pop();  // no room
  let x = axes.right;
  for (const [kind, text] of items.reverse()) {
    x -= width([kind, text]);
    const mark = kind === "open" ? el("path", { d: `M${x - r} ${y - size(0.75)}l${2 * r} ${2 * r}M${x - r} ${y - size(0.75) + 2 * r}l${2 * r} ${-2 * r}`, stroke: INK.text, "stroke-width": 2 })
      : kind === "repaired" ? el("circle", { cx: x, cy: y - size(0.35), r: r * 1.1, fill: INK.paper, stroke: INK.text, "stroke-width": 2 })
      : el("path", { d: `M${x - 1} ${y - size(0.8)}v${size(0.9)}M${x + 2} ${y - size(0.8)}v${size(0.9)}`, stroke: INK.text, "stroke-width": 2 });
    svg.append(mark, label(x + size(0.8), y, text, { fill: INK.quiet, "font-size": size(0.9) }));
  }
}

function attending(svg, play, at, axes, top) {
  SIDES.forEach((one, k) => {
    const y = top + size(0.4) + k * size(1.45), held = Math.min(at, play[one].held);
    const bar = el("rect", { x: axes.x(0), y, width: Math.max(axes.x(held) - axes.x(0), 0), height: size(1.15), fill: one === "a" ? LOOK.a.fill : INK.paper, stroke: LOOK[one].stroke, "stroke-width": 1.5, "data-attends": one });
    svg.append(explained(bar, "attending", `attends-${one}`, `${words.distress.attending}: ${words.controls[one]}`));
    if (at < play[one].held) return;
    const inside = held > play.weeks * 0.55, x = axes.x(held) + (inside ? -size(0.6) : size(0.5));
    svg.append(label(x, y + size(0.85), words.endings_short[play[one].ending], {
      fill: inside && one === "a" ? INK.paper : LOOK[one].text, "font-size": size(0.9), "font-weight": 600, "text-anchor": inside ? "end" : "start",
    }));
  });
}

const inTherapy = (group, axes) => group.bands.map((band, k) => [axes.x(k), band]).filter(([, band]) => band !== null);
const median = (group, axes) => inTherapy(group, axes).map(([x, band]) => [x, axes.y(band[2])]);

function bands(svg, group, side, axes) {
  const held = inTherapy(group, axes);
  const area = (low, high) => path([...held.map(([x, band]) => [x, axes.y(band[low])]), ...[...held].reverse().map(([x, band]) => [x, axes.y(band[high])])]) + "Z";
  const edge = { stroke: LOOK[side].stroke, "stroke-width": 1, "stroke-dasharray": LOOK[side].dash, "stroke-opacity": 0.5 };
  svg.append(el("path", { d: area(0, 4), fill: LOOK[side].stroke, "fill-opacity": 0.1, ...edge, "data-band": `${side}95` }));
  svg.append(el("path", { d: area(1, 3), fill: LOOK[side].stroke, "fill-opacity": 0.2, ...edge, "data-band": `${side}50` }));
}

/** A dot for each client's last session, beside the fan. */
function ends(svg, many, axes, w) {
  SIDES.forEach((one, k) => {
    const x = w - size(4.2) + k * size(2);
    svg.append(label(x, axes.top - size(0.5), one.toUpperCase(), { "text-anchor": "middle", fill: LOOK[one].text, "font-weight": 700 }));
    many[one].alliance_ends.forEach((value, i) => {
      const jitter = ((i * 7) % 5 - 2) * size(0.16);
      svg.append(el("circle", { cx: x + jitter, cy: axes.y(value), r: size(0.28), fill: one === "a" ? LOOK.a.fill : INK.paper, stroke: LOOK[one].stroke, "stroke-width": 1.2, "data-dot": one }));
    });
  });
}
