"""The plain engine: walks a tuple of steps on columns of people, one step after the other, and nothing else.

It is small and obvious, so that others can be held against it. What it walks on (people alone, or two people who meet) reads,
writes and draws by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sim.engine.wiring import Wired, Wiring, not_as_written, shipped, wire
from sim.errors import WiringError
from sim.measurement.asked import Ask
from sim.naming import nearest
from sim.people.state import Column
from sim.theory.equations import toward
from sim.theory.steps import ADD, SET, SUBTRACT, TOWARD, Draw, Step


class Ground(ABC):
    """What steps are walked on: some people at one time, with all that they know of each other.

    ``columns``: every quantity that is kept, by the name by which steps ask for it. ``parameters``: by name, and how much of each
    region is intact.
    """

    columns: Mapping[str, Column]
    parameters: Mapping[str, Any]

    @abstractmethod
    def read(self, name: str) -> Any:
        """A quantity that is kept."""

    @abstractmethod
    def write(self, name: str, values: Any) -> None:
        """Set a quantity that is kept, within its range where that is how it is kept."""

    @abstractmethod
    def draw(self, draw: Draw) -> Any:
        """Random numbers, one each."""

    def add(self, name: str, values: Any) -> None:
        """Add to a quantity that is kept, in the order of rows where several add to the same person."""
        self.write(name, self.read(name) + values)

    def seen(self, step: Step) -> Mapping[str, float]:
        """What an equation sees in place of quantities where an experiment cuts its links, argument -> value: here nothing."""
        return {}

    def ask(self, what: Ask, read: Callable[[str], Any]) -> None:
        """Have a questionnaire filled in, and keep its scores: here nobody is asked."""
        raise NotImplementedError(what)


@lru_cache(maxsize=64)
def _wired(steps: tuple[Step, ...], parameters: tuple[str, ...], columns: tuple[str, ...]) -> tuple[list[Wired], Wiring]:
    nowhere = Column("", 0, 0, 0, "", "")  # only names matter here
    return wire(steps, parameters, dict.fromkeys(columns, nowhere))


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def one_by_one(step: Step, given: Sequence[Any]) -> Any:
    """What an equation of somebody else's, which may be made for single numbers only, gives for columns."""
    equation = step.equation
    given = [np.asarray(one)[()] for one in given]  # numbers of NumPy, which divide by zero as compiled code does
    columns = np.broadcast_arrays(*given)
    if not columns or not columns[0].ndim:
        return equation(*given)
    found = [equation(*numbers) for numbers in zip(*columns, strict=True)]
    several = bool(found) and isinstance(found[0], tuple)
    for one in found:
        if not all(isinstance(number, (int, float, np.number, np.bool_)) for number in (one if several else (one,))):
            raise WiringError(f"step {step.name}: its equation must give numbers in every case, not {one!r}")
    return tuple(np.array(each, np.float64) for each in zip(*found, strict=True)) if several else np.array(found, np.float64)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # what is no number is found by its range
def walk(steps: tuple[Step | Ask, ...], ground: Ground) -> None:
    """Do these steps, in order. Quantities that are not kept last as long as the walk."""
    computed = tuple(step for step in steps if isinstance(step, Step))
    wired, wiring = _wired(computed, tuple(ground.parameters), tuple(ground.columns))
    left = iter(wired)
    passing: dict[str, Any] = {}

    def read(name: str) -> Any:
        if name in passing:
            return passing[name]
        if name.startswith("p_"):
            return ground.parameters[name[2:]]
        if name in wiring.draws:
            return ground.draw(wiring.draws[name])
        return float(name) if name[0].isdigit() or name[0] == "-" else ground.read(name)

    for step in steps:
        if isinstance(step, Ask):
            ground.ask(step, read)
            continue
        one, cut = next(left), ground.seen(step)
        given = [cut[a] if a in cut else read(v) for a, v in zip(one.arguments, one.variables, strict=True)]
        values = step.equation(*given) if shipped(step.equation) else one_by_one(step, given)
        several = isinstance(values, tuple)
        if len(values) != len(step.writes) if several else len(step.writes) > 1 and step.how == SET:
            raise not_as_written(step)
        for place, name in enumerate(step.writes):
            value = values[place] if several else values
            rate = ground.parameters[step.rates[place]] if step.rates and step.rates[place] else None
            if name not in ground.columns:
                if "." in name or step.how != SET:
                    raise WiringError(f"step {step.name}: there is no '{name}' to be changed{nearest(name, ground.columns)}")
                passing[name] = value
            elif step.how == TOWARD:
                ground.write(name, toward(ground.read(name), value, rate))
            elif step.how == SET:
                ground.write(name, value)
            else:
                value = value if rate is None else rate * value
                assert step.how in (ADD, SUBTRACT)
                ground.add(name, value if step.how == ADD else -value)
