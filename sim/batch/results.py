"""Reading a batch: its points, summaries, failures and kept tables, and what they come to with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from sim.batch.chunk import looked_at, seed_at
from sim.catalogue.columns import NOTHING
from sim.catalogue.measures import CATALOGUE
from sim.errors import StoreError, UsageError
from sim.measures.intervals import differences, half_width, standard_error
from sim.scenario.points import Point, points_of, scenario_at
from sim.scenario.scenario import Scenario
from sim.screen import html_table
from sim.simulation.tables import Run
from sim.storage.reading import ResultFolder, open_run, opened, scenario_of

#: What one value of a summary is known by beside its replicate.
ONE = ["point", "arm", "measure", "minus"]


@dataclass(frozen=True, repr=False)
class BatchResults(ResultFolder):
    """A finished batch. ``folder`` holds its files; tables are read when they are asked for."""

    scenario: Scenario = field(repr=False)

    def __repr__(self) -> str:
        points = self.manifest["tables"]["points"]["rows"]
        return f"BatchResults({self.scenario.name!r}, seed {self.seed}: {points:,} points, in {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        rows = [(name, table["rows"], len(table["columns"])) for name, table in self.manifest["tables"].items()]
        return html_table(f"{self.scenario.name}, seed {self.seed}: a batch", ("table", "rows", "columns"), rows)

    @cached_property
    def plan_points(self) -> tuple[Point, ...]:
        """The points with what each changes."""
        return points_of(self.scenario)

    def scenario_at(self, point: int) -> Scenario:
        """The scenario of one point, as it would stand in a file of its own."""
        return scenario_at(self.scenario, self.plan_points[point].changes)

    @property
    def factors(self) -> list[str]:
        """Addresses of what is varied."""
        return [str(name) for name in self.points.columns[3:]]

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row a point: ``point`` (number from 0), ``name``, ``replicates``, then a column a factor, by its address."""
        return self.table("points")

    @cached_property
    def summaries(self) -> pd.DataFrame:
        """One row per point, replicate, arm, measure and ``minus`` (``nothing``, or the arm whose value is taken off).

        ``n`` clients have the ``value`` (their mean, in the unit of the measure; of a difference the mean over persons), with
        ``sd`` between them; of a clinic ``n`` is 1. Columns: point, replicate, arm, measure, minus, n, value, sd.
        """
        return self.table("summaries")

    @cached_property
    def failures(self) -> pd.DataFrame:
        """One row per run that failed, empty where none did.

        Columns: point, name (of the point), arm, replicate, block (of clients), parameters (JSON: what the point changes), error,
        traceback, replay (the command that repeats it).
        """
        return self.table("failures") if "failures" in self.tables else pd.DataFrame({"point": []})

    def seed_at(self, point: int) -> int:
        """The seed of a point's random draws: ``sim.run(batch.scenario_at(3), batch.seed_at(3))`` is the point alone."""
        random_numbers = self.scenario.batch.random_numbers if self.scenario.batch is not None else "common"
        return seed_at(self.seed, random_numbers, self.plan_points[point].changes)

    @cached_property
    def _effects(self) -> pd.DataFrame:
        grouped = self.summaries.groupby(ONE, observed=True, sort=False)
        table = grouped["value"].agg(value="mean", spread="std", n="count").reset_index()
        single = grouped[["sd", "n"]].first().reset_index(drop=True)
        once = (table["n"] == 1) & (not self.clinic)
        spread, n = np.where(once, single["sd"], table["spread"]), np.where(once, single["n"], table["n"])
        half = half_width(spread, n)
        over = np.where(once, "clients", "replicates")
        table = table.drop(columns=["spread", "n"])
        table = table.assign(low=table["value"] - half, high=table["value"] + half, n=n.astype(int), over=over)
        ends = [CATALOGUE[str(m)].plain_ends if minus == NOTHING else (-np.inf, np.inf)
                for m, minus in zip(table["measure"], table["minus"], strict=True)]  # fmt: skip
        least, most = np.array(ends).reshape(-1, 2).T
        return table.assign(low=np.clip(table["low"], least, most), high=np.clip(table["high"], least, most))

    def precision(self) -> pd.DataFrame:
        """Of a batch with a rule to stop by: each point's standard error of what it looks at, and whether that is small enough.

        Columns: point, replicates, se, enough. Empty where the number of replicates was fixed.
        """
        until = self.scenario.batch.until if self.scenario.batch is not None else None
        if until is None:
            return pd.DataFrame({"point": [], "replicates": [], "se": [], "enough": []})
        rows = self.summaries[self.summaries["measure"] == until.measure]
        wanted = {p.number: looked_at(self.scenario_at(p.number), until) for p in self.plan_points}
        pairs = zip(rows["point"], rows["arm"].astype("str"), rows["minus"].astype("str"), strict=True)
        rows = rows[[(arm, minus) in wanted[point] for point, arm, minus in pairs]]
        grouped = rows.groupby(["point", "arm"], observed=True)["value"].agg(["std", "count"])
        error = standard_error(grouped["std"], grouped["count"]).groupby(level="point").max()
        found = self.points[["point", "replicates"]].assign(se=self.points["point"].map(error))
        return found.assign(enough=found["se"] <= until.se)

    def effects(self) -> pd.DataFrame:
        """What every measure comes to at every point: mean, 95 % interval, and over what it was taken.

        One row per point, arm, measure and ``minus`` (``nothing``, or the arm whose value is taken off, person by person).
        ``value``: the mean over replicates, in the unit of the measure, with its 95 % interval ``low`` to ``high``. ``over``:
        what the interval is taken over, and ``n`` of them: replicates of which no run failed (two or more, Student's t), or the
        clients of the only one; of a clinic with one replicate ``low`` and ``high`` are missing. Intervals are cut off at the
        ends of a measure's scale. Columns: point, arm, measure, minus, value, low, high, n, over.

        >>> found = sim.open_batch(finished).effects()
        >>> found.columns.tolist()
        ['point', 'arm', 'measure', 'minus', 'value', 'low', 'high', 'n', 'over']
        """
        return self._effects

    def against(self, base: int = 0) -> pd.DataFrame:
        """Every point less another, replicate by replicate (``batch.random_numbers: common`` gives both the same people and
        random draws).

        One row per point (``base`` too, where all is 0), arm, measure and ``minus`` (``nothing``, or the arm whose value is taken
        off before). ``difference``: the point less ``base``, mean over the ``n`` replicates that both have, in the unit of the
        measure, with its 95 % interval ``low`` to ``high``; missing for fewer than two. Columns: point, arm, measure, minus,
        difference, low, high, n. Raises ``UsageError`` for a point that is not there.

        >>> sim.open_batch(finished).against(0).columns.tolist()
        ['point', 'arm', 'measure', 'minus', 'difference', 'low', 'high', 'n']
        """
        if base not in self.points["point"].to_numpy():
            raise UsageError(f"there is no point {base}; points are 0 to {len(self.points) - 1}")
        values = self.summaries.drop(columns=["n", "sd"])
        found = differences(values[values["point"] == base].drop(columns="point"), values, ONE)
        return found[[*ONE, "difference", "low", "high", "n"]]


def open_batch(folder: str | Path) -> BatchResults:
    """A finished batch from its folder: its ``points``, ``summaries`` and ``failures``, its ``effects()`` and ``against()``.

    Raises ``StoreError`` for one that is not finished, or not whole.

    >>> sim.open_batch(finished).summaries.columns.tolist()
    ['point', 'replicate', 'arm', 'measure', 'minus', 'n', 'value', 'sd']
    """
    found = opened(folder)
    if not found.is_batch:
        raise StoreError("holds a single run, not a batch; read it with sim.open_run", where=str(folder))
    scenario = scenario_of(found)
    if missing := [name for name in found.tables if not found.path(name).is_file()]:
        raise StoreError(f"{found.folder}: no whole batch here ({missing[0]}.parquet is missing)")
    return BatchResults(found.folder, found.manifest, scenario)


def read_back(folder: str | Path) -> Run | BatchResults:
    """What a finished folder holds, a run or a batch. Raises ``StoreError``."""
    return (open_batch if opened(folder).is_batch else open_run)(folder)
