// What went wrong, in words, with a way to try again.

import { words } from "./given.js";
import { Refused } from "./ask.js";

const again = { act: () => {} };

/** What "Try again" does. */
export function tryAgainWith(act) {
  again.act = act;
}

/** Say what went wrong; nothing said takes the message away. */
export function tell(messages = [], retry = false) {
  const place = document.getElementById("message");
  place.hidden = !messages.length;
  place.replaceChildren(...messages.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  if (!retry) return;
  const button = Object.assign(document.createElement("button"), { type: "button", id: "retry", textContent: words.page.retry });
  button.addEventListener("click", () => again.act());
  place.append(button);
}

/** Do what may be refused, and return whether it worked. Where it did not, what is open closes, so that the message is seen. */
export async function guarded(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    document.getElementById("dialog").close();
    tell(error.messages, !error.wrong);
    return false;
  }
}
