"""A batch, all spelled out: which points, how often, what is kept; and when a point has been repeated often enough."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch.chunk import BLOCK, Chunk, Key, looked_at, reference_among
from sim.catalogue.columns import NOTHING
from sim.catalogue.measures import CATALOGUE
from sim.compiling import sources_hash
from sim.declared.values import Location, Wrong
from sim.errors import ScenarioError
from sim.measures.intervals import standard_error
from sim.measures.outcomes import Moments, outcomes_identity, together
from sim.scenario.alike import Alike
from sim.scenario.points import Point, key_at, points_of, scenario_at
from sim.scenario.reading import key_path
from sim.scenario.scenario import Arm, Scenario
from sim.scenario.sweep import Batch, Until, checked_keep, checked_on_error, may_be_kept
from sim.simulation.sizes import Sizes, sizes_of
from sim.simulation.tasks import checked_seed
from sim.storage import added as added_here
from sim.storage.store import arithmetic_fingerprint, lock_hash, versions
from sim.therapy.model import SHIPPED, Model

#: Client courses that a chunk holds unless it is said otherwise: a few seconds' work, so that giving it out costs nothing.
COURSES = 4000
#: Tasks that a batch may have: each is a line's part of the ledger and a row group of every table's parts.
MOST_TASKS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """A batch, all spelled out: scenario, seed, points with their arms and blocks, what is kept, on which model."""

    scenario: Scenario
    seed: int
    batch: Batch
    points: tuple[Point, ...]
    blocks: tuple[int, ...]  # of each point
    arms: tuple[str, ...]  # of all points, in order
    with_all_kinds: Scenario  # with every kind of arm of every point, for what is added to the registries
    courses: int  # of the largest task, in courses of twenty sessions
    sizes: Sizes  # of one replicate of every point
    arm_points: int  # arms of all points together, once for every block of clients
    unlike: tuple[int, ...]  # one point of each kind; the others differ from one of these in numbers alone
    largest: tuple[int, Scenario]  # the point whose task needs most memory, and the scenario of such a task
    model: Model = SHIPPED
    added: tuple[tuple[str, str], ...] = ()

    @property
    def clinic(self) -> bool:
        """Whether it is a batch of clinics."""
        return self.scenario.design == "clinic"

    def tasks(self, point: int, first: int, last: int) -> Iterator[Key]:
        """The tasks of a point from one replicate up to, but without, another."""
        return (Key(point, replicate, block) for replicate in range(first, last) for block in range(self.blocks[point]))

    def chunks(self, tasks: Iterable[Key], size: int | None = None) -> Iterator[Chunk]:
        """Tasks as work to give out, ``size`` tasks at a time (default: about ``COURSES`` courses).

        Those of one point are neighbours, so that the rows of a chunk's point lie together in the table.
        """
        size = size or self.usual_chunk
        mine: list[Key] = []
        for key in tasks:
            before = mine[-1] if mine else key
            apart = (key.replicate - before.replicate) * self.blocks[key.point] + key.block - before.block
            if len(mine) == size or (key.point == before.point and apart > 1):
                yield self._chunk(mine)
                mine = []
            mine.append(key)
        if mine:
            yield self._chunk(mine)

    @property
    def usual_chunk(self) -> int:
        """Tasks given out together unless it is said otherwise."""
        return max(1, COURSES // self.courses)

    def _chunk(self, tasks: Sequence[Key]) -> Chunk:
        # what a worker needs is the mapping that it is made of; the batch in it may list a hundred thousand cases
        spec = {key: value for key, value in self.scenario.spec.items() if key != "batch"}
        bare = self.scenario.model_copy(update={"arms": (), "spec": spec, "batch": None})
        changes, batch = {key.point: self.points[key.point].changes for key in tasks}, self.batch
        return Chunk(
            bare, self.seed, tuple(tasks), changes, batch.random_numbers, batch.keep, batch.on_error, self.model, self.added
        )

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
    batch = scenario.batch or Batch.model_validate({})
    if scenario.ensemble:
        raise ScenarioError(f"{scenario.name}: 'parameters: ensemble' and a batch do not go together; run it without --batch")
    if on_error is not None:
        batch = batch.model_copy(update={"on_error": checked_on_error(on_error)})
    try:
        if keep is not None:
            batch = batch.model_copy(update={"keep": checked_keep([keep] if isinstance(keep, str) else list(keep))})
        may_be_kept(batch.keep, scenario.design == "clinic", exchanges=bool(scenario.traced), items=scenario.keep_items)
    except Wrong as wrong:
        raise ScenarioError(f"{scenario.name}: {'keep' if keep is not None else 'batch.keep'}: {wrong}") from None
    names = [Path(name).name for name, _ in added]
    if len(set(names)) < len(names):
        raise ScenarioError(f"{scenario.name}: two files that are added have the same name; give one of them another")
    points, arms, kinds, courses = points_of(scenario), dict[str, None](), dict[str, Arm](), 1
    alike, built = Alike(scenario.spec), dict[Hashable, tuple[int, int, Sizes]]()
    blocks, unlike, sizes = list[int](), list[int](), Sizes(scenario.design == "clinic")
    often, largest, judged = Counter[Hashable](), (0, scenario), False
    for point in points:
        kind = alike.kind(point.changes)
        if not alike.seen(point.changes) or kind not in built:
            here = possible(scenario, point)
            clients = 1 if here.design == "clinic" else here.clients_per_arm
            arms.update(dict.fromkeys(arm.name for arm in here.arms))
            for arm in here.arms:
                training = (arm.clinic.training, arm.clinic.matching) if arm.clinic else ()
                kinds.setdefault(json.dumps([arm.policies, *training]), arm)
            courses = max(courses, min(clients, BLOCK) * sum(arm.sessions for arm in here.arms) // 20)
            once = one_task(here)
            if not built or sizes_of(once).memory > sizes_of(largest[1]).memory:
                largest = point.number, once
            judged = judged or batch.until is None or _can_be_judged(here, batch.until)
            unlike.append(point.number)
            built[kind] = -(-clients // BLOCK), len(here.arms), sizes_of(here.model_copy(update={"replicates": 1}))
        blocks.append(built[kind][0])
        often[kind] += 1
    arm_points = sum(n * built[kind][0] * built[kind][1] for kind, n in often.items())
    for kind, n in often.items():
        sizes += built[kind][2].times(n)
    if NOTHING in arms:
        said = f"{scenario.name}: no arm of a batch can be called '{NOTHING}', which its tables say where no arm is taken off"
        raise ScenarioError(said, valid="choose another name")
    if batch.until is not None and not judged:
        raise _never_judged(scenario, batch.until)
    key_of_repeats, times = repeats_at_most(scenario, batch)
    if (tasks := sum(blocks) * times) > MOST_TASKS:
        raise _too_many(scenario, batch, key_of_repeats, times, blocks, tasks)
    all_kinds = scenario.model_copy(update={"arms": tuple(kinds.values())})
    return Plan(
        scenario, checked_seed(seed), batch, points, tuple(blocks), tuple(arms), all_kinds, courses,
        sizes, arm_points, tuple(unlike), largest, model, tuple(added),
    )  # fmt: skip


def one_task(scenario: Scenario) -> Scenario:
    """What one task simulates of a point: a block of clients, once."""
    return scenario.model_copy(update={"replicates": 1, "clients_per_arm": min(scenario.clients_per_arm, BLOCK)})


def possible(scenario: Scenario, point: Point) -> Scenario:
    """The scenario at a point. Raises ``ScenarioError`` with the key in the batch."""
    try:
        return scenario_at(scenario, point.changes)
    except ScenarioError as error:
        error.key = key_at(scenario, point, error.key)
        raise


def _too_many(scenario: Scenario, batch: Batch, often: Location, times: int, blocks: Sequence[int], tasks: int) -> ScenarioError:
    """What is said of a batch of too many tasks: how many, and which key is to be lowered to what."""
    parts = {"points": len(blocks), "replicates": times, "blocks": max(blocks)}
    keys: dict[str, Location] = {"points": key_of_points(batch), "replicates": often, "blocks": ("clients_per_arm",)}
    most = max(parts, key=lambda part: parts[part])
    fits = MOST_TASKS * parts[most] // tasks
    units = {"points": "points", "replicates": "replicates", "blocks": f"blocks ({fits * BLOCK:,} clients)"}
    why = f" (points {len(blocks):,} x replicates {times:,} x blocks of clients, up to {max(blocks):,})"
    return ScenarioError(
        f"{key_path(keys[most])}: the batch has {tasks:,} tasks{why}; at most {MOST_TASKS:,} are possible",
        where=scenario.name, valid=f"at most {fits:,} {units[most]} would fit", key=keys[most],
    )  # fmt: skip


def repeats_at_most(scenario: Scenario, batch: Batch) -> tuple[Location, int]:
    """How often each point is repeated at most, and the key that says so."""
    if batch.until is None:
        return ("replicates",), scenario.replicates
    return ("batch", "until", "most"), batch.until.most


def key_of_points(batch: Batch) -> Location:
    """The key that decides how many points there are."""
    if batch.points is not None:
        return "batch", "points"
    if batch.design == "cases":
        return "batch", "cases"
    if not batch.vary:
        return ("batch",)
    return "batch", "vary", max(batch.vary, key=lambda name: batch.vary[name].count)


def _can_be_judged(scenario: Scenario, until: Until) -> bool:
    """Whether an arm that a rule to stop by looks at has the measure, at a point."""
    if until.difference:
        return bool(looked_at(scenario, until))
    treated = any(arm.therapist is not None for arm in scenario.arms if until.arm in (None, arm.name))
    return treated or bool(CATALOGUE[until.measure].untreated)


def _never_judged(scenario: Scenario, until: Until) -> ScenarioError:
    """What is said of a rule to stop by that no point can meet."""
    if until.difference:
        which = f"'{until.arm}' is" if until.arm else "no arm is"
        others = [name for name, reference in reference_among(scenario).items() if reference]
        more = f"; compared are: {', '.join(others)}" if others else ""
        said = f"{which} compared with no reference arm of the same people, so it has no difference{more}"
    else:
        said = f"'{until.measure}' is of people in therapy, and there is none in {until.arm or 'any arm'}"
    return ScenarioError(f"batch.until: {said}", where=scenario.name, key=("batch", "until"))


# ------------------------------------------------------------------------------------------------- when is it enough


class Repeats:
    """How often each point is repeated: a fixed number, or until a measure is known well enough, judged at checkpoints.

    ``target``: replicates of each point that are wanted so far. A point's target depends on its own values at its own
    checkpoints and on nothing else, so it is the same whatever the workers.
    """

    def __init__(self, plan: Plan) -> None:
        until, n = plan.batch.until, len(plan.points)
        self.plan = plan
        self.target = [plan.scenario.replicates if until is None else until.every] * n
        self.enough = [until is None] * n
        #: point -> arm -> (replicate, block) -> number, mean, squares
        self._values: dict[int, dict[str, dict[tuple[int, int], Moments]]] = {}

    def take(self, summaries: pa.Table) -> None:
        """Note what a part of the summaries says of the measure that decides."""
        until = self.plan.batch.until
        if until is None:
            return
        rows = summaries.filter(pc.equal(summaries["measure"], until.measure)).to_pylist()
        for point, mine in itertools.groupby(rows, key=operator.itemgetter("point")):
            wanted = looked_at(scenario_at(self.plan.scenario, self.plan.points[point].changes), until)
            for row in mine:
                if (row["arm"], row["minus"]) in wanted:
                    found = self._values.setdefault(point, {}).setdefault(row["arm"], {})
                    found[row["replicate"], row["block"]] = (row["n"], row["mean"], row["squares"])

    def judge(self, point: int) -> None:
        """At a checkpoint (all of ``target`` is there): is it enough, or how many replicates are wanted next?"""
        until = self.plan.batch.until
        if until is None or self.enough[point]:
            return
        # the largest standard error of the mean over replicates, among the arms that have the measure
        arms = self._values.get(point, {}).values()
        error = max((self._error(blocks, self.target[point]) for blocks in arms), default=np.inf)
        if error <= until.se or self.target[point] >= until.most:
            self.enough[point] = True
        else:
            self.target[point] = min(self.target[point] + until.every, until.most)

    @staticmethod
    def _error(blocks: Mapping[tuple[int, int], Moments], replicates: int) -> float:
        kept = sorted(item for item in blocks.items() if item[0][0] < replicates)
        by_replicate = itertools.groupby(kept, key=lambda item: item[0][0])
        means = [together([moments for _, moments in mine])[1] for _, mine in by_replicate]
        return float(standard_error(float(np.std(means, ddof=1)), len(means))) if len(means) > 1 else np.inf
