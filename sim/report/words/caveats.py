"""What would change the answer of a run: chance, findings that conflict, and the design. (Assumptions: ``involved``.)"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from sim import measures
from sim.report.text import arm_name, number, percent
from sim.report.words.answer import Contrast, alliance_contrasts, untreated_contrasts
from sim.report.words.basis import Involved, levers
from sim.report.words.clinic import caveats as doubts_clinic
from sim.report.words.experiments import pushed
from sim.scenario.scenario import Attachment, Scenario
from sim.simulation.tables import Run

#: Half the width of an interval shrinks with the root of the number of clients.
TO_HALVE = 4
#: What studies of general attachment find it to explain of the differences in alliance (README, "What this is not").
PUBLISHED_SHARE = "2-3 %"


def sampling(run: Run) -> list[str]:
    """How wide the intervals are beside the differences that the answer speaks of, and how many clients would do better."""
    if run.scenario.design == "clinic":
        return doubts_clinic.sampling(run)
    found = [*([] if pushed(run) else alliance_contrasts(run)), *untreated_contrasts(run)[-1:]]
    said = [_chance_of(run, c) for c in found if c.half > 0]
    picked = [c for c in found if c.picked_from > 2 and c.half > 0]
    if picked:
        said.append(
            f"The highest and the lowest of {max(c.picked_from for c in picked)} were picked after the fact, which makes their "
            "difference look a little larger than it is."
        )
    if not found:
        said.append(f"Intervals are half as wide with {TO_HALVE} times as many clients.")
    n, replicates = run.scenario.clients_per_arm, run.scenario.replicates
    said.append(
        f"This run has one seed ({run.seed}), {n:,} simulated client{'s' if n != 1 else ''} {_each(run.scenario)} and "
        f"{'one replicate' if replicates == 1 else f'{replicates} replicates'}. Another seed draws other people; a "
        "conclusion that matters should hold on several."
    )
    if run.scenario.clients_per_therapist > 1:
        said.append("Clients who share a therapist are counted as independent, so the intervals are somewhat too narrow.")
    return said


def _each(scenario: Scenario) -> str:
    return "of each kind" if scenario.design == "crossed" else "in each arm"


def _chance_of(run: Run, c: Contrast) -> str:
    digits = 2 if c.unit == "points" else 1
    between = f"{c.high} and {c.low}{f' {c.role}s' if c.role else ''}"
    if run.scenario.design == "arms":
        between = f"{arm_name(c.high)} and {arm_name(c.low)}"
    n = run.scenario.clients_per_arm
    said = f"Between {between} the interval reaches {number(c.half, digits)} {c.unit} either way"
    if not c.clear:
        needed = math.ceil(n * (c.half / abs(c.mean)) ** 2) if c.mean else 0
        would = f"about {_round_up(needed):,} clients {_each(run.scenario)} would show it"
        enough = f"; if it is as large as it looks, {would}" if needed > n else ""
        return f"{said} and includes zero: this run cannot tell the difference of {number(c.mean, digits)} from none{enough}."
    return (
        f"{said}, {percent(c.half / abs(c.mean))} of the difference of {number(c.mean, digits)}. To halve it would take "
        f"{TO_HALVE} times as many clients: {TO_HALVE * n:,} {_each(run.scenario)}."
    )


def _round_up(n: int) -> int:
    """Up to two leading digits, since more would pretend to be exact."""
    step = 10 ** max(len(str(n)) - 2, 0)
    return -(-n // step) * step


def conflicts(run: Run, claims: Iterable[Involved]) -> list[str]:
    """Findings that speak against what this run rests on: disputed claims, and what studies find where this run finds more."""
    said = [f"{one.claim.id}: {one.claim.disputed}" for one in claims if one.claim.disputed]
    share = measures.alliance_share_between_arms(run)
    if any(lever.differs and lever.kind in ("client", "therapist") for lever in levers(run.scenario)) and not np.isnan(share):
        said.append(
            f"In published studies general attachment explains {PUBLISHED_SHARE} of the differences in alliance; in this run "
            f"{'the pairings' if run.scenario.design == 'crossed' else 'the arms'}, which differ in attachment, account for "
            f"{'less than 1 %' if share < 0.01 else percent(share)}."
        )
    return said


def design(run: Run) -> list[str]:
    """What the design decides before anything is simulated."""
    if run.scenario.design == "clinic":
        return doubts_clinic.design(run)
    scenario = run.scenario
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    said = []
    if scenario.design == "crossed" and len({arm.cohort for arm in scenario.arms}) > 1:
        said.append("All kinds of client are equally frequent, as in no clinic: averages over them are not a population's.")
    if scenario.design == "crossed":
        said.append(
            "A client's therapists are copies of one person who differ in attachment alone. Real therapists differ in skill, "
            "warmth and experience as well, which would hide part of what is seen here."
        )
    if any(_chosen(arm.therapist) for arm in treated):
        said.append("Therapists were chosen for their attachment, not drawn as they come; extreme kinds are rare in practice.")
    if scenario.design == "arms" and any(_chosen(arm.client) for arm in scenario.arms):
        said.append("Clients were chosen for their attachment: the answer is about them, not about everybody who seeks help.")
    if treated and len(treated) == len(scenario.arms):
        said.append("There is no untreated arm, so nothing here is an effect of therapy as such.")
    if any(arm.client.selected for arm in scenario.arms):
        said.append("Clients come when they feel worst, as in real intake: part of any fall in distress is a return to normal.")
    if treated and len({arm.sessions for arm in treated}) == 1:
        after = scenario.follow_up_months
        later = f"{after} months of follow-up" if after else "no follow-up: what lasts is not asked"
        said.append(f"{treated[0].sessions} weekly sessions are planned, with {later}.")
    if treated and scenario.clients_per_therapist == 1:
        said.append("Every client has a therapist of their own, so nothing is said about caseloads.")
    return said


def _chosen(person: Attachment | None) -> bool:
    return person is not None and person.kind != "population"
