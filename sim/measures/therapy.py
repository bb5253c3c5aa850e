"""What one would write in a table: measures of a run, each a function ``Run -> float`` or ``Run -> DataFrame``.

Intervals are 95 % intervals of a mean over clients (Student's t). A client counts once per replicate. Where one
therapist sees several clients, these intervals are somewhat too narrow, since such clients have something in common.
Of a clinic a person counts once, however many courses they had; what is particular to clinics is in ``clinic_measures``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import OF_CLINICS
from sim.measures.clinics import people, rules_compared
from sim.measures.intervals import difference_interval, mean_interval, single_differences
from sim.measures.intervals import overlap as overlap
from sim.scenario.arms import arm_named, arms, reference_arm, same_clients, untreated_arm
from sim.therapy.course import WEEKS_PER_MONTH

if TYPE_CHECKING:
    from sim.simulation.tables import Run

#: A course of therapy is known by these.
COURSE = ["arm", "replicate", "client"]


def treated(run: Run) -> pd.DataFrame:
    """The courses of people who had therapy (at least one session).

    Of a clinic one row a person, since a course may be handed over: their last course, with the first values of all (``_0``)
    those at arrival, and the sessions of all.
    """
    if run.scenario.design != "clinic":
        return run.clients[run.clients["sessions_attended"] > 0]
    rows = run.clients.sort_values([*COURSE, "course"], kind="stable")
    sums = rows.groupby(COURSE, observed=True)["sessions_attended"].transform("sum")
    last = rows.assign(sessions_attended=sums).drop_duplicates(COURSE, keep="last")
    arrived = {f"{name}_0{kind}": last[f"{name}_arrival{kind}"] for name in _ARRIVED for kind in ("", "_latent")}
    return last.assign(**arrived)[last["sessions_attended"] > 0]


_ARRIVED = ("distress", "client_anxiety", "client_avoidance")


def sessions_in_order(run: Run) -> pd.DataFrame:
    """The table of sessions, numbered through for each person: of a clinic also across a change of therapist."""
    if run.scenario.design != "clinic" or run.sessions.empty:
        return run.sessions
    rows = run.sessions.sort_values([*COURSE, "week"], kind="stable")
    return rows.assign(session=rows.groupby(COURSE, observed=True).cumcount() + 1)


# ---------------------------------------------------------------------------------------------------------- alliance


def late_sessions(sessions: pd.DataFrame) -> pd.Series:
    """Which rows of a session table are late: in the last third (rounded up) of the sessions that this client came to."""
    held = sessions.groupby(COURSE, observed=True)["session"].transform("max")
    return sessions["session"] > held - np.ceil(held / 3)


def repaired_share(sessions: pd.DataFrame) -> pd.Series:
    """Each client's proportion of ruptures that were repaired, over these sessions; those who had none are left out."""
    sums = sessions.groupby(["replicate", "client"])[["repairs", "ruptures"]].sum()
    sums = sums[sums["ruptures"] > 0]
    return sums["repairs"] / sums["ruptures"]


def courses(run: Run) -> pd.DataFrame:
    """One row per course of therapy: mean client-rated WAI over all sessions held, their first third and last third.

    The last third is that of the sessions this client came to (rounded up, at least one), so people who left early
    count as well. Columns: arm, replicate, client, sessions, wai, wai_early, wai_late.
    """
    columns = [*COURSE, "sessions", "wai", "wai_early", "wai_late"]
    if run.sessions.empty:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    s = sessions_in_order(run)[[*COURSE, "session", "wai_client"]]
    held = s.groupby(COURSE, observed=True)["session"].transform("max")
    third = np.ceil(held / 3)
    s = s.assign(
        sessions=held,
        wai_early=s["wai_client"].where(s["session"] <= third),
        wai_late=s["wai_client"].where(late_sessions(s)),
    )
    grouped = s.groupby(COURSE, observed=True)
    return grouped.agg(
        sessions=("sessions", "first"), wai=("wai_client", "mean"), wai_early=("wai_early", "mean"), wai_late=("wai_late", "mean")
    ).reset_index()


