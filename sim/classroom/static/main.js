// The page: puts state, courses, drawings and controls together.

import { given, words, filled } from "./given.js";
import { state, put, begin, kept, restore, address } from "./state.js";
import { askPlay, askMany, Refused } from "./ask.js";
import { tell, guarded, tryAgainWith } from "./message.js";
import { refocused } from "./draw.js";
import * as clock from "./clock.js";
import { drawPlane } from "./plane.js";
import { drawAlliance, drawBelow } from "./lines.js";
import { drawInside } from "./inside.js";
import { showLog, sentences, notesOf } from "./log.js";
import { showLesson, fewWords } from "./lesson.js";
import * as dialogs from "./dialogs.js";
import { openFigure } from "./figure.js";

const $ = (id) => document.getElementById(id);
// What is shown: both courses, the fan (null = one person), session and exchange, whose inside, and how far the lesson is.
const shown = { play: given.play, many: null, at: 0, exchange: 1, side: "b", far: 0, guess: null };
// The computing that is under way, whether something was wished since it began, and the last state that could be shown.
const computing = { now: null, again: false, worked: kept() };

// ---------------------------------------------------------------------------------------------------- drawing

const lastSession = () => Math.max(shown.play.a.held, shown.play.b.held);
const last = () => (shown.play.weeks > shown.play.sessions ? shown.play.weeks : lastSession());
const ghost = () => state.lesson === "sandbox" || shown.far >= last();

function draw() {
  const { play, many, at } = shown;
  $("alliance-panel").classList.toggle("fan", Boolean(many));
  refocused($("plane"), () => drawPlane($("plane"), play, at, given.handout ? null : moved));
  refocused($("alliance"), () => drawAlliance($("alliance"), play, many, at, ghost(), given.handout ? null : chair));
  refocused($("distress"), () => drawBelow($("distress"), play, many, at, ghost()));
  $("distress").dataset.about = many ? "attending" : "distress";
  $("distress").setAttribute("aria-label", many ? words.distress.attending : words.distress.title);
  drawNow();
  showLog($("log"), play, at, (session) => goTo(session));
  $("sentence").replaceChildren(...sentences(play, at).map((text) => Object.assign(document.createElement("span"), { textContent: text, title: text })));
  $("play").classList.toggle("primary", at < last());
  const ends = ghost() ? last() : Math.max(play.sessions, play.weeks, at);  // when it ends is part of the future
  $("at").max = ends;
  $("at").value = at;
  $("at-word").textContent = play.weeks > play.sessions ? words.play.week : words.play.session;
  $("at-shown").textContent = at;
  $("last-shown").textContent = ends;
  $("alliance-note").textContent = many ? words.many.note : words.alliance.note;
  $("fan-words").hidden = !many;
  if (many) $("fan-words").replaceChildren(...fewWords(many));
}

/** The inside alone: it moves with the exchanges. */
function drawNow() {
  const course = shown.play[shown.side], session = Math.min(shown.at, course.held);
  $("inside-title").textContent = session < 1 ? words.inside.idle : filled(words.inside.title, { session, exchange: shown.exchange });
  $("exchange").max = shown.play.exchanges;
  $("exchange").value = shown.exchange;
  $("exchange-shown").textContent = shown.exchange;
  for (const button of document.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === shown.side));
  refocused($("inside"), () => drawInside($("inside"), course, session, shown.exchange, shown.play.exchanges));
}

function drawLesson() {
  const stage = { guess: shown.guess, played: shown.far >= last(), many: shown.many };
  showLesson($("lesson-panel"), shown.play, stage, {
    guess: (key) => { shown.guess = key; },
    many: () => setMany(true),
    luck: newLuck,
    pairs: (value) => change({ pairs: value }),
    map: () => guarded(() => dialogs.openMap(change)),
    lesson: toLesson,
    back: () => { begin(state.lesson); showControls(); recompute(); },
  });
}

