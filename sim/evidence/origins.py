"""Whether an effect was coded in or emerges: how many equations lie between a mechanism and what is measured.

An effect on a quantity that stands in the mechanism's own equation, on either side, is no finding: it was *coded in*.
An effect further away *emerges*, so many equations on. The distance is found on the wiring itself, never stated by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sim.theory import equations as eq
from sim.theory.parameters import NUMBERS
from sim.theory.regions import CONTAINS, REGIONS, ROLES
from sim.therapy.compile import arguments, wiring_of
from sim.therapy.interventions import SESSION_LINKS, held_quantities
from sim.therapy.policies import POLICIES


@dataclass(frozen=True)
class Rule:
    """One equation in use: its name, the quantities, numbers and regions it reads, and the quantities it writes."""

    name: str
    reads: frozenset[str]
    writes: frozenset[str]


_ATTACHMENT = ("anxiety", "avoidance")  # general; with the partner it is client_anxiety and so on


def _outside() -> Iterable[tuple[Any, str, tuple[str, ...], tuple[str, ...]]]:
    """Equations used outside the exchange: equation, whose, what it writes, and what it reads by another name."""
    carried = ("plasticity", "session_carry_rate", "prototype_learning_rate")
    for role in ROLES:
        yield eq.trust_target, role, (f"{role}_trust",), (f"{role}_perceived",)
        yield eq.first_trust, role, (f"{role}_trust",), ()
        yield eq.felt_bond, role, (f"{role}_bond",), ()
        yield eq.alliance, role, (f"{role}_alliance",), ()
        for name in ("task", "goal"):
            gains = tuple(f"{name}_agreement_{what}_gain" for what in ("capability", "meaning", "trust", "progress"))
            yield eq.agreement_target, role, (f"{role}_{name}",), ("capability", f"{role}_trust", "distress", *gains)
        yield eq.secured, role, (f"{role}_anxiety", f"{role}_avoidance"), (f"{role}_anxiety", f"{role}_avoidance")
        both = (*_ATTACHMENT, f"{role}_anxiety", f"{role}_avoidance")
        yield eq.toward, role, both, (*both, *carried)
    yield eq.capability_target, "client", ("capability",), ("therapist_fit", "distress")
    yield eq.engagement_target, "client", ("client_engagement",), ("distress",)
    yield eq.healing, "client", ("distress",), ("distress", "client_labelling")
    yield eq.dropout_probability, "client", ("dropout_risk",), ()
    yield eq.prototype_drift, "", _ATTACHMENT, (*_ATTACHMENT, "anxiety_distress_gain", "avoidance_distress_gain")
    yield eq.defence, "", ("immature",), (*_ATTACHMENT, "immature_anxiety_path", "immature_avoidance_path")
    yield eq.defence, "", ("neurotic",), (*_ATTACHMENT, "neurotic_anxiety_path")
    yield eq.expected_distress, "", ("distress",), _ATTACHMENT


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every equation in use, with what it reads and writes."""
    found = [Rule(name, frozenset(reads), frozenset(writes)) for name, reads, writes in wiring_of()]
    for equation, role, writes, more in _outside():
        plain = set(arguments(equation)) - {"value", "target", "rate"}
        own = {f"{role}_{a}" if role else a for a in plain} | plain | set(more)
        found.append(Rule(equation.__name__, frozenset(own), frozenset(writes)))
    return tuple(found)


def handles(overlay: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What an overlay of a scenario takes hold of: names (numbers, regions, quantities), and steps that it names itself."""
    names: set[str] = set()
    steps: set[str] = set()
    for number in overlay.get("parameters", {}):
        names.add(number)
        if not number.startswith(ROLES):
            names |= {f"{role}_{number}" for role in ROLES if f"{role}_{number}" not in NUMBERS}
    for lesion in overlay.get("lesions", {}):
        role, _, region = lesion.partition(".")
        names |= {f"{role}_{part}" for part in CONTAINS.get(region, (region,)) if part in REGIONS}
    for policy in overlay.get("policies", ()):
        names |= set(POLICIES[policy].parameters) | {f"therapist_{column}" for column in POLICIES[policy].adds}
    for role in ROLES:
        person = overlay.get(role)
        if person is None or person == "none":
            continue
        only_distress = isinstance(person, Mapping) and set(person) == {"distress"}
        # General attachment becomes attachment to this partner at the first meeting.
        names |= {f"{role}_distress"} if only_distress else {f"{role}_anxiety", f"{role}_avoidance", "anxiety", "avoidance"}
    names |= set(held_quantities(overlay.get("hold", {}))) | {one["quantity"] for one in overlay.get("force", ())}
    for link in overlay.get("cut", {}):
        # Equations of the session's verbs go by their own name, whoever's they are.
        steps.add(link.split(".")[1] if link in SESSION_LINKS else link.rpartition(".")[0])
    steps |= set(overlay.get("switch_off", ()))
    return names, steps


_OF_VERBS = {
    "form_alliance": {"trust_target", "felt_bond", "capability_target", "agreement_target", "alliance", "engagement_target"},
    "heal": {"healing"},
    "consolidate": {"toward", "secured"},
}


def own_rules(overlay: Mapping[str, Any]) -> list[Rule]:
    """The mechanism's own equations: those that take what the overlay changes."""
    names, steps = handles(overlay)
    of_verbs = {name for step in steps for name in _OF_VERBS.get(step, ())}
    return [rule for rule in rules() if rule.reads & names or rule.name in steps or rule.name in of_verbs]


def distance(overlay: Mapping[str, Any], shown: Iterable[str]) -> int | None:
    """Equations from the mechanism to what is measured, its own included; 1 = coded in, None = no way leads there."""
    wanted, own = set(shown), own_rules(overlay)
    reached = {name for rule in own for name in rule.writes}
    # What is pushed itself stands in the mechanism, and so does what its own equations read.
    if wanted & (reached | {name for rule in own for name in rule.reads}):
        return 1
    steps = 1
    while True:
        steps += 1
        new = {name for rule in rules() if rule.reads & reached for name in rule.writes} - reached
        if not new:
            return None
        reached |= new
        if wanted & reached:
            return steps
