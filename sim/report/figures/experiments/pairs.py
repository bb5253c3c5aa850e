"""A figure of two people: what two insecure partners do together beyond what either insecurity does alone."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure, SubFigure

from sim.evidence.claims import effects
from sim.report.drawing import INK, QUIET, in_style, note_on_figure, nothing_to_show, picture
from sim.report.figures.experiments.effects import NEGATIVE, POSITIVE
from sim.report.text import excludes_zero, short, signed
from sim.simulation.tables import Run


def crosses_kinds(run: Run) -> bool:
    """Whether every kind of client meets every kind of therapist, and nothing else differs."""
    return not run.sessions.empty and bool(effects.crossing(run.scenario))


@in_style
def interaction(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Per pair of kinds, alliance and dropout beyond both main effects: dots with 95 % intervals.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.interaction(small("two_insecure_partners"))
    <Picture size ...>
    """
    table = effects.interaction(run)
    pairs = table[table["measure"] == "alliance"]
    fig = fig or picture(9.6, max(1.9 + 0.3 * len(pairs), 2.6))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, measure, unit, scale in (
        (axes[0], "alliance", "late alliance beyond both (WAI points)", 1.0),
        (axes[1], "dropout", "dropout beyond both (percentage points)", 100.0),
    ):
        ax.set(xlabel=unit, title=("Alliance" if measure == "alliance" else "Dropout") + ": more or less than the sum of both")
        rows = table[table["measure"] == measure].to_dict("records")
        for y, row in enumerate(rows):
            colour = QUIET if not excludes_zero(row) else POSITIVE if row["mean"] > 0 else NEGATIVE
            mean, low, high = (scale * row[name] for name in ("mean", "low", "high"))
            ax.plot([low, high], [y, y], color=colour, linestyle="-", marker="|", markersize=7, linewidth=1.8)
            ax.plot(mean, y, color=colour, linestyle="none", marker="o" if row["mean"] > 0 else "s", markersize=5.5)
            ax.text(1.01, y, signed(mean, 2 if scale == 1.0 else 1), transform=ax.get_yaxis_transform(), va="center", fontsize=8,
                    color=INK)  # fmt: skip
        ax.axvline(0, color=QUIET, linewidth=0.9, linestyle="-")
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
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    if not names:
        nothing_to_show(axes[0], "no arm holds each kind of client with each kind of therapist")
    note_on_figure(run, fig)
    return fig
