"""Figures of a clinic: flow and waiting, arms compared, work and fatigue; and which figures a clinic asks for.

Intervals are over replicates, since clients of one clinic share therapists and a queue; with one replicate there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim.catalogue.measures import CATALOGUE, Measure
from sim.measures import clinics as cm
from sim.report.drawing import INK, MOST_LINES, QUIET, legend_above, note_on_figure, nothing_to_show, of_a_clinic, picture
from sim.report.figures.clinic.therapists import (
    lines_of_arms,
    treating,
)
from sim.report.text import short, signed
from sim.simulation.tables import Run

#: What is compared between arms, in this order; the last of these that differ anywhere take the place of what does not.
COMPARED = ("alliance_all_sessions", "dropout", "distress_last_rating", "weeks_waited")
_MARKS = {
    "oracle": "upper bound: no service could do it",
    "secure_to_insecure": "thought experiment, no advice",
}


def remark_on(run: Run, arm: str) -> str:
    """What must be said wherever an arm's matching is shown that no service could, or should, carry out; else nothing."""
    plan = next(a.clinic for a in run.scenario.arms if a.name == arm)
    return _MARKS.get(plan.matching, "") if plan is not None else ""


def _labels(run: Run, arms: list[str]) -> list[str]:
    marks = [remark_on(run, arm) for arm in arms]
    return [short(arm, 30) + (f"\n({mark})" if mark else "") for arm, mark in zip(arms, marks, strict=True)]


# ------------------------------------------------------------------------------------------------------- flow, waiting


