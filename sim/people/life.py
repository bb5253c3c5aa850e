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


def live_a_week(role: str, people: Columns, code: np.ndarray, week: int, numbers: Parameters, luck: Luck) -> None:
    """One week of life for everybody. Writes distress, anxiety, avoidance, both anchors and life_events.

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
