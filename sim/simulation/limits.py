"""What this machine has room for, and which key of a scenario makes it too large for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from sim.declared.values import Location
from sim.errors import ScenarioError
from sim.files import disk_at
from sim.scenario.fields import Asked
from sim.scenario.reading import key_path
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.machine import memory_here
from sim.simulation.sizes import ON_DISK, REPORT, Sizes, sizes_of
from sim.therapy.clinic.plan import Plan

GIB = 2.0**30
OF_MEMORY = "memory, and this machine (or what it grants) has"
#: Of the memory, and of the room on a disk, what a run may fill.
MOST_OF_IT = 0.8
#: Keys that make a scenario large, each with what it is where nothing is said.
_USUAL = {name: float(field.default) for name, field in Asked.model_fields.items() if name in (
    "clients_per_arm", "sessions", "exchanges", "replicates", "follow_up_months"
)}  # fmt: skip
_OF_CLINIC = {name: float(Plan.model_fields[name].default) for name in ("weeks", "arrivals_per_week", "therapists")}


def disk_of(sizes: Sizes) -> float:
    """Bytes of a run on the disk, report included, about."""
    return ON_DISK * sizes.values + REPORT


def fits(scenario: Scenario, out: Path | None = None, of: Callable[[Scenario], Scenario] = lambda one: one) -> Sizes:
    """The sizes of a scenario without its batch, if memory (and the disk at ``out``) has room. Raises ``ScenarioError``.

    ``of``: what of the scenario is simulated, such as one arm.
    """
    sizes = sizes_of(of(scenario))
    must_fit(scenario, sizes.memory, memory_here(), OF_MEMORY, lambda one: sizes_of(of(one)).memory)
    if out is not None:
        must_fit(scenario, disk_of(sizes), disk_at(out), f"disk, and at {out} there is", lambda s: disk_of(sizes_of(of(s))))
    return sizes


def must_fit(
    scenario: Scenario, needed: float, there: float, of_what: str, needs: Callable[[Scenario], float], at: str = ""
) -> None:
    """Raise ``ScenarioError`` with the key that makes a scenario need too much, and the value that would fit.

    ``needs``: what a changed scenario would need; ``at``: said of where it is so, such as a point of a batch.
    """
    room = MOST_OF_IT * there
    if needed <= room:
        return
    key, advice = _too_large(scenario, lambda one: needs(one) <= room)
    rows = ", ".join(f"{count:,} {name}" for name, count in sizes_of(scenario).rows.most_common(2))
    raise ScenarioError(
        f"{key_path(key)}: {rows}{at} would need about {needed / GIB:,.1f} GiB of {of_what} {there / GIB:,.1f} GiB",
        where=scenario.name, valid=advice, key=key,
    )  # fmt: skip


def _too_large(scenario: Scenario, enough: Callable[[Scenario], bool]) -> tuple[Location, str]:
    """The key that is furthest above what is usual and could be lowered until it is enough, and what would fit there."""
    bare = {key: value for key, value in scenario.spec.items() if key != "batch"}
    large = sorted(_said(bare), key=lambda found: -found[1])
    for key, _, least in large:
        fitting = _largest(bare, key, least, scenario.name, enough)
        if fitting is not None:
            many = f"{fitting:,} clients" if key[0] == "record" else f"{key_path(key)}: {fitting}"
            return key, f"at most {many} would fit"
    key = large[0][0] if large else ()
    return key, "no value of one key alone would fit; lower several, or have fewer arms" + (
        "" if "record" in bare else ", or say record: {sessions: false}"
    )


def _said(spec: Mapping[str, Any], at: Location = ()) -> Iterator[tuple[Location, float, int]]:
    """Keys that are said and make a scenario large: where, how many times what is usual, and the lowest value."""
    for key, usual in _USUAL.items():
        if isinstance(spec.get(key), int):
            yield (*at, key), spec[key] / max(usual, 1.0), 2 if key == "exchanges" else 0 if key == "follow_up_months" else 1
    plan = spec.get("clinic")
    for key, usual in _OF_CLINIC.items():
        if isinstance(plan, Mapping) and isinstance(plan.get(key), (int, float)):
            yield (*at, "clinic", key), plan[key] / usual, 1
    record = spec.get("record")
    exchanges = record.get("exchanges") if isinstance(record, Mapping) else None
    if isinstance(exchanges, Mapping) and exchanges.get("clients"):
        yield ("record", "exchanges", "clients"), float(len(exchanges["clients"])), 1
    for name, arm in (spec.get("arms") or {}).items():
        if isinstance(arm, Mapping):
            yield from _said(arm, ("arms", name))


def _largest(spec: Mapping[str, Any], key: Location, least: int, name: str, enough: Callable[[Scenario], bool]) -> int | None:
    """The largest value of a key (of a list its first entries) with which it is enough; None where there is none."""
    changed = deepcopy(dict(spec))
    inner: Any = changed
    for part in key[:-1]:
        inner = inner[part]
    given = inner[key[-1]]

    def with_value(value: int) -> bool:
        inner[key[-1]] = given[:value] if isinstance(given, list) else value
        try:
            return enough(from_spec(changed, name))
        except ScenarioError:  # what else is said needs more of it
            return False

    high = len(given) if isinstance(given, list) else int(given)
    if high <= least or not with_value(least):
        return None
    while high - least > 1:
        middle = (least + high) // 2
        least, high = (middle, high) if with_value(middle) else (least, middle)
    return least
