"""What an equation's arguments mean in a step, by name: the wiring of an exchange, and the places at which to reach in."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sim.errors import WiringError
from sim.naming import nearest
from sim.people.apply import arguments
from sim.people.state import DYAD, OF_PEOPLE, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import REGIONS, ROLES
from sim.theory.steps import SET, Draw, Step, Table

_CONTEXT = ("exchange", "planned_sessions")  # known without being a column


def shipped(equation: Callable[..., Any]) -> bool:
    """Whether an equation is part of this package, so that generated text can import it."""
    module = sys.modules.get(equation.__module__)
    return equation.__module__.startswith("sim.") and getattr(module, equation.__name__, None) is equation


@dataclass
class Wiring:
    """What these steps need: parameters, region strengths, draws, columns read, quantities computed."""

    parameters: dict[str, None] = field(default_factory=dict)
    draws: dict[str, Draw] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)
    written: dict[str, None] = field(default_factory=dict)


def resolve(
    step: Step, argument: str, wiring: Wiring, parameters: Iterable[str] = tuple(PARAMETERS), columns: Mapping[str, Column] = DYAD
) -> str:
    """The variable that an equation's argument means in a step.

    In this order: what the step says itself (``given``); a region of this person (``acc``) or of the partner (``partner_acc``); a
    draw (``x_luck`` normal,
    ``x_chance`` uniform); the partner's quantity (``partner_x``); this person's quantity; a quantity of the dyad, or
    one named in full (``client_x``); this role's parameter (``client_x`` where declared); a parameter of the model.
    """
    said = dict(step.given).get(argument)
    if isinstance(said, Draw):
        if wiring.draws.setdefault(said.name, said) != said:
            raise WiringError(f"step {step.name}: '{said.purpose}' of the {said.whose} is drawn in two ways")
        return said.name
    if isinstance(said, Table):
        if said.name not in columns:
            raise WiringError(
                f"step {step.name}: there is no table '{said.of}' here; people are drawn from tables, nothing else is"
            )
        return said.name
    if isinstance(said, (int, float)):
        if not math.isfinite(said):
            raise WiringError(f"step {step.name}: '{argument}' is {said}; it must be a finite number")
        return repr(float(said))
    if said is not None:
        return _named(step, argument, said, wiring, parameters, columns)
    partner = argument.startswith("partner_") and step.role in ROLES
    whose = ROLES[1 - ROLES.index(step.role)] if partner else step.role
    bare = argument.removeprefix("partner_") if partner else argument
    if bare in REGIONS:
        wiring.parameters[f"{whose}_{bare}"] = None
        return f"p_{whose}_{bare}"
    if argument.endswith(("_luck", "_chance")):
        name = f"{step.role}_{argument}"
        wiring.draws[name] = Draw(name, whose_luck(name), "normal" if argument.endswith("_luck") else "uniform")
        return name
    own = f"{step.role}_{argument}" if step.role else argument
    for name in (f"{whose}_{bare}",) if partner else (own, argument):
        if found := _quantity(name, wiring, columns):
            return found
    for parameter in (own, argument):
        if parameter in parameters:
            wiring.parameters[parameter] = None
            return f"p_{parameter}"
    known = [*parameters, *REGIONS, *columns, *(q.partition("_")[2] for q in columns), *wiring.written]
    raise WiringError(f"step {step.name}: nothing provides '{argument}'{nearest(argument, known)}")


def _quantity(name: str, wiring: Wiring, columns: Mapping[str, Column]) -> str:
    """The quantity of that name, noted as read where it comes from a column; nothing where there is none."""
    if name in wiring.written or name in _CONTEXT:
        return name
    if name in columns:
        wiring.read[name] = None
        return name
    return ""


def _named(step: Step, argument: str, name: str, wiring: Wiring, parameters: Iterable[str], columns: Mapping[str, Column]) -> str:
    """The quantity or parameter that a step names for one of its arguments."""
    if found := _quantity(name, wiring, columns):
        return found
    if name in parameters:
        wiring.parameters[name] = None
        return f"p_{name}"
    raise WiringError(f"step {step.name}: nothing is called '{name}', which '{argument}' is to be")


def whose_luck(draw: str) -> str:
    """Whose random draw it is: client or pair."""
    # A client's own random draws go with them to every therapist; everything else belongs to the pair.
    return "client" if draw.startswith("client_") else "pair"


@dataclass(frozen=True)
class Anatomy:
    """The places of an exchange at which an experiment can reach in, in the order of computing.

    ``links``: ``(step, argument, quantity)`` where an equation reads a quantity. ``writes``: ``(step, quantity)`` where
    one is written. ``updates``: names of the steps that change a quantity which they read, such as learning rules. ``loaded``:
    columns that are read before a step writes them.
    """

    links: tuple[tuple[str, str, str], ...]
    writes: tuple[tuple[str, str], ...]
    updates: frozenset[str]
    loaded: tuple[str, ...]


@dataclass(frozen=True)
class Wired:
    """One step with its wiring resolved: which function, which variables (``p_x``: a parameter, or a region of a person such as
    ``p_client_acc``), and which of them are quantities."""

    step: Step
    function: str
    variables: tuple[str, ...]
    quantities: tuple[bool, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the equation's arguments."""
        return arguments(self.step.equation)

    @property
    def updates(self) -> bool:
        """Whether the step changes a quantity that it reads."""
        return set(self.step.writes) <= set(self.variables)


