"""Running a scenario in memory: every arm, replicate and chunk of clients, on threads, to tidy tables.

The tables do not depend on the number of threads, their order or the size of the chunks: luck is addressed, dyads
are independent, and rows are put together in the scenario's order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sim.experiments import design
from sim.experiments.columns import ASSESSMENTS, CLIENTS, SESSIONS, TABLES
from sim.experiments.scenario import Arm, Scenario, ScenarioError
from sim.theory.parameters import nearest
from sim.theory.styles import STYLES, style_index
from sim.therapy.course import RUPTURE_TYPES, WEEKS_PER_MONTH, Course, run_course
from sim.therapy.model import SHIPPED, Model
from sim.therapy.session import ENDINGS

#: Dyads simulated together; a matter of memory and speed only.
CHUNK = 2000

_COUNTS = (
    "session",
    "week",
    "month",
    "ruptures",
    "repairs",
    "open_rupture",
    "ruptures_client_reported",
    "ruptures_observer_reported",
    "planned_sessions",
    "sessions_attended",
    "life_events",
    "exchange",
)

@dataclass(frozen=True)
class Run:
    """What a scenario left behind: one table per level. All people in it are simulated.

    ``clients`` one row per course, ``sessions`` one per session held, ``assessments`` one per person and month,
    ``exchanges`` one per exchange of the dyads that the scenario asks to trace, ``therapists`` one per therapist
    and arm. Columns are described in docs/DESIGN.md.
    """

    scenario: Scenario
    seed: int
    clients: pd.DataFrame
    sessions: pd.DataFrame
    assessments: pd.DataFrame
    exchanges: pd.DataFrame
    model: Model = SHIPPED
    made_with: Mapping[str, Any] = field(default_factory=dict)  # of a run read back: what its model had of its own

    @property
    def own_model(self) -> Mapping[str, Any]:
        """What the model had beyond the shipped one, also in a run that was read back (its functions are not kept)."""
        return self.model.own or self.made_with

    @cached_property
    def therapists(self) -> pd.DataFrame:
        """One row per therapist and arm: style, attachment at start and end, clients seen, their alliance and outcome."""
        treated = self.clients[self.clients["therapist"].notna()]
        keys = ["arm", "replicate", "therapist"]
        alliance = self.sessions.groupby(keys, observed=True)["wai_client"].mean().rename("mean_wai_client")
        table = treated.groupby(keys, observed=True).agg(
            therapist_style=("therapist_style", "first"),
            clients=("client", "size"),
            anxiety_0=("therapist_anxiety_0", "first"),
            avoidance_0=("therapist_avoidance_0", "first"),
            anxiety_end=("therapist_anxiety_end", "mean"),
            avoidance_end=("therapist_avoidance_end", "mean"),
            dropout_share=("ending", lambda e: float((e == "dropout").mean())),
            mean_distress_change=("distress_end", "mean"),
        )
        table["mean_distress_change"] -= treated.groupby(keys, observed=True)["distress_0"].mean()
        return table.join(alliance).reset_index()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The stored tables by name; ``exchanges`` only where something was traced."""
        every = {"clients": self.clients, "sessions": self.sessions, "assessments": self.assessments, "exchanges": self.exchanges}
        return {name: table for name, table in every.items() if name != "exchanges" or len(table)}


@dataclass(frozen=True)
class _Task:
    arm: Arm
    replicate: int
    clients: np.ndarray


def _tasks(scenario: Scenario, chunk: int) -> list[_Task]:
    return [
        _Task(arm, replicate, numbers[i : i + chunk])
        for arm in scenario.arms
        for replicate in range(scenario.replicates)
        for numbers in (design.client_numbers(scenario, arm),)
        for i in range(0, numbers.size, chunk)
    ]


def _simulated(scenario: Scenario, seed: int, task: _Task, model: Model) -> dict[str, dict[str, Any]]:
    world = design.build(scenario, task.arm, task.replicate, seed, task.clients, model)
    course = run_course(world, design.arm_weeks(scenario, task.arm), model.session)
    therapist = design.therapist_numbers(scenario, task.arm, task.clients) if task.arm.therapist is not None else None
    return _tables(course, task, therapist)


def _styles(anxiety: np.ndarray, avoidance: np.ndarray) -> np.ndarray:
    # Latent scores; people without a therapist get the position after the last style.
    known = ~np.isnan(anxiety)
    return np.where(known, style_index(np.nan_to_num(anxiety), np.nan_to_num(avoidance)), len(STYLES))


def _tables(course: Course, task: _Task, therapist: np.ndarray | None) -> dict[str, dict[str, Any]]:
    """The columns of one task's tables, with who they are about; names of categories are still numbers."""
    c = course.clients
    clients = {
        "row": np.arange(task.clients.size),
        **c,
        "client_style": _styles(c["client_anxiety_0_latent"], c["client_avoidance_0_latent"]),
        "therapist_style": _styles(c["therapist_anxiety_0_latent"], c["therapist_avoidance_0_latent"]),
    }
    out = {}
    for name, table in (
        ("clients", clients),
        ("sessions", course.sessions),
        ("assessments", course.assessments),
        ("exchanges", course.exchanges),
    ):
        if not table:
            continue
        row = table["row"]
        who = {"replicate": np.full(row.size, task.replicate, np.int32), "client": task.clients[row]}
        if name != "assessments":
            who["therapist"] = np.full(row.size, -1, np.int64) if therapist is None else therapist[row]
        out[name] = {**who, **{k: v for k, v in table.items() if k != "row"}}
    return out


