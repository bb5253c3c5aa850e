"""People by themselves: they are drawn, and live week by week."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.engine.fused import candidates_kernel, life_kernel
from sim.engine.plain import Ground, walk
from sim.errors import UsageError
from sim.luck import Luck
from sim.people.attachment import Attachment
from sim.people.life import EARLY, LIFE, NUMBERS, beginning
from sim.people.population import DISTRESS, KEPT, MOST_ATTEMPTS, PLACE, TABLES, nobody_fits, wanted_numbers, wanted_tables
from sim.people.state import ANYTHING, PERSON, Column, Columns
from sim.theory.parameters import Parameters
from sim.theory.steps import Draw
from sim.theory.styles import share


class Living(Ground):
    """People by themselves, as the plain engine walks on them."""

    def __init__(self, role: str, people: Columns, parameters: Parameters, code: np.ndarray, week: int, luck: Luck,
                 more: Mapping[str, float] | None = None) -> None:  # fmt: skip
        self.people, self.code, self.week, self.luck = people, code, week, luck
        self.parameters: Mapping[str, float] = {**known(parameters, role), **(more or {})}
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

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of these people."""
        return self.luck.of_kind(draw.kind, self.code, draw.purpose, 0 if draw.once else self.week)


def asked_for() -> str:
    """The engine that ``ATTUNE_ENGINE`` asks for: ``native`` where it says nothing, or ``plain``, the same numbers, slowly.

    Raises ``UsageError`` for any other.
    """
    return an_engine(os.environ.get("ATTUNE_ENGINE", "native"))


def an_engine(name: str) -> str:
    """The name, if it is an engine's. Raises ``UsageError``."""
    if name not in ("native", "plain"):
        raise UsageError(f"there is no engine '{name}' (ATTUNE_ENGINE); known: native, plain")
    return name


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


class Candidates(Ground):
    """Candidates, each on an attempt of a person's, as the plain engine walks on them; ``found``: all that is known of them."""

    def __init__(self, code: np.ndarray, attempt: np.ndarray, parameters: Mapping[str, float], tables: Mapping[str, np.ndarray],
                 luck: Luck) -> None:  # fmt: skip
        self.code, self.attempt, self.parameters, self.tables, self.luck = code, attempt, parameters, tables, luck
        self.columns: Mapping[str, Column] = _OF_CANDIDATES
        self.found: dict[str, np.ndarray] = {}

    def who_fit(self) -> np.ndarray:
        """Which of them are still candidates; the others are dropped."""
        who = np.flatnonzero(self.found["fits"] > 0.0)
        self.code, self.attempt = self.code[who], self.attempt[who]
        self.found = {name: values[who] for name, values in self.found.items()}
        return who

    def read(self, name: str) -> np.ndarray:
        """What is known of the candidates, or a table."""
        return self.tables[name.removeprefix("table_")] if name.startswith("table_") else self.found[name]

    def write(self, name: str, values: Any) -> None:
        """Note a quantity."""
        self.found[name] = np.broadcast_to(values, self.code.shape)

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of these attempts."""
        return self.luck.of_kind(draw.kind, self.code, draw.purpose, self.attempt)


_OF_CANDIDATES = dict.fromkeys((*TABLES, *(name for step in (*PLACE, *DISTRESS) for name in step.writes)), ANYTHING)
#: Candidates that are drawn together at most, and for few people at least; more would be drawn in vain.
_TOGETHER, _FEW = 4096, 256


def first_who_fit(code: np.ndarray, numbers: Mapping[str, float], tables: Mapping[str, np.ndarray], luck: Luck,
                  out: np.ndarray) -> int:  # fmt: skip
    """Of each person the first candidate who fits (rows of ``out``: ``population.KEPT``), as the plain engine finds them.

    Of somebody who has been looked for long more candidates are drawn at a time. Gives the place of the first person for whom
    nobody is found within ``population.MOST_ATTEMPTS`` candidates, or -1.
    """
    tried = np.zeros(code.size, np.int64)
    for first in range(0, code.size, _TOGETHER):
        left = np.arange(first, min(first + _TOGETHER, code.size))
        while left.size:
            begun = int(tried[left[0]])
            many = min(max(begun // 2, _FEW // left.size, 1), MOST_ATTEMPTS - begun, _TOGETHER)
            if many == 0:
                return int(left[0])
            now = left[: _TOGETHER // many]
            attempt = (tried[now][:, None] + np.arange(many)).reshape(-1)
            those = Candidates(np.repeat(code[now], many), attempt, numbers, tables, luck)
            walk(PLACE, those)
            who = those.who_fit()
            walk(DISTRESS, those)
            who = who[those.who_fit()]
            of, places = np.unique(now[who // many], return_index=True)  # of each the first
            for row, name in zip(out, KEPT, strict=True):
                row[of] = those.found[name][places]
            tried[now] += many
            left = left[np.isin(left, of, invert=True)]
    return -1


def candidates(role: str, wanted: Attachment, code: np.ndarray, parameters: Parameters, luck: Luck, engine: str) -> Columns:
    """People of one role who fit what is wanted, as state columns: their attachment, defences and distress.

    What else they bring is given to them by ``life.beginning``. ``code`` are their random-number codes.

    Raises ``PopulationError`` when nobody fits the wanted place within ``population.MOST_ATTEMPTS`` candidates.
    """
    people, out = Columns(PERSON, code.size), np.empty((len(KEPT), code.size))
    wishes, tables = wanted_numbers(role, wanted, parameters), wanted_tables(role, wanted, parameters)
    if engine == "plain":
        nobody = first_who_fit(code, {**known(parameters, role), **wishes}, tables, luck, out)
    else:
        values = np.concatenate([numbers(parameters, role), [*wishes.values()]])
        here = np.uint64(luck.seed), np.uint64(luck.replicate)
        nobody = candidates_kernel()(code, *here, values, *tables.values(), MOST_ATTEMPTS, out)
    if nobody >= 0:
        raise nobody_fits(role, wishes)
    for name, values in zip(KEPT, out, strict=True):
        if PERSON[name].kept:
            people.keep_within(name, values)
        else:
            people[name] = values
    return people


def draw(role: str, wanted: Attachment, code: np.ndarray, parameters: Parameters, luck: Luck,
         engine: str | None = None) -> Columns:  # fmt: skip
    """People of one role, as state columns; ``code`` are their random-number codes.

    Raises ``PopulationError`` when nobody fits the wanted place within ``population.MOST_ATTEMPTS`` candidates.
    """
    people = candidates(role, wanted, code, parameters, luck, engine or asked_for())
    early = {} if wanted.early is None else dict(zip(EARLY, map(float, map(share, wanted.early)), strict=True))
    walk(beginning(bool(early)), Living(role, people, parameters, code, 0, luck, early))
    return people
