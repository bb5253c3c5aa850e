"""Simulated tables of patterns: each parameter set is simulated once, kept on disk, and never asked for again.

Calibration, ensemble, leave-one-out and competing models all need the same thing: for many parameter sets, what the simulated
studies find. ``Simulator`` answers in the order asked, with processes side by side, and appends every answer to a file at once.
So a long search that was stopped goes on where it stood, and what comes out depends neither on the number of processes nor on
the stops."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sim.batch.workers import usual
from sim.errors import SearchError
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.studies import Studies
from sim.evidence.patterns.validation import Row, simulated
from sim.evidence.stored import model_hash, same_models
from sim.files import append, appending, folder_at

LEDGER = "simulated.jsonl"


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


def found_in(data: Mapping[str, Any]) -> Found:
    """A table from plain values (``dataclasses.asdict``); None is no number."""

    def numbers(row: Sequence[float | None]) -> tuple[Any, ...]:
        return tuple(float("nan") if x is None else float(x) for x in row)

    return Found(
        {name: numbers(value) for name, value in data["values"].items()},
        {name: {part: numbers(value) for part, value in of.items()} for name, of in data["parts"].items()},
        {name: numbers([value])[0] for name, value in data.get("between", {}).items()},
    )


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


class Ledger:
    """Answers by key, each appended to a file as soon as it is known; ``path`` None keeps nothing beyond the process.

    Use it as a context: nobody else may write the file meanwhile. Raises ``SearchError`` where somebody does, for a file that is
    no ledger, and for one that another model has written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self._file: FileIO | None = None
        if path is not None:
            folder_at(path.parent)
            self._file = appending(path)
            self._read(path, self._file)

    def _read(self, path: Path, file: FileIO) -> None:
        """Take what is there, and hold the file. A last line cut off by a crash is dropped."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise SearchError(f"{path}: another search is writing it; wait for it, or use another folder") from None
        file.seek(0)
        text = file.read().decode("utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            file.truncate(0)
            append(file, json.dumps({"model": model_hash()}) + "\n")
            return
        try:
            first, *entries = (json.loads(line) for line in whole.splitlines())
            of, self.answers = first["model"], {entry["key"]: entry for entry in entries}
        except (ValueError, KeyError, TypeError) as e:
            raise SearchError(f"{path}: is no ledger of simulated tables ({e}); remove it to begin again") from e
        if of not in same_models():
            raise SearchError(
                f"{path}: was made with another version of the model; use another folder, or remove it to begin again"
            )
        if whole != text:
            file.truncate(len(whole.encode()))

    def keep(self, key: str, answer: Mapping[str, Any]) -> None:
        """Add an answer."""
        self.answers[key] = {"key": key, **answer}
        if self._file is not None:
            append(self._file, json.dumps(self.answers[key]) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()  # lets go of the file
            self._file = None


class Simulator(Ledger):
    """Answers jobs from what is kept in ``folder``, and simulates the others in ``workers`` processes, which end with it."""

    def __init__(self, folder: Path | None = None, workers: int | None = None) -> None:
        self.workers = usual(workers)
        self.simulated = 0  # jobs that were not kept already
        super().__init__(None if folder is None else folder / LEDGER)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.workers.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def ask(self, jobs: Sequence[Job], progress: Callable[[int, int], None] | None = None) -> list[Found]:
        """What each job finds, in the order of the jobs. Raises ``WorkersError`` when workers die again and again."""
        tell = progress or (lambda done, total: None)
        wanted = {job.key: job for job in jobs if job.key not in self.answers}
        for i, (job, found) in enumerate(self.workers.results(wanted.values(), found_by), len(jobs) - len(wanted) + 1):
            self.simulated += 1
            self.keep(job.key, {**asdict(job), **found})
            tell(i, len(jobs))
        tell(len(jobs), len(jobs))
        return [found_in(self.answers[job.key]) for job in jobs]
