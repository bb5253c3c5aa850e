"""What a scenario puts to work: which claims of the sources, and which parameters, its comparison rests on.

Read off the scenario and the model, in three steps. *Levers* are what the arms differ in, and what the scenario sets for
all of them. Each lever has *equations*: those that take it as an argument, and, at one remove, those that read what these
write. Which *claims* an equation carries stands in ``theory/claims.yaml``; parameters are its arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from sim.engine.wiring import wire
from sim.people.life import LIFE, NUMBERS, beginning
from sim.people.state import ANYTHING, DYAD, OF_PEOPLE, PERSON
from sim.report.text import plain, spaced
from sim.scenario.scenario import Arm, Attachment, Scenario
from sim.theory import equations as eq
from sim.theory.claims import Claim, claims, claims_of
from sim.theory.parameters import LEVELS, OF_ATTACHMENT, OF_ROLE, PARAMETERS, Parameter
from sim.theory.regions import REGIONS, lesioned
from sim.theory.steps import Step
from sim.theory.styles import style_name
from sim.theory.triangle import CORNERS
from sim.therapy.clinic.plan import Plan
from sim.therapy.exchange import EXCHANGE
from sim.therapy.policies import POLICIES
from sim.therapy.session import SESSION
from sim.therapy.training import PROGRAMMES
from sim.therapy.verbs import BEFORE, FIRST_MEETING, READS, SESSION_RULES, VERBS

Equation = Callable[..., Any]

#: Most claims and parameters that are shown in full; a list that names everything explains nothing.
MOST_CLAIMS = MOST_PARAMETERS = 8
#: How much a lever counts in which the arms differ, and one that is set for all of them.
DIFFERS, SET = 3.0, 1.0
#: What the second step of a chain counts beside the first, and the least proportion of the leading claim that is still shown.
AT_ONE_REMOVE, LEAST_SHARE = 0.3, 0.1
#: Arguments by which an equation takes attachment: with this partner, in general, out of habit, standardised.
ATTACHED = {f"{of}{name}" for of in ("", "general_", "habitual_") for name in ("anxiety", "avoidance")} | {"anxiety_z"}
#: Whose attachment it is decides what is claimed about it; nearly every equation takes anxiety or avoidance.
ABOUT_ATTACHMENT = {
    "client": ("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"),
    "therapist": ("K14", "K13", "A9", "A7"),
}
ABOUT_STYLE = {"preoccupied": "A2", "fearful": "A3", "dismissing": "A4", "secure": "A5"}
#: What stands for the whole of therapy, where some arms have none.
ABOUT_THERAPY: tuple[Equation, ...] = (eq.healing, eq.engagement_target, eq.prototype_drift)
#: Quantities that last: everything reads them, so following them would lead everywhere.
LASTING = {"trust", "anxiety", "avoidance", "arousal"}
#: What of a clinic's plan works through which equations (with those that take ``TOLD``, where therapists are told who is off
#: track), and which assumed parameters say how strongly.
SERVICE: dict[str, tuple[tuple[Equation, ...], tuple[str, ...]]] = {
    "matching": ((eq.dyadic_compatibility,), ("complementarity_gain",)),
    "feedback": (
        (eq.expected_score,),
        ("feedback_skill_step", "feedback_repair_step", "off_track_points", "expected_points"),
    ),
    "turnover": ((eq.quitting_probability, eq.handed_over), ("hand_over_share", "quitting_fatigue_gain", "quitting_base")),
    **dict.fromkeys(("therapists", "capacity", "session_every", "overbook"), (
        (eq.fatigue_after, eq.waiting_loss_probability),
        ("fatigue_load_gain", "fatigue_carried_gain", "fatigue_rupture_gain", "waiting_loss_week_gain",
         "waiting_loss_distress_gain"),
    )),
}  # fmt: skip
TOLD = ("skill", "repair_skill")
#: The group of parameters of instruments: one that is named is asked for.
IMAGING = "instruments that see activity"
#: Prefixes by which one argument of an equation stands for several parameters (``task_agreement_trust_gain``).
PREFIXES = ("client_", "therapist_", "observer_", "task_", "goal_", "anxiety_", "avoidance_", "immature_", "neurotic_")


#: What a lever of some kinds is in a sentence; of the others its name.
SAID = {
    "client": "who the client is", "therapist": "who the therapist is", "early": "attachment early in life",
    "sessions": "the number of sessions", "therapy": "whether there is therapy", "column": "the therapist's {1}",
    "region": "the region {1}", "service": "the clinic's {1}",
}  # fmt: skip


@dataclass(frozen=True)
class Lever:
    """One thing that a scenario sets; ``differs``: not the same in all arms with therapy."""

    kind: str  # parameter, column, region, client, therapist, early, sessions, therapy, step, link, quantity, service
    name: str
    differs: bool

    @property
    def said(self) -> str:
        """What it is, in a sentence."""
        return SAID.get(self.kind, "{0}").format(self.name, spaced(self.name))


class Involved(NamedTuple):
    """One claim at work: the equations through which, and what sets them going."""

    claim: Claim
    through: tuple[str, ...]
    levers: tuple[str, ...]
    weight: float


class Assumption(NamedTuple):
    """One parameter without an empirical value that the comparison rests on."""

    name: str
    meaning: str
    value: str
    range: str
    source: str


def set_by(arm: Arm) -> dict[tuple[str, str], Any]:
    """Everything that an arm says beyond the usual model, by kind and name."""
    said: dict[tuple[str, str], Any] = {
        ("parameter", name): value
        for name, value in arm.parameters.items()
        # An instrument that is named is asked for, whatever its noise.
        if value != PARAMETERS[name].default or PARAMETERS[name].group == IMAGING
    }
    for policy in arm.policies:
        for column, amount in POLICIES[policy].adds.items():
            said["column", column] = said.get(("column", column), 0.0) + amount
    said |= {("region", name): strength for name, strength in lesioned(arm.lesions).items() if strength != 1.0}
    said |= {("step", name): True for name in arm.switch_off}
    said |= {("link", name): value for name, value in arm.cut.items()}
    said |= {("quantity", name): value for name, value in arm.clamp.items()}
    said |= {("quantity", one.quantity): one for one in arm.force}
    said |= _set_by_plan(arm.clinic) if arm.clinic is not None else {}
    for role, person in (("client", arm.client), ("therapist", arm.therapist)):
        if person is not None and person.kind != "population":
            said[role, role] = (person.kind, person.anxiety, person.avoidance)
        if person is not None and person.early is not None:
            said["early", role] = person.early
    return said


def _set_by_plan(plan: Plan) -> dict[tuple[str, str], Any]:
    """What an arm's clinic decides that works through the model; training moves the therapists' columns."""
    said: dict[tuple[str, str], Any] = {("service", name): getattr(plan, name) for name in SERVICE if getattr(plan, name)}
    for programme in (PROGRAMMES[name] for name in plan.training if name in PROGRAMMES):
        for column, amount in programme.learned.items():
            if column.partition("_")[0] not in ("anxiety", "avoidance"):  # everything takes those: see the programme's own row
                said["column", column] = said.get(("column", column), 0.0) + amount * plan.trained_share
    return said


def levers(scenario: Scenario) -> tuple[Lever, ...]:
    """What the scenario sets, in the order of its arms; differences between the arms first."""
    treated = [arm for arm in scenario.arms if arm.therapist is not None]
    compared = [set_by(arm) for arm in treated or scenario.arms]
    found = [
        Lever(*key, differs=any(said.get(key) != compared[0].get(key) for said in compared))
        for key in dict.fromkeys(key for said in compared for key in said)
    ]
    found = [lever for lever in found if lever.kind != "service" or lever.differs]  # every clinic has a plan
    if len({arm.sessions for arm in treated}) > 1:
        found.append(Lever("sessions", "sessions", True))
    if 0 < len(treated) < len(scenario.arms):
        # Where the arms with therapy differ too, the untreated arm is only what they are measured against.
        found.append(Lever("therapy", "therapy", differs=not any(lever.differs for lever in found)))
    return tuple(sorted(found, key=lambda lever: not lever.differs))


@lru_cache(maxsize=1)
def _functions() -> tuple[Equation, ...]:
    """Steps of the exchange in their order, then the other equations."""
    others = [f for name, f in vars(eq).items() if inspect.isfunction(f) and not name.startswith("_")]
    return tuple(dict.fromkeys([*(step.equation for step in EXCHANGE), *(f for f in others if f.__module__ == eq.__name__)]))


@lru_cache(maxsize=None)
def _takes(function: Equation) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def forms_of(parameter: str) -> set[str]:
    """Names of arguments that may stand for a parameter."""
    return {parameter} | {parameter.removeprefix(prefix) for prefix in PREFIXES if parameter.startswith(prefix)}


def bare(name: str) -> str:
    """A quantity's name without whose it is."""
    return name.removeprefix("client_").removeprefix("therapist_")


