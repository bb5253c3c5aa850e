"""What all figures share: style, note, number formats, and lines with the spread of people shared out among panels."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from sim import measures
from sim.errors import UsageError
from sim.measures.lines import spread
from sim.report import letters
from sim.report.text import Row, ends, short
from sim.simulation.tables import Run
from sim.theory.styles import HIGHEST, LOWEST, STYLE_CUT
from sim.therapy.course import WEEKS_PER_MONTH

if TYPE_CHECKING:
    from sim.batch.results import BatchResults

STYLE = Path(__file__).with_name("attune.mplstyle")
INK, QUIET, BAND = "#333333", "#666666", "#bdbdbd"
BLUE, ORANGE = "#0072B2", "#D55E00"
#: More lines than this cannot be told apart, more panels than this not be read.
MOST_LINES, MOST_PANELS = 7, 8
SYNTHETIC = "synthetic data: simulated people, not real ones"
WAI = "client-rated alliance (WAI, 1-7)"

Table = TypeVar("Table", pd.DataFrame, "pd.Series[Any]")
#: What the words of a figure are made of.
Facts = dict[str, Any]


class Shown(NamedTuple):
    """A figure of a report: the public function that draws it, the same with its facts, and which runs ask for it.

    The facts are what its words in ``figures.yaml`` are made of. Without ``asked`` it is one of the usual figures, which every
    run shows that has something to show in it.
    """

    draw: Callable[..., Any]
    with_facts: Callable[..., tuple[Any, Facts]]
    asked: Callable[[Run], bool] | None


#: Every figure of a run by name, as its module declares it with ``figure``.
DECLARED: dict[str, Shown] = {}


class Picture(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        return image(self, "png", dpi=110)


class Panel(Axes):
    """An axis that a notebook shows by itself."""

    def _repr_png_(self) -> bytes | None:
        return self.figure._repr_png_() if isinstance(self.figure, Picture) else None


def image(figure: Figure, kind: str, **how: Any) -> bytes:
    """A figure in the house style as ``png`` or ``svg``, with nothing that changes from day to day. ``how``: see ``savefig``."""
    buffer = io.BytesIO()
    never = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with styled(), letters.legible(figure):
        figure.savefig(buffer, format=kind, metadata=never, **how)
    return buffer.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style; whatever style was set before is set again afterwards."""
    with matplotlib.style.context(STYLE):
        yield


def figure(
    width: float = 9.6, height: float = 4.0, *, asked: Callable[[Run], bool] | None = None, clinic: bool = False
) -> Callable[[Callable[..., Facts]], Callable[..., Any]]:
    """Declare a figure of a run: a function that draws on the figure (``fig``) or axis (``ax``) that it is given, and returns the
    facts that its words are made of.

    What comes of it is called with a run alone as well and then makes a figure of this size (inches); it draws in the house
    style, and writes the note at the foot, which ends in the fact ``remark``. ``asked``: see ``Shown``. ``clinic``: whether it is
    about clinics only, and says so where the run is of none.
    """

    def declared(draw: Callable[..., Facts]) -> Callable[..., Any]:
        signature = inspect.signature(draw)
        on = "ax" if "ax" in signature.parameters else "fig"

        def with_facts(run: Run, *args: Any, **kwargs: Any) -> tuple[Any, Facts]:
            if not hasattr(run, "clients"):
                raise UsageError(f"{draw.__name__} draws a run, not {type(run).__name__}; sim.run and sim.open_run give one")
            bound = signature.bind_partial(run, *args, **kwargs)
            with styled():
                given = bound.arguments.get(on)
                fig = picture(width, height) if given is None else given
                place = fig.add_subplot(axes_class=Panel) if given is None and on == "ax" else fig
                bound.arguments[on] = place
                if clinic and run.scenario.design != "clinic":
                    facts = empty(fig, "no arm of this scenario is a clinic")
                else:
                    facts = draw(*bound.args, **bound.kwargs)
                note = note_text(run, facts.get("remark", ""))
                if isinstance(fig, Axes):
                    fig.annotate(note, xy=(0, 0), xycoords=("axes fraction", fig.xaxis.label), xytext=(0, -4), va="top",
                                 textcoords="offset points", ha="left", fontsize=6.5, color=QUIET)  # fmt: skip
                else:
                    foot(fig, note)
            with letters.legible(fig):
                letters.tell([*(arm.name for arm in run.scenario.arms), run.scenario.name])
            return place, facts

        @wraps(draw)
        def alone(run: Run, *args: Any, **kwargs: Any) -> Any:
            return with_facts(run, *args, **kwargs)[0]

        what = f"Returns the {'axes' if on == 'ax' else 'figure'}, or ``{on}`` where {'it' if on == 'ax' else 'one'} is given."
        alone.__doc__ = (draw.__doc__ or "").replace("\n    >>>", f"\n    {what}\n\n    >>>", 1)
        optional = [one.replace(default=None) if one.name == on else one for one in signature.parameters.values()]
        gives = "Axes" if on == "ax" else "Figure | SubFigure"
        alone.__signature__ = signature.replace(parameters=optional, return_annotation=gives)  # type: ignore[attr-defined]
        DECLARED[draw.__name__] = Shown(alone, with_facts, asked)
        return alone

    return declared


