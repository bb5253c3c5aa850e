"""What several commands have: options, and what is said of a result and of work that was stopped; each declared once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim import screen
from sim.errors import Stopped

if TYPE_CHECKING:
    from sim.screen import Table

ScenarioFile = Annotated[Path, typer.Argument(help="A scenario file (YAML), or the name of a shipped one (attune list).")]
WithFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--with", help="Python file that is run first and adds matching rules, policies or programmes; may be repeated."
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes all random draws: the same seed gives the same tables.")]
Size = Annotated[float, typer.Option(min=0.05, max=4.0, help="Proportion of the usual number of people in each table.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; default: all cores it may use. Does not change results.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes side by side; default: all cores it may use. Does not change results.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the result with the product, for docs/VALIDATION.md.")]


@contextlib.contextmanager
def stoppable(folder: Path | None = None) -> Iterator[None]:
    """Work that Ctrl-C may stop: what is finished is kept in ``folder``, and the same command goes on; without one nothing is."""
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = f"what is finished is kept in {folder}, and the same command goes on from there"
        stopped = Stopped("nothing was written" if folder is None else kept if folder.exists() else "nothing had begun")
        stopped.status = getattr(stop, "status", Stopped.status)
        raise stopped from None


def shown(data: Any, as_json: bool, tables: Sequence[Table], *lines: str) -> None:
    """Print a result: as data, or as tables and lines."""
    if as_json:
        screen.say(json.dumps(data, indent=2))
        return
    screen.show(*tables)
    screen.say(*lines)
