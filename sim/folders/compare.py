"""Two folders compared: what B comes to less what A does, with 95 % intervals, matched as closely as the two allow.

Two single runs of the same people are matched client by client; all else replicate by replicate, where both had common random
numbers; and where they had not, the difference is that of two groups of different people (Welch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.batch.chunk import seed_at
from sim.batch.results import ONE, BatchResults, open_batch, paired
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError
from sim.measures.clinics import by_replicate
from sim.measures.intervals import difference_interval, mean_interval
from sim.measures.outcomes import blocks, moments, person_by_person, sd_of, values_of
from sim.naming import nearest
from sim.scenario.points import told
from sim.scenario.scenario import Arm
from sim.simulation.tables import Run
from sim.storage.reading import open_run, opened

#: What makes two clients of one number the same person: what they brought, in full.
_PERSON = ("client_anxiety_0_latent", "client_avoidance_0_latent", "distress_0_latent")
#: Columns of a comparison, in order.
COLUMNS = ("point", "where", "arm", "measure", "minus", "a", "b", "difference", "low", "high", "n", "over")
#: Significant digits to which levels of a factor are the same.
_DIGITS = 12


@dataclass(frozen=True)
class Compared:
    """What B comes to less what A does.

    ``table``: one row per point, arm, measure and ``minus`` (empty, or the arm whose value is taken off): the means ``a`` and
    ``b`` of what was matched, ``difference`` with ``low`` and ``high`` (95 %), ``n`` pairs and what they are (``over``: clients
    or replicates; "5 + 7 clients": two groups that were not matched, of which ``n`` is the smaller). ``point`` and ``where``: the
    point of B (of A, where only A has several) and its name. ``notes``: how it was matched and what was left out.
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
    """One folder: a run or a batch, its summaries replicate by replicate, and what it is matched by."""

    name: str
    folder: Path
    seed: int
    clinic: bool
    arms: tuple[str, ...]
    run: Run | None
    batch: BatchResults | None

    @property
    def points(self) -> int:
        return 1 if self.batch is None else len(self.batch.plan_points)

    def summaries(self, arms: Sequence[str], measures: Sequence[str]) -> dict[int, pd.DataFrame]:
        """What there is of these arms and measures, by point."""
        if self.batch is None:
            assert self.run is not None
            table = _summaries_of(self.run)
        else:
            table = self.batch.table("summaries", filters=[("measure", "in", list(measures))])
        table = table.astype({"arm": str, "measure": str, "minus": str})
        used = table["arm"].isin(arms) & table["minus"].isin(["", *arms]) & table["measure"].isin(measures)
        return {int(part["point"].iloc[0]): part for _, part in table[used].groupby("point", sort=False)}

    def seeds(self) -> list[int]:
        """The seed of every point."""
        if self.batch is None:
            return [self.seed]
        kind = self.batch.manifest["random_numbers"]
        return [seed_at(self.seed, kind, point.changes) for point in self.batch.plan_points]


def compare_folders(a: str | Path, b: str | Path, measure: str | Iterable[str] | None = None) -> Compared:
    """Compare two finished batches, two single runs, or one of each: B minus A, with 95 % intervals.

    Points are matched by the levels of their factors; where A has one point, every point of B is compared with it, and the other
    way round. Arms are matched by name, replicates by number. ``measure``: names of outcomes; default: all. Raises ``StoreError``
    for folders that cannot be read, that are of different kinds of design, that share nothing, or for an unknown measure.

    Returns a ``Compared``: its ``table`` has a row per point, arm and measure.

    >>> sim.compare_folders(folder, folder, "alliance").table["difference"].unique().tolist()
    [0.0]
    """
    sides = (_side("A", Path(a)), _side("B", Path(b)))
    if sides[0].clinic != sides[1].clinic:
        which = ["clinics" if side.clinic else "courses of therapy" for side in sides]
        raise StoreError(f"{a} is of {which[0]} and {b} of {which[1]}; their measures mean different things and are not compared")
    measures = _measures(measure, sides[0].clinic)
    arms = [name for name in sides[0].arms if name in sides[1].arms]
    if not arms:
        raise StoreError(f"no arm has the same name in both: A has {', '.join(sides[0].arms)}; B has {', '.join(sides[1].arms)}")
    notes = [f"{side.name} is {side.folder} ({'a batch' if side.batch else 'a run'}, seed {side.seed})" for side in sides]
    for side in sides:
        left = [name for name in side.arms if name not in arms]
        if left:
            notes.append(f"left out, since only {side.name} has them: arms {', '.join(left)}")
    if sides[0].run is not None and sides[1].run is not None and not sides[0].clinic:
        table, said = _runs(sides[0].run, sides[1].run, arms, measures)
    else:
        table, said = _by_replicate(*sides, arms, measures)
    return Compared(sides[0].folder, sides[1].folder, table.reset_index(drop=True), (*notes, *said), sides[0].clinic)


