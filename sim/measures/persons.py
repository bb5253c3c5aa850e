"""Who came to a clinic and what became of them: one row a person, and arms compared over replicates.

Clients of one clinic share therapists and a queue, so they are not independent: intervals are over replicates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from sim.measures.courses import once_a_run
from sim.measures.intervals import differences, mean_intervals
from sim.scenario.arms import has_therapists, reference_arm
from sim.therapy.clinic.states import FOLLOW_UPS

if TYPE_CHECKING:
    from sim.scenario.scenario import Scenario
    from sim.simulation.tables import Run

#: A person of a clinic is known by these, a clinic by the first two.
ONE_PERSON = ["arm", "replicate", "client"]
ONE_CLINIC = ["arm", "replicate"]
#: Change in CORE-OM points (0-40) that is called reliable: 5 points, as in the published evidence (evidence 12.10).
RELIABLE_CHANGE = 5.0
#: Where a person stands at the end, by how their last course ended.
STATES = {
    "planned": "planned", "improved": "improved", "dropout": "dropout", "transferred": "between", "lost_waiting": "lost waiting",
    "waiting": "waiting", "censored": "in therapy",
}  # fmt: skip
GAVE_UP = "gave up between therapists"  # told from "between" by a column of its own
#: Who began and left against plan.
LEFT = ("dropout", GAVE_UP)
WEEKS_PER_YEAR = 52
#: Room for leave beyond its mean when asking who began early enough to finish.
SLACK = 1.15
#: What is said of an arm and how it differs from the reference arm.
COMPARED = ["arm", "mean", "low", "high", "n", "difference", "difference_low", "difference_high"]
#: Times of follow-up as one says them -> as the client table does.
LATER_ASKED = {when.replace("_", " "): when for when in FOLLOW_UPS}


def reference(scenario: Scenario) -> str:
    """The arm that others are compared with: the first in which somebody can be seen, else the first."""
    return reference_arm(scenario, scenario.arms[0].name)


def unseen_arms(scenario: Scenario) -> list[str]:
    """The arms in which nobody can be seen."""
    return [arm.name for arm in scenario.arms if not has_therapists(arm)]


def without_therapists(scenario: Scenario) -> str | None:
    """The arm in which nobody is seen, if the scenario has one; the first of several."""
    return next(iter(unseen_arms(scenario)), None)


def last_beginning(scenario: Scenario) -> int:
    """The last week in which a first course can begin and still end before the clinic closes, in every arm."""
    weeks = []
    for arm in scenario.arms:
        if arm.clinic is not None and has_therapists(arm):
            needed = SLACK * arm.sessions * arm.clinic.session_every / max(1.0 - arm.clinic.leave_prob, 0.05)
            weeks.append(arm.clinic.weeks - math.ceil(needed))
    return min(weeks, default=0)


def people(run: Run) -> pd.DataFrame:
    """One row per person who came to a clinic (arm, replicate, client), whatever became of them.

    ``therapist``: of the first course, -1 for who had none. ``state``: where they stand at the end (``STATES``; between: their
    therapist has left, and they wait for another; or ``GAVE_UP``).
    ``weeks_waited`` before the first course (or so far, or until lost), ``weeks_waited_in_all`` with those between therapists.
    ``begin_week`` of the first and ``end_week`` of the last course, ``courses``, ``sessions`` of all. Distress (CORE-OM) at
    arrival, at the end of the last course, and 6 and 12 months later. ``alliance``: mean client-rated WAI of all sessions.
    ``helped``: had a session, and is better by ``RELIABLE_CHANGE`` or more from arrival to the end of the last course; missing
    where one of the two questionnaires is.
    """
    return _people(run).copy()


@once_a_run
def _people(run: Run) -> pd.DataFrame:
    rows = run.clients.sort_values([*ONE_PERSON, "course"], kind="stable")
    rows = rows.assign(arm=rows["arm"].astype("str"))
    attended = rows["sessions_attended"].fillna(0)
    with_rating = attended.where(rows["wai_client_mean"].notna(), 0.0)
    rated, courses = rows["wai_client_mean"] * attended, rows["course"].notna().astype(int)
    rows = rows.assign(sessions=attended, rated=rated, with_rating=with_rating, courses=courses)
    sums = rows.groupby(ONE_PERSON)[["sessions", "rated", "with_rating", "courses", "weeks_waited"]].sum()
    first, last = (rows.drop_duplicates(ONE_PERSON, keep=which).set_index(ONE_PERSON) for which in ("first", "last"))
    order = first.index
    sums, last = sums.loc[order], last.loc[order]
    ending = last["ending"].astype("str")
    asked_later = {f"distress_{when}": last[f"distress_{when}"] for when in LATER_ASKED.values()}
    table = pd.DataFrame(
        {
            "therapist": first["therapist"].astype("Int64").fillna(-1).astype("int64"),
            "style": first["client_style"].astype("str"),
            "state": ending.map(STATES).fillna(ending).where(last["gave_up_between"].fillna(0) == 0, GAVE_UP),
            "arrival_week": first["arrival_week"], "begin_week": first["begin_week"], "end_week": last["end_week"],
            "weeks_waited": first["weeks_waited"], "weeks_waited_in_all": sums["weeks_waited"], "courses": sums["courses"],
            "sessions": sums["sessions"], "distress_arrival": first["distress_arrival"], "distress_end": last["distress_end"],
            **asked_later, "alliance": sums["rated"] / sums["with_rating"].where(sums["with_rating"] > 0),
        }
    )  # fmt: skip
    better = table["distress_arrival"] - table["distress_end"] >= RELIABLE_CHANGE
    seen = table["sessions"] > 0
    helped = better & seen
    unknown = seen & table[["distress_arrival", "distress_end"]].isna().any(axis=1)
    return table.assign(helped=helped.astype(float).where(~unknown) if unknown.any() else helped).reset_index()


def finished(run: Run) -> pd.DataFrame:
    """The people who had a session and began early enough to finish, in every arm alike; all who began, where nobody did."""
    everybody = people(run)
    began = everybody[everybody["sessions"] > 0]
    early = began[began["begin_week"] <= last_beginning(run.scenario)]
    return early if len(early) else began


def compared(values: pd.Series, scenario: Scenario) -> pd.DataFrame:
    """One row per arm of a value by (arm, replicate): mean with interval, and the paired difference to the reference arm.

    Columns: ``COMPARED``; ``n`` counts replicates, and the reference itself has no difference.
    """
    usual, table = reference(scenario), values.rename("value").reset_index()
    known = mean_intervals(table, ["arm"]).reindex([arm.name for arm in scenario.arms]).fillna({"n": 0}).astype({"n": int})
    apart = differences(table[table["arm"] == usual].drop(columns="arm"), table[table["arm"] != usual], ["arm"]).set_index("arm")
    ends = apart[["difference", "low", "high"]].rename(columns={"low": "difference_low", "high": "difference_high"})
    return known.join(ends).reset_index()[COMPARED]
