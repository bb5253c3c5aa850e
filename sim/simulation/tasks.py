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
from sim.simulation.clinics import clinic_tables, simulated_clinic
from sim.simulation.tables import Run
from sim.simulation.tidy import frames, styles_of
from sim.therapy.clinic.week import Clinic
from sim.therapy.course import Course, run_course
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
    if scenario.design == "clinic":  # whoever shares therapists is simulated together
        return [Task(arm, replicate, np.empty(0, np.int64)) for arm in scenario.arms for replicate in range(scenario.replicates)]
    return [
        Task(arm, replicate, numbers[i : i + chunk])
        for arm in scenario.arms
        for replicate in range(scenario.replicates)
        for numbers in (build.client_numbers(scenario, arm),)
        for i in range(0, numbers.size, chunk)
    ]


def simulated_part(scenario: Scenario, seed: int, task: Task, model: Model = SHIPPED) -> dict[str, dict[str, Any]]:
    """The tables of one part, as columns: name -> column -> values; names of categories are still numbers."""
    if task.arm.clinic is not None:
        return _of_clinic(simulated_clinic(scenario, task.arm, task.replicate, seed, model))
    world = build.build(scenario, task.arm, task.replicate, seed, task.clients, model)
    course = run_course(world, build.arm_weeks(scenario, task.arm), model.session)
    therapist = build.therapist_numbers(scenario, task.arm, task.clients) if task.arm.therapist is not None else None
    return _tables(course, task, therapist)


def _of_clinic(part: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {**part, "clients": {**part["clients"], **styles_of(part["clients"])}}


def _tables(course: Course, task: Task, therapist: np.ndarray | None) -> dict[str, dict[str, Any]]:
    """The columns of one task's tables, with who they are about; names of categories are still numbers."""
    c = course.clients
    clients = {
        "row": np.arange(task.clients.size),
        **c,
        **styles_of(c),
    }
    out = {}
    for name, table in (
        ("clients", clients),
        ("sessions", course.sessions),
        ("assessments", course.assessments),
        ("exchanges", course.exchanges),
        ("items", course.items),
    ):
        if not table:
            continue
        row = table["row"]
        who = {"replicate": np.full(row.size, task.replicate, np.int32), "client": task.clients[row]}
        if name == "items":  # whose therapist is meant is told row by row
            known = table["therapist"] >= 0
            who["therapist"] = np.where(known, -1 if therapist is None else therapist[row], -1)
        elif name != "assessments":
            who["therapist"] = np.full(row.size, -1, np.int64) if therapist is None else therapist[row]
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


def run_of(scenario: Scenario, arm: Arm, replicate: int, seed: int, course: Course, model: Model = SHIPPED) -> Run:
    """What ``run`` would hold of one arm and replicate whose clients, all together, have had this course."""
    task = Task(arm, replicate, build.client_numbers(scenario, arm))
    therapist = build.therapist_numbers(scenario, arm, task.clients) if arm.therapist is not None else None
    part, arms = _tables(course, task, therapist), [a.name for a in scenario.arms]
    return Run(scenario, seed, **frames([(arm.name, part)], arms, clinic=False), model=model)


def run_of_clinic(scenario: Scenario, clinic: Clinic, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> Run:
    """What ``run`` would hold of one arm and replicate, had this clinic closed now."""
    part = _of_clinic(clinic_tables(clinic, replicate))
    return Run(scenario, seed, **frames([(arm.name, part)], [a.name for a in scenario.arms], clinic=True), model=model)
