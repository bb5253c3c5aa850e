"""Whether an effect was coded in or emerges: how many equations lie between a mechanism and what is measured.

An effect on a quantity that stands in the mechanism's own equation, on either side, is no finding: it was *coded in*.
An effect further away *emerges*, so many equations on. The distance is found on the wiring: of the exchange as its tuple
gives it, of the session (``therapy/verbs.py``) and of life between sessions (``people/life.py``) likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sim.engine.wiring import wire
from sim.people.apply import arguments
from sim.people.life import LIFE
from sim.theory import equations as eq
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import CONTAINS, REGIONS, ROLES
from sim.theory.steps import Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.interventions import Forced, clamped_quantities
from sim.therapy.policies import POLICIES
from sim.therapy.verbs import READS, RULES, SESSION_RULES


@dataclass(frozen=True)
class Rule:
    """One equation in use: its name, the quantities, parameters and regions it reads, and the quantities it writes."""

    name: str
    reads: frozenset[str]
    writes: frozenset[str]


_ATTACHMENT = ("anxiety", "avoidance")  # general; with the partner it is client_anxiety and so on
#: Quantities that only pass from one step to the next, or mix what has a name of its own -> what they are made of, or become.
_MADE_OF, _KEPT_AS = {"taking_part": "therapist_perceived"}, {"expected": "distress_set_point"}
_MADE_OF |= {f"{role}_habitual_{name}": f"{role}_{name}" for role in ROLES for name in _ATTACHMENT}
_MADE_OF |= {of: name for role in ROLES for name in _ATTACHMENT for of in (f"{role}_general_{name}", f"{role}_{name}_carried")}
_EVENTS = ("life_event_prob", "life_event_moves_prob", "life_event_lasting_prob")
_TWO_LEVELS = (eq.carried_attachment, eq.first_attachment, eq.generalised, eq.anchored)  # and what lies between the two


def _between_sessions() -> Iterable[Rule]:
    """What happens to people between sessions: carried over, lived (``LIFE``), met again."""
    for role in ROLES:
        both = (*_ATTACHMENT, f"{role}_anxiety", f"{role}_avoidance")
        yield _rule("carried", both, both, *(number for equation in _TWO_LEVELS for number in _numbers(equation)))
    for step in LIFE:
        reads = [name.removesuffix("_z") for a in arguments(step.equation) for name in (a, f"{step.role}_{a}")]
        if step.equation is eq.prototype_drift:  # and life events move attachment too
            reads += [*step.writes, *_EVENTS, *_numbers(eq.shaken)]
        if step.equation in (eq.distress_drift, eq.prototype_drift, eq.defence, eq.expected_distress):
            yield _rule(step.equation, reads, [_KEPT_AS.get(name, name) for name in step.writes])
    yield _rule("meeting", ("distress",), ("client_distress", "therapist_distress"))
    for role in ROLES:
        yield _rule(eq.first_trust, (f"{role}_anxiety", f"{role}_avoidance"), (f"{role}_trust",))


def _numbers(equation: Callable[..., Any]) -> list[str]:
    return [argument for argument in arguments(equation) if argument in PARAMETERS]


def _rule(what: Any, reads: Iterable[str], writes: Iterable[str], *parameters: str) -> Rule:
    """A rule from an equation (whose other arguments are parameters) or, for what is no equation, from its name."""
    name, taken = (what, []) if isinstance(what, str) else (what.__name__, arguments(what))
    return Rule(name, frozenset([*reads, *parameters, *taken]), frozenset(writes))


def _in_session(step: Step) -> Rule:
    reads = {a: _MADE_OF.get(quantity, quantity) for a, quantity in READS[step].items()}
    parameters = [a for a in arguments(step.equation) if a not in reads]
    own = [f"{step.role}_{a}" for a in parameters]
    written = [name.rpartition(".")[2] for name in step.writes]  # of a person's own columns the bare name, as in life
    return Rule(step.name, frozenset([*reads.values(), *parameters, *own, *step.rates]), frozenset(written))


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every equation in use, with what it reads and writes."""
    exchange = [
        Rule(w.step.name, frozenset(_MADE_OF.get(v, v.removeprefix("p_")) for v in w.variables), frozenset(w.step.writes))
        for w in wire(EXCHANGE)[0]
    ]
    return (*exchange, *map(_in_session, SESSION_RULES), *_between_sessions())


def handles(overlay: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """What an overlay of a scenario takes hold of: names (parameters, regions, quantities), and steps that it names itself."""
    names: set[str] = set()
    steps: set[str] = set()
    for parameter in overlay.get("parameters", {}):
        names.add(parameter)
        if not parameter.startswith(ROLES):
            names |= {f"{role}_{parameter}" for role in ROLES if f"{role}_{parameter}" not in PARAMETERS}
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
    names |= set(clamped_quantities(overlay.get("clamp", {})))
    names |= {one.get("quantity", Forced.quantity) for one in overlay.get("force", ())}
    steps |= {link.rpartition(".")[0] for link in overlay.get("cut", {})} | set(overlay.get("switch_off", ()))
    return names, steps


def own_rules(overlay: Mapping[str, Any]) -> list[Rule]:
    """The mechanism's own equations: those that take what the overlay changes."""
    names, steps = handles(overlay)
    of_verbs = {rule.equation.__name__ for step in steps for rule in RULES.get(step, ())}
    if "consolidate" in steps:
        of_verbs.add("carried")
    return [r for r in rules() if r.reads & names or r.name in steps or r.name.rpartition(".")[2] in of_verbs]


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
