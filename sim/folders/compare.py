"""Two folders compared: what B comes to less what A does, with 95 % intervals, matched as closely as the two allow.

Two single runs of the same people are matched client by client; all else replicate by replicate, where both had common random
numbers; and where they had not, the difference is that of two groups of different people (Welch)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.batch.chunk import BLOCK, seed_at
from sim.batch.results import ONE, BatchResults, read_back
from sim.catalogue.columns import NOTHING
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError
from sim.measures.clinics import by_replicate
from sim.measures.intervals import differences
from sim.measures.outcomes import blocks, moments, person_by_person, together, values_of
from sim.naming import nearest
from sim.scenario.points import Point, points_of
from sim.simulation.tables import Run

#: What makes two clients of one number the same person: what they brought, in full.
_PERSON = ("client_anxiety_0_latent", "client_avoidance_0_latent", "distress_0_latent")
#: Columns of a comparison, in order, and what they mean; a file has the unit behind them.
COLUMNS = {
    "point": "point of B (of A, where only A has several), from 0",
    "point_name": "its name",
    "arm": "arm of the scenario",
    "measure": "measure of the catalogue",
    "minus": f"{NOTHING}, or the arm whose value is taken off before A and B are compared",
    "a": "mean of A over what was matched, in the unit of the measure",
    "b": "mean of B",
    "difference": "B minus A",
    "low": "lower end of its 95 % interval, empty where there is none",
    "high": "upper end",
    "n": "how many pairs; of two groups that were not matched the smaller",
    "over": "what the pairs are: clients or replicates; '5 + 7 clients': two groups",
    "unit": "unit of the measure",
}
#: Significant digits to which levels of a factor are the same.
_DIGITS = 12


@dataclass(frozen=True)
class Compared:
    """What B comes to less what A does.

    ``table``: one row per point, arm, measure and ``minus`` (``nothing``, or the arm whose value is taken off): the means ``a``
    and ``b`` of what was matched, ``difference`` with ``low`` and ``high`` (95 %), ``n`` pairs and what they are (``over``:
    clients or replicates; "5 + 7 clients": two groups that were not matched, of which ``n`` is the smaller). ``point`` and
    ``point_name``: the point of B (of A, where only A has several) and its name. ``notes``: how it was matched and what was
    left out.
    """

    a: Path
    b: Path
    table: pd.DataFrame
    notes: tuple[str, ...]
    clinic: bool

    def unit(self, measure: str) -> str:
        """The unit of a measure."""
        return CATALOGUE[measure].plain_unit


@dataclass(frozen=True)
class _Side:
    """One folder: a run or a batch, and what it is matched by."""

    name: str
    folder: Path
    found: Run | BatchResults

    @property
    def clinic(self) -> bool:
        return self.found.scenario.design == "clinic"

    @cached_property
    def points(self) -> tuple[Point, ...]:
        return points_of(self.found.scenario)

    @property
    def random_numbers(self) -> str:
        return str(self.found.manifest["random_numbers"]) if isinstance(self.found, BatchResults) else "common"

    def arms(self) -> list[str]:
        if isinstance(self.found, BatchResults):
            return [str(arm) for arm in self.found.summaries["arm"].cat.categories]
        return [arm.name for arm in self.found.scenario.arms]

    def seed(self, point: int) -> int:
        return seed_at(self.found.seed, self.random_numbers, self.points[point].changes)

    def keys(self, exact: bool) -> dict[tuple[tuple[str, str], ...], int]:
        """The levels of every point, to so many digits or ``exact``, and its number."""

        def level(value: Any) -> str:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return f"{value:.{_DIGITS}g}" if number and not exact else repr(value)

        return {tuple(sorted((name, level(value)) for name, value in p.changes.items())): p.number for p in self.points}

    def values(self, measures: Sequence[str], by_client: bool) -> pd.DataFrame:
        """One value a row: of every replicate, or (of a run) of every client; by point, arm, measure and the arm taken off."""
        if isinstance(self.found, BatchResults):
            table = self.found.table("summaries", filters=[("measure", "in", list(measures))])
            return table[[*ONE, "replicate", "value"]].astype({"arm": str, "measure": str, "minus": str})
        table = (_of_clinics if self.clinic else _of_clients)(self.found)
        if not self.clinic and not by_client:  # as a batch sums them up, to the last digit
            groups = table.groupby(["arm", "measure", "replicate"], sort=False)["value"]
            table = groups.agg(_mean_in_blocks).reset_index()
        return table[table["measure"].isin(measures)].dropna(subset="value").assign(point=0, minus=NOTHING)


def _mean_in_blocks(values: pd.Series) -> float:
    return together([moments(values.to_numpy()[i : i + BLOCK]) for i in range(0, len(values), BLOCK)])[1]


def _of_clinics(run: Run) -> pd.DataFrame:
    """Every measure of every arm and replicate; each arm by itself, as a batch takes it."""
    parts = []
    for arm in run.scenario.arms:
        tables: dict[str, Any] = {name: table[table["arm"] == arm.name] for name, table in run.tables.items()}
        alone = Run(run.scenario.model_copy(update={"arms": (arm,)}), run.seed, **{"exchanges": run.exchanges, **tables})
        parts.append(by_replicate(alone).melt(var_name="measure", ignore_index=False).reset_index())
    return pd.concat(parts)


def _of_clients(run: Run) -> pd.DataFrame:
    """Every outcome of every client of a run that was read back."""
    parts = []
    for arm, block in blocks(run).items():
        values = pd.DataFrame({name: person_by_person(block, each) for name, each in values_of(block).items()})
        parts.append(values.melt(var_name="measure", ignore_index=False).reset_index().assign(arm=arm))
    return pd.concat(parts)


def compare_folders(a: str | Path, b: str | Path, measure: str | Iterable[str] | None = None) -> Compared:
    """Compare two finished batches, two single runs, or one of each: B minus A, with 95 % intervals.

    Points are matched by the levels of their factors; where A has one point, every point of B is compared with it, and the other
    way round. Arms are matched by name, replicates by number. ``measure``: names of outcomes; default: all. Raises ``StoreError``
    for folders that cannot be read, that are of different kinds of design, that share nothing, or for an unknown measure.

    Returns a ``Compared``: its ``table`` has a row per point, arm and measure.

    >>> sim.compare_folders(folder, folder, "alliance").table["difference"].unique().tolist()
    [0.0]
    """
    sides = [_Side(name, folder, read_back(folder))
             for name, folder in (("A", Path(a)), ("B", Path(b)))]  # fmt: skip
    clinic = sides[0].clinic
    if clinic != sides[1].clinic:
        which = ["clinics" if side.clinic else "courses of therapy" for side in sides]
        raise StoreError(f"{a} is of {which[0]} and {b} of {which[1]}; their measures mean different things and are not compared")
    known = known_measures(clinic)
    measures = (measure,) if isinstance(measure, str) else tuple(measure or known)
    for name in measures:
        if name not in known:
            raise StoreError(f"no measure '{name}'{nearest(name, known)}; known: {', '.join(known)}")
    arms = [name for name in sides[0].arms() if name in sides[1].arms()]
    if not arms:
        there = [f"{side.name} has {', '.join(side.arms())}" for side in sides]
        raise StoreError(f"no arm has the same name in both: {'; '.join(there)}")
    kinds = ["a batch" if isinstance(side.found, BatchResults) else "a run" for side in sides]
    notes = [f"{one.name} is {one.folder} ({kind}, seed {one.found.seed})" for one, kind in zip(sides, kinds, strict=True)]
    for side in sides:
        if left := [name for name in side.arms() if name not in arms]:
            notes.append(f"left out, since only {side.name} has them: arms {', '.join(left)}")
    table, said = _compared(sides[0], sides[1], arms, measures)
    return Compared(sides[0].folder, sides[1].folder, table, (*notes, *said), clinic)


def _compared(a: _Side, b: _Side, arms: Sequence[str], measures: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Every difference, and what is said of how it was taken."""
    pairs, notes = _points(a, b)
    points = pd.DataFrame(pairs, columns=["A", "B"]).rename_axis("pair").reset_index()
    by_client = isinstance(a.found, Run) and isinstance(b.found, Run) and not a.clinic
    over, what = ("clients", "arm") if by_client else ("replicates", "pair")
    same: Mapping[Any, bool] = (
        _same_people(a.found, b.found, arms) if by_client else {i: a.seed(p) == b.seed(q) for i, (p, q) in enumerate(pairs)}
    )
    tables = []
    for side in (a, b):
        table = side.values(measures, by_client).merge(points[["pair", side.name]], left_on="point", right_on=side.name)
        table = table[table["arm"].isin(arms) & table["minus"].isin([NOTHING, *arms])].drop(columns=["point", side.name])
        tables.append(table.assign(same=table[what].map(same).astype(bool)))
    by = ["pair", *ONE[1:]]
    of_a, of_b = (table[table["same"]] for table in tables)
    matched = differences(of_a, of_b, by).assign(over=over)
    of_a, of_b = (table[~table["same"]] for table in tables)
    apart = differences(of_a, of_b, by, paired=False)
    apart["over"] = [f"{left} + {right} {over}" for left, right in zip(apart["n_a"], apart["n_b"], strict=True)]
    found = pd.concat([matched, apart])
    found = found[found["n"] > 0]
    if found.empty:
        of = "arm" if by_client else "arm and point"
        raise StoreError(f"nothing is in both: no measure has a value in the same {of} of A and B")
    order = {name: i for i, name in enumerate((NOTHING, *arms, *measures))}
    found = found.sort_values(by, key=lambda column: column if column.name == "pair" else column.map(order))
    shown = b if len(b.points) > 1 or len(a.points) == 1 else a
    at = found["pair"].map(points[shown.name])
    found = found.assign(point=at, point_name=[shown.points[i].name for i in at])
    found = found[[name for name in COLUMNS if name != "unit"]].reset_index(drop=True)
    if by_client:
        return found, [*notes, *_told_of_runs(a.found, b.found, same)]
    notes += _told_of_replicates(tables, list(same.values()))
    if found["low"].isna().all():
        notes.append("no intervals: they need two replicates or more that both have")
    return found, notes