def _labelled(codes: np.ndarray, labels: Iterable[str]) -> pd.Categorical[Any]:
    return pd.Categorical.from_codes(np.asarray(codes, np.int32), categories=pd.Index(list(labels), dtype="str"))


def _frame(parts: list[tuple[str, dict[str, Any]]], table: str, arms: Iterable[str]) -> pd.DataFrame:
    """One table from the parts of all tasks, in order, with labels and types."""
    arms, order = list(arms), list(TABLES[table])
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in order})
    arm_codes = np.concatenate([np.full(p["client"].size, arms.index(arm)) for arm, p in parts])
    data: dict[str, Any] = {"arm": _labelled(arm_codes, arms)}
    # An instrument that is first given late has no column where courses are shorter.
    for name in dict.fromkeys(name for _, p in parts for name in p):
        values = np.concatenate([p.get(name, np.full(p["client"].size, np.nan)) for _, p in parts])
        if name == "therapist":
            data[name] = pd.arrays.IntegerArray(np.where(values < 0, 0, values), values < 0)
        elif name in ("client_style", "therapist_style"):
            data[name] = _labelled(values, [*STYLES, "none"])
        elif name == "ending":
            data[name] = _labelled(values - 1, ENDINGS[1:])
        elif name == "rupture_type":
            data[name] = _labelled(values, RUPTURE_TYPES)
        else:
            data[name] = values.astype(np.int32) if name in _COUNTS else values
    more = [name for name in data if name not in TABLES[table]]  # of mechanisms and instruments that were added
    nothing = np.full(arm_codes.size, np.nan)  # in columns of a step or verb that a changed model is without
    return pd.DataFrame({name: data.get(name, nothing) for name in (*order, *more)})


def fits_in_memory(scenario: Scenario) -> None:
    """Raise ``ScenarioError`` for a scenario whose tables would not fit into this machine's memory."""
    clients = scenario.clients_per_arm * scenario.replicates
    rows = sum(arm.sessions for arm in scenario.arms if arm.therapist is not None) * clients
    months = sum(design.arm_weeks(scenario, arm) // WEEKS_PER_MONTH + 1 for arm in scenario.arms) * clients
    values = rows * len(SESSIONS) + months * len(ASSESSMENTS) + clients * len(scenario.arms) * len(CLIENTS)
    # Measured: about three times the tables themselves while they are put together.
    needed, there = 3.0 * 8.0 * values, float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if needed > 0.8 * there:
        raise ScenarioError(
            f"{scenario.name}: {rows:,} sessions and {months:,} assessments would need about {needed / 2**30:.0f} GiB of memory, "
            f"and this machine has {there / 2**30:.0f}; use fewer clients_per_arm, sessions, replicates or arms"
        )


def checked_seed(seed: int) -> int:
    """``seed`` if it is a whole number from 0 to 2^63 - 1. Raises ``ValueError``."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0 to 2^63 - 1, not {seed!r}")
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
    task = _Task(arm, replicate, design.client_numbers(scenario, arm))
    therapist = design.therapist_numbers(scenario, arm, task.clients) if arm.therapist is not None else None
    part, arms = _tables(course, task, therapist), [a.name for a in scenario.arms]
    frames = {name: _frame([(arm.name, part[name])] if name in part else [], name, arms) for name in TABLES}
    clients, sessions, assessments, exchanges = (frames[name] for name in TABLES)
    return Run(scenario, seed, clients, sessions, assessments, exchanges, model)


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
    (``sim.Model``). Raises ``StateError`` when a quantity leaves its range.
    """
    seed = checked_seed(seed)
    if chunk < 1 or (threads is not None and threads < 1):
        raise ValueError("threads and chunk must be at least 1")
    fits_in_memory(scenario)
    tasks = _tasks(scenario, chunk)
    parts: list[dict[str, dict[str, Any]]] = []
    with ThreadPoolExecutor(max_workers=threads or os.cpu_count() or 1) as pool:
        for done, part in enumerate(pool.map(lambda task: _simulated(scenario, seed, task, model), tasks), start=1):
            parts.append(part)
            if progress is not None:
                progress(done, len(tasks))
    arms = [arm.name for arm in scenario.arms]
    frames = {
        name: _frame([(task.arm.name, part[name]) for task, part in zip(tasks, parts, strict=True) if name in part], name, arms)
        for name in TABLES
    }
    clients, sessions, assessments, exchanges = (frames[name] for name in TABLES)
    return Run(scenario, seed, clients, sessions, assessments, exchanges, model)


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
    if not 0 <= client < scenario.clients_per_arm:
        raise ScenarioError(f"{scenario.name}: no client {client}; clients are numbered 0 to {scenario.clients_per_arm - 1}")
    alone = scenario.model_copy(update={"traced": {chosen: (client,)}})
    task = _Task(arm_here, replicate, design.client_numbers(scenario, arm_here)[client : client + 1])
    part = _simulated(alone, seed, task, model)
    exchanges = _frame([(chosen, part["exchanges"])], "exchanges", arms)
    exchanges["session"] = exchanges["session"].astype("int32")
    sessions = _frame([(chosen, part["sessions"])], "sessions", arms)
    sessions.attrs["ending"] = ENDINGS[int(part["clients"]["ending"][0])]
    return exchanges, sessions, chosen
