"""Which figures of clinics a run has something to show in, and why the others are left out."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure, SubFigure

from sim.measures import clinics as cm
from sim.report.figures.clinic.service import clinic_arms, clinic_flow, clinic_load
from sim.report.figures.clinic.therapists import (
    clinic_at_risk,
    clinic_follow_up,
    clinic_therapists,
    clinic_trial,
    clinic_years,
    therapist_effects_of,
    treating,
)
from sim.simulation.tables import Run

#: A clinic that is followed for fewer years than this says nothing about years of work.
LEAST_YEARS = 4


def differs(run: Run, *names: str) -> bool:
    """Whether the arms with therapists of a clinic differ in one of these settings (of the plan, or of the arm)."""
    arms = [arm for arm in run.scenario.arms if arm.name in treating(run)]
    return any(len({repr(getattr(arm.clinic, name, getattr(arm, name, None))) for arm in arms}) > 1 for name in names)


def compares_arms(run: Run) -> bool:
    """Whether two arms or more have therapists."""
    return len(treating(run)) > 1


def puts_work_to_the_test(run: Run) -> bool:
    """Whether arms differ in how much work there is for each therapist, or in who leaves."""
    return differs(run, "overbook", "session_every", "capacity", "therapists", "turnover", "sessions")


def looks_at_therapists(run: Run) -> bool:
    """Whether differences between therapists are asked for: one service alone, or arms in which they differ more or less."""
    parameters = [
        {k: v for k, v in arm.parameters.items() if k.startswith("therapist_")} for arm in run.scenario.arms if arm.clinic
    ]
    asked = len(treating(run)) == 1 or any(one != parameters[0] for one in parameters)
    return (
        bool(treating(run))
        and asked
        and any(e is not None for e in therapist_effects_of(run, cm.reference(run.scenario)).values())
    )


def holds_a_trial(run: Run) -> bool:
    """Whether part of the therapists of an arm are trained, by lot."""
    plans = [arm.clinic for arm in run.scenario.arms if arm.clinic is not None and arm.name in treating(run)]
    return any(plan.training and 0 < plan.trained_share < 1 for plan in plans)


def lasts_years(run: Run) -> bool:
    """Whether a clinic is followed for four years or more."""
    plans = [arm.clinic for arm in run.scenario.arms if arm.clinic is not None and arm.name in treating(run)]
    return max((plan.weeks for plan in plans), default=0) >= LEAST_YEARS * cm.WEEKS_PER_YEAR


def follows_up(run: Run) -> bool:
    """Whether people are asked again half a year after therapy and there is an arm in which nobody is seen."""
    if not treating(run) or cm.without_therapists(run.scenario) is None or run.assessments.empty:
        return False
    return bool(run.clients["distress_6_months"].notna().any())


def gives_feedback(run: Run) -> bool:
    """Whether arms differ in feedback to therapists, and sessions were kept."""
    return differs(run, "feedback") and not run.sessions.empty


Draw = Callable[..., Figure | SubFigure]
#: Figures of clinics by name, and which runs have something to show in them; ``ABSENT``: why the others are not shown.
CLINIC_FIGURES: dict[str, tuple[Draw, Callable[[Run], bool]]] = {
    "clinic_arms": (clinic_arms, compares_arms),
    "clinic_trial": (clinic_trial, holds_a_trial),
    "clinic_at_risk": (clinic_at_risk, gives_feedback),
    "clinic_years": (clinic_years, lasts_years),
    "clinic_follow_up": (clinic_follow_up, follows_up),
    "clinic_flow": (clinic_flow, lambda run: run.scenario.design == "clinic"),
    "clinic_load": (clinic_load, puts_work_to_the_test),
    "clinic_therapists": (clinic_therapists, looks_at_therapists),
}
ABSENT = {
    "clinic_arms": "fewer than two arms have therapists",
    "clinic_trial": "in no arm are some therapists trained and others not",
    "clinic_at_risk": "arms do not differ in feedback, or sessions were not kept",
    "clinic_years": f"the clinic is followed for less than {LEAST_YEARS} years",
    "clinic_follow_up": "no arm leaves the same people unseen, or nobody is asked half a year later",
    "clinic_load": "arms do not differ in caseload, posts or turnover",
    "clinic_therapists": "arms do not differ in how unlike therapists are, or there are too few of them",
}


def not_asked(run: Run) -> dict[str, str]:
    """Figures of clinics that a clinic's scenario does not ask for, by name, and why."""
    if run.scenario.design != "clinic":
        return {}
    return {name: ABSENT[name] for name, (_, asked) in CLINIC_FIGURES.items() if name in ABSENT and not asked(run)}