def late_alliance(run: Run) -> dict[str, pd.Series]:
    """For each arm: every client's mean WAI over the last third of the sessions they came to."""
    table = courses(run).set_index(["replicate", "client"])
    return {arm.name: table.loc[table["arm"] == arm.name, "wai_late"].astype(float) for arm in run.scenario.arms}


def mean_alliance(run: Run) -> float:
    """Mean client-rated alliance (WAI, 1-7) over all sessions held; every client counts once."""
    if run.scenario.design == "clinic":  # where each course has its mean, whether or not sessions were kept
        return _mean(people(run)["alliance"])
    return _mean(courses(run)["wai"])


def alliance_growth(run: Run) -> float:
    """Change in client-rated alliance (WAI points) from a client's first to last third of sessions (three sessions or more)."""
    table = courses(run)
    table = table[table["sessions"] >= 3]
    return _mean(table["wai_late"] - table["wai_early"])


def growth_by_arm(run: Run) -> dict[str, pd.Series]:
    """For each arm: every client's change in WAI from their first to their last third of sessions (three sessions or more)."""
    table = courses(run)
    table = table[table["sessions"] >= 3].set_index(["replicate", "client"])
    change = (table["wai_late"] - table["wai_early"]).astype(float)
    return {arm.name: change[table["arm"] == arm.name] for arm in run.scenario.arms if arm.therapist is not None}


def alliance_by_arm(run: Run) -> pd.DataFrame:
    """Late client-rated alliance of each arm: mean, 95 % interval, SD between clients, number."""
    return pd.DataFrame([{"arm": arm, **mean_interval(values)} for arm, values in late_alliance(run).items()])


def alliance_share_between_arms(run: Run) -> float:
    """Proportion of the differences between clients in late alliance that lies between the arms (eta squared, 0-1)."""
    groups = [v.to_numpy() for v in (v.dropna() for v in late_alliance(run).values()) if len(v)]
    if not groups:
        return float("nan")
    every = np.concatenate(groups)
    total = float(((every - every.mean()) ** 2).sum())
    between = float(sum(g.size * (g.mean() - every.mean()) ** 2 for g in groups))
    return between / total if total > 0 else float("nan")


# ------------------------------------------------------------------------------------------------- ending and distress


def dropout_share(run: Run) -> float:
    """Proportion of people in therapy who dropped out."""
    return _mean(treated(run)["ending"] == "dropout")


def sessions_attended(run: Run) -> float:
    """Mean number of sessions that people in therapy came to."""
    return _mean(treated(run)["sessions_attended"])


def ruptures_per_session(run: Run) -> float:
    """Mean number of ruptures in a session."""
    if run.scenario.design == "clinic":  # likewise
        held = run.clients["sessions_attended"].sum()
        return float(run.clients["ruptures_total"].sum() / held) if held else float("nan")
    return _mean(run.sessions["ruptures"])


def distress_change(run: Run) -> float:
    """Mean change in CORE-OM points (0-40) from intake to the last rating of everybody who started therapy; negative = better."""
    table = treated(run)
    return _mean(table["distress_end"] - table["distress_0"])


def pre_post_d(run: Run) -> float:
    """Fall in distress from intake to last rating in SDs of intake distress, everybody who started therapy."""
    table = treated(run)
    spread = table["distress_0"].std(ddof=1) if len(table) > 1 else np.nan
    return -distress_change(run) / float(spread) if spread > 0 else float("nan")


def comparison_month(run: Run, arm: str) -> int:
    """The month in which an arm is compared with the untreated course: the last assessment until its planned end."""
    months = run.assessments.loc[run.assessments["arm"] == arm, "month"]
    planned = arm_named(run.scenario, arm).sessions / WEEKS_PER_MONTH
    return int(months[months <= planned].max()) if len(months) else 0


def assessed_change(run: Run, arm: str) -> pd.Series:
    """Each person's change in distress (CORE-OM) from intake to the assessment at the planned end, also of those who left."""
    month = comparison_month(run, arm)
    return _changed_by(run, arm, month) if month else pd.Series(dtype=float)


def _changed_by(run: Run, arm: str, month: int) -> pd.Series:
    mine = run.assessments[(run.assessments["arm"] == arm) & run.assessments["month"].isin([0, month])]
    wide = mine.pivot(index=["replicate", "client"], columns="month", values="distress")
    return wide[month] - wide[0]


