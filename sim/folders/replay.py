"""One failed run of a batch, simulated alone with common random numbers, and narrowed down to who, when and which quantity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.batch.chunk import Failure, Key, outcomes_of, said, seed_at, task_of, told
from sim.batch.resume import failures_in
from sim.errors import StoreError
from sim.folders.faults import Followed, at_fault, followed_client, followed_clinic
from sim.folders.reopened import reopened
from sim.scenario.arms import arms as arms_and_kinds
from sim.scenario.fields import ScenarioFile
from sim.scenario.points import Point, scenario_at
from sim.scenario.points import told as told_level
from sim.scenario.scenario import Arm, Scenario, from_spec
from sim.simulation.build import COHORT_SIZE
from sim.simulation.tasks import Task, simulated_part
from sim.storage import ledger as ledgers
from sim.storage.names import ADDED
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import ROLES
from sim.therapy.clinic.plan import Plan
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Change:
    """What a point sets by address: its value, and what stands there without the point."""

    address: str
    value: Any
    otherwise: Any


@dataclass(frozen=True)
class Replay:
    """A failed run simulated again: what it was, whether it fails again and how, and how far it could be narrowed down.

    ``error`` is missing where it runs well now. ``client``: the one whose quantity the error is about, else the first who fails
    when simulated alone, as numbered in the tables; missing in a clinic, and where nobody fails alone. ``together``: how many
    clients were simulated together.
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
    return failures_in(ledgers.read(Path(folder)).lines)


#: Levels of a factor up to which failures are counted level by level.
_FEW = 12


def tasks_at(folder: str | Path) -> Counter[int]:
    """How many tasks of each point have been simulated so far."""
    done: Counter[int] = Counter()
    for line in ledgers.read(Path(folder)).lines:
        for point, _, count in line.get("tasks", ()):
            done[point] += count
    return done


def where_they_lie(points: Sequence[Point], failures: Sequence[Failure], tasks: Mapping[int, int], arms: int) -> dict[str, str]:
    """For every factor: how many runs failed at each level, of how many so far, in words. What says nothing is left out.

    ``tasks``: tasks of each point that were simulated; each holds a run of each of so many ``arms``.
    """
    found = {}
    for name in dict.fromkeys(name for point in points for name in point.changes):
        every = [p.changes.get(name) for p in points]
        failed = [points[f.point].changes.get(name) for f in failures]
        levels = list(dict.fromkeys(map(level, every)))
        if len(levels) > _FEW and all(isinstance(v, (int, float)) for v in every):
            ends = [level(float(end(values))) for values in (np.array(failed), np.array(every)) for end in (np.min, np.max)]
            found[name] = f"{ends[0]} to {ends[1]} (all points: {ends[2]} to {ends[3]})"
        elif 1 < len(levels) <= _FEW:
            counts, runs = Counter(map(level, failed)), Counter[str]()
            for value, point in zip(every, points, strict=True):
                runs[level(value)] += tasks.get(point.number, 0) * arms
            of = {one: f"{counts[one] or 'none'} of {runs[one]}" if runs[one] else "not run yet" for one in levels}
            found[name] = ", ".join(f"{one}: {said}" for one, said in of.items())
    return found


def level(value: Any) -> str:
    """A level of a factor as people read it."""
    return "as it stands" if value is None else told_level(value)


def replayed(
    folder: str | Path, number: int = 0, *, model: Model = SHIPPED, progress: Callable[[str], None] = lambda line: None
) -> Replay:
    """Simulate a failed run of a batch alone, with common random numbers, and narrow it down. ``number``: its place in
    ``failures_of``.

    ``model``: the one that the batch was run on, where that was not the shipped one. ``progress`` is called with a line before
    each step. Raises ``StoreError`` where there is no such failure, or the batch cannot be planned again.

    Returns a ``Replay``: the error again, whose it is, in which week, and the weeks before it.

    >>> sim.replayed(finished)
    Traceback (most recent call last):
        ...
    sim.errors.StoreError: ...: has no failure 0; ...
    """
    found = reopened(folder, model)
    failures = failures_in(found.ledger.lines)
    if not 0 <= number < len(failures):
        there = f"failures are numbered 0 to {len(failures) - 1}" if failures else "nothing has failed in it"
        raise StoreError(f"{folder}: has no failure {number}; {there}")
    failure = failures[number]
    point = found.plan.points[failure.point]
    scenario = scenario_at(found.plan.scenario, point.changes)
    arm = next(a for a in scenario.arms if a.name == failure.arm)
    seed = seed_at(found.plan.seed, found.plan.batch.random_numbers, point.changes)
    task = task_of(scenario, arm, Key(failure.point, failure.replicate, failure.block))

    def fails(clients: np.ndarray) -> Exception | None:
        return _error_of(scenario, seed, Task(arm, task.replicate, clients), model)

    progress("simulating it again, alone")
    error = fails(task.clients)
    client, followed = None, None
    if error is not None:
        progress("looking for where it begins")
    if error is not None and arm.clinic is not None:
        followed = followed_clinic(scenario, arm, task.replicate, seed, model)
    elif error is not None:
        client = at_fault(scenario, arm, task.replicate, seed, task.clients, model)
        if client is None or fails(np.array([client])) is None:
            client = first_failing(task.clients, lambda clients: fails(clients) is not None)
        if client is not None:
            followed = followed_client(scenario, arm, task.replicate, seed, client, model)
    return Replay(
        Path(folder), number, len(failures), failure, point, scenario, arm, seed,
        changes_of(found.plan.scenario, point), found.changed, int(task.clients.size),
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
    if name in PARAMETERS:
        return PARAMETERS[name].default
    fields = Plan.model_fields if f".{address}".endswith(f".clinic.{name}") else ScenarioFile.model_fields
    return fields[name].default if name in fields and isinstance(fields[name].default, (bool, int, float, str)) else None


# ------------------------------------------------------------------------------------------------ a scenario of its own


def alone(found: Replay) -> Scenario:
    """A scenario that fails in the same way when it is run on ``found.seed``: this point, this arm, no more people than needed.

    Replicates are numbered from 0, and so are clients: those before the one who fails are in it.
    """
    spec = {key: value for key, value in found.scenario.spec.items() if key not in ("title", "record")}
    if record := {key: value for key, value in (found.scenario.spec.get("record") or {}).items() if key != "exchanges"}:
        spec["record"] = record
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
