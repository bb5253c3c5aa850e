"""Figures of validations: the forest plot of one, with every value and direction; and which rows competing models reproduce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import LARGEST_RESIDUAL, Row, Validation
from sim.report import drawing
from sim.report.drawing import BAND, BLUE, INK, ORANGE, QUIET, SYNTHETIC
from sim.report.text import number, short, signed, spaced

COMPETING_FIGURE = "competing_models.png"
_FULL = 8.0  # residuals of competing models are coloured up to here
_REACH = 6.0  # residuals beyond are drawn at the edge


@drawing.styled()
def forest(result: Validation, fig: Figure | None = None) -> Figure:
    """Every value's standardised residual with its Monte-Carlo error, and every direction's parts with their intervals."""
    values = result.of("calibrate")
    parts = [(row, name) for row in result.of("direction") for name in row.pattern.expect if name in row.simulated.parts]
    made = fig or drawing.picture(13.0, 2.2 + 0.27 * max(len(values), len(parts), 4))
    left, right = made.subplots(1, 2)
    left.set(title="Values", xlabel="standardised residual, in quarters of the published 95 % interval")
    right.set(title="Directions (each scaled to its own interval)", xlabel="against the sign  ·  0  ·  with the sign")
    if values:
        _misses(left, values)
    else:
        drawing.nothing_to_show(left, "no pattern with a value was asked for")
    if parts:
        _signs(right, parts)
    else:
        drawing.nothing_to_show(right, "no direction was asked for")
    drawing.foot(made, f"{SYNTHETIC} · seed {result.seed} · published values, sources: validation.json")
    return made


def _misses(ax: Axes, rows: tuple[Row, ...]) -> None:
    """A row for each value: the published interval is the band, the point is what was simulated."""
    for y, row in enumerate(rows):
        p = row.pattern
        low, high = ((end - p.value) / p.uncertainty for end in (p.low, p.high))
        ax.barh(y, high - low, left=low, height=0.62, color=BAND, alpha=0.55, linewidth=0)
        at = min(max(row.residual, -_REACH), _REACH) if row.residual == row.residual else float("nan")
        good = row.verdict == "holds"
        beyond = abs(row.residual) > _REACH
        if not beyond and row.error_share == row.error_share:
            ax.hlines(y, at - 1.96 * row.error_share, at + 1.96 * row.error_share, color=INK, linewidth=1.6)
        drawing.dot(ax, at, y, INK if good else ORANGE, (">" if at > 0 else "<") if beyond else "o" if good else "s", 6)
        drawing.beside(ax, y, f"{number(row.simulated.value, 2)}  ({p.value:g})", 7.5)
    for bound in (-LARGEST_RESIDUAL, LARGEST_RESIDUAL):
        ax.axvline(bound, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.axvline(0, color=QUIET, linewidth=0.9)
    drawing.beside(ax, -0.9, "simulated (published)", 7.5, QUIET)
    ax.set_xlim(-_REACH - 0.4, _REACH + 0.4)
    drawing.rows_named(ax, [short(f"{row.pattern.id}  {row.pattern.name}", 52) for row in rows], top=-0.7, fontsize=7.5)


def _signs(ax: Axes, parts: list[tuple[Row, str]]) -> None:
    """A row for each expected part; a minus sign turns it round, so that right of zero is as expected."""
    labels = []
    for y, (row, name) in enumerate(parts):
        sign = row.pattern.expect[name]
        turn = -1.0 if sign == "-" else 1.0
        ends = [turn * end for end in row.simulated.parts[name]]
        bound = row.pattern.zero_within if sign == "0" else 0.0
        scale = max([abs(end) for end in ends if end == end] + [bound, 1e-12])
        value, low, high = (end / scale for end in ends)
        verdict = row.signs[name]
        if sign == "0":
            ax.barh(y, 2.0 * bound / scale, left=-bound / scale, height=0.62, color=BAND, alpha=0.55, linewidth=0)
        ax.hlines(y, min(low, high), max(low, high), color=INK, linewidth=1.6)
        drawing.dot(ax, value, y, *((INK, "o") if verdict in ("holds", "shown") else (ORANGE, "s")), 5)
        drawing.beside(ax, y, signed(row.simulated.parts[name][0]), 7.5)
        words = {"any": "shown only", "0": "expected: nothing"}.get(sign, f"expected: {sign}")
        labels.append(short(f"{row.pattern.id}  {spaced(name)}, {words}", 52))
    ax.axvline(0, color=QUIET, linewidth=0.9)
    ax.set(xlim=(-1.15, 1.15), xticks=[0])
    drawing.rows_named(ax, labels, top=-0.7, fontsize=7.5)


@drawing.styled()
def competing_figure(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Rows by models: each cell a standardised residual in units of the row's own uncertainty, blue below and orange above what
    was published.

    ``found``: one entry a model with ``name``, ``score`` and ``residuals`` (id -> residual).
    """
    ids = [p.id for p in patterns().values() if p.tier == "calibrate"]
    values = np.array([[one["residuals"].get(i, np.nan) for one in found] for i in ids], float)
    shades = LinearSegmentedColormap.from_list("residuals", [BLUE, "#FFFFFF", ORANGE])
    figure = drawing.picture(4.6 + 1.15 * len(found), 1.6 + 0.27 * len(ids))
    ax = figure.subplots()
    image = ax.imshow(values, cmap=shades, vmin=-_FULL, vmax=_FULL, aspect="auto")
    for (y, x), residual in np.ndenumerate(values):
        bold, dark = abs(residual) > LARGEST_RESIDUAL, abs(residual) > 0.62 * _FULL
        ax.text(x, y, signed(residual, 1), ha="center", va="center", fontsize=7.5, color="white" if dark else "black",
                weight="bold" if bold else "normal")  # fmt: skip
    ax.set_xticks(range(len(found)), [f"{one['name']}\nscore {one['score']:.0f}" for one in found], fontsize=8)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(ids)), [short(f"{i}  {patterns()[i].name}", 74) for i in ids], fontsize=7.5)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=ax, location="bottom", shrink=0.5, pad=0.03, aspect=40)
    bar.set_label("residual: (simulated − published) / quarter of the published interval; beyond 2.5 in bold", fontsize=8)
    drawing.foot(figure, SYNTHETIC)
    return figure
