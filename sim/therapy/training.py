"""Supervision and training: what therapists learn, by how much and how fast. Each programme is data, with its source.

A new one is an entry: ``PROGRAMMES["peer_group"] = Programme(...)``; clinics can name it from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sim.errors import ParameterError
from sim.people.state import Columns
from sim.therapy.policies import check_columns


@dataclass(frozen=True)
class Programme:
    """What therapists who take part go through.

    ``learned``: columns of the therapist (``sim.people.state.PERSON``, in their units) and what is added to each in all, spread
    evenly over the first ``weeks`` weeks of taking part; it stays. ``each_week``: added every week for as long as it goes on.

    >>> Programme("Practise naming ruptures.", {"repair_skill": 0.5}, weeks=8).weeks
    8
    """

    meaning: str
    learned: Mapping[str, float] = field(default_factory=dict)
    weeks: int = 26
    each_week: Mapping[str, float] = field(default_factory=dict)
    source: str = "assumption"

    def __post_init__(self) -> None:
        check_columns((*self.learned, *self.each_week))
        if self.weeks < 1:
            raise ParameterError(f"a programme lasts at least a week, not {self.weeks}")


PROGRAMMES: dict[str, Programme] = {
    "regular_supervision": Programme(
        "Talk the work over every fortnight: one's own part in it, and what strains the alliance.",
        learned={"repair_skill": 0.3, "skill": 0.03, "anxiety": -0.04, "anxiety_anchor": -0.04, "avoidance": -0.04,
                 "avoidance_anchor": -0.04},
        weeks=52, each_week={"fatigue": -0.01},
        source="assumption; direction after bambling2006",
    ),
    "rupture_repair_training": Programme(
        "Practise noticing strain, naming it, and owning one's part.",
        learned={"repair_skill": 0.7}, weeks=8,
        source="assumption; as much as the policy look_for_ruptures",
    ),
    "empathy_training": Programme(
        "Practise reading and answering what the client feels, with feedback.",
        learned={"skill": 0.06, "warmth_trait": 0.2}, weeks=8,
        source="derived: half a standard deviation of skill and of warmth, after tedingvanberkhout2016 (recalled)",
    ),
    "attachment_informed_response": Programme(
        "Learn what closeness and alarm mean to this client, and fit warmth and reassurance to it.",
        learned={"adaptation": 0.5}, weeks=16,
        source="assumption",
    ),
}  # fmt: skip


def teach(therapists: Columns, programmes: Iterable[str], weeks_taken: np.ndarray) -> None:
    """One week of these programmes for therapists who have taken part for ``weeks_taken`` weeks (0: not, one entry a row).

    Writes the columns that the programmes name, kept within their ranges.
    """
    rows = np.flatnonzero(weeks_taken > 0)
    for programme in (PROGRAMMES[name] for name in programmes):
        learning = rows[weeks_taken[rows] <= programme.weeks]
        for name, amount in programme.learned.items():
            therapists.keep_within(name, therapists[name][learning] + amount / programme.weeks, learning)
        for name, amount in programme.each_week.items():
            therapists.keep_within(name, therapists[name][rows] + amount, rows)
