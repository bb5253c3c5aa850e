"""One failed run of a batch, simulated alone on the same luck, and narrowed down to who, when and which quantity."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.experiments import ledger as ledgers
from sim.experiments.batch import failures_in
from sim.experiments.chunks import Failure, Key, outcomes_of, said, seed_at, task_of, told
from sim.experiments.clinics import build_clinic, clinic_tables
from sim.experiments.design import COHORT_SIZE, arm_weeks, build
from sim.experiments.measures import arms as arms_and_kinds
from sim.experiments.points import Point, scenario_at
from sim.experiments.points import told as told_level
from sim.experiments.reopened import ADDED, reopened
from sim.experiments.run import Task, simulated_part
from sim.experiments.scenario import Arm, Scenario, from_spec
from sim.experiments.scenario_clinic import ClinicFile
from sim.experiments.scenario_format import ScenarioFile
from sim.experiments.store import StoreError
from sim.people.state import Columns
from sim.theory.parameters import NUMBERS
from sim.theory.regions import ROLES
from sim.therapy.clinic import Clinic
from sim.therapy.course import Running
from sim.therapy.model import SHIPPED, Model
from sim.therapy.session import Verb, World, traced_quantities

#: Weeks that are shown before the one in which it failed.
WEEKS_SHOWN = 6
#: Columns of a session that tell how therapy went, beside the quantity at fault.
_TOLD = ("session", "distress", "wai_client", "ruptures")
#: Columns of a clinic's week that tell how it stood.
_TOLD_OF_CLINIC = ("arrivals_total", "waiting", "in_therapy", "in_post", "away", "sessions_held")


@dataclass(frozen=True)
class Change:
    """What a point sets by address: its value, and what stands there without the point."""

    address: str
    value: Any
    otherwise: Any


@dataclass(frozen=True)
class Fault:
    """A quantity that is no number or outside its range: whose, its value, range, unit and meaning, and the exchange, if known."""

    whose: str
    row: int
    name: str
    value: float
    low: float
    high: float
    unit: str
    meaning: str
    exchange: int | None = None


@dataclass(frozen=True)
class Followed:
    """A run followed week by week until it failed: the error, the week, what is out of range, and the weeks before.

    ``steps``: what the verbs of the last session made of the quantities at fault, one row a verb that changed one of them.
    """

    error: Exception | None
    week: int
    faults: tuple[Fault, ...] = ()
    client: int | None = None
    weeks: pd.DataFrame = field(default_factory=pd.DataFrame)
    steps: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Replay:
    """A failed run simulated again: what it was, whether it fails again and how, and how far it could be narrowed down.

    ``error`` is missing where it runs well now. ``client``: the first client who fails when simulated alone, as numbered in the
    tables; missing in a clinic, and where nobody fails alone. ``together``: clients who were simulated together.
    """

    folder: Path
    number: int
    of: int
    failure: Failure
    point: Point
    scenario: Scenario
    arm: Arm
    seed: int
    changes: tuple[Change, ...]
    program: tuple[str, ...]
    together: int
    error: str | None
    traceback: str
    client: int | None
    followed: Followed | None
    files: tuple[Path, ...] = ()  # that were added with --with, as the batch keeps them

    @property
    def same(self) -> bool:
        """Whether it failed just as it did in the batch."""
        return self.error == self.failure.error

    @property
    def place(self) -> int | None:
        """The client's number within the arm, from 0, as ``attune trace`` takes it."""
        return None if self.client is None else self.client - self.arm.cohort * COHORT_SIZE


def failures_of(folder: str | Path) -> list[Failure]:
    """The failures of a batch so far, numbered by their place. Raises ``StoreError``."""
    return failures_in(ledgers.read(Path(folder)))


#: Levels of a factor up to which failures are counted level by level.
_FEW = 12


def where_they_lie(points: Sequence[Point], failures: Sequence[Failure]) -> dict[str, str]:
    """For the arm and every factor: at which levels the failures lie, in words. What says nothing is left out."""
    found = {}
    for name in dict.fromkeys(name for point in points for name in point.changes):
        every = [p.changes.get(name) for p in points]
        failed = [points[f.point].changes.get(name) for f in failures]
        levels = list(dict.fromkeys(map(level, every)))
        if len(levels) > _FEW and all(isinstance(v, (int, float)) for v in every):
            found[name] = f"{level(min(failed))} to {level(max(failed))} (all points: {level(min(every))} to {level(max(every))})"
        elif 1 < len(levels) <= _FEW:
            counts = Counter(map(level, failed))
            found[name] = ", ".join(f"{one}: {counts[one] or 'none'}" for one in levels)
    return found


