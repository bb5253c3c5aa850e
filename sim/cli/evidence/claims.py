"""The command ``attune claims``."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sim.errors import UsageError


def claims(
    names: Annotated[list[str] | None, typer.Argument(help="Claims (K7) or contrasts; default: all.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes all luck: the same seed gives the same tables.")] = 1,
    clients: Annotated[int | None, typer.Option(min=30, max=100_000, help="Simulated clients a side.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: all cores. Does not change results.")] = None,
    checking: Annotated[bool, typer.Option("--check", help="Exit 1 where a result differs from docs/CLAIMS.md.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write docs/CLAIMS.md anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Put the claims to the test: contrasts on the same people and luck, against what was expected beforehand."""
    from sim.cli.evidence import claims_page
    from sim.evidence.claims.contrasts import findings

    if (write or checking) and (seed != 1 or clients is not None):
        raise UsageError("docs/CLAIMS.md is on seed 1 with its own number of clients; leave out --seed and --clients")
    if write and names:
        raise UsageError("--write writes the whole of docs/CLAIMS.md; leave out the names")
    page, count = claims_page.PAGE, claims_page.SEEDS if write else 1
    if checking and not page.is_file():
        raise UsageError(f"{page}: is not there; --check compares with it, and works in a clone of the project")
    console = Console(stderr=True)
    with Progress(
        TextColumn("claims"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        bar = progress.add_task("claims", total=None)
        every = [
            findings(names or (), one, clients, threads=threads, ablated=one == seed,
                     progress=lambda done, total: progress.update(bar, completed=done, total=total))
            for one in range(seed, seed + count)
        ]  # fmt: skip
        found = every[0]
    if as_json:
        typer.echo(json.dumps(claims_page.as_data(found), indent=2))
    elif not checking:
        typer.echo(claims_page.in_full(found, names or ()))
    if write:
        try:
            page.write_text(claims_page.page(found, claims_page.over_seeds(every)), encoding="utf-8")
        except OSError as e:
            raise UsageError(f"{page}: cannot be written ({e.strerror})") from e
        typer.echo(f"Wrote {page}")
    if checking:
        differ = claims_page.differences(found, claims_page.kept(page.read_text(encoding="utf-8")))
        typer.echo("\n".join(differ) or f"{len(found)} contrasts agree with {page.name}.")
        if differ:
            sys.exit(1)
