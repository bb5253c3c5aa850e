"""What one would write in a table about a clinic: people, arms compared, flow, therapists, follow-up, years.

Clients of one clinic share therapists and a queue, so they are not independent: every measure is taken in each replicate first,
and intervals are 95 % intervals of the mean over replicates (Student's t; missing with one replicate). Arms share people and
random draws, so differences are taken replicate by replicate, against the first arm that has therapists.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE, SINCE_ARRIVAL, known_measures
from sim.measures.courses import once_a_run
from sim.measures.intervals import mean_interval, mean_intervals
from sim.measures.persons import (
    COMPARED,
    GAVE_UP,
    LATER_ASKED,
    LEFT,
    ONE_CLINIC,
    ONE_PERSON,
    RELIABLE_CHANGE,
    WEEKS_PER_YEAR,
    compared,
    finished,
    last_beginning,
    people,
    reference,
    unseen_arms,
    without_therapists,
)
from sim.therapy.clinic.states import FOLLOW_UPS
from sim.therapy.course import WEEKS_PER_MONTH

if TYPE_CHECKING:
    from sim.simulation.tables import Run

__all__ = [
    "EARLY_SESSION",
    "RELIABLE_CHANGE", "WEEKS_PER_YEAR",
    "by_replicate", "compared", "finished", "flow", "follow_up",
    "handed_over", "last_beginning", "off_track", "over_years", "pair_compatibility", "people",
    "reference", "rules_compared", "waiting_times", "without_therapists",
]  # fmt: skip

_BEGAN = ["therapist", "begin_week"]
#: Measures of clinics that are means over people.
OF_PEOPLE = ("alliance_all_sessions", "dropout", "distress_last_rating")
#: Session at which somebody who is no better than at the first counts as at risk.
EARLY_SESSION = 4


# -------------------------------------------------------------------------------------------------------- arms compared


@once_a_run
def by_replicate(run: Run) -> pd.DataFrame:
    """The measures of clinics in each arm and replicate (index), in their plain unit: proportions from 0 to 1."""
    everybody = people(run)
    early = everybody[everybody["arrival_week"] <= last_beginning(run.scenario)]  # nobody, where no course can end in time
    treated = outcomes_of_people(run).groupby(ONE_CLINIC)
    came = everybody.assign(lost=everybody["state"] == "lost waiting").groupby(ONE_CLINIC)
    begun = run.clients[run.clients["therapist"].notna()]
    begun = begun.assign(insecurity=begun["therapist_anxiety_0_latent"] + begun["therapist_avoidance_0_latent"])
    found = {
        **{name: treated[name].mean() for name in OF_PEOPLE},
        "weeks_waited": came["weeks_waited"].mean(), "lost_waiting": came["lost"].mean(), "helped": treated["helped"].mean(),
        "helped_of_all": early.groupby(ONE_CLINIC)["helped"].mean(),
        "helped_per_100_hours": 100.0 * treated["helped"].sum() / treated["sessions"].sum(),
        "fatigue": _by_clinic(run.therapists, "fatigue"),
        "insecurity_met": _by_clinic(begun, "insecurity"),  # of every course: a rule also decides who carries the clients
        **{f"distress_{n}_months": _distress_later(run, n) for n in SINCE_ARRIVAL},
    }  # fmt: skip
    helped = found["helped_of_all"]  # where nobody can be seen nobody is helped, by definition
    found["helped_of_all"] = helped.where(~helped.index.get_level_values("arm").isin(unseen_arms(run.scenario)))
    names = [arm.name for arm in run.scenario.arms]
    every = pd.MultiIndex.from_product([names, range(run.scenario.replicates)], names=ONE_CLINIC)
    return pd.DataFrame({name: values.reindex(every).astype(float) for name, values in found.items()}, index=every)


def outcomes_of_people(run: Run) -> pd.DataFrame:
    """The people who could finish (``finished``) with what is measured on each: ``OF_PEOPLE``, in plain units."""
    done = finished(run)
    return done.assign(
        alliance_all_sessions=done["alliance"],
        dropout=done["state"].isin(LEFT),
        distress_last_rating=done["distress_end"] - done["distress_arrival"],
    )


def _by_clinic(table: pd.DataFrame, column: str) -> pd.Series:
    if table.empty or column not in table:
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []], names=ONE_CLINIC))
    return table.assign(arm=table["arm"].astype("str")).groupby(ONE_CLINIC)[column].mean()


def _distress_later(run: Run, months: int) -> pd.Series:
    """Change in distress from arrival to so many months after it, of everybody who came that long ago, seen or not."""
    weeks = {arm.clinic.weeks for arm in run.scenario.arms if arm.clinic is not None}
    a = run.assessments
    if a.empty or min(weeks, default=0) <= months * WEEKS_PER_MONTH:
        return _by_clinic(pd.DataFrame(), "change")
    a = a.assign(arm=a["arm"].astype("str"))
    ends = [a[a["month"] == month].set_index(ONE_PERSON)["distress"] for month in (0, months)]
    return (ends[1] - ends[0]).dropna().groupby(level=ONE_CLINIC).mean()


#: Of an arm in which nobody can be seen these differ from any other by definition.
_ON_THE_LIST = ("weeks_waited", "lost_waiting")


def rules_compared(run: Run) -> pd.DataFrame:
    """One row per measure of clinics and arm: mean over replicates, interval, paired difference to the reference arm.

    Values are in the units of the catalogue (percentages, not shares). See ``compared`` for the columns.
    """
    table, parts = by_replicate(run), []
    unseen = unseen_arms(run.scenario)
    for name in known_measures(clinic=True):
        if table[name].notna().any():
            m = CATALOGUE[name]
            part = compared(m.scale * table[name], run.scenario).assign(measure=name)
            if name in _ON_THE_LIST:
                part.loc[part["arm"].isin(unseen), ["difference", "difference_low", "difference_high"]] = np.nan
            parts.append(part.assign(**{end: part[end].clip(m.least, m.most) for end in ("low", "high")}))
    columns = ["measure", *COMPARED]
    return pd.concat(parts)[columns].reset_index(drop=True) if parts else pd.DataFrame(columns=columns)


# ----------------------------------------------------------------------------------------------------- flow and waiting


def flow(run: Run) -> pd.DataFrame:
    """Weekly counts of each arm, mean over replicates: one row per arm and week, columns as in the table ``clinic``."""
    counts = run.clinic.assign(arm=run.clinic["arm"].astype("str")).drop(columns="replicate") if len(run.clinic) else run.clinic
    if counts.empty:
        return counts
    order = [arm.name for arm in run.scenario.arms]
    return counts.groupby(["arm", "week"]).mean().reindex(order, level="arm").reset_index()


def waiting_times(run: Run) -> pd.DataFrame:
    """Weeks from arrival to the first course, by the quarter of a year in which people came: one row per arm and quarter.

    ``quarter`` from 1 and ``week`` its middle; ``mean`` with interval of those who began; ``began`` and ``lost``: proportion of
    those who came then. Of late quarters only those who had to wait little have begun: look at ``began``."""
    p = people(run)
    p = p.assign(quarter=(p["arrival_week"] - 1) // 13 + 1, had=p["begin_week"].notna(), lost=p["state"] == "lost waiting")
    p["of_those"] = p["weeks_waited"].where(p["had"])
    each = p.groupby(["arm", "quarter", "replicate"])[["of_those", "had", "lost"]].mean()
    shares = each[["had", "lost"]].groupby(level=["arm", "quarter"]).mean().rename(columns={"had": "began"})
    found = mean_intervals(each, ["arm", "quarter"], "of_those").join(shares).reset_index()
    found = found.assign(week=13 * found["quarter"] - 6)
    return found[["arm", "quarter", "week", "mean", "low", "high", "began", "lost"]]


# ------------------------------------------------------------------------------------------------- later, and over years


def follow_up(run: Run) -> pd.DataFrame:
    """Distress and attachment at arrival, at the end of therapy and later, beside the same people where nobody is seen.

    One row per arm with therapists, ``measure`` (distress in CORE-OM points, anxiety, avoidance in ECR points) and ``when``
    (arrival, end, 6 months, 12 months): ``mean`` and ``untreated`` over replicates, ``difference`` (with minus without, person
    by person) with ``low`` and ``high``, ``people``: how many. The same people at every time: those whose therapy ended so early
    that the last time could be asked. Who is untreated has the monthly questionnaire nearest to that week. Missing values
    where there is no such arm, or no monthly questionnaires were kept.
    """
    alone, last = without_therapists(run.scenario), run.clients.sort_values([*ONE_PERSON, "course"], kind="stable")
    last = last.assign(arm=last["arm"].astype("str")).drop_duplicates(ONE_PERSON, keep="last")
    last = last[last["ending"].isin(["planned", "improved", "dropout"])]
    times = [when for when in LATER_ASKED if last[f"distress_{LATER_ASKED[when]}"].notna().any()]
    if times:
        last = last[last[f"distress_{LATER_ASKED[times[-1]]}"].notna()]
    last = last[~last["arm"].isin(unseen_arms(run.scenario))]
    monthly = run.assessments[run.assessments["arm"] == alone].set_index(["replicate", "client", "month"])
    came = run.clients[run.clients["arm"] == alone].set_index(["replicate", "client"])
    who, parts = [last["replicate"], last["client"]], []
    measures = (("distress", ""), ("anxiety", "client_"), ("avoidance", "client_"))
    for (measure, prefix), when in product(measures, ["arrival", "end", *times]):
        weeks = last["end_week"] - last["arrival_week"] + FOLLOW_UPS.get(LATER_ASKED.get(when, ""), 0)
        if when == "arrival":
            there = came[f"{prefix}{measure}_arrival"].reindex(pd.MultiIndex.from_arrays(who)).to_numpy()
        else:
            months = np.rint(weeks / WEEKS_PER_MONTH).astype("int64")
            there = monthly[measure].reindex(pd.MultiIndex.from_arrays([*who, months])).to_numpy()
        value = last[f"{prefix}{measure}_{LATER_ASKED.get(when, when)}"]
        each = last[ONE_CLINIC].assign(measure=measure, when=when, value=value, untreated=there, apart=value - there)
        parts.append(each.groupby(["arm", "measure", "when", "replicate"])[["value", "untreated", "apart"]].mean())
    each, key = pd.concat(parts), ["arm", "measure", "when"]
    means = each.groupby(key, sort=False)[["value", "untreated"]].mean().rename(columns={"value": "mean"})
    apart = mean_intervals(each, key, "apart").rename(columns={"mean": "difference"})
    found = means.join(apart).reset_index().assign(people=lambda rows: rows["arm"].map(last["arm"].value_counts()))
    order = {arm.name: i for i, arm in enumerate(run.scenario.arms)}
    found = found.sort_values("arm", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return found[["arm", "measure", "when", "mean", "untreated", "difference", "low", "high", "people"]]


def over_years(run: Run) -> pd.DataFrame:
    """Attachment of the therapists in post at the end of each year of a clinic, and the alliance of clients who began in it.

    One row per ``what`` (anxiety, avoidance: ECR 1-7, latent; alliance: WAI 1-7), arm and ``year`` (0: the first week; no
    alliance then): columns of ``compared``, and ``change`` since the first year shown, with ``change_low`` and ``change_high``.
    Only years whose beginners had time to finish count for the alliance.
    """
    t = run.therapists.assign(arm=run.therapists["arm"].astype("str")) if len(run.therapists) else run.therapists
    done, out = finished(run), []
    done = done.assign(year=((done["begin_week"] - 1) // WEEKS_PER_YEAR + 1).astype(int))
    weeks = max((arm.clinic.weeks for arm in run.scenario.arms if arm.clinic is not None), default=0)
    ends = {0: 1, **{year: WEEKS_PER_YEAR * year for year in range(1, weeks // WEEKS_PER_YEAR + 1)}}
    each = {year: done[done["year"] == year].groupby(ONE_CLINIC)["alliance"] for year in sorted(set(done["year"]))}
    found = {("alliance", year): part.mean() for year, part in each.items()}
    if len(t):
        found |= {(what, year): t[t["week"] == week].groupby(ONE_CLINIC)[what].mean() for what in ("anxiety", "avoidance")
                  for year, week in ends.items()}  # fmt: skip
    for (what, year), values in found.items():
        first = found[what, min(y for w, y in found if w == what)]
        change = mean_intervals((values - first).rename("change").reset_index(), ["arm"], "change")
        change = change[["mean", "low", "high"]].set_axis(["change", "change_low", "change_high"], axis="columns")
        out.append(compared(values, run.scenario).assign(what=what, year=year).join(change, on="arm"))
    columns = ["what", "year", *COMPARED, "change", "change_low", "change_high"]
    return pd.concat(out, ignore_index=True)[columns] if out else pd.DataFrame(columns=columns)


# --------------------------------------------------------------------------------------------- pairs, and who is at risk


def pair_compatibility(run: Run) -> pd.DataFrame:
    """Whether people who are alike in attachment do better together: one row per arm, columns of ``compared``.

    In each replicate the correlation of the alliance of a course with the product of both people's attachment (anxiety times
    anxiety plus avoidance times avoidance, each from its mean), once the four scores' own effects are taken out. Above 0: similar
    pairs have the better alliance; below 0: dissimilar ones.
    """
    rows = run.clients[run.clients["wai_client_mean"].notna()]
    found = {}
    for (arm, replicate), part in rows.groupby(ONE_CLINIC, observed=True):
        scores = [part[f"{role}_{name}_0_latent"] for name in ("anxiety", "avoidance") for role in ("client", "therapist")]
        a, b, c, d = (np.asarray(s - s.mean(), float) for s in scores)
        if len(part) > 10:
            own = np.column_stack([np.ones(len(part)), a, b, c, d])
            rest = [
                y - own @ np.linalg.lstsq(own, y, rcond=None)[0] for y in (a * b + c * d, part["wai_client_mean"].to_numpy(float))
            ]
            found[str(arm), replicate] = float(np.corrcoef(*rest)[0, 1]) if min(r.std() for r in rest) > 1e-9 else np.nan
    index = pd.MultiIndex.from_tuples(found, names=ONE_CLINIC) if found else pd.MultiIndex.from_arrays([[], []], names=ONE_CLINIC)
    return compared(pd.Series(list(found.values()), index=index, dtype=float), run.scenario)


def off_track(run: Run) -> pd.DataFrame:
    """Dropout and change in distress of people at risk and of the others, the same people in every arm.

    At risk: who, in the arm without feedback, rated distress at the fourth session no lower than at the first. Only people who
    came to a fourth session in every arm are compared: being asked then must not depend on the arm. One row per
    ``group`` (at risk, others), ``measure`` (dropout in %, distress_last_rating) and arm, with the columns of ``compared`` and
    ``people``; empty where no arm differs in feedback or sessions were not kept.
    """
    usual = next((a.name for a in run.scenario.arms if a.clinic is not None and not a.clinic.feedback), None)
    if usual is None or run.sessions.empty or not any(a.clinic is not None and a.clinic.feedback for a in run.scenario.arms):
        return pd.DataFrame(columns=["group", "measure", "arm", "mean", "low", "high", "difference"])
    s = run.sessions[(run.sessions["arm"] == usual) & run.sessions["session"].isin([1, EARLY_SESSION])]
    s = s.sort_values("week", kind="stable").drop_duplicates(["replicate", "client", "session"])
    wide = (
        s.pivot(index=["replicate", "client"], columns="session", values="distress").reindex(columns=[1, EARLY_SESSION]).dropna()
    )
    risk = (wide[EARLY_SESSION] >= wide[1]).rename("at_risk").reset_index()
    done = outcomes_of_people(run)
    asked = done[done["sessions"] >= EARLY_SESSION].groupby(["replicate", "client"])["arm"].nunique()
    everywhere = asked[asked == len(run.scenario.arms) - len(unseen_arms(run.scenario))].index
    done = done.merge(risk, on=["replicate", "client"])
    done = done[pd.MultiIndex.from_frame(done[["replicate", "client"]]).isin(everywhere)]
    parts = []
    for group, at_risk in (("at risk", True), ("others", False)):
        mine = done[done["at_risk"] == at_risk]
        for measure in OF_PEOPLE[1:]:
            each = compared(CATALOGUE[measure].scale * mine.groupby(ONE_CLINIC)[measure].mean(), run.scenario)
            parts.append(
                each.assign(group=group, measure=measure, people=mine.groupby("arm").size().reindex(each["arm"]).to_numpy())
            )
    return pd.concat(parts, ignore_index=True)


def handed_over(run: Run, against: str | None = None) -> pd.DataFrame:
    """What became of clients whose therapist left, beside the same people in another arm.

    Compared are people who began in the same week with the same therapist in both arms, so that their courses were alike until
    the therapist left. One row per other arm in which anybody's therapist left, and ``measure`` (alliance_all_sessions, dropout
    in %, distress_last_rating): ``mean`` there, ``usual`` in the arm ``against`` (default: the reference), ``difference``,
    ``low`` and ``high`` over replicates, ``people``, and ``share``: of those who began (0-1), and ``gave_up``: of these, who have
    had no other therapist. Alliance is over all sessions of a person, with either therapist; giving up between two counts as
    dropping out.
    """
    done, key, rows = outcomes_of_people(run), ["replicate", "client"], []
    scales = pd.Series({name: CATALOGUE[name].scale for name in OF_PEOPLE})
    other = reference(run.scenario) if against is None else against
    usual = done[done["arm"] == other].set_index(key)
    for arm in run.scenario.arms:
        began = done[done["arm"] == arm.name]
        mine = began[(began["courses"] > 1) | began["state"].isin(["between", GAVE_UP])].set_index(key)
        both = mine.index.intersection(usual.index)
        both = both[(mine.loc[both, _BEGAN].to_numpy() == usual.loc[both, _BEGAN].to_numpy()).all(axis=1)]
        if arm.name == other or not len(both):
            continue
        here, there = (scales * table.loc[both, [*OF_PEOPLE]].groupby(level="replicate").mean() for table in (mine, usual))
        for measure in OF_PEOPLE:
            apart = mean_interval(here[measure] - there[measure])
            rows.append({"arm": arm.name, "measure": measure, "mean": here[measure].mean(), "usual": there[measure].mean(),
                         "difference": apart["mean"], "low": apart["low"], "high": apart["high"], "people": len(both),
                         "share": len(mine) / len(began), "gave_up": float((mine["state"] == GAVE_UP).mean())})  # fmt: skip
    columns = ["arm", "measure", "mean", "usual", "difference", "low", "high", "people", "share", "gave_up"]
    return pd.DataFrame(rows, columns=columns)
