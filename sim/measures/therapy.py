"""What one would write in a table: measures of a run, each a function ``Run -> float`` or ``Run -> DataFrame``.

Intervals are 95 % intervals of a mean over clients (Student's t). A client counts once per replicate. Where one
therapist sees several clients, these intervals are somewhat too narrow, since such clients have something in common.
Of a clinic a person counts once, however many courses they had; what is particular to clinics is in ``measures/clinics.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import OF_CLINICS
from sim.measures.change import (
    anxiety_change,
    assessed_change,
    avoidance_change,
    distress_change,
    effect_over_untreated,
    pre_post_d,
    untreated_differences,
)
from sim.measures.clinics import people, rules_compared
from sim.measures.courses import COURSE, mean_of, sessions_in_order, treated
from sim.measures.intervals import difference_interval, mean_interval, single_differences
from sim.measures.intervals import overlap as overlap
from sim.scenario.arms import arm_named, arms, reference_arm, same_clients

if TYPE_CHECKING:
    from sim.simulation.tables import Run

# ---------------------------------------------------------------------------------------------------------- alliance


def late_sessions(sessions: pd.DataFrame) -> pd.Series:
    """Which rows of a session table are late: in the last third (rounded up) of the sessions that this client came to.

    >>> int(sim.measures.late_sessions(run.sessions).sum()), len(run.sessions)
    (80, 240)
    """
    held = sessions.groupby(COURSE, observed=True)["session"].transform("max")
    return sessions["session"] > held - np.ceil(held / 3)


def repaired_share(sessions: pd.DataFrame) -> pd.Series:
    """Each client's proportion of ruptures that were repaired, over these sessions; those who had none are left out.

    >>> sim.measures.repaired_share(run.sessions).between(0, 1).all().item()
    True
    """
    sums = sessions.groupby(["replicate", "client"])[["repairs", "ruptures"]].sum()
    sums = sums[sums["ruptures"] > 0]
    return sums["repairs"] / sums["ruptures"]


def courses(run: Run) -> pd.DataFrame:
    """One row per course of therapy: mean client-rated WAI over all sessions held, their first third and last third.

    The last third is that of the sessions this client came to (rounded up, at least one), so people who left early
    count as well. Columns: arm, replicate, client, sessions, wai, wai_early, wai_late.

    >>> sim.measures.courses(run).columns.tolist()
    ['arm', 'replicate', 'client', 'sessions', 'wai', 'wai_early', 'wai_late']
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
    """For each arm: every client's mean WAI over the last third of the sessions they came to.

    Values are WAI points (1-7), by replicate and client.

    >>> {arm: round(float(wai.mean()), 1) for arm, wai in sim.measures.late_alliance(run).items()}
    {'secure therapist': 5.3, 'dismissing therapist': 4.9, 'no therapy': nan}
    """
    table = courses(run).set_index(["replicate", "client"])
    return {arm.name: table.loc[table["arm"] == arm.name, "wai_late"].astype(float) for arm in run.scenario.arms}


def mean_alliance(run: Run) -> float:
    """Mean client-rated alliance (WAI, 1-7) over all sessions held; every client counts once.

    >>> round(sim.measures.mean_alliance(run), 2)
    5.09
    """
    if run.scenario.design == "clinic":  # where each course has its mean, whether or not sessions were kept
        return mean_of(people(run)["alliance"])
    return mean_of(courses(run)["wai"])


def alliance_growth(run: Run) -> float:
    """Change in client-rated alliance (WAI points) from a client's first to last third of sessions (three sessions or more).

    >>> round(sim.measures.alliance_growth(run), 2)
    0.07
    """
    table = courses(run)
    table = table[table["sessions"] >= 3]
    return mean_of(table["wai_late"] - table["wai_early"])


def growth_by_arm(run: Run) -> dict[str, pd.Series]:
    """For each arm: every client's change in WAI from their first to their last third of sessions (three sessions or more).

    >>> list(sim.measures.growth_by_arm(run))
    ['secure therapist', 'dismissing therapist']
    """
    table = courses(run)
    table = table[table["sessions"] >= 3].set_index(["replicate", "client"])
    change = (table["wai_late"] - table["wai_early"]).astype(float)
    return {arm.name: change[table["arm"] == arm.name] for arm in run.scenario.arms if arm.therapist is not None}


def alliance_by_arm(run: Run) -> pd.DataFrame:
    """Late client-rated alliance of each arm: mean, 95 % interval, SD between clients, number.

    Returns one row an arm with columns arm, mean, low, high, sd, n (WAI, 1-7).

    >>> sim.measures.alliance_by_arm(run)[["arm", "n"]].values.tolist()
    [['secure therapist', 20], ['dismissing therapist', 20], ['no therapy', 0]]
    """
    return pd.DataFrame([{"arm": arm, **mean_interval(values)} for arm, values in late_alliance(run).items()])


def alliance_share_between_arms(run: Run) -> float:
    """Proportion of the differences between clients in late alliance that lies between the arms (eta squared, 0-1).

    >>> round(sim.measures.alliance_share_between_arms(run), 2)
    0.05
    """
    groups = [v.to_numpy() for v in (v.dropna() for v in late_alliance(run).values()) if len(v)]
    if not groups:
        return float("nan")
    every = np.concatenate(groups)
    total = float(((every - every.mean()) ** 2).sum())
    between = float(sum(g.size * (g.mean() - every.mean()) ** 2 for g in groups))
    return between / total if total > 0 else float("nan")


# ------------------------------------------------------------------------------------------------- ending and distress


def dropout_share(run: Run) -> float:
    """Proportion of people in therapy who dropped out.

    >>> sim.measures.dropout_share(run)
    0.0
    """
    return mean_of(treated(run)["ending"] == "dropout")


def sessions_attended(run: Run) -> float:
    """Mean number of sessions that people in therapy came to.

    >>> sim.measures.sessions_attended(run)
    6.0
    """
    return mean_of(treated(run)["sessions_attended"])


def ruptures_per_session(run: Run) -> float:
    """Mean number of ruptures in a session.

    >>> round(sim.measures.ruptures_per_session(run), 2)
    1.12
    """
    if run.scenario.design == "clinic":  # likewise
        held = run.clients["sessions_attended"].sum()
        return float(run.clients["ruptures_total"].sum() / held) if held else float("nan")
    return mean_of(run.sessions["ruptures"])


# ----------------------------------------------------------------------------------------------------------- tables


def pairings(run: Run) -> pd.DataFrame:
    """One row per arm: late alliance with interval, SD and overlap with the reference arm; dropout; change in distress.

    ``overlap`` is with ``reference_arm``; ``difference_from_no_treatment`` is missing where no arm leaves the same people
    untreated.

    >>> sim.measures.pairings(run)[["arm", "dropout"]].values.tolist()[0]
    ['secure therapist', 0.0]
    """
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
                "dropout": mean_of(mine["ending"] == "dropout") if therapy else np.nan,
                "improved": mean_of(mine["ending"] == "improved") if therapy else np.nan,
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

    Of a clinic: a row per measure and a column per arm, means over replicates.

    >>> list(sim.measures.answer_table(run).columns)[:3]
    ['arm', 'clients', 'late alliance (WAI 1-7)']
    """
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

    >>> sim.measures.paired_differences(run)[["arm", "reference"]].values.tolist()
    [['dismissing therapist', 'secure therapist']]
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
