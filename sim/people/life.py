"""Life goes on, in therapy or without it: distress returns to its set point, attachment stirs, events happen.

Every effect of therapy is a difference from this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.luck import Luck
from sim.people.apply import applied
from sim.people.state import Columns
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.theory.styles import WIDTH, share

#: The equations of a week of life, in order: whose (a prefix, as ``people.apply`` takes it), the equation, the column that it
#: moves. What they read follows from the names of their arguments; ``anxiety_z`` is ``anxiety``, standardised.
LIFE: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("", eq.distress_drift, "distress"),
    ("anxiety", eq.prototype_drift, "anxiety"),
    ("avoidance", eq.prototype_drift, "avoidance"),
    ("immature", eq.defence, "immature"),
    ("neurotic", eq.defence, "neurotic"),
    ("", eq.expected_distress, "distress_set_point"),
)


def _defences(people: Columns, p: Parameters) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Attachment, standardised against the community that clients come from, and what it alone makes of immature and neurotic
    defences [A8]."""
    z: dict[str, Any] = {
        f"{name}_z": (people[name] - share(p.of("client", f"{name}_mean"))) / (p.of("client", f"{name}_sd") / WIDTH)
        for name in ("anxiety", "avoidance")
    }
    immature = applied(eq.defence, p, "immature", own=0.0, **z)
    return z, immature, applied(eq.defence, p, "neurotic", own=0.0, avoidance_path=0.0, **z)


def keep_own_parts(people: Columns, p: Parameters) -> None:
    """Note what of defences and distress is the person's own. Writes immature_own, neurotic_own, distress_own."""
    z, immature, neurotic = _defences(people, p)
    people["immature_own"], people["neurotic_own"] = people.immature - immature, people.neurotic - neurotic
    people["distress_own"] = people.distress_set_point - applied(eq.expected_distress, p, columns=people, **z)


def follow_attachment(people: Columns, p: Parameters) -> None:
    """Defences and the set point of distress follow attachment [A8]. Writes immature, neurotic, distress_set_point."""
    z, immature, neurotic = _defences(people, p)
    people["immature"], people["neurotic"] = people.immature_own + immature, people.neurotic_own + neurotic
    # The defences as they are now carry part of it.
    people.keep_within("distress_set_point", people.distress_own + applied(eq.expected_distress, p, columns=people, **z))


def live_a_week(role: str, people: Columns, code: np.ndarray, week: int, parameters: Parameters, luck: Luck) -> None:
    """One week of life for everybody: attachment can change at any age, and distress feeds insecurity [K15, A8].

    Writes distress and its set point, defences, anxiety, avoidance, both anchors and life_events.

    ``code`` are the people's random-number codes (see ``luck.person``).
    """
    before = people.distress.copy()
    event = luck.uniform(code, "life_event", week) <= parameters.life_event_prob
    kind = luck.uniform(code, "life_event_kind", week)
    moves, lasts = event & (kind <= parameters.life_event_moves_prob), event & (kind <= parameters.life_event_lasting_prob)
    people["life_events"] += event
    drifted = applied(
        eq.distress_drift, parameters, columns=people, distress_luck=luck.normal(code, "distress", week), event=event,
        event_luck=luck.normal(code, "life_event_distress", week),
    )  # fmt: skip
    people.keep_within("distress", drifted)
    for name in ("anxiety", "avoidance"):
        anchor = f"{name}_anchor"
        people[name] = applied(
            eq.prototype_drift,
            parameters,
            role=name,
            prototype=people[name],
            anchor=people[anchor],
            distress=before,
            population_mean=share(parameters.of(role, f"{name}_mean")),
            population_sd=parameters.of(role, f"{name}_sd") / WIDTH,
            prototype_luck=luck.normal(code, f"prototype_{name}", week),
        )
        step = parameters.plasticity * parameters.life_event_sd * luck.normal(code, f"life_event_{name}", week)
        people[name] = np.where(moves, eq.moved_share(people[name], step), people[name])
        people[anchor] = np.where(lasts, eq.moved_share(people[anchor], step), people[anchor])
    follow_attachment(people, parameters)
