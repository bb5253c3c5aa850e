"""Comparing two scenarios, or two models, on the same seeds: same people, common random numbers, one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.errors import UsageError
from sim.measures.intervals import mean_interval
from sim.measures.numbers import measure as measure_named
from sim.naming import nearest
from sim.runs.run import run
from sim.scenario.scenario import Scenario, a_scenario
from sim.simulation.tables import Run
from sim.therapy.model import SHIPPED, Model

Measure = Callable[[Run], float]
Wanted = Measure | str | Iterable[Measure | str] | Mapping[str, Measure] | None


def _named(name: str) -> Measure:
    if name not in CATALOGUE:
        raise UsageError(f"no measure '{name}'{nearest(name, CATALOGUE)}; known: {', '.join(CATALOGUE)}")
    return measure_named(name)


def _value(name: str, function: Measure, found: Run) -> float:
    value = function(found)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"measure '{name}' must return one number for a run, not {type(value).__name__}") from None


def _measures(wanted: Wanted, clinic: bool) -> dict[str, Measure]:
    if isinstance(wanted, str):
        return {wanted: _named(wanted)}
    if wanted is None:
        return {name: measure_named(name) for name in measures_of_runs(clinic)}
    if isinstance(wanted, Mapping):
        return dict(wanted)
    if callable(wanted):
        return {getattr(wanted, "__name__", "measure"): wanted}
    if not isinstance(wanted, Iterable):
        raise UsageError(f"measure must be a name, a function of a run, or several of either, not {wanted!r}")
    wanted = list(wanted)
    if not wanted:
        raise UsageError("name at least one measure, or leave measure out for all")
    return {
        m if isinstance(m, str) else getattr(m, "__name__", f"measure {i + 1}"): _named(m) if isinstance(m, str) else m
        for i, m in enumerate(wanted)
    }


def compare(
    a: Scenario,
    b: Scenario,
    seeds: Iterable[int],
    measure: Wanted = None,
    *,
    model: Model = SHIPPED,
    model_b: Model | None = None,
    **how: Any,
) -> pd.DataFrame:
    """Run both scenarios on each seed and compare measures, b minus a, pair by pair.

    ``measure``: one function of a run, the name of a measure of the catalogue (docs/BATCHES.md), several of either, or a mapping
    of names to functions; default: all of the catalogue, those of clinics for clinics. ``model``: what both run on,
    if not the shipped one; ``model_b``: what b runs on, if another, so that ``compare(usual, usual, seeds, model_b=mine)``
    compares two models. ``how`` goes to ``sim.run`` (threads, chunk). Returns one row per measure: the difference with its 95 %
    interval over seeds, the means under a and b, the SD of a seed's difference, what it would be if the seeds were not shared,
    and the number of seeds. A seed shares all random draws; the people are the same where both scenarios ask for the same kind of
    clients. Of scenarios that ask for the ensemble the default parameters are compared. Raises ``UsageError`` without seeds or
    for an unknown name, and for a measure that gives no number.

    >>> warmer = usual.but(avoidance_warmth_cost=0.2)
    >>> found = sim.compare(usual, warmer, seeds=range(3), measure="alliance_all_sessions")
    >>> found[["measure", "difference", "seeds"]].round(2).values.tolist()
    [['alliance_all_sessions', 0.05, 3]]
    """
    a, b = a_scenario(a), a_scenario(b)
    if not isinstance(seeds, Iterable):
        raise UsageError(f"seeds must be several numbers, such as range(5), not {seeds}")
    seeds = list(seeds)
    if twice := {seed for seed in seeds if seeds.count(seed) > 1}:
        raise UsageError(f"seed {min(twice)} is given more than once; each seed counts once")
    functions = _measures(measure, clinic="clinic" in (a.design, b.design))
    a, b = (one.model_copy(update={"ensemble": 0}) for one in (a, b))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    n = 0
    for seed in seeds:
        n += 1
        run_a, run_b = run(a, seed, model=model, **how), run(b, seed, model=model if model_b is None else model_b, **how)
        for name, function in functions.items():
            found[name].append((_value(name, function, run_a), _value(name, function, run_b)))
    if n == 0:
        raise UsageError("compare needs at least one seed")
    rows = []
    for name, pairs in found.items():
        values = np.asarray(pairs)
        difference = mean_interval(values[:, 1] - values[:, 0])
        spread = values.std(axis=0, ddof=1) if n > 1 else np.array([np.nan, np.nan])
        rows.append(
            {
                "measure": name,
                "difference": difference["mean"],
                "low": difference["low"],
                "high": difference["high"],
                "a": values[:, 0].mean(),
                "b": values[:, 1].mean(),
                "sd_paired": difference["sd"],
                "sd_if_unpaired": float(np.sqrt((spread**2).sum())),
                "seeds": n,
            }
        )
    return pd.DataFrame(rows)
