"""Many runs from one scenario file: ``batch:`` says what is varied, how often it is repeated, and what is kept.

batch:
  design: grid
  vary:
    trust_rate: [0.1, 0.2, 0.3]                  # a parameter of the model
    therapist: [secure, dismissing]              # a style
    arms.warm.policies: [[], [repair_ruptures]]  # a part of one arm
    lesions.therapist.insula: {from: 0, to: 1, steps: 3}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from sim.catalogue.columns import CLINIC_TABLES, TABLES_KEPT
from sim.catalogue.measures import known_measures
from sim.declared.kinds import ByKind, Distinct, Listed, OneOf, OrNothing
from sim.declared.values import Frozen, Location, Wrong, hint, shown
from sim.errors import UsageError
from sim.naming import nearest
from sim.scenario.reading import plain
from sim.theory.parameters import PARAMETERS
from sim.therapy.clinic.plan import Plan

#: Designs that fill a space evenly, and so vary within ranges; what ``scipy.stats.qmc`` calls them.
FILLING = {"latin_hypercube": "LatinHypercube", "sobol": "Sobol"}
MOST_POINTS = 100_000
#: Keys of a scenario that cannot be varied, and why not.
_FIXED = {
    "question": "it is one question",
    "title": "it is only shown",
    "report": "it says what is told first",
    "design": "tables of different designs have different columns",
    "record": "batch.keep says what is kept",
    "replicates": "every point has the same; batch.until lets precision decide",
    "batch": "it is the batch itself",
    "extends": "it is resolved when the file is read",
    "arms": "name what is varied in which arm, as in arms.warm.trust_rate",
}
#: Keys whose entries are one name, dots included, such as ``lesions.therapist.insula``.
OF_NAMES = ("parameters", "lesions", "cut", "clamp")
#: Keys of a scenario that hold whole numbers.
_WHOLE = ("sessions", "exchanges", "clients_per_arm", "clients_per_therapist", "follow_up_months")


class Range(Frozen):
    """What a factor may be between two ends; ``steps`` levels for designs that need levels."""

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    steps: int | None = Field(None, ge=2, le=MOST_POINTS)
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _the_right_way_round(self) -> Range:
        if not self.low < self.high:
            raise Wrong(("to",), f"must lie above 'from', which is {self.low:g}, not {self.high:g}")
        if not math.isfinite(self.high - self.low):
            raise Wrong(("to",), f"lies too far from 'from', which is {self.low:g}, for numbers of this size")
        if self.scale == "log" and self.low <= 0:
            raise Wrong(("from",), f"must lie above 0 on a log scale, not {self.low:g}")
        return self

    def at(self, share: float) -> float | int:
        """The value at a proportion (0-1) of the way."""
        if self.scale == "log":
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)

    @property
    def levels(self) -> tuple[float | int, ...]:
        """``steps`` values from one end to the other, both included."""
        assert self.steps is not None
        return (*(self.at(i / (self.steps - 1)) for i in range(self.steps - 1)), self.high)

    @property
    def count(self) -> int:
        """How many levels there are."""
        return self.steps or 0


class Counts(Range):
    """A range of whole numbers."""

    def at(self, share: float) -> int:
        """The whole number at a proportion (0-1) of the way: each has the same share."""
        return min(int(self.low) + int(share * (self.high - self.low + 1)), int(self.high))

    @property
    def levels(self) -> tuple[int, ...]:
        """Up to ``steps`` whole numbers from one end to the other, both included."""
        assert self.steps is not None
        between = (self.low + i / (self.steps - 1) * (self.high - self.low) for i in range(self.steps))
        return tuple(dict.fromkeys(round(value) for value in between))

    @property
    def count(self) -> int:
        """How many levels there are: no more than there are whole numbers."""
        return min(self.steps or 0, int(self.high - self.low) + 1)


class Levels(Frozen):
    """The values of a factor, one by one."""

    values: Annotated[tuple[Any, ...], Distinct(least=1)]

    def at(self, share: float) -> Any:
        """The value at a proportion (0-1): each has the same probability."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values."""
        return self.values

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)


