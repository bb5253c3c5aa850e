"""What has changed by the end: distress, beside the same people without therapy, and attachment; of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.measures.courses import treated
from sim.measures.intervals import mean_interval
from sim.measures.outcomes import blocks, by_arm, person_by_person
from sim.scenario.arms import arms, untreated_arm

if TYPE_CHECKING:
    from sim.simulation.tables import Run


def pre_post_d(run: Run) -> float:
    """Fall in distress from intake to the last rating in SDs of intake distress, everybody who started therapy.

    >>> round(sim.measures.pre_post_d(run), 2)
    0.17
    """
    first = treated(run)["distress_0"]
    spread = first.std(ddof=1) if len(first) > 1 else np.nan
    return -float(pd.concat(by_arm(run, "distress_last_rating").values()).mean()) / float(spread) if spread > 0 else float("nan")


def comparison_month(run: Run, arm: str) -> int:
    """The month in which an arm is compared with the untreated course: the last assessment until its planned end.

    >>> sim.measures.comparison_month(run, "secure therapist")
    1
    """
    block = blocks(run)[arm]
    months = block.tables.get("assessments", {}).get("month", np.empty(0))
    return int(max(months[months <= block.months], default=0))


def untreated_differences(run: Run, of: str = "distress", month: int | None = None) -> dict[str, pd.Series]:
    """For arms with an untreated twin: each person's change with therapy minus without it, since intake.

    ``of``: a column of the table of assessments (CORE-OM points for distress, ECR points for attachment). ``month``: without one,
    each arm's month of comparison. Everybody who began counts, in therapy or not any more. Arms of which either of the two was
    not asked in that month are left out.

    >>> list(sim.measures.untreated_differences(run))
    ['secure therapist', 'dismissing therapist']
    >>> sim.measures.untreated_differences(run, "anxiety_latent", month=1)["secure therapist"].size
    20
    """
    found, parts = {}, blocks(run)
    for arm in run.scenario.arms:
        twin = untreated_arm(run.scenario, arm.name)
        at = comparison_month(run, arm.name) if month is None else month
        if arm.therapist is None or twin is None or at <= 0:
            continue
        here, there = (person_by_person(parts[name], parts[name].assessed_change(of, at)) for name in (arm.name, twin))
        if len(both := (here - there).dropna()):
            found[arm.name] = both
    return found


def difference_from_no_treatment(run: Run) -> float:
    """Change in distress with therapy minus that of the same people without it (CORE-OM points); negative = therapy helps.

    >>> round(sim.measures.difference_from_no_treatment(run), 1)
    0.1
    """
    found = untreated_differences(run)
    return float(pd.concat(found.values()).mean()) if found else float("nan")


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
                # A client who appears in several arms of a crossed design is one person.
                change = mean_interval((end - start).groupby([people["replicate"], people["client"]]).mean())
                row |= {f"{name}_0": float(start.mean()), f"{name}_end": float(end.mean()), f"{name}_change": change["mean"]}
                row |= {f"{name}_{end}": change[end] for end in ("low", "high")}
            rows.append(row)
    return pd.DataFrame(rows)
