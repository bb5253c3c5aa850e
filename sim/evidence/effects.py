"""What one experiment does to another thing: paired effects, client by client, of arms in which something was done.

An effect is the mean over clients of (this arm minus the reference arm) of the same people with the same luck. It is
told in SD of clients in the reference arm; its 95 % interval is that of the mean difference, in the same unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.evidence.claim_measures import quantities
from sim.evidence.origins import distance
from sim.experiments.intervals import mean_interval
from sim.experiments.measures import same_clients
from sim.theory.regions import CONTAINS, REGIONS, ROLES
from sim.theory.triangle import CORNERS, Corner

if TYPE_CHECKING:
    from sim.experiments.run import Run
    from sim.experiments.scenario import Arm

_PERSON = ["replicate", "client"]

#: What a lesion may change, in the order of the table: heading -> (columns of the session table, sign, sessions).
PROCESSES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "accuracy": (("accuracy_correlation",), 1, "late"),
    "fit": (("fit",), 1, "late"),
    "response": (("response",), 1, "late"),
    "client's arousal": (("client_limbic",), 1, "late"),
    "therapist's arousal": (("therapist_limbic",), 1, "late"),
    "client's regulation": (("regulation_client",), 1, "late"),
    "therapist's regulation": (("regulation_therapist",), 1, "late"),
    "client's security": (("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"), -1, "late"),
    "repair": (("repairs", "ruptures"), 1, "share"),
    "alliance": (("alliance_latent",), 1, "late"),
    "distress": (("distress_latent",), 1, "late"),
}


def late_sessions(run: Run, arm: Arm) -> pd.DataFrame:
    """The sessions of an arm in the last third of those planned."""
    return run.sessions[(run.sessions["arm"] == arm.name) & (run.sessions["session"] > arm.sessions - -(-arm.sessions // 3))]


def late_means(run: Run, arm: Arm, columns: tuple[str, ...]) -> pd.Series:
    """Each client's mean of these columns (each counts the same) over the last third of the planned sessions."""
    rows = late_sessions(run, arm)
    return rows[list(columns)].mean(axis=1).groupby([rows["replicate"], rows["client"]]).mean()


def repaired_share(run: Run, arm: Arm) -> pd.Series:
    """Each client's share of ruptures that were repaired, over all sessions; those who had none are left out."""
    sums = run.sessions[run.sessions["arm"] == arm.name].groupby(_PERSON)[["repairs", "ruptures"]].sum()
    sums = sums[sums["ruptures"] > 0]
    return sums["repairs"] / sums["ruptures"]


def paired(here: pd.Series, there: pd.Series) -> dict[str, float]:
    """Paired difference of two arms: in its own unit, and in SD of clients ``there`` with 95 % interval; who is in both."""
    both = pd.concat([here, there], axis=1, join="inner", keys=["here", "there"]).dropna()
    found = mean_interval(both["here"] - both["there"])
    sd = float(both["there"].std(ddof=1)) if len(both) > 1 else np.nan
    scale = sd if sd > 0 else np.nan
    return {"n": found["n"], "difference": found["mean"], "sd": sd, "effect": found["mean"] / scale,
            "low": found["low"] / scale, "high": found["high"] / scale}  # fmt: skip


def undone(run: Run) -> Arm | None:
    """The arm with therapy in which nothing is done to regions or inside the exchange: what others are compared with."""
    return next((a for a in run.scenario.arms if a.therapist is not None and not a.lesions and not a.interventions), None)


def alike(arm: Arm, reference: Arm) -> bool:
    """Whether two arms differ in nothing but what is done to regions or inside the exchange."""
    same = ("therapist", "parameters", "policies", "sessions")
    return same_clients(arm, reference) and all(getattr(arm, name) == getattr(reference, name) for name in same)


# ------------------------------------------------------------------------------------------------------- the triangle


def clamped(hold: Mapping[str, float]) -> tuple[str, str, str] | None:
    """(pushed, held, free) if one corner of the triangle is pushed and a second held; else None."""
    pushed, held = [name for name, by in hold.items() if by], [name for name, by in hold.items() if not by]
    free = [name for name in CORNERS if name not in hold]
    if set(hold) <= set(CORNERS) and (len(pushed), len(held), len(free)) == (1, 1, 1):
        return pushed[0], held[0], free[0]
    return None


