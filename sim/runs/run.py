"""Running a scenario in memory: every arm, replicate and chunk of clients, on threads, to tidy tables."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd

from sim.errors import ScenarioError
from sim.runs.uncertainty import over_members
from sim.scenario.scenario import Scenario, a_scenario
from sim.simulation.limits import fits
from sim.simulation.machine import cores
from sim.simulation.tables import Run
from sim.simulation.tasks import CHUNK, checked_count, checked_seed, simulated_part, tasks_of
from sim.simulation.tidy import frames
from sim.therapy.model import SHIPPED, Model


def run(
    scenario: Scenario,
    seed: int,
    *,
    threads: int | None = None,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
    model: Model = SHIPPED,
) -> Run:
    """Simulate a scenario. ``seed`` (an integer >= 0) fixes all random draws; the same seed gives the same tables, exactly.

    ``threads`` (default: all cores) and ``chunk`` (clients simulated together) change speed only. ``progress`` is
    called with the number of tasks done and in all. ``model``: another than the shipped one
    (``sim.Model``). With ``parameters: ensemble`` the scenario is run once more with each of so many other parameter sets, of
    which only ``Run.ensemble`` is kept. Raises ``StateError`` when a quantity leaves its range.

    Returns a ``Run``.

    >>> sim.run(usual, seed=1)
    Run('hello', seed 1: Tables(clients: 60 x 29, sessions: 236 x 77, assessments: 120 x 12, exchanges: 120 x 85))
    """
    seed = checked_seed(seed)
    if a_scenario(scenario).batch is not None:
        raise ScenarioError(f"{scenario.name}: holds a batch of runs; run it with sim.run_batch or on the command line")
    chunk = checked_count("chunk", chunk)
    threads = checked_count("threads", cores() if threads is None else threads)
    fits(scenario)
    total, done = len(tasks_of(scenario, chunk)) * (1 + scenario.ensemble), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with ThreadPoolExecutor(max_workers=threads) as pool:

        def simulated(one: Scenario) -> Run:
            tasks, parts = tasks_of(one, chunk), []
            for task, part in zip(tasks, pool.map(lambda task: simulated_part(one, seed, task, model), tasks), strict=True):
                parts.append((task.arm.name, part))
                one_more()
            return Run(one, seed, **frames(parts, [arm.name for arm in one.arms], one.design == "clinic"), model=model)

        # The members come first, while no tables are held that are kept.
        ensemble = over_members(scenario, simulated) if scenario.ensemble else pd.DataFrame()
        return replace(simulated(scenario), ensemble=ensemble)
