"""Lines that do steps for one person or pair, one number at a time: the text that the web engine's program is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.engine.wiring import Wired, wire
from sim.luck import purpose_code
from sim.measurement.asked import Ask
from sim.people.state import Column
from sim.theory import arithmetic
from sim.theory.steps import ADD, SUBTRACT, TOWARD, Draw, Step


def number(value: float) -> str:
    """A number as the text says it."""
    return repr(float(value)) if abs(value) < float("inf") else f"{'-' if value < 0 else ''}np.inf"


def stream(here: str, purpose: str) -> str:
    """Where the random numbers for a purpose begin, from where all of somebody's at one time do."""
    return f"absorbed({here}, np.uint64({int(purpose_code(purpose))}))"


def kept_within(value: str, column: Column) -> str:
    """A value within the range of its column, where every step that writes it keeps it there."""
    return f"minimum(maximum({value}, {number(column.low)}), {number(column.high)})" if column.kept else value


@dataclass
class Steps:
    """How steps become lines.

    ``functions``: by what the text calls them, added to. ``place``, ``parameter``: where a quantity and a number of the model
    stand. ``here``: where the random numbers of a draw's person begin; ``still``: whether they stand at their means. ``columns``:
    what is kept; ``numbers``: names of numbers. ``seen``: what a step's argument sees instead where an experimenter cuts it, or
    nothing. ``asked``: where the random numbers of who answers begin, and what stands before the names of scores.
    """

    functions: dict[str, Any]
    place: Callable[[str], str]
    parameter: Callable[[str], str]
    here: Callable[[Draw], str]
    columns: Mapping[str, Column]
    numbers: tuple[str, ...]
    still: str = "p[STILL]"
    seen: Callable[[Step, str], str] = lambda step, argument: ""
    asked: Callable[[Ask], tuple[str, str]] = lambda ask: ("here", "score ")

    def lines(self, steps: Sequence[Step | Ask]) -> list[str]:
        """The lines of these steps, in order."""
        return [line for _, lines in self.each(steps) for line in lines]

    def each(self, steps: Sequence[Step | Ask]) -> Iterator[tuple[Step | Ask, list[str]]]:
        """Each step with its lines, in order."""
        wired, wiring = wire(tuple(step for step in steps if isinstance(step, Step)), self.numbers, self.columns)
        left = iter(wired)
        for step in steps:
            yield step, self._answers(step) if isinstance(step, Ask) else self._computed(next(left), wiring.draws)

    def _computed(self, w: Wired, draws: Mapping[str, Draw]) -> list[str]:
        """One step: what it draws, its equation, what becomes of what that gives."""
        step, given, lines = w.step, [], []
        self.functions[w.function] = step.equation
        for argument, variable in zip(w.arguments, w.variables, strict=True):
            if variable in draws:
                draw = draws[variable]
                lines.append(f"{variable} = {draw.kind}({self.still}, {stream(self.here(draw), draw.purpose)}, np.uint64(0))")
            given.append(self._given(step, argument, variable, variable in draws))
        new = [f"new_{k}" if step.values > 1 else "new_0" for k in range(len(step.writes))]
        lines.append(f"{', '.join(dict.fromkeys(new))} = {w.function}({', '.join(given)})")
        for k, name in enumerate(step.writes):
            rate = self.parameter(step.rates[k]) if step.rates and step.rates[k] else ""
            there, value = self.place(name), f"{rate} * {new[k]}" if rate and step.how != TOWARD else new[k]
            if name in self.columns:
                if step.how == TOWARD:
                    value = f"{there} + {rate} * ({value} - {there})"
                elif step.how in (ADD, SUBTRACT):
                    value = f"{there} + {'-' if step.how == SUBTRACT else ''}({value})"
                value = kept_within(value, self.columns[name])
            lines.append(f"{there} = {value}")
        return lines

    def _given(self, step: Step, argument: str, variable: str, drawn: bool) -> str:
        if variable.startswith("p_"):
            return self.parameter(variable[2:])
        if drawn or variable[0].isdigit() or variable[0] == "-" or variable.startswith("table_"):
            return variable
        instead = self.seen(step, argument)
        return f"given({self.place(variable)}, {instead})" if instead else self.place(variable)

    def _answers(self, ask: Ask) -> list[str]:
        """A questionnaire: answers to its items, as many as come back, and scores."""
        here, before = self.asked(ask)
        lines = [f"came_back = handed_in({self.still}, {stream(here, f'{ask.form} not handed in')}, p[MISSING_FORM])"]
        for k, (_, quantity, score) in enumerate(ask.scales):
            one, purpose = ask.instruments[k], ask.purpose(k)
            plus = self.place(ask.plus[k]) if ask.plus else "0.0"
            streams = f"{stream(here, purpose)}, {stream(here, f'{purpose} left out')}"
            ends = f"{number(one.low)}, {number(one.high)}"
            lines += [
                f"response = {number(one.low)} + {number(one.high - one.low)} * {self.place(quantity)} + {plus}",
                f"total_{k}, n_{k} = answered(response, {streams}, came_back, {one.items}, {ends}, "
                f"{self.parameter(one.item_sd)}, p[MISSING_ITEM], {self.still})",
                f"{self.place(before + score)} = {number(ask.times)} * scored(total_{k}, n_{k}, {number(one.items)})",
            ]
        if ask.total:
            items = number(sum(one.items for one in ask.instruments))
            total, n = (" + ".join(f"{what}_{k}" for k in range(len(ask.scales))) for what in ("total", "n"))
            self.functions["mean_of_three"] = arithmetic.mean_of_three
            there, scales = self.place(before + ask.total), ", ".join(self.place(before + score) for *_, score in ask.scales)
            lines += [
                "if missing():",
                f"    {there} = scored({total}, {n}, {items})",
                "else:",
                f"    {there} = mean_of_three({scales})",
            ]
        return lines
