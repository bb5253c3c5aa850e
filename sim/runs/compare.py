"""Comparing two scenarios, or two models, on the same seeds: same people, common random numbers, one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.errors import UsageError
from sim.measures.intervals import differences
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


def _measures(wanted: Wanted, clinic: bool) -> dict[str, Measure]:
    if wanted is None:
        return {name: measure_named(name) for name in measures_of_runs(clinic)}
    if isinstance(wanted, Mapping):
        return dict(wanted)
    several = [wanted] if isinstance(wanted, str) or callable(wanted) else wanted
    if not isinstance(several, Iterable):
        raise UsageError(f"measure must be a name, a function of a run, or several of either, not {wanted!r}")
    found: dict[str, Measure] = {}
    for i, one in enumerate(several):
        name = one if isinstance(one, str) else getattr(one, "__name__", f"measure {i + 1}")
        if name in found:
            raise UsageError(f"two measures are called '{name}'; give them as a mapping of names to functions")
        found[name] = _named(one) if isinstance(one, str) else one
    if not found:
        raise UsageError("name at least one measure, or leave measure out for all")
    return found


def _value(name: str, function: Measure, found: Run) -> float:
    value = function(found)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"measure '{name}' must return one number for a run, not {type(value).__name__}") from None


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
    and the number of seeds on which both have a value. A seed shares all random draws; the people are the same where both
    scenarios ask for the same kind of clients. Of scenarios that ask for the ensemble the default parameters are compared.
    Raises ``UsageError`` without seeds or for an unknown name, and for a measure that gives no number.

    >>> warmer = usual.but(avoidance_warmth_cost=0.2)
    >>> found = sim.compare(usual, warmer, seeds=range(3), measure="alliance_all_sessions")
    >>> found[["measure", "difference", "seeds"]].round(2).values.tolist()
    [['alliance_all_sessions', 0.06, 3]]
    """
    a, b = a_scenario(a), a_scenario(b)
    if not isinstance(seeds, Iterable):
        raise UsageError(f"seeds must be several numbers, such as range(5), not {seeds}")
    seeds = list(seeds)
    if not seeds:
        raise UsageError("compare needs at least one seed")
    if twice := {seed for seed in seeds if seeds.count(seed) > 1}:
        raise UsageError(f"seed {min(twice)} is given more than once; each seed counts once")
    functions = _measures(measure, clinic="clinic" in (a.design, b.design))
    a, b = (one.model_copy(update={"ensemble": 0}) for one in (a, b))
    rows = []
    for seed in seeds:
        both = run(a, seed, model=model, **how), run(b, seed, model=model if model_b is None else model_b, **how)
        rows += [(name, seed, *(_value(name, function, one) for one in both)) for name, function in functions.items()]
    table = pd.DataFrame(rows, columns=["measure", "seed", "a", "b"])
    of_a, of_b = (table[["measure", "seed", side]].rename(columns={side: "value"}) for side in ("a", "b"))
    found = differences(of_a, of_b, ["measure"])
    found = found.rename(columns={"sd": "sd_paired", "n": "seeds"}).assign(sd_if_unpaired=np.hypot(found["sd_a"], found["sd_b"]))
    return found[["measure", "difference", "low", "high", "a", "b", "sd_paired", "sd_if_unpaired", "seeds"]]
