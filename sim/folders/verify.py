"""Whether a folder still holds what was simulated: every table's hash, and a random sample of it simulated again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from sim.batch.assemble import Chunks, rows_written, summaries_written
from sim.batch.chunk import SUMMARIES, Chunk, Failure, Key, perform, task_of
from sim.batch.resume import machine_differences
from sim.catalogue.columns import ENSEMBLE_TABLES
from sim.compiling import sources_hash
from sim.errors import StoreError, TableError
from sim.files import folder_at, temporary, write_over
from sim.folders.reopened import Reopened, reopened
from sim.scenario.points import scenario_at
from sim.scenario.scenario import Scenario
from sim.simulation.build import client_numbers
from sim.simulation.tasks import CHUNK, Task, simulated_part
from sim.simulation.tidy import frames
from sim.storage.names import CHUNKS
from sim.storage.reading import ResultFolder, open_run, opened, scenario_of
from sim.storage.store import arithmetic_fingerprint, lock_hash, versions
from sim.therapy.model import SHIPPED, Model

#: Columns by which a row is told, as far as a table has them.
_KNOWN_BY = ("point", "arm", "replicate", "client", "therapist", "course", "week", "session", "exchange", "month", "when",
             "instrument", "measure", "minus")  # fmt: skip


#: Blocks of clients up to which a replicate is simulated whole.
MOST_BLOCKS = 5
_SUMMARIES_LEFT = "summaries are of all blocks of a replicate together and were checked by hash only"


@dataclass(frozen=True)
class Differs:
    """Something that does not agree: in which table (empty: the folder), where in it, and what, in words."""

    table: str
    where: str
    what: str


@dataclass
class Verified:
    """What was looked at, and what does not agree.

    ``hashed``: tables whose values are those of the manifest. ``sampled``: parts that were simulated again, in words.
    ``not_sampled``: why nothing, or not everything, was simulated again.
    """

    folder: Path
    kind: str
    seed: int
    hashed: list[str] = field(default_factory=list)
    sampled: list[str] = field(default_factory=list)
    compared_rows: int = 0
    not_sampled: list[str] = field(default_factory=list)
    differs: list[Differs] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether everything that was looked at agrees."""
        return not self.differs


def verified(
    folder: str | Path,
    sample: int = 3,
    seed: int = 0,
    *,
    force: bool = False,
    model: Model = SHIPPED,
    progress: Callable[[str], None] = lambda line: None,
) -> Verified:
    """Look whether a finished batch or run still holds what was simulated.

    Every table is read again and its hash compared with the manifest's. Then ``sample`` parts, chosen by ``seed``, are simulated
    again and every row of theirs compared exactly. Where program, libraries or arithmetic are not those that made the folder the
    sample is left out and the result says why, unless ``force``. ``model``: the one it was run on, if not the shipped one.
    ``progress`` is called with a line before each step. Raises ``StoreError`` for a folder that cannot be verified.
    """
    found = opened(folder)
    result = Verified(found.folder, "batch" if found.is_batch else "run", seed)
    _hashes(found, result, progress)
    _scenario_kept(found, result)
    if sample < 1:
        return result
    apart = machine_differences(
        {**found.manifest, "arithmetic": found.manifest["arithmetic_fingerprint"]},
        {"sources": sources_hash(), "lock": lock_hash(), "versions": versions(), "arithmetic": arithmetic_fingerprint()},
    )
    if apart and not force:
        result.not_sampled.append(
            f"nothing was simulated again: {'; '.join(apart)} since this was made, so it could differ for that alone (--force)"
        )
        return result
    if any(one.table == "" for one in result.differs):
        result.not_sampled.append("nothing was simulated again, since scenario and manifest do not belong together")
        return result
    if found.is_batch and "points" not in result.hashed:
        result.not_sampled.append("nothing was simulated again, since the points are not those that the manifest vouches for")
        return result
    (_sampled_batch if found.is_batch else _sampled_run)(found, result, sample, model, progress)
    return result


def _hashes(found: ResultFolder, result: Verified, progress: Callable[[str], None]) -> None:
    for name, said in found.manifest["tables"].items():
        progress(f"reading {name}.parquet")
        try:
            now = found.hash_of(name)
        except TableError as e:
            result.differs.append(Differs(name, "", e.told))
            continue
        if now.rows != said["rows"]:
            result.differs.append(Differs(name, "", f"has {now.rows:,} rows, and the manifest says {said['rows']:,}"))
        elif now.hexdigest() != said["values"]:
            result.differs.append(Differs(name, "", "its values are not those that the manifest vouches for"))
        else:
            result.hashed.append(name)


def _scenario_kept(found: ResultFolder, result: Verified) -> None:
    """Whether the scenario beside the tables is the one that the manifest says."""
    try:
        scenario_of(found)
    except StoreError as e:
        result.differs.append(Differs("", "scenario.yaml", " ".join(e.message.split())))