/** Controls say what the state says. */
function showControls() {
  $("lesson").value = state.lesson;
  for (const control of document.querySelectorAll("[data-key]")) {
    const value = state.query[control.dataset.key];
    if (control.tagName === "SELECT") {
      const own = [...control.options].find((option) => option.value === value);
      if (!own) {
        const place = control.options[control.options.length - 1];
        place.value = value;
        place.textContent = value.replace(",", " / ");
      }
    }
    const grid = control.type === "range" ? gridOf(control) : null;
    control.value = grid ? grid.indexOf(Number(value)) : value;
    if (grid) control.setAttribute("aria-valuetext", value);
  }
  for (const output of document.querySelectorAll("output[data-for]")) output.textContent = Number(state.query[output.dataset.for]).toFixed(2);
  $("many").textContent = filled(words.controls.many, { n: state.query.clients });
  $("many").setAttribute("aria-pressed", String(state.query.many === "1"));
  $("projector").setAttribute("aria-pressed", String(state.query.projector === "1"));
  document.documentElement.classList.toggle("projector", state.query.projector === "1");
}

// ---------------------------------------------------------------------------------------------------- computing

/** Compute again and draw; returns whether it could be shown. While one answer is on its way only the latest wish is kept. */
function recompute() {
  computing.again = computing.now !== null;
  computing.now ??= untilNothingIsWished();
  return computing.now;
}

async function untilNothingIsWished() {
  let done = false;
  try {
    do {
      computing.again = false;
      done = await guarded(compute);
    } while (computing.again);
  } finally {
    computing.now = null;
    if (computing.again) recompute();
  }
  return done;
}

async function compute() {
  const asked = performance.now(), wish = kept();
  let play, many;
  try {
    [play, many] = await Promise.all([askPlay(), state.query.many === "1" ? askMany() : null]);
  } catch (error) {
    if (computing.again) return;  // what was refused is no longer wished
    if (error instanceof Refused && error.wrong) {
      restore(computing.worked);
      showControls();
    }
    throw error;
  }
  const answered = performance.now();
  computing.worked = wish;
  if (wish.lesson !== state.lesson) return;  // too late: another lesson is wished, and comes next
  Object.assign(shown, { play, many });
  shown.at = Math.min(shown.at, last());
  shown.exchange = Math.min(shown.exchange, play.exchanges);
  draw();
  drawLesson();
  tell();
  const drawn = performance.now();
  Object.assign(document.documentElement.dataset, { askedMs: (drawn - asked).toFixed(1), drawnMs: (drawn - answered).toFixed(1), seed: String(play.seed) });
}

function change(changes) {
  put(changes);
  showControls();
  return recompute();
}

const moved = (keys, [anxiety, avoidance]) => change(Object.fromEntries(keys.map((key) => [key, `${anxiety},${avoidance}`])));

// ---------------------------------------------------------------------------------------------------- playing

function goTo(session, exchange = 1) {
  halt();
  shown.at = Math.max(0, Math.min(session, last()));
  shown.exchange = exchange;
  put({ at: shown.at });
  reached();
  draw();
}

function reached() {
  const before = shown.far >= last();
  shown.far = Math.max(shown.far, shown.at);
  if (shown.far >= last() && !before) drawLesson();
}

/** Whether either bond ruptured in a session. */
const ruptured = (session) => ["a", "b"].some((side) => shown.play[side].ruptures.some((one) => one.session === session && one.kind !== "repair"));

function halt() {
  clock.stop();
  $("chair").classList.remove("primary");
  $("play").textContent = words.play.play;
  put({ at: shown.at });
}

function playOrPause() {
  if (clock.stop()) {
    halt();
    return;
  }
  if (shown.many) setMany(false);
  if (shown.at >= last()) goTo(0);
  $("play").textContent = words.play.pause;
  $("chair").classList.remove("primary");
  const exchanges = shown.play.exchanges;
  let exchange = 0;
  clock.run(shown.at, last, () => $("speed").value, (position) => {
    const at = Math.floor(position), now = Math.min(Math.floor((position - at) * exchanges) + 1, exchanges);
    if (at !== shown.at) {
      shown.at = at;
      shown.exchange = 1;
      reached();
      if ($("stop").checked && ruptured(at)) {
        halt();
        $("chair").classList.add("primary");
      }
      draw();
    } else if (now !== exchange && at > 0 && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      shown.exchange = now;
      drawNow();
    }
    exchange = now;
  }, () => { halt(); draw(); drawLesson(); });
}

