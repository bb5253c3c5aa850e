"""What one would write in a table of arms outside clinics: late alliance, endings and distress, with intervals.

Intervals are 95 % intervals of a mean over clients (Student's t). A client counts once per replicate. Where one
therapist sees several clients, these intervals are somewhat too narrow, since such clients have something in common.
Of a clinic a person counts once, however many courses they had; what is particular to clinics is in ``measures/clinics.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE
from sim.measures.change import untreated_differences
from sim.measures.clinics import people, rules_compared
from sim.measures.intervals import difference_interval, mean_interval, overlap, single_differences
from sim.measures.outcomes import by_arm
from sim.scenario.arms import arm_named, arms, reference_arm, same_clients

if TYPE_CHECKING:
    from sim.simulation.tables import Run


def alliance_share_between_arms(run: Run) -> float:
    """Proportion of the differences between clients in late alliance that lies between the arms (eta squared, 0-1).

    >>> round(sim.measures.alliance_share_between_arms(run), 2)
    0.02
    """
    groups = [v.to_numpy() for v in by_arm(run, "alliance").values() if len(v)]
    if not groups:
        return float("nan")
    every = np.concatenate(groups)
    total = float(((every - every.mean()) ** 2).sum())
    between = float(sum(g.size * (g.mean() - every.mean()) ** 2 for g in groups))
    return between / total if total > 0 else float("nan")


def pairings(run: Run) -> pd.DataFrame:
    """One row per arm: late alliance with interval, SD and overlap with the reference arm; dropout; change in distress.

    ``overlap`` is with ``reference_arm``; ``difference_from_no_treatment`` is missing where no arm leaves the same people
    untreated.

    >>> sim.measures.pairings(run)[["arm", "dropout"]].values.tolist()[0]
    ['secure therapist', 0.0]
    """
    late, change, untreated = by_arm(run, "alliance"), by_arm(run, "distress_change"), untreated_differences(run)
    ended = {how: by_arm(run, how) for how in ("dropout", "improved")}
    rows = []
    for arm in arms(run.scenario).to_dict("records"):
        name = arm["arm"]
        reference = reference_arm(run.scenario, name)
        row: dict[Any, Any] = {**arm, "n": int((run.clients["arm"] == name).sum())}
        parts: dict[str, Any] = {
            "wai": late[name],
            "change": change[name],
            "difference_from_no_treatment": untreated.get(name, []),
        }
        for column, mine in parts.items():
            found = mean_interval(mine)
            row |= {column: found["mean"], **{f"{column}_{end}": found[end] for end in ("low", "high", "sd")}}
        row["overlap"] = np.nan if name == reference else overlap(late[name], late[reference])
        rows.append({**row, **{how: float(values[name].mean()) for how, values in ended.items()}})
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
        m = CATALOGUE[str(name)]
        means = part.set_index("arm")["mean"].reindex(names)
        shown = {str(arm): "" if np.isnan(mean) else f"{mean:.{m.digits}f}" for arm, mean in means.items()}
        rows.append({"measure": m.titled(), **shown})
    return pd.DataFrame(rows)


def paired_differences(run: Run) -> pd.DataFrame:
    """Late alliance of each arm minus its reference arm, person by person, where both hold the same people.

    ``mean``, ``low``, ``high``: paired difference. ``unpaired_low``, ``unpaired_high``: interval had they been different
    people. ``single_low``, ``single_high``: middle 95 % of the difference between two single clients, one from each arm.
    ``overlap``: of the two distributions.

    >>> sim.measures.paired_differences(run)[["arm", "reference"]].values.tolist()
    [['dismissing therapist', 'secure therapist']]
    """
    late, rows = by_arm(run, "alliance"), []
    for arm in arms(run.scenario).to_dict("records"):
        reference = reference_arm(run.scenario, arm["arm"])
        if arm["arm"] == reference or not same_clients(arm_named(run.scenario, arm["arm"]), arm_named(run.scenario, reference)):
            continue
        here, there = late[arm["arm"]], late[reference]
        if here.empty or there.empty:
            continue
        paired, unpaired = (difference_interval(here, there, paired=same) for same in (True, False))
        single = single_differences(here, there)
        rows.append((
            *arm.values(), reference, *(paired[name] for name in ("n", "mean", "low", "high")), unpaired["low"], unpaired["high"],
            *single, overlap(here, there),
        ))  # fmt: skip
    columns = ["arm", "client", "therapist", "reference", "n", "mean", "low", "high", "unpaired_low", "unpaired_high",
               "single_low", "single_high", "overlap"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