# ------------------------------------------------------------------------------------------------------------- batches


def _sampled_batch(found: ResultFolder, result: Verified, sample: int, model: Model, progress: Callable[[str], None]) -> None:
    again = reopened(found.folder, model)
    if again.mixed:
        result.not_sampled.append(f"nothing was simulated again: parts were made by something else ({'; '.join(again.mixed)})")
        return
    replicates = _replicates(found, again)
    done: set[Key] = set()
    for key in chosen_tasks(again.plan.blocks, replicates, sample, result.seed):
        blocks = again.plan.blocks[key.point]
        whole = blocks <= MOST_BLOCKS or not again.plan.batch.keep  # the summaries are of all blocks together
        tasks = [Key(key.point, key.replicate, b) for b in range(blocks)] if whole else [key]
        if tasks[0] in done:
            continue
        done.update(tasks)
        where = _where(again, key, whole)
        progress(f"simulating {where}")
        _compare_batch(found, again, result, tasks, where, whole)
        result.sampled.append(where)
        if not whole and _SUMMARIES_LEFT not in result.not_sampled:
            result.not_sampled.append(_SUMMARIES_LEFT)


def _replicates(found: ResultFolder, again: Reopened) -> list[int]:
    table = pq.read_table(found.folder / "points.parquet", columns=["point", "replicates"]).to_pandas()
    if len(table) != len(again.plan.points):
        raise StoreError(f"{found.folder}: has {len(table)} points, and its scenario {len(again.plan.points)}")
    return [int(n) for n in table.sort_values("point")["replicates"]]


def chosen_tasks(blocks: Sequence[int], replicates: Sequence[int], sample: int, seed: int) -> list[Key]:
    """So many different tasks of a batch, by chance, in order; all of them where there are no more."""
    ends = np.cumsum([b * r for b, r in zip(blocks, replicates, strict=True)])
    total = int(ends[-1])
    picked = np.sort(np.random.default_rng(seed).choice(total, min(sample, total), replace=False))
    found = []
    for place in picked:
        point = int(np.searchsorted(ends, place, side="right"))
        inside = int(place - (ends[point - 1] if point else 0))
        found.append(Key(point, *divmod(inside, blocks[point])))
    return found


def _where(again: Reopened, key: Key, whole: bool) -> str:
    said = f"point {key.point} ({again.plan.points[key.point].name}), replicate {key.replicate}"
    return said if whole else f"{said}, block {key.block}"


def _compare_batch(
    found: ResultFolder, again: Reopened, result: Verified, tasks: list[Key], where: str, summaries_too: bool
) -> None:
    plan = again.plan
    point, replicate = tasks[0].point, tasks[0].replicate
    done = perform(Chunk(
        plan.scenario.model_copy(update={"arms": ()}), plan.seed, tuple(tasks), {point: plan.points[point].changes},
        plan.batch.random_numbers, plan.batch.keep, "skip", plan.model,
    ))  # fmt: skip
    _compare_failures(found, result, tasks, done.failures, where)
    names = ([SUMMARIES] if summaries_too else []) + list(plan.batch.keep)
    with temporary("attune-verify-") as place:
        now = _tables_of(again, tasks, done.tables, place, names)
        clients = np.concatenate([_clients(plan.scenario, plan.points[point].changes, key) for key in tasks])
        for name in names:
            if name not in result.hashed:
                continue  # it is known to be something else already
            kept = found.rows(name, point=point, replicate=replicate).to_pandas()
            if "client" in kept and not plan.clinic:
                kept = kept[kept["client"].isin(clients)]
            _compare(result, name, where, kept.reset_index(drop=True), now[name])


def _clients(scenario: Scenario, changes: Mapping[str, Any], key: Key) -> np.ndarray:
    here = scenario_at(scenario, changes)
    return np.concatenate([task_of(here, arm, key).clients for arm in here.arms])


