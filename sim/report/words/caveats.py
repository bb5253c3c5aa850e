"""What would change the answer of a run: chance, findings that conflict, and the design. (Assumptions: ``basis``.)

What is said stands in ``templates/caveats.j2``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from sim import measures
from sim.measures import clinics as cm
from sim.measures.contrasts import Contrast, alliance_contrasts, untreated_contrasts
from sim.report.figures.clinic.asked import is_contested, plans, treating
from sim.report.text import excludes_zero, sentences
from sim.report.words.basis import Involved, levers
from sim.report.words.experiments import pushed
from sim.simulation.tables import Run
from sim.therapy.clinic.matching import ORACLE
from sim.therapy.training import PROGRAMMES

#: Half the width of an interval shrinks with the root of the number of clients, or of replicates.
TO_HALVE = 4
#: What studies of general attachment find it to explain of the differences in alliance (README, "What this is not").
PUBLISHED_SHARE = "2-3 %"
#: What clients are counted in.
EACH = {"crossed": "of each kind", "arms": "in each arm"}
#: Most comparisons of which one in twenty is certain by chance.
ONE_IN = 20


_say = partial(sentences, "caveats.j2")


def sampling(run: Run) -> list[str]:
    """How wide the intervals are beside the differences that the answer speaks of, and how many clients would do better."""
    s = run.scenario
    this_run: dict[str, Any] = {"seed": run.seed, "replicates": s.replicates, "to_halve": TO_HALVE}
    if s.design == "clinic":
        return _sampling_of_a_clinic(run, this_run)
    found = [*([] if pushed(run) else alliance_contrasts(run)), *untreated_contrasts(run)[-1:]]
    said = [sentence for c in found if c.half > 0 for sentence in of_a_contrast(run, c)]
    picked = max((c.picked_from for c in found if c.picked_from > 2 and c.half > 0), default=0)
    this_run |= {"n": s.clients_per_arm, "each": EACH[run.scenario.design], "sharing": s.clients_per_therapist > 1}
    return [*said, *_say("people", picked=picked, nothing=not found, **this_run)]


def of_a_contrast(run: Run, c: Contrast) -> list[str]:
    """How far its interval reaches, and how many clients would tell more."""
    n, mean = run.scenario.clients_per_arm, c.found["mean"]
    needed = math.ceil(n * (c.half / abs(mean)) ** 2) if mean else 0
    arms = run.scenario.design == "arms"
    return _say("contrast", c=c, clear=excludes_zero(c.found), arms=arms, n=n, each=EACH[run.scenario.design], to_halve=TO_HALVE,
                needed=rounded_up(needed) if needed > n else 0)  # fmt: skip


def rounded_up(n: int) -> int:
    """Up to two leading digits, since more would pretend to be exact."""
    step = 10 ** max(len(str(n)) - 2, 0)
    return -(-n // step) * step


def _sampling_of_a_clinic(run: Run, this_run: dict[str, Any]) -> list[str]:
    """How many replicates there are, how wide the widest difference is, and how many comparisons were made."""
    table = cm.rules_compared(run)
    apart = table[table["difference_low"].notna() & table["arm"].isin(treating(run))].to_dict("records")
    rated = [row for row in apart if row["measure"] == "alliance_all_sessions"]
    widest = max(rated, key=lambda r: r["difference_high"] - r["difference_low"]) if rated else None
    certain = sum(excludes_zero(row, "difference") for row in apart)
    return _say("clinics", usual=cm.reference(run.scenario), widest=widest, compared=len(apart), certain=certain,
                by_chance=len(apart) / ONE_IN, **this_run)  # fmt: skip


def conflicts(run: Run, claims: Iterable[Involved]) -> list[str]:
    """Findings that speak against what this run rests on: disputed claims, and what studies find where this run finds more."""
    said = [f"{one.claim.id}: {one.claim.disputed}" for one in claims if one.claim.disputed]
    share = measures.alliance_share_between_arms(run)
    if any(lever.differs and lever.kind in ("client", "therapist") for lever in levers(run.scenario)) and not np.isnan(share):
        said += _say("share", published=PUBLISHED_SHARE, crossed=run.scenario.design == "crossed", share=share)
    return said


def design(run: Run) -> list[str]:
    """What the design decides before anything is simulated."""
    s = run.scenario
    selected = any(arm.client.selected for arm in s.arms)
    if s.design == "clinic":
        return _design_of_a_clinic(run, selected)
    treated = [arm for arm in s.arms if arm.therapist is not None]
    therapists, clients = [arm.therapist for arm in treated if arm.therapist is not None], [arm.client for arm in s.arms]
    lengths = {arm.sessions for arm in treated}
    return _say(
        "design", crossed=s.design == "crossed", cohorts=len({arm.cohort for arm in s.arms}), selected=selected,
        therapists_chosen=any(one.kind != "population" for one in therapists),
        clients_chosen=any(one.kind != "population" for one in clients),
        all_treated=bool(treated) and len(treated) == len(s.arms), sessions=lengths.pop() if len(lengths) == 1 else 0,
        after=s.follow_up_months, one_each=bool(treated) and s.clients_per_therapist == 1,
    )  # fmt: skip


def _design_of_a_clinic(run: Run, selected: bool) -> list[str]:
    """What is decided before anything is simulated, and what is assumed of this kind of clinic."""
    there, waits = plans(run), cm.by_replicate(run)["weeks_waited"]
    taught = dict.fromkeys(name for plan in there.values() for name in plan.training if name in PROGRAMMES)
    return _say(
        "clinic", treating=bool(there), unseen=cm.without_therapists(run.scenario) is not None,
        oracle=any(plan.matching == ORACLE for plan in there.values()),
        seeing=[arm for arm, plan in there.items() if plan.matching in ("similar", "dissimilar", "secure_to_insecure")],
        taught={name: PROGRAMMES[name] for name in taught}, contested=is_contested(run),
        feedback=any(plan.feedback for plan in there.values()), turnover=any(plan.turnover for plan in there.values()),
        waits=bool(waits.max() >= 0.5), leave=any(plan.leave_prob > 0 for plan in there.values()), selected=selected,
    )  # fmt: skip
