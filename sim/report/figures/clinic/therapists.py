"""Figures of a clinic: therapists, trials, follow-up, years of work, and who is at risk.

Intervals are over replicates, since clients of one clinic share therapists and a queue; with one replicate there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim.measures import clinics as cm
from sim.report import drawing
from sim.report.drawing import BAND, BLUE, INK, MOST_LINES, ORANGE, QUIET, WAI, Shown
from sim.report.figures.clinic import asked
from sim.report.text import interval, number, scaled, short, signed, signed_interval
from sim.simulation.tables import Run

if TYPE_CHECKING:
    from sim.evidence.therapist_effects import TherapistEffects

MOST_THERAPISTS = 60


def lines_of_arms(
    ax: Axes, table: pd.DataFrame, arms: list[str], all_arms: list[str], x: str, y: str, bars: bool = False
) -> list[Line2D]:
    """One line per arm, looking the same in every panel; a band (or bars) where the table has an interval."""
    drawn = []
    for arm in arms[:MOST_LINES]:
        mine, i = table[table["arm"] == arm], all_arms.index(arm)
        every = max(len(mine) // 8, 1)
        style = drawing.look(i) | ({"marker": "o", "markersize": 3.5} if len(arms) == 1 else {})
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


@drawing.of_a_clinic
def clinic_therapists(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Therapists in order of what their clients' results say of them, with intervals, beside what is true in the model.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_therapists(clinic)
    <Picture size ...>
    """
    fig = fig or drawing.picture(10.4, 5.6)
    axes = fig.subplots(1, 2)
    arm = cm.reference(run.scenario)
    found = asked.therapist_effects_of(run, arm) if asked.treating(run) else dict.fromkeys(asked.THERAPIST_OUTCOMES)
    units = ("WAI points", "CORE-OM points; negative = better")
    for ax, (outcome, effects), unit in zip(axes, found.items(), units, strict=True):
        title = f"{asked.THERAPIST_OUTCOMES[outcome]} in “{short(arm, 24)}”"
        ax.set(title=title, xlabel=f"difference from the mean therapist ({unit})", yticks=[])
        if effects is None or effects.table.empty:
            drawing.nothing_to_show(ax, "too few therapists or clients")
            continue
        ax.set_title(f"{title}\n{_share_said(effects)}", fontsize=8.5)
        _caterpillar(ax, effects)
    axes[0].set_ylabel("therapists, in order of the estimate")
    handles = [
        Line2D([], [], color=INK, linestyle="none", marker="o", markersize=4, label="estimate, shrunken"),
        Line2D([], [], color=BAND, linewidth=2, linestyle="-", marker="", label="95 % interval"),
        Line2D([], [], color=ORANGE, linestyle="none", marker="D", markersize=4, label="true in the model"),
    ]
    return drawing.finished(run, fig, handles)


def _caterpillar(ax: Axes, effects: TherapistEffects) -> None:
    table = effects.table.sort_values("effect").reset_index(drop=True)
    if len(table) > MOST_THERAPISTS:  # of thousands the truth is known of some: those are drawn
        known = table[table["true"].notna()] if table["true"].notna().any() else table
        table = drawing.some_of(known, MOST_THERAPISTS)
    for y, row in enumerate(table.to_dict("records")):
        drawing.between(ax, (row["low"], row["high"]), y, BAND, 2)
        drawing.dot(ax, row["effect"], y, INK, size=3.2)
        if not np.isnan(row["true"]):
            drawing.dot(ax, row["true"], y, ORANGE, "D", 3.2)
    drawing.zero(ax)
    ax.set_ylim(-1, len(table))


def _share_said(effects: TherapistEffects) -> str:
    """How much lies between therapists, estimated and true, and how many of them are drawn."""
    share = scaled(vars(effects), 100, "share")
    true = "" if np.isnan(effects.true_share) else f", true {number(100 * effects.true_share, 1)} %"
    some = f"; {MOST_THERAPISTS} of {len(effects.table):,} shown" if len(effects.table) > MOST_THERAPISTS else ""
    return f"between therapists: {number(share['mean'], 1)} % {interval(share, digits=1)}{true}{some}"


# --------------------------------------------------------------------------------------------------------------- trial


#: Outcome of a trial -> its title, unit on the axis, what it is multiplied by.
TRIAL_OUTCOMES = {
    "wai_client": ("Alliance at the last session", "WAI points", 1.0),
    "distress_end": ("Distress at the end", "CORE-OM points", 1.0),
    "dropout": ("Dropout", "percentage points", 100.0),
}  # fmt: skip