def wire(
    steps: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS), columns: Mapping[str, Column] = DYAD
) -> tuple[list[Wired], Wiring]:
    """Every step with its wiring resolved, in order, and all that they need together. Raises ``WiringError``."""
    wiring, names = Wiring(), tuple(parameters)
    out: list[Wired] = []
    for step in steps:
        variables = tuple(resolve(step, a, wiring, names, columns) for a in arguments(step.equation))
        if unknown := [rate for rate in step.rates if rate and rate not in names]:
            raise WiringError(f"step {step.name}: there is no parameter '{unknown[0]}'{nearest(unknown[0], names)}")
        known = {*wiring.written, *columns}
        out.append(Wired(step, _alias(step, out), variables, tuple(v in known for v in variables)))
        wiring.written.update(dict.fromkeys(step.writes))
    return out, wiring


def _alias(step: Step, earlier: list[Wired]) -> str:
    """What the generated text calls a step's equation; two equations of one name get two."""
    name = getattr(step.equation, "__name__", "")
    if not name.isidentifier():
        raise WiringError(f"an equation needs a name of its own (def ...), which {step.equation!r} has not")
    alias = re.sub(r"\W", "_", f"{step.equation.__module__.rpartition('.')[2]}__{name}")
    others = {w.function for w in earlier if w.step.equation is not step.equation}
    while alias in others:
        alias += "_"
    return alias


def not_as_written(step: Step) -> WiringError:
    """The error of a step whose equation gives more or fewer numbers than the step writes."""
    return WiringError(f"step {step.name} writes {len(step.writes)} quantities, and its equation gives another number of them")


def check_exchange(steps: tuple[Step, ...]) -> None:
    """Raise ``WiringError`` where a step cannot be one of an exchange, or two have one name."""
    for n, step in enumerate(steps):
        if step.how != SET or step.rates:
            raise WiringError(f"step {step.name}: within an exchange a step sets what it writes; to add or move is for verbs")
        odd = next((d for _, d in step.given if isinstance(d, Draw) and (d.once or d.whose not in ("client", "pair"))), None)
        if odd is not None:
            raise WiringError(f"step {step.name}: within an exchange random numbers are of the client or the pair and drawn each "
                              f"time, which '{odd.purpose}' is not")  # fmt: skip
        if any(step.name == other.name for other in steps[:n]):
            raise WiringError(f"step {step.name} stands twice in the exchange; each step of a person needs a name of its own")


