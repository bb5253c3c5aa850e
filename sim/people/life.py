"""Life goes on, in therapy or without it: distress returns to its set point, attachment stirs, events happen.

Every effect of therapy is a difference from this.
"""

from __future__ import annotations

import numpy as np

from sim.people.apply import applied
from sim.people.instruments import Luck
from sim.people.state import Columns
from sim.theory import equations as eq
from sim.theory.parameters import Parameters


def explained_by_attachment(people: Columns, p: Parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What attachment alone makes of immature and neurotic defences, and of distress with the defences as they are [A8].

    Standardised against the community that clients come from.
    """
    z = {
        name: (people[name] - (p.of("client", f"{name}_mean") - 1.0) / 6.0) / (p.of("client", f"{name}_sd") / 6.0)
        for name in ("anxiety", "avoidance")
    }
    immature = eq.defence(z["anxiety"], z["avoidance"], p.immature_anxiety_path, p.immature_avoidance_path, 0.0)
    neurotic = eq.defence(z["anxiety"], z["avoidance"], p.neurotic_anxiety_path, 0.0, 0.0)
    distress = applied(eq.expected_distress, p, columns=people, anxiety_z=z["anxiety"], avoidance_z=z["avoidance"])
    return immature, neurotic, distress


def keep_own_parts(people: Columns, p: Parameters) -> None:
    """Note what of defences and distress is the person's own. Writes immature_own, neurotic_own, distress_own."""
    immature, neurotic, distress = explained_by_attachment(people, p)
    people["immature_own"], people["neurotic_own"] = people.immature - immature, people.neurotic - neurotic
    people["distress_own"] = people.distress_set_point - distress


def follow_attachment(people: Columns, p: Parameters) -> None:
    """Defences and the set point of distress follow a change of attachment. Writes immature, neurotic, distress_set_point."""
    immature, neurotic, _ = explained_by_attachment(people, p)
    people["immature"], people["neurotic"] = people.immature_own + immature, people.neurotic_own + neurotic
    distress = explained_by_attachment(people, p)[2]
    people["distress_set_point"] = np.minimum(np.maximum(people.distress_own + distress, -6.0), 8.0)


def live_a_week(role: str, people: Columns, code: np.ndarray, week: int, numbers: Parameters, luck: Luck) -> None:
    """One week of life for everybody.

    Writes distress and its set point, defences, anxiety, avoidance, both anchors and life_events.

    ``code`` are the people's luck codes (see ``luck.person``).
    """
    before = people.distress.copy()
    drifted = applied(eq.distress_drift, numbers, columns=people, distress_luck=luck.normal(code, "distress", week))
    people["distress"] = np.minimum(np.maximum(drifted, -6.0), 8.0)
    event = luck.uniform(code, "life_event", week) <= numbers.life_event_prob
    kind = luck.uniform(code, "life_event_kind", week)
    moves, lasts = event & (kind <= numbers.life_event_moves_prob), event & (kind <= numbers.life_event_lasting_prob)
    people["life_events"] += event
    for name in ("anxiety", "avoidance"):
        anchor = f"{name}_anchor"
        people[name] = applied(
            eq.prototype_drift,
            numbers,
            role=name,
            prototype=people[name],
            anchor=people[anchor],
            distress=before,
            population_sd=numbers.of(role, f"{name}_sd") / 6.0,
            prototype_luck=luck.normal(code, f"prototype_{name}", week),
        )
        step = numbers.plasticity * numbers.life_event_sd * luck.normal(code, f"life_event_{name}", week)
        people[name] = np.where(moves, eq.moved_share(people[name], step), people[name])
        people[anchor] = np.where(lasts, eq.moved_share(people[anchor], step), people[anchor])
    follow_attachment(people, numbers)