def _side(name: str, folder: Path) -> _Side:
    found = opened(folder)
    if found.is_batch:
        batch = open_batch(folder)
        arms = dict.fromkeys(str(arm) for arm in batch.summaries["arm"].cat.categories)
        return _Side(name, folder, batch.seed, batch.clinic, tuple(arms), None, batch)
    run = open_run(folder)
    return _Side(name, folder, run.seed, found.clinic, tuple(arm.name for arm in run.scenario.arms), run, None)


def _measures(wanted: str | Iterable[str] | None, clinic: bool) -> tuple[str, ...]:
    known = known_measures(clinic)
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    for name in names:
        if name not in known:
            raise StoreError(f"no measure '{name}'{nearest(name, known)}; known: {', '.join(known)}")
    return names or known


# ------------------------------------------------------------------------------------------------- replicate by replicate


def _summaries_of(run: Run) -> pd.DataFrame:
    """Every outcome of every arm and replicate of a run, as a batch of it would tell: number, mean, SD."""
    rows: list[tuple[Any, ...]] = []
    if run.scenario.design == "clinic":
        for arm in run.scenario.arms:  # by itself, as a batch takes it
            tables = {name: table[table["arm"] == arm.name] for name, table in run.tables.items()}
            mine: dict[str, Any] = {"exchanges": run.exchanges, **tables}
            alone = Run(run.scenario.model_copy(update={"arms": (arm,)}), run.seed, **mine)
            values = by_replicate(alone)
            for name in values.columns:
                each = values[name].dropna()
                replicates = each.index.get_level_values("replicate")
                rows += [(0, r, arm.name, str(name), "", 1, v, np.nan) for r, v in zip(replicates, each, strict=True)]
    else:
        for arm in run.scenario.arms:
            for name, one_each in _values(run, arm).items():
                for replicate, each in one_each.groupby(level="replicate"):
                    n, mean, squares = moments(each.to_numpy())
                    if n:
                        rows.append((0, replicate, arm.name, name, "", n, mean, sd_of(n, squares)))
    return pd.DataFrame(rows, columns=["point", "replicate", "arm", "measure", "minus", "n", "mean", "sd"])


