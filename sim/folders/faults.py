"""A failing course or clinic followed week by week: when it fails, which quantity leaves its range, and which verb moved it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from sim.errors import StateError
from sim.people.state import Columns
from sim.scenario.scenario import Arm, Scenario
from sim.simulation.build import COHORT_SIZE, arm_weeks, build, build_clinic
from sim.therapy.clinic.book import tables as tables_of
from sim.therapy.clinic.week import Clinic
from sim.therapy.course import Running
from sim.therapy.model import Model
from sim.therapy.session import Verb, World, traced_quantities

#: Weeks that are shown before the one in which it failed.
WEEKS_SHOWN = 6
#: Columns of a session that tell how therapy went, beside the quantity at fault.
_TOLD = ("session", "distress", "wai_client", "ruptures")
#: What is shown of a client where no quantity is at fault.
_STATE = ("client anxiety", "client avoidance", "client distress", "dyad client_alliance")
#: Columns of a clinic's week that tell how it stood.
_TOLD_OF_CLINIC = ("arrivals_total", "waiting", "in_therapy", "in_post", "away", "sessions_held")


@dataclass(frozen=True)
class Fault:
    """A quantity that is no number or outside its range: whose, its value, range, unit, meaning; the exchange, where known."""

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


# ------------------------------------------------------------------------------------------------- one client, alone


def at_fault(scenario: Scenario, arm: Arm, replicate: int, seed: int, clients: np.ndarray, model: Model) -> int | None:
    """Whose quantity is out of range when these clients, simulated together, fail; missing where none is."""
    world = None
    try:
        world = build(scenario, arm, replicate, seed, clients, model)
        running = Running(world, model.session)
        for _ in range(arm_weeks(scenario, arm)):
            running.live_a_week()
    except (MemoryError, OSError):
        raise
    except Exception as e:
        faults = () if world is None else faults_in(world, e, len(world.dyads), len(world.clients))
        return int(clients[faults[0].row]) if faults else None
    return None


def followed_client(scenario: Scenario, arm: Arm, replicate: int, seed: int, client: int, model: Model) -> Followed:
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
    faults = faults_in(world, error, len(world.dyads), len(world.clients))

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
    """What each verb of the last session made of the quantities at fault: first what they were before it, then a row for every
    verb that changed one. ``again`` simulates until it fails, on the model it is given."""
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


def faults_in(world: World, error: Exception | None, dyads: int, clients: int) -> tuple[Fault, ...]:
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
    named = error.quantities if isinstance(error, StateError) else ()
    return tuple([fault for fault in found if fault.name in named] or found)


def _exchange(world: World, row: int, name: str, low: float, high: float) -> int | None:
    """In which exchange of the last session a quantity first left its range, where the exchanges were followed."""
    quantities = traced_quantities(world)
    if world.trace_row[row] < 0 or name not in quantities:
        return None
    values = world.trace[world.trace_row[row]][:, list(quantities).index(name)]
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    return int(wrong[0]) + 1 if wrong.size else None


def _weeks(running: Running, states: Sequence[dict[str, float]], faults: Sequence[Fault]) -> pd.DataFrame:
    """The last weeks: what was told in sessions, and the quantities at fault (without any: how the client was)."""
    shown = [f"{fault.whose} {fault.name}" for fault in faults] or list(_STATE)
    table = pd.DataFrame(states)[["week", *(name for name in shown if name in states[-1])]].astype({"week": int})
    table = table.drop_duplicates("week", keep="last")
    sessions: dict[str, np.ndarray] = {}
    with contextlib.suppress(Exception):  # of a course that failed, as far as it can be told
        sessions = running.so_far().sessions
    if sessions:
        held = pd.DataFrame({name: sessions[name] for name in ("week", *_TOLD) if name in sessions})
        table = held.merge(table, on="week", how="outer").sort_values("week")
        first = ["week", *(name for name in _TOLD if name in table)]
        table = table[[*first, *(name for name in table if name not in first)]]
    return table.tail(WEEKS_SHOWN + 1).reset_index(drop=True)


# ---------------------------------------------------------------------------------------------------- a whole clinic


def followed_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model) -> Followed:
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
    faults = faults_in(clinic.world, error, clinic.courses, clinic.arrived)
    of_clients = [int(clinic.world.client_of[f.row]) if f.whose == "dyad" else f.row for f in faults if f.whose != "therapist"]
    client = of_clients[0] if of_clients else None
    table = pd.DataFrame()
    with contextlib.suppress(Exception):  # of a clinic that failed, as far as it can be told
        tables = tables_of(clinic, clinic.book)
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