def untreated_differences(run: Run) -> dict[str, pd.Series]:
    """For arms with an untreated twin: each person's change in distress with therapy minus without it (CORE-OM points)."""
    found = {}
    for arm in run.scenario.arms:
        twin = untreated_arm(run.scenario, arm.name)
        month = comparison_month(run, arm.name)
        if arm.therapist is not None and twin is not None and month > 0 and comparison_month(run, twin) >= month:
            there = _changed_by(run, twin, month)
            found[arm.name] = (_changed_by(run, arm.name, month) - there).dropna()
    return found


def effect_over_untreated(run: Run) -> float:
    """Change in distress with therapy minus that of the same people without it (CORE-OM points); negative = therapy helps."""
    found = untreated_differences(run)
    return _mean(pd.concat(found.values())) if found else float("nan")


# ----------------------------------------------------------------------------------------------------------- tables


def pairings(run: Run) -> pd.DataFrame:
    """One row per arm: late alliance with interval, SD and overlap with the reference arm; dropout; change in distress.

    ``overlap`` is with ``reference_arm``; ``difference_from_no_treatment`` is missing where no arm leaves the same people
    untreated."""
    late, untreated = late_alliance(run), untreated_differences(run)
    rows = []
    for arm in arms(run.scenario).to_dict("records"):
        name = arm["arm"]
        mine = run.clients[run.clients["arm"] == name]
        reference = reference_arm(run.scenario, name)
        alliance, change = mean_interval(late[name]), mean_interval(assessed_change(run, name))
        effect = mean_interval(untreated.get(name, []))
        therapy = arm["therapist"] != "none"
        rows.append(
            {
                **arm,
                "n": len(mine),
                "wai": alliance["mean"],
                "wai_low": alliance["low"],
                "wai_high": alliance["high"],
                "wai_sd": alliance["sd"],
                "overlap": np.nan if name == reference else overlap(late[name], late[reference]),
                "dropout": _mean(mine["ending"] == "dropout") if therapy else np.nan,
                "improved": _mean(mine["ending"] == "improved") if therapy else np.nan,
                "change": change["mean"],
                "change_low": change["low"],
                "change_high": change["high"],
                "difference_from_no_treatment": effect["mean"],
                "difference_from_no_treatment_low": effect["low"],
                "difference_from_no_treatment_high": effect["high"],
            }
        )
    return pd.DataFrame(rows)


def answer_table(run: Run) -> pd.DataFrame:
    """The pairings as one would print them: who meets whom, late alliance with interval and SD, overlap, dropout, distress.

    Of a clinic: a row per measure and a column per arm, means over replicates."""
    if run.scenario.design == "clinic":
        return _clinic_table(run)
    table = pairings(run)
    who = ["client", "therapist"] if run.scenario.design == "crossed" else ["arm"]
    names = {
        "n": "clients",
        "wai": "late alliance (WAI 1-7)",
        "wai_low": "95 % from",
        "wai_high": "to",
        "wai_sd": "SD between clients",
        "overlap": "overlap with reference",
        "dropout": "proportion who dropped out",
        "change": "distress change (CORE-OM)",
        "difference_from_no_treatment": "difference from no treatment",
    }
    return table[[*who, *names]].rename(columns=names).dropna(axis="columns", how="all")


def _clinic_table(run: Run) -> pd.DataFrame:
    names = [arm.name for arm in run.scenario.arms]
    came = people(run).groupby("arm").size().reindex(names, fill_value=0)
    rows: list[dict[str, Any]] = [{"measure": "people who came", **came.map("{:,}".format)}]
    for name, part in rules_compared(run).groupby("measure", sort=False):
        m = OF_CLINICS[str(name)]
        means = part.set_index("arm")["mean"].reindex(names)
        shown = {str(arm): "" if np.isnan(mean) else f"{mean:.{m.digits}f}" for arm, mean in means.items()}
        rows.append({"measure": f"{m.title} ({m.unit})", **shown})
    return pd.DataFrame(rows)


