"""The commands about what is installed: the scenarios that come with the program, and the compiled code that it keeps."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.filesize import decimal

from sim import screen
from sim.compiling import cache_place, cached
from sim.files import removed
from sim.scenario.reading import read, shipped


def list() -> None:  # as the command is called
    """List the scenarios that come with Attune. Each with its question; they run by name from any folder: attune run hello."""
    rows = [(name, read(file).spec["question"]) for name, file in shipped().items()]
    screen.show(screen.table("", [screen.Head("scenario", wrap=False), "its question"], rows))


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove it; what is needed is compiled again (half a minute).")] = False,
) -> None:
    """Say where compiled code is kept, and how much. What ATTUNE_CACHE names, or the folder for caches in the home."""
    folders = cached()
    size = sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
    for folder in folders if clear else ():
        removed(folder)
    versions = "1 version" if len(folders) == 1 else f"{len(folders)} versions"
    screen.say(
        f"{cache_place()}: {decimal(size)} of compiled code, of {versions} of the program" + ("; removed." if clear else ".")
    )