@lru_cache(maxsize=None)
def takers(parameter: str) -> tuple[Equation, ...]:
    """The equations of sessions and of life that take what plain arithmetic makes of a parameter."""
    found: list[Equation] = []
    together = {**DYAD, **OF_PEOPLE, **dict.fromkeys(BEFORE, ANYTHING)}
    own = {f"p_own_{name}" for name in OF_ROLE if parameter in (f"client_{name}", f"therapist_{name}")}
    for steps, columns in (*((verb.steps, together) for verb in (*FIRST_MEETING, *VERBS)), (beginning(), PERSON), (LIFE, PERSON)):
        carriers = {f"p_{parameter}", *own}
        for w in wire(tuple(step for step in steps if isinstance(step, Step)), NUMBERS, columns)[0]:
            if carriers & set(w.variables):
                if w.step.equation.__module__ == eq.__name__:
                    found.append(w.step.equation)
                else:
                    carriers |= set(w.step.writes)
    return tuple(dict.fromkeys(found))


def equations_of(lever: Lever) -> tuple[Equation, ...]:
    """The equations that a lever moves directly; of a verb that is switched off the verb."""
    if lever.kind == "parameter":
        found = tuple(f for f in _functions() if forms_of(lever.name) & _takes(f))
        # Some parameters are no argument: a rate with which something follows an equation, or what arithmetic makes of one first.
        rates = tuple(rule.equation for rule in SESSION_RULES if forms_of(lever.name) & set(rule.rates))
        return found or tuple(dict.fromkeys(rates)) or takers(lever.name)
    if lever.kind in ("column", "region"):
        return tuple(f for f in _functions() if bare(lever.name) in _takes(f))
    if lever.kind == "service":
        heeds = tuple(f for f in _functions() if set(TOLD) & _takes(f)) if lever.name == "feedback" else ()
        return (*heeds, *SERVICE[lever.name][0])
    if lever.kind in ABOUT_ATTACHMENT:
        mine = [step.equation for step in EXCHANGE if step.role == lever.kind]
        own = {f"{lever.kind}_anxiety", f"{lever.kind}_avoidance"}
        later = [rule.equation for rule in SESSION_RULES if own & set(READS[rule].values())]
        later += [eq.expected_distress] if lever.kind == "client" else []
        return tuple(f for f in dict.fromkeys([*mine, *later]) if ATTACHED & _takes(f))
    if lever.kind in ("step", "link"):
        name = lever.name if lever.kind == "step" else lever.name.rpartition(".")[0]
        steps = [step.equation for step in EXCHANGE if step.name == name] + [r.equation for r in SESSION_RULES if r.name == name]
        return tuple(dict.fromkeys(steps)) or tuple(verb for verb in SESSION if verb.__name__ == name)
    if lever.kind == "quantity":
        moved = set(CORNERS[lever.name].moves) if lever.name in CORNERS else {lever.name}
        written = [step.equation for step in EXCHANGE if moved & set(step.writes)]
        return tuple(dict.fromkeys([*written, *(rule.equation for rule in SESSION_RULES if moved & set(rule.writes))]))
    return {"early": (eq.prototype_drift,), "sessions": (eq.healing, eq.dropout_probability)}.get(lever.kind, ABOUT_THERAPY)


