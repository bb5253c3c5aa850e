"""What an answer compares: the most and the least favourable groups, arms against no therapy, and what people change by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from sim.measures.change import untreated_differences
from sim.measures.courses import treated
from sim.measures.intervals import difference_interval, mean_interval
from sim.measures.outcomes import by_arm
from sim.measures.therapy import pairings
from sim.scenario.arms import arms, reference_arm, same_clients

if TYPE_CHECKING:
    from sim.simulation.tables import Run


@dataclass(frozen=True)
class Contrast:
    """A difference that an answer speaks of: what is higher than what, by how much, over how many clients."""

    high: str
    low: str
    found: Mapping[str, float]  # mean, low, high
    n: int
    unit: str = "points"
    role: str = ""  # whose kinds are compared, where kinds of people are
    picked_from: int = 2  # from how many groups the two extremes were picked

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval."""
        return (self.found["high"] - self.found["low"]) / 2


def alliance_contrasts(run: Run) -> list[Contrast]:
    """The differences in late alliance that answer the question: between kinds of client and of therapist in a crossed
    design, else between the arms with the highest and the lowest mean."""
    late = {name: values for name, values in by_arm(run, "alliance").items() if len(values)}
    if len(late) < 2:
        return []
    if run.scenario.design != "crossed":
        first, *others = (arm for arm in run.scenario.arms if arm.name in late)
        return [_between(late, all(same_clients(first, other) for other in others))]
    table = arms(run.scenario)
    found = []
    for role in ("client", "therapist"):
        # The most and the least favourable kind of client (or therapist), averaged over those they meet.
        groups = {
            str(kind): pd.concat([late[arm] for arm in part["arm"]]).groupby(level=[0, 1]).mean()
            for kind, part in table[table["arm"].isin(late)].groupby(role, sort=False)
        }
        if len(groups) > 1:
            found.append(replace(_between(groups, paired=role == "therapist"), role=role))
    return found


def _between(groups: Mapping[str, pd.Series], paired: bool) -> Contrast:
    ordered = sorted(groups, key=lambda name: float(groups[name].mean()))
    low, high = ordered[0], ordered[-1]
    row = difference_interval(groups[high], groups[low], paired=paired)
    return Contrast(high, low, row, int(row["n"]), picked_from=len(groups))


def untreated_contrasts(run: Run) -> list[Contrast]:
    """By how many CORE-OM points each arm's distress has fallen below that of the same people without therapy, least first."""
    rows = {arm: mean_interval(-values) for arm, values in untreated_differences(run).items()}
    found = [Contrast(arm, "no therapy", row, int(row["n"]), "CORE-OM points") for arm, row in rows.items()]
    return sorted(found, key=lambda c: c.found["mean"])


def spread_within(run: Run) -> float:
    """SD of single clients' late alliance within one arm, pooled over the arms."""
    spreads = pairings(run)["wai_sd"].dropna()
    return float(np.sqrt((spreads**2).mean())) if len(spreads) else float("nan")


def raw_change(run: Run) -> dict[str, Any] | None:
    """Change in distress from intake to the last rating, where it cannot be compared with no therapy: mean, interval.

    ``arm``: of which arm: all pairings together (""), else the reference, since a mean over arms in which different things are
    done to people would be nobody's. A client in several arms counts once in the interval. ``in_sd``: in SD of intake distress.
    """
    people, arm = treated(run), ""
    if run.scenario.design != "crossed" and people["arm"].nunique() > 1:
        arm = reference_arm(run.scenario, run.scenario.arms[0].name)
        people = people[people["arm"] == arm]
    if people.empty:
        return None
    change = people["distress_end"] - people["distress_0"]
    found = mean_interval(change.groupby([people["replicate"], people["client"]]).mean()) | {"mean": float(change.mean())}
    spread = people["distress_0"].std(ddof=1) if len(people) > 1 else np.nan
    return {**found, "arm": arm, "in_sd": abs(found["mean"]) / spread if spread > 0 else np.nan}


def of_a_history(run: Run, arm: str) -> dict[str, dict[str, float]]:
    """Where the people of an arm stand in attachment to the therapist after its last session, and by how much bids and what is
    shown of arousal change from the first, person by person: ``anxiety``, ``avoidance``, ``bids``, ``shown``, with intervals."""
    rows = run.sessions[run.sessions["arm"] == arm]
    rows = rows.assign(shown=rows["expression"] - rows["client_limbic"]).set_index(["replicate", "client"])
    first, last = (rows[rows["session"] == session] for session in (rows["session"].min(), rows["session"].max()))
    ends = {name: mean_interval(last[f"{name}_to_therapist_latent"]) for name in ("anxiety", "avoidance")}
    change = (last[["bids", "shown"]] - first[["bids", "shown"]]).dropna()
    return {**ends, **{name: mean_interval(change[name]) for name in change}}


def exchange_change(run: Run, arm: str, reference: str, quantity: str) -> dict[str, float]:
    """By how much a quantity's mean over the exchanges of those followed differs from another arm's, client by client."""
    means = run.exchanges.groupby(["arm", "replicate", "client"], observed=True)[quantity].mean()
    return mean_interval((means[arm] - means[reference]).dropna())


def least_correlation(n: int) -> float:
    """The smallest correlation whose 95 % interval excludes zero with so many people (Fisher's z)."""
    return float(np.tanh(special.ndtri(0.975) / np.sqrt(n - 3)))
