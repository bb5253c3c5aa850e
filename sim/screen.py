"""The only place that draws on the terminal: lines, tables of plain text, and progress; and the small table of a notebook.

What is in a cell is shown as it is, whatever it looks like. Where the output is no terminal, tables are wide enough not to be
folded.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sim.errors import UsageError
from sim.files import nowhere

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table as Table

#: How wide tables may be where the output is no terminal.
WIDE = 160


#: What a terminal would obey instead of showing it: control characters, and marks that turn the direction of what follows.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    r"""A text in which such characters are written out.

    >>> plain("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def begin() -> None:
    """Before anything is printed, whatever this process was started with: a closed stderr is no reason to fail, and what the
    terminal's encoding does not have is shown as ``?``. Raises ``UsageError`` where stdout is closed.
    """
    if sys.stderr is None:
        sys.stderr = nowhere()
    if sys.stdout is None:
        raise UsageError("is closed", where="standard output", valid="/dev/null takes what nobody is to read (>/dev/null)")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files may hold bytes that are no text: they leave as they came
            stream.reconfigure(errors="surrogateescape" if "utf" in stream.encoding.lower() else "replace")


def unread() -> None:
    """Nobody reads what is still to be printed: let it go nowhere, so that Python does not complain of it at its end."""
    with suppress(OSError, ValueError), nowhere() as file:
        os.dup2(file.fileno(), sys.stdout.fileno())


@contextmanager
def _printing() -> Iterator[None]:
    """Say what goes wrong with stdout. Raises ``UsageError``, and ``BrokenPipeError`` where the reader has had enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        unread()
        raise
    except OSError as e:
        unread()
        raise UsageError(f"cannot be written ({e.strerror or e})", where="standard output") from e


def say(*lines: str) -> None:
    """Print lines for whoever reads the output, person or program. Raises what ``_printing`` raises."""
    with _printing():
        sys.stdout.write("".join(f"{plain(line)}\n" for line in lines))


def note(*lines: str) -> None:
    """Print lines that are no result: progress, remarks, what went wrong (stderr). Where nobody can read them, work goes on."""
    with suppress(OSError):
        sys.stderr.write("".join(f"{plain(line)}\n" for line in lines))
        sys.stderr.flush()


@dataclass(frozen=True)
class Head:
    """The head of a column: numbers stand to the ``right``; ``wrap`` false: never folded; ``share``: of what room is left."""

    name: str
    right: bool = False
    wrap: bool = True
    share: int | None = None
    least: int | None = None


def table(title: str, heads: Iterable[str | Head], rows: Iterable[Sequence[object]], *, left: int | None = None,
          compact: bool = False, quiet: bool = False) -> Table:  # fmt: skip
    """A table for the screen.

    ``left``: all but so many columns stand to the right. ``compact``: without lines, for many columns; ``quiet``: its title is no
    heading.
    """
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    how: dict[str, Any] = {"box": SIMPLE, "padding": 0, "collapse_padding": True, "pad_edge": False} if compact else {}
    made = Table(
        title=Text(plain(title)) if title else None,
        title_justify="left",
        title_style="" if quiet else "bold",
        header_style="",
        **how,
    )
    for i, one in enumerate(heads):
        head = one if isinstance(one, Head) else Head(one, right=left is not None and i >= left)
        made.add_column(
            Text(plain(head.name)),
            justify="right" if head.right else "left",
            overflow="fold",
            no_wrap=not head.wrap,
            ratio=head.share,
            min_width=head.least,
        )
    for row in rows:
        made.add_row(*(Text(plain(str(cell))) for cell in row))
    return made


def table_of(frame: pd.DataFrame, title: str, *, compact: bool = False) -> Table:
    """A data frame for the screen: numbers to the right, with two digits; what is missing is left empty."""
    heads = [Head(str(name), right=frame[name].dtype.kind in "fi") for name in frame.columns]
    rows = (
        ["" if v != v else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row] for row in frame.itertuples(index=False)
    )
    return table(title, heads, rows, compact=compact)


def show(*shown: Table, width: int = WIDE) -> None:
    """Print tables, as wide as the terminal, or ``width`` where there is none."""
    _print(*shown, width=width)


def heading(text: str) -> None:
    """Print a line as a heading."""
    from rich.text import Text

    _print(Text(plain(text), style="bold"))


def _print(*shown: Any, width: int = WIDE) -> None:
    from rich.console import Console

    with _printing():
        console = Console(width=None if sys.stdout.isatty() else width, highlight=False, markup=False)
        for one in shown:
            console.print(one)


@contextmanager
def progress() -> Iterator[Callable[..., None]]:
    """Progress bars on a terminal, and nothing elsewhere. Yields ``tell(done, total, what="simulating", also="")``.

    ``what`` names the bar, of which there may be several; ``also`` is written behind it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    what, also = (TextColumn(of, markup=False) for of in ("{task.description}", "{task.fields[also]}"))
    columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), also)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as drawn:
        bars: dict[str, Any] = {}

        def tell(done: int, total: int | None, what: str = "simulating", also: str = "") -> None:
            if what not in bars:
                bars[what] = drawn.add_task(what, total=total, also=also)
            drawn.update(bars[what], completed=done, total=total, also=also)

        yield tell


def is_terminal() -> bool:
    """Whether somebody watches stderr."""
    return sys.stderr.isatty()


#: Rows that are shown; a note says how many there are beside them.
MOST_ROWS = 12


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A small table: ``caption`` above, one cell a value, numbers to the right; at most ``MOST_ROWS`` rows.

    >>> html_table("two & two", ["name", "n"], [["a", 4]])
    '<table><caption>two &amp; two</caption><tr><th>name</th><th>n</th></tr><tr><td>a</td><td align="right">4</td></tr></table>'
    """
    every = list(rows)
    lines = [f"<caption>{escape(caption)}</caption>", f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>"]
    lines += [f"<tr>{''.join(map(_cell, row))}</tr>" for row in every[:MOST_ROWS]]
    if len(every) > MOST_ROWS:
        lines.append(f'<tr><td colspan="{len(heads)}">and {len(every) - MOST_ROWS} more</td></tr>')
    return f"<table>{''.join(lines)}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)):
        return f'<td align="right">{value:,}</td>' if isinstance(value, int) else f'<td align="right">{value:.2f}</td>'
    return f"<td>{escape(str(value))}</td>"
