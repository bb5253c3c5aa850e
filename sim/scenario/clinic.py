"""How a clinic is run, as scenario files say it: ``clinic:`` of the scenario, and what an arm says differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from sim.naming import nearest
from sim.scenario.changes import listed
from sim.scenario.people import Frozen
from sim.scenario.reading import Location, Wrong, hint, shown
from sim.scenario.rules import Rule, Strict, between, number, whole
from sim.therapy.clinic.matching import meaning, rule_names
from sim.therapy.training import PROGRAMMES

MOST_ARRIVALS = 100_000


class Plan(Frozen):
    """How the clinic of one arm is run, everything spelled out. See ``ClinicFile`` for the meanings."""

    therapists: int
    weeks: int
    intake_weeks: int
    arrivals_per_week: float
    capacity: int
    session_every: int
    matching: str
    overbook: int
    overbook_after: int
    leave_prob: float
    turnover: bool
    vacant_weeks: int
    training: tuple[str, ...]
    trained_share: float
    training_from: int
    feedback: bool

    @property
    def most_places(self) -> int:
        """Sessions a week that there can ever be room for."""
        return self.therapists * (self.capacity + self.overbook)


def _matching(value: Any) -> str:
    if not isinstance(value, str) or value not in rule_names():
        valid = f"; valid: {', '.join(rule_names())}, or one of your own with the file that adds it (--with FILE)"
        raise Wrong((), f"unknown matching rule {shown(value)}{nearest(str(value), rule_names()) or valid}")
    return value


def _training(value: Any) -> tuple[str, ...]:
    def check(name: Any, at: Location) -> None:
        if not isinstance(name, str) or name not in PROGRAMMES:
            raise Wrong(at, f"unknown programme {shown(name)}{hint(name, tuple(PROGRAMMES))}")

    return listed(value, f", such as [{next(iter(PROGRAMMES))}]", check)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong((), f"must be true or false, not {shown(value)}")
    return value


def _between(low: float, high: float) -> Rule:
    return Rule(lambda value: number(value, low, high, ()), between(low, high))


_MATCHING = Rule(_matching, {"oneOf": [{"const": name, "description": meaning(name)} for name in rule_names()]})
_TRAINING = Rule(_training, {
    "type": ["array", "null"], "uniqueItems": True,
    "items": {"oneOf": [{"const": name, "description": programme.meaning} for name, programme in PROGRAMMES.items()]},
})  # fmt: skip
YES_OR_NO = Rule(_yes_or_no, {"type": "boolean"})


class ClinicFile(Strict):
    """How a clinic is run. An arm says only what is different there."""

    therapists: Annotated[int, whole(0, 100_000)] = Field(20, description="Posts for therapists.")
    weeks: Annotated[int, whole(1, 2600)] = Field(104, description="Weeks that the clinic is followed.")
    intake_weeks: Annotated[int | None, whole(0, 2600)] = Field(
        None, description="Weeks in which new clients come, from the first; left out = all. Shorter leaves time for follow-up."
    )
    arrivals_per_week: Annotated[float, _between(0, MOST_ARRIVALS)] = Field(
        8.0, description="New clients a week, on average (Poisson)."
    )
    capacity: Annotated[int, whole(0, 200)] = Field(12, description="Sessions a week that a post has room for.")
    session_every: Annotated[int, whole(1, 12)] = Field(1, description="Weeks from one session of a client to the next.")
    matching: Annotated[str, _MATCHING] = Field("first_free", description="Who gets which therapist, among those with room.")
    overbook: Annotated[int, whole(0, 200)] = Field(
        0, description="Sessions a week beyond capacity that a post takes on while somebody has waited too long."
    )
    overbook_after: Annotated[int, whole(0, 2600)] = Field(12, description="Weeks of waiting that are too long.")
    leave_prob: Annotated[float, _between(0, 1)] = Field(0.1, description="Probability that a therapist is away in a week.")
    turnover: Annotated[bool, YES_OR_NO] = Field(False, description="Whether therapists quit and are replaced.")
    vacant_weeks: Annotated[int, whole(1, 520)] = Field(8, description="Weeks until a post that falls vacant is filled.")
    training: Annotated[tuple[str, ...], _TRAINING] = Field((), description="Supervision and training on offer.")
    trained_share: Annotated[float, _between(0, 1)] = Field(
        1.0, description="Proportion of the therapists, by lot, who take part."
    )
    training_from: Annotated[int, whole(1, 2600)] = Field(1, description="Week in which it begins.")
    feedback: Annotated[bool, YES_OR_NO] = Field(
        False, description="Whether therapists see the client's rating before each session and are told who is off track."
    )


def planned(usual: ClinicFile | None, own: ClinicFile | None, at: Location) -> Plan:
    """The plan of one arm: what it says itself, else what the scenario says, else the defaults. Raises ``Wrong``."""
    said: dict[str, Any] = {**_said(usual), **_said(own)}
    values = {name: said.get(name, field.default) for name, field in ClinicFile.model_fields.items()}
    if values["intake_weeks"] is None:
        values["intake_weeks"] = values["weeks"]
    for name in ("intake_weeks", "training_from"):
        if values[name] <= values["weeks"]:
            continue
        if name not in _said(own) and "weeks" in _said(own):
            raise Wrong((*at, "clinic", "weeks"), f"is {values['weeks']}, fewer than clinic.{name}, which is {values[name]}")
        where = (*at, "clinic", name) if name in _said(own) else ("clinic", name)
        raise Wrong(where, f"is {values[name]}, beyond the {values['weeks']} weeks that the clinic is followed")
    return Plan(**values)


def _said(file: ClinicFile | None) -> Mapping[str, Any]:
    return {} if file is None else {name: getattr(file, name) for name in file.model_fields_set}
