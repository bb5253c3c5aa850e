"""Steps: of what a course is made. Tuples of them are the model; engines walk the tuples (``sim/engine``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from sim.errors import WiringError

#: How a step writes what its equation gives: put in place of what was there; added to it or taken from it; or what was there
#: moves a part of the way toward it (the part is a parameter, named in ``rates``).
SET, ADD, SUBTRACT, TOWARD = "set", "add", "subtract", "toward"


@dataclass(frozen=True)
class Draw:
    """A random number of a step outside the exchange: its purpose, whose it is, and when it is drawn.

    ``whose``: ``client``, ``therapist`` or ``pair``; in a week of life ``person``. ``kind``: ``normal`` or ``uniform``. ``once``:
    one for all weeks.

    >>> Draw("timing", "pair").name
    'draw_timing_of_pair'
    """

    purpose: str
    whose: str = "client"
    kind: str = "normal"
    once: bool = False

    def __post_init__(self) -> None:
        known = {"kind": ("normal", "uniform"), "whose": ("client", "therapist", "pair", "person")}
        for what, values in known.items():
            if getattr(self, what) not in values:
                raise WiringError(f"a draw's {what} is {' or '.join(values)}, not {getattr(self, what)!r}")
        if not self.purpose.isidentifier():
            raise WiringError(f"a draw's purpose is one word (letters, digits, underscores), not {self.purpose!r}")

    @property
    def name(self) -> str:
        """What stands for it where steps are wired: a purpose may be drawn of several people."""
        return f"draw_{self.purpose}_of_{self.whose}"


@dataclass(frozen=True)
class Table:
    """A column of numbers that an equation reads a value off, found by name where the step is walked (people are drawn so)."""

    of: str

    @property
    def name(self) -> str:
        """What stands for it where steps are wired."""
        return f"table_{self.of}"


@dataclass(frozen=True, repr=False)
class Step:
    """One step of a course: whose it is, what is computed, which quantities it writes, and how.

    A quantity of the two is written ``client_trust`` or ``shared_meaning``; what a person brings and takes along (a column of
    ``sim.people.state.PERSON``) ``client.distress``; a questionnaire's score ``rating.wai_client``. ``how`` is one of ``SET``,
    ``ADD``, ``SUBTRACT`` and ``TOWARD``; ``rates``: a parameter for each of ``writes`` by which what is written is multiplied
    first ("" for none). ``given``: what an argument means where its name does not say it: a quantity, a parameter, a number, a
    ``Draw`` or a ``Table``.

    >>> from sim.theory import equations as eq
    >>> Step("client", eq.felt, ("client_felt",)).name
    'client.felt'
    """

    role: str  # "client" or "therapist"; unprefixed arguments mean this person's quantities
    equation: Callable[..., Any]
    writes: tuple[str, ...]
    how: str = SET
    rates: tuple[str, ...] = ()
    given: tuple[tuple[str, str | float | Draw | Table], ...] = ()

    def __post_init__(self) -> None:
        if self.how not in (SET, ADD, SUBTRACT, TOWARD):
            raise WiringError(f"step {self.name}: it can {SET}, {ADD}, {SUBTRACT} or move {TOWARD}, not {self.how!r}")
        if self.rates and (self.how == SET or len(self.rates) != len(self.writes)):
            raise WiringError(f"step {self.name}: a rate goes with each quantity that is added to or moved, and with no other")
        if self.how == TOWARD and not (self.rates and all(self.rates)):
            raise WiringError(f"step {self.name}: what moves toward a value needs a rate")
        if unknown := [name for name, _ in self.given if name not in signature(self.equation).parameters]:
            raise WiringError(f"step {self.name}: its equation has no argument '{unknown[0]}', for which something is given")

    def __hash__(self) -> int:  # tuples of steps are looked up often
        return hash((self.role, self.equation, self.writes))

    def __repr__(self) -> str:
        return f"Step({self.name!r} -> {', '.join(self.writes)})"

    @property
    def values(self) -> int:
        """How many values its equation gives: one each, but one for all where it is added."""
        return 1 if self.how in (ADD, SUBTRACT) else len(self.writes)

    @property
    def name(self) -> str:
        """``client.expression`` and the like."""
        return f"{self.role}.{self.equation.__name__}"


def step(role: str, equation: Callable[..., Any], writes: str, how: str = SET, rates: str = "", **given: Any) -> Step:
    """A step; ``writes`` with blanks between several quantities, ``rates`` with commas.

    >>> from sim.theory import equations as eq
    >>> step("client", eq.trust_target, "client_trust", TOWARD, "trust_rate").how
    'toward'
    """
    return Step(
        role,
        equation,
        tuple(writes.split()),
        how,
        tuple(rate.strip() for rate in rates.split(",")) if rates else (),
        tuple(given.items()),
    )
