"""How far a batch is: for a progress bar, for the log in its folder, and for those who ask from outside."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sim.files import appending, read_plain, write_over
from sim.storage.names import CHUNKS, LOG, PROGRESS
from sim.storage.schema import ProgressSaid, checked, parsed

#: Seconds between two lines of the progress log.
TOLD_EVERY = 15.0


@dataclass
class Progress:
    """How far a batch is: tasks, failures, and rate since this command began. ``said`` is one line for people and logs.

    ``began``: when the first chunk was finished (seconds since 1970), and ``at_start`` the tasks that were there then.
    """

    total: int
    done: int = 0
    failures: int = 0
    open_ended: bool = False  # until a measure is known well enough: the total may still grow
    at_start: int = 0
    began: float = float("nan")

    def begin(self) -> None:
        """Count rate and remaining time from here: the first finished chunk (starting workers says nothing of the rest)."""
        self.at_start, self.began = self.done, time.time()

    @property
    def rate(self) -> float:
        """Tasks a second since the first finished chunk; 0 where that is not known yet."""
        seconds = time.time() - self.began
        return (self.done - self.at_start) / seconds if seconds > 0 else 0.0

    @property
    def remaining(self) -> float:
        """Seconds that what is known to be missing will take at this rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("nan")

    @property
    def said(self) -> str:
        """One line: tasks, percentage, rate, remaining time, failures."""
        least, about = ("at least ", "at least") if self.open_ended else ("", "about")
        share = f" ({100 * self.done // max(self.total, 1)} %)"
        failed = f", {self.failures} failed run{'s' if self.failures != 1 else ''}"
        rate = f", {self.rate:.2f} a second, {about} {told_seconds(self.remaining)} left" if self.rate > 0 else ""
        return f"{self.done} of {least}{self.total} tasks{share}{rate}{failed}"


def told_seconds(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds != seconds:
        return "an unknown time"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def note(folder: Path, progress: Progress) -> None:
    """Note in a batch's folder how far it is. It may fail; the batch goes on."""
    with contextlib.suppress(OSError):
        write_over(folder / CHUNKS / PROGRESS, json.dumps(asdict(progress)) + "\n")


def noted(folder: Path) -> Progress | None:
    """What a batch noted last; missing where it has noted nothing (or nothing that can be read)."""
    try:
        return Progress(**checked(ProgressSaid, parsed(read_plain(folder / CHUNKS / PROGRESS))))
    except (OSError, ValueError, TypeError):  # the last: there is more than that
        return None


def log(folder: Path, line: str) -> None:
    """Write a line with the time into a batch's log. It may fail; the batch goes on."""
    with contextlib.suppress(OSError), appending(folder / LOG) as f:
        f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode())
