// The state of the page is the query of its address: flat text, what is not said comes from the lesson and the defaults.

import { given } from "./given.js";

// Keys that only say how a picture is shown.
const SHOWN = ["at", "many", "projector"];

export const state = { lesson: given.lesson, query: { ...given.query } };

/** What a lesson starts from. */
export function setup(lesson) {
  return { ...given.defaults, ...given.lessons[lesson].setup };
}

/** The shortest query that gives this state, of all of it or without what only says how it is shown. */
export function asQuery(changes = {}, computedOnly = false) {
  const all = { ...state.query, ...changes };
  const base = setup(state.lesson);
  const said = new URLSearchParams({ lesson: state.lesson });
  for (const [key, value] of Object.entries(all)) {
    if (computedOnly && SHOWN.includes(key)) continue;
    if (base[key] !== value) said.set(key, value);
  }
  return said.toString();
}

/** The address of this picture. */
export function address(changes = {}) {
  return `${location.origin}${location.pathname}?${asQuery(changes)}`;
}

/** Whether what is computed differs from the lesson's set-up: its luck (if named in ``also``), number of clients and ``but`` apart. */
export function changed(also = [], but = []) {
  const base = setup(state.lesson), apart = [...SHOWN, "seed", "clients", ...but].filter((key) => !also.includes(key));
  return Object.entries(state.query).some(([key, value]) => !apart.includes(key) && base[key] !== value);
}

/** Change keys of the query, and the address with it. A value of null takes a key back. */
export function put(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete state.query[key];
    else state.query[key] = String(value);
  }
  if (!given.handout) history.replaceState(null, "", `?${asQuery()}`);
}

/** The state as it is, to go back to. */
export const kept = () => ({ lesson: state.lesson, query: { ...state.query } });

/** Back to a state that was kept; which session is shown, and how, stays. */
export function restore({ lesson, query }) {
  const { at, projector } = state.query;
  state.lesson = lesson;
  state.query = { ...query, at, projector };
  put({});
}

/** Another lesson from its set-up; how the page is shown stays. */
export function begin(lesson) {
  const { projector } = state.query;
  state.lesson = lesson;
  state.query = { ...setup(lesson), projector };
  put({});
}
