"""Two kinds of uncertainty, kept apart: sampling and parameter uncertainty.

*Sampling uncertainty* (Monte-Carlo): other people and other random draws, with the same parameters. The 95 % intervals that the
project computes anyway, of the run with the default parameters: over simulated people, of a clinic over its replicates. More
people make it smaller.

*parameter uncertainty*: the same people with common random numbers, under different parameter sets that all agree with the
published evidence (``theory.ensemble``): the middle 95 % of what these sets give. More people hardly change it; only better
evidence does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim import measures
from sim.catalogue.measures import CATALOGUE, Measure
from sim.errors import UsageError
from sim.measures.clinics import rules_compared
from sim.measures.intervals import difference_interval, mean_interval
from sim.measures.persons import COMPARED
from sim.theory import ensemble

if TYPE_CHECKING:
    from sim.scenario.scenario import Scenario
    from sim.simulation.tables import Run

#: What the name of a difference from the reference arm ends in.
DIFFERENCE = "_difference"
#: What the parameter interval holds of the members' values.
MIDDLE = (0.025, 0.975)
#: What is said of an arm outside clinics.
OF_ARMS = ("alliance", "dropout", "distress_change", "difference_from_no_treatment")
COLUMNS = ["arm", "measure", "value", "low", "high", "unit"]


def described(measure: str) -> Measure:
    """Title, unit and digits of a measure of an arm, or of the difference in it from the reference arm."""
    return CATALOGUE[measure.removesuffix(DIFFERENCE)]


def is_difference(measure: str) -> bool:
    """Whether the sign of a measure says something: a difference from the reference arm, or from no therapy."""
    return measure.endswith(DIFFERENCE) or measure == "difference_from_no_treatment"


def of_arms(run: Run) -> pd.DataFrame:
    """One row per measure and arm, and per difference from the reference arm: value, ``low`` and ``high`` for sampling
    uncertainty, unit.

    Shares are percentages. What does not exist in an arm (the alliance of people without therapy) has no row. Differences are
    taken person by person where both arms hold the same people, of a clinic replicate by replicate. A difference that another row
    says already is left out: with one untreated twin for both arms that in ``difference_from_no_treatment`` is that in
    ``distress_change``, and that in ``distress_change`` between an arm and its twin is ``difference_from_no_treatment``."""
    table = rules_compared(run) if run.scenario.design == "clinic" else _of_people(run)
    rows = []
    for name, part in table.groupby("measure", sort=False):
        m = described(str(name))
        for ending, columns, of in (
            ("", ("mean", "low", "high"), m.unit),
            (DIFFERENCE, ("difference", "difference_low", "difference_high"), m.difference_unit),
        ):
            rows += [(arm, f"{name}{ending}", *ends, of) for arm, *ends in part[["arm", *columns]].itertuples(index=False)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found[found["value"].notna()].reset_index(drop=True)


def _of_people(run: Run) -> pd.DataFrame:
    """The measures of arms outside clinics, in the columns of ``rules_compared``: people are known by replicate and number."""
    scenario, rows = run.scenario, []
    arms = {arm.name: arm for arm in scenario.arms}
    for name, arm in itertools.product(OF_ARMS, arms):
        values = measures.untreated_differences(run) if name == "difference_from_no_treatment" else measures.by_arm(run, name)
        usual, here = measures.reference_arm(scenario, arm), values.get(arm, pd.Series(dtype=float))
        there = values.get(usual, pd.Series(dtype=float))
        apart = {"mean": np.nan, "low": np.nan, "high": np.nan}
        # A difference that another row says: from one untreated twin that both have, or between an arm and its own twin.
        twins = {(measures.untreated_arm(scenario, one), measures.comparison_month(run, one)) for one in (arm, usual)}
        own = name == "distress_change" and measures.untreated_arm(scenario, arm) == arm
        elsewhere = len(twins) == 1 and (name == "difference_from_no_treatment" or own)
        if arm != usual and len(here) and len(there) and not elsewhere:
            apart = difference_interval(here, there, paired=measures.same_clients(arms[arm], arms[usual]))
            if name == "dropout" and apart["low"] == apart["high"]:  # not one person left in one arm only
                apart = {**apart, "low": np.nan, "high": np.nan}
        known = mean_interval(here)
        if name == "dropout" and len(here):  # Wilson's interval has a width also where nobody, or everybody, has left
            from scipy import stats

            ends = stats.binomtest(int(here.sum()), len(here)).proportion_ci(method="wilson")
            known = {**known, "low": float(ends.low), "high": float(ends.high)}
        scale = CATALOGUE[name].scale
        rows.append((name, arm, *(scale * found[end] for found in (known, apart) for end in ("mean", "low", "high"))))
    return pd.DataFrame(rows, columns=["measure", *(name for name in COMPARED if name != "n")])


def with_parameters(scenario: Scenario, parameters: Mapping[str, float]) -> Scenario:
    """The scenario with these parameters in place of the defaults.

    What the scenario, its policies or an arm set goes before them, so that it is the same in every member. Only what the
    measures of arms need is kept.
    """
    arms = tuple(arm.model_copy(update={"parameters": {**parameters, **arm.parameters}}) for arm in scenario.arms)
    less = {"keep_sessions": False} if scenario.design == "clinic" else {}
    return scenario.model_copy(update={"arms": arms, "ensemble": 0, "traced": {}, **less})


def over_members(scenario: Scenario, simulated: Callable[[Scenario], Run]) -> pd.DataFrame:
    """The measures of every arm under each chosen member of the ensemble: columns arm, member, measure, value, unit.

    ``simulated`` runs one scenario, always on the same seed, so that all members have the same people and random draws. One
    member is run after another and only its measures are kept, so that memory does not grow with their number. ``member`` is its
    number in the shipped ensemble."""
    sets, parts = ensemble.members(), []
    for member in ensemble.spread(scenario.ensemble):
        found = of_arms(simulated(with_parameters(scenario, sets[member])))
        parts.append(found.assign(member=np.int32(member))[["arm", "member", "measure", "value", "unit"]])
    table = pd.concat(parts, ignore_index=True)
    labels = {"arm": [arm.name for arm in scenario.arms]}
    for name in ("arm", "measure", "unit"):
        categories = pd.Index(labels.get(name, list(dict.fromkeys(table[name]))), dtype="str")
        table[name] = pd.Categorical(table[name], categories=categories)
    return table.astype({"member": "int32", "value": "float64"})


def two_intervals(run: Run) -> pd.DataFrame:
    """Sampling and parameter uncertainty, side by side: one row per measure and arm, and per difference between arms.

    - ``value``: with the default parameters (and those that the scenario fixes), as in all other tables of the run.
    - ``sampling_low``, ``sampling_high``: 95 % interval of that value over other people and other random draws with the same
      parameters: over simulated people (Student's t; a share by Wilson; differences person by person where the arms hold the same
      people), of a clinic over its replicates. Missing with one replicate of a clinic, and where just the same people drop out of
      both arms. It says nothing about whether the parameters are right.
    - ``parameter_low``, ``parameter_high``: the middle 95 % of the values that the members of the ensemble give, each for the
      same people with common random numbers. With few members that is nearly their whole range. Since random draws are common to
      all of them, a difference between members contains little of it: not none, for where parameters differ somebody may take
      another turn, but what the people of this seed have in common moves all members alike, and is sampling uncertainty, not in
      this interval.
    - ``median`` of the members, and ``outside``: whether the value with the defaults lies outside the parameter interval.
    - ``same_side``: of a difference (from the reference arm, or from no therapy) the proportion of members on the same side of 0
      as the value with the defaults; missing for what is no difference, or none at all with the defaults.
    - ``members``: how many of them have this measure.

    Raises ``UsageError`` for a run whose scenario does not ask for the ensemble.
    """
    if not len(run.ensemble):
        raise UsageError(f"{run.scenario.name}: was run with one parameter set; give the scenario 'parameters: ensemble'")
    table = run.ensemble.assign(arm=run.ensemble["arm"].astype("str"), measure=run.ensemble["measure"].astype("str"))
    each = {key: part["value"].to_numpy(float) for key, part in table.groupby(["arm", "measure"])}
    rows = []
    for row in of_arms(run).to_dict("records"):
        values = each.get((row["arm"], row["measure"]), np.empty(0))
        low, middle, high = np.quantile(values, [MIDDLE[0], 0.5, MIDDLE[1]]) if values.size else (np.nan,) * 3
        agree = values.size and row["value"] and is_difference(row["measure"])
        rows.append(
            {
                **{name: row[name] for name in ("arm", "measure", "value")},
                "sampling_low": row["low"],
                "sampling_high": row["high"],
                "parameter_low": float(low),
                "parameter_high": float(high),
                "median": float(middle),
                "outside": bool(values.size and not low <= row["value"] <= high),
                "same_side": float((np.sign(values) == np.sign(row["value"])).mean()) if agree else np.nan,
                "members": values.size,
                "unit": row["unit"],
            }
        )
    return pd.DataFrame(rows)
