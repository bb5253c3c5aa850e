"""How far a batch is: for a progress bar, and for the log in its folder."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sim.files import appending, write_over
from sim.storage.names import CHUNKS, LOG, PROGRESS

#: Seconds between two lines of the progress log.
TOLD_EVERY = 15.0


@dataclass
class Progress:
    """How far a batch is: tasks, failures, and rate since this command began. ``said`` is one line for people and logs."""

    total: int
    done: int = 0
    failures: int = 0
    open_ended: bool = False  # until a measure is known well enough: the total may still grow
    _at_start: int = 0
    _began: float = float("nan")

    def begin(self) -> None:
        """Count rate and remaining time from here: the first finished chunk (starting workers says nothing of the rest)."""
        self._at_start, self._began = self.done, time.monotonic()

    @property
    def counting(self) -> bool:
        """Whether there is something to tell a rate from."""
        return self._began == self._began

    @property
    def rate(self) -> float:
        """Tasks a second since the first finished chunk; 0 where that is not known yet."""
        seconds = time.monotonic() - self._began
        return (self.done - self._at_start) / seconds if seconds > 0 else 0.0

    @property
    def remaining(self) -> float:
        """Seconds that what is known to be missing will take at this rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("nan")

    @property
    def said(self) -> str:
        """One line: tasks, percentage, rate, remaining time, failures."""
        total = f"{'at least ' if self.open_ended else ''}{self.total}"
        share = f" ({100 * self.done // max(self.total, 1)} %)"
        failed = f", {self.failures} failed run{'s' if self.failures != 1 else ''}"
        known = self.counting and self.done > self._at_start
        about = "at least" if self.open_ended else "about"
        rate = f", {self.rate:.2f} a second, {about} {told_seconds(self.remaining)} left" if known else ""
        return f"{self.done} of {total} tasks{share}{rate}{failed}"


def told_seconds(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds != seconds:
        return "an unknown time"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Noted:
    """What a running batch notes in its folder for those who ask how far it is: the tasks themselves stand in the ledger.

    ``total``: tasks in all as far as known; ``open_ended``: may still grow. ``began``: when simulating began last (seconds since
    1970), and ``began_with``, the tasks that were there then.
    """

    total: int
    open_ended: bool
    began: float
    began_with: int


def note(folder: Path, told: Progress) -> None:
    """Note in a batch's folder that simulating begins, and with how much. It may fail; the batch goes on."""
    noted = Noted(told.total, told.open_ended, time.time(), told.done)
    with contextlib.suppress(OSError):
        write_over(folder / CHUNKS / PROGRESS, json.dumps(asdict(noted)) + "\n")


def noted(folder: Path) -> Noted | None:
    """What a batch noted last; missing where it has noted nothing (or nothing that can be read)."""
    try:
        return Noted(**json.loads((folder / CHUNKS / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


class Log:
    """The progress log in the folder: a line when something happens, and one now and then. It may fail; the batch goes on."""

    def __init__(self, folder: Path) -> None:
        self.path, self._last = folder / LOG, 0.0

    def say(self, line: str, *, always: bool = True) -> bool:
        """Write a line with the time; ``always`` false = only if the last is long enough ago. Returns whether it was written."""
        now = time.monotonic()
        if not always and now - self._last < TOLD_EVERY:
            return False
        self._last = now
        with contextlib.suppress(OSError), appending(self.path) as f:
            f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode())
        return True