def paired_differences(run: Run) -> pd.DataFrame:
    """Late alliance of each arm minus its reference arm, person by person, where both hold the same people.

    ``mean``, ``low``, ``high``: paired difference. ``unpaired_low``, ``unpaired_high``: interval had they been different
    people. ``single_low``, ``single_high``: middle 95 % of the difference between two single clients, one from each arm.
    ``overlap``: of the two distributions.
    """
    late = late_alliance(run)
    rows = []
    for arm in arms(run.scenario).to_dict("records"):
        reference = reference_arm(run.scenario, arm["arm"])
        if arm["arm"] == reference or not same_clients(arm_named(run.scenario, arm["arm"]), arm_named(run.scenario, reference)):
            continue
        here, there = late[arm["arm"]], late[reference]
        if here.empty or there.empty:
            continue
        paired, unpaired = mean_interval((here - there).to_numpy()), difference_interval(here, there)
        single_low, single_high = single_differences(here, there)
        rows.append(
            {
                **arm,
                "reference": reference,
                "n": paired["n"],
                "mean": paired["mean"],
                "low": paired["low"],
                "high": paired["high"],
                "unpaired_low": unpaired["low"],
                "unpaired_high": unpaired["high"],
                "single_low": single_low,
                "single_high": single_high,
                "overlap": overlap(here, there),
            }
        )
    columns = [
        "arm",
        "client",
        "therapist",
        "reference",
        "n",
        "mean",
        "low",
        "high",
        "unpaired_low",
        "unpaired_high",
        "single_low",
        "single_high",
        "overlap",
    ]
    return pd.DataFrame(rows, columns=columns)


def attachment_change(run: Run) -> pd.DataFrame:
    """Attachment (latent, ECR units) of groups of clients and therapists: mean at start and end, mean change, 95 % interval.

    Groups are the kinds of client and of therapist in a crossed design, else the arms.
    """
    table = arms(run.scenario)
    crossed = run.scenario.design == "crossed"
    rows = []
    for role in ("client", "therapist"):
        groups = table.groupby(role if crossed else "arm", sort=False)["arm"].agg(list)
        for group, names in groups.items():
            people = run.clients[run.clients["arm"].isin(names)]
            people = people[people[f"{role}_anxiety_0_latent"].notna() & people[f"{role}_anxiety_end_latent"].notna()]
            if people.empty:
                continue
            row: dict[str, Any] = {"role": role, "group": group, "n": len(people)}
            for name in ("anxiety", "avoidance"):
                start, end = people[f"{role}_{name}_0_latent"], people[f"{role}_{name}_end_latent"]
                change = _change(people, end - start)
                row |= {
                    f"{name}_0": float(start.mean()),
                    f"{name}_end": float(end.mean()),
                    f"{name}_change": change["mean"],
                    f"{name}_low": change["low"],
                    f"{name}_high": change["high"],
                }
            rows.append(row)
    return pd.DataFrame(rows)


def _change(people: pd.DataFrame, change: pd.Series) -> dict[str, float]:
    """Mean change with its interval; a client who appears in several arms of a crossed design is one person."""
    return mean_interval(change.groupby([people["replicate"], people["client"]]).mean())


def anxiety_change(run: Run) -> float:
    """Mean change of clients' attachment anxiety over therapy (latent, ECR units)."""
    table = treated(run)
    return _mean(table["client_anxiety_end_latent"] - table["client_anxiety_0_latent"])


def avoidance_change(run: Run) -> float:
    """Mean change of clients' attachment avoidance over therapy (latent, ECR units)."""
    table = treated(run)
    return _mean(table["client_avoidance_end_latent"] - table["client_avoidance_0_latent"])


def _mean(values: pd.Series) -> float:
    """Mean, missing when there is nothing to average."""
    return float(values.mean()) if len(values) else float("nan")


#: The measures that are one number, by name.
MEASURES: dict[str, Callable[[Run], float]] = {
    f.__name__: f
    for f in (
        mean_alliance,
        alliance_growth,
        alliance_share_between_arms,
        dropout_share,
        sessions_attended,
        ruptures_per_session,
        distress_change,
        pre_post_d,
        effect_over_untreated,
        anxiety_change,
        avoidance_change,
    )
}