def readers(equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """The equations that read what these write within an exchange; what lasts is not followed."""
    direct = set(equations)
    written = {bare(name) for step in EXCHANGE if step.equation in direct for name in step.writes} - LASTING
    wanted = written | {f"partner_{name}" for name in written}
    return tuple(f for f in _functions() if f not in direct and wanted & _takes(f))


def _styles(scenario: Scenario, role: str) -> set[str]:
    """Styles of the people whom a scenario asks for in one role."""
    people: list[Attachment | None] = [getattr(arm, role) for arm in scenario.arms]
    found = set()
    for person in people:
        if person is not None and person.anxiety is not None and person.avoidance is not None:
            normal = person.kind == "normal"
            middle = [pair[0] if normal else (pair[0] + pair[1]) / 2 for pair in (person.anxiety, person.avoidance)]
            found.add(person.style or str(style_name(*middle)))
    return found


def _weights(lever: Lever, scenario: Scenario) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Claims that one lever puts to work: how much (the strongest 1), and through which equations."""
    direct, allowed = equations_of(lever), _allowed(lever, scenario)
    shares: dict[str, float] = {}
    through: dict[str, list[str]] = {}
    chain = [(f, 1.0) for f in direct]
    if allowed is None and lever.kind in ("parameter", "column", "region", "step", "link", "quantity"):
        chain += [(f, AT_ONE_REMOVE) for f in readers(direct)]
    for function, share in chain:
        for tag in claims_of(function.__name__):
            if allowed is None or tag in allowed:
                # An equation that names one claim says more about it than one that names six.
                shares[tag] = shares.get(tag, 0.0) + share / (len(claims_of(function.__name__)) if allowed is None else 1)
                through.setdefault(tag, []).append(function.__name__)
    named: tuple[str, ...] = ()
    if lever.kind == "region":  # a region names claims itself; so does an instrument, and holding a corner of the triangle
        named = REGIONS[lever.name.partition("_")[2]].claims
    elif lever.kind == "parameter" and PARAMETERS[lever.name].group == IMAGING:
        named = ("K19", "K26")
    elif lever.kind == "quantity" and lever.name in CORNERS:
        named = ("K23",)
    for tag in named:
        shares[tag] = shares.get(tag, 0.0) + max(shares.values(), default=1.0)
        through.setdefault(tag, [])
    most = max(shares.values(), default=1.0)
    return {tag: (share / most, tuple(dict.fromkeys(through[tag]))) for tag, share in shares.items()}


def _allowed(lever: Lever, scenario: Scenario) -> set[str] | None:
    """For attachment: the claims about this role's attachment, of single styles only those that take part. Else None = all."""
    if lever.kind not in ABOUT_ATTACHMENT:
        return None
    absent = {claim for style, claim in ABOUT_STYLE.items() if style not in _styles(scenario, "client")}
    return set(ABOUT_ATTACHMENT[lever.kind]) - absent


def involved(scenario: Scenario) -> list[Involved]:
    """The claims that this scenario puts to work, the most involved first; at most ``MOST_CLAIMS``."""
    at_work: dict[str, list[tuple[float, tuple[str, ...], str]]] = {}
    for lever in levers(scenario):
        for tag, (share, names) in _weights(lever, scenario).items():
            at_work.setdefault(tag, []).append((share * (DIFFERS if lever.differs else SET), names, lever.said))
    found = []
    for tag in sorted(at_work, key=list(claims()).index):
        weights, through, because = zip(*at_work[tag], strict=True)
        found.append(Involved(claims()[tag], tuple(dict.fromkeys(chain(*through))), tuple(dict.fromkeys(because)), sum(weights)))
    found.sort(key=lambda one: -one.weight)
    return [one for one in found[:MOST_CLAIMS] if one.weight >= LEAST_SHARE * found[0].weight]


def also_at_work(scenario: Scenario) -> list[Claim]:
    """The other claims that run as mechanisms whenever people meet (or, without therapy, whenever a week passes)."""
    shown = {one.claim.id for one in involved(scenario)}
    if any(arm.therapist is not None for arm in scenario.arms):
        running: set[str] = set(claims())
    else:
        running = {tag for f in (eq.defence, eq.expected_distress, eq.prototype_drift) for tag in claims_of(f.__name__)}
    return [c for c in claims().values() if c.kind == "mechanism" and c.id in running - shown]


def assumptions(scenario: Scenario) -> list[Assumption]:
    """The assumed parameters that the comparison rests on, at most ``MOST_PARAMETERS``.

    First the parameters (and columns) that the arms themselves change. Then, from each lever in turn, the arguments of its
    equations that say how strongly it works, the largest first: for attachment those named after anxiety or avoidance;
    otherwise all but centres, levels and noise.
    """
    moving = [lever for lever in levers(scenario) if lever.differs] or list(levers(scenario))
    changed = [_changed(lever, scenario) for lever in moving if lever.kind in ("parameter", "column")]
    taken = {row.name: row for row in changed}
    for n in in_turn(strengths(lever, scenario) for lever in moving):
        taken.setdefault(n.name, _row(n))
    return list(taken.values())[:MOST_PARAMETERS]


def strengths(lever: Lever, scenario: Scenario) -> list[Parameter]:
    """Assumed parameters that say how strongly a lever works: of its own equations and of those that read them, in turn."""
    direct, allowed = equations_of(lever), _allowed(lever, scenario)
    if lever.kind == "service":
        return [PARAMETERS[name] for name in SERVICE[lever.name][1]]
    if allowed is not None:
        other = "therapist_" if lever.kind == "client" else "client_"
        mine = [f for f in direct if allowed & set(claims_of(f.__name__))]
        return [n for n in _arguments_of(mine, ()) if not n.name.startswith(other) and n.name in OF_ATTACHMENT]
    words = [f.__name__.partition("_")[0] for f in direct]
    near = _arguments_of(direct, words)
    far = [n for n in _arguments_of(readers(direct), words) if n not in near]
    return in_turn([near, far])


def in_turn(queues: Iterable[list[Parameter]]) -> list[Parameter]:
    """The first of each queue, then the second of each, and so on."""
    return [n for rank in zip_longest(*queues) for n in rank if n is not None]


def _arguments_of(functions: Iterable[Equation], words: Iterable[str]) -> list[Parameter]:
    """Parameters that these take as gains, costs, rates or shares: those named after one of the words first, then by size."""
    takes = {argument for f in functions for argument in _takes(f)}
    assumed = (n for n in PARAMETERS.values() if n.status in ("assumption", "calibrated") and n.name not in LEVELS)
    found = [n for n in assumed if forms_of(n.name) & takes]
    return sorted(found, key=lambda n: (not any(word in n.name for word in words), -abs(n.default)))


def _changed(lever: Lever, scenario: Scenario) -> Assumption:
    """A row for a parameter or column that the arms change, with its value in each."""
    said = {arm.name: set_by(arm).get((lever.kind, lever.name)) for arm in scenario.arms if arm.therapist is not None}
    sign = "+" if lever.kind == "column" else ""
    given = "; ".join(f"{plain(value, sign)} in “{arm}”" for arm, value in said.items() if value is not None)
    if lever.kind == "column":
        return Assumption(lever.said, "what the arm's policy or training adds to it", given, "–", "")
    return _row(PARAMETERS[lever.name], f"; {given}")


def _row(n: Parameter, more: str = "") -> Assumption:
    return Assumption(n.name, n.meaning, f"{plain(n.default)}{more}", f"{plain(n.low)} to {plain(n.high)}", n.source)
