"""The answer of an experiment that crosses two things, or compares arms two by two: numbers, learning, kinds of people."""

from __future__ import annotations

from typing import Any

from sim import measures
from sim.evidence.claims import effects, factors
from sim.measures.intervals import mean_interval
from sim.report.figures.chosen import asks_for
from sim.report.text import scaled, sentences
from sim.simulation.tables import Run


def _say(about: str, **facts: Any) -> list[str]:
    return sentences("experiments.j2", about, **facts)


def two_numbers(run: Run) -> list[str]:
    """What two things do, each alone and together."""
    arms, untreated = factors.factors(run.scenario), measures.untreated_differences(run)
    rows = {(r["effect"], r["measure"]): r for r in factors.factor_effects(run).to_dict("records")}
    worth = {arm.name: mean_interval(-untreated[arm.name]) for arm in arms.values() if arm.name in untreated}
    return _say("two_numbers", arms={name: arm.name for name, arm in arms.items()}, rows=rows, worth=worth)


def no_learning(run: Run) -> list[str]:
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
