"""Figures of a clinic: therapists, trials, follow-up, years of work, and who is at risk.

Intervals are over replicates, since clients of one clinic share therapists and a queue; with one replicate there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim.measures import clinics as cm
from sim.report.drawing import (
    BAND,
    INK,
    MOST_LINES,
    QUIET,
    WAI,
    legend_above,
    look,
    note_on_figure,
    nothing_to_show,
    of_a_clinic,
    picture,
)
from sim.report.text import number, short, signed
from sim.simulation.tables import Run

if TYPE_CHECKING:
    from sim.evidence.therapist_effects import TherapistEffects

MOST_THERAPISTS = 60


def treating(run: Run) -> list[str]:
    """Names of the arms of a clinic in which somebody can be seen."""
    return [
        arm.name for arm in run.scenario.arms if run.scenario.design == "clinic" and cm.has_therapists(run.scenario, arm.name)
    ]


def lines_of_arms(
    ax: Axes, table: pd.DataFrame, arms: list[str], all_arms: list[str], x: str, y: str, bars: bool = False
) -> list[Line2D]:
    """One line per arm, looking the same in every panel; a band (or bars) where the table has an interval."""
    drawn = []
    for arm in arms[:MOST_LINES]:
        mine, i = table[table["arm"] == arm], all_arms.index(arm)
        every = max(len(mine) // 8, 1)
        style = look(i) | ({"marker": "o", "markersize": 3.5} if len(arms) == 1 else {})
        if bars:
            places = mine[x] + 0.09 * (arms.index(arm) - (len(arms) - 1) / 2)
            ax.vlines(places, mine["low"], mine["high"], color=style["color"], linewidth=0.9)
            drawn += ax.plot(places, mine[y], label=short(arm), **style)
            continue
        if "low" in mine and len(arms) <= 3 and mine["low"].notna().any():
            ax.fill_between(mine[x], mine["low"], mine["high"], color=style["color"], alpha=0.16, linewidth=0)
        drawn += ax.plot(mine[x], mine[y], label=short(arm), markevery=(i % every, every), **style)
    return drawn


# ---------------------------------------------------------------------------------------------------------- therapists


#: Outcomes of which therapists' shares are told.
THERAPIST_OUTCOMES = {"alliance": "Early alliance", "distress": "Distress at the end"}


def therapist_effects_of(run: Run, arm: str) -> dict[str, TherapistEffects | None]:
    """What clients' results say of each therapist of an arm, for alliance and distress; None where they say nothing."""
    from sim.evidence.therapist_effects import therapist_effects

    return {outcome: therapist_effects(run, arm, outcome) for outcome in THERAPIST_OUTCOMES}


