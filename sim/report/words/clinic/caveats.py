"""What would change the answer of a clinic: sampling uncertainty over replicates, and what its design and its parameters take for
granted."""

from __future__ import annotations

import numpy as np

from sim.measures import clinics as cm
from sim.report.figures.clinic.therapists import treating
from sim.report.text import arm_name, excludes_zero, number
from sim.report.words.clinic.answer import is_contested
from sim.scenario.clinic import Plan
from sim.simulation.tables import Run
from sim.therapy.clinic.matching import ORACLE
from sim.therapy.training import PROGRAMMES

#: Half the width of an interval shrinks with the root of the number of replicates.
TO_HALVE = 4
#: Most comparisons of which one in twenty is certain by chance.
ONE_IN = 20


def sampling(run: Run) -> list[str]:
    """How many replicates there are, how wide the widest difference is, and how many comparisons were made."""
    n = run.scenario.replicates
    if n == 1:
        return [
            f"This run has one seed ({run.seed}) and one replicate of the clinic. Its clients share therapists and a "
            "queue, so it is one observation: nothing here has an interval over clinics, and another clinic may "
            "differ. More replicates would tell (replicates: 8).",
        ]
    table = cm.rules_compared(run)
    apart = table[table["difference_low"].notna() & table["arm"].isin(treating(run))]
    said = []
    wide = apart[apart["measure"] == "alliance_all_sessions"].to_dict("records")
    if wide:
        row = max(wide, key=lambda r: r["difference_high"] - r["difference_low"])
        half = (row["difference_high"] - row["difference_low"]) / 2
        said.append(
            f"The alliance's difference between {arm_name(cm.reference(run.scenario))} and {arm_name(row['arm'])} "
            f"reaches {number(half)} points either way, the widest of these intervals. To halve it would take "
            f"{TO_HALVE} times as many replicates: {TO_HALVE * n}."
        )
    if len(apart):
        rows = apart.rename(columns={"difference_low": "low", "difference_high": "high"})
        rows = rows.loc[:, ~rows.columns.duplicated(keep="last")]
        certain = sum(excludes_zero(row) for row in rows.to_dict("records"))
        said.append(
            f"{len(apart)} differences were looked at, and {certain} of their intervals exclude zero; about "
            f"{len(apart) / ONE_IN:.0f} would by chance if there were no difference at all."
        )
    return [
        *said,
        f"This run has one seed ({run.seed}) and {n} replicates. A replicate is one clinic with its own people, and "
        "the unit that is counted; a conclusion that matters should hold on several seeds.",
    ]


def design(run: Run) -> list[str]:
    """What is decided before anything is simulated, and what is assumed of this kind of clinic."""
    plans = {arm.name: arm.clinic for arm in run.scenario.arms if arm.clinic is not None and arm.name in treating(run)}
    said = [*_unseen(run), *_how_matched(plans), *_how_trained(plans)]
    if is_contested(run):
        said.append("Each reading of a contested finding is one parameter of the model, to see what it would mean; no claim.")
    if any(plan.feedback for plan in plans.values()):
        said.append(
            "What a warning does to a therapist is assumed (feedback_skill_step, feedback_repair_step), as is whom it is "
            "given for (off_track_points, expected_points)."
        )
    if plans:
        said.append(
            "How work tires therapists, and how tiredness works on clients, are assumed parameters (fatigue_...), not "
            "measured ones."
        )
    if any(plan.turnover for plan in plans.values()):
        said.append(
            "Who quits depends on tiredness alone; the next therapist takes over a proportion of the bond (hand_over_share) that "
            "is assumed."
        )
    if _somebody_waits(run):
        said.append(
            "How many give up while they wait follows assumed parameters (waiting_loss_...); nobody seeks help elsewhere "
            "meanwhile."
        )
    leave = {plan.leave_prob for plan in plans.values()}
    if plans and max(leave) > 0:
        said.append("A therapist who is away is away for single weeks, by chance; sessions of that week are not held by others.")
    if any(arm.client.selected for arm in run.scenario.arms):
        said.append("Clients come when they feel worst, as in real intake: part of any fall in distress is a return to normal.")
    return said


def _unseen(run: Run) -> list[str]:
    if not treating(run):
        return ["Nobody is seen in this clinic, so nothing is said of therapy."]
    if cm.without_therapists(run.scenario) is None:
        return ["There is no arm in which nobody is seen, so nothing here is an effect of therapy as such."]
    return ["Who is not seen in this model does not look for help elsewhere, as many would."]


def _how_matched(plans: dict[str, Plan]) -> list[str]:
    said = []
    if any(plan.matching == ORACLE for plan in plans.values()):
        said.append(
            "The oracle looks at those who wait in one week, with the therapists as they are: it does not foresee who "
            "comes next week, nor what a fuller caseload does to a therapist. What could be gained with still more "
            "knowledge is not known."
        )
    seen = [arm for arm, plan in plans.items() if plan.matching in ("similar", "dissimilar", "secure_to_insecure")]
    if seen:
        names = ", ".join(arm_name(arm) for arm in seen)
        said.append(
            f"Rules see attachment questionnaires with their error ({names}); whether similarity helps at all is a "
            "parameter of the model that is zero by default (complementarity_gain)."
        )
    return said


def _how_trained(plans: dict[str, Plan]) -> list[str]:
    taught = dict.fromkeys(name for plan in plans.values() for name in plan.training if name in PROGRAMMES)
    return [
        f"What {name.replace('_', ' ')} teaches is assumed: {_taught(name)}. Other amounts have other effects." for name in taught
    ]


def _taught(name: str) -> str:
    programme = PROGRAMMES[name]
    parts = [
        f"{column.replace('_', ' ')} {amount:+g} over {programme.weeks} weeks" for column, amount in programme.learned.items()
    ]
    parts += [f"{column.replace('_', ' ')} {amount:+g} each week" for column, amount in programme.each_week.items()]
    return ", ".join(parts).replace("-", "−")


def _somebody_waits(run: Run) -> bool:
    waits = cm.by_replicate(run)["weeks_waited"]
    return bool(np.nanmax(waits) >= 0.5) if waits.notna().any() else False
