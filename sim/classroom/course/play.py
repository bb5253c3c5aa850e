"""One pair's course as the browser plays it: fixed series, what happened inside every session, notes and events.

Everything is plain lists of rounded numbers. Series of sessions begin with how things stood before the first one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from sim.classroom.course import notes
from sim.classroom.course.record import TRACED, Record, recorded
from sim.classroom.course.scenarios import scenario_of
from sim.classroom.course.state import Shared, Side, State
from sim.classroom.course.words import words
from sim.people.state import REGION_ACTIVITY
from sim.theory.regions import ROLES
from sim.theory.styles import style_name
from sim.therapy.endings import DROPOUT, ENDINGS

#: Signals of an exchange that the page draws: name there, and the quantity.
SIGNALS = {
    "felt": "client_arousal",
    "read": "therapist_estimate",
    "given": "therapist_response",
    "perceived": "client_perceived",
}
#: Most records that are kept: one of 200 clients and 60 sessions is some 3 MB.
MOST_RECORDS = 20
#: Regions of both people, in the order in which an exchange lists them.
INSIDE = tuple(f"{role}_{quantity}" for role in ROLES for quantity in REGION_ACTIVITY.values())


def simulated(side: Side, shared: Shared, clients: int, traced: bool) -> Record:
    """The courses of a pair's first ``clients`` clients. Raises ``ScenarioError``, ``PopulationError`` or ``StateError``."""
    scenario = scenario_of(side, side, shared)
    return recorded(scenario, scenario.arms[0], shared.seed, clients, traced)


#: The same, of which those asked for last are kept.
record_of = lru_cache(maxsize=MOST_RECORDS)(simulated)


@lru_cache(maxsize=128)
def side_of(side: Side, shared: Shared) -> dict[str, Any]:
    """The course of one pair (client 0) as the browser plays it."""
    record = record_of(side, shared, 1, True)
    held = int(record.held[0])
    ending = ENDINGS[int(record.ending[0])]
    distress = record.distress()[:, 0]
    last_week = int(np.flatnonzero(~np.isnan(distress))[-1])
    after = last_week if shared.follow_up else held
    return {
        "client": words()["styles"][str(style_name(*side.client))],
        "therapist": words()["styles"][str(style_name(*side.therapist))],
        "points": {"client": list(side.client), "therapist": list(side.therapist)},
        "held": held,
        "ending": ending,
        "left": int(record.ending[0]) == DROPOUT,
        "ending_text": words()["endings"][ending].format(session=held),
        "alliance": _rounded([record.first_alliance()[0], *record.alliance()[:held, 0]]),
        "distress": _rounded(distress[: after + 1], 2),
        "to_therapist": _pairs(*record.to_other("client", held)),
        "to_client": _pairs(*record.to_other("therapist", held)),
        "general": _pairs(*(record.attachment("general", name)[: after + 1, 0] for name in ("anxiety", "avoidance"))),
        "ruptures": notes.ruptures(record),
        "inside": _whole(record.trace[:held, :, [TRACED.index(name) for name in INSIDE]]),
        "signals": {name: _whole(record.trace[:held, :, TRACED.index(quantity)]) for name, quantity in SIGNALS.items()},
        "notes": notes.of_sessions(record),
        "events": notes.events(record),
    }


def play_of(state: State) -> dict[str, Any]:
    """Both courses of a state, with the same random draws."""
    return {
        "seed": state.shared.seed,
        "sessions": state.shared.sessions,
        "weeks": state.shared.sessions + 4 * state.shared.follow_up,
        "exchanges": state.shared.exchanges,
        "a": side_of(state.a, state.shared),
        "b": side_of(state.b, state.shared),
    }


def _pairs(anxiety: Any, avoidance: Any) -> list[list[float]]:
    return [list(pair) for pair in zip(_rounded(anxiety), _rounded(avoidance), strict=True)]


def _rounded(values: Any, digits: int = 3) -> list[float]:
    return [round(float(x), digits) for x in values]


def _whole(shares: np.ndarray) -> Any:
    """Shares as whole percent."""
    return np.rint(100.0 * shares).astype(int).tolist()
