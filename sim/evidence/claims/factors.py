"""Numbers of the model as factors of an experiment: two of them crossed, and learning switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sim.evidence.claims.effects import late_means
from sim.measures.intervals import mean_interval
from sim.measures.outcomes import by_arm
from sim.scenario.arms import differ_only_in

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm, Scenario
    from sim.simulation.tables import Run


def factors(scenario: Scenario) -> dict[str, Arm]:
    """The four arms that cross two numbers, low and high, and differ in nothing else; empty where there are no such four.

    By name: ``neither`` (both low), ``first``, ``second`` (one of them high), ``both``.
    """
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    names = dict.fromkeys(name for arm in treated for name in arm.parameters)
    for first, second in ((a, b) for a in names for b in names if a < b):
        mine = [arm for arm in treated if first in arm.parameters and second in arm.parameters]
        levels = [sorted({arm.parameters[name] for arm in mine}) for name in (first, second)]
        if len(mine) != 4 or [len(level) for level in levels] != [2, 2]:
            continue
        if not all(differ_only_in(arm, mine[0], first, second) for arm in mine):
            continue
        found = {(levels[0].index(arm.parameters[first]), levels[1].index(arm.parameters[second])): arm for arm in mine}
        if len(found) == 4:
            return {"neither": found[0, 0], "first": found[1, 0], "second": found[0, 1], "both": found[1, 1]}
    return {}


def factor_effects(run: Run) -> pd.DataFrame:
    """What each of two numbers does alone, and both together (their statistical interaction): accuracy (r), alliance (WAI),
    distress (CORE-OM).

    One row per ``effect`` (first, second, beyond) and ``measure``; paired, with 95 % interval over clients.
    """
    found, rows = factors(run.scenario), []
    accuracy = {arm.name: late_means(run, arm, ("tracking_accuracy",)) for arm in found.values()}
    outcomes = {"accuracy": accuracy, "alliance": by_arm(run, "alliance"), "distress": by_arm(run, "distress_change")}
    for measure, values in outcomes.items() if found else ():
        value = {name: values[arm.name] for name, arm in found.items()}
        alone = {name: value[name] - value["neither"] for name in ("first", "second", "both")}
        effects = {"first": alone["first"], "second": alone["second"], "beyond": alone["both"] - alone["first"] - alone["second"]}
        rows += [{"effect": name, "measure": measure, **mean_interval(effect)} for name, effect in effects.items()]
    return pd.DataFrame(rows, columns=["effect", "measure", "mean", "low", "high", "sd", "n"])


def without_learning(scenario: Scenario) -> list[tuple[Arm, Arm]]:
    """Pairs of arms that differ in plasticity alone: people can learn in the first, and cannot in the second."""
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    fixed = [arm for arm in treated if arm.parameters.get("plasticity") == 0.0]
    return [(arm, off) for off in fixed for arm in treated if arm not in fixed and differ_only_in(arm, off, "plasticity")]


def insecurity_change(run: Run, arm: str) -> pd.Series:
    """Each client's change in insecurity of attachment (mean of latent anxiety and avoidance, ECR points) over the run."""
    mine = run.clients[run.clients["arm"] == arm].set_index(["replicate", "client"])
    ends = [mine[[f"client_{name}_{when}_latent" for name in ("anxiety", "avoidance")]].mean(axis=1) for when in ("end", "0")]
    return ends[0] - ends[1]
