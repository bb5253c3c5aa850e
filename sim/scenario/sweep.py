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
from typing import Annotated, Any, Literal

from pydantic import Field

from sim.catalogue.columns import CLINIC_TABLES, TABLES_KEPT
from sim.catalogue.measures import known_measures
from sim.errors import UsageError
from sim.naming import nearest
from sim.scenario.people import Frozen
from sim.scenario.reading import Location, Wrong, hint, plain, shown
from sim.scenario.rules import Rule, Strict, mapping, whole
from sim.theory.parameters import PARAMETERS

#: What a failing run may do.
ON_ERROR = ("skip", "stop", "raise")
#: Designs that fill a space evenly, and so vary within ranges.
FILLING = ("latin_hypercube", "sobol")
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
_OF_NAMES = ("parameters", "lesions", "cut", "clamp")
#: Keys that hold whole numbers; of a clinic all that its file format takes as such are found by their defaults.
_WHOLE = ("sessions", "exchanges", "clients_per_arm", "clients_per_therapist", "follow_up_months")
_WHOLE_IN_CLINIC = ("therapists", "weeks", "intake_weeks", "capacity", "session_every", "overbook", "overbook_after",
                    "vacant_weeks", "training_from")  # fmt: skip


class Range(Frozen):
    """What a factor may be between two ends; ``steps`` levels for designs that need levels."""

    low: float
    high: float
    steps: int | None
    log: bool
    whole: bool

    def at(self, share: float) -> float | int:
        """The value at a proportion (0-1) of the way."""
        if self.whole:  # each whole number has the same share
            return min(int(self.low) + int(share * (self.high - self.low + 1)), int(self.high))
        if self.log:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)

    @property
    def levels(self) -> tuple[float | int, ...]:
        """``steps`` values from one end to the other, both included."""
        assert self.steps is not None
        shares = [i / (self.steps - 1) for i in range(self.steps)]
        if self.whole:
            return tuple(dict.fromkeys(round(self.low + s * (self.high - self.low)) for s in shares))
        return (*(self.at(s) for s in shares[:-1]), self.high)


class Levels(Frozen):
    """The values of a factor, one by one."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a proportion (0-1): each has the same probability."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values."""
        return self.values


Factor = Range | Levels


class Until(Strict):
    """When a point has been repeated often enough: judged after every ``every`` replicates, nowhere else."""

    measure: Annotated[str, Rule(lambda value: _measure(value), {"type": "string"})] = Field(
        description="The measure whose mean over replicates must be known well enough."
    )
    se: Annotated[float, Rule(lambda value: _positive(value), {"type": "number", "exclusiveMinimum": 0})] = Field(
        description="Standard error of that mean at which repeating stops."
    )
    arm: str | None = Field(None, description="In which arm; left out = in every arm that has the measure.")
    difference: bool = Field(False, description="Whether the difference from the reference arm is meant, not the arm itself.")
    every: Annotated[int, whole(2, 100_000)] = Field(10, description="Replicates between two checkpoints.")
    most: Annotated[int, whole(2, 100_000)] = Field(1000, description="Replicates after which repeating stops in any case.")


class BatchFile(Strict):
    """What is varied over many runs, how often each is repeated, and what is kept of them."""

    design: Literal["grid", "cases", "latin_hypercube", "sobol", "one_at_a_time"] = Field(
        "grid",
        description="grid: every combination of levels. cases: what is listed. latin_hypercube, sobol: points spread evenly over "
        "ranges. one_at_a_time: the scenario as it stands, and each level of each factor alone.",
    )
    vary: Annotated[dict[str, Factor], Rule(lambda value: _vary(value), {"type": "object"})] = Field(
        {},
        description="Factors by address: a parameter of the model, or a key of the scenario (therapist, policies, "
        "lesions.therapist.insula, clinic.capacity, arms.NAME.policies); each a list of levels, or {from, to, steps, scale}.",
    )
    cases: Annotated[dict[str, dict[str, Any]], Rule(lambda value: _cases(value), {"type": "object"})] = Field(
        {}, description="Cases by name (design: cases), each a mapping of addresses to values."
    )
    points: Annotated[int | None, whole(1, MOST_POINTS)] = Field(
        None, description="How many points (designs latin_hypercube and sobol; of sobol a power of two)."
    )
    design_seed: Annotated[int, whole(0, 2**31 - 1)] = Field(0, description="Seed of the design itself: which points are drawn.")
    random_numbers: Literal["common", "own"] = Field(
        "common",
        description="common: all points have the same people and random draws, so that they can be compared pair by pair.",
    )
    until: Until | None = Field(
        None, description="Repeat each point until a measure is known well enough, instead of `replicates` times."
    )
    keep: Annotated[tuple[str, ...], Rule(lambda value: checked_keep(value), {
        "type": "array", "items": {"enum": list(TABLES_KEPT)}, "uniqueItems": True,
    })] = Field((), description="Tables to keep beside the summaries.")  # fmt: skip
    on_error: Literal["skip", "stop", "raise"] = Field(
        "skip", description="What a failing run does: noted and left out, noted and the batch stops, or raised at once."
    )


