"""The equations of the session's verbs, verb by verb in the order of applying: like ``EXCHANGE``, these tuples are the model.

A rule says whose equation it is and what it writes. What it reads follows from the names of the equation's arguments, as in the
exchange (``people.apply``); only where a name does not say it, the rule does. Verbs run them (``World.follow``). Links that
can be cut, columns that are tested each week, and the distance between a mechanism and an effect are read from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sim.people.apply import arguments
from sim.people.state import DYAD
from sim.theory import equations as eq
from sim.theory.regions import ROLES

#: What verbs make of columns before an equation reads it, and the quantity that it carries.
MADE_OF_COLUMNS = {"progress": "progress", "taking_part": "therapist_perceived"}


@dataclass(frozen=True)
class SessionRule:
    """One equation of a verb: whose (``task`` and ``goal`` are parts of the alliance), and what it writes.

    ``rates``: the parameter that says how far what is written moves toward the equation's value; none = all the way.
    ``given``: argument -> dyad column (or one of ``MADE_OF_COLUMNS``), where the argument's name does not say it.
    """

    whose: str
    equation: Callable[..., Any]
    writes: tuple[str, ...]
    rates: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``client.felt_bond`` and the like."""
        return f"{self.whose}.{self.equation.__name__}"

    @cached_property
    def columns(self) -> dict[str, str]:
        """Argument -> what it is read from; the other arguments are parameters, what people bring, or what the equation moves."""
        known = {*DYAD, *MADE_OF_COLUMNS}
        places = {a: (self.given.get(a, ""), f"{self.whose}_{a}", a) for a in arguments(self.equation)}
        return {a: next(place for place in some if place in known) for a, some in places.items() if known & {*some}}

    @cached_property
    def reads(self) -> dict[str, str]:
        """Argument -> the quantity that it carries."""
        return {a: MADE_OF_COLUMNS.get(column, column.removeprefix("mean_")) for a, column in self.columns.items()}


def _rule(whose: str, equation: Callable[..., Any], writes: str, *rates: str, **given: str) -> SessionRule:
    return SessionRule(whose, equation, tuple(writes.split()), rates, given)


def _agreement(role: str, **capability: str) -> tuple[SessionRule, ...]:
    """Agreement on tasks and goals, and the alliance that it makes with the bond."""
    return (
        *(
            _rule(part, eq.agreement_target, f"{role}_{part}", "agreement_rate", trust=f"{role}_trust", **capability)
            for part in ("task", "goal")
        ),
        _rule(role, eq.alliance, f"{role}_alliance"),
    )


#: Rules by verb, in the order of the session.
RULES: Mapping[str, tuple[SessionRule, ...]] = {
    "form_alliance": (
        *(
            rule
            for role in ROLES
            for rule in (
                _rule(role, eq.trust_target, f"{role}_trust", "trust_rate", mean_perceived=f"mean_{role}_perceived"),
                _rule(role, eq.felt_bond, f"{role}_bond"),
            )
        ),
        _rule("client", eq.capability_target, "capability", "capability_rate", mean_attunement="mean_therapist_attunement"),
        *_agreement("client"),
        *_agreement("therapist", capability="taking_part"),  # who judges the work by how the client takes part
        _rule("client", eq.engagement_target, "client_engagement", "engagement_rate"),
    ),
    "heal": (
        _rule("client", eq.healing, "distress", labelling="mean_client_labelling"),
        _rule("client", eq.rupture_distress, "distress"),
    ),
    "consolidate": tuple(_rule(role, eq.secured, f"{role}_anxiety {role}_avoidance") for role in ROLES),
    "leave": (_rule("client", eq.dropout_probability, "dropout_risk"),),
}
#: Every equation that a verb of the session applies, after the exchange.
SESSION_RULES: tuple[SessionRule, ...] = tuple(rule for rules in RULES.values() for rule in rules)

#: Parameters that a verb uses itself, because no equation takes them: verb -> parameters.
TAKEN_BY_VERBS: dict[str, tuple[str, ...]] = {
    "consolidate": ("session_carry_rate", "prototype_learning_rate"),
    "heal": ("healing_lasting_share",),
    "leave": ("good_enough_distress", "good_enough_sessions", "good_enough_prob"),
    "rate_alliance": ("observer_response_style_sd",),
    "live_a_week": ("life_event_moves_prob", "life_event_lasting_prob", "life_event_sd"),
}

#: Links of the session that can be cut: ``client.felt_bond.trust`` -> the quantity that it carries.
SESSION_LINKS: dict[str, str] = {
    f"{rule.name}.{argument}": quantity for rule in reversed(SESSION_RULES) for argument, quantity in rule.reads.items()
}
