"""Figures of a clinic: flow and waiting, arms compared, work and fatigue; and which figures a clinic asks for.

Intervals are over replicates, since clients of one clinic share therapists and a queue; with one replicate there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from sim.catalogue.measures import CATALOGUE, Measure
from sim.measures import clinics as cm
from sim.report import drawing
from sim.report.drawing import BLUE, INK, MOST_LINES, QUIET, Facts
from sim.report.figures.clinic.asked import puts_work_to_the_test, remark_on, treating
from sim.report.figures.clinic.therapists import lines_of_arms
from sim.report.text import Row, excludes_zero, short, signed
from sim.simulation.tables import Run

#: What is compared between arms, in this order; the last of these that differ anywhere take the place of what does not.
COMPARED = ("alliance_all_sessions", "dropout", "distress_last_rating", "weeks_waited")


@drawing.figure(10.0, 6.2, asked=lambda run: run.scenario.design == "clinic", clinic=True)
def clinic_flow(run: Run, fig: Figure | SubFigure) -> Facts:
    """Waiting list, clients in therapy and those lost, week by week, and how long people waited by when they came.

    >>> sim.plots.clinic_flow(clinic)
    <Picture size ...>
    """
    grid = fig.subplots(2, 2)
    arms = treating(run) or [arm.name for arm in run.scenario.arms]  # where nobody is seen everybody waits: nothing to compare
    counts, waits = cm.flow(run), cm.waiting_times(run)
    titles = {"waiting": "On the waiting list", "in_therapy": "In therapy", "lost_waiting": "Lost from the waiting list, so far"}
    for ax, (column, title) in zip(grid.flat, titles.items(), strict=False):
        ax.set(title=title, ylabel="clients", xlabel="week of the clinic")
        if counts.empty or not counts["arrivals_total"].max():
            drawing.nothing_to_show(ax, "nobody came")
            continue
        lines_of_arms(ax, counts, arms, arms, "week", column)
        ax.set_ylim(bottom=0, top=max(1.0, ax.get_ylim()[1]))
        _end_of_intake(ax, run, named=column == "waiting")
    last = grid[1, 1]
    last.set(title="Weeks waited, by when people came", ylabel="weeks, of those who began", xlabel="week of arrival (quarters)")
    shown = waits[waits["began"] >= 0.5] if len(waits) else waits  # of later quarters only those who waited little have begun
    if shown.empty:
        nobody = waits.empty or not waits["began"].any()
        drawing.nothing_to_show(last, "nobody began therapy" if nobody else "fewer than half have begun")
    else:
        lines_of_arms(last, shown, [arm for arm in arms if (shown["arm"] == arm).any()], arms, "week", "mean")
        last.set_ylim(bottom=0, top=max(1.0, 1.05 * float(np.nanmax(shown[["mean", "high"]].to_numpy(float)))))
    drawing.legend_above(fig, columns=MOST_LINES)
    lines = []
    for arm in arms if len(counts) else ():
        mine = counts[counts["arm"] == arm]
        lines.append({**mine.iloc[-1], "waiting": mine["waiting"].max(), "in_therapy": mine["in_therapy"].max()})
    return {"lines": lines, "remark": f" · first {MOST_LINES} of {len(arms)} arms" if len(arms) > MOST_LINES else ""}


def _end_of_intake(ax: Axes, run: Run, named: bool) -> None:
    plans = [arm.clinic for arm in run.scenario.arms if arm.clinic is not None]
    ends = {plan.intake_weeks for plan in plans if plan.intake_weeks < plan.weeks}
    if len(ends) == 1:
        week = ends.pop()
        ax.axvline(week, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        if named:
            ax.text(week, 1.0, " intake ends", transform=ax.get_xaxis_transform(), fontsize=7.5, color=QUIET, va="top")


def panels_compared(run: Run) -> list[str]:
    """The four measures by which arms are shown: waiting gives way to fatigue where nobody had to wait."""
    table = cm.rules_compared(run)
    waits = table.loc[table["measure"] == "weeks_waited", "mean"]
    return [*COMPARED[:3], "weeks_waited" if len(waits) and waits.max() >= 0.5 else "fatigue"]


def facts_of_arms(run: Run) -> dict[str, Any]:
    """What the numbers of a clinic's arms are of: who counts, how many replicates, and rules that no service could follow."""
    marks = {arm: mark for arm in treating(run) if (mark := remark_on(run, arm))}
    counted = {"last": cm.last_beginning(run.scenario), "reliable": cm.RELIABLE_CHANGE}
    return {**counted, "replicates": run.scenario.replicates, "marks": marks}