def _by_replicate(a: _Side, b: _Side, arms: Sequence[str], measures: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    matched, notes = _points(a, b)
    tables = [side.summaries(arms, measures) for side in (a, b)]
    common = _same_draws(a, b, matched)
    parts = []
    for (at, other), same in zip(matched, common, strict=True):
        if at not in tables[0] or other not in tables[1]:
            continue
        found = (_paired if same else _unpaired)(tables[0][at], tables[1][other])
        parts.append(found.assign(point=other if b.points > 1 or a.points == 1 else at, where=_named(a, b, at, other)))
    table = pd.concat(parts) if parts else pd.DataFrame()
    if table.empty:
        raise StoreError("nothing is in both: no measure has a value in the same arm and point of A and B")
    if all(common):
        notes.append(
            "paired by replicate: the same seed and random draws, and the same people as far as both ask for the same kind"
        )
    elif not any(common):
        notes.append(
            "not paired: seeds or random draws differ, so these are different people; intervals are those of two groups (Welch)"
        )
    else:
        notes.append(
            f"paired in {sum(common)} of {len(common)} points; elsewhere seeds or random draws differ, and intervals are Welch's"
        )
    notes += _replicates_told(tables, matched)
    if table["low"].isna().all():
        notes.append("no intervals: they need two replicates or more that both have")
    return table[list(COLUMNS)], notes


def _points(a: _Side, b: _Side) -> tuple[list[tuple[int, int]], list[str]]:
    """Pairs of points, A's and B's, and how they were found."""
    if a.points == 1 and b.points == 1:
        return [(0, 0)], []
    if a.points == 1:
        return [(0, p) for p in range(b.points)], ["A has one point: every point of B is compared with it"]
    if b.points == 1:
        return [(p, 0) for p in range(a.points)], ["B has one point: it is compared with every point of A"]
    assert a.batch is not None and b.batch is not None
    exact = "own" in (a.batch.manifest["random_numbers"], b.batch.manifest["random_numbers"])
    keys = [{_key(p.changes, exact): p.number for p in side.batch.plan_points} for side in (a, b) if side.batch]
    both = [(number, keys[1][key]) for key, number in keys[0].items() if key in keys[1]]
    if not both:
        varied = [", ".join(dict.fromkeys(name for p in s.batch.plan_points for name in p.changes)) for s in (a, b) if s.batch]
        raise StoreError(f"no point of A and B has the same levels: A varies {varied[0]}, B varies {varied[1]}")
    notes = [f"{len(both)} points matched by the levels of their factors"]
    for side, n in ((a, a.points - len(both)), (b, b.points - len(both))):
        if n:
            notes.append(f"left out, since {'B' if side is a else 'A'} has no such levels: {n} points of {side.name}")
    return both, notes


def _key(changes: Any, exact: bool) -> tuple[tuple[str, str], ...]:
    def level(value: Any) -> str:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return f"{value:.{_DIGITS}g}" if number and not exact else repr(value)

    return tuple(sorted((name, level(value)) for name, value in changes.items()))


def _same_draws(a: _Side, b: _Side, matched: Sequence[tuple[int, int]]) -> list[bool]:
    seeds = a.seeds(), b.seeds()
    return [seeds[0][at] == seeds[1][other] for at, other in matched]


def _named(a: _Side, b: _Side, at: int, other: int) -> str:
    side, number = (b, other) if b.points > 1 or a.points == 1 else (a, at)
    return side.batch.plan_points[number].name if side.batch is not None else told("as it stands")


def _paired(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    found = paired(b.drop(columns="point"), a.drop(columns="point"), ONE[1:])
    on = ["arm", "measure", "minus", "replicate"]
    both = a.merge(b, on=on, suffixes=("_a", "_b")).groupby(on[:3], sort=False)[["mean_a", "mean_b"]].mean()
    means = both.rename(columns={"mean_a": "a", "mean_b": "b"}).reset_index()
    return found.merge(means, on=on[:3]).assign(over="replicates")


def _unpaired(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    by = ["arm", "measure", "minus"]
    groups = [{key: part["mean"].to_numpy() for key, part in table.groupby(by, sort=False)} for table in (a, b)]
    rows = []
    for key, theirs in groups[1].items():
        if key in groups[0]:
            rows.append({**dict(zip(by, key, strict=True)), **_welch(groups[0][key], theirs, "replicates")})
    return pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in ("point", "where")])


def _welch(a: np.ndarray, b: np.ndarray, over: str) -> dict[str, Any]:
    apart = difference_interval(b, a)
    n = [int((~np.isnan(values)).sum()) for values in (a, b)]
    return {"a": mean_interval(a)["mean"], "b": mean_interval(b)["mean"], "difference": apart["mean"], "low": apart["low"],
            "high": apart["high"], "n": min(n), "over": f"{n[0]} + {n[1]} {over}"}  # fmt: skip


def _replicates_told(tables: Sequence[dict[int, pd.DataFrame]], matched: Sequence[tuple[int, int]]) -> list[str]:
    counts = [{point: part["replicate"].nunique() for point, part in table.items()} for table in tables]
    differ = sum(counts[0].get(at, 0) != counts[1].get(other, 0) for at, other in matched)
    if not differ:
        return []
    return [f"in {differ} of {len(matched)} points A and B have different numbers of replicates; pairs are of what both have"]


# --------------------------------------------------------------------------------------------------- client by client


def _values(run: Run, arm: Arm) -> dict[str, pd.Series]:
    """Every outcome of one arm of a run that was read back, one value a client, by replicate and client."""
    block = blocks(run)[arm.name]
    return {name: person_by_person(block, values) for name, values in values_of(block).items()}


def _runs(a: Run, b: Run, arms: Sequence[str], measures: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Two single runs: client by client where both hold the same people, else as two groups."""
    replicates = range(min(a.scenario.replicates, b.scenario.replicates))
    rows: list[dict[str, Any]] = []
    same: dict[str, bool] = {}
    for name in arms:
        of_a, of_b = (next(arm for arm in run.scenario.arms if arm.name == name) for run in (a, b))
        same[name] = a.seed == b.seed and all(_same_people(a, b, name, r) for r in replicates)
        found = [_values(run, arm) for run, arm in ((a, of_a), (b, of_b))]
        for measure in measures:
            every = [side[measure] for side in found]
            if any(values.isna().all() for values in every):
                continue
            row = _client_by_client(*every) if same[name] else _welch(every[0].to_numpy(), every[1].to_numpy(), "clients")
            rows.append({"point": 0, "where": "as it stands", "arm": name, "measure": measure, "minus": "", **row})
    if not rows:
        raise StoreError("nothing is in both: no measure has a value in the same arm of A and B")
    return pd.DataFrame(rows, columns=list(COLUMNS)), _runs_told(a, b, same)


def _client_by_client(a: pd.Series, b: pd.Series) -> dict[str, Any]:
    both = pd.DataFrame({"a": a, "b": b}).dropna()
    apart = mean_interval(both["b"] - both["a"])
    return {"a": both["a"].mean(), "b": both["b"].mean(), "difference": apart["mean"], "low": apart["low"], "high": apart["high"],
            "n": apart["n"], "over": "clients"}  # fmt: skip


def _same_people(a: Run, b: Run, arm: str, replicate: int) -> bool:
    """Whether clients of one number are the same person in both: they brought exactly the same."""
    found = []
    for run in (a, b):
        rows = run.clients[(run.clients["arm"] == arm) & (run.clients["replicate"] == replicate)]
        found.append(rows.set_index("client")[list(_PERSON)])
    both = found[0].index.intersection(found[1].index)
    return bool(len(both)) and bool((found[0].loc[both].to_numpy() == found[1].loc[both].to_numpy()).all())


def _runs_told(a: Run, b: Run, same: dict[str, bool]) -> list[str]:
    notes = []
    paired_arms, others = [name for name, yes in same.items() if yes], [name for name, yes in same.items() if not yes]
    if paired_arms:
        which = "" if not others else f" in {', '.join(paired_arms)}"
        notes.append(f"paired by client{which}: the same seed and people; who has no value in one of them is left out")
    if others:
        which = "" if not paired_arms else f" in {', '.join(others)}"
        why = "the seeds differ" if a.seed != b.seed else "the seed is the same but not the people"
        notes.append(f"not paired{which}: {why}; intervals are those of two groups of clients (Welch)")
    for what, left, right in (("replicates", a.scenario.replicates, b.scenario.replicates),
                              ("clients an arm", a.scenario.clients_per_arm, b.scenario.clients_per_arm)):  # fmt: skip
        if left != right and paired_arms:
            notes.append(f"A has {left} {what} and B {right}; compared are those that both have")
    return notes