def _points(a: _Side, b: _Side) -> tuple[list[tuple[int, int]], list[str]]:
    """Pairs of points, A's and B's, and how they were found."""
    notes = []
    if len(a.points) == 1 or len(b.points) == 1:
        both = [(p.number, q.number) for p in a.points for q in b.points]
        if len(b.points) > 1:
            notes.append("A has one point: every point of B is compared with it")
        elif len(a.points) > 1:
            notes.append("B has one point: it is compared with every point of A")
    else:
        exact = "own" in (a.random_numbers, b.random_numbers)
        keys = a.keys(exact), b.keys(exact)
        both = [(number, keys[1][key]) for key, number in keys[0].items() if key in keys[1]]
        if not both:
            varied = [", ".join(dict.fromkeys(name for p in side.points for name in p.changes)) for side in (a, b)]
            raise StoreError(f"no point of A and B has the same levels: A varies {varied[0]}, B varies {varied[1]}")
        notes.append(f"{len(both)} points matched by the levels of their factors")
        for side, other in ((a, b), (b, a)):
            if n := len(side.points) - len(both):
                notes.append(f"left out, since {other.name} has no such levels: {n} points of {side.name}")
    return both, notes


def _same_people(a: Any, b: Any, arms: Sequence[str]) -> dict[str, bool]:
    """In which arms clients of one number are the same person in both: of the same seed, and they brought exactly the same."""
    keys = ["arm", "replicate", "client"]
    people = [run.clients[[*keys, *_PERSON]].astype({"arm": str}) for run in (a, b)]
    both = people[0].merge(people[1], on=keys)
    alike = np.all([both[f"{name}_x"] == both[f"{name}_y"] for name in _PERSON], axis=0)
    return {arm: a.seed == b.seed and bool((both["arm"] == arm).any() and alike[both["arm"] == arm].all()) for arm in arms}


