"""Captions of the figures of experiments on the model, and what is to be seen in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.evidence import imaging
from sim.evidence.claims import effects
from sim.report.figures.experiments.effects import pushed_by
from sim.report.figures.experiments.paths import course_of, history_arms, paired_arousal, words_arms
from sim.report.text import excludes_zero, number, ranged, signed, with_interval
from sim.simulation.tables import Run
from sim.theory.regions import CONTAINS, REGIONS, SITES

_EFFECT = "the mean difference from the usual course, same people and random draws, in SD of clients in the usual arm"
_PAIRED = f"{_EFFECT}; square brackets and bars: its 95 % interval over clients"
_NO_SCAN = "The components are named after brain regions: a model index, not a scan."


def _triangle(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    table = effects.triangle(run)
    return "The triangle of empathy, attachment and alliance", (
        "An arrow runs from the corner that was pushed to the one that was free to answer; the third was clamped to its usual "
        f"course. Effect: {_PAIRED}. Solid blue: up; dashed orange: down; dotted grey: the 95 % interval includes 0. Late "
        f"sessions, {_most(table['n'])} clients. Pushes differ in kind, so compare an effect with its push (in brackets, in the "
        "same SD). Empathy is the response as the client perceives it, attachment security with this therapist, alliance its "
        "latent value. The push is made in every session from the first on."
    )


def _most(counts: Any) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _lesion_table(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    return "One region at a time", (
        f"Rows: what was removed, and whose. Columns: what changed. Number: {_EFFECT}; bold where its 95 % "
        "interval excludes 0, which with so many pairs of courses it does for small effects too. The sign says more or less, "
        "not better or worse. Indented rows are parts of the row above them. Own: the region's own activity, which says "
        "nothing. Late sessions; repair: proportion of ruptures repaired, of clients who had any in both arms. Where a region "
        f"stands in the equation of a process its effect was coded in (framed); further away it emerges. {_NO_SCAN}"
    )


def _eeg_sites(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    under = "; ".join(f"{site}: {what}" for site, what in SITES.items())
    prefrontal = ", ".join(name for name, region in REGIONS.items() if region.site == "prefrontal")
    return "Sites of a simulated EEG and the alliance", (
        f"Correlation of a site's signal with the client's WAI rating, with 95 % intervals; left between clients, right from "
        f"session to session in one client (mean over clients with {imaging.LEAST_SESSIONS} sessions or more). What each site "
        f"sees, beside electrode noise: {under} (prefrontal components: {prefrontal}). No signal is written from the alliance; "
        "that the temporal site shows nothing is so by construction. Clients who share a therapist are counted as independent."
    )


def _affect_labelling(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    followed = run.exchanges.drop_duplicates(["replicate", "client"]).shape[0]
    return "Putting feelings into words", (
        f"Left and middle: mean over all sessions of {followed} clients followed exchange by exchange; bands: 95 % interval over "
        "clients. The arms hold the same clients, so bands that overlap say little; the paired differences are written in. "
        "Right: mean activity of single clients in late sessions (a sample), large marks: means of all, with intervals. Across "
        f"clients the two go together for other reasons too; only the arms show what the region does. {_NO_SCAN}"
    )


def _learned_strategies(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    return "What a history of care teaches", (
        "The therapist's response is fixed by the experimenter. Left: the path of the mean client's attachment to the "
        "therapist, from the first session (open mark) to the last (large mark), a mark every ten sessions; small marks: "
        "where single clients end (a sample). The names are only names for quarters of a continuous plane. Right: means of each "
        "session. That steady coldness teaches avoidance and erratic care anxiety is our reading of the review, after "
        "Ainsworth, and an assumption of the model."
    )


def _interaction(run: Run, _: dict[str, Any]) -> tuple[str, str]:
    (c, t), *_rest = effects.crossing(run.scenario)
    return "Two people together: the statistical interaction", (
        f"For each pair: (this client with this therapist) less (this client, {t} therapist) less ({c} client, this therapist) "
        f"plus ({c} client, {t} therapist). 0: what each of them does adds up. Left in late alliance, right in the "
        "proportion who drop out; dots and bars: mean and 95 % interval. The difference between two therapists is taken client "
        "by client, that between kinds of client between groups of clients. Blue: more, orange: less than the sum; grey: the "
        "interval includes 0."
    )


TEXTS: dict[str, Callable[[Run, dict[str, Any]], tuple[str, str]]] = {
    "triangle": _triangle,
    "lesion_table": _lesion_table,
    "eeg_sites": _eeg_sites,
    "affect_labelling": _affect_labelling,
    "learned_strategies": _learned_strategies,
    "interaction": _interaction,
}


# ------------------------------------------------------------------------------------------------ what is to be seen


def _seen_triangle(run: Run, _: dict[str, Any]) -> str:
    rows = effects.triangle(run).to_dict("records")
    arrows = "; ".join(f"{r['pushed']} to {r['free']} {signed(r['effect'])} {ranged(r)} after {pushed_by(r)}" for r in rows)
    return f"A triangle with {len(rows)} arrows, and the same effects as dots with intervals, in SD of clients: {arrows}."


def _seen_lesion_table(run: Run, _: dict[str, Any]) -> str:
    table = effects.lesion_effects(run)
    parts = []
    for process in effects.PROCESSES:
        rows = table[table["process"] == process].to_dict("records")
        row = max(rows, key=lambda r: abs(r["effect"]) if not r["own"] else 0.0)
        parts.append(f"{process} {signed(row['effect'])} without the {row['role']}'s {row['region'].replace('_', ' ')}")
    certain = sum(excludes_zero(row) for row in table.to_dict("records"))
    wholes = " and ".join(name.replace("_", " ") for name in CONTAINS)
    return (
        f"A table of {table['arm'].nunique()} removals by {table['process'].nunique()} processes, {wholes} above their parts; "
        f"{certain} of {int((~table['own']).sum())} effects exclude 0. Largest in each column (SD): {'; '.join(parts)}."
    )


def _seen_eeg_sites(run: Run, _: dict[str, Any]) -> str:
    table = imaging.site_alliance(run)
    both = table[(table["role"] == "both") & (table["arm"] == table["arm"].iloc[0])]
    said = "; ".join(f"{r['site']} {signed(r['r'])} [{number(r['low'])}, {number(r['high'])}]" for r in both.to_dict("records"))
    return f"Dots with intervals at four sites. Correlation between clients, mean of both people's signals: {said}."


def _seen_affect_labelling(run: Run, _: dict[str, Any]) -> str:
    arms = words_arms(run)
    means = {
        name: run.exchanges.groupby("arm", observed=True)[f"client_{name}"].mean().to_dict() for name in ("labelling", "arousal")
    }
    said = "; ".join(
        f"{arm.name}: labelling {number(means['labelling'][arm.name])}, arousal {number(means['arousal'][arm.name])}"
        + (f" ({paired_arousal(run, arms[0].name, arm.name)})" if k else "")
        for k, arm in enumerate(arms)
    )
    return f"Lines over the exchanges of a session, and single clients as dots. Means: {said}."


def _seen_learned_strategies(run: Run, _: dict[str, Any]) -> str:
    said = []
    for arm in history_arms(run):
        line = course_of(run, arm.name)
        first, last = line.iloc[0], line.iloc[-1]
        said.append(
            f"{arm.name}: anxiety {number(first.iloc[0], 1)} to {number(last.iloc[0], 1)}, avoidance "
            f"{number(first.iloc[1], 1)} to {number(last.iloc[1], 1)}, bids {number(first['bids'])} to {number(last['bids'])}, "
            "expression less arousal "
            f"{number(first['shown_less_felt'])} to {number(last['shown_less_felt'])}"
        )
    return f"Paths on the plane of anxiety and avoidance (ECR 1-7), from first to last session. {'; '.join(said)}."


def _seen_interaction(run: Run, _: dict[str, Any]) -> str:
    table = effects.interaction(run)
    parts = []
    for measure, unit, scale in (("alliance", "WAI points", 1.0), ("dropout", "percentage points", 100.0)):
        rows = table[table["measure"] == measure].to_dict("records")
        digits = 2 if scale == 1.0 else 1
        values = "; ".join(
            f"{'all pairs' if r['client'] == effects.EVERY else r['client'] + ' with ' + r['therapist']} "
            + with_interval({name: scale * r[name] for name in ("mean", "low", "high")}, digits)
            for r in rows
        )
        parts.append(f"{measure} ({unit}): {values}")
    return f"Dots with intervals for each pair: the statistical interaction. {'. '.join(parts)}."


SEEN: dict[str, Callable[[Run, dict[str, Any]], str]] = {
    "triangle": _seen_triangle,
    "lesion_table": _seen_lesion_table,
    "eeg_sites": _seen_eeg_sites,
    "affect_labelling": _seen_affect_labelling,
    "learned_strategies": _seen_learned_strategies,
    "interaction": _seen_interaction,
}
