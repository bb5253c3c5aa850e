"""How far a batch is, looked at from outside: nothing is written, and the ledger is locked no longer than a look."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.batch.progress import noted
from sim.batch.resume import failures_in, tasks_in
from sim.errors import StoreError
from sim.files import expanded, leftovers, reading_plain
from sim.folders.reopened import run_command
from sim.storage import ledger as ledgers
from sim.storage.names import LEDGER, LOG, MANIFEST, RUN_LOG
from sim.storage.reading import is_folder, opened

#: Lines of the log that are shown, and bytes at its end that are looked at for them.
LINES, _END = 6, 10_000


@dataclass(frozen=True)
class Status:
    """How a folder stands.

    ``state``: one of ``not begun``, ``running``, ``stopped`` (unfinished), ``finished``. ``total``: tasks in all (``at_least``:
    what is known so far); missing where nothing is simulated yet. ``rate``: tasks a second since this run began to simulate, and
    ``remaining`` seconds at that rate; only while it runs. ``bytes``: size on disk. ``next_step``: a command, or a sentence.
    ``leftovers``: half-made files of a process that was killed; no results, and removed by the next run there.
    """

    folder: str
    kind: str
    state: str
    next_step: str
    also: tuple[str, ...] = ()
    scenario: str | None = None
    seed: int | None = None
    done: int | None = None
    total: int | None = None
    at_least: bool = False
    failures: int = 0
    rate: float | None = None
    remaining: float | None = None
    bytes: int = 0
    log: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


def status(folder: str | Path) -> Status:
    """How a batch or a single run in a folder stands. Raises ``StoreError`` for a folder of something else."""
    folder = expanded(folder)
    is_folder(folder)
    if (folder / LEDGER).exists():
        return _of_batch(folder)
    if (folder / MANIFEST).exists():
        return _of_run(folder)
    if not any(folder.iterdir()):
        return Status(str(folder), "batch", "not begun", f"attune run SCENARIO --out {shlex.quote(str(folder))}")
    raise StoreError(f"{folder}: holds neither a batch nor a run; name the folder that attune run wrote")


def _of_run(folder: Path) -> Status:
    found = opened(folder)
    name = shlex.quote(str(folder))
    next_step = f"restore its {LEDGER}, which is missing, or run it again" if found.is_batch else f"attune report {name}"
    return Status(
        str(folder), "batch" if found.is_batch else "run", "finished", next_step,
        (f"attune verify {name}", f"attune export {name} --to csv"), found.manifest["scenario"], found.seed,
        bytes=size_of(folder), log=_tail(folder / RUN_LOG), leftovers=left_in(folder),
    )  # fmt: skip


def _of_batch(folder: Path) -> Status:
    held = ledgers.is_held(folder)  # before anything is read, so that what is told of a running batch is not older
    ledger = ledgers.read(folder)
    begun: Mapping[str, Any] = {**ledger.begun, "on_error": ledger.lines[0]["on_error"]} if ledger.lines else {}
    finished = (folder / MANIFEST).exists()
    state = "running" if held else "finished" if finished else "stopped" if begun else "not begun"
    done, failures = len(tasks_in(ledger.lines)), len(failures_in(ledger.lines))
    told, total, rate, remaining = noted(folder), None, None, None
    if finished:
        opened(folder)  # whose manifest can be read
        total = done
    elif told is not None:
        told.done, total = done, max(done, told.total)
        if held and told.rate > 0:
            rate = told.rate
            remaining = (total - done) / rate
    next_step, also = _next(folder, state, begun, failures)
    return Status(
        str(folder), "batch", state, next_step, also, begun.get("scenario"), begun.get("seed"), done, total,
        bool(told and told.open_ended and not finished), failures, rate, remaining, size_of(folder), _tail(folder / LOG),
        () if held else left_in(folder),
    )  # fmt: skip


def _tail(path: Path) -> tuple[str, ...]:
    """The last lines of a log, as far as it can be read."""
    try:
        with reading_plain(path) as log:
            log.seek(-min(_END, log.seek(0, os.SEEK_END)), os.SEEK_CUR)
            lines = log.read(_END).decode("utf-8", errors="replace").splitlines()
            return tuple(lines[-LINES:])
    except OSError:
        return ()


def left_in(folder: Path) -> tuple[str, ...]:
    """What a process that was killed has left half-made in a folder, by its place there."""
    return tuple(Path(os.path.relpath(path, folder)).as_posix() for path in leftovers(folder))


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; one that is gone while it is looked at counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                total += path.stat().st_size
    return total


def command_of(folder: Path, begun: Mapping[str, Any]) -> str:
    """The command that goes on with a batch, from what its folder keeps."""
    words = ["--out", str(folder)]
    batch = begun["spec"].get("batch")
    if batch is None:
        words.append("--batch")
    batch = batch if isinstance(batch, Mapping) else {}
    kept = batch.get("keep") or ()
    if set(begun["keep"]) != set(map(str, kept if isinstance(kept, list) else (kept,))):
        words += [word for name in begun["keep"] for word in ("--keep", name)]
    if begun.get("on_error", "skip") != batch.get("on_error", "skip"):
        words += ["--on-error", begun["on_error"]]
    return run_command(folder, begun, *words)


def _next(folder: Path, state: str, begun: Mapping[str, Any], failures: int) -> tuple[str, tuple[str, ...]]:
    """What to do next: first, and besides."""
    name = shlex.quote(str(folder))
    explain = (f"attune replay {name}",) if failures else ()
    if state == "running":
        return "wait; Ctrl-C or a kill where it runs loses only what is under way", explain
    if state == "stopped":
        return command_of(folder, begun), explain
    if state == "finished":
        return f"attune verify {name}", (*explain, f"attune export {name} --to csv")
    return f"attune run SCENARIO --out {name}", ()
