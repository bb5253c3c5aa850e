"""What a sensitivity analysis finds, with what it was about: a row a parameter, and how far sampling noise alone goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from sim.evidence.sensitivity.ranges import Range
from sim.evidence.sensitivity.response import Outcome
from sim.scenario.scenario import Scenario


@dataclass(frozen=True)
class Noise:
    """How far sampling noise moves the measure at the points of a design (its unit), where points are means over ``replicates``
    seeds.

    ``seed_sd``: SD between seeds at one point; ``error``: standard error of a point's mean; ``output_sd``: SD between points.
    ``share``: proportion of the variance between points that is noise which shared seeds do not cancel.
    """

    points: int
    seeds: int
    seed_sd: float
    error: float
    output_sd: float = float("nan")
    share: float = float("nan")


@dataclass(frozen=True)
class Sensitivity:
    """What was found; ``noise`` at the base point ("base") and at the points of each design ("morris", "sobol").

    ``morris``, the most influential first: elementary effects of each parameter (``name``), changes of the measure (its unit) as
    the parameter goes over its whole range. ``mu``: mean; ``mu_star``: mean of absolute values, ``mu_star_error`` half its
    bootstrap 95 % interval; ``sigma``: SD, large where the parameter interacts with others or acts in a curve. ``noise``: half
    the 95 % interval (Student's t) of one elementary effect over seeds; a ``mu_star`` that is not above it could be made by
    sampling noise alone. It is strict with few seeds.

    ``sobol``: each parameter's proportion of the measure's variance over the ranges, with half the bootstrap 95 % intervals
    (``first_error``, ``total_error``). ``first``: alone (S1); ``total``: with all its interactions (ST). ``noise``: what sampling
    noise adds to ``total`` in expectation. ``verdict``, of both: what can be said of the parameter."""

    ranges: tuple[Range, ...]
    seed: int
    replicates: int
    trajectories: int
    samples: int
    base: float
    morris: pd.DataFrame
    sobol: pd.DataFrame
    noise: dict[str, Noise]
    runs: int


@dataclass(frozen=True)
class Study:
    """An analysis with what it was about."""

    scenario: Scenario
    outcome: Outcome
    found: Sensitivity
    left_out: dict[str, str]
    width: float
    method: str
    top: int


def rows(table: pd.DataFrame) -> list[Any]:
    """The rows of ``morris`` or ``sobol``: a named tuple each."""
    return list(table.itertuples(index=False))


def what(study: Study) -> str:
    """The measure, of which arm, with its unit."""
    o = study.outcome
    return f"{o.measure} of {o.arm}{f' minus {o.minus}' if o.minus else ''} ({o.unit})"


def heading(study: Study) -> str:
    """What was asked."""
    return f"What moves {what(study)}? Scenario {study.scenario.name}, seed {study.found.seed}"