def level(value: Any) -> str:
    """A level of a factor as people read it."""
    return "as it stands" if value is None else told_level(value)


def replayed(folder: str | Path, number: int = 0, *, model: Model = SHIPPED) -> Replay:
    """Simulate a failed run of a batch alone, on the same luck, and narrow it down. ``number``: its place in ``failures_of``.

    ``model``: the one that the batch was run on, where that was not the shipped one. Raises ``StoreError`` where there is no such
    failure, or the batch cannot be planned again.
    """
    found = reopened(folder, model)
    failures = failures_in(found.ledger)
    if not 0 <= number < len(failures):
        there = f"failures are numbered 0 to {len(failures) - 1}" if failures else "nothing has failed in it"
        raise StoreError(f"{folder}: has no failure {number}; {there}")
    failure = failures[number]
    point = found.plan.points[failure.point]
    scenario = scenario_at(found.plan.scenario, point.changes)
    arm = next(a for a in scenario.arms if a.name == failure.arm)
    seed = seed_at(found.plan.seed, found.plan.batch.luck, point.changes)
    task = task_of(scenario, arm, Key(failure.point, failure.replicate, failure.block))

    def fails(clients: np.ndarray) -> Exception | None:
        return _error_of(scenario, seed, Task(arm, task.replicate, clients), model)

    error = fails(task.clients)
    client, followed = None, None
    if error is not None and arm.clinic is not None:
        followed = _followed_clinic(scenario, arm, task.replicate, seed, model)
    elif error is not None:
        client = first_failing(task.clients, lambda clients: fails(clients) is not None)
        if client is not None:
            followed = _followed_client(scenario, arm, task.replicate, seed, client, model)
    return Replay(
        Path(folder), number, len(failures), failure, point, scenario, arm, seed, changes_of(found.plan.scenario, point), found.changed, int(task.clients.size),
        None if error is None else said(error), "" if error is None else told(error), client, followed,
        tuple(found.folder / ADDED / Path(name).name for name in found.begun["files"]),
    )  # fmt: skip


def _error_of(scenario: Scenario, seed: int, task: Task, model: Model) -> Exception | None:
    """What goes wrong in a task as a batch does it, the outcomes included."""
    try:
        outcomes_of(scenario, task.arm, simulated_part(scenario, seed, task, model))
    except (MemoryError, OSError):
        raise
    except Exception as e:
        return e
    return None


def first_failing(clients: np.ndarray, fails: Callable[[np.ndarray], bool]) -> int | None:
    """The first client who fails when simulated alone, by halving; missing where the one it comes down to does not fail alone.

    ``clients``: numbers, which fail together. Together at most as many courses are simulated as these have.
    """
    while clients.size > 1:
        half = clients.size // 2
        clients = clients[:half] if fails(clients[:half]) else clients[half:]
    return int(clients[0]) if clients.size and fails(clients) else None


def changes_of(scenario: Scenario, point: Point) -> tuple[Change, ...]:
    """What a point sets, each beside what stands there in the scenario or is the default."""
    return tuple(Change(address, value, _otherwise(scenario.spec, address)) for address, value in point.changes.items())


def _otherwise(spec: Any, address: str) -> Any:
    own = spec.get("parameters") or {}
    if isinstance(own, dict) and address in own:
        return own[address]
    at, rest = spec, address
    while rest and isinstance(at, dict):
        key = max((k for k in at if rest == k or rest.startswith(f"{k}.")), key=len, default=None)
        if key is None:
            break
        at, rest = at[key], rest[len(key) + 1 :]
    if not rest:
        return at
    name = address.rpartition(".")[2]
    if name in NUMBERS:
        return NUMBERS[name].default
    fields = ClinicFile.model_fields if f".{address}".endswith(f".clinic.{name}") else ScenarioFile.model_fields
    return fields[name].default if name in fields and isinstance(fields[name].default, (bool, int, float, str)) else None


# ------------------------------------------------------------------------------------------------- one client, alone


