"""A batch, all spelled out: which points, how often, what is kept; and when a point has been repeated often enough."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.compiling import sources_hash
from sim.experiments import added as added_here
from sim.experiments.chunks import BLOCK, Key, arms_of, compared_arms
from sim.experiments.outcomes import OF_THERAPY, together
from sim.experiments.points import Point, points_of, scenario_at
from sim.experiments.run import checked_seed
from sim.experiments.scenario import Scenario, ScenarioError
from sim.experiments.scenario_batch import Batch
from sim.experiments.store import arithmetic_fingerprint, lock_hash, versions
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Plan:
    """A batch, all spelled out: scenario, seed, points with their arms and blocks, what is kept, on which model."""

    scenario: Scenario
    seed: int
    batch: Batch
    points: tuple[Point, ...]
    blocks: tuple[int, ...]  # of each point
    arms: tuple[str, ...]  # of all points, in order
    model: Model = SHIPPED
    added: tuple[tuple[str, str], ...] = ()

    @property
    def clinic(self) -> bool:
        """Whether it is a batch of clinics."""
        return self.scenario.design == "clinic"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables of runs that are kept, the summaries first."""
        return ("summaries", *self.batch.keep)

    def tasks(self, point: int, first: int, last: int) -> Iterator[Key]:
        """The tasks of a point from one replicate up to, but without, another."""
        for replicate in range(first, last):
            for block in range(self.blocks[point]):
                yield Key(point, replicate, block)

    def runs(self, tasks: Sequence[Key]) -> list[list[int]]:
        """Tasks as runs of neighbours, for the ledger: [point, place of the first within the point, how many]."""
        runs: list[list[int]] = []
        for key in tasks:
            place = key.replicate * self.blocks[key.point] + key.block
            if runs and runs[-1][0] == key.point and runs[-1][1] + runs[-1][2] == place:
                runs[-1][2] += 1
            else:
                runs.append([key.point, place, 1])
        return runs

    def tasks_in(self, runs: Sequence[Sequence[int]]) -> Iterator[Key]:
        """The tasks of such runs, in the same order."""
        for point, first, count in runs:
            for place in range(first, first + count):
                yield Key(point, *divmod(place, self.blocks[point]))

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
            "added": added_here.identity(self.scenario) + self.model.identity,
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
    update: dict[str, Any] = {} if keep is None else {"keep": tuple(keep)}
    if on_error is not None:
        update["on_error"] = on_error
    batch = batch.model_copy(update=update)
    _can_be_judged(scenario, batch)
    points, blocks, arms = points_of(scenario), [], dict[str, None]()
    for point in points:
        here = scenario_at(scenario, point.changes)
        blocks.append(1 if here.design == "clinic" else -(-here.clients_per_arm // BLOCK))
        arms.update(dict.fromkeys(arms_of(here)))
    return Plan(scenario, checked_seed(seed), batch, points, tuple(blocks), tuple(arms), model, tuple(added))


def _can_be_judged(scenario: Scenario, batch: Batch) -> None:
    """Raise ``ScenarioError`` for a rule to stop by that could never be met, since no arm that it looks at has the measure."""
    until = batch.until
    if until is None:
        return
    arms = [arm for arm in scenario.arms if until.arm in (None, arm.name)]
    at = f"{scenario.name}: batch.until"
    if until.difference:
        compared = compared_arms(scenario)
        if not any(compared[arm.name] for arm in arms):
            which = f"'{until.arm}' is" if until.arm else "no arm is"
            others = [name for name, against in compared.items() if against]
            more = f"; compared are: {', '.join(others)}" if others else ""
            raise ScenarioError(f"{at}: {which} compared with no other arm of the same people, so it has no difference{more}")
    elif until.measure in OF_THERAPY and all(arm.therapist is None for arm in arms):
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
    error: list[float] = field(default_factory=list)
    _values: dict[tuple[int, str, int], dict[int, tuple[int, float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        until, n = self.plan.batch.until, len(self.plan.points)
        self.target = [self.plan.scenario.replicates if until is None else min(until.every, until.most)] * n
        self.enough = [until is None] * n
        self.error = [float("nan")] * n

    def take(self, parts: Any) -> None:
        """Note what a chunk's summaries say of the measure that decides."""
        until = self.plan.batch.until
        if until is None:
            return
        rows = parts.to_pandas()
        rows = rows[(rows["measure"] == until.measure) & ((rows["minus"] >= 0) == until.difference)]
        for row in rows.itertuples(index=False):
            arm = self._arm_name(row.point, row.arm)
            if until.arm is None or arm == until.arm:
                key = (int(row.point), f"{arm}\0{row.minus}", int(row.replicate))
                self._values.setdefault(key, {})[int(row.block)] = (int(row.n), float(row.mean), float(row.squares))

    def _arm_name(self, point: int, arm: int) -> str:
        return arms_of(scenario_at(self.plan.scenario, self.plan.points[point].changes))[arm]

    def judge(self, point: int) -> None:
        """At a checkpoint (all of ``target`` is there): is it enough, or how many replicates are wanted next?"""
        until = self.plan.batch.until
        if until is None or self.enough[point]:
            return
        self.error[point] = self._error(point)
        if self.error[point] <= until.se or self.target[point] >= until.most:
            self.enough[point] = True
        else:
            self.target[point] = min(self.target[point] + until.every, until.most)

    def _error(self, point: int) -> float:
        """The largest standard error of the mean over replicates, among the arms that have the measure."""
        by_arm: dict[str, list[float]] = {}
        for (at, arm, replicate), blocks in self._values.items():
            if at == point and replicate < self.target[point]:
                by_arm.setdefault(arm, []).append(together([blocks[b] for b in sorted(blocks)])[1])
        errors = [float(np.std(v, ddof=1)) / len(v) ** 0.5 if len(v) > 1 else float("inf") for v in by_arm.values()]
        return max(errors, default=float("inf"))
