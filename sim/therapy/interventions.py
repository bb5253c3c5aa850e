"""What an experimenter can do inside an exchange that no therapist could: switch off, cut (edge interventions), clamp, push,
force.

All of it is data of a scenario (beside ``lesions``), read by a form of the compiled exchange with a place to reach in at
every link and quantity (``native.source(intervened=True)``). It gives the same bytes as the usual one where nothing is asked.

- ``switch_off``: a step of the exchange (``client.anxiety_learned``) or a verb of the session (``heal``). A step that
  changes a quantity which it reads, such as a learning rule, leaves it as it was; any other gives 0.
- ``cut``: an equation sees a fixed value in place of a quantity (``therapist.response.warmth: 0.7``).
- ``clamp``: a quantity, or a corner of the triangle, keeps its course in the *baseline*, plus a stated amount (0 = just clamped).
  The baseline is the same people with common random numbers, and the same parameters and policies, without any intervention or
  lesion, and nobody leaves it. What a policy does is part of it, so a policy's way cannot be blocked by clamping. Within a
  session too, whatever follows from the quantity follows from what is clamped.
- ``force``: a quantity has a given value at a session and exchange. Where several fit, one that names a session goes
  before one that does not, then one that names an exchange. In an arm with fewer sessions it has no effect.

Where two meet, ``force`` goes before ``clamp``, and both before ``switch_off``. Arms without therapy have no exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.elementary import maximum, minimum
from sim.engine.wiring import Anatomy, anatomy, bounds
from sim.errors import InterventionError
from sim.naming import nearest
from sim.people.state import DYAD, Columns
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.steps import Step
from sim.theory.triangle import CORNERS
from sim.therapy.exchange import EXCHANGE
from sim.therapy.verbs import RULES, SESSION_LINKS, SESSION_RULES

#: Verbs of a session that can be switched off: all that change people, not who leaves.
VERBS = tuple(verb for verb in RULES if verb != "leave")
_FLAGS = ("ruptured", "confronted")  # what happens or does not, and is no column
_MOST = 1000.0  # for quantities without a highest value, such as built-up tension


@dataclass(frozen=True)
class Forced:
    """A quantity forced to ``value`` at a session and exchange, both counted from 1; None = at every one."""

    value: float
    quantity: str = "therapist_response"
    session: int | None = None
    exchange: int | None = None


@dataclass(frozen=True)
class Interventions:
    """What is done in one arm, beyond its parameters and lesions."""

    switch_off: tuple[str, ...] = ()
    cut: Mapping[str, float] = field(default_factory=dict)
    clamp: Mapping[str, float] = field(default_factory=dict)
    force: tuple[Forced, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.switch_off or self.cut or self.clamp or self.force)

    def in_words(self) -> list[str]:
        """Each thing that is done, in a few words."""
        forced = [
            f"{one.quantity} forced to {one.value:g} ({'every session' if one.session is None else f'session {one.session}'}, "
            f"{'every exchange' if one.exchange is None else f'exchange {one.exchange}'})"
            for one in self.force
        ]
        return [
            *(f"{name} off" for name in self.switch_off),
            *(f"{link} cut, sees {value:g}" for link, value in self.cut.items()),
            *(f"{name} clamped{f' {amount:+g}' if amount else ''}" for name, amount in self.clamp.items()),
            *forced,
        ]

    @property
    def off_in_session(self) -> tuple[str, ...]:
        """The verbs that are switched off."""
        return tuple(name for name in self.switch_off if name in VERBS)


def _must_be_known(kind: str, name: str, known: Collection[str], example: str) -> None:
    if name not in known:
        raise InterventionError(f"there is no {kind} '{name}'{nearest(name, known) or f'; one is written like {example}'}")


def step_names(places: Anatomy) -> list[str]:
    """Everything that can be switched off: steps of the exchange, and verbs of the session."""
    return [*dict.fromkeys(step for step, _ in places.writes), *VERBS]


def link_names(places: Anatomy) -> list[str]:
    """Every link of the exchange, such as ``therapist.response.warmth``."""
    return [f"{step}.{argument}" for step, argument, _ in places.links]


def links(places: Anatomy) -> dict[str, str]:
    """Every link that can be cut, of the exchange and of the session: its name, and the quantity that it carries."""
    return {**dict(zip(link_names(places), (quantity for _, _, quantity in places.links), strict=True)), **SESSION_LINKS}


def quantity_names(places: Anatomy) -> list[str]:
    """Every quantity that an exchange writes, and so can be forced."""
    return list(dict.fromkeys(quantity for _, quantity in places.writes))


def clamped_quantities(clamp: Mapping[str, float]) -> dict[str, float]:
    """What is clamped, corners spelled out: quantity -> amount that is added to its baseline course."""
    amounts: dict[str, float] = {}
    for name, amount in clamp.items():
        moves = CORNERS[name].moves if name in CORNERS else {name: 1.0}
        for quantity, per_unit in moves.items():
            amounts[quantity] = amounts.get(quantity, 0.0) + per_unit * amount
    return amounts


def overlap(clamp: Mapping[str, float]) -> tuple[str, str] | None:
    """The first two things in ``clamp`` that share a quantity, such as a corner and one of its own quantities."""
    owner: dict[str, str] = {}
    for name in clamp:
        for quantity in clamped_quantities({name: 0.0}):
            if quantity in owner:
                return owner[quantity], name
            owner[quantity] = name
    return None


def counted(quantity: str) -> bool:
    """Whether a quantity takes whole numbers only: something that happens or not, or is counted."""
    return quantity in _FLAGS or (quantity in DYAD and DYAD[quantity].unit in ("0 or 1", "count"))


def settable(quantity: str) -> tuple[float, float]:
    """The lowest and highest value to which an experimenter may set a quantity."""
    low, high = bounds(quantity) if quantity != "progress" else (-14.0, 14.0)  # SD of distress since intake
    return low, min(high, _MOST)


def check_switch(name: str) -> None:
    """Raise ``InterventionError`` unless ``name`` can be switched off."""
    if name in RULES and name not in VERBS:
        raise InterventionError(f"the verb '{name}' cannot be switched off; of the verbs {', '.join(VERBS)} can")
    _must_be_known("step or verb", name, step_names(anatomy(EXCHANGE)), "client.anxiety_learned or heal")


def typical(quantity: str) -> float | None:
    """What a link carries in the typical dyad, where a parameter of the model says so."""
    names = (f"{quantity}_typical", f"{quantity.partition('_')[2]}_typical")
    return next((PARAMETERS[name].default for name in names if name in PARAMETERS), None)


def cut_value(link: str, value: Any) -> float:
    """The value that the reader sees once ``link`` is cut. ``typical`` stands for the typical dyad's.

    Raises ``InterventionError`` for an unknown link or a value that its quantity cannot have.
    """
    known = links(anatomy(EXCHANGE))
    _must_be_known("link", link, known, "therapist.response.warmth (who.equation.what it reads)")
    quantity = known[link]
    low, high = settable(quantity)
    if value == "typical":
        found = typical(quantity)
        if found is None:
            raise InterventionError(
                f"no parameter of the model says what is typical of {quantity}; give the value that is to be seen in its place, "
                f"from {low:g} to {high:g}"
            )
        return found
    return checked_value(quantity, value)


def checked_value(quantity: str, value: Any) -> float:
    """``value`` as a float if the quantity may have it."""
    low, high = settable(quantity)
    whole = counted(quantity)
    valid = not isinstance(value, bool) and isinstance(value, (int, float)) and low <= value <= high
    if not valid or (whole and not float(value).is_integer()):
        raise InterventionError(f"must be a {'whole ' if whole else ''}number from {low:g} to {high:g}, not {repr(value)[:50]}")
    return float(value)


def check_clamped(name: str) -> None:
    """Raise ``InterventionError`` unless ``name`` is a corner of the triangle or a quantity that can be clamped."""
    _must_be_known("corner or quantity", name, can_be_clamped(), "attachment or client_arousal")


def most_added(name: str) -> float:
    """How far a corner or quantity can be pushed: over the whole of its range, in its own unit, and never more than 6."""
    if name in CORNERS:
        return 1.0 / max(abs(per_unit) for per_unit in CORNERS[name].moves.values())
    low, high = settable(name)
    return min(high - low, 6.0)


def can_be_clamped() -> list[str]:
    """Corners of the triangle, and every quantity that can be clamped."""
    in_session = (quantity for rule in SESSION_RULES for quantity in rule.writes if quantity in DYAD)
    return list(dict.fromkeys([*CORNERS, *quantity_names(anatomy(EXCHANGE)), *in_session]))


def check_forced(name: str) -> None:
    """Raise ``InterventionError`` unless ``name`` is a quantity that an exchange writes."""
    _must_be_known("quantity", name, quantity_names(anatomy(EXCHANGE)), "therapist_response")


class Intervening:
    """Interventions in the form in which the compiled exchange takes them, for the dyads of one world.

    ``base`` (dyad, exchange, clamped write) has this week's baseline course of whatever is clamped; the world of the
    baseline records it, the other reads it.
    """

    def __init__(
        self, wanted: Interventions, steps: tuple[Step, ...], parameters: Parameters, dyads: Columns, n_exchanges: int
    ) -> None:
        places = anatomy(steps, tuple(parameters), tuple(dyads.declared.values()))
        _all_there(wanted, places, dyads)
        names = list(dict.fromkeys(step for step, _ in places.writes))
        in_exchange = link_names(places)
        self.verbs_off = wanted.off_in_session
        self.cut_links = {link: value for link, value in wanted.cut.items() if link in SESSION_LINKS}
        self.clamped = clamped_quantities(wanted.clamp)
        self.off = np.array([name in wanted.switch_off for name in names])
        self.cut = np.array([wanted.cut.get(link, np.nan) for link in in_exchange])
        self.slot = np.full(len(places.writes), -1)
        self.shift = np.zeros(len(places.writes))
        for k, (_, quantity) in enumerate(places.writes):
            if quantity in self.clamped:
                self.slot[k], self.shift[k] = self.slot.max() + 1, self.clamped[quantity]
        self.base = np.zeros((len(dyads) if self.clamped else 0, n_exchanges, int(self.slot.max()) + 1))
        self.recording = False
        self.forced = _forced(wanted.force, [quantity for _, quantity in places.writes], n_exchanges)
        self.touched = (self.slot >= 0) | ~np.isnan(self.forced).all(axis=(0, 1))

    def recorder(self) -> Intervening:
        """The same for the world of the baseline: it does nothing but record the course of what is clamped."""
        twin = object.__new__(Intervening)
        twin.__dict__.update(self.__dict__)
        twin.off, twin.cut, twin.cut_links = np.zeros_like(self.off), np.full_like(self.cut, np.nan), {}
        twin.forced, twin.recording = np.full_like(self.forced[:1], np.nan), True
        twin.touched = self.slot >= 0
        return twin

    def seen(self, role: str, equation: str) -> dict[str, float]:
        """What an equation of the session's verbs sees in place of quantities, where its links are cut."""
        start = f"{role}.{equation}."
        return {link.removeprefix(start): value for link, value in self.cut_links.items() if link.startswith(start)}

    def arguments(self) -> tuple[Any, ...]:
        """What the compiled exchange takes, in its order."""
        return self.off, self.cut, self.touched, self.slot, self.shift, self.base, self.recording, self.forced

    def reached(self, write: int, natural: np.ndarray, rows: np.ndarray, session: np.ndarray, exchange: int,
                ends: tuple[float, float]) -> np.ndarray:  # fmt: skip
        """What becomes of a quantity that was just written (``write``: which of the exchange's writes) where it is held at its
        course in the baseline, or forced; ``ends``: the lowest and highest value that it may have."""
        if not self.touched[write]:
            return natural
        place = self.slot[write]
        if place >= 0 and self.recording:
            self.base[rows, exchange, place] = natural
        elif place >= 0:
            natural = minimum(maximum(self.base[rows, exchange, place] + self.shift[write], ends[0]), ends[1])
        forced = self.forced[np.where(session < len(self.forced), session, 0), exchange, write]
        return np.where(np.isnan(forced), natural, forced)

    def clamp_columns(self, dyads: Columns, baseline: Columns, rows: np.ndarray, only: str | None = None) -> None:
        """Set what is clamped (or only one of it) to its course in the baseline plus what is added.

        Writes the clamped columns.
        """
        for name in self.clamped if only is None else {only} & self.clamped.keys():
            if name in dyads.index:
                dyads.keep_within(name, baseline[name][rows] + self.clamped[name], rows)


