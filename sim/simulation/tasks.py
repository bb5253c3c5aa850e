"""A scenario as tasks: some clients of one arm and replicate each (of a clinic all), simulated by themselves, anywhere.

The tables do not depend on the order of the tasks or the size of the chunks: random draws are addressed, dyads are independent,
and rows are put together in the scenario's order.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.errors import UsageError
from sim.scenario.scenario import Arm, Scenario
from sim.simulation import build
from sim.simulation.tables import Run
from sim.simulation.tidy import frames, styles_of
from sim.therapy.clinic.book import tables
from sim.therapy.clinic.week import Clinic
from sim.therapy.course import Course, Running
from sim.therapy.model import SHIPPED, Model

#: Dyads simulated together; a matter of memory and speed only.
CHUNK = 2000


@dataclass(frozen=True)
class Task:
    """A part of a run simulated by itself: some clients of one arm and replicate (of a clinic all; ``clients`` is empty)."""

    arm: Arm
    replicate: int
    clients: np.ndarray


def tasks_of(scenario: Scenario, chunk: int) -> list[Task]:
    """The tasks of a scenario, in its order, with at most ``chunk`` clients each."""
    tasks = []
    for arm in scenario.arms:
        numbers = build.client_numbers(scenario, arm) if arm.clinic is None else np.empty(0, np.int64)
        # Whoever shares therapists is simulated together: one task, though it names nobody.
        parts = [numbers[i : i + chunk] for i in range(0, max(numbers.size, 1), chunk)]
        tasks += [Task(arm, replicate, part) for replicate in range(scenario.replicates) for part in parts]
    return tasks


def simulated_part(scenario: Scenario, seed: int, task: Task, model: Model = SHIPPED) -> dict[str, dict[str, Any]]:
    """The tables of one part, as columns: name -> column -> values; names of categories are still numbers."""
    under_way: Clinic | Running
    if task.arm.clinic is not None:
        under_way = build.build_clinic(scenario, task.arm, task.replicate, seed, model)
    else:
        under_way = Running(build.build(scenario, task.arm, task.replicate, seed, task.clients, model), model.session, lean=True)
    for _ in range(build.arm_weeks(scenario, task.arm)):
        under_way.live_a_week()
    return _columns(scenario, task, under_way if isinstance(under_way, Clinic) else under_way.finish())


def _columns(scenario: Scenario, task: Task, left: Clinic | Course) -> dict[str, dict[str, Any]]:
    """The columns of one task's tables, with who they are about; names of categories are still numbers."""
    if isinstance(left, Clinic):
        out = tables(left, left.book)
        out["clients"] |= styles_of(out["clients"])
        return out
    clients = {"row": np.arange(task.clients.size), **left.clients, **styles_of(left.clients)}
    of = build.therapist_numbers(scenario, task.arm, task.clients)
    therapist = of if of.size else np.full(task.clients.size, -1)
    out = {}
    for name, table in {**vars(left), "clients": clients}.items():
        if not table:
            continue
        row = table["row"]
        who = {"replicate": np.full(row.size, task.replicate, np.int32), "client": task.clients[row]}
        if name == "items":  # whose therapist is meant is told row by row
            who["therapist"] = np.where(table["therapist"] >= 0, therapist[row], -1)
        elif name != "assessments":
            who["therapist"] = therapist[row]
        out[name] = {**who, **{k: v for k, v in table.items() if k != "row" and k not in who}}
    return out


def checked_seed(seed: int) -> int:
    """``seed`` if it is a whole number from 0 to 2^63 - 1. Raises ``UsageError``."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise UsageError(f"seed must be a whole number from 0 to 2^63 - 1, not {seed!r}")
    return int(seed)


def checked_count(name: str, given: Any) -> int:
    """A number of things, at least one. Raises ``UsageError``."""
    try:
        count = operator.index(given)
    except TypeError:
        raise UsageError(f"{name} must be a whole number, not {given!r}") from None
    if count < 1:
        raise UsageError(f"{name} must be at least 1, not {count}")
    return count


def run_of(scenario: Scenario, arm: Arm, replicate: int, seed: int, left: Course | Clinic, model: Model = SHIPPED) -> Run:
    """What ``run`` would hold of one arm and replicate whose clients, all together, have had this course or this clinic."""
    part = _columns(scenario, Task(arm, replicate, build.client_numbers(scenario, arm)), left)
    arms = [a.name for a in scenario.arms]
    return Run(scenario, seed, **frames([(arm.name, part)], arms, clinic=arm.clinic is not None), model=model)
