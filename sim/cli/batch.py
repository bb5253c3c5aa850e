"""``attune run`` for batches: where it goes, who simulates, what is told on the way and at the end."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sim import screen
from sim.batch.progress import TOLD_EVERY, Progress, told_seconds
from sim.batch.results import BatchResults, open_batch
from sim.batch.run import run_batch
from sim.batch.workers import OnCluster
from sim.cli.evidence.options import stoppable
from sim.errors import BatchStopped, ReportFailed, StoreError, UsageError
from sim.files import write_over
from sim.report.words.sweep import how_known, results_table
from sim.scenario.scenario import Scenario
from sim.storage.names import LEDGER, MANIFEST

#: Rows of the table of results that are printed; the file has all.
MOST_ROWS = 40
#: Bytes beyond which a table is not read again only to see whether it is whole.
LARGE = 200_000_000


@contextlib.contextmanager
def _told() -> Iterator[Callable[[Progress], None]]:
    """Progress for people: a bar on a terminal, else a line now and then."""
    if not screen.is_terminal():
        last = [time.monotonic()]

        def line(progress: Progress) -> None:
            if time.monotonic() - last[0] >= TOLD_EVERY or progress.done == progress.total:
                last[0] = time.monotonic()
                screen.note(progress.said)

        yield line
        return
    with screen.progress() as tell:

        def moved(progress: Progress) -> None:
            failed = f", {progress.failures} failed" if progress.failures else ""
            rate = f", {progress.rate:.2f}/s, {told_seconds(progress.remaining)} left" if progress.rate > 0 else ""
            tell(progress.done, progress.total, also=f"tasks{rate}{failed}")

        tell(0, None, also="starting workers")
        yield moved


def run_in(
    scenario: Scenario,
    seed: int,
    *,
    out: Path | None,
    workers: int | None,
    cluster: str | None,
    with_files: Sequence[Path] | None,
    **how: Any,
) -> None:
    """Run a batch, or go on with it; print what it came to. ``how`` goes to ``run_batch`` (chunk, keep, ...)."""
    # always the same place, so that the same command goes on with what is there
    folder = out or Path("results") / scenario.name / f"batch-seed-{seed}"
    there = (folder / MANIFEST).exists() and not how.get("restart")
    if (folder / LEDGER).exists() and not there and not how.get("restart"):
        screen.note(f"{folder} holds an unfinished batch; whether it can go on is checked.")
    try:
        added = tuple((file.name, file.read_text(encoding="utf-8")) for file in with_files or ())
    except UnicodeDecodeError as e:
        raise UsageError(f"--with: {e.reason} at byte {e.start}; files that a batch keeps must be UTF-8") from None
    here = contextlib.nullcontext(workers)
    with stoppable(folder), _told() as progress, OnCluster(cluster) if cluster is not None else here as chosen, _ended_gently():
        run_batch(scenario, seed, folder, workers=chosen, added=added, progress=progress, tell=screen.note, **how)
        found = open_batch(folder)
        if there:
            _still_whole(found)
        if not there or not (folder / "report.html").exists():
            from sim.report.pages.batch import write_batch_report

            with tables_kept(folder, folder):
                write_batch_report(found)
    show(found)
    if there:
        screen.say("Already run with this scenario, seed and version; read from disk.")


def _still_whole(found: BatchResults) -> None:
    """Raise ``StoreError`` where a table of a finished batch is not what was written. Very large ones are left to ``verify``."""
    for name in found.tables:
        if found.path(name).stat().st_size < LARGE and (fault := found.fault(name)):
            more = f"{fault} (attune verify {found.folder} says more)"
            raise StoreError(more, where=str(found.path(name)), valid="restore it, or start again (--restart)")


@contextlib.contextmanager
def tables_kept(folder: Path, place: Path) -> Iterator[None]:
    """A report is written into ``place``: a fault in it must not cost the tables in ``folder``. Raises ``ReportFailed``."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as e:
        write_over(place / "report-error.txt", "".join(traceback.format_exception(e)))
        said = f"the tables are in {folder}, but the report failed ({e}); see report-error.txt there"
        raise ReportFailed(said) from e


class _Ended(KeyboardInterrupt):
    """Somebody (a queue, the system) asked this process to end."""

    status = 143


@contextlib.contextmanager
def _ended_gently() -> Iterator[None]:
    """SIGTERM stops a batch as Ctrl-C does."""

    def stop(*_: Any) -> None:
        raise _Ended

    if threading.current_thread() is not threading.main_thread():  # where signals are not ours
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def show(found: BatchResults) -> None:
    """Print what a batch came to."""
    screen.heading(f"\n{found.scenario.question}\n")
    rows = results_table(found)
    screen.show(
        screen.table("Simulated people, not real ones", map(str, rows.columns), rows.head(MOST_ROWS).itertuples(index=False))
    )
    if len(rows) > MOST_ROWS:
        screen.say(f"... and {len(rows) - MOST_ROWS} more rows; all are in {found.folder / 'summaries.parquet'}")
    screen.say(how_known(found))
    failed = len(found.failures)
    if failed:
        runs = "1 run" if failed == 1 else f"{failed} runs"
        screen.say(f"{runs} failed and are not in the numbers above; attune replay {found.folder} lists them.")
    screen.say(f"\nReport: {found.folder / 'report.html'}\nTables: {found.folder}  (seed {found.seed})")
    if failed and not len(found.summaries):
        raise BatchStopped("every run has failed")
