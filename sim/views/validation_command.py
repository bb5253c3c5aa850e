"""The command ``attune validate``. Everything heavy is imported when it is called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def validate(
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes all luck: the same seed gives the same table.")] = 1,
    pattern: Annotated[list[str] | None, typer.Option(help="A pattern by its id (5.1); may be repeated; default: all.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="Validate the model that this scenario file changes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table (JSON) and the forest plot.")] = None,
    size: Annotated[float, typer.Option(min=0.02, max=10.0, help="Share of the usual number of people: rougher below 1.")] = 1.0,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: all cores. Does not change results.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Hold the model against published patterns: simulated as they were studied, with a joint score. Exit 1 where it fails."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from sim.evidence import validate as evidence
    from sim.evidence.patterns import chosen
    from sim.evidence.studies import changes_of
    from sim.experiments.scenario import load
    from sim.views import validation_page as page

    wanted = [one.id for one in chosen(pattern or ())]
    changes = changes_of(load(scenario)) if scenario is not None else {}
    if out is not None:
        page.room_for(out)
    shown = Console(stderr=True)
    with Progress(TextColumn("patterns"), BarColumn(), MofNCompleteColumn(), console=shown, transient=True,
                  disable=not shown.is_terminal) as progress:  # fmt: skip
        bar = progress.add_task("patterns", total=len(wanted))
        result = evidence.validate(seed, wanted, changes, size=size, threads=threads,
                                   progress=lambda done, total: progress.update(bar, completed=done, total=total))  # fmt: skip
    if out is not None:
        page.write(result, out)
    if as_json:
        typer.echo(json.dumps(page.as_data(result), indent=2))
    else:
        console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
        for table in page.tables(result):
            console.print(table)
        typer.echo("\n".join([*page.summary(result), page.legend(), *([f"Written: {out}"] if out is not None else [])]))
    if not result.passes:
        sys.exit(1)
