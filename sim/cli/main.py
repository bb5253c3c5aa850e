"""The command ``attune``: its commands, each read from its module when it is called, and how it ends."""

from __future__ import annotations

import ast
import functools
import importlib
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from sim import screen
from sim.errors import AttuneError, Note, UsageError
from sim.files import expanded
from sim.naming import BEFORE, TABLE, renamed
from sim.version import __version__

#: Every command, in the order of the help, and the module beside this one that holds its function.
COMMANDS = {
    "list": "installed",
    "run": "run",
    **dict.fromkeys(("check", "new", "params", "trace"), "scenarios"),
    "report": "run",
    "claims": "evidence.claims",
    "validate": "evidence.validate",
    **dict.fromkeys(("calibrate", "ensemble"), "evidence.calibrate"),
    "sensitivity": "evidence.sensitivity",
    **dict.fromkeys(("app", "handout"), "classroom"),
    **dict.fromkeys(("verify", "export", "compare", "status", "replay"), "folders"),
    "schema": "scenarios",
    "cache": "installed",
}


class _Commands(TyperGroup):
    """Commands of which help and suggestions need the names alone: the module of one is imported when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        from sim.compiling import cache_place

        cache_place()  # before a library asks for a home that may not be there
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(_expanding(getattr(importlib.import_module(f"sim.cli.{COMMANDS[name or '']}"), name or "")))
        return name, typer.main.get_command(alone), rest


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Attune: a simulated clinic for empathy, attachment and alliance. All people in it are simulated; "
    "it is not a clinical tool.",
)


def _version(value: bool) -> None:
    if value:
        screen.say(f"attune {__version__}")
        raise typer.Exit


@app.callback()
def _attune(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def _listed() -> Iterator[tuple[str, str]]:
    """Every command with the docstring of its function, without importing anything."""
    read: dict[str, dict[str, str]] = {}
    for name, module in COMMANDS.items():
        if module not in read:
            source = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
            functions = [one for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)]
            read[module] = {one.name: ast.get_docstring(one) or "" for one in functions}
        yield name, read[module][name]


for _name, _help in _listed():
    app.command(_name, help=_help)(lambda: None)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what somebody can put right becomes one line on stderr and the error's exit status."""
    warnings.showwarning = partial(_noted, set())
    warnings.simplefilter("always", Note)
    try:
        screen.begin()
        _somewhere()
        status = app(args=arguments, prog_name="attune", standalone_mode=False)
        if status == 130:  # how the library tells of Ctrl-C
            raise KeyboardInterrupt
    except typer.TyperException as e:
        e.show()  # type: ignore[attr-defined]
        screen.note(*_hint(e))
        sys.exit(2)
    except AttuneError as e:
        _fail(f"{e.lead}{e}", e.status)
    except SystemExit as e:  # of code that somebody added: nothing here ends so, but a library whose reader has had enough
        if isinstance(e.__context__, BrokenPipeError):
            screen.unread()
            sys.exit(1)
        *_, last = traceback.extract_tb(e.__traceback__)
        _fail(f"{last.filename}:{last.lineno}: ends the program (SystemExit: {e.code}), which nothing that is added may do", 2)
    except BrokenPipeError:
        screen.unread()
        sys.exit(1)
    except OSError as e:
        _fail(str(e), 2)
    except MemoryError:
        _fail("not enough memory for this scenario; use fewer clients, sessions or replicates", 2)
    except KeyboardInterrupt:
        _fail("stopped; nothing is left half-written", 130)
    sys.exit(status if isinstance(status, int) else 0)


def _noted(said: set[str], message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any) -> None:
    """One line for a note of ours, unless it was ``said`` before; of other warnings what Python says."""
    note = f"Note: {message}" if issubclass(category, Note) else warnings.formatwarning(message, category, filename, lineno)
    if note not in said:
        said.add(note)
        screen.note(note.rstrip())


def _somewhere() -> None:
    """Raise ``UsageError`` where the working folder is one that was removed."""
    try:
        Path.cwd()
    except OSError as e:
        raise UsageError(
            f"is gone ({e.strerror or e})", where="the working folder", valid="change to one that is there"
        ) from None


def _expanding(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose paths are expanded (``~``), once, before it sees them."""

    def seen(value: Any) -> Any:
        if isinstance(value, list):
            return [seen(one) for one in value]
        return expanded(value) if isinstance(value, Path) else value

    @functools.wraps(function)
    def with_expanded(**given: Any) -> None:
        function(**{name: seen(value) for name, value in given.items()})

    return with_expanded


def _hint(error: Any) -> Iterator[str]:
    """What an option that there is not was called before, where it was."""
    name, at = getattr(error, "option_name", None), getattr(error, "ctx", None)
    known = [option for one in at.command.params for option in one.opts] if at is not None else []
    if name and (now := renamed()["options"]) and (found := [option for option in known if now.get(option) == name]):
        yield f"{name} is now called {found[0]} ({TABLE} has all that was renamed since version {BEFORE})"


def _fail(message: str, status: int) -> NoReturn:
    screen.note(f"attune: {' '.join(message.split())}")
    sys.exit(status)
