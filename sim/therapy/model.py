"""A model: the steps of an exchange, the verbs of a session, and the numbers and columns that added mechanisms bring.

The shipped model is ``Model()``. A changed one is made by name, with no edit elsewhere (see docs/EXTENDING.md):

    mine = sim.Model().insert(client(rumination), after="client.labelled_arousal", numbers=[...])
    sim.run(scenario, seed=1, model=mine)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sim.people.state import DYAD, Column
from sim.theory.parameters import NUMBERS, Number, checked, nearest
from sim.therapy.compile import WiringError, anatomy
from sim.therapy.exchange import EXCHANGE, Step
from sim.therapy.session import SESSION, Verb


def _name(part: Step | Verb) -> str:
    return part.name if isinstance(part, Step) else part.__name__


@dataclass(frozen=True)
class Model:
    """What runs: an exchange, a session, and numbers and dyad columns beyond those of the shipped model."""

    exchange: tuple[Step, ...] = EXCHANGE
    session: tuple[Verb, ...] = SESSION
    numbers: Mapping[str, Number] = field(default_factory=lambda: MappingProxyType({}))
    columns: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))
    changes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def insert(
        self,
        part: Step | Verb,
        *,
        after: str,
        numbers: Iterable[Number] = (),
        columns: Iterable[Column] = (),
    ) -> Model:
        """A model with one more step (of the exchange) or verb (of the session), placed behind the one named ``after``.

        ``numbers``: what the mechanism brings, each declared like those of ``sim.theory.parameters``; they are passed to
        equations by name. ``columns``: what it keeps from one exchange or session to the next; each is also a column of
        the session table, and of a column called ``mean_x`` the exchange makes the session mean of the quantity ``x``.
        Raises ``WiringError`` for an unknown place, a name that is taken, or an argument that nothing provides.
        """
        parts: tuple[Any, ...] = self.exchange if isinstance(part, Step) else self.session
        names = [_name(p) for p in parts]
        if after not in names:
            raise WiringError(f"there is no step or verb '{after}'{nearest(after, names)}; known: {', '.join(names)}")
        if _name(part) in names:
            raise WiringError(f"'{_name(part)}' is there already; give the new one another name")
        own_numbers, own_columns = {n.name: n for n in numbers}, {c.name: c for c in columns}
        for name in (*own_numbers, *own_columns):
            if name in NUMBERS or name in self.numbers or name in DYAD or name in self.columns:
                raise WiringError(f"the name '{name}' is taken; choose another")
        for number in own_numbers.values():
            checked(number.name, number.default, own_numbers)
        at = names.index(after) + 1
        changed = (*parts[:at], part, *parts[at:])
        exchange, session = (changed, self.session) if isinstance(part, Step) else (self.exchange, changed)
        model = replace(
            self,
            exchange=exchange,
            session=session,
            numbers=MappingProxyType({**self.numbers, **own_numbers}),
            columns=MappingProxyType({**self.columns, **own_columns}),
        )
        model._wired()
        return model

    def without(self, name: str) -> Model:
        """A model without the step or verb of that name."""
        names = [*map(_name, self.exchange), *map(_name, self.session)]
        if name not in names:
            raise WiringError(f"there is no step or verb '{name}'{nearest(name, names)}; known: {', '.join(names)}")
        model = replace(
            self,
            exchange=tuple(s for s in self.exchange if s.name != name),
            session=tuple(v for v in self.session if v.__name__ != name),
        )
        model._wired()
        return model

    def but(self, **changes: float) -> Model:
        """A model with other values of its own numbers. Raises ``ParameterError`` for unknown names and values out of range."""
        valid = {name: checked(name, value, self.numbers) for name, value in changes.items()}
        return replace(self, changes=MappingProxyType({**self.changes, **valid}))

    def _wired(self) -> None:
        """Raise ``WiringError`` where an argument finds nothing; nothing is compiled yet."""
        anatomy(self.exchange, (*NUMBERS, *self.numbers), (*DYAD.values(), *self.columns.values()))

    @property
    def own(self) -> dict[str, Any]:
        """What differs from the shipped model, in plain values, for a manifest."""
        steps, verbs = {s.name for s in EXCHANGE}, {v.__name__ for v in SESSION}
        mine = {s.name for s in self.exchange}, {v.__name__ for v in self.session}
        found = {
            "added": sorted((mine[0] - steps) | (mine[1] - verbs)),
            "left out": sorted((steps - mine[0]) | (verbs - mine[1])),
            "numbers": {name: self.changes.get(name, number.default) for name, number in self.numbers.items()},
        }
        return {name: value for name, value in found.items() if value}




#: The model as shipped.
SHIPPED = Model()
