"""The answer of an experiment on the model: what it was made for, first, in sentences made from the numbers of its figure.

Which sentences a run has is decided as its figures are (``report/figures/chosen.py``), or by what its arms differ in; they stand
in ``templates/experiments.j2``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from sim import measures
from sim.evidence.claims import effects, factors
from sim.measures.contrasts import exchange_change, least_correlation, of_a_history
from sim.measures.intervals import mean_interval
from sim.report.figures.chosen import asks_for
from sim.report.figures.experiments.effects import lesions, sites_of_both
from sim.report.figures.experiments.paths import history_arms, words_arms
from sim.report.text import Row, excludes_zero, scaled, sentences
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


_say = partial(sentences, "experiments.j2")


def told(run: Run) -> list[str]:
    """The sentences with which the answer of an experiment begins; none where nothing but courses of therapy is compared."""
    return next((tell(run) for asked, tell in _EXPERIMENTS if asked(run)), [])


def pushed(run: Run) -> bool:
    """Whether arms are pushed by definition, so that a higher alliance in one of them says nothing by itself."""
    return asks_for(run, "triangle") or asks_for(run, "learned_strategies")


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
    table, said = effects.lesion_effects(run), []
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
        said.append({**rows[0], "others": _regions(others), "shown": shown})
    intact = effects.undone(run)
    return _say("few_lesions", lesions=said, intact=intact.name if intact else "", little=LITTLE)


def _words(run: Run) -> list[str]:
    intact, *_, arm = words_arms(run)
    labelling, arousal = (exchange_change(run, arm.name, intact.name, f"client_{name}") for name in ("labelling", "arousal"))
    table, alliance = effects.lesion_effects(run), measures.by_arm(run, "alliance")
    rows = {row["process"]: row for row in table[table["arm"] == arm.name].to_dict("records")}
    distress = measures.by_arm(run, "distress_change")
    return _say(
        "labelling", arm=arm.name, intact=intact.name, labelling=labelling, arousal=arousal,
        learned=rows.get("client's regulation"), month=measures.comparison_month(run, arm.name),
        wai=mean_interval(alliance[arm.name] - alliance[intact.name]),
        distress=mean_interval(distress[arm.name] - distress[intact.name]),
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
    shown = [r for r in both if excludes_zero(r, "r")]
    along, against = ([r["site"] for r in shown if (r["r"] > 0) is up] for up in (True, False))
    missed = [r["site"] for r in both if r not in shown]
    inside = [r for r in both if excludes_zero(r, "within")]
    return _say(
        "sites", both=both, along=along, against=against, missed=missed, inside=inside, n=max(int(r["n"]) for r in both),
        study=SMALL_STUDY, least=least_correlation(SMALL_STUDY),
    )  # fmt: skip


def _two_numbers(run: Run) -> list[str]:
    """What two things do, each alone and together."""
    arms, untreated = factors.factors(run.scenario), measures.untreated_differences(run)
    rows = {(r["effect"], r["measure"]): r for r in factors.factor_effects(run).to_dict("records")}
    worth = {arm.name: mean_interval(-untreated[arm.name]) for arm in arms.values() if arm.name in untreated}
    return _say("two_numbers", arms={name: arm.name for name, arm in arms.items()}, rows=rows, worth=worth)


def _no_learning(run: Run) -> list[str]:
    """What is left of therapy where nobody can learn."""
    untreated, found = measures.untreated_differences(run), []
    pairs = factors.without_learning(run.scenario)
    for arm, off in pairs:
        moved, learned = (mean_interval(factors.insecurity_change(run, a.name)) for a in (off, arm))
        one: dict[str, Any] = {"off": off.name, "moved": moved, "learned": learned, "ends": None, "left": None}
        if arm.name in untreated and off.name in untreated:
            one["ends"] = [mean_interval(-untreated[a.name]) for a in (off, arm)]
            share = one["ends"][0]["mean"] / one["ends"][1]["mean"]
            one["left"] = share if one["ends"][1]["low"] > 0 and share > 0 else None
        found.append(one)
    twin = measures.untreated_arm(run.scenario, pairs[0][0].name)
    alone = mean_interval(factors.insecurity_change(run, twin)) if twin is not None else None
    return _say("no_learning", pairs=found, alone=alone)


def asks_together(run: Run) -> bool:
    """Whether the scenario asks for what two people do together beyond what each of them does (their statistical interaction),
    and its arms can say."""
    return run.scenario.report == "interaction" and asks_for(run, "interaction")


def together(run: Run) -> list[str]:
    """The interaction of both people's kinds; nothing where the scenario does not cross them."""
    table = effects.interaction(run)
    if table.empty:
        return []
    (client, therapist), *_ = effects.crossing(run.scenario)
    rows: dict[str, list[dict[str, Any]]] = {"alliance": [], "dropout": []}
    for r in table.to_dict("records"):
        by = 100 if r["measure"] == "dropout" else 1
        rows[r["measure"]].append({"client": r["client"], "therapist": r["therapist"], **scaled(r, by)})
    whole = {name: part[-1] for name, part in rows.items()}  # all pairs together, or the only one
    pairs = {name: [r for r in part if r["client"] != effects.EVERY] for name, part in rows.items()}
    kinds = {"client": client, "therapist": therapist}
    return _say("together", kinds=kinds, whole=whole, pairs=pairs, asked=asks_together(run))


_EXPERIMENTS: tuple[tuple[Callable[[Run], bool], Callable[[Run], list[str]]], ...] = (
    (lambda run: asks_for(run, "triangle"), _triangle),
    (lambda run: asks_for(run, "lesion_table"), _lesion_table),
    (lambda run: asks_for(run, "affect_labelling"), _words),
    (lambda run: asks_for(run, "learned_strategies"), _histories),
    (lambda run: asks_for(run, "eeg_sites"), _sites),
    (lambda run: 0 < lesions(run) <= FEW_LESIONS, _few_lesions),
    (lambda run: bool(factors.factors(run.scenario)), _two_numbers),
    (lambda run: bool(factors.without_learning(run.scenario)), _no_learning),
)