def _told_of_runs(a: Any, b: Any, same: Mapping[str, bool]) -> list[str]:
    """How the clients of two runs were matched, by arm."""
    notes = []
    paired, others = ([name for name, yes in same.items() if yes is one] for one in (True, False))
    if paired:
        which = f" in {', '.join(paired)}" if others else ""
        notes.append(f"paired by client{which}: the same seed and people; who has no value in one of them is left out")
    if others:
        which = f" in {', '.join(others)}" if paired else ""
        why = "the seeds differ" if a.seed != b.seed else "the seed is the same but not the people"
        notes.append(f"not paired{which}: {why}; intervals are those of two groups of clients (Welch)")
    for what, name in (("replicates", "replicates"), ("clients an arm", "clients_per_arm")):
        left, right = (getattr(run.scenario, name) for run in (a, b))
        if left != right and paired:
            notes.append(f"A has {left} {what} and B {right}; compared are those that both have")
    return notes


def _told_of_replicates(tables: Sequence[pd.DataFrame], same: Sequence[bool]) -> list[str]:
    """How the replicates of two folders were matched, by pair of points."""
    if all(same):
        notes = ["paired by replicate: the same seed and random draws, and the same people as far as both ask for the same kind"]
    elif not any(same):
        why = "seeds or random draws differ, so these are different people"
        notes = [f"not paired: {why}; intervals are those of two groups (Welch)"]
    else:
        notes = [
            f"paired in {sum(same)} of {len(same)} points; elsewhere seeds or random draws differ, and intervals are Welch's"
        ]
    counts = [table.groupby("pair")["replicate"].nunique().reindex(range(len(same)), fill_value=0) for table in tables]
    if differ := int((counts[0] != counts[1]).sum()):
        of = f"in {differ} of {len(same)} points"
        notes.append(f"{of} A and B have different numbers of replicates; pairs are of what both have")
    return notes
