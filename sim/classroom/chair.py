"""Take the chair: one rupture, what each response would have led to, with the same random draws."""

from __future__ import annotations

from typing import Any

from sim.classroom.course.play import side_of
from sim.classroom.course.responses import RESPONSES
from sim.classroom.course.state import MOST_CHOICES, Choice, Side, State
from sim.errors import AddressError


def futures(state: State, which: str, session: int, exchange: int) -> dict[str, Any]:
    """What becomes of a pair for each response at a rupture, and as it was.

    Raises ``AddressError`` where nothing ruptured, and where no (further) choice can be made.
    """
    if which not in ("a", "b"):
        raise AddressError(["side must be a or b"])
    side: Side = getattr(state, which)
    places = [(one["session"], one["exchange"]) for one in side_of(side, state.shared)["ruptures"] if one["kind"] != "repair"]
    if (session, exchange) not in places:
        known = "; ".join(f"session {s}, exchange {e}" for s, e in places[:8]) or "there is none"
        raise AddressError([f"pair {which.upper()} has no rupture in session {session}, exchange {exchange}; ruptures: {known}"])
    # A choice at this very place is replaced. One elsewhere in the session cannot be: without it this rupture may not be there.
    kept = tuple(choice for choice in side.do if (choice.session, choice.exchange) != (session, exchange))
    there = [choice.exchange for choice in kept if choice.session == session]
    if there:
        raise AddressError([f"pair {which.upper()} has a response in session {session} already, at exchange {there[0]}; one a "
                            "session can be chosen. Choose in another session, or go back to the set-up"])  # fmt: skip
    if len(kept) >= MOST_CHOICES:
        raise AddressError([f"pair {which.upper()} has {len(kept)} responses already; at most {MOST_CHOICES} can be chosen. "
                            "Go back to the set-up to begin again"])  # fmt: skip
    found = {"as_it_was": side} | {
        name: side.model_copy(update={"do": tuple(sorted((*kept, Choice(session, exchange, name)), key=lambda one: one.session))})
        for name in RESPONSES
    }
    seen = {}
    for name, one in found.items():
        played = side_of(one, state.shared)
        # What is chosen acts after the bond has ruptured, so the rupture is there in every future.
        here = next((r for r in played["ruptures"] if (r["session"], r["exchange"]) == (session, exchange)), None)
        if here is None:
            raise AddressError([f"the rupture in session {session}, exchange {exchange} is not in every future; choose another"])
        seen[name] = {
            "alliance": played["alliance"],
            "ending_text": played["ending_text"],
            "repaired": here["repaired"],
            "chance": here["chance"],
            "distress_end": played["distress"][played["held"]],
            "do": ",".join(f"{c.session}.{c.exchange}.{c.response}" for c in one.do),
        }
    return {"side": which, "session": session, "exchange": exchange, "futures": seen}
