"""The figure of competing models: which rows each model can and cannot reproduce, however it is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import LARGEST_RESIDUAL
from sim.report.drawing import BLUE, ORANGE, SYNTHETIC, foot, in_style, picture
from sim.report.text import short, signed

COMPETING_FIGURE = "competing_models.png"
_REACH = 8.0  # residuals are coloured up to here


@in_style
def competing_figure(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Rows by models: each cell a standardised residual in units of the row's own uncertainty, blue below and orange above what
    was published.

    ``found``: one entry a model with ``name``, ``score`` and ``residuals`` (id -> residual).
    """
    ids = [p.id for p in patterns().values() if p.tier == "calibrate"]
    values = np.array([[one["residuals"].get(i, np.nan) for one in found] for i in ids], float)
    shades = LinearSegmentedColormap.from_list("residuals", [BLUE, "#FFFFFF", ORANGE])
    figure = picture(4.6 + 1.15 * len(found), 1.6 + 0.27 * len(ids))
    ax = figure.subplots()
    image = ax.imshow(values, cmap=shades, vmin=-_REACH, vmax=_REACH, aspect="auto")
    for (y, x), residual in np.ndenumerate(values):
        bold, dark = abs(residual) > LARGEST_RESIDUAL, abs(residual) > 0.62 * _REACH
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
    foot(figure, SYNTHETIC)
    return figure
