"""Figures of a batch: what each measure comes to over the points, factor by factor, arm by arm."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.batch.results import BatchResults
from sim.catalogue.columns import NOTHING
from sim.catalogue.measures import CATALOGUE
from sim.report import drawing
from sim.report.drawing import MOST_LINES
from sim.report.text import short
from sim.scenario.sweep import Range
from sim.theory.parameters import PARAMETERS

#: More factors than this are not drawn; more levels than this are drawn as a cloud.
MOST_FACTORS, MOST_LEVELS = 4, 12
#: Proportion of the distance between two levels by which arms are drawn apart.
DODGE = 0.03
#: The column that stands for the factor where a design lists cases.
CASE = "case"


def shown_factors(found: BatchResults) -> list[str]:
    """The factors that are drawn: those with more than one level, the first few."""
    if found.scenario.batch is not None and found.scenario.batch.design == "cases":
        return [CASE]
    return [name for name in found.factors if found.points[name].nunique(dropna=False) > 1][:MOST_FACTORS]


def measured(found: BatchResults, measure: str) -> pd.DataFrame:
    """Every point's value of a measure with its interval, and the levels of its factors."""
    effects = found.effects()
    mine = effects[(effects["measure"] == measure) & (effects["minus"] == NOTHING)]
    points = found.points.rename(columns={"name": CASE})
    return mine.merge(points, on="point")


@drawing.styled()
def over_factors(found: BatchResults, measure: str) -> Figure:
    """One measure: a panel for each factor, a line for each arm; the points themselves pale where there are several factors."""
    factors, table = shown_factors(found), measured(found, measure)
    n = max(len(factors), 1)
    fig = drawing.picture(max(4.2 * n, 6.4) if n < 4 else 13.0, 3.9)
    axes = fig.subplots(1, n, sharey=True, squeeze=False)[0]
    arms = list(dict.fromkeys(table["arm"].astype("str")))
    handles: list[Any] = []
    for ax, factor in zip(axes, factors, strict=False):
        handles = _panel(found, ax, table, factor, arms[:MOST_LINES])
    if not factors:
        handles = _single(axes[0], table, arms)
    about = CATALOGUE[measure]
    axes[0].set_ylabel("\n".join([*textwrap.wrap(about.title, 34), f"({about.plain_unit})"]))
    drawing.legend_above(fig, handles)
    more = f" · the first {MOST_LINES} of {len(arms)} arms" if len(arms) > MOST_LINES else ""
    drawing.foot(fig, f"{how_to_read(found)}\n{drawing.note_text(found, more)}")
    return fig


def _logarithmic(found: BatchResults, factor: str) -> bool:
    """Whether a factor is varied evenly in its logarithm."""
    varied = found.scenario.batch.vary.get(factor) if found.scenario.batch is not None else None
    return isinstance(varied, Range) and varied.scale == "log"


def _one_by_one(found: BatchResults) -> bool:
    """Whether points differ in one factor only, so that each can stand for a level."""
    batch = found.scenario.batch
    return len(shown_factors(found)) == 1 or (batch is not None and batch.design == "one_at_a_time")


def how_to_read(found: BatchResults) -> str:
    """What marks and bars in a figure are."""
    if not shown_factors(found) or _one_by_one(found):
        return "Bars: 95 % intervals."
    if all(found.points[name].nunique() <= min(MOST_LEVELS, len(found.points) - 1) for name in shown_factors(found)):
        return "Pale marks: single points; full marks: means over the levels of the other factors."
    return "Every mark is one point of the design; all factors vary at once."


def _bars(rows: pd.DataFrame) -> np.ndarray:
    """How far the interval of every row reaches below and above its mean; it may be cut off at an end of the scale."""
    return np.array([rows["value"] - rows["low"], rows["high"] - rows["value"]])


def _panel(found: BatchResults, ax: Axes, table: pd.DataFrame, factor: str, arms: list[str]) -> list[Any]:
    """One factor: where it alone is varied, with intervals; else a cloud of points, and of few levels the mean over all else."""
    here = table[table[factor].notna()]  # of a design that varies one factor at a time, the points of this one
    levels = list(dict.fromkeys(here[factor]))
    numeric = factor != CASE and here[factor].dtype.kind == "f"
    place = {level: float(level) if numeric else float(i) for i, level in enumerate(sorted(levels) if numeric else levels)}
    handles: list[Any] = []
    step = 0.0 if _logarithmic(found, factor) else float(np.min(np.diff(sorted(place.values())), initial=np.inf))
    step = step if np.isfinite(step) else 1.0
    alone = _one_by_one(found)
    for i, arm in enumerate(arms):
        mine, style = here[here["arm"].astype("str") == arm], drawing.look(i)
        apart = (i - (len(arms) - 1) / 2) * DODGE * step
        x = np.array([place[v] for v in mine[factor]]) + apart
        if alone:
            order = np.argsort(x)
            error = _bars(mine)[:, order]
            kept = {**style, "linestyle": style["linestyle"] if numeric else ""}  # between categories there is nothing
            handles.append(ax.errorbar(x[order], mine["value"].to_numpy()[order], error, label=short(arm), capsize=2, **kept))
            continue
        few = len(levels) <= MOST_LEVELS and len(levels) < len(mine)  # otherwise every level is one point
        cloud = {"linestyle": "", "marker": style["marker"], "color": style["color"], "markersize": 3 if few else 4.5}
        points = ax.plot(x, mine["value"], alpha=0.3 if few else 0.75, label="" if few else short(arm), **cloud)
        if few:
            means = mine.groupby(factor, sort=False)["value"].mean()
            means = means[sorted(means.index, key=lambda level: place[level])]
            at = [place[v] + apart for v in means.index]
            points = ax.plot(at, means, label=short(arm), **{**style, "linestyle": style["linestyle"] if numeric else ""})
        handles += points
    if not numeric:
        ax.set_xticks(range(len(levels)), [short(str(v), 22) for v in levels], rotation=30 if len(levels) > 3 else 0,
                      ha="right" if len(levels) > 3 else "center")  # fmt: skip
        ax.set_xlim(-0.5, len(levels) - 0.5)
    elif _logarithmic(found, factor):
        ax.set_xscale("log")
    name = factor.rpartition(".")[2] if factor.startswith("arms.") else factor
    unit = PARAMETERS[name].unit if name in PARAMETERS else ""
    ax.set_xlabel("" if factor == CASE else f"{factor} ({unit})" if unit else factor)
    return handles


def _single(ax: Axes, table: pd.DataFrame, arms: list[str]) -> list[Any]:
    """Without factors: each arm's value with its interval."""
    if table.empty:
        drawing.nothing_to_show(ax, "no arm has this measure")
        return []
    for i, arm in enumerate(arms):
        mine, style = table[table["arm"].astype("str") == arm].head(1), drawing.look(i)
        ax.errorbar([i], mine["value"], _bars(mine), color=style["color"], marker=style["marker"], capsize=2)
    ax.set_xticks(range(len(arms)), [short(a, 22) for a in arms])
    ax.set_xlim(-0.5, len(arms) - 0.5)
    return []
