"""Captions of the figures and tables of clinics, and what is to be seen in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE
from sim.measures import clinics as cm
from sim.report.figures.clinic.service import panels_compared, remark_on
from sim.report.figures.clinic.therapists import MOST_THERAPISTS, TRIAL_OUTCOMES, therapist_effects_of, treating
from sim.report.text import arm_name, number, signed_interval, with_interval
from sim.simulation.tables import Run

Told = dict[str, Any]

#: How the figures of clinics are called where they are not shown.
CLINIC_TITLES = {
    "clinic_arms": "arms side by side", "clinic_trial": "trials and the truth", "clinic_at_risk": "clients at risk",
    "clinic_years": "therapists over the years", "clinic_follow_up": "after therapy", "clinic_flow": "flow and waiting",
    "clinic_load": "work and fatigue", "clinic_therapists": "therapists one by one",
}  # fmt: skip


def replicates_said(run: Run) -> str:
    """What intervals of a clinic are over."""
    n = run.scenario.replicates
    if n == 1:
        return "With one replicate of the clinic there are no intervals: its clients share therapists and a queue."
    return f"Intervals: 95 %, over {n} replicates of the clinic (t), since its clients share therapists and a queue."


def arms_caption(run: Run) -> str:
    """What the numbers of the table of arms mean."""
    marks = [f"{arm_name(arm)}: {mark}." for arm in treating(run) if (mark := remark_on(run, arm))]
    return " ".join(
        [
            f"{_who_counts(run)} Helped: better by {cm.RELIABLE_CHANGE:g} CORE-OM points or more from arrival to the "
            "end. A therapist-hour is a session held. Waiting is of all who came, as far as they were followed. "
            f"{replicates_said(run)}",
            *marks,
        ]
    )


def _who_counts(run: Run) -> str:
    last = cm.last_beginning(run.scenario)
    return (
        "Alliance (mean of all sessions of a person), dropout, distress and who is helped are of people who began by week "
        f"{last}, early enough to finish in every arm." if last > 0 else
        "Alliance (mean of all sessions of a person), dropout, distress and who is helped are of all who began, many "
        "of whom are still in therapy."
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- captions


def _arms(run: Run, _: Told) -> tuple[str, str]:
    return "Arms side by side", (
        "Dots and bars: mean and interval of each arm. Numbers: difference from "
        f"{arm_name(cm.reference(run.scenario))} (dotted line), taken replicate by replicate, since arms share people "
        "and random draws; so a difference may be certain though bars overlap. Blue squares: its interval excludes 0; with so "
        f"many comparisons one in twenty does by chance. {arms_caption(run)}"
    )


def _flow(run: Run, _: Told) -> tuple[str, str]:
    return "Flow and waiting", (
        "Weekly counts, mean over replicates, each person counted in one place. Lower right: weeks from arrival to "
        "the first course by the quarter in which people came, of those who began; quarters of which fewer than half "
        "have begun are left out. " + replicates_said(run)
    )


def _load(run: Run, _: Told) -> tuple[str, str]:
    return "Work and fatigue", (
        "Means over the therapists in post, and over replicates; sessions as a running mean of five weeks. Fatigue is "
        "a latent number of this model, from 0 to 1: overload, distress carried home and open ruptures add to it, "
        "rest takes away. All of its parameters are assumptions."
    )


def _therapists(run: Run, _: Told) -> tuple[str, str]:
    total = max((len(e.table) for e in _effects(run).values() if e is not None), default=0)
    some = f" {MOST_THERAPISTS} of {total:,} are drawn, those of whom the truth is known." if total > MOST_THERAPISTS else ""
    return "Therapists one by one", (
        f"First replicate of {arm_name(cm.reference(run.scenario))}. Black: what a random-intercept model estimates "
        "from each therapist's own clients, drawn toward the mean, with its 95 % interval. Orange: the same "
        "therapists when each treats the same clients, as they were when they started. Early alliance is that after "
        f"the third session; distress is adjusted for distress at the start.{some} The proportion of the variance between "
        "therapists, and its interval, are over all replicates. No ranking: intervals overlap, and it is the same "
        "therapist who looks best with one group of clients and ordinary with another."
    )


def _trial(run: Run, _: Told) -> tuple[str, str]:
    return "Trials and the truth", (
        f"One row is one trial: one replicate of {arm_name(_trial_arm(run))}, in which some therapists, drawn by lot, "
        "are trained. Black: estimate with an interval that respects that clients are nested in therapists. Orange, "
        "thin: the interval of an analysis that takes clients for independent. Blue: the true effect, the same "
        "clients with everybody less with nobody trained, with its interval over replicates."
    )


def _trial_arm(run: Run) -> str:
    from sim.evidence.trial import trial_arms

    found = trial_arms(run)
    return found[0] if found else ""


def _follow_up(run: Run, _: Told) -> tuple[str, str]:
    table = cm.follow_up(run)
    n = int(table["people"].max()) if len(table) else 0
    return "After therapy", (
        f"Questionnaire means of {n:,} people whose therapy ended so early that they could be asked last; the same "
        "people at each time. Dotted: the same people with common random numbers where nobody is seen, at the monthly "
        "questionnaire nearest to that week. Numbers: "
        "difference, with less without therapy. Scales do not begin at their lowest value. " + replicates_said(run)
    )


def _years(run: Run, _: Told) -> tuple[str, str]:
    return "Therapists over the years", (
        "Left and middle: latent attachment of the therapists in post at the end of each year. Right: mean alliance "
        "of clients who began in that year; the last only if they had time to finish. Bars are drawn side by side. "
        "Arms share therapists and random draws, so "
        "differences are more certain than the bars suggest. " + replicates_said(run)
    )


def _at_risk(run: Run, _: Told) -> tuple[str, str]:
    return "Clients at risk", (
        f"At risk: clients who, in the arm without feedback, rated distress at session {cm.EARLY_SESSION} no lower "
        "than at the first. The same people in every arm, which no real study can have; who stayed so long counts. "
        "Numbers: difference from the first arm with "
        "its interval, replicate by replicate. " + replicates_said(run)
    )


TEXTS: dict[str, Callable[[Run, Told], tuple[str, str]]] = {
    "clinic_arms": _arms, "clinic_flow": _flow, "clinic_load": _load, "clinic_therapists": _therapists, "clinic_trial": _trial,
    "clinic_follow_up": _follow_up, "clinic_years": _years, "clinic_at_risk": _at_risk,
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- what is to be seen


def _effects(run: Run) -> dict[str, Any]:
    return therapist_effects_of(run, cm.reference(run.scenario))


def _seen_arms(run: Run, _: Told) -> str:
    table, parts = cm.rules_compared(run), []
    for measure in panels_compared(run):
        m = CATALOGUE[measure]
        rows = table[(table["measure"] == measure) & table["mean"].notna()].to_dict("records")
        values = "; ".join(f"{r['arm']} {with_interval(r, m.digits)}" for r in rows)
        parts.append(f"{m.title} ({m.unit}): {values}")
    return f"Four panels with a dot and a bar for each arm. {'. '.join(parts)}."


def _seen_flow(run: Run, _: Told) -> str:
    counts, parts = cm.flow(run), []
    if counts.empty:
        return "Four empty panels: nobody came."
    for arm in treating(run) or [a.name for a in run.scenario.arms]:
        mine = counts[counts["arm"] == arm]
        last = mine.iloc[-1]
        parts.append(
            f"{arm}: at most {number(mine['waiting'].max(), 0)} waiting and {number(mine['in_therapy'].max(), 0)} in therapy, "
            f"{number(last['lost_waiting'], 0)} of {number(last['arrivals_total'], 0)} lost while waiting by week "
            f"{int(last['week'])}"
        )
    return f"Lines over weeks. {'; '.join(parts)}."


def _seen_load(run: Run, _: Told) -> str:
    t = run.therapists
    if t.empty:
        return "Three empty panels: there are no therapists."
    last = t[t["week"] > t["week"].max() - 26]
    means = last.assign(arm=last["arm"].astype("str")).groupby("arm")[["caseload", "sessions_held", "fatigue"]].mean()
    parts = [
        f"{arm} {number(means.loc[arm, 'caseload'], 1)} clients, {number(means.loc[arm, 'sessions_held'], 1)} sessions "
        f"a week, fatigue {number(means.loc[arm, 'fatigue'])}"
        for arm in treating(run) if arm in means.index
    ]  # fmt: skip
    return f"Lines over weeks. Means of the last half year, per therapist: {'; '.join(parts)}."


def _seen_therapists(run: Run, _: Told) -> str:
    parts = []
    for outcome, effects in _effects(run).items():
        if effects is None:
            continue
        t = effects.table
        clear = int(((t["low"] > 0) | (t["high"] < 0)).sum())
        said = f"{outcome}: estimates from {number(t['effect'].min())} to {number(t['effect'].max())}, "
        said += f"{clear} of {len(t)} intervals exclude 0"
        known = t["true"].notna()
        inside = (t["true"] >= t["low"]) & (t["true"] <= t["high"])
        parts.append(said + (f", {int(inside[known].sum())} of {int(known.sum())} hold the true value" if known.any() else ""))
    return f"Two panels of therapists in order of their estimates. {'; '.join(parts)}." if parts else "Two empty panels."


def _seen_trial(run: Run, _: Told) -> str:
    from sim.evidence.trial import trial_estimates, true_effects

    estimates, true = trial_estimates(run), true_effects(run)
    parts = []
    for outcome, (title, unit, by) in TRIAL_OUTCOMES.items():
        mine = estimates[estimates["outcome"] == outcome]
        truth = by * true.loc[true["outcome"] == outcome, "effect"].mean()
        each = ", ".join(number(by * x, 2 if by == 1 else 1) for x in mine["estimate"])
        parts.append(f"{title} ({unit}): {each}; true {number(truth, 2 if by == 1 else 1)}")
    return f"A dot with two bars for each trial, in three panels. {'. '.join(parts)}."


def _seen_follow_up(run: Run, _: Told) -> str:
    parts = []
    for (arm, measure), rows in cm.follow_up(run).groupby(["arm", "measure"], sort=False):
        path = ", ".join(f"{r['when']} {number(r['mean'], 1)} and {number(r['untreated'], 1)}" for r in rows.to_dict("records"))
        parts.append(f"{measure} in {arm}, and of the same people unseen: {path}")
    return f"Lines in three panels. {'. '.join(parts)}."


def _seen_years(run: Run, _: Told) -> str:
    table, parts = cm.over_years(run), []
    for (what, arm), rows in table[table["mean"].notna()].groupby(["what", "arm"], sort=False):
        parts.append(f"{what} in {arm}: {number(rows['mean'].iloc[0])} to {number(rows['mean'].iloc[-1])}")
    return f"Lines over years, from first to last. {'; '.join(parts)}."


def _seen_at_risk(run: Run, _: Told) -> str:
    rows = cm.off_track(run)
    rows = rows[rows["difference"].notna()] if len(rows) else rows
    parts = [
        f"{r['group']}, {r['measure'].replace('_', ' ')} in {r['arm']} {signed_interval(_difference(r))}"
        for r in rows.to_dict("records")
    ]
    return f"Dots and bars by group and arm. Differences from the first arm: {'; '.join(parts)}."


def _difference(row: dict[Any, Any]) -> dict[str, float]:
    return {"mean": row["difference"], "low": row["difference_low"], "high": row["difference_high"]}


SEEN: dict[str, Callable[[Run, Told], str]] = {
    "clinic_arms": _seen_arms, "clinic_flow": _seen_flow, "clinic_load": _seen_load, "clinic_therapists": _seen_therapists,
    "clinic_trial": _seen_trial, "clinic_follow_up": _seen_follow_up, "clinic_years": _seen_years,
    "clinic_at_risk": _seen_at_risk,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- tables

Table = dict[str, Any]


def tables(run: Run) -> list[Table]:
    """The tables of a clinic's report: ``id``, ``title``, ``heads``, ``rows`` (a name first) and ``caption`` of each."""
    compared = cm.rules_compared(run)
    found = [_table("arms-values", "Arms", compared, with_interval, arms_caption(run))]
    if len(treating(run)) > 1:
        against = arm_name(cm.reference(run.scenario))
        note = f"Each arm less {against}, replicate by replicate: arms share people and random draws. {replicates_said(run)}"
        apart = compared[compared["difference"].notna()]
        found.append(
            _table(
                "arms-differences",
                f"Differences from {against}",
                apart,
                lambda r, d: signed_interval(_difference(dict(r)), d),
                note,
            )
        )
    return found + _readings(run)


