"""Many runs that can be left alone: planned, simulated chunk by chunk, kept as they are finished, put together at the end.

    scenario with `batch:` -> points -> tasks (point, replicate, block) -> chunks -> workers
        -> a part of every table (a Parquet file), then a line in the ledger
        -> when all is there: tables in the order of the tasks, manifest; the parts are removed

The tables do not depend on the workers, on the size of the chunks, on the order in which they were finished, or on how often the
batch was stopped and taken up again: tasks have a fixed size, and the tables are put together in the tasks' order.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from sim.batch.assemble import assembled
from sim.batch.chunk import SUMMARIES, Chunk, Done, perform, worker_identity
from sim.batch.needs import fitting
from sim.batch.plan import Plan, Repeats, planned
from sim.batch.progress import TOLD_EVERY, Progress, log, note
from sim.batch.resume import begun, failures_in, finished_parts, kept_part, remove_chunks, rows_in_order, tasks_in
from sim.batch.workers import Workers, same_identity, usual
from sim.compiling import ctrl_c_held
from sim.errors import BatchStopped, StoreError
from sim.files import expanded
from sim.scenario.points import scenario_at
from sim.scenario.scenario import Scenario, a_scenario
from sim.simulation.build import COHORT_SIZE
from sim.simulation.machine import cores
from sim.simulation.tasks import Task, checked_count, simulated_part
from sim.storage.ledger import Ledger
from sim.storage.names import LEDGER, MANIFEST
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
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Run a scenario's batch into a folder, or go on with what is missing there. Returns the folder.

    ``workers``: how many processes (1 = none beside this one; default: as many as cores), or something that simulates chunks
    (``OnExecutor(executor)`` or ``OnCluster(address, ...)`` of ``sim.extend``). ``chunk``: tasks given out together; speed and
    the size of what a crash can lose, never numbers. ``keep``: tables beside the summaries. ``on_error``: ``skip``, ``stop``
    or ``raise``. ``force``: go on although program or machine have changed since it was begun (said in the manifest).
    ``restart``: begin again; what is there is moved aside, not removed, and ``tell`` is called with a line that says where to.
    ``progress`` is called after every chunk.

    Raises ``BatchChanged`` where something has changed, ``StoreError`` for a folder that cannot be used, ``WorkersError`` where
    workers cannot be, ``BatchStopped`` after a failure with ``on_error: stop``.

    >>> batch = sim.run_batch(sweep, 1, place, workers=1)
    >>> sim.open_batch(batch).points["trust_rate"].tolist()
    [0.1, 0.3]
    """
    chunk = None if chunk is None else checked_count("chunk", chunk)
    workers = workers if workers is None or hasattr(workers, "results") else checked_count("workers", workers)
    plan = planned(a_scenario(scenario), seed, keep=keep, on_error=on_error, model=model, added=added)
    folder = expanded(folder)
    if not (folder / MANIFEST).exists() or restart:
        begun_before = (folder / LEDGER).exists() and not restart
        count = workers if workers is None or isinstance(workers, int) else 1  # others' room is theirs
        found = fitting(plan, count, None if begun_before else folder)
        if workers is None and found.workers < cores():
            tell(f"{found.workers} of {cores()} cores are used: memory has no room for more processes")
            workers = found.workers
    with begun(folder, plan, force=force, restart=restart, tell=tell) as ledger:
        if (folder / MANIFEST).exists():
            remove_chunks(folder)  # of one that was stopped just after its manifest
            return folder
        for _ in range(MOST_TRIES):
            with _chosen(workers, lambda line: log(folder, line)) as chosen:
                target = _simulate(plan, folder, ledger, chosen, chunk, progress)
            if assembled(plan, folder, ledger, target):
                return folder
    raise StoreError(f"{folder}: chunks are lost or damaged as soon as they are written; is something else writing there?")


def _chosen(workers: int | Workers | None, tell: Callable[[str], Any]) -> contextlib.AbstractContextManager[Workers]:
    """Who simulates: so many processes (one: this one), or what was given."""
    if not isinstance(workers, int) and workers is not None:
        return contextlib.nullcontext(workers)
    return usual(workers, tell)


def _simulate(
    plan: Plan,
    folder: Path,
    ledger: Ledger,
    workers: Workers,
    chunk: int | None,
    progress: Callable[[Progress], None] | None,
) -> list[int]:
    """Simulate what is missing, round by round of replicates, until every point has enough; how many replicates each got."""
    repeats, told = Repeats(plan), Progress(0, open_ended=plan.batch.until is not None)
    kept = finished_parts(folder, ledger, lambda line: log(folder, line))
    done = tasks_in(kept)
    if plan.batch.until is not None:
        for rows in rows_in_order(folder, kept, SUMMARIES):
            repeats.take(rows)
    told.failures = len(failures_in(kept))
    warm, judged = False, [0] * len(plan.points)
    while True:
        wanted = (key for p, last in enumerate(repeats.target) for key in plan.tasks(p, judged[p], last))
        missing = [key for key in wanted if key not in done]
        told.done, told.total = len(done), len(done) + len(missing)
        if missing:
            if not warm:
                warm = True
                with ctrl_c_held():
                    warmed_up(plan)
                log(folder, f"simulating: {told.done} of {told.total} tasks are there")
            note(folder, told)
            for made in _kept(plan, folder, ledger, workers, plan.chunks(missing, chunk), told, progress):
                done.update(made.tasks)
                if plan.batch.until is not None:
                    repeats.take(pq.read_table(io.BytesIO(made.tables[SUMMARIES])))
        for p in [p for p, enough in enumerate(repeats.enough) if not enough]:
            judged[p] = repeats.target[p]
            repeats.judge(p)
        if all(repeats.enough):
            break
    log(folder, f"simulated: {told.said}")
    return repeats.target


def _kept(
    plan: Plan,
    folder: Path,
    ledger: Ledger,
    workers: Workers,
    work: Iterator[Chunk],
    told: Progress,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Done]:
    """Give out chunks, keep what comes back, and say how far it is. Raises ``BatchStopped`` after a failure, where it is to."""
    here, last = worker_identity(), time.monotonic()
    for _, made in workers.results(work, perform):
        same_identity(here, dict(made.worker), "a worker")
        kept_part(folder, ledger, made)
        told.done, told.failures = told.done + len(made.tasks), told.failures + len(made.failures)
        if told.began != told.began:  # workers have started: from here on their rate can be told
            told.begin()
            note(folder, told)
        for one in made.failures:
            where = f"point {one.point} ({plan.points[one.point].name}), arm '{one.arm}', replicate {one.replicate}"
            log(folder, f"failed: {where}: {one.error}")
        if time.monotonic() - last >= TOLD_EVERY:
            last = time.monotonic()
            log(folder, told.said)
        if progress is not None:
            progress(told)
        if made.failures and plan.batch.on_error == "stop":
            raise BatchStopped(
                f"a run failed and the batch stops there (on_error: stop): {where}: {one.error}. "
                f"What is finished is kept; attune replay {folder} says what repeats it"
            )
        yield made


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
