"""How the equations of the session's verbs are wired: what each reads and writes, as data.

The exchange's wiring is read off its tuple (``wiring.wiring_of``). Verbs are plain functions, so theirs is declared here,
once, and tests compare it with what the verbs do. Links that can be cut and the distance between a mechanism and an
effect are read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.theory import equations as eq
from sim.theory.regions import ROLES


@dataclass(frozen=True)
class SessionRule:
    """One equation of a verb: whose (``task`` and ``goal`` are parts of the alliance), what it reads and writes.

    ``reads``: argument -> quantity; the other arguments are parameters, or what the equation moves.
    ``rates``: parameters of the step toward its value.
    """

    whose: str
    equation: Callable[..., Any]
    reads: Mapping[str, str]
    writes: tuple[str, ...]
    rates: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``client.felt_bond`` and the like."""
        return f"{self.whose}.{self.equation.__name__}"


def _of_both() -> tuple[SessionRule, ...]:
    found = []
    for role in ROLES:
        own = {name: f"{role}_{name}" for name in ("trust", "anxiety", "avoidance", "bond", "task", "goal", "alliance")}
        found += [
            SessionRule(role, eq.trust_target, {"mean_perceived": f"{role}_perceived"}, (own["trust"],), ("trust_rate",)),
            SessionRule(role, eq.felt_bond, {n: own[n] for n in ("trust", "anxiety", "avoidance")}, (own["bond"],)),
            SessionRule(role, eq.alliance, {n: own[n] for n in ("bond", "task", "goal")}, (own["alliance"],)),
            SessionRule(role, eq.secured, {"alliance": own["alliance"]}, (own["anxiety"], own["avoidance"])),
        ]
        # A therapist judges the work by how the client takes part, not by their own capability.
        capability = "capability" if role == "client" else "therapist_perceived"
        found += [
            SessionRule(
                part,
                eq.agreement_target,
                {"capability": capability, "shared_meaning": "shared_meaning", "trust": own["trust"], "progress": "progress"},
                (own[part],),
                ("agreement_rate",),
            )
            for part in ("task", "goal")
        ]
    return tuple(found)


def _client(equation: Callable[..., Any], writes: str, *rates: str, **reads: str) -> SessionRule:
    return SessionRule("client", equation, reads, (writes,), rates)


#: Every equation that a verb of the session applies, after the exchange.
SESSION_RULES: tuple[SessionRule, ...] = (
    *_of_both(),
    _client(
        eq.capability_target, "capability", "capability_rate", mean_attunement="therapist_attunement", progress="progress",
        trust="client_trust",
    ),
    _client(
        eq.engagement_target, "client_engagement", "engagement_rate", alliance="client_alliance", distress="client_distress"
    ),
    _client(
        eq.healing, "distress", distress="client_distress", alliance="client_alliance", engagement="client_engagement",
        labelling="client_labelling",
    ),
    _client(eq.rupture_distress, "distress", open_rupture="open_rupture"),
    _client(
        eq.dropout_probability, "dropout_risk", alliance="client_alliance", engagement="client_engagement",
        open_rupture="open_rupture", avoidance="client_avoidance", session="session",
    ),
)  # fmt: skip

#: Parameters that a verb uses itself, because no equation takes them: verb -> parameters.
TAKEN_BY_VERBS: dict[str, tuple[str, ...]] = {
    "consolidate": ("session_carry_rate", "prototype_learning_rate"),
    "heal": ("healing_lasting_share",),
    "leave": ("good_enough_distress", "good_enough_sessions", "good_enough_prob"),
    "rate_alliance": ("observer_response_style_sd", "empathy_item_sd"),
    "live_a_week": ("life_event_moves_prob", "life_event_lasting_prob", "life_event_sd"),
}

#: Links of the session that can be cut: ``client.felt_bond.trust`` -> the quantity that it carries.
SESSION_LINKS: dict[str, str] = {
    f"{rule.name}.{argument}": quantity for rule in reversed(SESSION_RULES) for argument, quantity in rule.reads.items()
}