def _table(name: str, title: str, table: pd.DataFrame, write: Callable[[Any, int], str], caption: str) -> Table:
    measures = [m for m in CATALOGUE if (table["measure"] == m).any()]
    rows = {(r["measure"], r["arm"]): r for r in table.to_dict("records")}
    arms = list(dict.fromkeys(table["arm"]))
    cells = [
        [f"{CATALOGUE[m].title} ({CATALOGUE[m].unit})", *(_cell(rows.get((m, a)), CATALOGUE[m].digits, write) for a in arms)]
        for m in measures
    ]
    return {"id": name, "title": title, "heads": ["measure", *arms], "rows": cells, "caption": caption}


def _cell(row: dict[Any, Any] | None, digits: int, write: Callable[[Any, int], str]) -> str:
    return "–" if row is None or np.isnan(row["mean"]) else write(row, digits)


def _readings(run: Run) -> list[Table]:
    """Where arms are readings of a contested finding: what each would mean for a study and for a clinic."""
    from sim.report.words.clinic.answer import is_contested

    if not is_contested(run):
        return []
    compared = {(r["measure"], r["arm"]): r for r in cm.rules_compared(run).to_dict("records")}
    fit = {r["arm"]: r for r in cm.pair_compatibility(run).to_dict("records")}
    heads = ["reading", "being alike with alliance (r)", "between therapists, early alliance (%)", "true (%)",
             "alliance (WAI, 1-7)",
             "dropped out (%)", "distress, arrival to end (CORE-OM points)"]  # fmt: skip
    rows = []
    for arm in treating(run):
        effects = therapist_effects_of(run, arm)["alliance"]
        share = {} if effects is None else {"mean": 100 * effects.share, "low": 100 * effects.low, "high": 100 * effects.high}
        rows.append(
            [arm, with_interval(fit[arm]), with_interval(share, 1) if share else "–",
             "–" if effects is None else number(100 * effects.true_share, 1),
             *(with_interval(compared[m, arm], CATALOGUE[m].digits)
               for m in ("alliance_all_sessions", "dropout", "distress_last_rating"))]
        )  # fmt: skip
    caption = (
        "Being alike: correlation of a course's alliance with the product of both people's attachment (anxiety with "
        "anxiety, avoidance with avoidance, each from its mean), their own effects taken out; above 0 similar, below "
        "0 dissimilar pairs do better. Between therapists: proportion of the differences in the alliance after session "
        "three, as a random-intercept model estimates it, and true (every therapist with the same clients). "
        f"{replicates_said(run)}"
    )
    return [{"id": "readings", "title": "Readings side by side", "heads": heads, "rows": rows, "caption": caption}]
