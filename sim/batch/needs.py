"""What a batch needs before it has begun: memory of its workers, and room on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.batch.plan import Plan, key_of_points, one_task, possible, repeats_at_most
from sim.catalogue.columns import BATCH_TABLES
from sim.catalogue.measures import known_measures
from sim.errors import ScenarioError
from sim.files import disk_at
from sim.scenario.points import key_at
from sim.scenario.reading import key_path
from sim.scenario.scenario import Scenario
from sim.simulation.build import somebody_fits
from sim.simulation.limits import GIB, MOST_OF_IT, OF_MEMORY, must_fit
from sim.simulation.machine import cores, memory_here
from sim.simulation.sizes import ON_DISK, PROCESS, REPORT, WHILE_MADE, Sizes, sizes_of

#: Kinds of points at which it is tried whether there are such people as they want, at most.
LOOKED_AT = 200


@dataclass(frozen=True)
class Needs:
    """What a batch needs: ``rows`` of each table that is kept and ``tasks`` at most, ``memory`` and ``disk`` in bytes (about),
    with so many ``workers``."""

    rows: dict[str, int]
    tasks: int
    memory: float
    disk: float
    workers: int


def needs(plan: Plan, workers: int) -> Needs:
    """What a batch needs with so many processes, at most."""
    _, times = repeats_at_most(plan.scenario, plan.batch)
    # of each arm, and of its difference from at most two others
    rows = {"summaries": 3 * len(known_measures(plan.clinic)) * plan.arm_points * times}
    rows |= {name: plan.sizes.rows[name] * times for name in plan.batch.keep}
    kept = sum(count * _columns(name, plan.clinic) for name, count in rows.items())
    read = PROCESS + WHILE_MADE * 8.0 * rows["summaries"] * _columns("summaries", plan.clinic)  # for the report
    disk = 2.0 * ON_DISK * kept + REPORT  # parts, then the tables made of them
    return Needs(rows, sum(plan.blocks) * times, max(workers * _of_task(plan, plan.largest[1]), read), disk, workers)


def _columns(table: str, clinic: bool) -> float:
    return len(BATCH_TABLES[table]) / 2 if table in BATCH_TABLES else Sizes.columns(table, clinic)  # labels are short


def _of_task(plan: Plan, task: Scenario) -> float:
    """Bytes while one task is simulated: one arm after another, and what is kept of the tasks of a chunk."""
    arms = [sizes_of(task.model_copy(update={"arms": (arm,)})) for arm in task.arms]
    kept = sum(one.rows[name] * Sizes.columns(name, plan.clinic) for one in arms for name in plan.batch.keep)
    return max(one.memory for one in arms) + WHILE_MADE * 8.0 * kept * plan.usual_chunk


def fitting(plan: Plan, workers: int | None, out: Path | None) -> Needs:
    """What a batch needs, if memory and the disk at ``out`` have room for it. Raises ``ScenarioError``.

    ``workers``: None for as many as there are cores, or fewer where memory has no room for so many. ``out``: None for a batch
    that has been begun, a part of which is on its disk already.
    """
    _somebody_fits(plan)
    memory = memory_here()
    point, task = plan.largest
    each, room = _of_task(plan, task), MOST_OF_IT * memory
    if workers is None:
        workers = max(1, min(cores(), int(room / each)))
    elif each <= room < workers * each:
        needed, there = (f"{size / GIB:,.1f} GiB" for size in (workers * each, memory))
        said = f"--workers: {workers} processes would need about {needed} of memory, and there is {there}"
        raise ScenarioError(said, where=plan.scenario.name, valid=f"--workers {int(room / each)} would fit")
    try:
        where = f" in a task of point {point} ({plan.points[point].name})"
        must_fit(task, each, memory, OF_MEMORY, lambda one: _of_task(plan, one_task(one)), where)
    except ScenarioError as error:
        error.key = key_at(plan.scenario, plan.points[point], error.key)
        raise
    found = needs(plan, workers)
    if out is not None and found.disk > MOST_OF_IT * (disk := disk_at(out)):
        raise _too_often(plan, found.disk, disk, f"of disk, and at {out} there is")
    if found.memory > room:
        raise _too_often(plan, found.memory, memory, "of memory when its summaries are read, and there is")
    return found


def _somebody_fits(plan: Plan) -> None:
    """Raise ``ScenarioError`` for a point at which there are no such people; of very many kinds of points some are looked at."""
    for number in plan.unlike[:: len(plan.unlike) // LOOKED_AT + 1]:
        point = plan.points[number]
        try:
            somebody_fits(possible(plan.scenario, point))
        except ScenarioError as error:
            key = key_at(plan.scenario, point, error.key)
            raise ScenarioError(f"{error.message} (at the point {point.name})", where=error.where, key=key) from None


def _too_often(plan: Plan, needed: float, there: float, what: str) -> ScenarioError:
    """What is said of a batch whose tables together are too large: how often it is repeated, or how many points there are."""
    (often, times), points = repeats_at_most(plan.scenario, plan.batch), len(plan.points)
    key, n, unit = (often, times, "replicates") if times >= points else (key_of_points(plan.batch), points, "points")
    most = max(int(n * MOST_OF_IT * there / needed), 1)
    said = f"{points:,} points with {times:,} replicates would need about {needed / GIB:,.1f} GiB {what} {there / GIB:,.1f} GiB"
    valid = f"at most {most:,} {unit} would fit"
    return ScenarioError(f"{key_path(key)}: {said}", where=plan.scenario.name, valid=valid, key=key)
