"""The ledger of a batch: which chunks are finished, line by line, each line vouching for the one before.

A chunk's files are written first (temporary name, flushed to the disk, renamed), then its line is appended and flushed. So what
the ledger names is there whole, whatever happened in between. The last line may have been cut off by a crash; it is dropped, and
its chunk is simulated again. A line that was changed, removed or put elsewhere is noticed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

from sim.errors import StoreError
from sim.files import append, appending, read_plain, reading_plain
from sim.storage.names import LEDGER, refuse_older
from sim.storage.schema import LINES, checked, parsed


@dataclass
class Ledger:
    """The lines that stand in a ledger, and the open file to append to (only while a batch runs)."""

    path: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    _file: FileIO | None = None
    _check: str = ""

    @property
    def begun(self) -> dict[str, Any]:
        """What the batch was begun with. Raises ``StoreError`` where none was."""
        if not self.lines or "begun" not in self.lines[0]:
            raise StoreError(f"{self.path.parent}: no batch was begun here")
        return dict(self.lines[0]["begun"])

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line so that it is on the disk when this returns. Where that fails the ledger stays as it was."""
        assert self._file is not None
        check = _chained(self._check, entry)
        append(self._file, json.dumps({**entry, "check": check}) + "\n")
        self._check = check
        self.lines.append(dict(entry))


def _chained(before: str, entry: Mapping[str, Any]) -> str:
    said = before + json.dumps(dict(entry), sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _parsed(data: bytes, path: Path) -> tuple[list[dict[str, Any]], str, int]:
    """Lines, the last line's check, and how many bytes of the file are whole lines. Raises ``StoreError``."""
    whole = data[: data.rfind(b"\n") + 1]
    lines, check = [], ""
    for i, text in enumerate(whole.split(b"\n")[:-1], 1):
        try:
            entry = parsed(text)
            kind = next((kind for key, kind in LINES.items() if key in entry), None) if isinstance(entry, dict) else None
            if i == 1 and kind is not None:
                refuse_older(path.parent, entry.get("begun"))
            if kind is None or (kind is LINES["begun"]) != (i == 1):
                raise ValueError("the first says what was begun, and every other one what was done")
            said = checked(kind, entry).pop("check")
        except ValueError as e:
            raise StoreError(f"{path}:{i}: is no line of a ledger ({e}); restore the file, or start again (--restart)") from None
        check = _chained(check, entry)
        if said != check:
            raise StoreError(
                f"{path}:{i}: this line, or one before it, was changed after it was written; "
                "restore the file, or start again (--restart)"
            )
        lines.append(entry)
    return lines, check, len(whole)


def read(folder: Path) -> Ledger:
    """The ledger of a batch, to look at. Raises ``StoreError``."""
    path = folder / LEDGER
    try:
        data = read_plain(path)
    except OSError as e:
        raise StoreError(f"{folder}: no batch here ({path.name}: {e.strerror or e})") from e
    return Ledger(path, _parsed(data, path)[0])


def standing(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The lines of a ledger that name finished tasks, without those of which a later line names a task again."""
    found, seen = [], set[tuple[int, ...]]()
    for line in reversed([line for line in lines if "tasks" in line]):
        tasks = {tuple(task) for task in line["tasks"]}
        if seen.isdisjoint(tasks):
            found.append(line)
            seen |= tasks
    return found[::-1]


def without(folder: Path, how: str = "missing") -> StoreError:
    """What is said of a finished batch whose ledger is "missing" or "without a whole line"."""
    return StoreError(f"{folder}: holds a finished batch, but its {LEDGER} is {how}; restore it, or run it again: into another "
                      "folder (--out), or here (--restart; what is there is moved aside)")  # fmt: skip


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[FileIO]:
    """The open file of a ledger, whatever stands in it, for this process alone. Raises ``StoreError`` when another has it."""
    try:
        file = appending(folder / LEDGER)
    except OSError as e:
        raise StoreError(f"{folder}: cannot be written ({e.strerror or e})") from e
    try:
        _locked(file, folder)
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Ledger]:
    """The ledger of a batch to write to, by this process alone. Raises ``StoreError`` when another has it."""
    path = folder / LEDGER
    with alone(folder) as file:
        file.seek(0)
        lines, check, whole = _parsed(file.read(), path)
        file.truncate(whole)  # a last line that a crash has cut off
        yield Ledger(path, lines, file, check)


#: Seconds that a lock is waited for: somebody may be taking a look.
_WAIT = 1.0


def _locked(file: FileIO, folder: Path) -> None:
    """Take the lock. Raises ``StoreError`` when another run has it, or locks do not work there."""
    until = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as e:
            if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreError(f"{folder}: files cannot be locked there ({e.strerror or e}); use another disk") from e
            if time.monotonic() > until:
                raise StoreError(
                    f"{folder}: another run is writing here; wait for it (attune status {folder}), or use another folder"
                ) from None
            time.sleep(0.05)
    with contextlib.suppress(OSError):
        if os.fstat(file.fileno()).st_ino == os.stat(folder / LEDGER).st_ino:
            return
    raise StoreError(f"{folder}: was moved aside by another run (--restart) just now; run it again")


def is_held(folder: Path) -> bool:
    """Whether a batch is being run in this folder now."""
    try:
        with reading_plain(folder / LEDGER) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