def _followed_client(scenario: Scenario, arm: Arm, replicate: int, seed: int, client: int, model: Model) -> Followed:
    """One client's course, alone, week by week until it fails; what was told of it, and the quantity at fault, by week."""
    traced = scenario.model_copy(update={"traced": {arm.name: (client - arm.cohort * COHORT_SIZE,)}})
    world, running, states = None, None, []
    error: Exception | None = None
    try:
        world = build(traced, arm, replicate, seed, np.array([client], np.int64), model)
        running = Running(world, model.session)
        for _ in range(arm_weeks(scenario, arm)):
            running.live_a_week()
            states.append(_state(world))
    except (MemoryError, OSError):
        raise
    except Exception as e:
        error = e
    if world is None or running is None or error is None:
        return Followed(error, 0, client=client)
    states.append(_state(world))
    faults = faults_in(world, str(error), len(world.dyads), len(world.clients))

    def again(watched: Model) -> None:
        second = Running(build(scenario, arm, replicate, seed, np.array([client], np.int64), watched), watched.session)
        for _ in range(arm_weeks(scenario, arm)):
            second.live_a_week()

    return Followed(error, world.week, faults, client, _weeks(running, states, faults), steps_in(again, model, faults))


def _state(world: World) -> dict[str, float]:
    """Everything known of a client who is simulated alone, and of their dyad, this week."""
    kept: dict[str, float] = {"week": world.week}
    for whose, columns in _of(world, len(world.dyads), len(world.clients)):
        if len(columns):
            kept |= {f"{whose} {name}": float(columns[name][0]) for name in columns.declared}
    return kept


def steps_in(again: Callable[[Model], None], model: Model, faults: Sequence[Fault]) -> pd.DataFrame:
    """What each verb of the last session made of the quantities at fault: a first row for what they were before it, then a row for
    every verb that changed one. ``again`` simulates until it fails, on the model it is given."""
    seen: list[dict[str, Any]] = []

    def note(world: World, verb: str) -> None:
        people = {"dyad": world.dyads, "client": world.clients, "therapist": world.therapists}
        values = {f"{f.whose} {f.name}": float(people[f.whose][f.name][f.row]) for f in faults}
        seen.append({"week": world.week, "verb": verb, **values})

    def watched(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def watching(world: World, rows: np.ndarray) -> None:
            if verb is model.session[0]:
                note(world, "(before)")
            try:
                verb(world, rows)
            finally:
                note(world, verb.__name__)

        return watching

    if not faults:
        return pd.DataFrame()
    with contextlib.suppress(Exception):  # it fails, or there would be nothing to explain
        again(replace(model, session=tuple(map(watched, model.session))))
    table = pd.DataFrame(seen)
    if table.empty:
        return table
    table = table[table["week"] == table["week"].max()].drop(columns="week").reset_index(drop=True)
    values = table.drop(columns="verb")
    moved = ((values != values.shift()) & ~(values.isna() & values.shift().isna())).any(axis=1)
    return table[moved].reset_index(drop=True)


def _of(world: World, dyads: int, clients: int) -> tuple[tuple[str, Columns], ...]:
    return ("dyad", world.dyads.first(dyads)), ("client", world.clients.first(clients)), ("therapist", world.therapists)


def faults_in(world: World, error: str, dyads: int, clients: int) -> tuple[Fault, ...]:
    """The quantities of a world that are no number or outside their range; where the error names some of them, these alone."""
    found = []
    for whose, columns in _of(world, dyads, clients):
        for name, column in columns.declared.items():
            values = columns[name]
            wrong = np.flatnonzero(~((values >= column.low) & (values <= column.high)))
            if wrong.size:
                row, value = int(wrong[0]), float(values[wrong[0]])
                exchange = _exchange(world, row, name, column.low, column.high) if whose == "dyad" else None
                found.append(Fault(whose, row, name, value, column.low, column.high, column.unit, column.meaning, exchange))
    named = [fault for fault in found if fault.name in error.replace(":", " ").replace(",", " ").split()]
    return tuple(named or found)


def _exchange(world: World, row: int, name: str, low: float, high: float) -> int | None:
    """In which exchange of the last session a quantity first left its range, where the exchanges were followed."""
    quantities = traced_quantities(world)
    if world.trace_row[row] < 0 or name not in quantities:
        return None
    values = world.trace[world.trace_row[row]][:, list(quantities).index(name)]
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    return int(wrong[0]) + 1 if wrong.size else None


def _weeks(running: Running, states: Sequence[dict[str, float]], faults: Sequence[Fault]) -> pd.DataFrame:
    """The last weeks: what was told in sessions, and the quantities at fault (without any: latent distress)."""
    shown = [f"{fault.whose} {fault.name}" for fault in faults] or ["client distress"]
    table = pd.DataFrame(states)[["week", *(name for name in shown if name in states[-1])]].astype({"week": int})
    table = table.drop_duplicates("week", keep="last")
    sessions: dict[str, np.ndarray] = {}
    with contextlib.suppress(Exception):  # of a course that failed, as far as it can be told
        sessions = running.so_far().sessions
    if sessions:
        held = pd.DataFrame({name: sessions[name] for name in ("week", *_TOLD) if name in sessions})
        table = held.merge(table, on="week", how="outer").sort_values("week")
        table = table[["week", *(name for name in _TOLD if name in table), *table.columns.difference(["week", *_TOLD], sort=False)]]
    return table.tail(WEEKS_SHOWN + 1).reset_index(drop=True)


# ---------------------------------------------------------------------------------------------------- a whole clinic


def _followed_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model) -> Followed:
    """A clinic week by week until it fails: whose quantity is at fault and their last sessions, else how the clinic stood."""
    kept = scenario.model_copy(update={"keep_sessions": True, "keep_assessments": False, "traced": {}})
    clinic: Clinic | None = None
    error: Exception | None = None
    assert arm.clinic is not None
    try:
        clinic = build_clinic(kept, arm, replicate, seed, model)
        for _ in range(arm.clinic.weeks):
            clinic.live_a_week()
    except (MemoryError, OSError):
        raise
    except Exception as e:
        error = e
    if clinic is None or error is None:
        return Followed(error, 0)
    faults = faults_in(clinic.world, str(error), clinic.courses, clinic.arrived)
    client = next((int(clinic.world.client_of[f.row]) if f.whose == "dyad" else f.row for f in faults if f.whose != "therapist"), None)
    table = pd.DataFrame()
    with contextlib.suppress(Exception):  # of a clinic that failed, as far as it can be told
        tables = clinic_tables(clinic, replicate)
        table = _told_of(tables["sessions"], client) if client is not None else pd.DataFrame(
            {name: tables["clinic"][name] for name in ("week", *_TOLD_OF_CLINIC)})  # fmt: skip

    def again(watched: Model) -> None:
        second = build_clinic(scenario, arm, replicate, seed, watched)
        for _ in range(arm.clinic.weeks if arm.clinic is not None else 0):
            second.live_a_week()

    steps = steps_in(again, model, faults)
    return Followed(error, clinic.world.week, faults, client, table.tail(WEEKS_SHOWN).reset_index(drop=True), steps)


