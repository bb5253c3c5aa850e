"""What one experiment does to another thing: paired effects, client by client, of arms in which something was done.

An effect is the mean over clients of (this arm minus the reference arm) of the same people with common random numbers. It is
told in SD of clients in the reference arm; its 95 % interval is that of the mean difference, in the same unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.evidence.claims.origins import distance
from sim.evidence.claims.quantities import quantities
from sim.measures.intervals import difference_interval
from sim.measures.outcomes import blocks, by_arm, person_by_person
from sim.scenario.arms import arms, differ_only_in, same_clients
from sim.theory.regions import CONTAINS, REGIONS, ROLES
from sim.theory.triangle import CORNERS, Corner

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm, Scenario
    from sim.simulation.tables import Run

#: What a lesion may change, in the order of the table: heading -> (columns of the late sessions, sign); repairs are a proportion.
PROCESSES: dict[str, tuple[tuple[str, ...], int]] = {
    "accuracy": (("tracking_accuracy",), 1),
    "attunement": (("attunement",), 1),
    "response": (("response",), 1),
    "client's arousal": (("client_limbic",), 1),
    "therapist's arousal": (("therapist_limbic",), 1),
    "client's regulation": (("regulation_client",), 1),
    "therapist's regulation": (("regulation_therapist",), 1),
    "client's security": (("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"), -1),
    "repair": (("repairs", "ruptures"), 1),
    "alliance": (("alliance_latent",), 1),
    "distress": (("distress_latent",), 1),
}


_PAIRED = ("n", "difference", "sd", "effect", "low", "high")


def late_means(run: Run, arm: Arm, columns: tuple[str, ...]) -> pd.Series:
    """Each client's mean of these columns (each counts the same) over the late sessions."""
    block = blocks(run)[arm.name]
    return person_by_person(block, np.mean([block.session_mean(column, block.late) for column in columns], axis=0)).dropna()


def paired(here: pd.Series, there: pd.Series) -> dict[str, float]:
    """Paired difference of two arms: in its own unit, and in SD of clients ``there`` with 95 % interval; who is in both."""
    found = difference_interval(here, there, paired=True)
    sd = found["sd_a"]
    scaled = {to: found[end] / (sd if sd > 0 else np.nan) for to, end in (("effect", "mean"), ("low", "low"), ("high", "high"))}
    return {"n": found["n"], "difference": found["mean"], "sd": sd, **scaled}


def undone(run: Run) -> Arm | None:
    """The arm with therapy in which nothing is done to regions or inside the exchange: what others are compared with."""
    return next((a for a in run.scenario.arms if a.therapist is not None and not a.lesions and not a.interventions), None)


def alike(arm: Arm, reference: Arm) -> bool:
    """Whether two arms differ in nothing but what is done to regions or inside the exchange."""
    return differ_only_in(arm, reference, "lesions", "interventions")


def clamped(clamp: Mapping[str, float]) -> tuple[str, str, str] | None:
    """(pushed, held, free) if one corner of the triangle is pushed and a second held; else None."""
    pushed, held = [name for name, by in clamp.items() if by], [name for name, by in clamp.items() if not by]
    free = [name for name in CORNERS if name not in clamp]
    if set(clamp) <= set(CORNERS) and (len(pushed), len(held), len(free)) == (1, 1, 1):
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
        roles = clamped(arm.clamp)
        if usual is None or roles is None or arm.lesions or not alike(arm, usual):
            continue
        pushed, held, free = roles
        push, answer = (paired(*(corner_means(run, a, CORNERS[name]) for a in (arm, usual))) for name in (pushed, free))
        rows.append({"arm": arm.name, "pushed": pushed, "by": arm.clamp[pushed], "push_sd": push["effect"], "held": held,
                     "free": free, **answer})  # fmt: skip
    return pd.DataFrame(rows, columns=["arm", "pushed", "by", "push_sd", "held", "free", *_PAIRED])


def lesioned_region(arm: Arm) -> tuple[str, str, float] | None:
    """(whose, region, what is left of it) if an arm weakens one region and does nothing else; else None."""
    if len(arm.lesions) != 1 or arm.interventions or arm.therapist is None:
        return None
    ((name, left),) = arm.lesions.items()
    role, _, region = name.partition(".")
    return role, region, left


def removed_effect(run: Run, arm: Arm, role: str, region: str) -> dict[str, float] | None:
    """What a lesion of one region does to the late activity of another region of that person, in SD of clients."""
    intact = undone(run)
    columns = (f"{role}_{region}",)
    return None if intact is None else paired(late_means(run, arm, columns), late_means(run, intact, columns))


def region_order() -> tuple[tuple[str, int], ...]:
    """Every region and whole with how deep it nests: parts stand below the whole that contains them."""
    wholes = sorted(CONTAINS, key=lambda whole: -len(CONTAINS[whole]))
    inner = {part for whole in CONTAINS.values() for part in whole}
    found: dict[str, int] = {}
    waiting = [(name, 0) for name in (*(r for r in REGIONS if r not in inner), *wholes)]
    while waiting:
        name, depth = waiting.pop(0)
        if name not in found:
            found[name] = depth
            within = [w for w in wholes if w != name and set(CONTAINS[w]) < set(CONTAINS.get(name, ()))]
            waiting = [*((part, depth + 1) for part in (*within, *CONTAINS.get(name, ()))), *waiting]
    return tuple(found.items())