function setMany(on) {
  return change({ many: on ? "1" : "0" });
}

function newLuck() {
  halt();
  shown.far = 0;
  shown.at = 0;
  const seeds = given.handout?.seeds;
  const next = seeds ? seeds[(seeds.indexOf(state.query.seed) + 1) % seeds.length] : String((Number(state.query.seed) % 999999) + 1);
  change({ seed: next, many: "0", at: "0" });
}

function toLesson(name) {
  halt();
  begin(name);
  Object.assign(shown, { at: 0, far: 0, guess: null, exchange: 1, many: null });
  showControls();
  $("log-panel").scrollTop = 0;
  $("lesson-panel").scrollTop = 0;
  recompute();
}

// ---------------------------------------------------------------------------------------------------- the rest

function chair(side, event) {
  halt();
  guarded(() => dialogs.openChair(side, event, (which, choice) => {
    // The choice becomes pair A, what would have been pair B: the whole page then shows both futures.
    const changes = { at: String(event.session), many: "0" };
    for (const key of Object.keys(state.query).filter((one) => /^[ab][_.]/.test(one))) {
      const name = key.slice(1), own = state.query[`${which}${name}`];
      changes[key] = own ?? null;
    }
    for (const key of Object.keys(state.query).filter((one) => one.startsWith(`${which}.`))) for (const to of ["a", "b"]) changes[to + key.slice(1)] = state.query[key];
    changes.a_do = choice;
    state.lesson = "sandbox";
    shown.at = event.session;
    change(changes);
  }));
}

/** The chair at the latest rupture of either pair so far (of B where both have one), or else at the first to come. */
function chairAtLast() {
  const all = ["b", "a"].flatMap((side) => shown.play[side].ruptures.filter((one) => one.kind !== "repair").map((event) => ({ side, event })));
  if (!all.length) return dialogs.open(words.chair_panel.title, filled(words.chair_panel.none, { side: "A, B" }));
  const past = all.filter(({ event }) => event.session <= Math.max(shown.at, 1));
  const later = (one, other) => other.event.session > one.event.session || (other.event.session === one.event.session && other.side === one.side);
  const found = past.length ? past.reduce((one, other) => (later(one, other) ? other : one)) : all.reduce((one, other) => (other.event.session < one.event.session ? other : one));
  return chair(found.side, found.event);
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(address());
    tell([words.page.link_done]);
    setTimeout(() => tell(), 2500);
  } catch {
    dialogs.openLink();
  }
}

/** The values of a control that a handout has courses for. */
const gridOf = (control) => given.handout?.grid[control.dataset.key];

/** The value that a control stands at. In a handout a slider holds its place in the grid, and what is typed goes to the nearest. */
function snapped(control) {
  const grid = gridOf(control);
  if (!grid) return control.value;
  if (control.type === "range") return String(grid[control.value]);
  const nearest = grid.reduce((best, one) => (Math.abs(one - control.value) < Math.abs(best - control.value) ? one : best));
  return String(nearest);
}

