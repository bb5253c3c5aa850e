"""The lessons as data: the set-up of each, what is asked, and the bounds that its words give. The words: ``words.yaml``.

A lesson's ``answer`` says which option came out. ``says`` holds every number that its words give of the clients in the fan, as
bounds on what ``sentences.py`` measures: the same two numbers are printed in the sentence and put to the model by a test, on
many seeds. Where the model and a sentence disagree, the sentence goes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from sim.classroom.course import sentences
from sim.classroom.course.many import MEASURES, Both
from sim.classroom.course.play import record_of
from sim.classroom.course.sentences import BEST, CLEAR_RELIEF, Found
from sim.classroom.course.state import Side, State
from sim.classroom.course.words import words
from sim.theory.claims import claims, sources

Bounds = tuple[float, float]
#: Upper bound of what can be any size, and lower bound of what must be more than nothing.
ANY, SOME = math.inf, 1e-9


class Graded(NamedTuple):
    """A question whose options are below, within and above the bounds that the lesson's words give to one quantity."""

    quantity: str
    value: Callable[[Both], float]
    below: str
    within: str
    above: str


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    ``measure`` is what it looks at; ``found`` measures what its words speak of, ``says`` bounds each of these (both ends
    included); ``claims`` and ``sources`` are ids. ``smallest`` is the least difference that counts as one. ``asked_of`` is "one"
    where the question is about the courses that are played, "many" where it is about the fan. Which option came out is the pair
    that stands higher (or with ``lower`` the one that stands lower), or where ``graded`` says so the size of a quantity.
    """

    name: str
    setup: Mapping[str, str]
    measure: str
    smallest: float
    found: Callable[[State], Found]
    says: Mapping[str, Bounds]
    claims: tuple[str, ...]
    sources: tuple[str, ...] = ()
    asked_of: str = "one"
    lower: bool = False
    graded: Graded | None = None
    asked_with: Mapping[str, str] = field(default_factory=dict)  # what the question supposes, beyond what the page shows
    switch: bool = False  # whether the lesson offers the switch between readings that studies disagree on

    def answer(self, both: Both) -> str:
        """The option that came out."""
        if self.graded is not None:
            (low, high), value = self.says[self.graded.quantity], self.graded.value(both)
            return self.graded.below if value < low else self.graded.within if value <= high else self.graded.above
        gap = float(np.mean(both.b - both.a if self.lower else both.a - both.b))
        return "a" if gap >= self.smallest else "b" if gap <= -self.smallest else "same"

    def missed(self, state: State) -> dict[str, float]:
        """What of the lesson's words does not hold in a state: the quantities outside their bounds, with what they came to."""
        found = self.found(state)
        return {name: found[name] for name, (low, high) in self.says.items() if not low <= found[name] <= high}


#: The pairs of the first lesson and of the last but one; its seed has a story in which much happens, as those of the others.
_SECURE_OR_NOT = {"b_therapist": "dismissing", "seed": "9"}
_PREOCCUPIED = {"a_client": "preoccupied", "b_client": "preoccupied", "b_therapist": "preoccupied"}

#: WAI points by which two means may differ and still count as alike, where studies disagree.
ALIKE = 0.5

LESSONS: dict[str, Lesson] = {
    lesson.name: lesson
    for lesson in (
        Lesson("secure_base", _SECURE_OR_NOT, "alliance_end", 0.1, sentences.secure_base,
               {"won": (0.8, 1), "overlap": (0.5, 1), "gap": (0.4, 1.1)}, ("K4", "K14", "A4"), ("bordin1979",)),
        Lesson("empathy", {"a_accuracy": "0.85", "a_warmth": "0.5", "b_accuracy": "0.3", "b_warmth": "0.9", "seed": "28"},
               "alliance_end", 0.1, sentences.empathy, {"won": (0.6, 1), "gap": (0.5, 1.4)}, ("K1", "K6")),
        Lesson("opposites", {**_PREOCCUPIED, "a_therapist": "dismissing", "seed": "17"}, "alliance_end", ALIKE,
               sentences.opposites, {"neither": (0, ALIKE), "differ": (0.7, 1.7), "alike": (0.4, 1.2)},
               ("A7",), ("tyrrell1999", "petrowski2011", "marmarosh2014"), asked_of="many", switch=True),
        Lesson("repair", {"a_repair": "early", "b_repair": "none", "seed": "52"}, "relief", CLEAR_RELIEF, sentences.repair,
               {"helped": (0.2, 0.7), "harmed": (0, 0.2), "neither": (0.2, 0.75)}, ("K22",),
               ("safran_reviews", "millerbottome2018"), asked_of="many",
               graded=Graded("helped", lambda both: both.won(CLEAR_RELIEF)[0], "few", "some", "most")),
        Lesson("naming", {"b_naming": "off", "seed": "17"}, "arousal", 0.01, sentences.naming,
               {"calmer": (0.9, 1), "gap": (0, 0.15)}, ("K20",), ("lieberman2007",), lower=True),
        Lesson("change", {"b_learning": "off", "follow_up": "12", "seed": "26"}, "security_gained", 0.1, sentences.change,
               {"gained": (0.7, 1.5), "untreated": (0.35, 0.95)}, ("K15", "K22"), ("fraley2011", "fraley2021"), asked_of="many",
               graded=Graded("gained", lambda both: float(both.a.mean()), "no", "little", "much")),
        Lesson("own_attachment", {**_PREOCCUPIED, "seed": "24"}, "ruptures", 0.05, sentences.own_attachment,
               {"broken": (0.1, 1.0), "lower": (0.65, 1), "flooded": (0.9, 1), "reads_less": (0.8, 1)}, ("K14", "A9"),
               ("cittern2017",)),
        Lesson("luck", _SECURE_OR_NOT, "alliance_end", 0.1, sentences.luck, {"won": (0.8, 1), "upset": (0.2, 0.45)}, ("K13",),
               asked_of="many", graded=Graded("upset", lambda both: both.upset, "seldom", "often", "mostly")),
        Lesson("puzzle", {"seed": "9"}, "reached_security", 0.5, sentences.puzzle,
               {"best": (0.5, 0.95), "usual": (0.42, 0.85), "more": (SOME, ANY)}, ("K12", "K22"), asked_of="many",
               asked_with=BEST, graded=Graded("best", lambda both: float(both.a.mean()), "few", "half", "all")),
        Lesson("sandbox", _SECURE_OR_NOT, "alliance_end", 0.1, sentences.nothing, {}, ()),
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
    lesson = LESSONS[name]
    return {
        **{part: _filled(said, lesson.says) for part, said in words()["lessons"][name].items()},
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


def _filled(said: Any, says: Mapping[str, Bounds]) -> Any:
    """A lesson's words with the numbers that it gives."""
    if isinstance(said, Mapping):
        return {key: _filled(one, says) for key, one in said.items()}
    if isinstance(said, list):
        return [_filled(one, says) for one in said]
    return str(said).format(**says, clear=CLEAR_RELIEF)