def picture(width: float, height: float) -> Picture:
    """An empty figure of this size (inches), whose parts make room for each other."""
    return Picture(figsize=(width, height), layout="constrained")


def look(i: int) -> dict[str, Any]:
    """Colour, line style and marker of the i-th line."""
    cycle = list(rcParams["axes.prop_cycle"])
    entry = cycle[i % len(cycle)]
    return {"color": "#" + entry["color"].lstrip("#"), "linestyle": entry["linestyle"], "marker": entry["marker"]}


def note_text(run: Run | BatchResults, more: str = "") -> str:
    """What every figure of a run or a batch says of itself."""
    return f"{SYNTHETIC} · scenario {run.scenario.name}, seed {run.seed}{more}"


def foot(fig: Figure | SubFigure, text: str) -> None:
    """A line at the foot of a figure."""
    fig.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color=QUIET)


def key(fig: Figure | SubFigure, image: Any, of: Any, label: str, **how: Any) -> None:
    """What the colours of an image beside some axes stand for."""
    bar = fig.colorbar(image, ax=of, **how)
    bar.set_label(label)
    bar.outline.set_visible(False)


def nothing_to_show(ax: Axes, why: str) -> None:
    """Say in an empty axis why it is empty."""
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color=QUIET)


def empty(fig: Figure | SubFigure, why: str) -> Facts:
    """A figure that says why it is empty, about which there is nothing more to tell."""
    sized(fig, 7.0, 3.0)
    ax = fig.subplots()
    ax.set_axis_off()
    nothing_to_show(ax, why)
    return {}


def sized(fig: Figure | SubFigure, width: float, height: float) -> None:
    """Another size (inches) for a figure of our own; one that somebody else made keeps its size."""
    if isinstance(fig, Picture):
        fig.set_size_inches(width, height)


def row_of_panels(fig: Figure | SubFigure, panels: Mapping[str, Mapping[str, str]], **how: Any) -> Iterator[tuple[Axes, str]]:
    """A row of axes, each with what it shows, and labelled as is said of it (``title``, ``xlabel``, ...)."""
    for ax, (what, labels) in zip(fig.subplots(1, len(panels), **how), panels.items(), strict=True):
        ax.set(**labels)
        yield ax, what


def between(ax: Axes, ends: Iterable[float], y: float, colour: str, width: float, marker: str = "", **more: Any) -> None:
    """A horizontal bar from one end to the other; nothing where there is no interval."""
    low, high = ends
    if not np.isnan(low):
        ax.plot([low, high], [y, y], color=colour, linestyle="-", marker=marker, linewidth=width, **more)


def bar(ax: Axes, row: Row, y: float, colour: str, name: str = "mean", size: float = 6, width: float = 1.8) -> None:
    """The 95 % interval of a row's value, with its ends marked."""
    between(ax, (row[end] for end in ends(row, name)), y, colour, width, "|", markersize=size)


def dot(ax: Axes, x: Any, y: Any, colour: str, marker: str = "o", size: float | None = None, **more: Any) -> None:
    """A point, or several."""
    ax.plot(x, y, color=colour, linestyle="none", marker=marker, markersize=size, **more)


