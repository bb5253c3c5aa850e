"""A bank of simulated tables of patterns: each parameter set is simulated once, kept on disk, and never asked for again.

Calibration, ensemble, leave-one-out and competing models all need the same thing: for many parameter sets, what the simulated
studies find. The bank answers in the order asked, with processes side by side, and appends every answer to a file at once. So a
long search that was stopped goes on where it stood, and what comes out depends neither on the number of processes nor on the
stops."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.batch.workers import ended, processes
from sim.errors import SearchError
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.studies import Studies
from sim.evidence.patterns.validation import Row, simulated
from sim.evidence.stored import model_hash
from sim.files import append, appending, folder_at

LEDGER = "simulated.jsonl"
#: Folders and files that decide what a simulated study finds.


@dataclass(frozen=True)
class Job:
    """One table to simulate: ``changes`` of the model (keys of a scenario), seed, size and the patterns wanted."""

    changes: Mapping[str, Any]
    seed: int
    size: float
    ids: tuple[str, ...]

    @property
    def key(self) -> str:
        """What the job is known by; the same text for the same job."""
        said = json.dumps([self.changes, self.seed, self.size, self.ids], sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Found:
    """What the simulated studies found: pattern -> (value, Monte-Carlo error); pattern -> part -> (value, low, high)."""

    values: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, tuple[float, float, float]]] = field(default_factory=dict)
    between: Mapping[str, float] = field(default_factory=dict)


def found_by(job: Job) -> dict[str, Any]:
    """Simulate one job; plain values, as they are kept on disk. Runs in a process of its own, in one thread."""
    studies = Studies(job.seed, job.changes, job.size, threads=1)
    values, parts, between = {}, {}, {}
    for one in (patterns()[name] for name in job.ids):
        row = Row(one, simulated(one, studies))
        if row.simulated.parts:
            parts[one.id] = {name: list(part) for name, part in row.simulated.parts.items()}
        else:
            values[one.id] = [row.simulated.value, row.simulated.error]
        if row.simulated.i2 == row.simulated.i2:
            between[one.id] = row.simulated.i2
    return {"values": values, "parts": parts, "between": between}


def _found(kept: Mapping[str, Any]) -> Found:
    return Found(
        {name: (v[0], v[1]) for name, v in kept["values"].items()},
        {name: {part: (v[0], v[1], v[2]) for part, v in parts.items()} for name, parts in kept["parts"].items()},
        dict(kept.get("between", {})),
    )


class Bank:
    """Answers jobs from what is kept, and simulates the others. ``folder`` None keeps nothing beyond the process.

    Use it as a context: its processes end with it. Raises ``SearchError`` for a ledger that another model has written.
    """

    def __init__(self, folder: Path | None = None, workers: int | None = None) -> None:
        self._kept: dict[str, Any] = {}
        self._file: FileIO | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._workers = workers or os.cpu_count() or 1
        self.simulated = 0  # jobs that were not kept already
        if folder is not None:
            self._read(folder_at(folder) / LEDGER)

    def _read(self, path: Path) -> None:
        """Take what an earlier search kept, and hold the ledger for this one. A last line cut off by a crash is dropped."""
        self._file = appending(path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise SearchError(f"{path}: another search is writing it; wait for it, or use another folder") from None
        self._file.seek(0)
        text = self._file.read().decode("utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            self._file.truncate(0)
            self._append({"model": model_hash()})
            return
        try:
            first, *entries = (json.loads(line) for line in whole.splitlines())
            of, self._kept = first["model"], {entry["key"]: entry for entry in entries}
        except (ValueError, KeyError, TypeError) as e:
            raise SearchError(f"{path}: is no ledger of simulated tables ({e}); remove it to begin again") from e
        if of != model_hash():
            raise SearchError(
                f"{path}: was made with another version of the model; use another folder, or remove it to begin again"
            )
        if whole != text:
            self._file.truncate(len(whole.encode()))

    def _append(self, entry: Mapping[str, Any]) -> None:
        if self._file is not None:
            append(self._file, json.dumps(entry) + "\n")

    @property
    def kept(self) -> int:
        """How many tables are kept."""
        return len(self._kept)

    def __enter__(self) -> Bank:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            ended(self._pool, gently=kind is None)
            self._pool = None
        if self._file is not None:
            self._file.close()  # lets go of the ledger
            self._file = None

    def ask(self, jobs: Sequence[Job], progress: Callable[[int, int], None] | None = None) -> list[Found]:
        """What each job finds, in the order of the jobs."""
        wanted = {job.key: job for job in jobs if job.key not in self._kept}
        done = len(jobs) - len(wanted)
        if wanted and self._workers == 1:
            for job in wanted.values():
                self._keep(job, found_by(job))
                done += 1
                if progress is not None:
                    progress(done, len(jobs))
        elif wanted:
            for job, kept in self._side_by_side(wanted.values()):
                self._keep(job, kept)
                done += 1
                if progress is not None:
                    progress(done, len(jobs))
        if progress is not None:
            progress(len(jobs), len(jobs))
        return [_found(self._kept[job.key]) for job in jobs]

    def _side_by_side(self, jobs: Iterable[Job]) -> Iterable[tuple[Job, dict[str, Any]]]:
        self._pool = self._pool or processes(self._workers)
        waiting: dict[Future[dict[str, Any]], Job] = {self._pool.submit(found_by, job): job for job in jobs}
        for future in as_completed(waiting):
            yield waiting[future], future.result()

    def _keep(self, job: Job, kept: dict[str, Any]) -> None:
        self.simulated += 1
        entry = {"key": job.key, "changes": dict(job.changes), "seed": job.seed, "size": job.size, **kept}
        self._kept[job.key] = entry
        self._append(entry)
