"""How long work takes on this machine: rates that are measured once, kept beside the compiled code, and used for estimates."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from sim.batch.needs import Needs
from sim.batch.plan import Plan, planned
from sim.compiling import cache_place
from sim.files import temporary, write_over
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.machine import cores
from sim.simulation.sizes import Sizes, sizes_of
from sim.simulation.tables import Run

#: What the work of simulating is made of; each has a rate, in seconds on one core.
WORK = ("week", "met_week", "person_week", "session", "exchange", "item", "clinic_week")
#: Small runs whose work differs in its parts: from their times the rates are told apart.
_RUNS: tuple[dict[str, Any], ...] = (
    {"clients_per_arm": 1, "sessions": 150, "therapist": "none"},
    {"clients_per_arm": 2000, "sessions": 80, "therapist": "none"},
    {"clients_per_arm": 30, "sessions": 40},
    {"clients_per_arm": 1000, "sessions": 12, "exchanges": 2},
    {"clients_per_arm": 1000, "sessions": 12, "exchanges": 40},
    {"clients_per_arm": 300, "sessions": 10, "record": {"items": True}},
    {"design": "clinic", "clinic": {"weeks": 80}},
)
_REPORTED: dict[str, Any] = {"clients_per_arm": 40, "sessions": 10, "arms": {"a": {}, "b": {"therapist": "secure"}}}
#: Measured on the shipped scenarios: a value is written once, and read and drawn in a report, which takes four times as long.
_SAVED_AND_DRAWN = 5.0
#: Of two workers or threads the second makes it so much faster: some work is done by one at a time.
_SIDE_BY_SIDE = {"threads": 0.5, "processes": 0.9}


def rates(anew: bool = False, tell: Callable[[str], None] = lambda line: None) -> Mapping[str, float]:
    """Seconds on one core of each kind of work, as kept for this machine; measured where they are not kept, or ``anew``."""
    place = cache_place() / f"rates-{platform.node()}.json"
    if not anew:
        try:
            kept = json.loads(place.read_text(encoding="utf-8"))
            names = {*WORK, "start", "value", "report", "task"}
            if isinstance(kept, dict) and set(kept) == names and all(0 <= float(one) < 1e6 for one in kept.values()):
                return dict(kept)
        except (OSError, ValueError, TypeError):
            pass
    tell("Measuring how fast this machine is, once (about a quarter of a minute)...")
    found = {name: float(f"{value:.3g}") for name, value in _measured().items()}
    with contextlib.suppress(OSError):
        write_over(place, json.dumps(found, indent=1) + "\n")
    return found


def _took(what: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of work on a core that something took, whatever else the machine did meanwhile; and what came of it."""
    begun = time.process_time()
    made = what()
    return time.process_time() - begun, made


def _measured() -> dict[str, float]:
    from scipy.optimize import nnls

    from sim.batch.chunk import perform
    from sim.report.pages.run import write_report
    from sim.runs.run import run
    from sim.storage.store import save

    scenarios = [from_spec({"question": "How fast?", **spec}, f"rate-{i}") for i, spec in enumerate((*_RUNS, _REPORTED))]
    for one in scenarios:  # what is compiled, or read from where it is kept, is not measured
        run(one.but(sessions=2, **({"clinic": {"weeks": 3}} if one.design == "clinic" else {"clients_per_arm": 3})), 1, threads=1)
    shares, runs = [], list[Run]()
    for one in scenarios:
        simulate = partial(run, one, 1, threads=1)
        took, made = min((_took(simulate) for _ in range(2)), key=lambda found: found[0])
        work = sizes_of(one).work
        held = len(made.sessions)  # as it came, not as it was expected
        work.update({"session": held - work["session"], "exchange": held * one.exchanges - work["exchange"]})
        if work["met_week"]:
            work["met_week"] = made.sessions["session"].nunique()
        shares.append([work[name] / took for name in WORK])
        runs.append(made)
    found = dict(zip(WORK, map(float, nnls(np.array(shares), np.ones(len(shares)))[0]), strict=True))
    small, large = runs[-1], max(runs, key=lambda one: len(one.sessions))
    with temporary() as place:
        saved = [_took(partial(save, one, place / str(i)))[0] for i, one in enumerate((small, large))]
        report, _ = _took(lambda: write_report(small, place / "0"))
    values = [sum(len(table) * table.shape[1] for table in one.tables.values()) for one in (small, large)]
    plan = planned(from_spec({"question": "?", "clients_per_arm": 5, "sessions": 2, "replicates": 10, "batch": {}}, "tasks"), 1)
    tasks, _ = _took(lambda: perform(next(plan.chunks(plan.tasks(0, 0, 10)))))
    return {
        **found,
        "start": _started(),
        "value": max(saved[1] - saved[0], 0.0) / (values[1] - values[0]),
        "report": report,
        "task": max(tasks / 10 - plan.sizes.seconds(found), 0.0),
    }


def _started() -> float:
    """Seconds on a core until a process has read the program and what is compiled, and has run the smallest scenario."""
    paths = os.pathsep.join(path for path in sys.path if path)  # as here, and not the folder that somebody stands in
    what = "import sim.cli.run, sim; sim.run(sim.from_spec({'question': '?', 'clients_per_arm': 2, 'sessions': 1}, 'x'), 1)"
    before = os.times()
    subprocess.run([sys.executable, "-P", "-c", what], check=True, capture_output=True, env={**os.environ, "PYTHONPATH": paths})
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def of_run(scenario: Scenario, sizes: Sizes, rate: Mapping[str, float]) -> float:
    """Seconds that ``attune run`` takes for a scenario without a batch, about."""
    once = sizes.seconds(rate) / _faster("threads", len(scenario.arms) * scenario.replicates)
    drawn = rate["report"] * (0.8 + 0.07 * len(scenario.arms))
    return rate["start"] + once * (1 + scenario.ensemble) + drawn + _SAVED_AND_DRAWN * rate["value"] * sizes.values


def of_batch(plan: Plan, needs: Needs, rate: Mapping[str, float]) -> float:
    """Seconds that a batch takes for so many tasks, about."""
    times = needs.tasks / sum(plan.blocks)
    work = plan.sizes.seconds(rate) * times
    work += rate["task"] * plan.arm_points * times
    return rate["start"] * 2 + work / _faster("processes", needs.tasks, needs.workers) + rate["report"]


def _faster(how: str, parts: int, workers: int | None = None) -> float:
    """How many times faster work is on several cores than on one."""
    return 1.0 + _SIDE_BY_SIDE[how] * (min(workers or cores(), max(parts, 1)) - 1)
