"""A batch, all spelled out: which points, how often, what is kept; and when a point has been repeated often enough."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch.chunk import BLOCK, NOTHING, Chunk, Key, arms_of, reference_among
from sim.catalogue.measures import CATALOGUE
from sim.compiling import sources_hash
from sim.errors import ScenarioError
from sim.measures.intervals import standard_error
from sim.measures.outcomes import Moments, outcomes_identity, together
from sim.scenario.points import Point, points_of, scenario_at
from sim.scenario.reading import Wrong
from sim.scenario.scenario import Arm, Scenario
from sim.scenario.sweep import Batch, checked_keep, checked_on_error, may_be_kept
from sim.simulation.tasks import checked_seed
from sim.storage import added as added_here
from sim.storage.store import arithmetic_fingerprint, lock_hash, versions
from sim.therapy.model import SHIPPED, Model

#: Client courses that a chunk holds unless it is said otherwise: a few seconds' work, so that giving it out costs nothing.
COURSES = 4000


@dataclass(frozen=True)
class Plan:
    """A batch, all spelled out: scenario, seed, points with their arms and blocks, what is kept, on which model."""

    scenario: Scenario
    seed: int
    batch: Batch
    points: tuple[Point, ...]
    blocks: tuple[int, ...]  # of each point
    arms: tuple[str, ...]  # of all points, in order
    kinds: tuple[Arm, ...]  # of all points, those that name other policies, programmes or rules
    courses: int  # of the largest task, in courses of twenty sessions
    model: Model = SHIPPED
    added: tuple[tuple[str, str], ...] = ()

    @property
    def clinic(self) -> bool:
        """Whether it is a batch of clinics."""
        return self.scenario.design == "clinic"

    def tasks(self, point: int, first: int, last: int) -> Iterator[Key]:
        """The tasks of a point from one replicate up to, but without, another."""
        for replicate in range(first, last):
            for block in range(self.blocks[point]):
                yield Key(point, replicate, block)

    def place(self, key: Key) -> int:
        """Which task of its point a task is."""
        return key.replicate * self.blocks[key.point] + key.block

    def key(self, point: int, place: int) -> Key:
        """The task at a place of a point."""
        return Key(point, *divmod(place, self.blocks[point]))

    def runs(self, tasks: Sequence[Key]) -> list[list[int]]:
        """Tasks as runs of neighbours, for the ledger: [point, place of the first within the point, how many]."""
        runs: list[list[int]] = []
        for key in tasks:
            place = self.place(key)
            if runs and runs[-1][0] == key.point and runs[-1][1] + runs[-1][2] == place:
                runs[-1][2] += 1
            else:
                runs.append([key.point, place, 1])
        return runs

    def chunks(self, tasks: Iterable[Key], size: int | None = None) -> Iterator[Chunk]:
        """Tasks as work to give out, ``size`` tasks at a time (default: about ``COURSES`` courses)."""
        bare = self.scenario.model_copy(update={"arms": ()})  # what a worker needs is the mapping that it is made of
        coming, batch = iter(tasks), self.batch
        while mine := tuple(itertools.islice(coming, size or max(1, COURSES // self.courses))):
            changes = {p: self.points[p].changes for p in dict.fromkeys(key.point for key in mine)}
            yield Chunk(bare, self.seed, mine, changes, batch.random_numbers, batch.keep, batch.on_error, self.model, self.added)

    @property
    def with_all_kinds(self) -> Scenario:
        """The scenario with every kind of arm of every point, for what is added to the registries."""
        return self.scenario.model_copy(update={"arms": self.kinds})

    @property
    def identity(self) -> dict[str, Any]:
        """What a batch is known by: the same in all of it, or it is another batch."""
        return {
            "scenario": self.scenario.name,
            "spec": self.scenario.spec,
            "seed": self.seed,
            "keep": list(self.batch.keep),
            "sources": sources_hash(),
            "lock": lock_hash(),
            "versions": versions(),
            "arithmetic": arithmetic_fingerprint(),
            "added": added_here.identity(self.with_all_kinds) + self.model.identity,
            "outcomes": hashlib.blake2b(outcomes_identity().encode(), digest_size=8).hexdigest(),
            "files": {name: hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for name, text in self.added},
        }


def planned(
    scenario: Scenario,
    seed: int,
    *,
    keep: Sequence[str] | None = None,
    on_error: str | None = None,
    model: Model = SHIPPED,
    added: Sequence[tuple[str, str]] = (),
) -> Plan:
    """The plan of a scenario's batch (of one without ``batch:`` all its replicates). Raises ``ScenarioError``.

    ``keep`` and ``on_error`` go before what the scenario says. ``added``: files (name, text) that add to the registries.
    """
    batch = scenario.batch or Batch()
    if scenario.ensemble:
        raise ScenarioError(f"{scenario.name}: 'parameters: ensemble' and a batch do not go together; run it without --batch")
    batch = batch.model_copy(update=_asked(scenario, keep, on_error))
    _can_be_judged(scenario, batch)
    names = [Path(name).name for name, _ in added]
    if len(set(names)) < len(names):
        raise ScenarioError(f"{scenario.name}: two files that are added have the same name; give one of them another")
    points, blocks, arms, kinds, courses = points_of(scenario), [], dict[str, None](), dict[str, Arm](), 1
    for point in points:
        here = scenario_at(scenario, point.changes)
        clients = 1 if here.design == "clinic" else here.clients_per_arm
        blocks.append(-(-clients // BLOCK))
        arms.update(dict.fromkeys(arms_of(here)))
        for arm in here.arms:
            kinds.setdefault(json.dumps([arm.policies, *((arm.clinic.training, arm.clinic.matching) if arm.clinic else ())]), arm)
        courses = max(courses, min(clients, BLOCK) * sum(arm.sessions for arm in here.arms) // 20)
    return Plan(scenario, checked_seed(seed), batch, points, tuple(blocks), tuple(arms), tuple(kinds.values()), courses, model,
                tuple(added))  # fmt: skip


def _asked(scenario: Scenario, keep: Sequence[str] | None, on_error: str | None) -> dict[str, Any]:
    """What is asked for in place of what the scenario says. Raises ``ScenarioError``."""
    update: dict[str, Any] = {}
    if on_error is not None:
        update["on_error"] = checked_on_error(on_error)
    try:
        if keep is not None:
            update["keep"] = checked_keep([keep] if isinstance(keep, str) else list(keep))
        kept = update.get("keep", scenario.batch.keep if scenario.batch else ())
        may_be_kept(kept, scenario.design == "clinic", exchanges=bool(scenario.traced), items=scenario.keep_items)
    except Wrong as wrong:
        raise ScenarioError(f"{scenario.name}: {'keep' if keep is not None else 'batch.keep'}: {wrong}") from None
    return update


def _can_be_judged(scenario: Scenario, batch: Batch) -> None:
    """Raise ``ScenarioError`` for a rule to stop by that could never be met, since no arm that it looks at has the measure."""
    until = batch.until
    if until is None:
        return
    arms = [arm for arm in scenario.arms if until.arm in (None, arm.name)]
    at = f"{scenario.name}: batch.until"
    if until.difference:
        compared = reference_among(scenario)
        if not any(compared[arm.name] for arm in arms):
            which = f"'{until.arm}' is" if until.arm else "no arm is"
            others = [name for name, reference in compared.items() if reference]
            more = f"; compared are: {', '.join(others)}" if others else ""
            raise ScenarioError(f"{at}: {which} compared with no reference arm of the same people, so it has no difference{more}")
    elif not CATALOGUE[until.measure].untreated and all(arm.therapist is None for arm in arms):
        raise ScenarioError(f"{at}: '{until.measure}' is of people in therapy, and there is none in {until.arm or 'any arm'}")


# ------------------------------------------------------------------------------------------------- when is it enough


@dataclass
class Repeats:
    """How often each point is repeated: a fixed number, or until a measure is known well enough, judged at checkpoints.

    ``target``: replicates of each point that are wanted so far. A point's target depends on its own values at its own
    checkpoints and on nothing else, so it is the same whatever the workers.
    """

    plan: Plan
    target: list[int] = field(default_factory=list)
    enough: list[bool] = field(default_factory=list)
    #: point -> arm -> replicate -> block -> number, mean, squares
    _values: dict[int, dict[str, dict[int, dict[int, Moments]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        until, n = self.plan.batch.until, len(self.plan.points)
        self.target = [self.plan.scenario.replicates if until is None else until.every] * n
        self.enough = [until is None] * n

    def take(self, parts: pa.Table) -> None:
        """Note what a chunk's summaries say of the measure that decides."""
        until = self.plan.batch.until
        if until is None:
            return
        points = {p: scenario_at(self.plan.scenario, self.plan.points[p].changes) for p in parts["point"].unique().to_pylist()}
        names = {p: arms_of(here) for p, here in points.items()}
        references = {p: reference_among(here) for p, here in points.items()}
        for row in parts.filter(pc.equal(parts["measure"], until.measure)).to_pylist():
            arms = names[row["point"]]
            arm, minus = arms[row["arm"]], None if row["minus"] == NOTHING else arms[row["minus"]]
            wanted = references[row["point"]][arm] if until.difference else None
            if minus == wanted and (until.difference == (minus is not None)) and until.arm in (None, arm):
                replicates = self._values.setdefault(row["point"], {}).setdefault(arm, {})
                replicates.setdefault(row["replicate"], {})[row["block"]] = (row["n"], row["mean"], row["squares"])

    def judge(self, point: int) -> None:
        """At a checkpoint (all of ``target`` is there): is it enough, or how many replicates are wanted next?"""
        until = self.plan.batch.until
        if until is None or self.enough[point]:
            return
        if self._error(point) <= until.se or self.target[point] >= until.most:
            self.enough[point] = True
            self._values.pop(point, None)
        else:
            self.target[point] = min(self.target[point] + until.every, until.most)

    def _error(self, point: int) -> float:
        """The largest standard error of the mean over replicates, among the arms that have the measure."""
        errors = []
        for replicates in self._values.get(point, {}).values():
            wanted = [blocks for r, blocks in replicates.items() if r < self.target[point]]
            means = [together([blocks[b] for b in sorted(blocks)])[1] for blocks in wanted]
            spread = float(np.std(means, ddof=1)) if len(means) > 1 else float("inf")
            errors.append(float(standard_error(spread, max(len(means), 1))))
        return max(errors, default=float("inf"))


