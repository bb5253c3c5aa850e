"""The lessons as data: the set-up of each, what is asked, and the check that its sentence holds. Their words: ``words.yaml``.

A lesson's ``answer`` says which option came out; ``holds`` states the lesson's sentence about the clients of a fan as a
condition on numbers, and a test puts it to the model on many seeds. Where the model and a sentence disagree, the sentence goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from sim.theory.claims import claims, sources
from sim.views.app.many import MEASURES, Both, both_of
from sim.views.app.play import record_of
from sim.views.app.state import Side, State, with_changes
from sim.views.app.words import words


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    ``measure`` is what it looks at; ``holds`` says of a state whether its sentence is true there; ``claims`` and ``sources``
    are ids. ``smallest`` is the least difference that counts as one. ``asked_of`` is "one" where the question is about the
    courses that are played, "many" where it is about the fan. Which option came out is the pair that stands higher (or with
    ``lower`` the one that stands lower), or what ``option`` makes of the fan.
    """

    name: str
    setup: Mapping[str, str]
    measure: str
    smallest: float
    holds: Callable[[State], bool]
    claims: tuple[str, ...]
    sources: tuple[str, ...] = ()
    asked_of: str = "one"
    lower: bool = False
    option: Callable[[Both], str] | None = None
    asked_with: Mapping[str, str] = field(default_factory=dict)  # what the question supposes, beyond what the page shows
    switch: bool = False  # whether the lesson offers the switch between readings that studies disagree on

    def answer(self, both: Both) -> str:
        """The option that came out."""
        if self.option is not None:
            return self.option(both)
        gap = float(np.mean(both.b - both.a if self.lower else both.a - both.b))
        return "a" if gap >= self.smallest else "b" if gap <= -self.smallest else "same"


def _of(state: State, measure: str, **changes: str) -> Both:
    changed = with_changes(state, **changes)
    return both_of(changed.a, changed.b, changed.shared, measure)


def _secure_base(state: State) -> bool:
    end = _of(state, "alliance_end")
    return end.difference["low"] > 0 and end.won()[0] > 0.5 and end.overlap > 0.6


def _empathy(state: State) -> bool:
    end = _of(state, "alliance_end")
    return end.difference["high"] < 0 and end.won()[1] > 0.5


def _opposites(state: State) -> bool:
    neither, differ, alike = (_of(state, "alliance_end", pairs=pairs) for pairs in ("neither", "differ", "alike"))
    return abs(neither.difference["mean"]) < 0.3 and differ.difference["low"] > 0 and alike.difference["high"] < 0


def _repair(state: State) -> bool:
    helped, harmed = _of(state, "relief").won(CLEAR_RELIEF)
    return 0.1 < helped < 0.5 and harmed < 0.15


def _naming(state: State) -> bool:
    calm, end = _of(state, "arousal"), _of(state, "alliance_end")
    return calm.won()[1] > 0.8 and abs(end.difference["mean"]) < 0.25 and end.overlap > 0.8


def _change(state: State) -> bool:
    both = _of(state, "security_gained")
    return both.difference["low"] > 0 and 0.3 < both.a.mean() < 0.9 and not both.b.any()


def _own_attachment(state: State) -> bool:
    end, broken = _of(state, "alliance_end"), _of(state, "ruptures")
    return end.difference["low"] > 0 and end.won()[0] > 0.5 and broken.difference["high"] < 0


def _luck(state: State) -> bool:
    end = _of(state, "alliance_end")
    return end.won()[0] > 0.5 and 0.27 < end.upset < 0.46


#: Everything in the therapist at its best.
BEST = {"a_accuracy": "1", "a_warmth": "0.98", "a_repair": "early"}


def _puzzle(state: State) -> bool:
    best, usual = _of(state, "reached_security", **BEST).a.mean(), _of(state, "reached_security").b.mean()
    return 0.45 < best < 0.8 and 0.2 < usual < 0.5


#: Points of the CORE-OM from which relief counts as clearly more.
CLEAR_RELIEF = 0.5


def _helped(both: Both) -> str:
    share = both.won(CLEAR_RELIEF)[0]
    return "few" if share < 0.1 else "some" if share < 0.55 else "most"


def _gained(both: Both) -> str:
    gain = float(both.a.mean())
    return "much" if gain > 2.0 else "little" if gain > 0.1 else "no"


