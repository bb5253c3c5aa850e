// Asking the server, or in a handout looking up what is in the file. Only the latest question counts.

import { given, words, filled } from "./given.js";
import { state, asQuery } from "./state.js";

/** What the server says: messages for people. ``wrong``: what was asked cannot be, so asking again is of no use. */
export class Refused extends Error {
  constructor(messages, wrong = false) {
    super(messages.join(" "));
    this.messages = messages;
    this.wrong = wrong;
  }
}

async function fetched(place, query) {
  let answer;
  try {
    answer = await fetch(`${place}?${query}`);
  } catch {
    throw new Refused([words.page.lost]);
  }
  let found;
  try {
    found = await answer.json();
  } catch {
    throw new Refused([filled(words.page.busy, { status: answer.status })]);
  }
  if (!answer.ok) throw new Refused(found.error ?? [filled(words.page.busy, { status: answer.status })], answer.status < 500);
  return found;
}

/** Key of a course in a handout. */
export function courseKey(query, side) {
  return [query.seed, query.pairs, query[`${side}_accuracy`], query[`${side}_warmth`]].join("|");
}

function fromHandout() {
  const { plays, frame, outcomes } = given.handout;
  const sides = Object.fromEntries(["a", "b"].map((side) => [side, plays[side][courseKey(state.query, side)]]));
  const value = (side) => outcomes[side][courseKey(state.query, side)];
  const { answer_by: by } = given.handout;
  return { ...frame, ...sides, seed: Number(state.query.seed), outcome: { measure: frame.measure, a: value("a"), b: value("b"), answer: answered(by, value("a") - value("b")) } };
}

function answered(by, gap) {
  if (by === null) return null;
  const [more, less] = by.lower ? ["b", "a"] : ["a", "b"];
  return gap >= by.smallest ? more : gap <= -by.smallest ? less : "same";
}

/** Both courses of the state. */
export async function askPlay() {
  return given.handout ? fromHandout() : fetched("/api/play", asQuery({}, true));
}

/** The fan of the state; a handout has it for the lesson's own set-up, with each value of its switch. */
export async function askMany() {
  return given.handout ? given.handout.many[`${state.query.seed}|${state.query.pairs}`] : fetched("/api/many", asQuery({}, true));
}

/** What each response at a rupture leads to. */
export async function askChair(side, session, exchange) {
  return fetched("/api/chair", `${asQuery({}, true)}&side=${side}&session=${session}&exchange=${exchange}`);
}

/** The map of all pairings, the numbers and equations of the model, the scenario file. */
export const askMap = () => fetched("/api/map", asQuery({}, true));
export const askModel = () => fetched("/api/model", "");
export const askScenario = () => fetched("/api/scenario", asQuery());
