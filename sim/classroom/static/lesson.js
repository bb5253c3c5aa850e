// The lesson: hook, prediction, and, once played, what came out, the fan, the reason with its claim, and one limit.

import { given, words, filled, number } from "./given.js";
import { state, changed } from "./state.js";
import { tag } from "./draw.js";

const said = words.lesson_panel;

/** Show the lesson. ``stage`` holds: guess, played (to the end), many (the fan, or null). ``acts``: what its buttons do. */
export function showLesson(panel, play, stage, acts) {
  const lesson = given.lessons[state.lesson], parts = [tag("h2", {}, lesson.title)];
  if (state.query.a_do !== state.query.b_do && state.query.a_do) parts.push(tag("p", { className: "verdict", id: "chosen" }, chosen(play)));
  if (!stage.many || state.lesson === "sandbox") parts.push(tag("p", { className: "hook" }, lesson.hook));
  if (lesson.switch) parts.push(whoFits(acts));
  if (state.lesson === "sandbox") parts.push(tried(), ...given.handout ? [] : [button(said.map, "map", acts.map)]);
  else if (!stage.played && !stage.many) parts.push(question(lesson, stage, acts), tag("h3", {}, said.notice), list(noticed(lesson)));
  else {
    parts.push(tag("p", { className: "question" }, lesson.question));
    parts.push(...(stage.many ? explained(lesson, stage, acts) : revealed(lesson, play, stage, acts)));
  }
  if (changed() && state.lesson !== "sandbox") parts.push(tag("p", { className: "small" }, words.controls.changed));
  if (changed(["seed"])) parts.push(button(words.controls.back, "back", acts.back));
  const focus = panel.contains(document.activeElement) ? document.activeElement.id : "";
  panel.replaceChildren(...parts);
  if (focus) document.getElementById(focus)?.focus();
}

/** The response that was chosen from the chair, and what it stands beside: only where the pairs differ in nothing else. */
function chosen(play) {
  const made = state.query.a_do.split(","), before = state.query.b_do.split(",");
  const [session, exchange, response] = (made.find((one) => !before.includes(one)) ?? made.at(-1)).split(".");
  const own = Object.keys(state.query).filter((key) => /^[ab][_.]/.test(key)).map((key) => key.slice(1)).filter((key) => key !== "_do");
  const alike = own.every((key) => state.query[`a${key}`] === state.query[`b${key}`]);
  const there = play.a.ruptures.some((one) => one.kind !== "repair" && one.session === Number(session) && one.exchange === Number(exchange));
  return filled(alike && there ? words.chair_panel.now : words.chair_panel.still, { response: words.chair_panel[response], session });
}

/** What to notice and to try; in a handout without what needs a server. */
const noticed = (lesson) => [...lesson.notice, ...given.handout ? [] : lesson.notice_server ?? []];

const list = (items) => tag("ul", {}, ...items.map((item) => tag("li", {}, item)));

function button(text, id, act, primary = false) {
  const made = tag("button", { type: "button", id: `lesson-${id}`, className: primary ? "primary" : "" }, text);
  made.addEventListener("click", act);
  return made;
}

function tried() {
  return tag("div", {}, tag("p", {}, said.sandbox_hook), list(said.sandbox_try));
}

/** The switch of a lesson on what studies disagree about: which reading is taken. */
function whoFits(acts) {
  const choices = Object.entries(words.controls.pairs_options).map(([value, text]) => {
    const made = button(text, `pairs-${value}`, () => acts.pairs(value));
    made.setAttribute("aria-pressed", String(state.query.pairs === value));
    return made;
  });
  return tag("div", { role: "group", ariaLabel: words.controls.pairs }, tag("p", { className: "small" }, words.controls.pairs), ...choices);
}

function question(lesson, stage, acts) {
  const options = Object.entries(lesson.options).map(([key, text]) => {
    const radio = tag("input", { type: "radio", name: "guess", id: `guess-${key}`, value: key, checked: stage.guess === key });
    radio.addEventListener("change", () => acts.guess(key));
    const label = tag("label", { className: "guess" }, radio, text);
    label.addEventListener("click", (event) => event.detail && setTimeout(() => document.getElementById("play").focus()));  // so that Space plays
    return label;
  });
  return tag("fieldset", { className: "predict" }, tag("legend", {}, said.predict), tag("p", { className: "question" }, lesson.question), ...options);
}

