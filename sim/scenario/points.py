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

from sim.declared.values import Wrong
from sim.errors import ScenarioError
from sim.scenario.fields import KEYS
from sim.scenario.scenario import Scenario, from_spec
from sim.scenario.sweep import MOST_POINTS, Batch, changed

#: The point in which nothing is changed.
BASE = "as it stands"


@dataclass(frozen=True)
class Point:
    """One point of a design: its number from 0, a name for people, and what it changes, by address."""

    number: int
    name: str
    changes: Mapping[str, Any]


def points_of(scenario: Scenario) -> tuple[Point, ...]:
    """The points of a scenario's batch, in order; of one without a batch the single point in which nothing is changed.

    Raises ``ScenarioError`` for more than ``MOST_POINTS``.
    """
    batch = scenario.batch
    if batch is None or not (batch.vary or batch.cases):
        return (Point(0, BASE, {}),)
    sets = _DESIGNS[batch.design](batch, scenario.name)
    times = Counter(name for name, _ in sets)  # levels that look the same when they are rounded
    return tuple(Point(i, f"{name} (#{i})" if times[name] > 1 else name, changes) for i, (name, changes) in enumerate(sets))


Named = list[tuple[str, dict[str, Any]]]


def _grid(batch: Batch, scenario: str) -> Named:
    count = int(np.prod([float(len(f.levels)) for f in batch.vary.values()]))
    _few_enough(count, scenario)
    combined = itertools.product(*(f.levels for f in batch.vary.values()))
    return [_named(dict(zip(batch.vary, values, strict=True))) for values in combined]


def _cases(batch: Batch, scenario: str) -> Named:
    return [(name, dict(changes)) for name, changes in batch.cases.items()]


def _one_at_a_time(batch: Batch, scenario: str) -> Named:
    _few_enough(1 + sum(len(f.levels) for f in batch.vary.values()), scenario)
    return [(BASE, {}), *(_named({name: level}) for name, f in batch.vary.items() for level in f.levels)]


def _filled(batch: Batch, scenario: str) -> Named:
    """A Latin hypercube or a scrambled Sobol sequence, from the design's own seed."""
    from scipy.stats import qmc

    n, rng = batch.points or 0, np.random.default_rng(batch.design_seed)
    if batch.design == "sobol":
        shares = qmc.Sobol(len(batch.vary), rng=rng).random(n)
    else:
        shares = qmc.LatinHypercube(len(batch.vary), rng=rng).random(n)
    return [_named({name: f.at(float(s)) for (name, f), s in zip(batch.vary.items(), row, strict=True)}) for row in shares]


_DESIGNS = {"grid": _grid, "cases": _cases, "one_at_a_time": _one_at_a_time, "latin_hypercube": _filled, "sobol": _filled}


def _few_enough(count: int, scenario: str) -> None:
    if count > MOST_POINTS:
        raise ScenarioError(f"{scenario}: batch.vary: gives {count:,} points; at most {MOST_POINTS:,} are possible")


def _named(changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return ", ".join(f"{name} = {told(value)}" for name, value in changes.items()), changes


def told(value: Any) -> str:
    """A level as people read it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scenario_at(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario at a point: its changes made, its batch left out. Raises ``ScenarioError`` that names the change."""
    return _scenario_at(scenario.name, json.dumps(scenario.spec), json.dumps(dict(changes)))


@lru_cache(maxsize=64)
def _scenario_at(name: str, spec: str, changes: str) -> Scenario:
    made = json.loads(changes)
    try:
        return from_spec(changed(json.loads(spec), made, KEYS), name)
    except Wrong as wrong:
        raise ScenarioError(f"{name}: batch: {wrong.location[0]}: {wrong}") from None
    except ScenarioError as e:
        said = ", ".join(f"{address} = {told(value)}" for address, value in made.items())
        raise ScenarioError(f"{e} (at the point {said})" if made else str(e)) from None


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