def rows_named(ax: Axes, names: list[str], top: float = -0.6, **how: Any) -> None:
    """Rows from top to bottom, with their names."""
    ax.set_yticks(range(len(names)), names, **how)
    ax.set_ylim(max(len(names), 1) - 0.4, top)


def beside(ax: Axes, y: float, said: str, size: float = 8, colour: str = INK) -> None:
    """A few words to the right of a row."""
    ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=size, color=colour)


def zero(ax: Axes, across: bool = False, width: float = 0.9, **more: Any) -> None:
    """The line of no effect, upright or (for effects upward) across."""
    (ax.axhline if across else ax.axvline)(0, color=QUIET, linewidth=width, linestyle="-", **more)


def some_of(table: Table, most: int) -> Table:
    """A few rows, evenly spaced through a table or a column."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).astype(int))]


#: (title of a panel, [(label of a line, its arm)])
Panels = list[tuple[str, list[tuple[str, str]]]]


def panels(run: Run, therapy_only: bool = False) -> tuple[Panels, str]:
    """How lines are shared out among panels: one panel per kind of client in a crossed design; otherwise one panel,
    or one per arm where there are too many, or the most telling ones. Also a remark where not everything fits."""
    table = measures.arms(run.scenario)
    if therapy_only:
        table = table[table["therapist"] != "none"]
    found: Panels
    if run.scenario.design == "crossed":
        table = table.assign(line=["no therapy" if t == "none" else f"{t} therapist" for t in table["therapist"]])
        found = [
            (f"{kind} clients", list(zip(part["line"], part["arm"], strict=True)))
            for kind, part in table.groupby("client", sort=False)
        ]
    elif len(table) <= MOST_LINES:
        found = [("", [(a, a) for a in table["arm"]])] if len(table) else []
    elif len(table) <= MOST_PANELS:
        found = [(a, [(a, a)]) for a in table["arm"]]
    else:
        some = _telling_arms(run, list(table["arm"]))
        return [("", [(a, a) for a in some])], (
            f" · {len(some)} of {len(table)} arms: the reference and those with the lowest and highest late alliance"
        )
    left_out = len(found) > MOST_PANELS or any(len(lines) > MOST_LINES for _, lines in found)
    remark = f" · only the first {MOST_PANELS} panels and {MOST_LINES} lines are shown" if left_out else ""
    return [(title, lines[:MOST_LINES]) for title, lines in found[:MOST_PANELS]], remark


def _telling_arms(run: Run, names: list[str]) -> list[str]:
    """Of many arms the reference, one without therapy, and those with the lowest and the highest late alliance."""
    fixed = [measures.reference_arm(run.scenario, names[0])]
    fixed += [arm.name for arm in run.scenario.arms if arm.therapist is None and arm.name in names][:1]
    late = {name: values.mean() for name, values in measures.by_arm(run, "alliance").items() if len(values)}
    others = sorted((name for name in late if name not in fixed), key=lambda name: late[name])
    ends = (MOST_LINES - len(fixed)) // 2
    chosen = {*fixed, *others[:ends], *others[len(others) - ends :]}
    return [name for name in names if name in chosen]


def grid_of_panels(fig: Figure | SubFigure, n: int) -> list[Axes]:
    """As many axes as there are panels, in rows of two (four when there are many), sharing their scales."""
    sized(fig, *((9.0, 4.4) if n <= 1 else (9.6, 3.6 if n == 2 else 6.4)))
    n = max(n, 1)
    columns = _columns(n)
    every = list(fig.subplots(-(-n // columns), columns, sharex=True, sharey=True, squeeze=False).flat)
    for ax in every[n:]:
        ax.remove()
    return every[:n]


def attachment_grid(fig: Figure | SubFigure, shown: Panels) -> dict[str, list[Axes]]:
    """Two rows of axes that share their scales, anxiety above and avoidance below: an axis in each for every panel (or one)."""
    grid = fig.subplots(2, max(len(shown), 1), sharex=True, sharey=True, squeeze=False)
    for ax, (title, _) in zip(grid[0], shown, strict=False):
        ax.set_title(short(title, 24))
    return dict(zip(("anxiety", "avoidance"), (list(row) for row in grid), strict=True))


def _columns(n: int) -> int:
    return 1 if n == 1 else 2 if n <= 4 else 4


def label_panels(axes: list[Axes], x: str, y: str) -> None:
    """Name the axes of a grid of panels, at its outer edges only."""
    columns = _columns(len(axes))
    for i, ax in enumerate(axes):
        lowest = i + columns >= len(axes)
        ax.set(xlabel=x if lowest else "", ylabel=y if i % columns == 0 else "")
        ax.tick_params(labelbottom=lowest)


def lines_with_spread(ax: Axes, table: pd.DataFrame, lines: list[tuple[str, str]], by: str, value: str, every: int) -> None:
    """One mean line per arm, and the middle half of people: of each arm when there are one or two, else of all together."""
    if len(lines) > 2:
        band = spread(table[table["arm"].isin([arm for _, arm in lines])], by, value)
        ax.fill_between(band.index, band["low"], band["high"], color=BAND, alpha=0.45, linewidth=0)
    for i, (label, arm) in enumerate(lines):
        mine = spread(table[table["arm"] == arm], by, value)
        style = look(i)
        if len(lines) <= 2 and len(mine):
            ax.fill_between(mine.index, mine["low"], mine["high"], color=style["color"], alpha=0.18, linewidth=0)
            for edge in ("low", "high"):
                ax.plot(mine.index, mine[edge], color=style["color"], linestyle=style["linestyle"], marker="", linewidth=0.6)
        ax.plot(mine.index, mine["mean"], label=short(label), markevery=(i % max(every, 1), every), **style)


def planned_end(ax: Axes, run: Run, names: list[str], last: int) -> None:
    """A dotted line where therapy ends by plan, on an axis of months up to ``last``; none where arms differ or it ends later."""
    ends = {arm.sessions / WEEKS_PER_MONTH for arm in run.scenario.arms if arm.name in names}
    if run.scenario.design != "clinic" and len(ends) == 1 and (end := ends.pop()) < last:
        ax.axvline(end, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        ax.text(end, 0.985, " planned end of therapy", transform=ax.get_xaxis_transform(), fontsize=7.5, color=QUIET, va="top")


#: Inches that a legend's sample of a line and one letter of its words take.
_SAMPLE, _LETTER = 0.62, 0.072


def legend_above(fig: Figure | SubFigure, handles: list[Any] | None = None, columns: int = 4) -> None:
    """One legend for all panels, above them, in as many columns as fit the width of the figure; none for one thing alone.

    Without ``handles`` it holds what is labelled in the panel where most is.
    """
    if handles is None:
        handles = max((ax.get_legend_handles_labels()[0] for ax in fig.axes), key=len)
    if len(handles) > 1:
        longest = max(len(str(handle.get_label())) for handle in handles)
        width = fig.bbox.width / (fig.get_figure(root=True) or fig).dpi
        fit = int(width / (_SAMPLE + _LETTER * longest))
        fig.legend(handles=handles, loc="outside upper left", ncols=max(1, min(columns, len(handles), fit)))


#: People drawn as dots on the attachment plane, per group and role; enough to show how groups overlap.
MOST_DOTS = 60


def quarters(ax: Axes) -> None:
    """The attachment plane with its quarters named."""
    ax.set(xlim=(LOWEST, HIGHEST), ylim=(LOWEST, HIGHEST), aspect="equal",
           xlabel="attachment anxiety (ECR, 1-7)", ylabel="attachment avoidance (ECR, 1-7)")  # fmt: skip
    for line in (ax.axvline, ax.axhline):
        line(STYLE_CUT, color=QUIET, linewidth=0.8, linestyle="-")
    for name, x, y in (("secure", 0, 0), ("preoccupied", 1, 0), ("dismissing", 0, 1), ("fearful", 1, 1)):
        ax.text(0.98 * x + 0.01, 0.97 * y + 0.015, name, transform=ax.transAxes, ha="right" if x else "left",
                va="top" if y else "bottom", color=QUIET, style="italic",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