@lru_cache(maxsize=8)
def anatomy(
    steps: tuple[Step, ...], parameters: tuple[str, ...] = tuple(PARAMETERS), columns: tuple[Column, ...] = tuple(DYAD.values())
) -> Anatomy:
    """Where an experiment can reach into these steps."""
    check_exchange(steps)
    wired, wiring = wire(steps, parameters, {c.name: c for c in columns})
    return Anatomy(
        loaded=tuple(wiring.read),
        links=tuple(
            (w.step.name, argument, variable)
            for w in wired
            for argument, variable, quantity in zip(arguments(w.step.equation), w.variables, w.quantities, strict=True)
            if quantity
        ),
        writes=tuple((w.step.name, quantity) for w in wired for quantity in w.step.writes),
        updates=frozenset(w.step.name for w in wired if w.updates),
    )


#: What the therapist reads of the client, and what of it is known after a session.
READ = ("therapist_estimate", "client_arousal", "client_expression")
#: What of it is summed over a session, from the three at the moment of reading (``{0}``, ``{1}``, ``{2}``).
READING = {
    "s_e": "{0}", "s_l": "{1}", "s_miss": "abs({0} - {1})", "s_ee": "{0} * {0}", "s_ll": "{1} * {1}", "s_el": "{0} * {1}",
    "s_x": "{2}", "s_xx": "{2} * {2}",
}  # fmt: skip
#: What is known after it, of those sums and the number of exchanges ``{n}``.
ACCURACY = {
    "tracking_accuracy": "tracking({n}, {s_e}, {s_l}, {s_ee}, {s_ll}, {s_el}, {s_x}, {s_xx})",
    "accuracy_level": "1.0 - {s_miss} / {n}",
    "directional_bias": "({s_e} - {s_l}) / {n}",
}


def moment_of_reading(steps: tuple[Step, ...], columns: Mapping[str, Column]) -> int:
    """Behind which step the therapist's estimate is compared with what it is of: the first that attunes; -1 where none does."""
    written = {quantity for step in steps for quantity in step.writes}
    if not ({*READ} <= written and {*ACCURACY} <= columns.keys()):
        return -1
    return next((n for n, step in enumerate(steps) if "therapist_attunement" in step.writes), -1)


def bounds(quantity: str, columns: Mapping[str, Column] = DYAD) -> tuple[float, float]:
    """The lowest and highest value that a quantity of an exchange may have."""
    if quantity in columns:
        return columns[quantity].low, columns[quantity].high
    return (-1.0, 1.0) if quantity.endswith("_surprise") else (0.0, 100.0 if quantity.endswith("_weight") else 1.0)


def trace_columns(steps: tuple[Step, ...]) -> list[str]:
    """Names of the quantities that a trace keeps, in the order of computing."""
    return list(dict.fromkeys(q for step in steps for q in step.writes))


def draws(steps: tuple[Step, ...]) -> Mapping[str, str]:
    """Every draw of an exchange: name -> whose draw it is (client or pair)."""
    return {name: draw.whose for name, draw in wire(steps)[1].draws.items()}


def read_by(steps: tuple[Step, ...], of: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS),
            columns: Mapping[str, Column] = DYAD) -> dict[Step, dict[str, str]]:  # fmt: skip
    """What some of these steps read of the two people and their relation: step -> argument -> quantity.

    Session means go by the quantity's own name. Not in it: what people bring, parameters, draws, and what a step changes itself.
    """
    wired, wiring = wire(steps, parameters, {**columns, **OF_PEOPLE})
    found = {}
    for w in wired:
        kept = {a: v for a, v in zip(w.arguments, w.variables, strict=True) if v in columns or v in wiring.written}
        found[w.step] = {a: v.removeprefix("mean_") for a, v in kept.items() if v not in w.step.writes and "." not in v}
    return {step: found[step] for step in of}
