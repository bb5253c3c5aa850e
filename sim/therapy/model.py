"""A model: the steps of an exchange, the verbs of a session, and the parameters and columns that added mechanisms bring.

The shipped model is ``Model()``. A changed one is made by name, with no edit elsewhere (see docs/EXTENDING.md):

    mine = sim.Model().insert(client(rumination), after="client.labelled_arousal", parameters=[...])
    sim.run(scenario, seed=1, model=mine)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from sim.engine.wiring import anatomy, trace_columns, wire
from sim.errors import ParameterError, WiringError
from sim.measurement.asked import Ask
from sim.naming import nearest
from sim.people.state import DYAD, OF_PEOPLE, Column
from sim.theory.parameters import PARAMETERS, Parameter, checked
from sim.theory.regions import ROLES, intact
from sim.theory.steps import SET, Draw, Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import SESSION, Verb
from sim.therapy.verbs import Verb as DeclaredVerb


def _name(part: Step | Verb) -> str:
    return part.name if isinstance(part, Step) else getattr(part, "__name__", "")


@dataclass(frozen=True, repr=False)
class Model:
    """What runs: an exchange, a session, and parameters and dyad columns beyond those of the shipped model.

    Nothing in it changes: ``insert``, ``without`` and ``but`` give changed copies (docs/EXTENDING.md).

    >>> sim.Model().without("heal")
    Model(without heal)
    """

    exchange: tuple[Step, ...] = EXCHANGE
    session: tuple[Verb, ...] = SESSION
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    changes: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        own = [*(p.name for p in self.exchange if p not in EXCHANGE), *(_name(p) for p in self.session if p not in SESSION)]
        less = [*(p.name for p in EXCHANGE if p not in self.exchange), *(_name(p) for p in SESSION if p not in self.session)]
        said = [f"with {', '.join(own)}"] * bool(own) + [f"without {', '.join(less)}"] * bool(less)
        said += [f"{name}={value:g}" for name, value in self.changes.items()]
        return f"Model({'; '.join(said) or 'as shipped'})"

    def insert(
        self,
        part: Step | Verb,
        *,
        after: str,
        parameters: Iterable[Parameter] = (),
        columns: Iterable[Column] = (),
    ) -> Model:
        """A model with one more step (of the exchange) or verb (of the session), placed behind the one named ``after``.

        ``parameters``: what the mechanism brings, each declared like those of ``sim.theory.parameters``; they are passed to
        equations by name. ``columns``: what it keeps from one exchange or session to the next; each is also a column of
        the session table, and of a column called ``mean_x`` the exchange makes the session mean of the quantity ``x``.
        A step that writes a quantity of another, placed behind it, takes that one's place.
        Raises ``WiringError`` for an unknown place, a name that is taken, or an argument that nothing provides.
        """
        parts: tuple[Any, ...] = self.exchange if isinstance(part, Step) else self.session
        at = self._place(part, after, [_name(p) for p in parts]) + 1
        own_parameters, own_columns = list(parameters), list(columns)
        names = [*(parameter.name for parameter in own_parameters), *(column.name for column in own_columns)]
        taken = {*PARAMETERS, *self.parameters, *DYAD, *self.columns}
        for i, name in enumerate(names):
            if name in taken or name in names[:i]:
                raise WiringError(f"the name '{name}' is taken; choose another")
        declared = {parameter.name: parameter for parameter in own_parameters}
        for parameter in own_parameters:
            checked(parameter.name, parameter.default, declared)
        for column in own_columns:
            if not column.low <= column.start <= column.high:
                raise WiringError(f"the column '{column.name}' starts at {column.start:g}, outside its range")
        changed = (*parts[:at], part, *parts[at:])
        exchange, session = (changed, self.session) if isinstance(part, Step) else (self.exchange, changed)
        model = replace(
            self,
            exchange=exchange,
            session=session,
            parameters={**self.parameters, **declared},
            columns={**self.columns, **{column.name: column for column in own_columns}},
        )
        model._wired()
        return model

    def _place(self, part: Step | Verb, after: str, names: list[str]) -> int:
        """Where in the exchange or session ``after`` stands. Raises ``WiringError`` where ``part`` cannot follow it."""
        if not isinstance(part, Step) and not callable(part):
            raise WiringError(f"a step is written client(equation) or therapist(equation), a verb is a function, not {part!r}")
        if after not in names:
            others = [*map(_name, self.exchange), *map(_name, self.session)]
            if after in others:
                kind = "verb of the session" if isinstance(part, Step) else "step of the exchange"
                wrap = "" if isinstance(part, Step) else "; a step is written client(equation) or therapist(equation)"
                raise WiringError(f"'{after}' is a {kind}, and what is inserted is none{wrap}")
            raise WiringError(f"there is no step or verb '{after}'{nearest(after, names)}; known: {', '.join(names)}")
        for equation in (one.equation for one in (part, *getattr(part, "steps", ())) if isinstance(one, Step)):
            if "random" in getattr(getattr(equation, "py_func", equation), "__code__", _no_code).co_names:
                raise WiringError(f"{_name(part)} draws by 'random', which no seed repeats; use a draw (x_luck, x_chance, Draw)")
        if not _name(part).rpartition(".")[2].isidentifier():
            raise WiringError(f"{part!r} needs a name of its own (def ...)")
        if _name(part) in names:
            raise WiringError(f"'{_name(part)}' is there already; give the new one another name")
        return names.index(after)

    def without(self, name: str) -> Model:
        """A model without the step or verb of that name; it must be one whose quantities nothing else needs."""
        names = [*map(_name, self.exchange), *map(_name, self.session)]
        if name not in names:
            raise WiringError(f"there is no step or verb '{name}'{nearest(name, names)}; known: {', '.join(names)}")
        model = replace(
            self,
            exchange=tuple(s for s in self.exchange if s.name != name),
            session=tuple(v for v in self.session if _name(v) != name),
        )
        model._wired()
        return model

    def but(self, **changes: float) -> Model:
        """A model with other values of its own parameters.

        Raises ``ParameterError`` for unknown names and values out of range.
        """
        if not self.parameters and changes:
            raise ParameterError("this model has no parameters of its own; those of the shipped model are changed in a scenario")
        valid = {name: checked(name, value, self.parameters) for name, value in changes.items()}
        return replace(self, changes={**self.changes, **valid})

    def _wired(self) -> None:
        """Raise ``WiringError`` where an argument finds nothing; nothing is compiled yet."""
        anatomy(self.exchange, (*PARAMETERS, *self.parameters), (*DYAD.values(), *self.columns.values()))
        for step in self.exchange:
            if step.role not in ROLES:
                raise WiringError(f"step {step.name}: within an exchange a step is the client's or the therapist's")
        written = in_exchange = set(trace_columns(self.exchange))
        for verb in self.session:
            if isinstance(verb, DeclaredVerb):
                if verb not in SESSION:
                    self._wired_verb(verb)
                written = written | {name for step in verb.steps for name in step.writes}
        if all(isinstance(verb, DeclaredVerb) or verb in SESSION for verb in self.session):  # what others write nobody knows
            left = [name for name in self.columns if not name.startswith("mean_") and name not in written]
            if left:
                raise WiringError(f"no step writes the column '{left[0]}'{nearest(left[0], written)}")
        for name in self.columns:
            if name.startswith("mean_") and name.removeprefix("mean_") not in in_exchange:
                raise WiringError(f"no step writes '{name.removeprefix('mean_')}', of which '{name}' is to be the mean")

    def _wired_verb(self, verb: DeclaredVerb) -> None:
        """Raise ``WiringError`` where a verb's step reads, draws or writes what is not there."""
        columns = {**DYAD, **self.columns, **OF_PEOPLE}
        steps = tuple(step for step in verb.steps if isinstance(step, Step))
        for step in steps:
            if step.role not in (*ROLES, "observer", ""):
                raise WiringError(f"step {step.name}: a step is the client's, the therapist's or the observer's")
            if any(isinstance(what, Draw) and what.whose == "person" for _, what in step.given):
                raise WiringError(f"step {step.name}: in a session a draw is of the client, the therapist or the pair")
            for name in step.writes:
                known = name in columns or name == "ending" or name.startswith("rating.")
                if not known and ("." in name or step.how != SET):
                    raise WiringError(f"step {step.name}: there is no '{name}' to be changed{nearest(name, columns)}")
        wire(steps, (*PARAMETERS, *self.parameters, *intact()), columns)

    @property
    def own(self) -> dict[str, Any]:
        """What differs from the shipped model, in plain values, for a manifest."""
        added, left_out = [], []
        pairs: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...] = ((self.exchange, EXCHANGE), (self.session, SESSION))
        for mine, theirs in pairs:
            names, before = [_name(p) for p in mine], {_name(p) for p in theirs}
            added += [f"{name} after {names[i - 1]}" for i, name in enumerate(names) if name not in before]
            left_out += [name for name in map(_name, theirs) if name not in names]
        found = {
            "added": added,
            "left out": left_out,
            "parameters": {name: self.changes.get(name, parameter.default) for name, parameter in self.parameters.items()},
            "columns": list(self.columns),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def identity(self) -> str:
        """A hash of all that differs from the shipped model, what the added functions do included; empty for the shipped one."""
        if self == SHIPPED:
            return ""
        h = hashlib.blake2b(digest_size=8)
        for step in self.exchange:
            h.update(f"{_told(step)}\0".encode())
        for verb in self.session:
            h.update(f"{_name(verb)} {what_it_does(verb)}\0".encode())
        h.update(repr((self.parameters, self.columns, sorted(self.changes.items()))).encode())
        return h.hexdigest()


def _told(step: Step | Ask) -> str:
    """All that a step says, as text."""
    if isinstance(step, Ask):
        return f"{step.name} {step.instruments} {step.scales} {step.plus} {step.times} {step.purposes} {step.total}"
    return f"{step.name} {step.writes} {step.how} {step.rates} {step.given} {what_it_does(step.equation)}"


_no_code = compile("", "", "exec")


def what_it_does(function: Callable[..., Any]) -> str:
    """A function's code as text, the same in every process; numbers that it was made with, and steps, are part of it."""
    if isinstance(function, DeclaredVerb):
        return " ".join(map(_told, function.steps))
    plain = getattr(function, "py_func", function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return repr(type(plain))
    cells = [cell.cell_contents for cell in plain.__closure__ or ()]
    made_with = [value for value in (*cells, *(plain.__defaults__ or ())) if isinstance(value, (bool, int, float, str))]
    inner = [what_it_does(cell) for cell in cells if callable(cell)]
    return f"{_code(code)} {made_with}{inner or ''}"


def _code(code: CodeType) -> str:
    constants = [sorted(map(repr, c)) if isinstance(c, frozenset) else c for c in code.co_consts]  # sets have no order
    inner = [_code(c) if isinstance(c, CodeType) else repr(c) for c in constants]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {inner}"


#: The model as shipped.
SHIPPED = Model()
