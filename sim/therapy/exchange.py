"""One exchange between client and therapist: the tuple ``EXCHANGE`` is the model, in order.

Each step names a role and an equation. The equation's arguments are wired by name (see ``compile.resolve``): a
region, a draw, the partner's or one's own quantity, a number. Both people run the same equations in their role.
The chain expression -> mirror -> limbic -> insula -> middle prefrontal cortex -> felt and understood [K9] can be
read off the tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numba.extending import register_jitable

from sim.theory import equations as eq


@dataclass(frozen=True)
class Step:
    """One step of an exchange: whose it is, what is computed, and which quantities it writes."""

    role: str  # "client" or "therapist"; unprefixed arguments mean this person's quantities
    equation: Callable[..., Any]
    writes: tuple[str, ...]

    @property
    def name(self) -> str:
        """``client.expression`` and the like."""
        return f"{self.role}.{self.equation.__name__}"


def client(equation: Callable[..., Any], *writes: str) -> Step:
    """A step of the client; writes ``client_<equation>`` unless told otherwise."""
    return Step("client", equation, tuple(writes) or (f"client_{equation.__name__}",))


def therapist(equation: Callable[..., Any], *writes: str) -> Step:
    """A step of the therapist; writes ``therapist_<equation>`` unless told otherwise."""
    return Step("therapist", equation, tuple(writes) or (f"therapist_{equation.__name__}",))


@register_jitable
def rupture_and_repair(client_tension, open_rupture, withdrawals, confrontations, repairs, client_trust,
                       client_anxiety, client_avoidance, confrontation_probability, repair_if_withdrawn,
                       repair_if_confronted, exchange, confrontation_chance, repair_chance,
                       rupture_threshold, repair_trust_step, repair_attachment_step, rupture_trust_step, plasticity):
    """What becomes of built-up tension: a rupture when it passes the threshold, then repair or an open wound.

    The therapist gets one chance when the rupture happens, and one at the beginning of each later session while it
    is open. ``*_chance`` are uniform draws. Assumption [K14, A3]; kinds after safran_reviews.
    """
    ruptured = client_tension > rupture_threshold
    confronted = ruptured and confrontation_chance < confrontation_probability
    if ruptured:
        client_tension = 0.0
        if confronted:
            confrontations += 1.0
        else:
            withdrawals += 1.0
    if ruptured or (exchange == 0 and open_rupture > 0.0):
        repair = repair_if_confronted if confronted else repair_if_withdrawn
        if repair_chance < repair:
            repairs += 1.0
            open_rupture = 0.0
            client_trust = eq.moved_share(client_trust, repair_trust_step)
            client_anxiety = eq.moved_share(client_anxiety, -plasticity * repair_attachment_step)
            client_avoidance = eq.moved_share(client_avoidance, -plasticity * repair_attachment_step)
        elif ruptured:
            open_rupture = 1.0
            client_trust = eq.moved_share(client_trust, -rupture_trust_step)
    return client_tension, open_rupture, withdrawals, confrontations, repairs, client_trust, client_anxiety, client_avoidance


@register_jitable
def repair_if_withdrawn(acc, partner_acc, mentalising, fit, avoidance, partner_disclosure, repair_base,
                        repair_understanding_gain, repair_avoidance_cost, repair_confrontation_gain, repair_client_share,
                        disclosure_typical, repair_disclosure_gain, repair_effort, avoidance_typical):
    """Chance of repair when the client withdrew (``equations.repair_probability``, not confronted). Assumption."""
    return eq.repair_probability(acc, partner_acc, mentalising, fit, avoidance, partner_disclosure, 0.0, repair_base,
                                 repair_understanding_gain, repair_avoidance_cost, repair_confrontation_gain,
                                 repair_client_share, disclosure_typical, repair_disclosure_gain, repair_effort,
                                 avoidance_typical)


@register_jitable
def repair_if_confronted(acc, partner_acc, mentalising, fit, avoidance, partner_disclosure, repair_base,
                         repair_understanding_gain, repair_avoidance_cost, repair_confrontation_gain, repair_client_share,
                         disclosure_typical, repair_disclosure_gain, repair_effort, avoidance_typical):
    """Chance of repair when the client protested (``equations.repair_probability``, confronted). Assumption."""
    return eq.repair_probability(acc, partner_acc, mentalising, fit, avoidance, partner_disclosure, 1.0, repair_base,
                                 repair_understanding_gain, repair_avoidance_cost, repair_confrontation_gain,
                                 repair_client_share, disclosure_typical, repair_disclosure_gain, repair_effort,
                                 avoidance_typical)


def _reading(who: Callable[..., Step]) -> tuple[Step, ...]:
    """How a person senses the other: mirror -> limbic -> insula -> prefrontal -> felt and understood [K9]."""
    return (
        who(eq.mirrored), who(eq.arousal_target), who(eq.control), who(eq.arousal), who(eq.felt), who(eq.mentalising),
        who(eq.self_other), who(eq.separation), who(eq.estimate), who(eq.fit), who(eq.felt_understanding),
    )


def _receiving(who: Callable[..., Step], role: str) -> tuple[Step, ...]:
    """What a person makes of the other's response, and what it changes in them."""
    return (
        who(eq.expectation), who(eq.perceived), who(eq.surprise), who(eq.unreliability), who(eq.perceived_mean),
        who(eq.conflict),
        who(eq.calmed_arousal, f"{role}_arousal"), who(eq.labelling), who(eq.labelled_arousal, f"{role}_arousal"),
        who(eq.learning_gate), who(eq.avoidance_learned, f"{role}_avoidance"), who(eq.anxiety_learned, f"{role}_anxiety"),
        who(eq.regulation_learned, f"{role}_regulation"), who(eq.tension),
    )


#: One exchange, in order.
EXCHANGE: tuple[Step, ...] = (
    # the client senses the therapist, is moved, and shows and says something
    *_reading(client),
    client(eq.bid), client(eq.expression), client(eq.disclosure), client(eq.warmth),
    # the therapist senses the client and responds
    *_reading(therapist),
    therapist(eq.expression), therapist(eq.disclosure), therapist(eq.warmth), therapist(eq.response),
    therapist(eq.response_given, "therapist_response"),
    # the client perceives the response, calms, puts it into words, learns
    *_receiving(client, "client"),
    client(eq.shared_meaning, "shared_meaning"),
    # the client gives something back; the therapist perceives that, and learns more slowly
    client(eq.collaboration, "client_response"),
    *_receiving(therapist, "therapist"),
    # what has built up may break, and may be mended
    client(eq.confrontation_probability, "confrontation_probability"),
    therapist(repair_if_withdrawn, "repair_if_withdrawn"), therapist(repair_if_confronted, "repair_if_confronted"),
    client(rupture_and_repair, "client_tension", "open_rupture", "withdrawals", "confrontations", "repairs",
           "client_trust", "client_anxiety", "client_avoidance"),
)
