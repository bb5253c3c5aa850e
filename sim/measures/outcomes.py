"""What a batch keeps of everybody: one number a client and outcome, of which each run's summary holds count, mean and SD.

An outcome is a function of one block's columns (clients of one arm and replicate) and gives one value a client, missing where the
client has none. So summaries need no table in memory, and a million clients are summed up block by block.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sim.catalogue.measures import OF_CLIENTS, Measure
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.model import what_it_does
from sim.therapy.session import DROPOUT, IMPROVED

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Block:
    """Clients of one arm and replicate who were simulated together: their tables as columns, as ``run`` makes them.

    ``tables``: name -> column -> one value a row. ``months``: the month in which courses are compared (the last
    assessment until the planned end).

    >>> Block({"clients": {"client": np.arange(3)}}, 6).months
    6
    """

    tables: Mapping[str, Columns]
    months: int
    _sums: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def clients(self) -> Columns:
        """The columns of clients, one value a client."""
        return self.tables["clients"]

    @cached_property
    def n(self) -> int:
        """How many clients."""
        return int(self.clients["client"].size)

    @cached_property
    def _sessions(self) -> Columns:
        return self.tables.get("sessions", {})

    @cached_property
    def _row(self) -> np.ndarray:
        """The client (from 0) of every session."""
        return np.searchsorted(self.clients["client"], self._sessions["client"]) if self._sessions else np.empty(0, np.int64)

    @cached_property
    def held(self) -> np.ndarray:
        """Sessions held with each client."""
        return np.bincount(self._row, minlength=self.n)

    def session_mean(self, column: str, among: np.ndarray | None = None) -> np.ndarray:
        """Each client's mean of a column over the sessions held, or ``among`` them (one truth value a session)."""
        if column not in self._sessions:  # nobody in therapy, or a changed model that has not got it
            return np.full(self.n, np.nan)
        values = self._sessions[column].astype(float)
        used = ~np.isnan(values) if among is None else ~np.isnan(values) & among
        count = np.bincount(self._row[used], minlength=self.n)
        total = np.bincount(self._row[used], weights=values[used], minlength=self.n)
        return _ratio(total, count)

    def session_sum(self, column: str) -> np.ndarray:
        """Each client's sum of a column over the sessions held."""
        if column not in self._sessions:
            return np.zeros(self.n)
        return np.bincount(self._row, weights=self._sessions[column].astype(float), minlength=self.n)

    @cached_property
    def late(self) -> np.ndarray:
        """Which sessions are late: in the last third (rounded up) of those that this client came to."""
        held = self.held[self._row]
        return np.asarray(self._sessions["session"] > held - np.ceil(held / 3)) if self._sessions else np.empty(0, bool)

    @cached_property
    def early(self) -> np.ndarray:
        """Which sessions are in the first third (rounded up)."""
        return np.asarray(self._sessions["session"] <= np.ceil(self.held[self._row] / 3)) if self._sessions else np.empty(0, bool)

    @cached_property
    def treated(self) -> np.ndarray:
        """Who had at least one session."""
        return np.asarray(self.clients["sessions_attended"] > 0)

    def assessed_change(self, column: str) -> np.ndarray:
        """Each client's change from intake to the assessment in the month of comparison, in therapy or not."""
        table = self.tables["assessments"]
        ends = [np.flatnonzero(table["month"] == month) for month in (0, self.months)]
        if not self.months or any(rows.size != self.n for rows in ends):
            return np.full(self.n, np.nan)
        return np.asarray(table[column][ends[1]] - table[column][ends[0]], float)

    def change(self, column: str, *, treated: bool = True) -> np.ndarray:
        """Each client's change in a quantity of the table of clients, from ``_0`` to ``_end``."""
        kind = "_latent" if column.endswith("_latent") else ""
        name = column.removesuffix("_latent")
        if not {f"{name}_0{kind}", f"{name}_end{kind}"} <= self.clients.keys():
            return np.full(self.n, np.nan)
        values = np.asarray(self.clients[f"{name}_end{kind}"] - self.clients[f"{name}_0{kind}"], float)
        return np.where(self.treated, values, np.nan) if treated else values


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ended(block: Block, how: int) -> np.ndarray:
    return np.where(block.treated, (block.clients["ending"] == how).astype(float), np.nan)


