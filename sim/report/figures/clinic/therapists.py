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
from sim.report.drawing import BAND, BLUE, INK, MOST_LINES, ORANGE, QUIET, WAI, Facts
from sim.report.figures.clinic import asked
from sim.report.text import interval, number, scaled, short, signed, signed_interval
from sim.simulation.tables import Run

if TYPE_CHECKING:
    from sim.evidence.therapist_effects import TherapistEffects

MOST_THERAPISTS = 60


def lines_of_arms(
    ax: Axes, table: pd.DataFrame, arms: list[str], all_arms: list[str], x: str, y: str, bars: bool = False
) -> None:
    """One line per arm, looking the same in every panel; a band (or bars) where the table has an interval."""
    for arm in arms[:MOST_LINES]:
        mine, i = table[table["arm"] == arm], all_arms.index(arm)
        every = max(len(mine) // 8, 1)
        style = drawing.look(i) | ({"marker": "o", "markersize": 3.5} if len(arms) == 1 else {})
        if bars:
            places = mine[x] + 0.09 * (arms.index(arm) - (len(arms) - 1) / 2)
            ax.vlines(places, mine["low"], mine["high"], color=style["color"], linewidth=0.9)
            ax.plot(places, mine[y], label=short(arm), **style)
            continue
        if "low" in mine and len(arms) <= 3 and mine["low"].notna().any():
            ax.fill_between(mine[x], mine["low"], mine["high"], color=style["color"], alpha=0.16, linewidth=0)
        ax.plot(mine[x], mine[y], label=short(arm), markevery=(i % every, every), **style)


@drawing.figure(10.4, 5.6, asked=asked.looks_at_therapists, clinic=True)
def clinic_therapists(run: Run, fig: Figure | SubFigure) -> Facts:
    """Therapists in order of what their clients' results say of them, with intervals, beside what is true in the model.

    >>> sim.plots.clinic_therapists(clinic)
    <Picture size ...>
    """
    arm, panels = cm.reference(run.scenario), []
    found = asked.therapist_effects_of(run, arm) if asked.treating(run) else dict.fromkeys(asked.THERAPIST_OUTCOMES)
    units = {"alliance": "WAI points", "distress": "CORE-OM points; negative = better"}
    labels = {name: {"xlabel": f"difference from the mean therapist ({unit})"} for name, unit in units.items()}
    for ax, outcome in drawing.row_of_panels(fig, labels):
        effects, title = found[outcome], f"{asked.THERAPIST_OUTCOMES[outcome]} in “{short(arm, 24)}”"
        ax.set(title=title, yticks=[])
        if effects is None or effects.table.empty:
            drawing.nothing_to_show(ax, "too few therapists or clients")
            continue
        ax.set_title(f"{title}\n{_share_said(effects)}", fontsize=8.5)
        _caterpillar(ax, effects)
        panels.append({"outcome": outcome, **_counted(effects.table)})
    fig.axes[0].set_ylabel("therapists, in order of the estimate")
    handles = [
        Line2D([], [], color=INK, linestyle="none", marker="o", markersize=4, label="estimate, shrunken"),
        Line2D([], [], color=BAND, linewidth=2, linestyle="-", marker="", label="95 % interval"),
        Line2D([], [], color=ORANGE, linestyle="none", marker="D", markersize=4, label="true in the model"),
    ]
    drawing.legend_above(fig, handles)
    total = max((panel["n"] for panel in panels), default=0)
    return {"reference": arm, "panels": panels, "total": total, "most": MOST_THERAPISTS}


def _counted(table: pd.DataFrame) -> dict[str, Any]:
    """What can be counted in the estimates of therapists: how far they reach, how many exclude 0, how many hold what is true."""
    known = table[table["true"].notna()]
    return {
        "low": table["effect"].min(),
        "high": table["effect"].max(),
        "n": len(table),
        "known": len(known),
        "certain": int(((table["low"] > 0) | (table["high"] < 0)).sum()),
        "inside": int(((known["true"] >= known["low"]) & (known["true"] <= known["high"])).sum()),
    }


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


#: Outcome of a trial -> its title, unit on the axis, what it is multiplied by.
TRIAL_OUTCOMES = {
    "wai_client": ("Alliance at the last session", "WAI points", 1.0),
    "distress_end": ("Distress at the end", "CORE-OM points", 1.0),
    "dropout": ("Dropout", "percentage points", 100.0),
}


@drawing.figure(asked=asked.holds_a_trial, clinic=True)
def clinic_trial(run: Run, fig: Figure | SubFigure) -> Facts:
    """Each replicate's trial: estimate with its interval, and the interval of who forgets that clients share therapists.

    >>> sim.plots.clinic_trial(clinic)
    <Picture size ...>
    """
    from sim.evidence import trial

    estimates, true, arms, panels = trial.trial_estimates(run), trial.true_effects(run), trial.trial_arms(run), []
    replicates = sorted(estimates["replicate"].unique()) if len(estimates) else []
    drawing.sized(fig, 10.6, 2.6 + 0.3 * max(len(replicates), 1))
    labels = {
        name: {"title": title, "xlabel": f"trained less untrained ({of})"} for name, (title, of, _) in TRIAL_OUTCOMES.items()
    }
    for ax, outcome in drawing.row_of_panels(fig, labels, sharey=True):
        title, unit, by = TRIAL_OUTCOMES[outcome]
        mine, truth = estimates[estimates["outcome"] == outcome], true[true["outcome"] == outcome]
        ax.axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
        for one in truth[truth["effect"].notna()].to_dict("records"):
            true_effect = scaled(one, by, "effect")
            if not np.isnan(one["low"]):
                ax.axvspan(true_effect["low"], true_effect["high"], color="#56B4E9", alpha=0.35, linewidth=0)
            ax.axvline(true_effect["mean"], color=BLUE, linewidth=1.6, linestyle="-")
        for row in mine.to_dict("records"):
            y, estimate = replicates.index(row["replicate"]), scaled(row, by, "estimate")
            drawing.between(ax, (by * row["naive_low"], by * row["naive_high"]), y + 0.25, ORANGE, 1)
            drawing.bar(ax, estimate, y, INK, width=2)
            drawing.dot(ax, estimate["mean"], y, INK)
        said = {"title": title, "unit": unit, "digits": 2 if by == 1 else 1}
        panels.append({**said, "estimates": list(by * mine["estimate"]), "true": by * truth["effect"].mean()})
    drawing.rows_named(fig.axes[0], [f"trial {k + 1}" for k in replicates])
    if not replicates:
        drawing.nothing_to_show(fig.axes[0], "there is no trial to analyse")
    kinds = (
        (INK, 2, "o", "estimate and 95 % interval, clients within therapists"),
        (ORANGE, 1, "", "interval if clients were independent"),
        (BLUE, 1.6, "", "true: everybody less nobody"),
    )
    handles = [Line2D([], [], color=c, linewidth=w, marker=m, linestyle="-", label=label) for c, w, m, label in kinds]
    drawing.legend_above(fig, handles, 3)
    return {"trial": arms[0] if arms else "", "panels": panels}


@drawing.figure(10.6, 4.0, asked=asked.follows_up, clinic=True)
def clinic_follow_up(run: Run, fig: Figure | SubFigure) -> Facts:
    """Distress and attachment at arrival, at the end of therapy and later, beside the same people when nobody is seen.

    >>> sim.plots.clinic_follow_up(clinic)
    <Picture size ...>
    """
    table = cm.follow_up(run)
    arms = list(dict.fromkeys(table["arm"]))[: MOST_LINES - 1]
    units = {"distress": "CORE-OM, 0-40", "anxiety": "ECR, 1-7", "avoidance": "ECR, 1-7"}
    for ax, measure in drawing.row_of_panels(fig, {name: {"ylabel": f"{name} ({unit})"} for name, unit in units.items()}):
        part = table[table["measure"] == measure]
        times = list(dict.fromkeys(part["when"]))
        ax.set(title=measure.capitalize(), xlabel="when")
        if part.empty:
            drawing.nothing_to_show(ax, "nobody's therapy has ended")
            continue
        for i, arm in enumerate(arms):
            mine = part[part["arm"] == arm]
            ax.plot(range(len(mine)), mine["mean"], label=short(arm), **drawing.look(i))
        mine = part[part["arm"] == arms[0]]
        if mine["untreated"].notna().any():
            same = short(f"same people: {cm.without_therapists(run.scenario) or ''}")
            ax.plot(range(len(mine)), mine["untreated"], color=INK, linestyle=":", marker="X", label=same)
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
    drawing.legend_above(fig)
    lines = [(measure, arm, rows.to_dict("records")) for (arm, measure), rows in table.groupby(["arm", "measure"], sort=False)]
    return {"people": int(table["people"].max()) if len(table) else 0, "lines": lines}


@drawing.figure(10.6, 4.0, asked=asked.lasts_years, clinic=True)
def clinic_years(run: Run, fig: Figure | SubFigure) -> Facts:
    """Attachment of the therapists in post, and the alliance of the clients who began, year by year.

    >>> sim.plots.clinic_years(clinic)
    <Picture size ...>
    """
    table = cm.over_years(run)
    when = "year of the clinic (0: first week)"
    panels = {
        "anxiety": {"title": "Therapists' anxiety", "ylabel": "anxiety (ECR 1-7, latent)", "xlabel": when},
        "avoidance": {"title": "Therapists' avoidance", "ylabel": "avoidance (ECR 1-7, latent)", "xlabel": when},
        "alliance": {"title": "Their clients' alliance", "ylabel": WAI, "xlabel": "year in which clients began"},
    }
    for ax, what in drawing.row_of_panels(fig, panels):
        mine = table[table["what"] == what] if len(table) else table
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if mine.empty:
            drawing.nothing_to_show(ax, "there is nothing to show")
            continue
        lines_of_arms(ax, mine, asked.treating(run), [arm.name for arm in run.scenario.arms], "year", "mean", bars=True)
    drawing.legend_above(fig)
    known = table.dropna(subset="mean").groupby(["what", "arm"], sort=False)["mean"]
    return {"lines": [(what, arm, values.iloc[0], values.iloc[-1]) for (what, arm), values in known]}


@drawing.figure(9.6, 3.4, asked=asked.gives_feedback, clinic=True)
def clinic_at_risk(run: Run, fig: Figure | SubFigure) -> Facts:
    """Dropout and change in distress of clients at risk and of the others, the same people in every arm.

    >>> sim.plots.clinic_at_risk(clinic)
    <Picture size ...>
    """
    table = cm.off_track(run)
    groups = [(g, arm) for g in ("at risk", "others") for arm in asked.treating(run)]
    panels = {
        "dropout": {"xlabel": "Dropped out (% of these people)"},
        "distress_last_rating": {"xlabel": "Distress, arrival to end (CORE-OM points)"},
    }
    for ax, measure in drawing.row_of_panels(fig, panels, sharey=True):
        rows = {(r["group"], r["arm"]): r for r in table[table["measure"] == measure].to_dict("records")}
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
    drawing.rows_named(fig.axes[0], [f"{g}: {short(arm, 26)}" for g, arm in groups], top=-0.7)
    if table.empty:
        drawing.nothing_to_show(fig.axes[0], "no arm differs in feedback, or sessions were not kept")
    return {"early": cm.EARLY_SESSION, "rows": table[table["difference"].notna()].to_dict("records") if len(table) else []}
