"""What one would write in a table: measures of a run, with intervals. The public ones are functions of a run."""

from __future__ import annotations

from sim.measures.change import (
    anxiety_change,
    assessed_change,
    attachment_change,
    avoidance_change,
    comparison_month,
    distress_change,
    effect_over_untreated,
    pre_post_d,
    untreated_differences,
)
from sim.measures.courses import sessions_in_order, treated
from sim.measures.therapy import (
    MEASURES,
    alliance_by_arm,
    alliance_growth,
    alliance_share_between_arms,
    answer_table,
    courses,
    dropout_share,
    growth_by_arm,
    late_alliance,
    late_sessions,
    mean_alliance,
    overlap,
    paired_differences,
    pairings,
    repaired_share,
    ruptures_per_session,
    sessions_attended,
)
from sim.scenario.arms import arms, reference_arm, same_clients, untreated_arm

__all__ = [
    "MEASURES",
    "alliance_by_arm",
    "alliance_growth",
    "alliance_share_between_arms",
    "answer_table",
    "anxiety_change",
    "arms",
    "assessed_change",
    "attachment_change",
    "avoidance_change",
    "comparison_month",
    "courses",
    "distress_change",
    "dropout_share",
    "effect_over_untreated",
    "growth_by_arm",
    "late_alliance",
    "late_sessions",
    "mean_alliance",
    "overlap",
    "paired_differences",
    "pairings",
    "pre_post_d",
    "reference_arm",
    "repaired_share",
    "ruptures_per_session",
    "same_clients",
    "sessions_attended",
    "sessions_in_order",
    "treated",
    "untreated_arm",
    "untreated_differences",
]


def __dir__() -> list[str]:
    return list(__all__)
