"""Figures of a sensitivity analysis: what Morris found, and the proportions of variance that Sobol indices give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report import drawing
from sim.report.drawing import BAND, BLUE, INK, ORANGE, QUIET, SYNTHETIC
from sim.report.text import short

if TYPE_CHECKING:
    from sim.evidence.sensitivity.study import Study

#: More rows than this cannot be read.
_MOST = 20


def _note(told: Study, fig: Figure, design: str) -> None:
    f = told.found
    seeds = f"seeds {f.seed} to {f.seed + f.replicates - 1}"
    ranges = f"ranges: value ∓ {100 * told.width:g} % (assumption)"
    drawing.foot(fig, f"{SYNTHETIC} · scenario {told.scenario.name}, {seeds} · {design} · {ranges}")


@drawing.styled()
def screening(told: Study) -> Figure:
    """Left: the largest mean effects with intervals and what sampling noise could make. Right: mean effect against its spread."""
    from sim.evidence.sensitivity.study import rows as study_rows
    from sim.evidence.sensitivity.study import what

    every = study_rows(told.found.morris)
    rows = [row for row in every if row.mu_star > 0][:_MOST]
    fig = drawing.picture(12.0, 2.6 + 0.24 * max(len(rows), 6))
    left, right = fig.subplots(1, 2, width_ratios=(1.25, 1.0))
    fig.suptitle(short(f"What moves {what(told)}", 110), x=0.01, ha="left", fontweight="bold")
    left.set(title="How much: mean effect over a parameter's whole range", xlabel=f"mu* ({told.outcome.unit})")
    right.set(title="How evenly: low is the same everywhere", xlabel=f"mu* ({told.outcome.unit}), log scale",
              ylabel=f"sigma ({told.outcome.unit}), log scale")  # fmt: skip
    if rows:
        _effects(left, rows)
        _spread(right, rows, every)
    else:
        for ax in (left, right):
            drawing.nothing_to_show(ax, "no number moves it")
    n = len(every)
    cut = f"{len(rows)} of {n} parameters" if n > len(rows) else f"{n} parameters"
    _note(told, fig, f"Morris, {told.found.trajectories} trajectories, {cut}")
    return fig


def _effects(ax: Axes, rows: list[Any]) -> None:
    """A row a parameter: the band is what sampling noise could make, the point the effect; open where it is inside."""
    edge = 1.5 * max(row.mu_star + row.mu_star_error for row in rows)
    cut = any(row.noise > edge for row in rows)
    ax.barh(range(len(rows)), [min(row.noise, edge) for row in rows], height=0.7, color=BAND, alpha=0.55, linewidth=0,
            label=f"sampling noise (95 %){', cut at the edge' if cut else ''}")  # fmt: skip
    for apart in (True, False):
        mine = [(y, row) for y, row in enumerate(rows) if (row.mu_star > row.noise) is apart]
        if mine:
            ax.errorbar(
                [row.mu_star for _, row in mine], [y for y, _ in mine], xerr=[row.mu_star_error for _, row in mine], fmt="o",
                color=BLUE if apart else QUIET, markerfacecolor=BLUE if apart else "white", linewidth=1.4, linestyle="none",
                label="mu* with 95 % interval" if apart else "not distinguishable from sampling noise",
            )  # fmt: skip
    signs = ["(±)" if abs(row.mu) < 0.9 * row.mu_star else "(+)" if row.mu > 0 else "(−)" for row in rows]
    names = [f"{short(row.name, 40)} {sign}  {k}" for k, (row, sign) in enumerate(zip(rows, signs, strict=True), start=1)]
    ax.set_yticks(range(len(rows)), names)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    ax.set_xlim(0, edge if cut else None)
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right", frameon=True, framealpha=1.0, edgecolor="none")


def _spread(ax: Axes, rows: list[Any], every: list[Any]) -> None:
    """Every parameter as a point, the largest with their rank on the left; below the line sigma = mu*/2 effects hardly vary."""
    drawn = [row for row in every if row.mu_star > 0 and row.sigma > 0]
    if not drawn:
        drawing.nothing_to_show(ax, "no effect varies")
        return
    named = {row.name for row in rows}
    for row in drawn:
        apart, mine = row.mu_star > row.noise, row.name in named
        colour = (BLUE if apart else QUIET) if mine else BAND
        ax.plot(row.mu_star, row.sigma, "o", color=colour, markerfacecolor=colour if apart else "white",
                markersize=4 if mine else 3, zorder=3 if mine else 2)  # fmt: skip
    most = max(max(row.mu_star, row.sigma) for row in drawn) * 2.2
    least = max(min(min(row.mu_star, row.sigma) for row in drawn) / 2.2, most * 1e-6)
    ax.set(xscale="log", yscale="log", xlim=(least, most), ylim=(least, most))
    ax.minorticks_off()
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    for share in (1.0, 0.5, 0.1):
        ax.plot([least, most], [share * least, share * most], color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), marker="")
        end = (1.0, np.log(share * most / least) / np.log(most / least))
        ax.annotate(f"sigma =\n{share:g} mu*", end, xycoords="axes fraction", xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=7.5, color=QUIET, annotation_clip=False)  # fmt: skip
    at = {row.name: (row.mu_star, row.sigma) for row in drawn}
    _numbered(ax, [(rank, *at[row.name]) for rank, row in enumerate(rows, start=1) if row.name in at])


def _numbered(ax: Axes, points: list[tuple[int, float, float]]) -> None:
    """The rank beside each point, on the side where it is not written over another; left out where there is no such side."""
    (left, right), (low, high) = np.log(ax.get_xlim()), np.log(ax.get_ylim())
    # In units of about a letter: a panel holds some 50 letters across and 34 lines.
    taken = [(50 * (np.log(x) - left) / (right - left), 34 * (np.log(y) - low) / (high - low)) for _, x, y in points]
    for (rank, x, y), here in zip(points, list(taken), strict=True):
        for dx, dy, across in ((5, 3, "left"), (-5, 3, "right"), (5, -9, "left"), (-5, -9, "right"), (0, 6, "center")):
            middle = here[0] + dx / 6 + {"left": 0.8, "right": -0.8, "center": 0.0}[across], here[1] + dy / 9 + 0.4
            if all(abs(middle[0] - tx) > 1.8 or abs(middle[1] - ty) > 0.95 for tx, ty in taken if (tx, ty) != here):
                taken.append(middle)
                ax.annotate(str(rank), (x, y), xytext=(dx, dy), textcoords="offset points", ha=across, fontsize=7.5, color=INK)
                break


@drawing.styled()
def shares(told: Study) -> Figure:
    """Every parameter's proportion of the variance: alone and in all, with intervals, and what sampling noise adds."""
    from sim.evidence.sensitivity.study import rows as study_rows
    from sim.evidence.sensitivity.study import what

    rows = study_rows(told.found.sobol.sort_values("total", ascending=False, kind="stable"))[:_MOST]
    fig = drawing.picture(9.4, 1.9 + 0.42 * max(len(rows), 4))
    ax = fig.subplots()
    fig.suptitle(short(f"Proportions of the variance of {what(told)}", 105), x=0.01, ha="left", fontweight="bold", fontsize=10)
    y = range(len(rows))
    ax.barh(
        y, [row.noise for row in rows], height=0.75, color=BAND, alpha=0.7, linewidth=0, label="part of ST that is sampling noise"
    )
    ax.errorbar([row.first for row in rows], [i - 0.15 for i in y], xerr=[row.first_error for row in rows], fmt="o", color=BLUE,
                linewidth=1.4, linestyle="none", label="S1: alone")  # fmt: skip
    ax.errorbar([row.total for row in rows], [i + 0.15 for i in y], xerr=[row.total_error for row in rows], fmt="s",
                color=ORANGE, markerfacecolor="white", linewidth=1.4, linestyle="none",
                label="ST: with all its interactions")  # fmt: skip
    drawing.zero(ax)
    ax.set_yticks(y, [short(row.name, 44) for row in rows])
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel="proportion of the variance between points (95 % bootstrap intervals)")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
    _note(told, fig, f"Sobol, {told.found.samples} samples")
    return fig
