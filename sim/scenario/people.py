"""Who takes part, as scenario files say it: a style, a point, a region or a spread on the attachment plane."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
    WrapValidator,
    model_validator,
)

from sim.declared.kinds import ByKind, Distinct, OneOf
from sim.declared.values import Frozen, Wrong
from sim.people.attachment import POPULATION, Attachment
from sim.people.population import impossible
from sim.theory.parameters import PARAMETERS
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX, STYLES

#: A typical person of each style (anxiety, avoidance), used when an early anchor is given as a style name.
STYLE_POINT = {"secure": (2.5, 2.2), "preoccupied": (5.2, 2.5), "dismissing": (2.6, 5.0), "fearful": (5.2, 5.0)}


# ------------------------------------------------------------------------------------------------ what a file may say

Score = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]


class Spread(Frozen):
    """People spread around a mean."""

    mean: Score
    sd: float = Field(ge=0.01, le=6)


class Place(Frozen):
    """A place on the attachment plane."""

    anxiety: Score
    avoidance: Score


def _range(value: Any, pair: Callable[[Any], tuple[float, float]]) -> tuple[float, float]:
    """A range as two numbers of which the first is not the larger."""
    if len(value) != 2:
        raise ValueError(f"a range has two numbers, [low, high], not {len(value)}")
    low, high = pair(tuple(value))
    if low > high:
        raise ValueError(f"the range is the wrong way round; write [{high:g}, {low:g}]")
    return low, high


_Ends = Annotated[tuple[Score, Score], WrapValidator(_range)]
_Axis = Annotated[
    float | tuple[float, float] | Spread,
    ByKind("a number from 1 to 7, a range [low, high] or {mean: , sd: }", Score, _Ends, Spread),
]
_Early = Annotated[
    str | Place, ByKind("a style or {anxiety: 1-7, avoidance: 1-7}", Annotated[str, OneOf("style", lambda: STYLES)], Place)
]
_ClientStyle = Annotated[str, OneOf("style", lambda: (*STYLES, POPULATION))]
_TherapistStyle = Annotated[str, OneOf("style", lambda: (*STYLES, POPULATION, "none"))]


class TherapistFile(Frozen):
    """A description of the therapists of an arm."""

    style: Annotated[
        str, OneOf("style", lambda: (*STYLES, POPULATION), "; for no therapy write 'therapist: none' in place of the description")
    ] = POPULATION
    anxiety: _Axis | None = None
    avoidance: _Axis | None = None
    early: _Early | None = Field(None, description="Where the person stood early in life, if elsewhere than now.")

    @model_validator(mode="after")
    def _one_present_state(self) -> TherapistFile:
        if not self.model_fields_set:
            raise ValueError("describes nobody; say a style, or anxiety and avoidance")
        axes = [key for key in ("anxiety", "avoidance") if getattr(self, key) is not None]
        if axes and "style" in self.model_fields_set:
            raise Wrong((axes[0],), "cannot be given together with 'style'; say one or the other")
        if len(axes) == 1:
            missing = "avoidance" if axes == ["anxiety"] else "anxiety"
            raise ValueError(f"'{axes[0]}' is given but '{missing}' is not; add it (a number, [low, high] or {{mean: , sd: }})")
        if axes and isinstance(self.anxiety, Spread) != isinstance(self.avoidance, Spread):
            odd = "avoidance" if isinstance(self.anxiety, Spread) else "anxiety"
            raise Wrong((odd,), "must be {mean: , sd: } as the other dimension is; a spread goes with a spread")
        return self


class ClientFile(TherapistFile):
    """A description of the clients of an arm."""

    style: _ClientStyle = POPULATION
    selected: bool = Field(True, description="true = as at a clinic; false = community.")
    distress: float | None = Field(None, ge=-3, le=5, description="Latent distress at intake, community SD.")


def of_style(name: str, role: str) -> Attachment:
    """Everybody of one style: the population cut to the style's region."""
    if name == POPULATION:
        return Attachment(selected=role == "client")
    box = STYLE_BOX[name]
    return Attachment(kind="box", anxiety=box[:2], avoidance=box[2:], style=name, selected=role == "client")


def _pair(axis: Any) -> tuple[float, float]:
    """One dimension as two numbers: the ends of a range, or mean and spread."""
    if isinstance(axis, Spread):
        return axis.mean, axis.sd
    return axis if isinstance(axis, tuple) else (axis, axis)