class Batch(Frozen):
    """A batch as it will be run: ``BatchFile`` checked against its scenario."""

    design: str = "grid"
    vary: dict[str, Factor] = {}
    cases: dict[str, dict[str, Any]] = {}
    points: int | None = None
    design_seed: int = 0
    random_numbers: str = "common"
    until: Until | None = None
    keep: tuple[str, ...] = ()
    on_error: str = "skip"


# ------------------------------------------------------------------------------------------------------------- rules


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise Wrong((), f"must be a number above 0, not {shown(value)}")
    return float(value)


def _measure(value: Any) -> str:
    known = known_measures()
    if not isinstance(value, str) or value not in known:
        raise Wrong((), f"unknown measure {shown(value)}{hint(value, known)}")
    return value


def checked_keep(value: Any) -> tuple[str, ...]:
    """Names of tables to keep, in their usual order. Raises ``Wrong``."""
    if not isinstance(value, list):
        raise Wrong((), f"must be a list of tables, such as [clients], not {shown(value)}")
    for i, name in enumerate(value):
        if name not in TABLES_KEPT:
            raise Wrong((i,), f"unknown table {shown(name)}{hint(name, TABLES_KEPT)}")
        if name in value[:i]:
            raise Wrong((i,), f"{shown(name)} stands twice in the list")
    return tuple(name for name in TABLES_KEPT if name in value)


def checked_on_error(value: str) -> str:
    """What a failing run does. Raises ``UsageError``."""
    if value not in ON_ERROR:
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


def _vary(value: Any) -> dict[str, Factor]:
    return {name: _factor(name, levels) for name, levels in mapping(value, "factors to their levels").items()}


def _factor(name: str, value: Any) -> Factor:
    if isinstance(value, list):
        if not value:
            raise Wrong((name,), "has no levels; list at least one")
        for i, level in enumerate(value):
            if level in value[:i] and any(
                level is other or (level == other and type(level) is type(other)) for other in value[:i]
            ):
                raise Wrong((name, i), f"{shown(level)} stands twice in the list")
        return Levels(values=tuple(value))
    if isinstance(value, Mapping) and {"from", "to"} <= set(value):
        return _range(name, value)
    raise Wrong((name,), f"must be a list of levels or a range, such as {{from: 0.1, to: 0.5, steps: 5}}, not {shown(value)}")


