"""Measures that are one number a client, each one function: of a batch's blocks, and of a run cut into blocks.

The function takes one block's columns (clients of one arm) and gives one value a client, missing where the client has none. So a
batch's summaries need no table in memory, and a million clients are summed up block by block.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.catalogue.measures import CATALOGUE, Measure
from sim.measures.courses import once_a_run, sessions_in_order, treated
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.endings import DROPOUT, ENDINGS, IMPROVED
from sim.therapy.model import what_it_does

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm
    from sim.simulation.tables import Run

Columns = Mapping[str, np.ndarray]
_REPLICATE = 2**32  # what keeps clients of one number in two replicates apart


@dataclass(frozen=True)
class Block:
    """Clients of one arm who were simulated together: their tables as columns, as simulations leave them behind.

    ``tables``: name -> column -> one value a row. ``months``: the month in which courses are compared (the last
    assessment until the planned end).

    >>> Block({"clients": {"client": np.arange(3)}}, 6).months
    6
    """

    tables: Mapping[str, Columns]
    months: int

    @cached_property
    def clients(self) -> Columns:
        """The columns of clients, one value a client."""
        return self.tables["clients"]

    @cached_property
    def n(self) -> int:
        """How many clients."""
        return int(self.clients["client"].size)

    @cached_property
    def sessions(self) -> Columns:
        """The columns of sessions; none where nobody is in therapy, or sessions were not kept."""
        return self.tables.get("sessions", {})

    @cached_property
    def row(self) -> np.ndarray:
        """The client (from 0) of every session."""
        return np.searchsorted(self.clients["client"], self.sessions["client"]) if self.sessions else np.empty(0, np.int64)

    @cached_property
    def held(self) -> np.ndarray:
        """Sessions held with each client."""
        return np.bincount(self.row, minlength=self.n)

    def session_mean(self, column: str | np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
        """Each client's mean of a column (or one value a session) over sessions held, or ``among`` them (a truth value each)."""
        if isinstance(column, str) and column not in self.sessions:  # nobody in therapy, or a changed model that has not got it
            return np.full(self.n, np.nan)
        values = (self.sessions[column] if isinstance(column, str) else column).astype(float)
        used = ~np.isnan(values) if among is None else ~np.isnan(values) & among
        count = np.bincount(self.row[used], minlength=self.n)
        total = np.bincount(self.row[used], weights=values[used], minlength=self.n)
        return _ratio(total, count)

    def total(self, column: str) -> np.ndarray:
        """Each client's sum of a column over the sessions held; of a clinic's as its courses have it."""
        if f"{column}_total" in self.clients:
            return np.asarray(self.clients[f"{column}_total"], float)
        if column not in self.sessions:
            return np.full(self.n, np.nan)
        return np.bincount(self.row, weights=self.sessions[column].astype(float), minlength=self.n)

    @cached_property
    def late(self) -> np.ndarray:
        """Which sessions are late: in the last third (rounded up) of those that this client came to."""
        held = self.held[self.row]
        return np.asarray(self.sessions["session"] > held - np.ceil(held / 3)) if self.sessions else np.empty(0, bool)

    @cached_property
    def early(self) -> np.ndarray:
        """Which sessions are in the first third (rounded up)."""
        return np.asarray(self.sessions["session"] <= np.ceil(self.held[self.row] / 3)) if self.sessions else np.empty(0, bool)

    @cached_property
    def treated(self) -> np.ndarray:
        """Who had at least one session."""
        return np.asarray(self.clients["sessions_attended"] > 0)

    def assessed_change(self, column: str, month: int | None = None) -> np.ndarray:
        """Each client's change from intake to the assessment in a month (default: of comparison), in therapy or not."""
        table, month = self.tables.get("assessments", {}), self.months if month is None else month
        ends = [np.flatnonzero(table["month"] == when) for when in (0, month)] if month and table else []
        if not ends or any(rows.size != self.n for rows in ends):
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