function listen() {
  for (const control of document.querySelectorAll("[data-key]")) {
    control.addEventListener(control.type === "range" ? "input" : "change", () => {
      change({ [control.dataset.key]: snapped(control) });
    });
  }
  $("lesson").addEventListener("change", () => toLesson($("lesson").value));
  $("play").addEventListener("click", playOrPause);
  $("step").addEventListener("click", () => goTo(shown.at + 1));
  $("reset").addEventListener("click", () => goTo(0));
  $("at").addEventListener("input", () => goTo(Number($("at").value)));
  $("exchange").addEventListener("input", () => { halt(); shown.exchange = Number($("exchange").value); drawNow(); });
  for (const button of document.querySelectorAll("[data-show]")) button.addEventListener("click", () => { shown.side = button.dataset.show; drawNow(); });
  $("new-luck").addEventListener("click", newLuck);
  $("many").addEventListener("click", () => setMany(state.query.many !== "1"));
  $("projector").addEventListener("click", () => { put({ projector: state.query.projector === "1" ? "0" : "1" }); showControls(); draw(); });
  $("help").addEventListener("click", () => guarded(() => dialogs.openHelp()));
  $("research").addEventListener("click", () => guarded(() => dialogs.openResearch(() => shown.many, change)));
  $("data").addEventListener("click", () => dialogs.openData());
  $("figure").addEventListener("click", () => openFigure(shown.play));
  $("link").addEventListener("click", copyLink);
  $("read").addEventListener("click", () => dialogs.open(words.log.readable, shown.at < 1 ? words.log.empty : notesOf(shown.play, shown.at)));
  $("chair").addEventListener("click", chairAtLast);
  addEventListener("keydown", pressed);
  document.querySelector(".stop").addEventListener("click", (event) => event.detail && setTimeout(() => $("play").focus()));  // so that Space plays
  new ResizeObserver(() => draw()).observe($("alliance"));
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open) return;
  const field = event.target.closest("input, select, textarea, summary");
  const onButton = event.target.closest("button");
  const acts = { r: () => goTo(0), m: () => setMany(state.query.many !== "1"), p: () => $("projector").click(), "?": () => $("help").click() };
  if (!field && !onButton) acts[" "] = playOrPause;
  if (!field) Object.assign(acts, { ArrowRight: () => goTo(shown.at + 1), ArrowLeft: () => goTo(shown.at - 1) });
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || (field && field.type !== "range" && field.tagName !== "SUMMARY")) return;  // letters are for typing and choosing
  event.preventDefault();
  act();
}

/** Hovering or focusing says what a quantity is, and where it comes from. */
function explain() {
  const place = $("about");
  let described = null;
  const show = (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-about]") : null;
    const said = target && given.about[target.dataset.about];
    place.hidden = !said;
    described?.removeAttribute("aria-describedby");
    described = said ? target : null;
    if (!said) return;
    place.textContent = said;
    target.setAttribute("aria-describedby", "about");
    const box = target.getBoundingClientRect();
    place.style.left = `${Math.max(8, Math.min(box.left, innerWidth - place.offsetWidth - 8))}px`;
    place.style.top = `${box.bottom + 6 + place.offsetHeight > innerHeight ? Math.max(4, box.top - place.offsetHeight - 6) : box.bottom + 6}px`;
  };
  addEventListener("pointerover", show);
  addEventListener("focusin", show);
  addEventListener("keydown", (event) => { if (event.key === "Escape") place.hidden = true; });
}

function start() {
  if (given.handout) {
    document.documentElement.classList.add("handout");
    for (const control of document.querySelectorAll("select.person")) control.disabled = true;
  }
  shown.at = Math.min(Number(state.query.at), last());
  shown.far = shown.at;
  for (const [key, grid] of Object.entries(given.handout?.grid ?? {})) snapTo(document.querySelector(`[data-key="${key}"]`), grid);
  tryAgainWith(recompute);
  showControls();
  listen();
  explain();
  draw();
  drawLesson();
  if (given.error.length) tell([words.page.wrong_address, ...given.error, words.page.wrong_shown]);
  if (state.query.many === "1") recompute();
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

/** A slider of a handout: it goes from one value that is there to the next, with a tick for each. */
function snapTo(control, grid) {
  if (!control || control.tagName !== "INPUT" || control.type !== "range") return;
  const list = document.createElement("datalist");
  list.id = `grid-${control.dataset.key}`;
  list.append(...grid.map((value, k) => Object.assign(document.createElement("option"), { value: k, label: String(value) })));
  control.setAttribute("list", list.id);
  Object.assign(control, { min: 0, max: grid.length - 1, step: 1 });
  control.after(list);
}

start();
