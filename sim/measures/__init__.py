"""What one would write in a table: measures of a run, with intervals. The public ones are functions of a run.

Every measure of the catalogue is here by its name too, as one number of a run: ``sim.measures.alliance(run)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.catalogue.measures import CATALOGUE
from sim.measures.change import (
    attachment_change,
    comparison_month,
    difference_from_no_treatment,
    pre_post_d,
    untreated_differences,
)
from sim.measures.courses import sessions_in_order, treated
from sim.measures.intervals import overlap
from sim.measures.numbers import measure, number
from sim.measures.outcomes import by_arm
from sim.measures.therapy import alliance_share_between_arms, answer_table, paired_differences, pairings
from sim.naming import nearest
from sim.scenario.arms import arms, reference_arm, same_clients, untreated_arm

if TYPE_CHECKING:
    from sim.simulation.tables import Run

__all__ = [
    "alliance_share_between_arms",
    "answer_table",
    "arms",
    "attachment_change",
    "by_arm",
    "comparison_month",
    "difference_from_no_treatment",
    "measure",
    "number",
    "overlap",
    "paired_differences",
    "pairings",
    "pre_post_d",
    "reference_arm",
    "same_clients",
    "sessions_in_order",
    "treated",
    "untreated_arm",
    "untreated_differences",
]


def __getattr__(name: str) -> Callable[[Run], float]:
    if name in CATALOGUE:
        return measure(name)
    raise AttributeError(f"module 'sim.measures' has no attribute '{name}'{nearest(name, (*__all__, *CATALOGUE))}")


def __dir__() -> list[str]:
    return sorted({*__all__, *CATALOGUE})
