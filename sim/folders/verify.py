"""Whether a folder still holds what was simulated: every table's hash, and a random sample of it simulated again."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.batch.assemble import SUMMARY, rows_of, summaries_of
from sim.batch.chunk import SUMMARIES, Failure, Key, perform, task_of, worker_identity
from sim.batch.plan import Plan
from sim.batch.resume import machine_differences
from sim.catalogue.columns import ENSEMBLE_TABLES
from sim.errors import StoreError
from sim.folders.reopened import reopened
from sim.folders.status import left_in
from sim.scenario.points import scenario_at
from sim.simulation.build import client_numbers
from sim.simulation.tasks import CHUNK, Task, simulated_part
from sim.simulation.tidy import frames
from sim.storage.names import SCENARIO
from sim.storage.reading import ResultFolder, opened, run_of, scenario_of
from sim.storage.store import versions
from sim.therapy.model import SHIPPED, Model

#: Columns by which a row is told, as far as a table has them.
_KNOWN_BY = ("point", "arm", "replicate", "client", "therapist", "course", "week", "session", "exchange", "month", "when",
             "instrument", "measure", "minus")  # fmt: skip


#: Blocks of clients up to which a replicate is simulated whole.
MOST_BLOCKS = 5


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
    ``not_sampled``: why nothing, or not everything, was simulated again; and what there is that was not looked at.
    """

    folder: Path
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
    result = Verified(found.folder, seed)
    for name in found.tables:
        progress(f"reading {name}.parquet")
        if fault := found.fault(name):
            result.differs.append(Differs(name, "", fault))
        else:
            result.hashed.append(name)
    try:
        scenario_of(found)
    except StoreError as e:
        result.differs.append(Differs("", SCENARIO, " ".join(e.message.split())))
    if left := left_in(found.folder):
        result.not_sampled.append(f"left half-made by a process that was killed, and no results: {', '.join(left)}")
    if sample < 1:
        return result
    if why := _why_not(found, result, force):
        result.not_sampled.append(f"nothing was simulated again{why}")
        return result
    of = _of_batch if found.is_batch else _of_run
    for where, tables in of(found, result, sample, model, progress):
        for name, (kept, now) in tables.items():
            _compare(result, name, where, kept.reset_index(drop=True), now)
        result.sampled.append(where)
    return result


def _why_not(found: ResultFolder, result: Verified, force: bool) -> str | None:
    """Why nothing is simulated again, where that would say nothing."""
    was = {**found.manifest, "arithmetic": found.manifest["arithmetic_fingerprint"]}
    apart = machine_differences(was, {**worker_identity(), "versions": versions()})
    if apart and not force:
        return f": {'; '.join(apart)} since this was made, so it could differ for that alone (--force)"
    if any(one.table == "" for one in result.differs):
        return ", since scenario and manifest do not belong together"
    if found.is_batch and "points" not in result.hashed:
        return ", since the points are not those that the manifest vouches for"
    if not found.is_batch and len(result.hashed) < len(found.tables):
        return ", since a table is not what the manifest vouches for"
    return None


#: What is compared of a part that was simulated again: where it is, and of each table the rows that were kept and those of now.
Parts = Iterator[tuple[str, dict[str, tuple[pd.DataFrame, pd.DataFrame]]]]


def _of_batch(found: ResultFolder, result: Verified, sample: int, model: Model, progress: Callable[[str], None]) -> Parts:
    again = reopened(found.folder, model)
    plan = again.plan
    if again.foreign and again.files and not again.own_model:
        files = " ".join(f"--with {shlex.quote(str(path))}" for path in again.files)
        result.not_sampled.append(
            f"nothing was simulated again: that needs the code it was run with, which is run only when it is named: {files}"
        )
        return
    if again.foreign:
        own = ", ".join(found.manifest.get("model", {}).get("added", ()))
        result.not_sampled.append(
            f"nothing was simulated again: it was run on a model, or with policies or rules, that are not here now"
            f"{f' ({own})' if own else ''}; from Python: sim.folders.verify.verified(folder, model=mine)"
        )
        return
    if again.mixed:
        result.not_sampled.append(f"nothing was simulated again: parts were made by something else ({'; '.join(again.mixed)})")
        return
    points = found.table("points")
    if len(points) != len(plan.points):
        raise StoreError(f"{found.folder}: has {len(points)} points, and its scenario {len(plan.points)}")
    done: set[Key] = set()
    for key in chosen_tasks(plan.blocks, points.sort_values("point")["replicates"].to_list(), sample, result.seed):
        point, replicate, _ = key
        blocks = plan.blocks[point]
        whole = blocks <= MOST_BLOCKS or not plan.batch.keep  # the summaries are of all blocks together
        tasks = [Key(point, replicate, b) for b in range(blocks)] if whole else [key]
        if tasks[0] in done:
            continue
        done.update(tasks)
        where = f"point {point} ({plan.points[point].name}), replicate {replicate}{'' if whole else f', block {key.block}'}"
        progress(f"simulating {where}")
        made = perform(replace(next(plan.chunks(tasks, len(tasks))), on_error="skip"))
        _compare_failures(found, result, tasks, made.failures, where)
        here = scenario_at(plan.scenario, plan.points[point].changes)
        clients = np.concatenate([task_of(here, arm, task).clients for task in tasks for arm in here.arms])
        tables = {}
        for name in [*([SUMMARIES] if whole else []), *plan.batch.keep]:
            if name in result.hashed:  # or it is known to be something else already
                who = [("client", "in", clients.tolist())] if clients.size and name != SUMMARIES else []
                kept = found.table(name, filters=[("point", "==", point), ("replicate", "==", replicate), *who])
                tables[name] = (kept, _alone(plan, name, made.tables[name]))
        yield where, tables
        left = "summaries are of all blocks of a replicate together and were checked by hash only"
        if not whole and left not in result.not_sampled:
            result.not_sampled.append(left)


