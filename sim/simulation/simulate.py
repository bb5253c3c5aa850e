"""Running a scenario in memory: every arm, replicate and chunk of clients, on threads, to tidy tables.

The tables do not depend on the number of threads, their order or the size of the chunks: luck is addressed, dyads
are independent, and rows are put together in the scenario's order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.columns import (
    ASSESSMENTS,
    CLIENTS,
    CLINIC_TABLES,
    ENSEMBLE_TABLES,
    ITEMS,
    SESSIONS,
    TABLES,
    THERAPISTS,
    columns_of,
)
from sim.errors import ScenarioError, UsageError
from sim.people.state import DYAD
from sim.runs.uncertainty import over_members
from sim.scenario.scenario import Arm, Scenario
from sim.simulation import build as design
from sim.simulation.clinics import clinic_tables, simulated_clinic
from sim.simulation.tidy import frame, frames, styles_of
from sim.theory.parameters import nearest
from sim.therapy.clinic.week import Clinic
from sim.therapy.course import WEEKS_PER_MONTH, Course, run_course
from sim.therapy.model import SHIPPED, Model
from sim.therapy.session import ENDINGS

#: Dyads simulated together; a matter of memory and speed only.
CHUNK = 2000


@dataclass(frozen=True)
class Run:
    """What a scenario left behind: one table per level. All people in it are simulated.

    ``clients`` one row per course, ``sessions`` one per session held, ``assessments`` one per person and month,
    ``exchanges`` one per exchange of the dyads that the scenario asks to trace, ``items`` one per questionnaire where it asks for
    every mark. A clinic has two more: ``therapists``, one row per therapist in post and week, and ``clinic``, one per week. With
    ``parameters: ensemble`` there is ``ensemble``, one row per arm, set of numbers and measure; all other tables are of the
    default numbers. Columns are described in docs/DESIGN.md.
    """

    scenario: Scenario
    seed: int
    clients: pd.DataFrame
    sessions: pd.DataFrame
    assessments: pd.DataFrame
    exchanges: pd.DataFrame
    model: Model = SHIPPED
    made_with: Mapping[str, Any] = field(default_factory=dict)  # of a run read back: what its model had of its own
    items: pd.DataFrame = field(default_factory=pd.DataFrame)
    therapists: pd.DataFrame = field(default_factory=pd.DataFrame)
    clinic: pd.DataFrame = field(default_factory=pd.DataFrame)
    ensemble: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def own_model(self) -> Mapping[str, Any]:
        """What the model had beyond the shipped one, also in a run that was read back (its functions are not kept)."""
        return self.model.own or self.made_with

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The stored tables by name; ``exchanges``, ``items`` and ``ensemble`` only where asked for, a clinic's only of one."""
        clinic = self.scenario.design == "clinic"
        names = [name for name in TABLES if name not in ("exchanges", "items") or len(getattr(self, name))]
        more = [*(CLINIC_TABLES if clinic else ()), *(ENSEMBLE_TABLES if len(self.ensemble) else ())]
        return {name: getattr(self, name) for name in (*names, *more)}


@dataclass(frozen=True)
class Task:
    """A part of a run simulated by itself: some clients of one arm and replicate (of a clinic all; ``clients`` is empty)."""

    arm: Arm
    replicate: int
    clients: np.ndarray


def _tasks(scenario: Scenario, chunk: int) -> list[Task]:
    if scenario.design == "clinic":  # whoever shares therapists is simulated together
        return [Task(arm, replicate, np.empty(0, np.int64)) for arm in scenario.arms for replicate in range(scenario.replicates)]
    return [
        Task(arm, replicate, numbers[i : i + chunk])
        for arm in scenario.arms
        for replicate in range(scenario.replicates)
        for numbers in (design.client_numbers(scenario, arm),)
        for i in range(0, numbers.size, chunk)
    ]


def simulated_part(scenario: Scenario, seed: int, task: Task, model: Model = SHIPPED) -> dict[str, dict[str, Any]]:
    """The tables of one part, as columns: name -> column -> values; names of categories are still numbers."""
    if task.arm.clinic is not None:
        return _of_clinic(simulated_clinic(scenario, task.arm, task.replicate, seed, model))
    world = design.build(scenario, task.arm, task.replicate, seed, task.clients, model)
    course = run_course(world, design.arm_weeks(scenario, task.arm), model.session)
    therapist = design.therapist_numbers(scenario, task.arm, task.clients) if task.arm.therapist is not None else None
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


