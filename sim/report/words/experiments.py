"""The answer of an experiment on the model: what it was made for, first, in sentences made from the numbers of its figure.

Which sentences a run has is decided as its figures are (``report/figures/chosen.py``), or by what its arms differ in; they stand
in ``templates/experiments.j2``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from sim import measures
from sim.evidence.claims import effects, factors
from sim.measures.contrasts import exchange_change, least_correlation, of_a_history
from sim.measures.intervals import mean_interval
from sim.report.figures.chosen import asks_for
from sim.report.figures.experiments.effects import sites_of_both
from sim.report.figures.experiments.paths import history_arms, words_arms
from sim.report.text import Row, excludes_zero, sentences
from sim.report.words.pairs import no_learning, two_numbers
from sim.simulation.tables import Run
from sim.theory.regions import CONTAINS, REGIONS
from sim.theory.styles import STYLE_CUT, style_name

#: Fewer lesions than make a table, but some.
FEW_LESIONS = 3
#: Effects of lesions that are named for each person, and the effect (SD) below which a region counts as little changed.
MOST_NAMED, LITTLE = 3, 0.5
#: Clients of a study as they are done.
SMALL_STUDY = 40
#: Processes inside sessions, of which a table of lesions names those that move most for each person.
SUFFER = ("accuracy", "attunement", "response", "client's arousal", "therapist's arousal", "client's regulation",
          "therapist's regulation", "repair")  # fmt: skip


def _say(about: str, **facts: Any) -> list[str]:
    return sentences("experiments.j2", about, **facts)


def told(run: Run) -> list[str]:
    """The sentences with which the answer of an experiment begins; none where nothing but courses of therapy is compared."""
    return next((tell(run) for asked, tell in _EXPERIMENTS if asked(run)), [])


def pushed(run: Run) -> bool:
    """Whether arms are pushed by definition, so that a higher alliance in one of them says nothing by itself."""
    return asks_for(run, "triangle") or asks_for(run, "learned_strategies")


# ------------------------------------------------------------------------------------------------------ one by one


def _triangle(run: Run) -> list[str]:
    table = effects.triangle(run)
    if table["effect"].isna().any():  # with one client there is no SD
        return []
    pushes = [part.to_dict("records") for _, part in table.groupby("pushed", sort=False)]
    ordered = sorted(table.to_dict("records"), key=lambda row: abs(row["effect"] / row["push_sd"]))
    return _say("triangle", pushes=pushes, least=ordered[0], most=ordered[-1])


def _regions(rows: Sequence[Row]) -> list[dict[Any, Any]]:
    """Rows with the region as it is called in a sentence."""
    titles = {name: region.title for name, region in REGIONS.items()}
    return [{**row, "title": titles.get(row["region"], f"{row['region'].replace('_', ' ')} cortex")} for row in rows]


def _lesion_table(run: Run) -> list[str]:
    table = effects.lesion_effects(run)
    single = table[~table["region"].isin(list(CONTAINS)) & ~table["own"]]
    if single["effect"].isna().all():  # with one client there is no SD
        return []
    roles = single.groupby("role")["effect"].apply(lambda e: e.abs().max()).sort_values(ascending=False).index
    inside = single[single["process"].isin(SUFFER)]
    worst = {role: _regions(_worst(inside[inside["role"] == role])) for role in roles}
    lasting = [row for process in ("alliance", "distress") for row in _worst(single[single["process"] == process])[:1]]
    return _say("lesion_table", worst=worst, lasting=_regions(lasting))


def _worst(table: pd.DataFrame) -> list[Row]:
    """The largest effects, each of another region on another process."""
    found: list[Row] = []
    rows = table.dropna(subset=["effect"]).to_dict("records")
    for row in sorted(rows, key=lambda r: -abs(r["effect"])):
        if all(row["region"] != r["region"] and row["process"] != r["process"] for r in found):
            found.append(row)
    return found[:MOST_NAMED]


def _few_lesions(run: Run) -> list[str]:
    """One sentence for each lesion: what it does in the other regions lesioned here, to accuracy, response and alliance."""
    table, lesions = effects.lesion_effects(run), []
    if table["effect"].isna().all():
        return []
    own = dict.fromkeys(zip(table["role"], table["region"], strict=True))
    whole = table[table["left"] == 0] if (table["left"] == 0).any() else table
    for arm in run.scenario.arms:
        rows = _regions(whole[whole["arm"] == arm.name].to_dict("records"))
        if not rows:
            continue
        role, region = rows[0]["role"], rows[0]["region"]
        others = [
            {**found, "region": r}
            for of, r in own
            if of == role and r != region and (found := effects.removed_effect(run, arm, of, r)) is not None
        ]
        by = {row["process"]: row for row in rows}
        shown = [by[process] for process in ("accuracy", "response", "alliance") if not by[process]["own"]]
        lesions.append({**rows[0], "others": _regions(others), "shown": shown})
    intact = effects.undone(run)
    return _say("few_lesions", lesions=lesions, intact=intact.name if intact else "", little=LITTLE)


def _words(run: Run) -> list[str]:
    intact, *_, arm = words_arms(run)
    labelling, arousal = (exchange_change(run, arm.name, intact.name, f"client_{name}") for name in ("labelling", "arousal"))
    table, alliance = effects.lesion_effects(run), measures.late_alliance(run)
    rows = {row["process"]: row for row in table[table["arm"] == arm.name].to_dict("records")}
    return _say(
        "labelling", arm=arm.name, intact=intact.name, labelling=labelling, arousal=arousal,
        learned=rows.get("client's regulation"), month=measures.comparison_month(run, arm.name),
        wai=mean_interval(alliance[arm.name] - alliance[intact.name]),
        distress=mean_interval(measures.assessed_change(run, arm.name) - measures.assessed_change(run, intact.name)),
    )  # fmt: skip


def _histories(run: Run) -> list[str]:
    there = set(run.sessions["arm"])
    found = {arm.name: of_a_history(run, arm.name) for arm in history_arms(run) if arm.name in there}
    styles = {arm: style_name(ends["anxiety"]["mean"], ends["avoidance"]["mean"]) for arm, ends in found.items()}
    first = run.sessions[run.sessions["session"] == 1]
    return _say(
        "histories", found=found, styles=styles, cut=STYLE_CUT, sessions=int(run.sessions["session"].max()),
        start=[first[f"{name}_to_therapist_latent"].mean() for name in ("anxiety", "avoidance")],
        calls=max(found, key=lambda arm: found[arm]["bids"]["mean"]),
        hides=min(found, key=lambda arm: found[arm]["shown"]["mean"]),
    )  # fmt: skip


def _sites(run: Run) -> list[str]:
    both = sites_of_both(run)
    found, missed = ([r["site"] for r in both if excludes_zero(r, "r") is yes] for yes in (True, False))
    inside = [r for r in both if excludes_zero(r, "within")]
    lower = any(r["r"] < 0 for r in both if excludes_zero(r, "r"))
    return _say(
        "sites", both=both, found=found, missed=missed, inside=inside, lower=lower, n=max(int(r["n"]) for r in both),
        study=SMALL_STUDY, least=least_correlation(SMALL_STUDY),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ when


def _has_few_lesions(run: Run) -> bool:
    lesions = [arm for arm in run.scenario.arms if effects.lesioned_region(arm) is not None]
    return 0 < len(lesions) <= FEW_LESIONS and not effects.lesion_effects(run).empty


_EXPERIMENTS: tuple[tuple[Callable[[Run], bool], Callable[[Run], list[str]]], ...] = (
    (lambda run: asks_for(run, "triangle"), _triangle),
    (lambda run: asks_for(run, "lesion_table"), _lesion_table),
    (lambda run: asks_for(run, "affect_labelling"), _words),
    (lambda run: asks_for(run, "learned_strategies"), _histories),
    (lambda run: asks_for(run, "eeg_sites"), _sites),
    (_has_few_lesions, _few_lesions),
    (lambda run: bool(factors.factors(run.scenario)), two_numbers),
    (lambda run: bool(factors.without_learning(run.scenario)), no_learning),
)