@drawing.figure(asked=lambda run: len(treating(run)) > 1, clinic=True)
def clinic_arms(run: Run, fig: Figure | SubFigure) -> Facts:
    """Arms side by side on alliance, dropout, distress and waiting (or fatigue): means, intervals, differences to the first.

    >>> sim.plots.clinic_arms(clinic)
    <Picture size ...>
    """
    table, arms, shown = cm.rules_compared(run), treating(run), panels_compared(run)
    drawing.sized(fig, 11.0, max(2.3 + 0.5 * len(arms), 3.2))
    panels = []
    for ax, measure in drawing.row_of_panels(fig, {m: {"xlabel": CATALOGUE[m].titled("\n")} for m in shown}, sharey=True):
        rows = table[(table["measure"] == measure) & table["mean"].notna()].to_dict("records")
        _compared(ax, {arms.index(row["arm"]): row for row in rows if row["arm"] in arms}, CATALOGUE[measure])
        panels.append((CATALOGUE[measure], rows))
    marks = [remark_on(run, arm) for arm in arms]
    drawing.rows_named(
        fig.axes[0], [short(arm, 30) + (f"\n({mark})" if mark else "") for arm, mark in zip(arms, marks, strict=True)]
    )
    for ax in fig.axes[1:]:
        ax.tick_params(labelleft=False)
    said = f"Mean and 95 % interval; above each: difference from “{short(arms[0], 40) if arms else ''}”, replicate by replicate"
    fig.suptitle(said, x=0.01, ha="left", fontsize=9.5)
    if not arms:
        drawing.nothing_to_show(fig.axes[0], "nobody is seen in any arm")
    return {"reference": cm.reference(run.scenario), "arms": facts_of_arms(run), "panels": panels}


def _compared(ax: Axes, rows: dict[int, Row], m: Measure) -> None:
    """One measure of the arms that have it, by their places from top to bottom."""
    if not rows:
        drawing.nothing_to_show(ax, "no values")
        return
    ax.axvline(rows[min(rows)]["mean"], color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
    for y, row in sorted(rows.items()):
        apart = excludes_zero(row, "difference")
        colour = BLUE if apart else INK
        drawing.bar(ax, row, y, colour)
        drawing.dot(ax, row["mean"], y, colour, "s" if apart else "o", 5.5)
        if not np.isnan(row["difference"]):
            ax.annotate(signed(row["difference"], m.digits), (row["mean"], y), xytext=(0, 5), textcoords="offset points",
                        ha="center", va="bottom", fontsize=7.5, color=colour, fontweight="bold" if apart else "normal",
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
    ends = [row[end] for row in rows.values() for end in ("mean", "low", "high") if not np.isnan(row[end])]
    low, high = min(ends), max(ends)
    room = 0.14 * (high - low) or max(0.05 * abs(high), 0.05)
    ax.set_xlim(low - room, high + room)
    ax.xaxis.set_major_locator(MaxNLocator(5))


@drawing.figure(10.6, 3.9, asked=puts_work_to_the_test, clinic=True)
def clinic_load(run: Run, fig: Figure | SubFigure) -> Facts:
    """Caseload, sessions and fatigue of therapists, week by week, mean over those in post.

    >>> sim.plots.clinic_load(clinic)
    <Picture size ...>
    """
    arms, t = treating(run), run.therapists
    panels = {
        "caseload": {"title": "Caseload", "ylabel": "clients per therapist"},
        "sessions_held": {"title": "Sessions held", "ylabel": "a week per therapist"},
        "fatigue": {"title": "Fatigue", "ylabel": "tiredness from work (latent, 0-1)"},
    }
    for ax, column in drawing.row_of_panels(fig, panels):
        ax.set_xlabel("week of the clinic")
        if t.empty:
            drawing.nothing_to_show(ax, "there are no therapists")
            continue
        weekly = t.assign(arm=t["arm"].astype("str")).groupby(["arm", "week"])[column].mean().reset_index()
        if column == "sessions_held":  # leave makes single weeks jump
            smooth = weekly.groupby("arm")[column].rolling(5, min_periods=1, center=True).mean()
            weekly[column] = smooth.reset_index(level="arm", drop=True)
        lines_of_arms(ax, weekly, arms, [arm.name for arm in run.scenario.arms], "week", column)
        ax.set_ylim(bottom=0)
        _end_of_intake(ax, run, named=column == "caseload")
    drawing.legend_above(fig, columns=5)
    if t.empty:
        return {"lines": None}
    last = t[t["week"] > t["week"].max() - 26]
    means = last.assign(arm=last["arm"].astype("str")).groupby("arm")[list(panels)].mean()
    return {"lines": [{"arm": arm, **means.loc[arm]} for arm in arms if arm in means.index]}