@of_a_clinic
def clinic_therapists(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Therapists in order of what their clients' results say of them, with intervals, beside what is true in the model.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_therapists(clinic)
    <Picture size ...>
    """
    fig = fig or picture(10.4, 5.6)
    axes = fig.subplots(1, 2)
    arm = cm.reference(run.scenario)
    found = therapist_effects_of(run, arm) if treating(run) else dict.fromkeys(THERAPIST_OUTCOMES)
    for ax, (outcome, effects), unit in zip(
        axes, found.items(), ("WAI points", "CORE-OM points; negative = better"), strict=True
    ):
        title = f"{THERAPIST_OUTCOMES[outcome]} in “{short(arm, 24)}”"
        ax.set(title=title, xlabel=f"difference from the mean therapist ({unit})", yticks=[])
        if effects is None or effects.table.empty:
            nothing_to_show(ax, "too few therapists or clients")
            continue
        ax.set_title(f"{title}\n{_share_said(effects)}", fontsize=8.5)
        _caterpillar(ax, effects)
    axes[0].set_ylabel("therapists, in order of the estimate")
    handles = [
        Line2D([], [], color=INK, linestyle="none", marker="o", markersize=4, label="estimate, shrunken"),
        Line2D([], [], color=BAND, linewidth=2, linestyle="-", marker="", label="95 % interval"),
        Line2D([], [], color="#D55E00", linestyle="none", marker="D", markersize=4, label="true in the model"),
    ]
    legend_above(fig, handles)
    note_on_figure(run, fig)
    return fig


def _caterpillar(ax: Axes, effects: TherapistEffects) -> None:
    table = effects.table.sort_values("effect").reset_index(drop=True)
    if len(table) > MOST_THERAPISTS:  # of thousands the truth is known of some: those are drawn
        known = table[table["true"].notna()] if table["true"].notna().any() else table
        some = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_THERAPISTS)).round().astype(int))
        table = known.iloc[some].reset_index(drop=True)
    for y, row in enumerate(table.to_dict("records")):
        ax.plot([row["low"], row["high"]], [y, y], color=BAND, linestyle="-", marker="", linewidth=2)
        ax.plot(row["effect"], y, color=INK, linestyle="none", marker="o", markersize=3.2)
        if not np.isnan(row["true"]):
            ax.plot(row["true"], y, color="#D55E00", linestyle="none", marker="D", markersize=3.2)
    ax.axvline(0, color=QUIET, linewidth=0.9, linestyle="-")
    ax.set_ylim(-1, len(table))


def _share_said(effects: TherapistEffects) -> str:
    """How much lies between therapists, estimated and true, and how many of them are drawn."""
    share, low, high = (number(100 * x, 1) for x in (effects.share, effects.low, effects.high))
    true = "" if np.isnan(effects.true_share) else f", true {number(100 * effects.true_share, 1)} %"
    some = f"; {MOST_THERAPISTS} of {len(effects.table):,} shown" if len(effects.table) > MOST_THERAPISTS else ""
    return f"between therapists: {share} % [{low}, {high}]{true}{some}"


# --------------------------------------------------------------------------------------------------------------- trial


#: Outcome of a trial -> its title, unit on the axis, what it is multiplied by.
TRIAL_OUTCOMES = {
    "wai_client": ("Alliance at the last session", "WAI points", 1.0),
    "distress_end": ("Distress at the end", "CORE-OM points", 1.0),
    "dropout": ("Dropout", "percentage points", 100.0),
}  # fmt: skip


@of_a_clinic
def clinic_trial(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Each replicate's trial: estimate with its interval, and the interval of who forgets that clients share therapists.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_trial(clinic)
    <Picture size ...>
    """
    from sim.evidence import trial

    estimates, true = trial.trial_estimates(run), trial.true_effects(run)
    replicates = sorted(estimates["replicate"].unique()) if len(estimates) else []
    fig = fig or picture(10.6, 2.6 + 0.3 * max(len(replicates), 1))
    axes = fig.subplots(1, len(TRIAL_OUTCOMES), sharey=True)
    for ax, (outcome, (title, unit, by)) in zip(axes, TRIAL_OUTCOMES.items(), strict=True):
        ax.set(title=title, xlabel=f"trained less untrained ({unit})")
        ax.axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        for one in true[(true["outcome"] == outcome) & true["effect"].notna()].to_dict("records"):
            if not np.isnan(one["low"]):
                ax.axvspan(by * one["low"], by * one["high"], color="#56B4E9", alpha=0.35, linewidth=0)
            ax.axvline(by * one["effect"], color="#0072B2", linewidth=1.6, linestyle="-")
        for row in estimates[estimates["outcome"] == outcome].to_dict("records"):
            y = replicates.index(row["replicate"])
            ax.plot(
                [by * row["naive_low"], by * row["naive_high"]],
                [y + 0.25] * 2,
                color="#D55E00",
                linestyle="-",
                marker="",
                linewidth=1,
            )
            ax.plot([by * row["low"], by * row["high"]], [y, y], color=INK, linestyle="-", marker="|", markersize=6, linewidth=2)
            ax.plot(by * row["estimate"], y, color=INK, linestyle="none", marker="o")
    axes[0].set_yticks(range(len(replicates)), [f"trial {k + 1}" for k in replicates])
    axes[0].set_ylim(max(len(replicates), 1) - 0.4, -0.6)
    if not replicates:
        nothing_to_show(axes[0], "there is no trial to analyse")
    handles = [
        Line2D(
            [],
            [],
            color=INK,
            linewidth=2,
            marker="o",
            linestyle="-",
            label="estimate and 95 % interval, clients within therapists",
        ),
        Line2D([], [], color="#D55E00", linewidth=1, marker="", linestyle="-", label="interval if clients were independent"),
        Line2D([], [], color="#0072B2", linewidth=1.6, marker="", linestyle="-", label="true: everybody less nobody"),
    ]
    legend_above(fig, handles, 3)
    note_on_figure(run, fig)
    return fig


# ------------------------------------------------------------------------------------------------ follow-up, years, risk


@of_a_clinic
def clinic_follow_up(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Distress and attachment at arrival, at the end of therapy and later, beside the same people when nobody is seen.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_follow_up(clinic)
    <Picture size ...>
    """
    table = cm.follow_up(run)
    fig = fig or picture(10.6, 4.0)
    axes = fig.subplots(1, 3)
    arms = list(dict.fromkeys(table["arm"]))[: MOST_LINES - 1]
    handles: list[Line2D] = []
    for ax, measure, unit in zip(
        axes, ("distress", "anxiety", "avoidance"), ("CORE-OM, 0-40", "ECR, 1-7", "ECR, 1-7"), strict=True
    ):
        part = table[table["measure"] == measure]
        times = list(dict.fromkeys(part["when"]))
        ax.set(title=measure.capitalize(), ylabel=f"{measure} ({unit})", xlabel="when")
        if part.empty:
            nothing_to_show(ax, "nobody's therapy has ended")
            continue
        drawn = []
        for i, arm in enumerate(arms):
            mine = part[part["arm"] == arm]
            drawn += ax.plot(range(len(mine)), mine["mean"], label=short(arm), **look(i))
        mine = part[part["arm"] == arms[0]]
        if mine["untreated"].notna().any():
            alone = cm.without_therapists(run.scenario) or ""
            drawn += ax.plot(
                range(len(mine)), mine["untreated"], color=INK, linestyle=":", marker="X", label=short(f"same people: {alone}")
            )
            for x, row in enumerate(mine.to_dict("records")):
                if x:
                    ax.annotate(signed(row["difference"], 1 if measure == "distress" else 2), (x, row["mean"]), xytext=(0, -9),
                                textcoords="offset points", ha="center", va="top", fontsize=7.5, color=INK)  # fmt: skip
        values = part[["mean", "untreated"]].to_numpy(float)
        low, high = np.nanmin(values), np.nanmax(values)
        least = 6.0 if measure == "distress" else 0.8  # so that small changes do not look large
        room = max(0.35 * (high - low), (least - (high - low)) / 2)
        ax.set_ylim(low - room, high + 0.6 * room)
        ax.set_xticks(
            range(len(times)), [{"arrival": "arrival", "end": "end of\ntherapy"}.get(t, t.replace(" ", "\n")) for t in times]
        )
        ax.set_xlim(-0.3, len(times) - 0.7)
        handles = max(handles, drawn, key=len)
    legend_above(fig, handles)
    note_on_figure(run, fig)
    return fig


@of_a_clinic
def clinic_years(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Attachment of the therapists in post, and the alliance of the clients who began, year by year.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_years(clinic)
    <Picture size ...>
    """
    table = cm.over_years(run)
    fig = fig or picture(10.6, 4.0)
    axes = fig.subplots(1, 3)
    arms = treating(run)
    handles: list[Line2D] = []
    for ax, what, unit, title in (
        (axes[0], "anxiety", "anxiety (ECR 1-7, latent)", "Therapists' anxiety"),
        (axes[1], "avoidance", "avoidance (ECR 1-7, latent)", "Therapists' avoidance"),
        (axes[2], "alliance", WAI, "Their clients' alliance"),
    ):  # fmt: skip
        mine = table[table["what"] == what] if len(table) else table
        ax.set(
            title=title,
            ylabel=unit,
            xlabel="year of the clinic (0: first week)" if what != "alliance" else "year in which clients began",
        )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if mine.empty:
            nothing_to_show(ax, "there is nothing to show")
            continue
        handles = max(
            handles, lines_of_arms(ax, mine, arms, [arm.name for arm in run.scenario.arms], "year", "mean", bars=True), key=len
        )
    legend_above(fig, handles if len(handles) > 1 else [])
    note_on_figure(run, fig)
    return fig


@of_a_clinic
def clinic_at_risk(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Dropout and change in distress of clients at risk and of the others, the same people in every arm.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_at_risk(clinic)
    <Picture size ...>
    """
    table = cm.off_track(run)
    fig = fig or picture(9.6, 3.4)
    axes = fig.subplots(1, 2, sharey=True)
    groups = [(g, arm) for g in ("at risk", "others") for arm in treating(run)]
    for ax, measure, title in (
        (axes[0], "dropout", "Dropped out (% of these people)"),
        (axes[1], "distress_last_rating", "Distress, arrival to end (CORE-OM points)"),
    ):
        rows = {(r["group"], r["arm"]): r for r in table[table["measure"] == measure].to_dict("records")}
        ax.set(xlabel=title)
        for y, key in enumerate(groups):
            row, style = rows.get(key), look(treating(run).index(key[1]))
            if row is None:
                continue
            ax.plot(
                [row["low"], row["high"]], [y, y], color=style["color"], linestyle="-", marker="|", markersize=6, linewidth=1.8
            )
            ax.plot(row["mean"], y, color=style["color"], linestyle="none", marker=style["marker"], markersize=6)
            if not np.isnan(row["difference"]):
                said = f"{signed(row['difference'])} [{number(row['difference_low'])}, {number(row['difference_high'])}]"
                ax.annotate(
                    said, (row["mean"], y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7.5, color=INK
                )
        ax.margins(x=0.22)
    axes[0].set_yticks(range(len(groups)), [f"{g}: {short(arm, 26)}" for g, arm in groups])
    axes[0].set_ylim(len(groups) - 0.4, -0.7)
    if table.empty:
        nothing_to_show(axes[0], "no arm differs in feedback, or sessions were not kept")
    note_on_figure(run, fig)
    return fig
