"""The arms of a scenario: who is in each, which others each is compared with, and in what two of them differ."""

from __future__ import annotations

import pandas as pd

from sim.errors import ScenarioError
from sim.naming import nearest
from sim.scenario.scenario import Arm, Scenario


def arms(scenario: Scenario) -> pd.DataFrame:
    """One row per arm: its name, the kind of client and of therapist in it (therapist "none" = no therapy).

    >>> sim.measures.arms(usual).values.tolist()[-1]
    ['no therapy', 'population', 'none']
    """
    if scenario.design == "crossed":
        kinds = [(client, therapist) for client in scenario.spec["client"] for therapist in scenario.spec["therapist"]]
    else:
        kinds = [(arm.client.label, arm.therapist.label if arm.therapist is not None else "none") for arm in scenario.arms]
    return pd.DataFrame(
        [(arm.name, *kind) for arm, kind in zip(scenario.arms, kinds, strict=True)], columns=["arm", "client", "therapist"]
    )


def reference_arm(scenario: Scenario, arm: str) -> str:
    """The arm that another is compared with: the same clients with a secure therapist in a crossed design (or with
    the first kind of therapist, if none is secure), else the first arm in which somebody can be seen.

    >>> sim.measures.reference_arm(usual, "dismissing therapist")
    'secure therapist'
    """
    if scenario.design == "crossed":
        table = arms(scenario)
        kind = table.loc[table["arm"] == arm, "client"].iloc[0]
        mates = table[table["client"] == kind]
        secure = mates[mates["therapist"] == "secure"]
        return str((secure if len(secure) else mates)["arm"].iloc[0])
    return next((a.name for a in scenario.arms if has_therapists(a)), scenario.arms[0].name)


def has_therapists(arm: Arm) -> bool:
    """Whether anybody can be seen in an arm."""
    return arm.therapist is not None and (arm.clinic is None or arm.clinic.most_places > 0)


def untreated_arm(scenario: Scenario, arm: str) -> str | None:
    """The arm in which the same people had no therapy, if the scenario has one.

    >>> sim.measures.untreated_arm(usual, "secure therapist")
    'no therapy'
    """
    this = arm_named(scenario, arm)
    return next((a.name for a in scenario.arms if a.therapist is None and same_clients(a, this)), None)


def same_clients(a: Arm, b: Arm) -> bool:
    """Whether two arms hold the same simulated people, so that they can be compared person by person.

    >>> sim.measures.same_clients(usual.arms[0], usual.arms[2])
    True
    """
    return a.client == b.client and a.cohort == b.cohort


def arm_named(scenario: Scenario, name: str) -> Arm:
    """The arm of that name, which is there."""
    return next(a for a in scenario.arms if a.name == name)


def differ_only_in(arm: Arm, other: Arm, *free: str) -> bool:
    """Whether two arms have the same clients and differ in nothing but ``free``: fields of an arm, or parameters of the model."""
    same = {"therapist", "policies", "sessions", "lesions", "interventions", "clinic"} - {*free}
    parameters = [{name: value for name, value in a.parameters.items() if name not in free} for a in (arm, other)]
    return same_clients(arm, other) and parameters[0] == parameters[1] and all(getattr(arm, n) == getattr(other, n) for n in same)


def chosen_arm(scenario: Scenario, name: str | None, replicate: int) -> Arm:
    """The arm of that name; without a name the first with a therapist, or the first. Raises ``ScenarioError``."""
    arms = {arm.name: arm for arm in scenario.arms}
    if name is not None and name not in arms:
        raise ScenarioError(f"{scenario.name}: no arm '{name}'{nearest(str(name), arms)}; arms are: {', '.join(arms)}")
    if replicate not in range(scenario.replicates):
        raise ScenarioError(f"{scenario.name}: no replicate {replicate}; replicates are numbered 0 to {scenario.replicates - 1}")
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    return arms[name] if name is not None else (treated or list(scenario.arms))[0]
