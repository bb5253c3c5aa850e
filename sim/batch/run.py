"""Many runs that can be left alone: planned, simulated chunk by chunk, kept as they are finished, put together at the end.

    scenario with `batch:` -> points -> tasks (point, replicate, block) -> chunks -> workers
        -> a file a table and chunk, then a line in the ledger
        -> when all is there: tables in the order of the tasks, manifest; the chunks are removed

The tables do not depend on the workers, on the size of the chunks, on the order in which they were finished, or on how often the
batch was stopped and taken up again: tasks have a fixed size, and the tables are put together in the tasks' order.
"""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sim.batch.assemble import assembled
from sim.batch.chunk import Chunk, perform, worker_identity
from sim.batch.plan import Places, Plan, Repeats, planned
from sim.batch.progress import Log, Progress, note
from sim.batch.resume import begun, failures_in, finished_chunks, kept_chunk, remove_chunks
from sim.batch.workers import InThisProcess, Processes, Workers, same_identity
from sim.compiling import ctrl_c_held
from sim.errors import BatchStopped, StoreError, UsageError
from sim.scenario.points import scenario_at
from sim.scenario.scenario import Scenario, a_scenario
from sim.simulation.build import COHORT_SIZE
from sim.simulation.tasks import Task, simulated_part
from sim.storage import ledger as ledgers
from sim.storage.names import CHUNKS, MANIFEST
from sim.therapy.model import SHIPPED, Model

#: How often chunks that were lost or damaged while the batch ran are simulated again before it is given up.
MOST_TRIES = 3


