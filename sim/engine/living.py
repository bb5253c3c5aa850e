"""People by themselves: they are drawn, and live week by week."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sim.engine.fused import life_kernel
from sim.engine.plain import walk
from sim.luck import Luck
from sim.measurement.asked import Ask
from sim.people.attachment import Attachment
from sim.people.life import LIFE, NUMBERS, beginning
from sim.people.population import candidates
from sim.people.state import Column, Columns
from sim.theory.parameters import Parameters
from sim.theory.steps import Draw, Step
from sim.theory.styles import share


class Living:
    """People by themselves, as the plain engine walks on them (``engine.plain.Ground``)."""

    def __init__(self, role: str, people: Columns, parameters: Parameters, code: np.ndarray, week: int, luck: Luck) -> None:
        self.people, self.code, self.week, self.luck = people, code, week, luck
        self.parameters: Mapping[str, float] = known(parameters, role)
        self.columns: Mapping[str, Column] = people.declared

    def read(self, name: str) -> np.ndarray:
        """A person's column as it is now: a copy, since steps may keep it."""
        return self.people[name].copy()

    def write(self, name: str, values: Any) -> None:
        """Set a person's column."""
        if self.columns[name].kept:
            self.people.keep_within(name, values)
        else:
            self.people[name] = values

    def add(self, name: str, values: Any) -> None:
        """Add to a person's column."""
        self.write(name, self.people[name] + values)

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of these people."""
        return self.luck.of_kind(draw.kind, self.code, draw.purpose, 0 if draw.once else self.week)

    def seen(self, step: Step) -> Mapping[str, float]:
        """Nobody reaches into life."""
        return {}

    def ask(self, what: Ask, read: Callable[[str], Any]) -> None:
        """Nobody is asked."""
        raise NotImplementedError(what)


def known(parameters: Parameters, role: str) -> dict[str, float]:
    """The numbers that steps of people by themselves may name, by name."""
    return {**parameters, **parameters.own(role)}


def numbers(parameters: Parameters, role: str) -> np.ndarray:
    """The same as machine code takes them: those of ``life.NUMBERS``, in their order."""
    by_name = known(parameters, role)
    return np.array([by_name[name] for name in NUMBERS], np.float64)


def live_a_week(role: str, people: Columns, code: np.ndarray, week: int, parameters: Parameters, luck: Luck,
                engine: str = "native", values: np.ndarray | None = None) -> None:  # fmt: skip
    """A week of life (``LIFE``) for these people, in therapy or not; ``code`` are their random-number codes (``luck.person``).

    Fewer codes than people: only the first live. ``engine``: ``native`` (machine code; ``values`` are ``numbers`` that are known
    already) or ``plain``, with the same numbers.
    """
    if engine == "plain":
        walk(LIFE, Living(role, people.first(code.size), parameters, code, week, luck))
        return
    values = numbers(parameters, role) if values is None else values
    life_kernel()(people.data, code, np.uint64(week), np.uint64(luck.seed), np.uint64(luck.replicate), values, still=luck.still)


def draw(role: str, wanted: Attachment, code: np.ndarray, parameters: Parameters, luck: Luck) -> Columns:
    """People of one role, as state columns; ``code`` are their random-number codes.

    Raises ``PopulationError`` when nobody fits the wanted place within ``population.MOST_ATTEMPTS`` candidates.
    """
    people = candidates(role, wanted, code, parameters, luck)
    early = None if wanted.early is None else (float(share(wanted.early[0])), float(share(wanted.early[1])))
    walk(beginning(early), Living(role, people, parameters, code, 0, luck))
    return people