def _all_there(wanted: Interventions, places: Anatomy, dyads: Columns) -> None:
    """Raise ``InterventionError`` where a changed model no longer has what an experiment wants to reach."""
    steps, known, quantities = step_names(places), links(places), quantity_names(places)
    clamped = clamped_quantities(wanted.clamp)
    gone = [
        *(name for name in wanted.switch_off if name not in steps),
        *(name for name in wanted.cut if name not in known),
        *(name for name in clamped if name not in quantities and name not in dyads.index),
        *(one.quantity for one in wanted.force if one.quantity not in quantities),
    ]
    if gone:
        raise InterventionError(f"this model has no {', '.join(dict.fromkeys(gone))}, which the scenario wants to reach")


def _forced(wanted: tuple[Forced, ...], writes: list[str], n_exchanges: int) -> np.ndarray:
    """(session, exchange, write) -> value or NaN; session 0 is for every session that is not named."""
    sessions = 1 + max([one.session or 0 for one in wanted], default=0)
    table = np.full((sessions, n_exchanges, len(writes)), np.nan)
    for one in sorted(wanted, key=lambda one: (one.session is not None, one.exchange is not None)):  # the narrower wins
        columns = [k for k, quantity in enumerate(writes) if quantity == one.quantity]
        when = slice(None) if one.session is None else slice(one.session, one.session + 1)
        at = slice(None) if one.exchange is None else slice(one.exchange - 1, one.exchange)
        for column in columns:
            table[when, at, column] = one.value
    return table


Verb = Callable[..., None]


def without(session: tuple[Verb, ...], switched_off: tuple[str, ...]) -> tuple[Verb, ...]:
    """The verbs of a session that are left."""
    return tuple(verb for verb in session if verb.__name__ not in switched_off)
