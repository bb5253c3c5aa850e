"""What has changed by the end: distress, beside the same people without therapy, and attachment; of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.courses import mean_of, treated
from sim.measures.intervals import mean_interval
from sim.scenario.arms import arm_named, arms, untreated_arm
from sim.therapy.course import WEEKS_PER_MONTH

if TYPE_CHECKING:
    from sim.simulation.tables import Run


def distress_change(run: Run) -> float:
    """Mean change in CORE-OM points (0-40) from intake to the last rating of everybody who started therapy; negative = better.

    >>> round(sim.measures.distress_change(run), 1)
    -2.0
    """
    table = treated(run)
    return mean_of(table["distress_end"] - table["distress_0"])


def pre_post_d(run: Run) -> float:
    """Fall in distress from intake to last rating in SDs of intake distress, everybody who started therapy.

    >>> round(sim.measures.pre_post_d(run), 2)
    0.32
    """
    table = treated(run)
    spread = table["distress_0"].std(ddof=1) if len(table) > 1 else np.nan
    return -distress_change(run) / float(spread) if spread > 0 else float("nan")


def comparison_month(run: Run, arm: str) -> int:
    """The month in which an arm is compared with the untreated course: the last assessment until its planned end.

    >>> sim.measures.comparison_month(run, "secure therapist")
    1
    """
    months = run.assessments.loc[run.assessments["arm"] == arm, "month"]
    planned = arm_named(run.scenario, arm).sessions / WEEKS_PER_MONTH
    return int(months[months <= planned].max()) if len(months) else 0


def assessed_change(run: Run, arm: str) -> pd.Series:
    """Each person's change in distress (CORE-OM) from intake to the assessment at the planned end, also of those who left.

    One value a person, by replicate and client; ``arm``: its name.

    >>> sim.measures.assessed_change(run, "no therapy").size
    20
    """
    month = comparison_month(run, arm)
    return _changed_by(run, arm, month) if month else pd.Series(dtype=float)


def _changed_by(run: Run, arm: str, month: int) -> pd.Series:
    mine = run.assessments[(run.assessments["arm"] == arm) & run.assessments["month"].isin([0, month])]
    wide = mine.pivot(index=["replicate", "client"], columns="month", values="distress")
    return wide[month] - wide[0]


def untreated_differences(run: Run) -> dict[str, pd.Series]:
    """For arms with an untreated twin: each person's change in distress with therapy minus without it (CORE-OM points).

    >>> list(sim.measures.untreated_differences(run))
    ['secure therapist', 'dismissing therapist']
    """
    found = {}
    for arm in run.scenario.arms:
        twin = untreated_arm(run.scenario, arm.name)
        month = comparison_month(run, arm.name)
        if arm.therapist is not None and twin is not None and month > 0 and comparison_month(run, twin) >= month:
            there = _changed_by(run, twin, month)
            found[arm.name] = (_changed_by(run, arm.name, month) - there).dropna()
    return found


def effect_over_untreated(run: Run) -> float:
    """Change in distress with therapy minus that of the same people without it (CORE-OM points); negative = therapy helps.

    >>> round(sim.measures.effect_over_untreated(run), 1)
    -1.4
    """
    found = untreated_differences(run)
    return mean_of(pd.concat(found.values())) if found else float("nan")


def attachment_change(run: Run) -> pd.DataFrame:
    """Attachment (latent, ECR units) of groups of clients and therapists: mean at start and end, mean change, 95 % interval.

    Groups are the kinds of client and of therapist in a crossed design, else the arms.

    >>> sim.measures.attachment_change(run)[["role", "group"]].values.tolist()[0]
    ['client', 'secure therapist']
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
    """Mean change of clients' attachment anxiety over therapy (latent, ECR units).

    >>> round(sim.measures.anxiety_change(run), 3)
    -0.123
    """
    table = treated(run)
    return mean_of(table["client_anxiety_end_latent"] - table["client_anxiety_0_latent"])


def avoidance_change(run: Run) -> float:
    """Mean change of clients' attachment avoidance over therapy (latent, ECR units).

    >>> round(sim.measures.avoidance_change(run), 3)
    -0.096
    """
    table = treated(run)
    return mean_of(table["client_avoidance_end_latent"] - table["client_avoidance_0_latent"])