def fits_in_memory(scenario: Scenario) -> None:
    """Raise ``ScenarioError`` for a scenario whose tables would not fit into this machine's memory."""
    clients = scenario.clients_per_arm * scenario.replicates * len(scenario.arms)
    if scenario.design == "clinic":
        clients, rows, months, values = _clinic_sizes(scenario)
    else:
        each = clients // len(scenario.arms)
        rows = sum(arm.sessions for arm in scenario.arms if arm.therapist is not None) * each
        months = sum(design.arm_weeks(scenario, arm) // WEEKS_PER_MONTH + 1 for arm in scenario.arms) * each
        values = rows * len(SESSIONS) + months * len(ASSESSMENTS) + clients * len(CLIENTS)
    if scenario.keep_items:  # nine questionnaires a session, two a month, five a course; a mark takes two bytes of eight
        values += (9 * rows + 2 * months + 5 * clients) * len(ITEMS) // 4
    # Measured: about three times the tables themselves while they are put together.
    needed, there = 3.0 * 8.0 * values, float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if needed > 0.8 * there:
        fewer = "clients_per_arm, sessions, replicates or arms"
        if scenario.design == "clinic":
            fewer = "weeks, arrivals, replicates or arms, or keep less (record: {sessions: false, assessments: false})"
        raise ScenarioError(
            f"{scenario.name}: {rows:,} sessions and {months:,} assessments would need about {needed / 2**30:.0f} GiB of memory, "
            f"and this machine has {there / 2**30:.0f}; use fewer {fewer}"
        )


def _clinic_sizes(scenario: Scenario) -> tuple[int, int, int, int]:
    """Clients, sessions and assessments of a clinic scenario that will be kept, at most, and values of all tables."""
    clients = rows = months = values = 0
    for arm in scenario.arms:
        plan = arm.clinic
        assert plan is not None
        n = int(plan.arrivals_per_week * plan.intake_weeks * scenario.replicates)
        posts = plan.therapists * plan.weeks * scenario.replicates
        most = min(n * arm.sessions, posts * (plan.capacity + plan.overbook)) if arm.therapist is not None else 0
        clients += n
        rows += most if scenario.keep_sessions else 0
        months += n * (plan.weeks // WEEKS_PER_MONTH + 1) if scenario.keep_assessments else 0
        # A course's own state and lines are in memory while the clinic runs.
        values += n * (len(columns_of("clients", clinic=True)) + len(DYAD)) + posts * len(THERAPISTS)
    return clients, rows, months, values + rows * len(SESSIONS) + months * len(ASSESSMENTS)


def checked_seed(seed: int) -> int:
    """``seed`` if it is a whole number from 0 to 2^63 - 1. Raises ``UsageError``."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise UsageError(f"seed must be a whole number from 0 to 2^63 - 1, not {seed!r}")
    return int(seed)


def chosen_arm(scenario: Scenario, name: str | None, replicate: int) -> Arm:
    """The arm of that name; without a name the first with a therapist, or the first. Raises ``ScenarioError``."""
    arms = {arm.name: arm for arm in scenario.arms}
    if name is not None and name not in arms:
        raise ScenarioError(f"{scenario.name}: no arm '{name}'{nearest(str(name), arms)}; arms are: {', '.join(arms)}")
    if replicate not in range(scenario.replicates):
        raise ScenarioError(f"{scenario.name}: no replicate {replicate}; replicates are numbered 0 to {scenario.replicates - 1}")
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    return arms[name] if name is not None else (treated or list(scenario.arms))[0]


def run_of(scenario: Scenario, arm: Arm, replicate: int, seed: int, course: Course, model: Model = SHIPPED) -> Run:
    """What ``run`` would hold of one arm and replicate whose clients, all together, have had this course."""
    task = Task(arm, replicate, design.client_numbers(scenario, arm))
    therapist = design.therapist_numbers(scenario, arm, task.clients) if arm.therapist is not None else None
    part, arms = _tables(course, task, therapist), [a.name for a in scenario.arms]
    return Run(scenario, seed, **frames([(arm.name, part)], arms, clinic=False), model=model)


def run_of_clinic(scenario: Scenario, clinic: Clinic, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> Run:
    """What ``run`` would hold of one arm and replicate, had this clinic closed now."""
    part = _of_clinic(clinic_tables(clinic, replicate))
    return Run(scenario, seed, **frames([(arm.name, part)], [a.name for a in scenario.arms], clinic=True), model=model)


def run(
    scenario: Scenario,
    seed: int,
    *,
    threads: int | None = None,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
    model: Model = SHIPPED,
) -> Run:
    """Simulate a scenario. ``seed`` (an integer >= 0) fixes all luck; the same seed gives the same tables, exactly.

    ``threads`` (default: all cores) and ``chunk`` (clients simulated together) change speed only. ``progress`` is
    called with the number of tasks done and in all. ``model``: another than the shipped one
    (``sim.Model``). With ``parameters: ensemble`` the scenario is run once more with each of so many other sets of numbers, of
    which only ``Run.ensemble`` is kept. Raises ``StateError`` when a quantity leaves its range.
    """
    seed = checked_seed(seed)
    if scenario.batch is not None:
        raise ScenarioError(f"{scenario.name}: holds a batch of runs; run it with sim.run_batch or on the command line")
    if chunk < 1 or (threads is not None and threads < 1):
        raise UsageError("threads and chunk must be at least 1")
    fits_in_memory(scenario)
    total, done = len(_tasks(scenario, chunk)) * (1 + scenario.ensemble), 0

    def one_more() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:

        def simulated(one: Scenario) -> Run:
            return _simulated_on(pool, one, seed, chunk, one_more, model)

        # The members come first, while no tables are held that are kept.
        ensemble = over_members(scenario, simulated) if scenario.ensemble else pd.DataFrame()
        return replace(simulated(scenario), ensemble=ensemble)


def _simulated_on(
    pool: ThreadPoolExecutor, scenario: Scenario, seed: int, chunk: int, one_more: Callable[[], None], model: Model
) -> Run:
    """A scenario with one set of numbers, on these threads; ``one_more`` is called after every task."""
    tasks, parts = _tasks(scenario, chunk), []
    for part in pool.map(lambda task: simulated_part(scenario, seed, task, model), tasks):
        parts.append(part)
        one_more()
    tagged = [(task.arm.name, part) for task, part in zip(tasks, parts, strict=True)]
    return Run(scenario, seed, **frames(tagged, [arm.name for arm in scenario.arms], scenario.design == "clinic"), model=model)


def _numbered_on(part: dict[str, dict[str, Any]]) -> None:
    """Number the sessions of one client on through all courses, in a clinic where a course may be handed over."""
    sessions, exchanges = part["sessions"], part["exchanges"]
    mine = np.flatnonzero(sessions["client"] == exchanges["client"][0])
    mine = mine[np.argsort(sessions["week"][mine], kind="stable")]
    places = {
        (therapist, session): number
        for number, (therapist, session) in enumerate(zip(sessions["therapist"][mine], sessions["session"][mine], strict=True), 1)
    }
    old = zip(exchanges["therapist"], exchanges["session"], strict=True)
    exchanges["session"] = np.array([places[pair] for pair in old])
    sessions["session"] = sessions["session"].copy()
    sessions["session"][mine] = np.arange(1, mine.size + 1)


def traced_course(
    scenario: Scenario, seed: int, arm: str | None, client: int, replicate: int = 0, model: Model = SHIPPED
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Every exchange of one client's course, their sessions, and the arm's name.

    The client is simulated alone; luck is addressed, so this is exactly their course in the whole run. The ending
    is in ``sessions.attrs["ending"]``. Raises ``ScenarioError`` for an arm or client that does not exist.
    """
    arm_here = chosen_arm(scenario, arm, replicate)
    arms, chosen = [a.name for a in scenario.arms], arm_here.name
    if arm_here.therapist is None:
        raise ScenarioError(f"{scenario.name}: arm '{chosen}' has no therapist, so there are no sessions to look into")
    in_clinic = arm_here.clinic is not None
    if not in_clinic and not 0 <= client < scenario.clients_per_arm:
        raise ScenarioError(f"{scenario.name}: no client {client}; clients are numbered 0 to {scenario.clients_per_arm - 1}")
    update: dict[str, Any] = {"traced": {chosen: (client,)}, "keep_items": False}
    if in_clinic:  # who shares therapists cannot be simulated alone
        update |= {"keep_sessions": True, "keep_assessments": False}
    numbers = np.empty(0, np.int64) if in_clinic else design.client_numbers(scenario, arm_here)[client : client + 1]
    client_number = client if in_clinic else int(numbers[0])
    part = simulated_part(scenario.model_copy(update=update), seed, Task(arm_here, replicate, numbers), model)
    if in_clinic and "exchanges" not in part:
        n = int(part["clinic"]["arrivals_total"][-1])
        what = "never had a session" if 0 <= client < n else f"does not exist; {n} came, numbered from 0"
        raise ScenarioError(f"{scenario.name}: client {client} of arm '{chosen}' {what}")
    if in_clinic:
        _numbered_on(part)
    exchanges = frame([(chosen, part["exchanges"])], "exchanges", arms)
    exchanges["session"] = exchanges["session"].astype("int32")
    mine = {name: values[part["sessions"]["client"] == client_number] for name, values in part["sessions"].items()}
    sessions = frame([(chosen, mine)], "sessions", arms)
    sessions.attrs["ending"] = ENDINGS[int(part["clients"]["ending"][part["clients"]["client"] == client_number][-1])]
    return exchanges, sessions, chosen