@of_a_clinic
def clinic_flow(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Waiting list, clients in therapy and those lost, week by week, and how long people waited by when they came.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_flow(clinic)
    <Picture size ...>
    """
    fig = fig or picture(10.0, 6.2)
    grid = fig.subplots(2, 2)
    arms = treating(run) or [arm.name for arm in run.scenario.arms]  # where nobody is seen everybody waits: nothing to compare
    counts, waits = cm.flow(run), cm.waiting_times(run)
    handles: list[Line2D] = []
    for ax, column, title in (
        (grid[0, 0], "waiting", "On the waiting list"), (grid[0, 1], "in_therapy", "In therapy"),
        (grid[1, 0], "lost_waiting", "Lost from the waiting list, so far"),
    ):  # fmt: skip
        ax.set(title=title, ylabel="clients", xlabel="week of the clinic")
        if counts.empty or not counts["arrivals_total"].max():
            nothing_to_show(ax, "nobody came")
            continue
        handles = lines_of_arms(ax, counts, arms, arms, "week", column)
        ax.set_ylim(bottom=0, top=max(1.0, ax.get_ylim()[1]))
        _end_of_intake(ax, run, named=column == "waiting")
    last = grid[1, 1]
    last.set(title="Weeks waited, by when people came", ylabel="weeks, of those who began", xlabel="week of arrival (quarters)")
    shown = waits[waits["began"] >= 0.5] if len(waits) else waits  # of later quarters only those who waited little have begun
    if shown.empty:
        nothing_to_show(last, "nobody began therapy" if waits.empty or not waits["began"].any() else "fewer than half have begun")
    else:
        lines_of_arms(last, shown, [arm for arm in arms if (shown["arm"] == arm).any()], arms, "week", "mean")
        last.set_ylim(bottom=0, top=max(1.0, 1.05 * float(np.nanmax(shown[["mean", "high"]].to_numpy(float)))))
    legend_above(fig, handles if len(handles) > 1 else [], MOST_LINES)
    note_on_figure(run, fig, f" · first {MOST_LINES} of {len(arms)} arms" if len(arms) > MOST_LINES else "")
    return fig


def _end_of_intake(ax: Axes, run: Run, named: bool) -> None:
    plans = [arm.clinic for arm in run.scenario.arms if arm.clinic is not None]
    ends = {plan.intake_weeks for plan in plans if plan.intake_weeks < plan.weeks}
    if len(ends) == 1:
        week = ends.pop()
        ax.axvline(week, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        if named:
            ax.text(week, 1.0, " intake ends", transform=ax.get_xaxis_transform(), fontsize=7.5, color=QUIET, va="top")


# ------------------------------------------------------------------------------------------------------- arms compared


def panels_compared(run: Run) -> list[str]:
    """The four measures by which arms are shown: waiting gives way to fatigue where nobody had to wait."""
    table = cm.rules_compared(run)
    waits = table.loc[table["measure"] == "weeks_waited", "mean"]
    return [*COMPARED[:3], "weeks_waited" if len(waits) and waits.max() >= 0.5 else "fatigue"]


@of_a_clinic
def clinic_arms(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Arms side by side on alliance, dropout, distress and waiting (or fatigue): means, intervals, differences to the first.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_arms(clinic)
    <Picture size ...>
    """
    table, arms, shown = cm.rules_compared(run), treating(run), panels_compared(run)
    fig = fig or picture(11.0, max(2.3 + 0.5 * len(arms), 3.2))
    axes = fig.subplots(1, len(shown), sharey=True)
    for ax, measure in zip(axes, shown, strict=True):
        m = CATALOGUE[measure]
        rows = {row["arm"]: row for row in table[table["measure"] == measure].to_dict("records")}
        _compared(ax, [rows.get(arm) for arm in arms], m)
        ax.set(xlabel=f"{m.title}\n({m.unit})")
    labels = _labels(run, arms)
    axes[0].set_yticks(range(len(arms)), labels)
    axes[0].set_ylim(len(arms) - 0.4, -0.6)
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    first = short(arms[0], 40) if arms else ""
    fig.suptitle(
        f"Mean and 95 % interval; above each: difference from “{first}”, replicate by replicate", x=0.01, ha="left", fontsize=9.5
    )
    if not arms:
        nothing_to_show(axes[0], "nobody is seen in any arm")
    note_on_figure(run, fig)
    return fig


def _compared(ax: Axes, rows: list[dict[Any, Any] | None], m: Measure) -> None:
    known = [row for row in rows if row is not None and not np.isnan(row["mean"])]
    if not known:
        nothing_to_show(ax, "no values")
        return
    ax.axvline(known[0]["mean"], color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
    for y, row in enumerate(rows):
        if row is None or np.isnan(row["mean"]):
            continue
        apart = row["difference_low"] > 0 or row["difference_high"] < 0
        colour = "#0072B2" if apart else INK
        if not np.isnan(row["low"]):
            ax.plot([row["low"], row["high"]], [y, y], color=colour, linestyle="-", marker="|", markersize=6, linewidth=1.8)
        ax.plot(row["mean"], y, color=colour, linestyle="none", marker="s" if apart else "o", markersize=5.5)
        if not np.isnan(row["difference"]):
            ax.annotate(signed(row["difference"], m.digits), (row["mean"], y), xytext=(0, 5), textcoords="offset points",
                        ha="center", va="bottom", fontsize=7.5, color=colour, fontweight="bold" if apart else "normal",
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
    ends = [row[end] for row in known for end in ("mean", "low", "high") if not np.isnan(row[end])]
    low, high = min(ends), max(ends)
    room = 0.14 * (high - low) or max(0.05 * abs(high), 0.05)
    ax.set_xlim(low - room, high + room)
    ax.xaxis.set_major_locator(MaxNLocator(5))


# ----------------------------------------------------------------------------------------------------- work and fatigue


@of_a_clinic
def clinic_load(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Caseload, sessions and fatigue of therapists, week by week, mean over those in post.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_load(clinic)
    <Picture size ...>
    """
    fig = fig or picture(10.6, 3.9)
    axes = fig.subplots(1, 3)
    arms, t = treating(run), run.therapists
    handles: list[Line2D] = []
    for ax, column, title, unit in (
        (axes[0], "caseload", "Caseload", "clients per therapist"),
        (axes[1], "sessions_held", "Sessions held", "a week per therapist"),
        (axes[2], "fatigue", "Fatigue", "tiredness from work (latent, 0-1)"),
    ):  # fmt: skip
        ax.set(title=title, xlabel="week of the clinic", ylabel=unit)
        if t.empty:
            nothing_to_show(ax, "there are no therapists")
            continue
        weekly = t.assign(arm=t["arm"].astype("str")).groupby(["arm", "week"])[column].mean().reset_index()
        if column == "sessions_held":  # leave makes single weeks jump
            weekly[column] = weekly.groupby("arm")[column].transform(
                lambda values: values.rolling(5, min_periods=1, center=True).mean()
            )
        handles = lines_of_arms(ax, weekly, arms, [arm.name for arm in run.scenario.arms], "week", column)
        ax.set_ylim(bottom=0)
        _end_of_intake(ax, run, named=column == "caseload")
    legend_above(fig, handles if len(handles) > 1 else [], 5)
    note_on_figure(run, fig)
    return fig
