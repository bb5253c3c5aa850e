"""The commands that look into a folder of results: verify, export, compare, status, replay."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.filesize import decimal

from sim import screen
from sim.batch.progress import told_seconds
from sim.catalogue.columns import NOTHING
from sim.cli.evidence.options import AsJson
from sim.errors import UsageError
from sim.export import tables
from sim.export.csv import csv_free, write_csv
from sim.folders import status as folder_status
from sim.folders.compare import COLUMNS, Compared, compare_folders
from sim.folders.replay import Failed, failures_of
from sim.folders.verify import Verified, verified
from sim.storage.added import run_files
from sim.storage.store import SYNTHETIC

#: Rows of a comparison that are printed; a file has all.
MOST_ROWS = 60
_FOLDER = typer.Argument(help="A result folder, of a run or a batch.")
_WITH = typer.Option("--with", help="Python file that was given to attune run; what a folder keeps is run only where named.")
_SAMPLE = typer.Option(min=0, max=100_000, help="Parts to simulate again and compare row by row; 0: hashes only.")
_CHOSEN = typer.Option(min=0, max=2**63 - 1, help="Chooses the sample; default: by chance, and printed.")
_OUT = typer.Option(help="Folder that is not there yet; default: beside the other, with the format in its name.")


def verify(
    folder: Annotated[Path, _FOLDER],
    sample: Annotated[int, _SAMPLE] = 3,
    seed: Annotated[int | None, _CHOSEN] = None,
    force: Annotated[bool, typer.Option("--force", help="Simulate again although program or machine are others now.")] = False,
    with_files: Annotated[list[Path] | None, _WITH] = None,
) -> None:
    """Check that a folder still holds what was simulated. Every table's hash, and a sample simulated again.

    Exit status 1 where something does not agree.
    """
    run_files(with_files)
    chosen = secrets.randbelow(2**32) if seed is None else seed
    found = verified(folder, sample, chosen, force=force, progress=screen.note)
    screen.say("\n".join(verified_told(found)))
    if not found.well:
        raise typer.Exit(1)


def verified_told(found: Verified) -> Iterator[str]:
    """What was looked at and what was found, line by line."""
    tables = len(found.hashed) + len({d.table for d in found.differs if d.table and not d.where})
    yield f"{len(found.hashed)} of {tables} tables hold the values that the manifest vouches for."
    if found.sampled:
        parts = "1 part was" if len(found.sampled) == 1 else f"{len(found.sampled)} parts were"
        yield f"{parts} simulated again and {found.compared_rows:,} rows compared exactly; chosen by --seed {found.seed}:"
        yield from (f"  {one}" for one in found.sampled)
    yield from (f"Note: {line}." for line in found.not_sampled)
    for one in found.differs:
        where = f", {one.where}" if one.table and one.where else ""
        yield f"DIFFERS: {f'{one.table}.parquet' if one.table else one.where}{where}: {one.what}"
    if found.well:
        checked = "everything that was looked at agrees" if found.sampled else "the hashes agree"
        yield f"{found.folder}: {checked}."
    else:
        yield f"{found.folder}: {len(found.differs)} thing{'s do' if len(found.differs) != 1 else ' does'} not agree."


def export(
    folder: Annotated[Path, _FOLDER],
    to: Annotated[
        str, typer.Option(help="csv, excel (text stays text), or netcdf (labels, units, summaries as an array over points).")
    ],
    out: Annotated[Path | None, _OUT] = None,
    table: Annotated[list[str] | None, typer.Option(help="Only this table; may be repeated.")] = None,
) -> None:
    """Write the tables of a run or batch for other programs. Units and meanings of every column go with them."""
    place = tables.export(folder, to, out, tuple(table or ()), progress=screen.note)
    files = sorted(path.name for path in place.iterdir())
    screen.say(f"Written: {place} ({', '.join(files)})")


def compare(
    a: Annotated[Path, typer.Argument(help="A result folder, of a run or a batch.")],
    b: Annotated[Path, typer.Argument(help="Another; differences are B minus A.")],
    measure: Annotated[list[str] | None, typer.Option(help="Only this measure; may be repeated.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write all rows to this CSV file.")] = None,
) -> None:
    """Compare two runs or batches: B less A. With 95 % intervals; paired where both had the same people and random draws."""
    if csv is not None:
        csv_free(csv)
    found = compare_folders(a, b, measure)
    if csv is not None:
        table = found.table.assign(unit=[found.unit(m) for m in found.table["measure"]])
        write_csv(csv, table, (SYNTHETIC, "B minus A, 95 % intervals", *found.notes), COLUMNS)
    screen.say("\n".join(f"{line}." for line in found.notes))
    screen.say("")
    if (found.table[["difference", "low", "high"]].fillna(0.0) == 0.0).all(axis=None):
        screen.say(f"Identical: none of the {len(found.table)} differences is anything but 0.")
        return
    rows = compared_table(found).head(MOST_ROWS)
    heads = [screen.Head(str(name), right=name in ("A", "B", "B - A")) for name in rows.columns]
    screen.show(screen.table("", heads, rows.itertuples(index=False), compact=True), width=180)
    if len(found.table) > MOST_ROWS:
        screen.say(f"... and {len(found.table) - MOST_ROWS} more rows; --measure shows one measure, --csv FILE writes all")
    screen.say("\nB minus A, with 95 % intervals. Simulated people, not real ones.")


def compared_table(found: Compared) -> pd.DataFrame:
    """A comparison as one prints it: a row per point, arm and measure."""
    table = found.table
    interval = [f"{low:+.3g} to {high:+.3g}" if low == low else "" for low, high in zip(table["low"], table["high"], strict=True)]
    count = [over if "+" in over else f"{n} {over}" for n, over in zip(table["n"], table["over"], strict=True)]
    shown = pd.DataFrame({
        "point": table["point_name"], "arm": table["arm"], "less arm": table["minus"],
        "measure": [f"{m} ({found.unit(m)})" for m in table["measure"]],
        "A": table["a"].map("{:.3f}".format), "B": table["b"].map("{:.3f}".format),
        "B - A": table["difference"].map("{:+.3g}".format), "95 %": interval, "over": count,
    })  # fmt: skip
    alike = [name for name, few in (("point", "as it stands"), ("less arm", NOTHING)) if (shown[name] == few).all()]
    return shown.drop(columns=alike)


def status(folder: Annotated[Path, _FOLDER], as_json: AsJson = False) -> None:
    """Say how far a batch is, from any terminal. Tasks, failures, rate, remaining time, what to do next; changes nothing."""
    found = folder_status.status(folder)
    screen.say(json.dumps(asdict(found), indent=2) if as_json else "\n".join(status_told(found)))


def status_told(found: folder_status.Status) -> Iterator[str]:
    """A status, line by line."""
    state = {"stopped": "stopped, not finished"}.get(found.state, found.state)
    what = "batch" if found.kind == "batch" else "single run"
    who = "" if found.scenario is None else f" of '{found.scenario}', seed {found.seed}"
    yield f"{found.folder}: {state} ({what}{who})"
    if found.done is not None:
        total = f" of {'at least ' if found.at_least else ''}{found.total}"
        if found.total is None:
            total = " (its log does not tell of how many)"
        share = f" ({100 * found.done // found.total} %)" if found.total else ""
        yield f"Tasks:    {found.done}{total}{share}"
        yield f"Failures: {found.failures}"
    if found.rate is not None and found.remaining is not None:
        yield f"Rate:     {found.rate:.2f} tasks a second, about {told_seconds(found.remaining)} left"
    if found.bytes:
        yield f"On disk:  {decimal(found.bytes)}"
    if found.leftovers:
        yield f"Left:     {', '.join(found.leftovers)} (half-made by a process that was killed; the next run there removes it)"
    if found.log:
        yield "Log:"
        yield from (f"  {line}" for line in found.log)
    yield f"Next:     {found.next_step}"
    yield from (f"          {one}" for one in found.also)


def replay(
    folder: Annotated[Path, typer.Argument(help="The folder of a batch, finished or not.")],
    failure: Annotated[int | None, typer.Option(min=0, help="Number of the failure, from 0; without it, all are listed.")] = None,
) -> None:
    """Say where a run of a batch failed, with which seed, its traceback, and the command that repeats it."""
    found = failures_of(folder)
    if failure is None:
        for i, one in enumerate(found[:MOST_ROWS]):
            screen.say(f"{i:>4}  {_where(one)}\n      {one.failure.error}")
        more = f"; the first {MOST_ROWS} are shown" if len(found) > MOST_ROWS else ""
        screen.say(f"{len(found)} failed in {folder}{more}." if found else f"{folder}: nothing has failed.")
        return
    if failure >= len(found):
        there = f"failures are numbered 0 to {len(found) - 1}" if found else "nothing has failed in it"
        raise UsageError(f"--failure {failure}: {folder} has no such failure", valid=there)
    one = found[failure]
    screen.say(f"{_where(one)}; seed {one.seed}\n\n{one.failure.traceback}\nTo repeat it: {one.command}")


def _where(one: Failed) -> str:
    return f"point {one.point.number} ({one.point.name}), arm '{one.failure.arm}', replicate {one.failure.replicate}"