Factor = Range | Levels


def _in_whole_numbers(vary: dict[str, Any]) -> dict[str, Factor]:
    """Factors as they are varied: lists are levels, and ranges of what is counted go over whole numbers."""
    factors: dict[str, Factor] = {}
    for name, said in vary.items():
        if not isinstance(said, Range):
            factors[name] = Levels(values=said)
        elif not takes_whole_numbers(name):
            factors[name] = said
        elif said.low.is_integer() and said.high.is_integer():
            factors[name] = Counts(**said.model_dump(by_alias=True))
        else:
            raise Wrong((name,), "takes whole numbers; so must 'from' and 'to' be")
    return factors


_Factor = Annotated[Factor, ByKind(
    "a list of levels or a range, such as {from: 0.1, to: 0.5, steps: 5}", Annotated[tuple[Any, ...], Distinct(least=1)], Range
)]  # fmt: skip
_Case = Annotated[
    dict[str, Any], ByKind("a mapping of addresses to values, such as {trust_rate: 0.2}", dict[str, Any]), OrNothing()
]


def _case_names(cases: dict[str, Any]) -> dict[str, Any]:
    for name in cases:
        if not 1 <= len(name) <= 60:
            raise Wrong((name,), "a case's name must have 1 to 60 characters")
    return cases


_Kept = Annotated[
    Listed[Annotated[str, OneOf("table", lambda: TABLES_KEPT)]],
    AfterValidator(lambda names: tuple(name for name in TABLES_KEPT if name in names)),
]
_OnError = Literal["skip", "stop", "raise"]


class Until(Frozen):
    """When a point has been repeated often enough: judged after every ``every`` replicates, nowhere else."""

    measure: Annotated[str, OneOf("measure", known_measures)] = Field(
        description="The measure whose mean over replicates must be known well enough."
    )
    se: float = Field(gt=0, description="Standard error of that mean at which repeating stops.")
    arm: str | None = Field(None, description="In which arm; left out = in every arm that has the measure.")
    difference: bool = Field(False, description="Whether the difference from the reference arm is meant, not the arm itself.")
    every: int = Field(10, ge=2, le=100_000, description="Replicates between two checkpoints.")
    most: int = Field(1000, ge=2, le=100_000, description="Replicates after which repeating stops in any case.")

    @model_validator(mode="after")
    def _one_checkpoint_at_least(self) -> Until:
        if self.most < self.every:
            raise Wrong(("most",), f"is {self.most}, fewer than the {self.every} replicates between two checkpoints")
        return self


