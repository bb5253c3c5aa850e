"""The figures of a run, each a function: a run in, a figure out (or drawn into the axes or figure that is given).

Which of them have something to show depends on the scenario: ``attune run`` draws those into the report. ``left_out`` says of the
usual ones why they would show nothing. In the examples ``run`` is ``sim.run(sim.load("scenarios/hello.yaml"), seed=1)``.
"""

from __future__ import annotations

from sim.report.figures.change import attachment_plane, pairing_differences
from sim.report.figures.chosen import left_out
from sim.report.figures.clinic.service import clinic_arms, clinic_flow, clinic_load
from sim.report.figures.clinic.therapists import (
    clinic_at_risk,
    clinic_follow_up,
    clinic_therapists,
    clinic_trial,
    clinic_years,
)
from sim.report.figures.courses import alliance_by_pairing, alliance_curves, distress_course, still_attending
from sim.report.figures.experiments.effects import eeg_sites, interaction, lesion_table, triangle
from sim.report.figures.experiments.paths import affect_labelling, learned_strategies
from sim.report.figures.session import one_session
from sim.report.figures.uncertainty import two_uncertainties

__all__ = [
    "affect_labelling",
    "alliance_by_pairing",
    "alliance_curves",
    "attachment_plane",
    "clinic_arms",
    "clinic_at_risk",
    "clinic_flow",
    "clinic_follow_up",
    "clinic_load",
    "clinic_therapists",
    "clinic_trial",
    "clinic_years",
    "distress_course",
    "eeg_sites",
    "interaction",
    "learned_strategies",
    "left_out",
    "lesion_table",
    "one_session",
    "pairing_differences",
    "still_attending",
    "triangle",
    "two_uncertainties",
]


def __dir__() -> list[str]:
    return list(__all__)
