"""One exchange between client and therapist: the tuple ``EXCHANGE`` is the model, in order.

Each step names a role and an equation. The equation's arguments are wired by name (see ``wiring.resolve``): a
region, a draw, the partner's or one's own quantity, a number. Both people run the same equations in their role.
The chain expression -> mirror -> limbic -> insula -> middle prefrontal cortex -> felt and understood [K9] can be
read off the tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.elementary import inlined, maximum, select
from sim.theory import equations as eq
from sim.theory.steps import Step


def client(equation: Callable[..., Any], *writes: str) -> Step:
    """A step of the client; writes ``client_<equation>`` unless told otherwise.

    >>> client(eq.felt)
    Step('client.felt' -> client_felt)
    """
    return Step("client", equation, tuple(writes) or (f"client_{equation.__name__}",))


def therapist(equation: Callable[..., Any], *writes: str) -> Step:
    """A step of the therapist; writes ``therapist_<equation>`` unless told otherwise.

    >>> therapist(eq.felt, "therapist_sensed").writes
    ('therapist_sensed',)
    """
    return Step("therapist", equation, tuple(writes) or (f"therapist_{equation.__name__}",))


@inlined
def rupture(rupture_hazard, rupture_chance, confrontation_probability, confrontation_chance):
    """Whether the bond ruptures now, and whether openly (a confrontation) or not (a withdrawal).

    Returns two flags, 1.0 or 0.0. ``*_chance`` are uniform draws. Kinds after safran_reviews [A3]. Status: assumption.
    """
    ruptured = select(rupture_chance < rupture_hazard, 1.0, 0.0)
    return ruptured, select(confrontation_chance < confrontation_probability, ruptured, 0.0)


@inlined
def repair(ruptured, confronted, rupture_depth, repair_probability, repair_chance, exchange, client_tension, open_rupture,
           deepest_rupture, withdrawals, confrontations, repairs, client_trust, client_anxiety, client_avoidance, repaired_share,
           repair_worth, repair_trust_step, repair_attachment_step, rupture_trust_step, rupture_attachment_step, plasticity):
    """What becomes of a rupture: repaired in part, which wins trust and security, or left unrepaired, which costs them.

    The therapist gets one chance when the rupture happens, and one at the beginning of each later session while more than
    ``repair_worth`` is open; what is won or lost goes with its depth. ``repair_chance`` is a uniform draw [K22]. Status:
    assumption.
    """
    happened = ruptured > 0.0
    opened = open_rupture + select(happened, rupture_depth * (1.0 - open_rupture), 0.0)
    tried = happened | ((exchange == 0) & (opened > repair_worth))
    repaired = tried & (repair_chance < repair_probability)
    mended = select(repaired, repaired_share * opened, 0.0)
    lost = select(happened, select(repaired, 0.0, rupture_depth), 0.0)
    attachment_step = plasticity * (rupture_attachment_step * lost - repair_attachment_step * mended)
    return (
        select(happened, 0.0, client_tension),
        opened - mended,
        select(happened, maximum(deepest_rupture, rupture_depth), deepest_rupture),
        withdrawals + select(happened, 1.0 - confronted, 0.0),
        confrontations + select(happened, confronted, 0.0),
        repairs + select(repaired, 1.0, 0.0),
        eq.moved_share(client_trust, repair_trust_step * mended - rupture_trust_step * lost),
        eq.moved_share(client_anxiety, attachment_step),
        eq.moved_share(client_avoidance, attachment_step),
    )


def _reading(who: Callable[..., Step]) -> tuple[Step, ...]:
    """How a person senses the other: mirror -> limbic -> insula -> prefrontal -> felt and understood [K9]."""
    return (
        who(eq.mirrored), who(eq.arousal_target), who(eq.control), who(eq.arousal), who(eq.felt), who(eq.mentalising),
        who(eq.self_other), who(eq.separation), who(eq.felt_weight), who(eq.words_weight), who(eq.estimate), who(eq.attunement),
        who(eq.felt_understanding),
    )


def _receiving(who: Callable[..., Step], role: str) -> tuple[Step, ...]:
    """What a person makes of the other's response, and what it changes in them."""
    return (
        who(eq.expectation), who(eq.perceived), who(eq.surprise), who(eq.inconsistency), who(eq.perceived_mean),
        who(eq.conflict),
        who(eq.calmed_arousal, f"{role}_arousal"), who(eq.labelling), who(eq.labelled_arousal, f"{role}_arousal"),
        who(eq.learning_gate), who(eq.avoidance_learned, f"{role}_avoidance"), who(eq.anxiety_learned, f"{role}_anxiety"),
        who(eq.regulation_learned, f"{role}_regulation"), who(eq.noticed),
    )


#: One exchange, in order.
EXCHANGE: tuple[Step, ...] = (
    # habits of both: attachment in general and to this partner mixed
    client(eq.habitual_anxiety), client(eq.habitual_avoidance), therapist(eq.habitual_anxiety), therapist(eq.habitual_avoidance),
    # the client senses the therapist, is moved, and shows and says something
    *_reading(client),
    client(eq.bid), client(eq.expression), client(eq.disclosure), client(eq.said), client(eq.warmth),
    # the therapist senses the client and responds
    *_reading(therapist),
    therapist(eq.expression), therapist(eq.disclosure), therapist(eq.said), therapist(eq.warmth), therapist(eq.response),
    therapist(eq.response_given, "therapist_response"),
    # the client perceives the response, calms, puts it into words, learns
    *_receiving(client, "client"),
    client(eq.shared_meaning, "shared_meaning"),
    # the client gives something back; the therapist perceives that, and learns more slowly
    client(eq.collaboration, "client_response"),
    *_receiving(therapist, "therapist"),
    # what has built up may break, and may be repaired
    client(eq.tension), client(eq.rupture_hazard, "rupture_hazard"), client(eq.rupture_depth, "rupture_depth"),
    client(eq.confrontation_probability, "confrontation_probability"),
    client(rupture, "ruptured", "confronted"),
    therapist(eq.repair_probability, "repair_probability"),
    client(repair, "client_tension", "open_rupture", "deepest_rupture", "withdrawals", "confrontations", "repairs",
           "client_trust", "client_anxiety", "client_avoidance"),
)