def _told_of(sessions: dict[str, Any], client: int) -> pd.DataFrame:
    mine = sessions["client"] == client
    return pd.DataFrame({name: sessions[name][mine] for name in ("week", *_TOLD, "therapist")}).sort_values("week")


# ------------------------------------------------------------------------------------------------ a scenario of its own


def alone(found: Replay) -> Scenario:
    """A scenario that fails in the same way when it is run on ``found.seed``: this point, this arm, no more people than needed.

    Replicates are numbered from 0, and so are clients: those before the one who fails are in it.
    """
    spec = {key: value for key, value in found.scenario.spec.items() if key not in ("title", "record")}
    where = f"point '{found.point.name}', arm '{found.arm.name}', replicate {found.failure.replicate}"
    who = "" if found.place is None else f", client {found.place}"
    changes: dict[str, Any] = {"question": f"Why does this fail: {where}{who}?", "replicates": found.failure.replicate + 1}
    if spec.get("arms"):
        changes["arms"] = {found.arm.name: spec["arms"][found.arm.name]}
    if found.scenario.design == "crossed" and found.arm.therapist is not None:
        kinds = arms_and_kinds(found.scenario).set_index("arm").loc[found.arm.name]
        for role in ROLES:
            kind, given = kinds[role], spec[role]
            changes[role] = {kind: given[kind]} if isinstance(given, dict) else [kind]
    if found.place is not None:
        changes["clients_per_arm"] = found.place + 1
    return from_spec({**spec, **changes}, f"{found.scenario.name}-failure-{found.number}")