#: The value of every client, by the name of the measure in the catalogue.
VALUES: dict[str, Callable[[Block], np.ndarray]] = {
    "alliance": lambda b: b.session_mean("wai_client", b.late),
    "alliance_all_sessions": lambda b: b.session_mean("wai_client"),
    "alliance_growth": _growth,
    "alliance_therapist": lambda b: b.session_mean("wai_therapist", b.late),
    "empathy": lambda b: b.session_mean("empathy_client"),
    "accuracy": lambda b: b.session_mean("tracking_accuracy"),
    "ruptures": lambda b: _ratio(b.total("ruptures"), b.clients["sessions_attended"]),
    "repaired": lambda b: _ratio(b.total("repairs"), b.total("ruptures")),
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
    """Add a measure of every client to the catalogue, or put another one in place of one that is there.

    ``values``: from a block of clients to one value a client, missing (NaN) where a client has none. Batches keep it from then
    on, and ``sim.compare`` and the others know its name.

    >>> from sim.catalogue.measures import CATALOGUE
    >>> add_outcome("sessions", CATALOGUE["sessions"], VALUES["sessions"])
    """
    CATALOGUE[name], VALUES[name] = measure, values


def outcomes_identity() -> str:
    """A text that differs where any outcome does, also one that was added or replaced in this process."""
    return json.dumps([[name, CATALOGUE[name].title, CATALOGUE[name].unit, what_it_does(of)] for name, of in VALUES.items()])


def block_of(tables: Mapping[str, Columns], arm: Arm) -> Block:
    """A block from the columns that simulations make of one arm's clients."""
    return Block(tables, arm.sessions // WEEKS_PER_MONTH)


def values_of(block: Block) -> dict[str, np.ndarray]:
    """Every outcome's values, one a client."""
    return {name: np.asarray(of(block), float) for name, of in VALUES.items()}


# ------------------------------------------------------------------------------------------------------ cut from a run


class Rows(Mapping[str, np.ndarray]):
    """One arm's rows of a table of a run as simulations leave them: columns by name, endings and clients by number.

    A client has one number in all replicates. Columns are taken out of the table when they are asked for.

    >>> Rows(run.sessions, "secure therapist")["session"].max().item()
    6
    """

    def __init__(self, table: pd.DataFrame, arm: str) -> None:
        self.table, self.rows = table, np.flatnonzero(table["arm"] == arm) if "arm" in table else np.empty(0, int)

    def __getitem__(self, column: str) -> np.ndarray:
        values = self.table[column].iloc[self.rows]
        if column == "ending":
            return values.astype("str").map(ENDINGS.index).to_numpy()
        if column == "client":
            return (values + _REPLICATE * self.table["replicate"].iloc[self.rows].astype("int64")).to_numpy()
        return values.to_numpy()

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.columns if len(self.rows) else ())

    def __len__(self) -> int:
        return self.table.shape[1] if len(self.rows) else 0


@once_a_run
def blocks(run: Run) -> dict[str, Block]:
    """The clients of every arm of a run as a block; of a clinic those who were seen, one row a person.

    >>> {arm: block.n for arm, block in blocks(run).items()}
    {'secure therapist': 20, 'dismissing therapist': 20, 'no therapy': 20}
    """
    clinic = run.scenario.design == "clinic"
    tables = {"clients": treated(run) if clinic else run.clients, "sessions": sessions_in_order(run)}
    tables |= {} if clinic else {"assessments": run.assessments}  # planned ends are counted from the first session there
    return {arm.name: block_of({name: Rows(table, arm.name) for name, table in tables.items()}, arm) for arm in run.scenario.arms}


def person_by_person(block: Block, values: np.ndarray) -> pd.Series:
    """Values of a run's block by replicate and client."""
    who = pd.MultiIndex.from_arrays(np.divmod(block.clients["client"], _REPLICATE), names=["replicate", "client"])
    return pd.Series(values, who, dtype=float)


def by_arm(run: Run, name: str) -> dict[str, pd.Series]:
    """For each arm the values of a measure, by replicate and client, of the clients who have one.

    ``name``: of a measure of clients in the catalogue, in its plain unit. Of a clinic a person counts once.

    >>> {arm: round(float(wai.mean()), 1) for arm, wai in sim.measures.by_arm(run, "alliance").items()}
    {'secure therapist': 5.2, 'dismissing therapist': 4.8, 'no therapy': nan}
    """
    return {arm: person_by_person(block, VALUES[name](block)).dropna() for arm, block in blocks(run).items()}


# --------------------------------------------------------------------------------------------------------- summed up

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