@drawing.of_a_clinic
def clinic_trial(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Each replicate's trial: estimate with its interval, and the interval of who forgets that clients share therapists.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_trial(clinic)
    <Picture size ...>
    """
    from sim.evidence import trial

    estimates, true = trial.trial_estimates(run), trial.true_effects(run)
    replicates = sorted(estimates["replicate"].unique()) if len(estimates) else []
    fig = fig or drawing.picture(10.6, 2.6 + 0.3 * max(len(replicates), 1))
    axes = fig.subplots(1, len(TRIAL_OUTCOMES), sharey=True)
    for ax, (outcome, (title, unit, by)) in zip(axes, TRIAL_OUTCOMES.items(), strict=True):
        ax.set(title=title, xlabel=f"trained less untrained ({unit})")
        ax.axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        for one in true[(true["outcome"] == outcome) & true["effect"].notna()].to_dict("records"):
            true_effect = scaled(one, by, "effect")
            if not np.isnan(one["low"]):
                ax.axvspan(true_effect["low"], true_effect["high"], color="#56B4E9", alpha=0.35, linewidth=0)
            ax.axvline(true_effect["mean"], color=BLUE, linewidth=1.6, linestyle="-")
        for row in estimates[estimates["outcome"] == outcome].to_dict("records"):
            y, estimate = replicates.index(row["replicate"]), scaled(row, by, "estimate")
            drawing.between(ax, (by * row["naive_low"], by * row["naive_high"]), y + 0.25, ORANGE, 1)
            drawing.bar(ax, estimate, y, INK, width=2)
            drawing.dot(ax, estimate["mean"], y, INK)
    drawing.rows_named(axes[0], [f"trial {k + 1}" for k in replicates])
    if not replicates:
        drawing.nothing_to_show(axes[0], "there is no trial to analyse")
    kinds = (
        (INK, 2, "o", "estimate and 95 % interval, clients within therapists"),
        (ORANGE, 1, "", "interval if clients were independent"), (BLUE, 1.6, "", "true: everybody less nobody"),
    )  # fmt: skip
    handles = [Line2D([], [], color=c, linewidth=w, marker=m, linestyle="-", label=label) for c, w, m, label in kinds]
    return drawing.finished(run, fig, handles, 3)


# ------------------------------------------------------------------------------------------------ follow-up, years, risk


@drawing.of_a_clinic
def clinic_follow_up(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Distress and attachment at arrival, at the end of therapy and later, beside the same people when nobody is seen.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_follow_up(clinic)
    <Picture size ...>
    """
    table = cm.follow_up(run)
    fig = fig or drawing.picture(10.6, 4.0)
    axes = fig.subplots(1, 3)
    arms = list(dict.fromkeys(table["arm"]))[: MOST_LINES - 1]
    handles: list[Line2D] = []
    units = {"distress": "CORE-OM, 0-40", "anxiety": "ECR, 1-7", "avoidance": "ECR, 1-7"}
    for ax, (measure, unit) in zip(axes, units.items(), strict=True):
        part = table[table["measure"] == measure]
        times = list(dict.fromkeys(part["when"]))
        ax.set(title=measure.capitalize(), ylabel=f"{measure} ({unit})", xlabel="when")
        if part.empty:
            drawing.nothing_to_show(ax, "nobody's therapy has ended")
            continue
        drawn = []
        for i, arm in enumerate(arms):
            mine = part[part["arm"] == arm]
            drawn += ax.plot(range(len(mine)), mine["mean"], label=short(arm), **drawing.look(i))
        mine = part[part["arm"] == arms[0]]
        if mine["untreated"].notna().any():
            alone = cm.without_therapists(run.scenario) or ""
            same = short(f"same people: {alone}")
            drawn += ax.plot(range(len(mine)), mine["untreated"], color=INK, linestyle=":", marker="X", label=same)
            for x, row in enumerate(mine.to_dict("records")):
                if x:
                    ax.annotate(signed(row["difference"], 1 if measure == "distress" else 2), (x, row["mean"]), xytext=(0, -9),
                                textcoords="offset points", ha="center", va="top", fontsize=7.5, color=INK)  # fmt: skip
        values = part[["mean", "untreated"]].to_numpy(float)
        low, high = np.nanmin(values), np.nanmax(values)
        least = 6.0 if measure == "distress" else 0.8  # so that small changes do not look large
        room = max(0.35 * (high - low), (least - (high - low)) / 2)
        ax.set_ylim(low - room, high + 0.6 * room)
        ax.set_xticks(range(len(times)), ["end of\ntherapy" if t == "end" else t.replace(" ", "\n") for t in times])
        ax.set_xlim(-0.3, len(times) - 0.7)
        handles = max(handles, drawn, key=len)
    return drawing.finished(run, fig, handles)


@drawing.of_a_clinic
def clinic_years(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Attachment of the therapists in post, and the alliance of the clients who began, year by year.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_years(clinic)
    <Picture size ...>
    """
    table = cm.over_years(run)
    fig = fig or drawing.picture(10.6, 4.0)
    axes = fig.subplots(1, 3)
    arms = asked.treating(run)
    handles: list[Line2D] = []
    for ax, what, unit, title in (
        (axes[0], "anxiety", "anxiety (ECR 1-7, latent)", "Therapists' anxiety"),
        (axes[1], "avoidance", "avoidance (ECR 1-7, latent)", "Therapists' avoidance"),
        (axes[2], "alliance", WAI, "Their clients' alliance"),
    ):  # fmt: skip
        mine = table[table["what"] == what] if len(table) else table
        when = "year of the clinic (0: first week)" if what != "alliance" else "year in which clients began"
        ax.set(title=title, ylabel=unit, xlabel=when)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if mine.empty:
            drawing.nothing_to_show(ax, "there is nothing to show")
            continue
        drawn = lines_of_arms(ax, mine, arms, [arm.name for arm in run.scenario.arms], "year", "mean", bars=True)
        handles = max(handles, drawn, key=len)
    return drawing.finished(run, fig, handles)


@drawing.of_a_clinic
def clinic_at_risk(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Dropout and change in distress of clients at risk and of the others, the same people in every arm.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.clinic_at_risk(clinic)
    <Picture size ...>
    """
    table = cm.off_track(run)
    fig = fig or drawing.picture(9.6, 3.4)
    axes = fig.subplots(1, 2, sharey=True)
    groups = [(g, arm) for g in ("at risk", "others") for arm in asked.treating(run)]
    for ax, measure, title in (
        (axes[0], "dropout", "Dropped out (% of these people)"),
        (axes[1], "distress_last_rating", "Distress, arrival to end (CORE-OM points)"),
    ):
        rows = {(r["group"], r["arm"]): r for r in table[table["measure"] == measure].to_dict("records")}
        ax.set(xlabel=title)
        for y, key in enumerate(groups):
            row, style = rows.get(key), drawing.look(asked.treating(run).index(key[1]))
            if row is None:
                continue
            drawing.bar(ax, row, y, style["color"])
            drawing.dot(ax, row["mean"], y, style["color"], style["marker"], 6)
            if not np.isnan(row["difference"]):
                ax.annotate(signed_interval(row, 2, "difference"), (row["mean"], y), xytext=(0, 6), textcoords="offset points",
                            ha="center", fontsize=7.5, color=INK)  # fmt: skip
        ax.margins(x=0.22)
    drawing.rows_named(axes[0], [f"{g}: {short(arm, 26)}" for g, arm in groups], top=-0.7)
    if table.empty:
        drawing.nothing_to_show(axes[0], "no arm differs in feedback, or sessions were not kept")
    return drawing.finished(run, fig)


def _one_by_one(run: Run) -> dict[str, Any]:
    arm = cm.reference(run.scenario)
    found = {outcome: e.table for outcome, e in asked.therapist_effects_of(run, arm).items() if e is not None}
    panels = []
    for outcome, t in found.items():
        known = t[t["true"].notna()]
        panels.append({
            "outcome": outcome, "low": t["effect"].min(), "high": t["effect"].max(), "n": len(t), "known": len(known),
            "certain": int(((t["low"] > 0) | (t["high"] < 0)).sum()),
            "inside": int(((known["true"] >= known["low"]) & (known["true"] <= known["high"])).sum()),
        })  # fmt: skip
    return {"reference": arm, "panels": panels, "total": max(map(len, found.values()), default=0), "most": MOST_THERAPISTS}


def _trials(run: Run) -> dict[str, Any]:
    from sim.evidence import trial

    estimates, true, arms = trial.trial_estimates(run), trial.true_effects(run), trial.trial_arms(run)
    panels = [
        {"title": title, "unit": unit, "digits": 2 if by == 1 else 1,
         "estimates": list(by * estimates.loc[estimates["outcome"] == outcome, "estimate"]),
         "true": by * true.loc[true["outcome"] == outcome, "effect"].mean()}
        for outcome, (title, unit, by) in TRIAL_OUTCOMES.items()
    ]  # fmt: skip
    return {"trial": arms[0] if arms else "", "panels": panels}


def _later(run: Run) -> dict[str, Any]:
    table = cm.follow_up(run)
    lines = [(measure, arm, rows.to_dict("records")) for (arm, measure), rows in table.groupby(["arm", "measure"], sort=False)]
    return {"people": int(table["people"].max()) if len(table) else 0, "lines": lines}


def _first_and_last(run: Run) -> dict[str, Any]:
    table = cm.over_years(run).dropna(subset="mean")
    lines = [(what, arm, rows["mean"].iloc[0], rows["mean"].iloc[-1])
             for (what, arm), rows in table.groupby(["what", "arm"], sort=False)]  # fmt: skip
    return {"lines": lines}


def _at_risk(run: Run) -> dict[str, Any]:
    table = cm.off_track(run)
    rows = table[table["difference"].notna()].to_dict("records") if len(table) else []
    return {"early": cm.EARLY_SESSION, "rows": rows}


SHOWN = (
    Shown(clinic_trial, _trials, asked.holds_a_trial),
    Shown(clinic_at_risk, _at_risk, asked.gives_feedback),
    Shown(clinic_years, _first_and_last, asked.lasts_years),
    Shown(clinic_follow_up, _later, asked.follows_up),
    Shown(clinic_therapists, _one_by_one, asked.looks_at_therapists),
)
