"""What stands under the figures and the table of a report, and in place of the figures for those who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sim import measures
from sim.report.drawing import panels
from sim.report.figures import uncertainty as plots_ensemble
from sim.report.figures.courses import colour_range, months_shown
from sim.report.figures.session import events, traced_session
from sim.report.text import number
from sim.report.words import effects as captions_claims
from sim.report.words.clinic import captions as captions_clinic
from sim.simulation.tables import Run

LATE = (
    "Late alliance is a client's mean WAI rating over the last third of the sessions that this client came to, "
    "so early leavers count too."
)


def counted(run: Run) -> str:
    """How many courses, people and sessions the run holds."""
    c = run.clients
    if run.scenario.design == "clinic":
        came, held = len(c.drop_duplicates(["arm", "replicate", "client"])), int(c["sessions_attended"].sum())
        return f"{came:,} simulated arrivals in all arms, {int(c['course'].notna().sum()):,} courses, {held:,} sessions"
    people = c.drop_duplicates(["replicate", "client"]) if run.scenario.design == "crossed" else c
    told = f"{len(c):,} simulated courses"
    if len(people) < len(c):
        told += f" of {len(people):,} simulated clients"
    return f"{told}, {len(run.sessions):,} sessions"


def table_caption(run: Run) -> str:
    """What the numbers of the pairings table mean; of a clinic, of the table of arms."""
    if run.scenario.design == "clinic":
        return captions_clinic.arms_caption(run)
    text = (
        f"{LATE} Square brackets: 95 % interval of the mean over simulated clients. Overlap: the proportion that "
        "the distribution of "
        "clients has in common with that of the reference, which is "
    )
    text += (
        "the same clients with a secure therapist (or with the first kind, if none is secure)."
        if run.scenario.design == "crossed"
        else "the first arm with therapy."
    )
    if measures.untreated_differences(run):
        text += (
            " Difference from no treatment: change by the planned end of therapy, less the change of the same people without "
            "therapy (negative = helps)."
        )
    if run.scenario.clients_per_therapist > 1:
        text += " Clients who share a therapist are counted as independent, so intervals are somewhat too narrow."
    return text


def _band(run: Run) -> str:
    lines = max((len(lines) for _, lines in panels(run, therapy_only=True)[0]), default=0)
    return (
        "the grey band holds the middle half of people, all lines of a panel together"
        if lines > 2
        else "each band holds the middle half of that line's people"
    )


def caption(run: Run, name: str, told: dict[str, Any]) -> tuple[str, str]:
    """Title and caption of a figure."""
    title, text = _TEXTS[name](run, told)
    return title, f"{text} Scenario {run.scenario.name}, seed {run.seed}; {counted(run)}. Synthetic data."


#: How the usual figures are called where they are not shown.
TITLES = {
    "alliance_by_pairing": "alliance by arm or pairing",
    "pairing_differences": "the same clients in another arm",
    "alliance_curves": "alliance from session to session",
    "still_attending": "who is still attending",
    "distress_course": "distress month by month",
    "attachment_plane": "attachment of both people",
    **captions_clinic.CLINIC_TITLES,
}


def _pairing(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    if run.scenario.design == "crossed":
        low, high = colour_range(run)
        return "Alliance in each pairing", (
            f"{LATE} Each cell: mean, 95 % interval of the mean, SD between single clients, and overlap with the "
            "same clients' ratings with the "
            f"reference therapist. Colours span {low:g} to {high:g}, where 95 of 100 single clients lie, so that "
            "shades of colour "
            "compare differences between pairings with differences between people."
        )
    return "Alliance in each arm", (
        f"{LATE} Dot and line: mean with its 95 % interval. Grey bars: the middle 50 % (broad) and 95 % (narrow) of "
        "single simulated clients."
    )


def _differences(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    return "The same clients with another therapist or in another arm", (
        f"{LATE} Black: mean difference for the same simulated people, with its 95 % interval. Blue: the "
        "interval had they been different people. "
        "Grey: where the difference between two single clients lies, one drawn at random from each group, in 95 of 100 draws. "
        "A difference that is certain on average can still say next to nothing about one person."
    )


def _curves(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    if run.scenario.design == "clinic":
        return "Alliance from session to session", (
            f"Mean client-rated WAI after each session of a course, on its whole scale; {_band(run)}. Late sessions include "
            f"only those still "
            "attending: part of a rise can be that the dissatisfied have left. After a hand-over a new course begins."
        )
    return "Alliance from session to session", (
        f"Mean client-rated WAI after each session, on its whole scale; {_band(run)}. Late sessions include "
        "only those still attending: "
        "part of a rise can be that the dissatisfied have left."
    )


def _attending(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    return "Who is still attending", (
        "Above: proportion of all who began that comes to each session. Below: proportion that has left after it, by "
        "dropping out (thick) or by ending "
        "early because of improvement (thin)."
    )


def _distress(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    untreated = any(arm.therapist is None for arm in run.scenario.arms)
    last = (
        "The arm without therapy shows what happens in any case."
        if untreated
        else "There is no untreated arm: part of this fall would have come without therapy."
    )
    if run.scenario.design == "clinic":
        return "Distress after arrival", (
            f"Mean CORE-OM of everybody who came, in whatever state, by month since arrival, on its whole scale; "
            f"{_band(run)}. A month is "
            f"four weeks; the last shown is one in which half of all were asked: later ones are of early comers only. {last}"
        )
    return "Distress month by month", (
        f"Mean CORE-OM of everybody, also of those who have left therapy, on its whole scale; {_band(run)}. A "
        f"month is four weeks. {last}"
    )


def _plane(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    return "Attachment of both people", (
        "Left: latent anxiety and avoidance at the start; small marks are single people (a sample), large "
        "ones group means. The names are only "
        "names for quarters of a continuous plane. Right: how far each group's mean moves by the end, "
        "magnified, with 95 % intervals. "
        "Life goes on during therapy and moves people too; groups chosen for being extreme move back toward "
        "the middle in any case."
    )


def _session(run: Run, told: dict[str, Any]) -> tuple[str, str]:
    why = "chosen because a rupture happens in it" if told.get("rupture") else "the first session"
    return "One session from the inside", (
        f"Session {told.get('session', 1)} of one simulated pair, {why}. Upright lines: a rupture (solid) and "
        "a repair (dotted). Below: activity "
        "of the model's components, which are named after brain regions: a model index, not a scan. One pair "
        "shows how the model works, not what is typical."
    )


_TEXTS = {
    "alliance_by_pairing": _pairing,
    "pairing_differences": _differences,
    "alliance_curves": _curves,
    "still_attending": _attending,
    "distress_course": _distress,
    "attachment_plane": _plane,
    "one_session": _session,
    "two_uncertainties": plots_ensemble.caption,
    **captions_claims.TEXTS,
    **captions_clinic.TEXTS,
}


# ------------------------------------------------------------------------------------------------ what is to be seen


def seen(run: Run, name: str, told: dict[str, Any]) -> str:
    """What a figure shows, with its key numbers, for those who cannot see it."""
    return _SEEN[name](run, told)


def _extremes(values: Mapping[str, float], digits: int = 2) -> str:
    """Lowest to highest, with their names; one value alone where there is one."""
    known = {k: v for k, v in values.items() if not np.isnan(v)}
    if not known:
        return "nothing, since there are no values"
    low, high = min(known, key=lambda k: known[k]), max(known, key=lambda k: known[k])
    if len(known) == 1:
        return f"{number(known[low], digits)} ({low})"
    if number(known[low], digits) == number(known[high], digits):
        return f"{number(known[low], digits)} in each"
    return f"{number(known[low], digits)} ({low}) to {number(known[high], digits)} ({high})"


def _seen_pairing(run: Run, _: dict[str, Any]) -> str:
    table = measures.pairings(run).dropna(subset=["wai"])
    crossed = run.scenario.design == "crossed"
    kind = "Heat map of clients (rows) by therapists (columns)" if crossed else "A dot and line for each arm"
    means = "; ".join(
        f"{r['arm']} {number(r['wai'])} [{number(r['wai_low'])}, {number(r['wai_high'])}]" for r in table.to_dict("records")
    )
    return f"{kind}. Mean late alliance with its 95 % interval: {means}."


def _seen_differences(run: Run, _: dict[str, Any]) -> str:
    table = measures.paired_differences(run)
    means = _extremes(dict(zip(table["arm"], table["mean"], strict=True)))
    across = int(((table["low"] <= 0) & (table["high"] >= 0)).sum())
    return (
        f"Differences in late alliance for the same people ({len(table)}): {means} WAI points; {across} intervals reach "
        "across zero. Differences between two single clients spread over "
        f"{number(table['single_low'].min(), 1)} to {number(table['single_high'].max(), 1)} points."
    )


def _by_arm(table: pd.DataFrame, by: str, at: int, value: str) -> dict[str, float]:
    """Mean of a value at one time in each arm."""
    return {str(arm): float(v) for arm, v in table[table[by] == at].groupby("arm", observed=True)[value].mean().items()}


def _seen_curves(run: Run, _: dict[str, Any]) -> str:
    last = int(run.sessions["session"].max())
    first, end = (_extremes(_by_arm(run.sessions, "session", session, "wai_client")) for session in (1, last))
    return f"A line for each arm. Mean alliance in session 1: {first}; in session {last}, among those still attending: {end}."


def _seen_attending(run: Run, _: dict[str, Any]) -> str:
    table = measures.pairings(run)
    shares = {name: {r["arm"]: 100 * r[name] for r in table.to_dict("records")} for name in ("dropout", "improved")}
    return (
        f"Falling lines of attendance above, rising lines of leaving below. By the end the percentage that has dropped out is "
        f"{_extremes(shares['dropout'], 0)}; that has ended early as improved, {_extremes(shares['improved'], 0)}."
    )


def _seen_distress(run: Run, _: dict[str, Any]) -> str:
    last = months_shown(run) if len(run.assessments) else 0
    ends = [_extremes(_by_arm(run.assessments, "month", month, "distress"), 1) for month in (0, last)]
    return f"A line for each arm. Mean distress (CORE-OM) at intake: {ends[0]}; in month {last}: {ends[1]}."


def _seen_plane(run: Run, _: dict[str, Any]) -> str:
    table = measures.attachment_change(run)
    if table.empty:
        return "An empty plane of anxiety and avoidance."
    moves = [
        f"{name} of {role}s changes by {_extremes(dict(zip(part['group'], part[f'{name}_change'], strict=True)))}"
        for role, part in table.groupby("role", sort=False)
        for name in ("anxiety", "avoidance")
    ]
    return f"Points on the plane of anxiety and avoidance, and arrows from start to end. In ECR points {'; '.join(moves)}."


def _seen_session(run: Run, told: dict[str, Any]) -> str:
    rows = traced_session(run, session=told.get("session", 1))
    marks = "; ".join(f"{what} in exchange {exchange}" for exchange, what in events(rows)) or "no rupture"
    lines = [
        f"{label} {number(float(rows[name].iloc[0]))} to {number(float(rows[name].iloc[-1]))}"
        for label, name in (
            ("the client's arousal", "client_arousal"),
            ("the therapist's reading of it", "therapist_estimate"),
            ("the response as the client perceives it", "client_perceived"),
        )
    ]
    return f"Lines over {len(rows)} exchanges, from first to last: {', '.join(lines)}. Marked: {marks}."


_SEEN = {
    "alliance_by_pairing": _seen_pairing,
    "pairing_differences": _seen_differences,
    "alliance_curves": _seen_curves,
    "still_attending": _seen_attending,
    "distress_course": _seen_distress,
    "attachment_plane": _seen_plane,
    "one_session": _seen_session,
    "two_uncertainties": plots_ensemble.seen,
    **captions_claims.SEEN,
    **captions_clinic.SEEN,
}