def _tables_of(
    again: Reopened, tasks: list[Key], made: Mapping[str, bytes], place: Path, names: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """The tables that a batch of these tasks alone would have."""
    chunks_here = folder_at(place / CHUNKS)
    for name, data in made.items():
        write_over(chunks_here / f"{name}.arrow", data)
    line = {"tasks": again.plan.runs(tasks), "files": {name: {"file": f"{name}.arrow"} for name in made}}
    chunks = Chunks(place, again.plan, [line])
    for name in names:
        if name == SUMMARIES:
            summaries_written(again.plan, chunks, place)
        else:
            rows_written(again.plan, chunks, name, place)
    return {name: pq.read_table(place / f"{name}.parquet").to_pandas() for name in names}


def _compare_failures(found: ResultFolder, result: Verified, tasks: Sequence[Key], now: Sequence[Failure], where: str) -> None:
    kept: set[tuple[int, str, str]] = set()
    if "failures" in found.tables and "failures" in result.hashed:
        rows = found.rows("failures", point=tasks[0].point, replicate=tasks[0].replicate).to_pandas()
        blocks = {key.block for key in tasks}
        kept = {(int(r.block), str(r.arm), str(r.error)) for r in rows.itertuples() if r.block in blocks}
    elif "failures" in found.tables:
        return
    again = {(f.block, f.arm, f.error) for f in now}
    for _, arm, error in sorted(kept - again):
        result.differs.append(Differs("failures", where, f"arm '{arm}' failed then ({error}) and does not fail so now"))
    for _, arm, error in sorted(again - kept):
        result.differs.append(Differs("failures", where, f"arm '{arm}' fails now ({error}) and did not fail so then"))


# --------------------------------------------------------------------------------------------------------- single runs


def _sampled_run(found: ResultFolder, result: Verified, sample: int, model: Model, progress: Callable[[str], None]) -> None:
    if len(result.hashed) < len(found.tables):
        result.not_sampled.append("nothing was simulated again, since a table is not what the manifest vouches for")
        return
    run = open_run(found.folder)
    if dict(run.made_with) != model.own:
        result.not_sampled.append(
            "nothing was simulated again: it was run on a model of its own; from Python: verified(folder, model=mine)"
        )
        return
    if any(name in ENSEMBLE_TABLES for name in found.tables):
        result.not_sampled.append("the ensemble was checked by hash only; its parameter sets are too long to run again")
    scenario, clinic = run.scenario, found.clinic
    arms = [arm.name for arm in scenario.arms]
    blocks = 1 if clinic else -(-scenario.clients_per_arm // CHUNK)
    for key in chosen_tasks([blocks] * len(arms), [scenario.replicates] * len(arms), sample, result.seed):
        arm = scenario.arms[key.point]
        block = slice(key.block * CHUNK, (key.block + 1) * CHUNK)
        numbers = np.empty(0, np.int64) if clinic else client_numbers(scenario, arm)[block]
        where = f"arm '{arm.name}', replicate {key.replicate}" + (f", block {key.block}" if blocks > 1 else "")
        progress(f"simulating {where}")
        part = simulated_part(scenario, run.seed, Task(arm, key.replicate, numbers), model)
        now = frames([(arm.name, part)], arms, clinic)
        for name, table in run.tables.items():
            if name in ENSEMBLE_TABLES:
                continue
            kept = table[(table["arm"] == arm.name) & (table["replicate"] == key.replicate)]
            if "client" in kept and not clinic:
                kept = kept[kept["client"].isin(numbers)]
            _compare(result, name, where, kept.reset_index(drop=True), now[name])
        result.sampled.append(where)


# ------------------------------------------------------------------------------------------------------------ row by row


def _compare(result: Verified, table: str, where: str, kept: pd.DataFrame, now: pd.DataFrame) -> None:
    """Note the first difference of two tables that should be the same, exactly."""
    if len(kept) != len(now):
        result.differs.append(Differs(table, where, f"{len(kept):,} rows were kept, and there are {len(now):,} now"))
        return
    result.compared_rows += len(kept)
    for name in dict.fromkeys((*kept.columns, *now.columns)):
        row = first_difference(_column(kept, name), _column(now, name))
        if row is not None:
            values = [_value(t, name, row) for t in (kept, now)]
            told = {k: kept[k].iloc[row] for k in _KNOWN_BY if k in kept}
            known = ", ".join(f"{k} {value}" for k, value in told.items() if not pd.isna(value) and value != "")
            said = f"column {name}, {known}: {values[0]} was kept, and it is {values[1]} now"
            result.differs.append(Differs(table, where, said))
            return


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    # A column of something that was added stands where anybody has it; elsewhere it is missing.
    return table[name] if name in table else pd.Series(np.full(len(table), np.nan))


def _value(table: pd.DataFrame, name: str, row: int) -> str:
    value = _column(table, name).iloc[row]
    return "nothing" if pd.isna(value) else repr(value.item()) if isinstance(value, np.generic) else repr(value)


def first_difference(a: pd.Series, b: pd.Series) -> int | None:
    """The first row in which two columns differ, exactly; missing is like missing."""
    if isinstance(a.dtype, pd.CategoricalDtype) or isinstance(b.dtype, pd.CategoricalDtype):
        a, b = a.astype("object"), b.astype("object")
    missing_a, missing_b = a.isna().to_numpy(), b.isna().to_numpy()
    apart = missing_a != missing_b
    both = ~missing_a & ~missing_b
    apart[both] = a.to_numpy()[both] != b.to_numpy()[both]
    rows = np.flatnonzero(apart)
    return int(rows[0]) if rows.size else None