def chosen_tasks(blocks: Sequence[int], replicates: Sequence[int], sample: int, seed: int) -> list[Key]:
    """So many different tasks of a batch, by chance, in order; all of them where there are no more."""
    every = [
        Key(point, replicate, block)
        for point, (of_point, times) in enumerate(zip(blocks, replicates, strict=True))
        for replicate in range(times)
        for block in range(of_point)
    ]
    picked = np.random.default_rng(seed).choice(len(every), min(sample, len(every)), replace=False)
    return [every[i] for i in sorted(picked)]


def _alone(plan: Plan, name: str, part: bytes) -> pd.DataFrame:
    """The table that a batch of this part alone would have."""
    rows = pq.read_table(io.BytesIO(part))
    if name == SUMMARIES:
        schema, pieces = SUMMARY, summaries_of(plan, [rows])
    else:
        schema, pieces = rows_of(plan, name, [rows.schema], lambda: [rows])
    return pa.concat_tables([schema.empty_table(), *pieces]).to_pandas()


def _compare_failures(found: ResultFolder, result: Verified, tasks: Sequence[Key], now: Sequence[Failure], where: str) -> None:
    kept: set[tuple[int, str, str]] = set()
    if "failures" in found.tables:
        if "failures" not in result.hashed:
            return  # it is known to be something else already
        rows = found.table("failures", filters=[("point", "==", tasks[0].point), ("replicate", "==", tasks[0].replicate)])
        blocks = {key.block for key in tasks}
        told: pd.DataFrame = rows.loc[rows["block"].isin(blocks), ["block", "arm", "error"]]
        kept = {(int(block), str(arm), str(error)) for block, arm, error in told.to_numpy().tolist()}
    again = {(f.block, f.arm, f.error) for f in now}
    for _, arm, error in sorted(kept - again):
        result.differs.append(Differs("failures", where, f"arm '{arm}' failed then ({error}) and does not fail so now"))
    for _, arm, error in sorted(again - kept):
        result.differs.append(Differs("failures", where, f"arm '{arm}' fails now ({error}) and did not fail so then"))


def _of_run(found: ResultFolder, result: Verified, sample: int, model: Model, progress: Callable[[str], None]) -> Parts:
    run = run_of(found)
    if dict(run.made_with) != model.own:
        result.not_sampled.append(
            "nothing was simulated again: it was run on a model of its own; from Python: "
            "sim.folders.verify.verified(folder, model=mine)"
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
        clients = np.empty(0, np.int64) if clinic else client_numbers(scenario, arm)[block]
        where = f"arm '{arm.name}', replicate {key.replicate}" + (f", block {key.block}" if blocks > 1 else "")
        progress(f"simulating {where}")
        part = simulated_part(scenario, run.seed, Task(arm, key.replicate, clients), model)
        now = frames([(arm.name, part)], arms, clinic)
        kept = {name: table[(table["arm"] == arm.name) & (table["replicate"] == key.replicate)]
                for name, table in run.tables.items() if name not in ENSEMBLE_TABLES}  # fmt: skip
        if clients.size:  # of a clinic, whose clients have no numbers beforehand, all
            kept = {name: table[table["client"].isin(clients)] if "client" in table else table for name, table in kept.items()}
        yield where, {name: (table, now[name]) for name, table in kept.items()}


# ------------------------------------------------------------------------------------------------------------ row by row


def _compare(result: Verified, table: str, where: str, kept: pd.DataFrame, now: pd.DataFrame) -> None:
    """Note the first difference of two tables that should be the same, exactly."""
    if len(kept) != len(now):
        result.differs.append(Differs(table, where, f"{len(kept):,} rows were kept, and there are {len(now):,} now"))
        return
    result.compared_rows += len(kept)
    # A column of something that was added stands where anybody has it; elsewhere it is missing.
    names = list(dict.fromkeys((*kept.columns, *now.columns)))
    both = [rows.reindex(columns=names) for rows in (kept, now)]
    for name in names:
        row = first_difference(both[0][name], both[1][name])
        if row is None:
            continue
        values = [rows[name].iloc[row] for rows in both]
        was, is_now = ("nothing" if pd.isna(v) else repr(v.item() if isinstance(v, np.generic) else v) for v in values)
        at = {k: kept[k].iloc[row] for k in _KNOWN_BY if k in kept}
        known = ", ".join(f"{k} {value}" for k, value in at.items() if not pd.isna(value) and value != "")
        said = f"column {name}, {known}: {was} was kept, and it is {is_now} now"
        result.differs.append(Differs(table, where, said))
        return


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