def corner_means(run: Run, arm: Arm, corner: Corner) -> pd.Series:
    """Each client's late mean of a corner, in the corner's unit and direction."""
    return corner.sign * corner.per_column * late_means(run, arm, corner.columns)


def triangle(run: Run) -> pd.DataFrame:
    """Directed effects between the corners, one row per arm that pushes one corner and holds another [K23].

    ``by`` is the push in the corner's unit, ``push_sd`` what that came to in SD of clients; ``effect`` with ``low`` and
    ``high`` is what the free corner did, in SD of clients; ``difference`` the same in its unit.
    """
    usual, rows = undone(run), []
    for arm in run.scenario.arms:
        roles = clamped(arm.hold)
        if usual is None or roles is None or arm.lesions or not alike(arm, usual):
            continue
        pushed, held, free = roles
        push = paired(corner_means(run, arm, CORNERS[pushed]), corner_means(run, usual, CORNERS[pushed]))
        answer = paired(corner_means(run, arm, CORNERS[free]), corner_means(run, usual, CORNERS[free]))
        rows.append({"arm": arm.name, "pushed": pushed, "by": arm.hold[pushed], "push_sd": push["effect"], "held": held,
                     "free": free, **answer})  # fmt: skip
    return pd.DataFrame(rows, columns=["arm", "pushed", "by", "push_sd", "held", "free", *_PAIRED])


_PAIRED = ("n", "difference", "sd", "effect", "low", "high")


# ------------------------------------------------------------------------------------------------------ lesion table


def lesioned_region(arm: Arm) -> tuple[str, str, float] | None:
    """(whose, region, what is left of it) if an arm weakens one region and does nothing else; else None."""
    if len(arm.lesions) != 1 or arm.interventions or arm.therapist is None:
        return None
    ((name, left),) = arm.lesions.items()
    role, _, region = name.partition(".")
    return role, region, left


def region_order() -> tuple[tuple[str, int], ...]:
    """Every region and whole with how deep it nests: parts stand below the whole that contains them."""
    wholes = sorted(CONTAINS, key=lambda whole: -len(CONTAINS[whole]))
    found: dict[str, int] = {}

    def put(name: str, depth: int) -> None:
        if name in found:
            return
        found[name] = depth
        inner = [w for w in wholes if w != name and set(CONTAINS[w]) < set(CONTAINS.get(name, ()))]
        for part in (*inner, *CONTAINS.get(name, ())):
            put(part, depth + 1)

    parts = {part for whole in CONTAINS.values() for part in whole}
    for name in (*(r for r in REGIONS if r not in parts), *wholes):
        put(name, 0)
    return tuple(found.items())


def _process(run: Run, arm: Arm, name: str) -> pd.Series:
    columns, sign, when = PROCESSES[name]
    return repaired_share(run, arm) if when == "share" else sign * late_means(run, arm, columns)


def lesion_effects(run: Run) -> pd.DataFrame:
    """What weakening each region does to each process, one row per arm with one lesion and process [K24].

    ``own`` marks processes that are the region's own activity, which says nothing; they have no effect here. ``coded``:
    the process stands in an equation that takes the region, so the effect was coded in; elsewhere it emerges.
    """
    intact, rows = undone(run), []
    places = {name: (k, depth) for k, (name, depth) in enumerate(region_order())}
    before = {name: _process(run, intact, name) for name in PROCESSES} if intact is not None else {}
    for arm in run.scenario.arms:
        lesion = lesioned_region(arm)
        if intact is None or lesion is None or not alike(arm, intact):
            continue
        role, region, left = lesion
        parts = {f"{role}_{part}" for part in CONTAINS.get(region, (region,))}
        for process, (columns, _, _) in PROCESSES.items():
            own = bool(parts & set(columns))
            shown = [quantity for column in columns for quantity in quantities(column)]
            coded = not own and distance({"lesions": arm.lesions}, shown) == 1
            found = dict.fromkeys(_PAIRED, np.nan) if own else paired(_process(run, arm, process), before[process])
            rows.append({"arm": arm.name, "role": role, "region": region, "depth": places[region][1], "left": left,
                         "place": (ROLES.index(role), places[region][0]), "process": process,
                         "own": own, "coded": coded, **found})  # fmt: skip
    columns_ = ["arm", "role", "region", "depth", "left", "place", "process", "own", "coded", *_PAIRED]
    return pd.DataFrame(rows, columns=columns_).sort_values("place", kind="stable", ignore_index=True)
