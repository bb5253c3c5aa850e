"""A figure of two people: what two insecure partners do together beyond what either insecurity does alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure, SubFigure

from sim.evidence.claims import effects
from sim.report import drawing
from sim.report.drawing import BLUE, ORANGE, QUIET, Shown
from sim.report.text import excludes_zero, scaled, short, signed
from sim.simulation.tables import Run


def crosses_kinds(run: Run) -> bool:
    """Whether every kind of client meets every kind of therapist, and nothing else differs."""
    return not run.sessions.empty and bool(effects.crossing(run.scenario))


@drawing.in_style
def interaction(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Per pair of kinds, alliance and dropout beyond both main effects: dots with 95 % intervals.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.interaction(small("two_insecure_partners"))
    <Picture size ...>
    """
    table = effects.interaction(run)
    pairs = table[table["measure"] == "alliance"]
    fig = fig or drawing.picture(9.6, max(1.9 + 0.3 * len(pairs), 2.6))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, measure, unit, scale in (
        (axes[0], "alliance", "late alliance beyond both (WAI points)", 1.0),
        (axes[1], "dropout", "dropout beyond both (percentage points)", 100.0),
    ):
        ax.set(xlabel=unit, title=("Alliance" if measure == "alliance" else "Dropout") + ": more or less than the sum of both")
        rows = table[table["measure"] == measure].to_dict("records")
        for y, row in enumerate(rows):
            colour = QUIET if not excludes_zero(row) else BLUE if row["mean"] > 0 else ORANGE
            mine = scaled(row, scale)
            drawing.bar(ax, mine, y, colour, size=7)
            drawing.dot(ax, mine["mean"], y, colour, "o" if row["mean"] > 0 else "s", 5.5)
            drawing.beside(ax, y, signed(mine["mean"], 2 if scale == 1.0 else 1))
        drawing.zero(ax)
        if rows:
            ends = [scale * abs(row[end]) for row in rows for end in ("low", "high", "mean") if not np.isnan(row[end])]
            reach = 1.08 * max([*ends, 0.01])
            ax.set_xlim(-reach, reach)
            if rows[-1]["client"] == effects.EVERY:
                ax.axhline(len(rows) - 1.5, color=QUIET, linewidth=0.8, linestyle="-")
    names = [
        "all pairs together" if r["client"] == effects.EVERY else short(f"{r['client']} client, {r['therapist']} therapist", 44)
        for r in pairs.to_dict("records")
    ]
    drawing.rows_named(axes[0], names)
    if not names:
        drawing.nothing_to_show(axes[0], "no arm holds each kind of client with each kind of therapist")
    return drawing.finished(run, fig)


def _crossing(run: Run) -> dict[str, Any]:
    (client, therapist), *_ = effects.crossing(run.scenario)
    rows = effects.interaction(run).to_dict("records")
    return {"client": client, "therapist": therapist, "rows": rows, "every": effects.EVERY}


SHOWN = (Shown(interaction, _crossing, crosses_kinds),)