def _upset(both: Both) -> str:
    return "never" if both.upset < 0.06 else "seldom" if both.upset < 0.25 else "often"


def _reached(both: Both) -> str:
    share = float(both.a.mean())
    return "none" if share == 0 else "all" if share == 1 else "half"


#: The pairs of the first lesson and of the last but one; its seed has a story in which much happens, as those of the others.
_SECURE_OR_NOT = {"b_therapist": "dismissing", "seed": "9"}
_PREOCCUPIED = {"a_client": "preoccupied", "b_client": "preoccupied", "b_therapist": "preoccupied"}

LESSONS: dict[str, Lesson] = {
    lesson.name: lesson
    for lesson in (
        Lesson("secure_base", _SECURE_OR_NOT, "alliance_end", 0.1, _secure_base, ("K4", "K14", "A4"), ("bordin1979",)),
        Lesson("empathy", {"a_accuracy": "0.85", "a_warmth": "0.5", "b_accuracy": "0.3", "b_warmth": "0.9", "seed": "28"},
               "alliance_end", 0.1, _empathy, ("K1", "K6")),
        Lesson("opposites", {**_PREOCCUPIED, "a_therapist": "dismissing", "seed": "17"}, "alliance_end", 0.3, _opposites,
               ("A7",), ("tyrrell1999", "petrowski2011", "marmarosh2014"), asked_of="many", switch=True),
        Lesson("repair", {"a_repair": "early", "b_repair": "none", "seed": "52"}, "relief", CLEAR_RELIEF, _repair,
               ("K22",), ("safran_reviews", "millerbottome2018"), asked_of="many", option=_helped),
        Lesson("naming", {"b_naming": "off", "seed": "17"}, "arousal", 0.01, _naming, ("K20",), ("lieberman2007",), lower=True),
        Lesson("change", {"b_learning": "off", "follow_up": "12", "seed": "26"}, "security_gained", 0.1, _change,
               ("K15", "K22"), ("fraley2011", "fraley2021"), asked_of="many", option=_gained),
        Lesson("own_attachment", {**_PREOCCUPIED, "seed": "24"}, "ruptures", 0.05, _own_attachment, ("K14", "A9"),
               ("cittern2017",)),
        Lesson("luck", _SECURE_OR_NOT, "alliance_end", 0.1, _luck, ("K13",), asked_of="many", option=_upset),
        Lesson("puzzle", {"seed": "9"}, "reached_security", 0.5, _puzzle, ("K12", "K22"), asked_of="many", option=_reached,
               asked_with=BEST),
        Lesson("sandbox", _SECURE_OR_NOT, "alliance_end", 0.1, lambda state: True, ()),
    )
}  # fmt: skip
FIRST = next(iter(LESSONS))
SETUPS: Mapping[str, Mapping[str, str]] = MappingProxyType({name: lesson.setup for name, lesson in LESSONS.items()})


def outcome(state: State) -> dict[str, Any]:
    """What the lesson's measure came to in the courses that are played, and which option that is (None: the fan decides)."""
    lesson = LESSONS[state.lesson]
    values = [measured_one(getattr(state, side), state, lesson.measure) for side in ("a", "b")]
    both = Both(*(np.array([value]) for value in values))
    return {
        "measure": lesson.measure,
        "a": round(values[0], 3),
        "b": round(values[1], 3),
        "answer": lesson.answer(both) if lesson.asked_of == "one" else None,
    }


def measured_one(side: Side, state: State, measure: str) -> float:
    """The measure of the one course that is played."""
    return float(MEASURES[measure](record_of(side, state.shared, 1, True))[0])


def told(name: str) -> dict[str, Any]:
    """A lesson as the page shows it: its words, its claims in full, and its set-up."""
    lesson, said = LESSONS[name], words()["lessons"][name]
    return {
        **said,
        "name": name,
        "setup": dict(lesson.setup),
        "measure": lesson.measure,
        "asked_of": lesson.asked_of,
        "switch": lesson.switch,
        "claims": [
            {"id": one, "claim": claims()[one].claim, "disputed": claims()[one].disputed,
             "source": sources()[claims()[one].source].citation}
            for one in lesson.claims
        ],
        "sources": [sources()[one].citation for one in lesson.sources],
    }  # fmt: skip
