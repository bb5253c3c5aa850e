"""The points of a batch: which values its factors take together, by the design that the scenario names."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from sim.declared.values import Location, Wrong
from sim.errors import ScenarioError
from sim.scenario.fields import KEYS
from sim.scenario.scenario import Scenario, from_spec
from sim.scenario.sweep import FILLING, Batch, changed, place

#: The point in which nothing is changed.
BASE = "as it stands"


@dataclass(frozen=True)
class Point:
    """One point of a design: its number from 0, a name for people, and what it changes, by address."""

    number: int
    name: str
    changes: Mapping[str, Any]


def points_of(scenario: Scenario) -> tuple[Point, ...]:
    """The points of a scenario's batch, in order; of one without a batch the single point in which nothing is changed."""
    batch = scenario.batch
    if batch is None or not (batch.vary or batch.cases):
        return (Point(0, BASE, {}),)
    if batch.design == "cases":
        sets = [(name, dict(changes)) for name, changes in batch.cases.items()]
    else:
        sets = [(", ".join(f"{name} = {told(value)}" for name, value in changes.items()) or BASE, changes)
                for changes in _combined(batch)]  # fmt: skip
    times = Counter(name for name, _ in sets)  # levels that look the same when they are rounded
    return tuple(Point(i, f"{name} (#{i})" if times[name] > 1 else name, changes) for i, (name, changes) in enumerate(sets))


def _combined(batch: Batch) -> list[dict[str, Any]]:
    """What the points of a design change, which varies factors."""
    if batch.design in FILLING:  # from the design's own seed
        from scipy.stats import qmc

        spread = getattr(qmc, FILLING[batch.design])(len(batch.vary), rng=np.random.default_rng(batch.design_seed))
        shares = spread.random(batch.points or 0)
        return [{name: f.at(float(s)) for (name, f), s in zip(batch.vary.items(), row, strict=True)} for row in shares]
    levels = {name: factor.levels for name, factor in batch.vary.items()}
    if batch.design == "grid":
        return [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]
    return [{}, *({name: value} for name, values in levels.items() for value in values)]


def told(value: Any) -> str:
    """A level as people read it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scenario_at(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario at a point: its changes made, its batch left out. Raises ``ScenarioError`` that names the change."""
    bare = {key: value for key, value in scenario.spec.items() if key != "batch"}  # which may list a hundred thousand cases
    return _scenario_at(scenario.name, json.dumps(bare), json.dumps(dict(changes)))


@lru_cache(maxsize=64)
def _scenario_at(name: str, spec: str, changes: str) -> Scenario:
    made = json.loads(changes)
    try:
        return from_spec(changed(json.loads(spec), made, KEYS), name)
    except Wrong as wrong:
        raise ScenarioError(f"{name}: batch: {wrong.location[0]}: {wrong}") from None
    except ScenarioError as e:
        said = ", ".join(f"{address} = {told(value)}" for address, value in made.items())
        at = f" (at the point {said})" if made else ""
        raise ScenarioError(f"{e.told}{at}", where=e.where, key=e.key) from None


def key_at(scenario: Scenario, point: Point, key: Location) -> Location:
    """Where the value of a key at a point is said: in the batch, where that varies it, or else in the scenario."""
    inside = [address for address in point.changes if _overlaps(place(address, scenario.spec, KEYS), key)]
    if not inside or scenario.batch is None:
        return key
    return ("batch", "vary", inside[-1]) if scenario.batch.vary else ("batch", "cases", point.name, inside[-1])


def _overlaps(one: Location, other: Location) -> bool:
    """Whether one of two places lies in the other."""
    return all(a == b for a, b in zip(one, other, strict=False))


def table_of(points: tuple[Point, ...]) -> pd.DataFrame:
    """One row a point: its number, its name, and a column for every factor; levels that are no numbers are text."""
    factors = dict.fromkeys(name for point in points for name in point.changes)
    table: dict[str, Any] = {
        "point": np.array([point.number for point in points], np.int32),
        "name": pd.array([point.name for point in points], dtype="str"),
    }
    for factor in factors:
        given = [point.changes[factor] for point in points if factor in point.changes]
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given):
            table[factor] = np.array([point.changes.get(factor, np.nan) for point in points], float)
        else:
            levels = [told(point.changes[factor]) if factor in point.changes else None for point in points]
            table[factor] = pd.array(levels, dtype="str")
    return pd.DataFrame(table)
