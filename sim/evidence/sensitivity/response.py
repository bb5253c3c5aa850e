"""A measure of a scenario as a plain function of the model's parameters and a seed, for analyses that move parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from sim.catalogue.columns import CLINIC_TABLES, TABLES, columns_of
from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.errors import EvidenceError, StateError
from sim.measures import numbers
from sim.naming import nearest
from sim.runs.run import run
from sim.scenario.arms import chosen_arm, untreated_arm
from sim.scenario.scenario import Arm, Scenario
from sim.simulation.tables import Run

#: A measure of all arms together: there is no arm to choose.
OF_ALL_ARMS = ("alliance_share_between_arms",)
#: What a single run of the base scenario leaves out.
_PLAIN: dict[str, object] = {"traced": {}, "ensemble": 0, "batch": None}
_LABELS = ("label", "number", "yes/no")


@dataclass(frozen=True)
class Outcome:
    """A measure of one arm (or one minus another, or all), with its unit, as a function ``(parameters, seed) -> float``."""

    measure: str
    unit: str
    meaning: str
    arm: str
    minus: str | None
    function: Callable[[Run], float]
    parts: tuple[tuple[float, Scenario], ...]

    @property
    def simulated(self) -> list[Callable[[Scenario], Scenario]]:
        """What each part simulates of the scenario it is of."""
        return [partial(_of_arms, frozenset(arm.name for arm in scenario.arms)) for _, scenario in self.parts]

    @property
    def arms(self) -> list[Arm]:
        """The arms that are simulated."""
        return [arm for _, scenario in self.parts for arm in scenario.arms]

    def __call__(self, parameters: Mapping[str, float], seed: int) -> float:
        """The measure with these parameters of the model, on this seed's people and random draws."""
        total = 0.0
        try:
            for sign, scenario in self.parts:  # in every arm, over what the arm or its policies set
                arms = [arm.model_copy(update={"parameters": {**arm.parameters, **parameters}}) for arm in scenario.arms]
                under = scenario.model_copy(update={"arms": tuple(arms)})
                total += sign * float(self.function(run(under, seed, threads=1)))
        except StateError as e:
            raise EvidenceError(f"with these ranges the simulation left what is possible ({e}); take a smaller --range") from e
        return total


def column_names(clinic: bool) -> dict[str, tuple[str, str]]:
    """``table.column`` of every column that has a mean, with (unit, meaning)."""
    tables = [name for name in (*TABLES, *(CLINIC_TABLES if clinic else ())) if name != "exchanges"]
    return {
        f"{table}.{column}": (described.unit, described.meaning)
        for table in tables
        for column, described in columns_of(table, clinic).items()
        if described.unit not in _LABELS
    }


def outcome(scenario: Scenario, measure: str, arm: str | None = None, minus: str | None = None) -> Outcome:
    """The measure of an arm (default: the first with a therapist), or of it minus another arm, same people and random draws.

    ``measure``: a name that ``sim.compare`` knows, or ``table.column`` for the mean of a column of the result tables. Raises
    ``EvidenceError`` for a name that is neither and ``ScenarioError`` for an arm that is not there.
    """
    function, unit, meaning = _measure(scenario, measure)
    if measure in OF_ALL_ARMS:
        if arm is not None or minus is not None:
            raise EvidenceError(f"measure '{measure}' is of all arms together; leave out --arm and --minus")
        parts: tuple[tuple[float, Scenario], ...] = ((1.0, scenario.model_copy(update=_PLAIN)),)
        return Outcome(measure, unit, meaning, "all arms", None, function, parts)
    wanted = chosen_arm(scenario, arm, 0)
    parts = ((1.0, _alone(scenario, wanted, measure)),)
    if minus is not None:
        other = chosen_arm(scenario, minus, 0)
        if other.name == wanted.name:
            raise EvidenceError(f"{scenario.name}: '{minus}' minus itself is always 0; --minus must name another arm")
        parts = (*parts, (-1.0, _alone(scenario, other, measure)))
    return Outcome(measure, unit, meaning, wanted.name, minus, function, parts)


def _of_arms(names: frozenset[str], scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"arms": tuple(arm for arm in scenario.arms if arm.name in names), **_PLAIN})


def _alone(scenario: Scenario, arm: Arm, measure: str) -> Scenario:
    """The scenario with nothing but this arm, and what the measure compares it with."""
    twin = untreated_arm(scenario, arm.name) if measure == "difference_from_no_treatment" else None
    return _of_arms(frozenset(name for name in (arm.name, twin) if name is not None), scenario)


def _measure(scenario: Scenario, name: str) -> tuple[Callable[[Run], float], str, str]:
    """The function of a run that a name means, its unit, and what it says in words."""
    clinic = scenario.design == "clinic"
    known = measures_of_runs(clinic)
    if name in known:
        one = CATALOGUE[name]
        return numbers.measure(name), one.plain_unit, (one.definition or one.title).rstrip(".")
    columns = column_names(clinic)
    if name in columns:
        table, _, column = name.partition(".")
        unit, meaning = columns[name]
        return _column_mean(table, column), unit, f"mean over the rows of the table {table}: {meaning}"
    if name in CATALOGUE:
        raise EvidenceError(f"measure '{name}' is of clinics only, and {scenario.name} is none; known: {', '.join(known)}")
    raise EvidenceError(
        f"no measure '{name}'{nearest(name, (*known, *columns))}; known: {', '.join(known)}, "
        "or a column of the result tables, such as sessions.wai_client or clients.distress_end"
    )


def _column_mean(table: str, column: str) -> Callable[[Run], float]:
    def mean(found: Run) -> float:
        values = getattr(found, table)
        if column not in values or not values[column].notna().any():
            return float("nan")
        return float(np.nanmean(values[column].to_numpy(dtype=float)))

    return mean
