"""A sensitivity analysis with what it was about."""

from __future__ import annotations

from dataclasses import dataclass

from sim.evidence.sensitivity.indices import Screened, Sensitivity
from sim.evidence.sensitivity.response import Outcome
from sim.scenario.scenario import Scenario


@dataclass(frozen=True)
class Told:
    """An analysis with what it was about."""

    scenario: Scenario
    outcome: Outcome
    found: Sensitivity
    left_out: dict[str, str]
    width: float
    method: str
    top: int


def what(told: Told) -> str:
    """The measure, of which arm, with its unit."""
    o = told.outcome
    return f"{o.measure} of {o.arm}{f' minus {o.minus}' if o.minus else ''} ({o.unit})"


def heading(told: Told) -> str:
    """What was asked."""
    return f"What moves {what(told)}? Scenario {told.scenario.name}, seed {told.found.seed}"


def ranked(rows: tuple[Screened, ...]) -> list[Screened]:
    """The most influential first; those that differ in nothing stay in the model's order."""
    return sorted(rows, key=lambda row: -row.mu_star)