class Places:
    """A whole number for every task that has one, in eight bytes a task."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._of: dict[int, np.ndarray] = {}

    def note(self, runs: Sequence[Sequence[int]], first_number: int, step: int) -> None:
        """Give the tasks of these runs numbers, one after the other."""
        number = first_number
        for point, first, count in runs:
            here = self._of.get(point)
            if here is None or here.size < first + count:
                grown = np.full(max(first + count, 2 * (0 if here is None else here.size)), -1, np.int64)
                if here is not None:
                    grown[: here.size] = here
                here = self._of[point] = grown
            here[first : first + count] = number + step * np.arange(count)
            number += step * count

    def get(self, point: int, place: int) -> int:
        """The number of a task, or -1."""
        here = self._of.get(point)
        return -1 if here is None or place >= here.size else int(here[place])

    def missing(self, point: int, first: int, last: int) -> np.ndarray:
        """The places from one up to, but without, another that have no number."""
        here = self._of.get(point, np.empty(0, np.int64))[first:last]
        whole = np.full(last - first, -1, np.int64)
        whole[: here.size] = here
        return first + np.flatnonzero(whole < 0)

    def __len__(self) -> int:
        return sum(int((here >= 0).sum()) for here in self._of.values())

    def keys(self) -> Iterator[Key]:
        """All tasks that have a number, in order."""
        for point in sorted(self._of):
            for place in np.flatnonzero(self._of[point] >= 0):
                yield self.plan.key(point, int(place))
