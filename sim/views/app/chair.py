"""Take the chair: one rupture, what each response would have led to, on the same luck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sim.views.app.play import side_of
from sim.views.app.responses import RESPONSES
from sim.views.app.state import AddressError, Choice, Side, State


def futures(state: State, which: str, session: int, exchange: int) -> dict[str, Any]:
    """What becomes of a pair for each response at a rupture, and as it was. Raises ``AddressError`` where nothing ruptured."""
    if which not in ("a", "b"):
        raise AddressError(["side must be a or b"])
    side: Side = getattr(state, which)
    places = [(one["session"], one["exchange"]) for one in side_of(side, state.shared)["ruptures"] if one["kind"] != "repair"]
    if (session, exchange) not in places:
        known = "; ".join(f"session {s}, exchange {e}" for s, e in places[:8]) or "there is none"
        raise AddressError([f"pair {which.upper()} has no rupture in session {session}, exchange {exchange}; ruptures: {known}"])
    kept = tuple(choice for choice in side.do if choice.session != session)
    found = {"as_it_was": side} | {
        name: replace(side, do=tuple(sorted((*kept, Choice(session, exchange, name)), key=lambda one: one.session)))
        for name in RESPONSES
    }
    return {
        "side": which,
        "session": session,
        "exchange": exchange,
        "futures": {name: _future(one, state, session, exchange) for name, one in found.items()},
    }


def _future(side: Side, state: State, session: int, exchange: int) -> dict[str, Any]:
    played = side_of(side, state.shared)
    # What is chosen acts after the bond has ruptured, so the rupture is there in every future.
    here = next(one for one in played["ruptures"] if (one["session"], one["exchange"]) == (session, exchange))
    return {
        "alliance": played["alliance"],
        "held": played["held"],
        "ending_text": played["ending_text"],
        "mended": here["mended"],
        "chance": here["chance"],
        "ruptures_after": sum(one["kind"] != "repair" and one["session"] > session for one in played["ruptures"]),
        "distress_end": played["distress"][played["held"]],
        "do": ",".join(f"{c.session}.{c.exchange}.{c.response}" for c in side.do),
    }