def _growth(block: Block) -> np.ndarray:
    grown = block.session_mean("wai_client", block.late) - block.session_mean("wai_client", block.early)
    return np.where(block.held >= 3, grown, np.nan)


#: The value of every client, by the name of the measure in ``catalogue.measures.OF_CLIENTS``.
VALUES: dict[str, Callable[[Block], np.ndarray]] = {
    "alliance": lambda b: b.session_mean("wai_client", b.late),
    "alliance_all_sessions": lambda b: b.session_mean("wai_client"),
    "alliance_growth": _growth,
    "alliance_therapist": lambda b: b.session_mean("wai_therapist", b.late),
    "empathy": lambda b: b.session_mean("empathy_client"),
    "accuracy": lambda b: b.session_mean("tracking_accuracy"),
    "ruptures": lambda b: b.session_mean("ruptures"),
    "repaired": lambda b: _ratio(b.session_sum("repairs"), b.session_sum("ruptures")),
    "sessions": lambda b: np.where(b.treated, b.clients["sessions_attended"].astype(float), np.nan),
    "dropout": lambda b: _ended(b, DROPOUT),
    "improved": lambda b: _ended(b, IMPROVED),
    "distress_change": lambda b: b.assessed_change("distress"),
    "distress_last_rating": lambda b: b.change("distress"),
    "anxiety_change": lambda b: b.change("client_anxiety_latent", treated=False),
    "avoidance_change": lambda b: b.change("client_avoidance_latent", treated=False),
    "therapist_anxiety_change": lambda b: b.change("therapist_anxiety_latent"),
    "therapist_avoidance_change": lambda b: b.change("therapist_avoidance_latent"),
}


def add_outcome(name: str, measure: Measure, values: Callable[[Block], np.ndarray]) -> None:
    """Have batches keep one more measure of every client, or another one under a name that is there.

    ``values``: from a block of clients to one value a client, missing (NaN) where a client has none.

    >>> from sim.catalogue.measures import Measure, OF_CLIENTS
    >>> add_outcome("sessions", OF_CLIENTS["sessions"], VALUES["sessions"])
    """
    OF_CLIENTS[name], VALUES[name] = measure, values


def outcomes_identity() -> str:
    """A text that differs where any outcome does, also one that was added or replaced in this process."""
    return json.dumps([[name, one.title, one.unit, what_it_does(VALUES[name])] for name, one in OF_CLIENTS.items()])


def block_of(tables: Mapping[str, Columns], arm: Arm) -> Block:
    """A block from the columns that ``run`` makes of one arm's clients."""
    return Block(tables, arm.sessions // WEEKS_PER_MONTH)


def values_of(block: Block) -> dict[str, np.ndarray]:
    """Every outcome's values, one a client."""
    return {name: np.asarray(of(block), float) for name, of in VALUES.items()}


#: Number, mean, and sum of squared deviations from it.
Moments = tuple[int, float, float]


def moments(values: np.ndarray) -> Moments:
    """Number, mean, and sum of squared deviations of the values that are there."""
    there = values[~np.isnan(values)]
    if not there.size:
        return 0, float("nan"), float("nan")
    mean = float(there.mean())
    return int(there.size), mean, float(((there - mean) ** 2).sum())


def together(parts: list[Moments]) -> Moments:
    """Moments of all parts as one, put together in the order given.

    n = Σ nᵢ, mean and sum of squares by the pairwise update of Chan, Golub & LeVeque (1983).
    """
    n, mean, squares = 0, float("nan"), float("nan")
    for m, part_mean, part_squares in parts:
        if not m:
            continue
        if not n:
            n, mean, squares = m, part_mean, part_squares
            continue
        apart = part_mean - mean
        squares += part_squares + apart * apart * n * m / (n + m)
        mean += apart * m / (n + m)
        n += m
    return n, mean, squares


def sd_of(n: int, squares: float) -> float:
    """SD from number and sum of squared deviations; missing for fewer than two."""
    return float(np.sqrt(squares / (n - 1))) if n > 1 else float("nan")
