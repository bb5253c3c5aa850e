"""Options that several commands have, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ScenarioFile = Annotated[Path, typer.Argument(help="A scenario file (YAML).")]
WithFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--with", help="Python file that is run first and adds matching rules, policies or programmes; may be repeated."
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Fixes all random draws: the same seed gives the same tables.")]
Size = Annotated[float, typer.Option(min=0.05, max=4.0, help="Proportion of the usual number of people in each table.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; default: all cores. Does not change results.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes side by side; default: all cores. Does not change results.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