class Batch(Frozen):
    """What is varied over many runs, how often each is repeated, and what is kept of them."""

    design: Literal["grid", "cases", "latin_hypercube", "sobol", "one_at_a_time"] = Field(
        "grid",
        description="grid: every combination of levels. cases: what is listed. latin_hypercube, sobol: points spread evenly over "
        "ranges. one_at_a_time: the scenario as it stands, and each level of each factor alone.",
    )
    vary: Annotated[dict[str, _Factor], AfterValidator(_in_whole_numbers), OrNothing()] = Field(
        {},
        description="Factors by address: a parameter of the model, or a key of the scenario (therapist, policies, "
        "lesions.therapist.insula, clinic.capacity, arms.NAME.policies); each a list of levels, or {from, to, steps, scale}.",
    )
    cases: Annotated[dict[str, _Case], AfterValidator(_case_names), OrNothing()] = Field(
        {}, description="Cases by name (design: cases), each a mapping of addresses to values."
    )
    points: int | None = Field(
        None, ge=1, le=MOST_POINTS, description="How many points (designs latin_hypercube and sobol; of sobol a power of two)."
    )
    design_seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of the design itself: which points are drawn.")
    random_numbers: Literal["common", "own"] = Field(
        "common",
        description="common: all points have the same people and random draws, so that they can be compared pair by pair.",
    )
    until: Until | None = Field(
        None, description="Repeat each point until a measure is known well enough, instead of `replicates` times."
    )
    keep: _Kept = Field((), description="Tables to keep beside the summaries.", examples=[["clients"]])
    on_error: _OnError = Field(
        "skip", description="What a failing run does: noted and left out, noted and the batch stops, or raised at once."
    )

    @model_validator(mode="after")
    def _keys_fit_the_design(self) -> Batch:
        design, filling = self.design, self.design in FILLING
        if design == "cases" and self.vary:
            raise Wrong(("vary",), "does not belong to 'design: cases'; list the cases under 'cases', or choose another design")
        if design == "cases" and not self.cases:
            raise Wrong(("cases",), "is missing; 'design: cases' lists what each case changes, by name")
        if design != "cases" and self.cases:
            raise Wrong(("cases",), f"belongs to 'design: cases'; this one is '{design}'")
        if filling and not self.vary:
            raise Wrong(("vary",), f"is missing; 'design: {design}' spreads points over what is varied")
        points = self.points
        if filling and points is None:
            raise Wrong(("points",), f"is missing; 'design: {design}' needs to know how many points, such as 64")
        if not filling and points is not None:
            raise Wrong(("points",), f"belongs to the designs {' and '.join(FILLING)}; this one is '{design}'")
        if design == "sobol" and points is not None and points & (points - 1):
            near = 2 ** min(round(math.log2(points)), int(math.log2(MOST_POINTS)))
            raise Wrong(("points",), f"must be a power of two for a Sobol design, such as {near}, not {points}")
        for name, factor in self.vary.items():
            if isinstance(factor, Range) and filling and factor.steps is not None:
                raise Wrong(("vary", name, "steps"), f"has no meaning in 'design: {design}', which chooses its own levels")
            if isinstance(factor, Range) and not filling and factor.steps is None:
                raise Wrong(("vary", name), f"needs 'steps' in 'design: {design}', such as steps: 5, or a list of levels")
        if not filling:
            self._not_too_many()
        return self

    def _not_too_many(self) -> None:
        """Raise ``Wrong`` for a design of more than ``MOST_POINTS`` points."""
        sizes = {name: factor.count for name, factor in self.vary.items()}
        count = math.prod(sizes.values()) if self.design == "grid" else 1 + sum(sizes.values())
        if count <= MOST_POINTS:
            return
        most = max(sizes, key=lambda name: sizes[name])
        others = count // sizes[most] if self.design == "grid" else count - sizes[most]
        fits = MOST_POINTS // others if self.design == "grid" else MOST_POINTS - others
        said = f"{count:,}" if count < 10**12 else f"about 10^{len(str(count)) - 1}"
        what = "'steps'" if isinstance(self.vary[most], Range) else "levels"
        advice = f"at most {fits:,} {what} would fit here" if fits > 1 else "fewer factors, or a design with 'points', would fit"
        key = ("steps",) if isinstance(self.vary[most], Range) else ()
        raise Wrong(
            ("vary", most, *key), f"gives {said} points with the other factors; at most {MOST_POINTS:,} are possible; {advice}"
        )


def checked_keep(value: Any) -> tuple[str, ...]:
    """Names of tables to keep, in their usual order. Raises ``Wrong``."""
    try:
        return TypeAdapter[tuple[str, ...]](_Kept).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise Wrong(first["loc"], str(first["ctx"]["error"])) from None


def checked_on_error(value: str) -> str:
    """What a failing run does. Raises ``UsageError``."""
    if value not in get_args(_OnError):
        raise UsageError(f"on_error must be skip, stop or raise, not {shown(value)}")
    return value


def may_be_kept(tables: Sequence[str], clinic: bool, *, exchanges: bool, items: bool) -> None:
    """Raise ``Wrong`` for a table that the runs of a scenario do not have."""
    for i, name in enumerate(tables):
        if name in CLINIC_TABLES and not clinic:
            raise Wrong((i,), f"'{name}' is a table of 'design: clinic' only")
        if (name == "exchanges" and not exchanges) or (name == "items" and not items):
            asked = "exchanges: {clients: [0]}" if name == "exchanges" else "items: true"
            raise Wrong((i,), f"no run has a table '{name}' unless the scenario asks for it (record: {{{asked}}})")


