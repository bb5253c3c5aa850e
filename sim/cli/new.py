"""The command ``attune new``."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from sim import screen
from sim.errors import UsageError
from sim.files import write_new


def new(
    name: Annotated[str, typer.Argument(help="Name of the scenario to start.")],
    clinic: Annotated[bool, typer.Option("--clinic", help="A clinic, with waiting list and caseloads.")] = False,
) -> None:
    """Write a commented scenario to start from."""
    stem = name.removesuffix(".yaml")
    if not re.fullmatch(r"\w[\w-]*", stem):
        raise UsageError(f"'{name}' cannot be a scenario's name; use letters, digits, - and _")
    folder = Path("scenarios") if Path("scenarios").is_dir() else Path()
    path = folder / f"{stem}.yaml"
    template = "clinic.yaml" if clinic else "arms.yaml"
    text = resources.files("sim.scenario").joinpath("templates", template).read_text(encoding="utf-8")
    if (folder / "schema.json").exists():
        text = "# yaml-language-server: $schema=schema.json\n" + text
    write_new(path, text)
    screen.say(f"Wrote {path}. Edit it, then:\n  attune check {path}\n  attune run {path}")
