"""What an equation's arguments mean in a step, by name: the wiring of an exchange, and the places at which to reach in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sim.errors import WiringError
from sim.naming import nearest
from sim.people.apply import arguments
from sim.people.state import DYAD, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import REGIONS, ROLES

_CONTEXT = ("exchange",)  # known inside the loop without being a column


@dataclass(frozen=True, repr=False)
class Step:
    """One step of an exchange: whose it is, what is computed, and which quantities it writes.

    >>> from sim.theory import equations as eq
    >>> Step("client", eq.felt, ("client_felt",)).name
    'client.felt'
    """

    role: str  # "client" or "therapist"; unprefixed arguments mean this person's quantities
    equation: Callable[..., Any]
    writes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Step({self.name!r} -> {', '.join(self.writes)})"

    @property
    def name(self) -> str:
        """``client.expression`` and the like."""
        return f"{self.role}.{self.equation.__name__}"


@dataclass
class Wiring:
    """What the generated function needs: parameters, region strengths, draws, columns read, quantities computed."""

    parameters: dict[str, None] = field(default_factory=dict)
    draws: dict[str, None] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)
    written: dict[str, None] = field(default_factory=dict)


def resolve(
    step: Step, argument: str, wiring: Wiring, parameters: Iterable[str] = tuple(PARAMETERS), columns: Mapping[str, Column] = DYAD
) -> str:
    """The variable that an equation's argument means in a step.

    In this order: a region of this person (``acc``) or of the partner (``partner_acc``); a draw (``x_luck`` normal,
    ``x_chance`` uniform); the partner's quantity (``partner_x``); this person's quantity; a quantity of the dyad, or
    one named in full (``client_x``); this role's parameter (``client_x`` where declared); a parameter of the model.
    """
    other = ROLES[1 - ROLES.index(step.role)]
    whose, bare = (other, argument.removeprefix("partner_")) if argument.startswith("partner_") else (step.role, argument)
    if bare in REGIONS:
        wiring.parameters[f"{whose}_{bare}"] = None
        return f"p_{whose}_{bare}"
    if argument.endswith(("_luck", "_chance")):
        name = f"{step.role}_{argument}"
        wiring.draws[name] = None
        return name
    for quantity in (f"{whose}_{bare}",) if whose == other else (f"{step.role}_{argument}", argument):
        if quantity in wiring.written or quantity in _CONTEXT:
            return quantity
        if quantity in columns:
            wiring.read[quantity] = None
            return quantity
    for parameter in (f"{step.role}_{argument}", argument):
        if parameter in parameters:
            wiring.parameters[parameter] = None
            return f"p_{parameter}"
    known = [*parameters, *REGIONS, *columns, *(q.partition("_")[2] for q in columns), *wiring.written]
    raise WiringError(f"step {step.name}: nothing provides '{argument}'{nearest(argument, known)}")


def whose_luck(draw: str) -> str:
    """Whose random draw it is: client or pair."""
    # A client's own random draws go with them to every therapist; everything else belongs to the pair.
    return "client" if draw.startswith("client_") else "pair"


@dataclass(frozen=True)
class Anatomy:
    """The places of an exchange at which an experiment can reach in, in the order of computing.

    ``links``: ``(step, argument, quantity)`` where an equation reads a quantity. ``writes``: ``(step, quantity)`` where
    one is written. ``updates``: names of the steps that change a quantity which they read, such as learning rules.
    """

    links: tuple[tuple[str, str, str], ...]
    writes: tuple[tuple[str, str], ...]
    updates: frozenset[str]


@dataclass(frozen=True)
class Wired:
    """One step with its wiring resolved: which function, which variables (``p_x``: a parameter, or a region of a person such as
    ``p_client_acc``), and which of them are quantities."""

    step: Step
    function: str
    variables: tuple[str, ...]
    quantities: tuple[bool, ...]

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
        if any(step.name == other.step.name for other in out):
            raise WiringError(f"step {step.name} stands twice in the exchange; each step of a person needs a name of its own")
        variables = tuple(resolve(step, a, wiring, names, columns) for a in arguments(step.equation))
        known = {*wiring.written, *columns}
        out.append(Wired(step, _alias(step, out), variables, tuple(v in known for v in variables)))
        wiring.written.update(dict.fromkeys(step.writes))
    return out, wiring


def _alias(step: Step, earlier: list[Wired]) -> str:
    """What the generated text calls a step's equation; two equations of one name get two."""
    name = getattr(step.equation, "__name__", "")
    if not name.isidentifier():
        raise WiringError(f"an equation needs a name of its own (def ...), which {step.equation!r} has not")
    alias = f"{step.equation.__module__.rpartition('.')[2]}__{name}"
    others = {w.function for w in earlier if w.step.equation is not step.equation}
    while alias in others:
        alias += "_"
    return alias


@lru_cache(maxsize=8)
def anatomy(
    steps: tuple[Step, ...], parameters: tuple[str, ...] = tuple(PARAMETERS), columns: tuple[Column, ...] = tuple(DYAD.values())
) -> Anatomy:
    """Where an experiment can reach into these steps."""
    wired, _ = wire(steps, parameters, {c.name: c for c in columns})
    return Anatomy(
        links=tuple(
            (w.step.name, argument, variable)
            for w in wired
            for argument, variable, quantity in zip(arguments(w.step.equation), w.variables, w.quantities, strict=True)
            if quantity
        ),
        writes=tuple((w.step.name, quantity) for w in wired for quantity in w.step.writes),
        updates=frozenset(w.step.name for w in wired if w.updates),
    )


def bounds(quantity: str, columns: Mapping[str, Column] = DYAD) -> tuple[float, float]:
    """The lowest and highest value that a quantity of an exchange may have."""
    if quantity in columns:
        return columns[quantity].low, columns[quantity].high
    return (-1.0, 1.0) if quantity.endswith("_surprise") else (0.0, 1.0)


def trace_columns(steps: tuple[Step, ...]) -> list[str]:
    """Names of the quantities that a trace keeps, in the order of computing."""
    return list(dict.fromkeys(q for step in steps for q in step.writes))


def draws(steps: tuple[Step, ...]) -> Mapping[str, str]:
    """Every draw of an exchange: name -> whose draw it is (client or pair)."""
    return {d: whose_luck(d) for d in wire(steps)[1].draws}