def process(run: Run, arm: Arm, name: str) -> pd.Series:
    """Each client's value of one of ``PROCESSES``."""
    columns, sign = PROCESSES[name]
    return by_arm(run, "repaired")[arm.name] if name == "repair" else sign * late_means(run, arm, columns)


def lesion_effects(run: Run) -> pd.DataFrame:
    """What weakening each region does to each process, one row per arm with one lesion and process [K24].

    ``own`` marks processes that are the region's own activity, which says nothing; they have no effect here. ``coded``:
    the process stands in an equation that takes the region, so the effect was coded in; elsewhere it emerges.
    """
    intact, rows = undone(run), []
    places = {name: (k, depth) for k, (name, depth) in enumerate(region_order())}
    before = {name: process(run, intact, name) for name in PROCESSES} if intact is not None else {}
    for arm in run.scenario.arms:
        lesion = lesioned_region(arm)
        if intact is None or lesion is None or not alike(arm, intact):
            continue
        role, region, left = lesion
        parts = {f"{role}_{part}" for part in CONTAINS.get(region, (region,))}
        for name, (columns, _) in PROCESSES.items():
            own = bool(parts & set(columns))
            shown = [quantity for column in columns for quantity in quantities(column)]
            coded = not own and distance({"lesions": arm.lesions}, shown) == 1
            found = dict.fromkeys(_PAIRED, np.nan) if own else paired(process(run, arm, name), before[name])
            rows.append({"arm": arm.name, "role": role, "region": region, "depth": places[region][1], "left": left,
                         "place": (ROLES.index(role), places[region][0]), "process": name,
                         "own": own, "coded": coded, **found})  # fmt: skip
    columns_ = ["arm", "role", "region", "depth", "left", "place", "process", "own", "coded", *_PAIRED]
    return pd.DataFrame(rows, columns=columns_).sort_values("place", kind="stable", ignore_index=True)


#: All insecure kinds together, as a row of the interaction.
EVERY = "all"


def crossing(scenario: Scenario) -> dict[tuple[str, str], Arm]:
    """Arms by (kind of client, kind of therapist) if each meets each and nothing else differs between arms; else empty.

    Both references (``secure``, or the first kind) come first.
    """
    kinds = arms(scenario).to_dict("records")
    treated = [(row, arm) for row, arm in zip(kinds, scenario.arms, strict=True) if arm.therapist is not None]
    found = {(str(row["client"]), str(row["therapist"])): arm for row, arm in treated}
    clients, therapists = (
        sorted(dict.fromkeys(pair[side] for pair in found), key=lambda kind: kind != "secure") for side in (0, 1)
    )
    whole = len(found) == len(treated) == len(clients) * len(therapists) and min(len(clients), len(therapists)) > 1
    rest = ("parameters", "policies", "sessions", "lesions", "interventions")
    if not whole or any(getattr(arm, name) != getattr(treated[0][1], name) for _, arm in treated for name in rest):
        return {}
    if any(not same_clients(found[c, t], found[c, therapists[0]]) for c in clients for t in therapists):
        return {}
    return {(c, t): found[c, t] for c in clients for t in therapists}


def interaction(run: Run) -> pd.DataFrame:
    """What two insecure partners do together beyond either insecurity alone, per pair of kinds: late alliance and dropout.

    (insecure, insecure) - (insecure, secure) - (secure, insecure) + (secure, secure). The difference between two therapists is
    taken client by client; that of two kinds of client too where they have the same client numbers (and so common random
    numbers), else between the two groups. ``alliance`` is in WAI points, ``dropout`` a proportion. A last row
    holds all pairs."""
    cells = crossing(run.scenario)
    rows = []
    for measure in ("alliance", "dropout") if cells else ():
        values = by_arm(run, measure)
        clients, therapists = (list(dict.fromkeys(pair[side] for pair in cells)) for side in (0, 1))
        one = {pair: values[arm.name] for pair, arm in cells.items()}
        sides: dict[tuple[str, str], tuple[pd.Series, pd.Series]] = {}
        # What another therapist than the reference changes for each client of a kind.
        changed = {(c, t): (one[c, t] - one[c, therapists[0]]).dropna() for c in clients for t in therapists[1:]}
        for c in clients:
            changed[c, EVERY] = pd.concat([changed[c, t] for t in therapists[1:]]).groupby(level=[0, 1]).mean()
        for c in clients[1:]:
            for t in therapists[1:]:
                sides[c, t] = changed[c, t], changed[clients[0], t]
        if len(cells) > 4:
            every = pd.concat([changed[c, EVERY] for c in clients[1:]])
            sides[EVERY, EVERY] = every.groupby(level=[0, 1]).mean(), changed[clients[0], EVERY]
        for (c, t), (here, there) in sides.items():
            found = difference_interval(here, there, paired=here.index.equals(there.index))
            rows.append({"client": c, "therapist": t, "measure": measure, **found})
    return pd.DataFrame(rows, columns=["client", "therapist", "measure", "mean", "low", "high", "n"])
