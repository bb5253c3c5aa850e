// What happened, newest first, and the notes of a session.

import { words, filled } from "./given.js";
import { SIDES, tag } from "./draw.js";

const MOST = 60;

/** Fill the log with what has happened up to a session. ``go(session)`` on a click. */
export function showLog(list, play, at, go) {
  const found = SIDES.flatMap((side) => play[side].events.map((event) => ({ ...event, side })))
    .filter((event) => event.session <= at)
    .sort((a, b) => b.session - a.session || a.side.localeCompare(b.side));
  const items = found.slice(0, MOST).map((event) => {
    const button = tag("button", { type: "button", className: "event" },
      tag("span", { className: "when" }, event.session), tag("span", { className: `who who-${event.side}` }, event.side.toUpperCase()), event.text);
    button.addEventListener("click", () => go(event.session));
    return tag("li", {}, button);
  });
  if (!items.length) items.push(tag("li", { className: "quiet" }, words.log.empty));
  list.replaceChildren(...items);
}

/** The sentences of a session, one for each pair; before the first session one for both. */
export function sentences(play, at) {
  if (at === 0) return [words.play.before];
  return SIDES.map((side) => {
    const course = play[side];
    const text = at > course.held ? course.ending_text : course.notes[at - 1].short;
    return filled(words.play.ended, { side: side.toUpperCase(), text });
  });
}

/** The notes of a session of both pairs, side by side. */
export function notesOf(play, at) {
  return tag("div", { className: "notes" }, ...SIDES.map((side) => {
    const course = play[side], session = Math.min(at, course.held), note = course.notes[session - 1];
    return tag("section", { className: `note side-${side}` },
      tag("h3", {}, `${words.controls[side]}: ${filled(words.log.notes, { session })}`),
      ...["happened", "client", "therapist"].flatMap((part) => [tag("h4", {}, words.log[part]), tag("p", {}, note[part])]));
  }));
}
