"""The commands ``attune run`` and ``attune report``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sim import measures, screen
from sim.batch.results import read_back
from sim.cli.batch import run_in, tables_kept
from sim.cli.evidence.options import ScenarioFile, Seed, WithFiles, stoppable
from sim.cli.printed import listing
from sim.cli.scenarios import loaded
from sim.errors import ReportFailed, StoreError, UsageError
from sim.files import replacing, tidied, writable
from sim.folders.reopened import scenario_written_anew
from sim.report.words import answer
from sim.runs import run as runs
from sim.scenario.reading import lines_of
from sim.scenario.scenario import Scenario
from sim.simulation.build import somebody_fits
from sim.simulation.limits import fits
from sim.simulation.tables import Run
from sim.storage.added import run_files
from sim.storage.names import MANIFEST
from sim.storage.reading import open_run
from sim.storage.store import run_id, save

_WORKERS = typer.Option(min=1, help="Threads, of a batch processes; default: all cores it may use. Does not change results.")
_BATCH = typer.Option("--batch", help="Run as a batch: kept chunk by chunk, goes on after a crash, summaries only.")
_KEEP = typer.Option(help="Of a batch: a table to keep beside the summaries (clients, sessions, ...).")
_CLUSTER = typer.Option(help="Of a batch: address of a Dask scheduler whose workers simulate, such as tcp://host:8786.")
_FORCE = typer.Option("--force", help="Of a batch: go on although the program or the machine has changed.")
_RESTART = typer.Option("--restart", help="Of a batch: start again; what is there is moved aside.")
_POINT = typer.Option(min=0, help="Of a scenario with a batch: this point alone, as a single run with all its tables.")


def run(
    scenario: ScenarioFile,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default: in results/<scenario>/.")] = None,
    workers: Annotated[int | None, _WORKERS] = None,
    with_files: WithFiles = None,
    batch: Annotated[bool, _BATCH] = False,
    keep: Annotated[list[str] | None, _KEEP] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Of a batch: tasks given out together; changes no result.")] = None,
    cluster: Annotated[str | None, _CLUSTER] = None,
    on_error: Annotated[str | None, typer.Option(help="Of a batch: what a failing run does: skip, stop or raise.")] = None,
    force: Annotated[bool, _FORCE] = False,
    restart: Annotated[bool, _RESTART] = False,
    point: Annotated[int | None, _POINT] = None,
) -> None:
    """Run a scenario: tables, a report, and the answer printed. The same command goes on with an unfinished batch."""
    if scenario_written_anew(scenario):
        screen.note(f"{scenario} was gone and is written anew from the ledger beside it.")
    with lines_of(scenario):
        wanted, seed = loaded(scenario, with_files, point, seed)
        if batch or cluster is not None or wanted.batch is not None:
            run_in(
                wanted, seed, out=out, workers=workers, cluster=cluster, with_files=with_files, chunk=chunk,
                keep=keep, on_error=on_error, force=force, restart=restart,
            )  # fmt: skip
            return
        of_batches = {"--keep": keep, "--chunk": chunk, "--on-error": on_error, "--force": force, "--restart": restart}
        given = next((name for name, value in of_batches.items() if value), None)
        if given is not None and point is not None:
            raise UsageError(f"{given} belongs to a batch, and --point runs one point of it by itself; leave one of them out")
        if given is not None:
            raise UsageError(f"{given} belongs to a batch, and {scenario} has no 'batch:'; add --batch to run it as one")
        _run_alone(wanted, seed, out, workers)


def _run_alone(wanted: Scenario, seed: int, out: Path | None, workers: int | None) -> None:
    """A single run: whole or not at all; read from the disk where it is there, also when an equal one was faster."""
    folder = out or Path("results") / wanted.name / run_id(wanted, seed)
    if out is None and (folder / MANIFEST).exists():
        _again(folder)
        return
    try:
        _simulated(wanted, seed, folder, workers)
    except StoreError:
        if out is not None or not (folder / MANIFEST).exists():
            raise
        _again(folder)


def _again(folder: Path) -> None:
    """What was run before."""
    try:
        done = open_run(folder)
    except StoreError as e:
        raise UsageError(f"{e}. Remove {folder} to run it again.") from e
    tidied(folder)
    if not (folder / "report.html").exists():
        _reported(done, folder)
    _show(done, folder)
    screen.say("Already run with this scenario, seed and version; read from disk.")


def _simulated(wanted: Scenario, seed: int, folder: Path, workers: int | None) -> None:
    started = time.perf_counter()
    fits(wanted, folder)
    somebody_fits(wanted, seed)
    writable(folder)
    with stoppable(), screen.progress() as tell:
        result = runs.run(wanted, seed, threads=workers, progress=tell)
    simulated = time.perf_counter()
    failed: list[ReportFailed] = []

    def report(run: Run, place: Path) -> None:
        from sim.report.pages.run import write_report

        try:
            with tables_kept(folder, place):
                write_report(run, place)
        except ReportFailed as e:
            failed.append(e)

    save(result, folder, [f"started {time.strftime('%Y-%m-%d %H:%M:%S')}", f"simulated in {simulated - started:.2f} s"], report)
    if failed:
        raise failed[0]
    _show(result, folder)


def _show(run: Run, folder: Path) -> None:
    screen.heading(f"\n{run.scenario.question}\n")
    screen.show(screen.table_of(measures.answer_table(run), "Simulated people, not real ones"), *listing.intervals_of(run))
    if run.scenario.design == "clinic":  # whose answer is not in its table
        screen.say("\n" + answer.paragraph(run))
    screen.say(f"\nReport: {folder / 'report.html'}\nTables: {folder}  (seed {run.seed})")


def report(
    folder: Annotated[Path, typer.Argument(help="A result folder.")],
    with_files: WithFiles = None,
) -> None:
    """Write the report of a run or batch again."""
    from sim.report.pages.batch import write_batch_report

    run_files(with_files)
    found = read_back(folder)
    with tables_kept(folder, folder):
        if isinstance(found, Run):
            _reported(found, folder)
        else:
            write_batch_report(found)
    screen.say(f"Report: {folder / 'report.html'}")


def _reported(run: Run, folder: Path) -> None:
    """Write the report of a run that is on the disk."""
    from sim.report.pages.run import write_report

    with replacing(folder) as beside:
        write_report(run, beside)