def _described(said: str | TherapistFile | None, role: str) -> Attachment | None:
    """Where the people are whom a file names by their style or describes; None = nobody."""
    if said is None or said == "none":
        return None
    if isinstance(said, str):
        return of_style(said, role)
    found = of_style(said.style, role)
    if said.anxiety is not None:  # and so is avoidance
        anxiety, avoidance = _pair(said.anxiety), _pair(said.avoidance)
        one_place = anxiety[0] == anxiety[1] and avoidance[0] == avoidance[1]
        kind = "normal" if isinstance(said.anxiety, Spread) else "point" if one_place else "box"
        found = found.model_copy(update={"kind": kind, "anxiety": anxiety, "avoidance": avoidance})
    update: dict[str, Any] = {key: getattr(said, key) for key in ("selected", "distress") if key in said.model_fields_set}
    if said.early is not None:
        update["early"] = STYLE_POINT[said.early] if isinstance(said.early, str) else (said.early.anxiety, said.early.avoidance)
    return found.model_copy(update=update)


def no_such_people(people: Mapping[str, Attachment | None], parameters: Mapping[str, float]) -> tuple[str, str, str] | None:
    """The parameters (spread, mean) of a population that there cannot be, and what is wrong with them; None = there is nothing.

    ``people``: those of each role; ``parameters``: what differs from the defaults.
    """
    for role, axis in itertools.product(people, ("anxiety", "avoidance")):
        who = people[role]
        if who is None or who.kind == "normal":  # a spread of its own
            continue
        mean, sd = names = f"{role}_{axis}_mean", f"{role}_{axis}_sd"
        at = [parameters.get(name, PARAMETERS[name].default) for name in names]
        found = impossible(at[0], at[1], f"{role} {axis}")
        if found:
            return sd, mean, found
    return None


_WHO = f"a style, {POPULATION} or a mapping with anxiety and avoidance (a list of people needs 'design: crossed')"
Client = Annotated[Attachment, ByKind(_WHO, _ClientStyle, ClientFile), AfterValidator(partial(_described, role="client"))]
Therapist = Annotated[
    Attachment | None,
    ByKind(_WHO, _TherapistStyle, TherapistFile, type(None)),
    AfterValidator(partial(_described, role="therapist")),
]

# ------------------------------------------------------------------------------------------------- of a crossed design

MANY = f"a list of styles ([{', '.join(STYLES)}]) or a mapping of names to people, since the design is crossed"
_MOST_KINDS = 100


def _names_of_kinds(value: dict[str, Any]) -> dict[str, Any]:
    """Before people are read: these are names of kinds, and not the keys of one description."""
    for name in value:
        if name in ClientFile.model_fields:
            raise Wrong((name,), f"describes one person; here must be {MANY}")
        if not 1 <= len(name) <= 20 or "/" in name:
            raise Wrong((name,), "the name must have 1 to 20 characters and no '/'")
    return value


def _by_name(said: tuple[str, ...] | dict[str, Any], role: str) -> dict[str, Attachment | None]:
    """Kinds of people by name, each another."""
    people = said if isinstance(said, dict) else {name: _described(name, role) for name in said}
    for (name, one), (other, before) in itertools.combinations(people.items(), 2):
        if one == before:
            raise Wrong((other,), f"describes the same people as '{name}'")
    return people


def _several(person: Any, role: str, *styles: str) -> Any:
    """Kinds of people of one role: a list of styles, or names with what each of them is."""
    style = Annotated[str, OneOf("style", lambda: styles, "; to describe people use a mapping of names to people")]
    named = Annotated[dict[str, person], Field(min_length=1, max_length=_MOST_KINDS), BeforeValidator(_names_of_kinds)]
    return Annotated[
        Any,
        ByKind(MANY, Annotated[tuple[style, ...], Distinct(1, _MOST_KINDS)], named),
        AfterValidator(partial(_by_name, role=role)),
    ]


def _by_design(person: Any, many: Any) -> PlainValidator:
    """A check of who takes part: one kind of people, or in a crossed design many."""
    single, crossed = TypeAdapter[Any](person), TypeAdapter[Any](many)

    def checked(value: Any, said: ValidationInfo) -> Any:
        if "design" not in said.data:  # which is refused itself
            return value
        return (crossed if said.data["design"] == "crossed" else single).validate_python(value)

    return PlainValidator(checked, json_schema_input_type=person | many)


ClientOrClients = Annotated[Any, _by_design(Client, _several(Client, "client", *STYLES, POPULATION))]
TherapistOrTherapists = Annotated[Any, _by_design(Therapist, _several(Therapist, "therapist", *STYLES, POPULATION, "none"))]