def run_batch(
    scenario: Scenario,
    seed: int,
    folder: str | Path,
    *,
    workers: int | Workers | None = None,
    chunk: int | None = None,
    keep: Sequence[str] | None = None,
    on_error: str | None = None,
    force: bool = False,
    restart: bool = False,
    model: Model = SHIPPED,
    added: Sequence[tuple[str, str]] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Run a scenario's batch into a folder, or go on with what is missing there. Returns the folder.

    ``workers``: how many processes (1 = none beside this one; default: as many as cores), or something that simulates chunks
    (``OnExecutor(executor)`` or ``OnCluster(address, ...)`` of ``sim.extend``). ``chunk``: tasks given out together; speed and
    the size of what a crash can lose, never numbers. ``keep``: tables beside the summaries. ``on_error``: ``skip``, ``stop``
    or ``raise``. ``force``: go on although program or machine have changed since it was begun (said in the manifest).
    ``restart``: begin again; what is there is moved aside, not removed. ``progress`` is called after every chunk.

    Raises ``BatchChanged`` where something has changed, ``StoreError`` for a folder that cannot be used, ``WorkersError`` where
    workers cannot be, ``BatchStopped`` after a failure with ``on_error: stop``.

    >>> batch = sim.run_batch(sweep, 1, place, workers=1)
    >>> sim.open_batch(batch).points["trust_rate"].tolist()
    [0.1, 0.3]
    """
    chunk = None if chunk is None else _count("chunk", chunk)
    workers = workers if workers is None or hasattr(workers, "results") else _count("workers", workers)
    plan = planned(a_scenario(scenario), seed, keep=keep, on_error=on_error, model=model, added=added)
    folder = Path(folder)
    begun(folder, plan, force=force, restart=restart)
    with ledgers.held(folder) as ledger:
        if (folder / MANIFEST).exists():
            remove_chunks(folder)  # of one that was stopped just after its manifest
            return folder
        for _ in range(MOST_TRIES):
            with _chosen(workers, Log(folder).say) as chosen:
                target = _simulate(plan, folder, ledger, chosen, chunk, progress)
            if assembled(plan, folder, ledger, target):
                return folder
    raise StoreError(f"{folder}: chunks are lost or damaged as soon as they are written; is something else writing there?")


def _count(name: str, given: Any) -> int:
    """A number of things, at least one. Raises ``UsageError``."""
    try:
        count = operator.index(given)
    except TypeError:
        raise UsageError(f"{name} must be a whole number, not {given!r}") from None
    if count < 1:
        raise UsageError(f"{name} must be at least 1, not {count}")
    return count


def _chosen(workers: int | Workers | None, tell: Callable[[str], Any]) -> contextlib.AbstractContextManager[Workers]:
    """Who simulates: so many processes (one: this one), or what was given."""
    if not isinstance(workers, int) and workers is not None:
        return contextlib.nullcontext(workers)
    count = workers or os.cpu_count() or 1
    return contextlib.nullcontext(InThisProcess()) if count == 1 else Processes(count, tell)


def _simulate(
    plan: Plan,
    folder: Path,
    ledger: ledgers.Ledger,
    workers: Workers,
    chunk: int | None,
    progress: Callable[[Progress], None] | None,
) -> list[int]:
    """Simulate what is missing, round by round of replicates, until every point has enough; how many replicates each got."""
    repeats, done, log = Repeats(plan), Places(plan), Log(folder)
    told = Progress(0, open_ended=plan.batch.until is not None)
    kept = finished_chunks(folder, ledger, log.say)
    for line in kept:
        done.note(line["tasks"], 0, 0)
        _take(repeats, folder / CHUNKS / line["files"]["summaries"]["file"])
    told.failures = len(failures_in(kept))
    warm = False
    judged = [0] * len(plan.points)
    while True:
        missing = {p: done.missing(p, judged[p] * blocks, repeats.target[p] * blocks) for p, blocks in enumerate(plan.blocks)}
        there, count = len(done), sum(places.size for places in missing.values())
        told.done, told.total = there, there + count
        if count:
            if not warm:
                warm = True
                with ctrl_c_held():
                    warmed_up(plan)
                log.say(f"simulating: {told.done} of {told.total} tasks are there")
            note(folder, told)
            tasks = (plan.key(p, int(place)) for p, places in missing.items() for place in places)
            _round(plan, folder, ledger, workers, plan.chunks(tasks, chunk), repeats, done, told, progress)
        for p in [p for p, enough in enumerate(repeats.enough) if not enough]:
            judged[p] = repeats.target[p]
            repeats.judge(p)
        if all(repeats.enough):
            break
    log.say(f"simulated: {told.said}")
    return repeats.target


def _round(
    plan: Plan,
    folder: Path,
    ledger: ledgers.Ledger,
    workers: Workers,
    work: Iterator[Chunk],
    repeats: Repeats,
    done: Places,
    told: Progress,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Give out chunks and keep what comes back."""
    here, log, first = worker_identity(), Log(folder), True
    for given, made in workers.results(work, perform):
        same_identity(here, dict(made.worker), "a worker")
        kept_chunk(plan, folder, ledger, made)
        _take(repeats, made.tables["summaries"])
        done.note(plan.runs(given.tasks), 0, 0)
        told.done, told.failures = told.done + len(given.tasks), told.failures + len(made.failures)
        if first and not told.counting:
            told.begin()  # workers have started: from here on their rate can be told
        first = False
        for failure in made.failures:
            log.say(
                f"failed: {plan.points[failure.point].name}; arm '{failure.arm}', replicate {failure.replicate}: {failure.error}"
            )
        log.say(told.said, always=False)
        if progress is not None:
            progress(told)
        if made.failures and plan.batch.on_error == "stop":
            one = made.failures[0]
            raise BatchStopped(
                f"a run failed and the batch stops there (on_error: stop): point {one.point}, arm '{one.arm}', replicate "
                f"{one.replicate}: {one.error}. What is finished is kept; attune replay {folder} says what repeats it"
            )


def _take(repeats: Repeats, source: Path | bytes) -> None:
    """Tell the rule to stop by, where there is one, of a chunk's summaries."""
    if repeats.plan.batch.until is not None:
        opened = pa.ipc.open_file(source if isinstance(source, bytes) else pa.OSFile(str(source)))
        repeats.take(opened.read_all())


def warmed_up(plan: Plan) -> None:
    """Compile what the batch needs before workers are started, so that they find it on disk instead of all compiling it."""
    if plan.clinic:
        return  # a clinic is large; the first worker compiles, the others wait for the same file
    for point in (plan.points[0], plan.points[-1]):
        small = scenario_at(plan.scenario, point.changes)
        for arm in small.arms:
            numbers = np.array([arm.cohort * COHORT_SIZE], np.int64)
            with contextlib.suppress(Exception):  # what fails here fails in its place, and is told there
                one = arm.model_copy(update={"sessions": 1, "force": ()})
                simulated_part(small, plan.seed, Task(one, 0, numbers), plan.model)
