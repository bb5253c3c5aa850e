"""The figures of a run, each a function: a run in, a figure out (or drawn into the axes or figure that is given).

Which of them have something to show depends on the scenario: ``attune run`` draws those into the report. ``left_out`` says of the
usual ones why they would show nothing. In the examples ``run`` is ``sim.run(sim.load("scenarios/hello.yaml"), seed=1)``.
"""

from sim.report.figures.change import attachment_plane as attachment_plane
from sim.report.figures.change import pairing_differences as pairing_differences
from sim.report.figures.chosen import left_out as left_out
from sim.report.figures.clinic.service import clinic_arms as clinic_arms
from sim.report.figures.clinic.service import clinic_flow as clinic_flow
from sim.report.figures.clinic.service import clinic_load as clinic_load
from sim.report.figures.clinic.therapists import clinic_at_risk as clinic_at_risk
from sim.report.figures.clinic.therapists import clinic_follow_up as clinic_follow_up
from sim.report.figures.clinic.therapists import clinic_therapists as clinic_therapists
from sim.report.figures.clinic.therapists import clinic_trial as clinic_trial
from sim.report.figures.clinic.therapists import clinic_years as clinic_years
from sim.report.figures.courses import alliance_by_pairing as alliance_by_pairing
from sim.report.figures.courses import alliance_curves as alliance_curves
from sim.report.figures.courses import distress_course as distress_course
from sim.report.figures.courses import still_attending as still_attending
from sim.report.figures.experiments.effects import eeg_sites as eeg_sites
from sim.report.figures.experiments.effects import interaction as interaction
from sim.report.figures.experiments.effects import lesion_table as lesion_table
from sim.report.figures.experiments.effects import triangle as triangle
from sim.report.figures.experiments.paths import affect_labelling as affect_labelling
from sim.report.figures.experiments.paths import learned_strategies as learned_strategies
from sim.report.figures.session import one_session as one_session
from sim.report.figures.uncertainty import two_uncertainties as two_uncertainties

__all__ = [name for name in dir() if not name.startswith("_")]


def __dir__() -> list[str]:
    return __all__