/** What the play alone can say, and the way on to many clients. */
function revealed(lesson, play, stage, acts) {
  const measure = words.measures[play.outcome.measure];
  const digits = Math.abs(play.outcome.a) < 2 && Math.abs(play.outcome.b) < 2 ? 2 : 1;
  const shown = (value) => (measure.yes ? (value ? measure.yes : measure.no) : number(value, digits));
  const outcome = filled(said.outcome, { measure: measure.name, a: shown(play.outcome.a), b: shown(play.outcome.b), unit: measure.unit && `(${measure.unit})` });
  const parts = [tag("h3", {}, said.came_out), tag("p", { id: "outcome" }, outcome)];
  if (play.outcome.answer) parts.push(verdict(lesson, stage.guess, play.outcome.answer, said.right, said.not_right));
  if (lesson.setup.seed === state.query.seed) parts.push(tag("p", { className: "small" }, said.story));
  parts.push(button(filled(said.next_many, { n: state.query.clients }), "many", acts.many, true), button(said.next_luck, "luck", acts.luck));
  parts.push(tag("h3", {}, said.notice), list(noticed(lesson)));
  return parts;
}

function verdict(lesson, guess, answer, right, wrong) {
  const text = guess ? `${said.your_guess}: ${lesson.options[guess]}. ${guess === answer ? right : wrong}` : `${said.no_guess} ${said.answer}: ${lesson.options[answer]}.`;
  return tag("p", { id: "verdict", className: "verdict" }, text);
}

function explained(lesson, stage, acts) {
  const parts = [];
  if (stage.many.answer) parts.push(verdict(lesson, stage.guess, stage.many.answer, filled(said.many_right, stage.many), filled(said.many_not_right, stage.many)));
  parts.push(tag("p", { className: "lesson-sentence" }, lesson.sentence));
  parts.push(tag("h3", {}, filled(words.many.title, { n: stage.many.n })), tag("p", { id: "many-outcome" }, ...manyWords(stage.many)));
  parts.push(tag("h3", {}, said.why), tag("p", {}, lesson.why));
  for (const claim of lesson.claims) {
    parts.push(tag("p", { className: "claim" }, filled(said.claim, claim), claim.disputed ? ` ${filled(said.disputed, { text: claim.disputed })}` : ""));
  }
  for (const source of lesson.sources) parts.push(tag("p", { className: "claim" }, source));
  parts.push(tag("h3", {}, said.limit), tag("p", {}, lesson.limit));
  const names = Object.keys(given.lessons), next = names[names.indexOf(state.lesson) + 1];
  if (next && !given.handout) parts.push(button(said.next, "next", () => acts.lesson(next), true));
  return parts;
}

/** The two groups in a few words, beside the fan. */
export function fewWords(many) {
  const measure = words.measures[many.measure];
  if (given.handout && changed([], ["pairs"])) return [words.handout.fan];
  if (measure.yes) return [counted(many), ofTheChair()];
  const share = many.overlap === null ? words.many.no_share : words.many.overlap_share;
  return [tag("strong", {}, filled(share, { words: many.overlap_words, share: Math.round(100 * many.overlap) })), ` ${measure.name}: `,
    filled(words.many.won, { a: many.a_won, b: many.b_won, n: many.n }), ofTheChair()];
}

/** What a response chosen at one client's rupture means for all clients of a fan. */
const ofTheChair = () => (state.query.a_do || state.query.b_do ? ` ${words.many.chosen}` : "");

/** Of something that is reached or not: for how many. */
function counted(many) {
  const count = (side) => many[side].ends.reduce((sum, value) => sum + value, 0);
  return `${words.measures[many.measure].name}: ${filled(words.many.counted, { a: count("a"), b: count("b"), n: many.n })}`;
}

/** What can be said of the two groups, in sentences. */
export function manyWords(many) {
  const measure = words.measures[many.measure], d = many.difference, said = words.many;
  if (measure.yes) return [counted(many), ofTheChair()];
  const digits = Math.abs(d.mean ?? 0) < 0.2 ? 3 : 2;
  const share = many.overlap === null ? filled(said.no_share, { words: many.overlap_words }) : filled(said.overlap_share, { words: many.overlap_words, share: Math.round(100 * many.overlap) });
  return [
    `${measure.name}. `,
    tag("strong", {}, share), " ",
    filled(said.difference, { mean: number(d.mean, digits), unit: measure.unit, low: number(d.low, digits), high: number(d.high, digits) }), " ",
    filled(said.won, { a: many.a_won, b: many.b_won, n: many.n }), " ",
    filled(said.upset, { share: Math.round(100 * many.upset) }), ofTheChair(),
  ];
}
