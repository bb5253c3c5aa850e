"""What a clinic's scenario asks for, read off its arms: a trial, feedback, years, follow-up, work put to the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.measures import clinics as cm
from sim.scenario.arms import has_therapists
from sim.simulation.tables import Run
from sim.therapy.clinic.plan import Plan

if TYPE_CHECKING:
    from sim.evidence.therapist_effects import TherapistEffects

#: A clinic that is followed for fewer years than this says nothing about years of work.
LEAST_YEARS = 4
#: Outcomes of which therapists' shares are told.
THERAPIST_OUTCOMES = {"alliance": "Early alliance", "distress": "Distress at the end"}
#: What must be said of a matching rule that no service could, or should, carry out.
_MARKS = {"oracle": "upper bound: no service could do it", "secure_to_insecure": "thought experiment, no advice"}


def plans(run: Run) -> dict[str, Plan]:
    """The plans of the arms of a clinic in which somebody can be seen, by the arm's name."""
    return {arm.name: arm.clinic for arm in run.scenario.arms if arm.clinic is not None and has_therapists(arm)}


def treating(run: Run) -> list[str]:
    """Names of the arms of a clinic in which somebody can be seen."""
    return list(plans(run))


def remark_on(run: Run, arm: str) -> str:
    """What must be said wherever an arm's matching is shown that no service could, or should, carry out; else nothing."""
    plan = next(a.clinic for a in run.scenario.arms if a.name == arm)
    return _MARKS.get(plan.matching, "") if plan is not None else ""


def therapist_effects_of(run: Run, arm: str) -> dict[str, TherapistEffects | None]:
    """What clients' results say of each therapist of an arm, for alliance and distress; None where they say nothing."""
    from sim.evidence.therapist_effects import therapist_effects

    return {outcome: therapist_effects(run, arm, outcome) for outcome in THERAPIST_OUTCOMES}


def differs(run: Run, *names: str) -> bool:
    """Whether the arms with therapists of a clinic differ in one of these: settings of the plan or of the arm, parameters."""
    arms = [arm for arm in run.scenario.arms if arm.name in treating(run)]
    told = [{**vars(arm), **vars(arm.clinic), **arm.parameters} for arm in arms]
    return any(len({repr(one.get(name)) for one in told}) > 1 for name in names)


def puts_work_to_the_test(run: Run) -> bool:
    """Whether arms differ in how much work there is for each therapist, or in who leaves."""
    return differs(run, "overbook", "session_every", "capacity", "therapists", "turnover", "sessions")


def looks_at_therapists(run: Run) -> bool:
    """Whether differences between therapists are asked for: one service alone, or arms in which they differ more or less."""
    parameters = [
        {k: v for k, v in arm.parameters.items() if k.startswith("therapist_")} for arm in run.scenario.arms if arm.clinic
    ]
    asked = len(treating(run)) == 1 or any(one != parameters[0] for one in parameters)
    if not (treating(run) and asked):
        return False
    return any(e is not None for e in therapist_effects_of(run, cm.reference(run.scenario)).values())


def holds_a_trial(run: Run) -> bool:
    """Whether part of the therapists of an arm are trained, by lot."""
    return any(plan.training and 0 < plan.trained_share < 1 for plan in plans(run).values())


def lasts_years(run: Run) -> bool:
    """Whether a clinic is followed for four years or more."""
    return max((plan.weeks for plan in plans(run).values()), default=0) >= LEAST_YEARS * cm.WEEKS_PER_YEAR


def follows_up(run: Run) -> bool:
    """Whether people are asked again half a year after therapy and there is an arm in which nobody is seen."""
    if not treating(run) or cm.without_therapists(run.scenario) is None or run.assessments.empty:
        return False
    return bool(run.clients["distress_6_months"].notna().any())


def gives_feedback(run: Run) -> bool:
    """Whether arms differ in feedback to therapists, and sessions were kept."""
    return differs(run, "feedback") and not run.sessions.empty


def is_contested(run: Run) -> bool:
    """Whether arms are readings of a contested finding: the model's parameters for it differ."""
    return differs(run, "complementarity_gain", "therapist_warmth_trait_sd")