def takes_whole_numbers(address: str) -> bool:
    """Whether what an address names is a count."""
    last = address.rsplit(".", 1)[-1]
    of_clinic = f".{address}".endswith(f".clinic.{last}") and last in Plan.model_fields
    return Plan.model_fields[last].annotation is int if of_clinic else last in _WHOLE


def fits(batch: Batch, arms: tuple[str, ...], clinic: bool) -> None:
    """Raise ``Wrong`` where a batch repeats until something is known that its scenario does not have."""
    until = batch.until
    if until is None:
        return
    if until.arm is not None and until.arm not in arms:
        said = f"there is no arm {shown(until.arm)}{nearest(until.arm, arms)}; arms are: {', '.join(arms)}"
        raise Wrong(("batch", "until", "arm"), said)
    known = known_measures(clinic)
    if until.measure not in known:
        said = f"{shown(until.measure)} does not exist in this design{hint(until.measure, known)}"
        raise Wrong(("batch", "until", "measure"), said)


# ---------------------------------------------------------------------------------------------------------- addresses


def place(address: str, spec: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Where in a scenario's mapping an address points: ``("arms", "warm", "policies")``. Raises ``Wrong`` (no location).

    ``keys``: the keys of a scenario. What is no key is a parameter of the model and stands for ``parameters.<name>``.
    """
    first, _, rest = address.partition(".")
    if first == "arms":
        return _in_arm(rest, spec, keys)
    if first not in keys:
        if address in PARAMETERS:
            return ("parameters", address)
        close = nearest(first, keys) if rest else nearest(address, (*keys, *PARAMETERS))
        raise Wrong((), f"is neither a key of a scenario nor a parameter of the model{close}")
    if first in _FIXED:
        raise Wrong((), f"'{first}' cannot be varied: {_FIXED[first]}")
    if not rest:
        return (first,)
    if first in OF_NAMES:
        return (first, rest)
    return (first, *rest.split("."))


def _in_arm(rest: str, spec: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    arms = spec.get("arms") or {}
    named = [name for name in arms if rest == name or rest.startswith(f"{name}.")]
    if not named:
        raise Wrong(
            (), f"names no arm of the scenario{nearest(rest.split('.')[0], tuple(arms))}; arms are: {', '.join(arms) or 'none'}"
        )
    arm = max(named, key=len)
    inner = rest[len(arm) + 1 :]
    if not inner:
        raise Wrong((), f"names an arm and nothing in it; write for example arms.{arm}.therapist")
    return ("arms", arm, *place(inner, {}, keys))


def changed(spec: Mapping[str, Any], changes: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The scenario's mapping with these changes by address, without its batch. Raises ``Wrong`` at the address."""
    new = {key: deepcopy(value) for key, value in spec.items() if key != "batch"}
    for address, value in changes.items():
        try:
            where = place(address, spec, keys)
        except Wrong as wrong:
            raise Wrong((address,), str(wrong)) from None
        at = new
        for i, key in enumerate(where[:-1]):
            inner = at.get(key)
            if inner is None:
                inner = at[key] = {}
            elif not isinstance(inner, dict):
                said = ".".join(where[: i + 1])
                raise Wrong(
                    (address,), f"'{said}' is {shown(inner)} in the scenario, which has no parts; vary '{said}' as a whole"
                )
            at = inner
        at[where[-1]] = plain(value, (address,), {})
    return new


def each_change(batch: Batch) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Every level of every factor alone, and every case, with where it stands: what is checked when a file is read."""
    for name, factor in batch.vary.items():
        if isinstance(factor, Levels):
            for i, level in enumerate(factor.values):
                yield ("batch", "vary", name, i), {name: level}
        else:
            for key, share in (("from", 0.0), ("to", 1.0)):
                yield ("batch", "vary", name, key), {name: factor.at(share)}
    for name, changes in batch.cases.items():
        yield ("batch", "cases", name), changes