def _range(name: str, value: Mapping[str, Any]) -> Range:
    known = ("from", "to", "steps", "scale")
    for key in value:
        if key not in known:
            raise Wrong((name, key), f"is not a key of a range{hint(key, known)}")
    ends = []
    for key in ("from", "to"):
        end = value[key]
        if isinstance(end, bool) or not isinstance(end, (int, float)):
            raise Wrong((name, key), f"must be a number, not {shown(end)}")
        ends.append(end)
    if not ends[0] < ends[1]:
        raise Wrong((name, "to"), f"must lie above 'from', which is {ends[0]:g}, not {shown(ends[1])}")
    scale, steps = value.get("scale", "linear"), value.get("steps")
    if scale not in ("linear", "log"):
        raise Wrong((name, "scale"), f"must be linear or log, not {shown(scale)}")
    if scale == "log" and ends[0] <= 0:
        raise Wrong((name, "from"), f"must lie above 0 on a log scale, not {shown(ends[0])}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MOST_POINTS):
        raise Wrong((name, "steps"), f"must be a whole number between 2 and {MOST_POINTS}, not {shown(steps)}")
    wholly = takes_whole_numbers(name)
    if wholly and not all(isinstance(end, int) for end in ends):
        raise Wrong((name,), "takes whole numbers; so must 'from' and 'to' be")
    return Range(low=ends[0], high=ends[1], steps=steps, log=scale == "log", whole=wholly)


def _cases(value: Any) -> dict[str, dict[str, Any]]:
    cases = mapping(value, "names of cases to what they change")
    for name, changes in cases.items():
        if changes is not None and not isinstance(changes, dict):
            raise Wrong((name,), f"must be a mapping of addresses to values, such as {{trust_rate: 0.2}}, not {shown(changes)}")
    return {name: changes or {} for name, changes in cases.items()}


def takes_whole_numbers(address: str) -> bool:
    """Whether what an address names is a count."""
    last = address.rsplit(".", 1)[-1]
    return last in _WHOLE or (f".{address}".endswith(f".clinic.{last}") and last in _WHOLE_IN_CLINIC)


def checked_batch(file: BatchFile, arms: tuple[str, ...], clinic: bool) -> Batch:
    """The batch that a file describes, where its keys fit together and fit the scenario. Raises ``Wrong``."""
    at: Location = ("batch",)
    if file.design == "cases":
        if file.vary:
            raise Wrong(
                (*at, "vary"), "does not belong to 'design: cases'; list the cases under 'cases', or choose another design"
            )
        if not file.cases:
            raise Wrong((*at, "cases"), "is missing; 'design: cases' lists what each case changes, by name")
    elif file.cases:
        raise Wrong((*at, "cases"), f"belongs to 'design: cases'; this one is '{file.design}'")
    filling = file.design in FILLING
    if filling and not file.vary:
        raise Wrong((*at, "vary"), f"is missing; 'design: {file.design}' spreads points over what is varied")
    if filling and file.points is None:
        raise Wrong((*at, "points"), f"is missing; 'design: {file.design}' needs to know how many points, such as 64")
    if not filling and file.points is not None:
        raise Wrong((*at, "points"), f"belongs to the designs {' and '.join(FILLING)}; this one is '{file.design}'")
    if file.design == "sobol" and file.points is not None and file.points & (file.points - 1):
        near = 2 ** round(math.log2(file.points))
        raise Wrong((*at, "points"), f"must be a power of two for a Sobol design, such as {near}, not {file.points}")
    for name, factor in file.vary.items():
        if not filling and isinstance(factor, Range) and factor.steps is None:
            raise Wrong((*at, "vary", name), f"needs 'steps' in 'design: {file.design}', such as steps: 5, or a list of levels")
        if filling and isinstance(factor, Range) and factor.steps is not None:
            raise Wrong((*at, "vary", name, "steps"), f"has no meaning in 'design: {file.design}', which chooses its own levels")
    if file.until is not None:
        _checked_until(file.until, arms, clinic)
    return Batch(**{name: getattr(file, name) for name in BatchFile.model_fields})


def _checked_until(until: Until, arms: tuple[str, ...], clinic: bool) -> None:
    at: Location = ("batch", "until")
    if until.arm is not None and until.arm not in arms:
        raise Wrong((*at, "arm"), f"there is no arm {shown(until.arm)}{nearest(until.arm, arms)}; arms are: {', '.join(arms)}")
    if until.most < until.every:
        raise Wrong((*at, "most"), f"is {until.most}, fewer than the {until.every} replicates between two checkpoints")
    known = known_measures(clinic)
    if until.measure not in known:
        raise Wrong((*at, "measure"), f"{shown(until.measure)} does not exist in this design{hint(until.measure, known)}")


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
        raise Wrong((), f"is neither a key of a scenario nor a parameter of the model{nearest(address, (*keys, *PARAMETERS))}")
    if first in _FIXED:
        raise Wrong((), f"'{first}' cannot be varied: {_FIXED[first]}")
    if not rest:
        return (first,)
    if first in _OF_NAMES:
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


def each_change(file: BatchFile) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Every level of every factor alone, and every case, with where it stands: what is checked when a file is read."""
    for name, factor in file.vary.items():
        if isinstance(factor, Levels):
            for i, level in enumerate(factor.values):
                yield ("batch", "vary", name, i), {name: level}
        else:
            for key, share in (("from", 0.0), ("to", 1.0)):
                yield ("batch", "vary", name, key), {name: factor.at(share)}
    for name, changes in file.cases.items():
        yield ("batch", "cases", name), changes
