"""From finished chunks to the tables of a batch: streamed, in the order of the tasks, the same bytes whatever the chunks were."""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sim.batch.chunk import NOTHING, SUMMARIES, Failure, Key, arms_of, conformed
from sim.batch.plan import Places, Plan
from sim.batch.progress import Log
from sim.batch.resume import failures_in, finished_chunks, remove_chunks
from sim.catalogue.columns import SOME_WHOLE, columns_of
from sim.catalogue.measures import known_measures
from sim.errors import StoreError
from sim.files import folder_at, put_in_place, removed, synced, write_here
from sim.measures.outcomes import sd_of, together
from sim.scenario.points import scenario_at, table_of, told
from sim.simulation.tidy import labels_of
from sim.storage import added as added_here
from sim.storage import ledger as ledgers
from sim.storage.names import CHUNKS, MANIFEST, SCENARIO
from sim.storage.store import ROW_GROUP, SYNTHETIC, ValuesHash, described, write_options
from sim.version import __version__

_OPEN_FILES = 32
_LABEL = pa.dictionary(pa.int32(), pa.string())


class Chunks:
    """Where every task's rows lie, and reading them, a few files open at a time."""

    def __init__(self, folder: Path, plan: Plan, lines: Sequence[Mapping[str, Any]]) -> None:
        self.folder, self.plan, self.lines = folder, plan, lines
        self._places = Places(plan)  # line of the ledger, and which of its tasks
        self._open: OrderedDict[str, Any] = OrderedDict()
        for number, line in enumerate(lines):
            self._places.note(line["tasks"], number << 32, 1)

    def tasks(self) -> Iterator[Key]:
        """All tasks, in order."""
        return self._places.keys()

    def missing(self, target: Sequence[int]) -> int:
        """How many tasks are not there of so many replicates of each point."""
        blocks = self.plan.blocks
        return sum(self._places.missing(p, 0, n * blocks[p]).size for p, n in enumerate(target))

    def rows(self, key: Key, table: str) -> pa.Table:
        """The rows of a task in a table."""
        number = self._places.get(key.point, self.plan.place(key))
        return pa.Table.from_batches([self._reader(self._file(number, table)).get_batch(number & 0xFFFFFFFF)])

    def schemas(self, table: str) -> Iterator[pa.Schema]:
        """The columns of every chunk of a table."""
        for line in self.lines:
            yield self._reader(line["files"][table]["file"]).schema

    def _file(self, number: int, table: str) -> str:
        return str(self.lines[number >> 32]["files"][table]["file"])

    def _reader(self, name: str) -> Any:
        if name not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)
            try:
                self._open[name] = pa.ipc.open_file(pa.memory_map(str(self.folder / CHUNKS / name)))
            except (OSError, pa.ArrowException) as e:
                raise StoreError(
                    f"{self.folder / CHUNKS / name}: cannot be read ({e}); the same command simulates it again"
                ) from e
        self._open.move_to_end(name)
        return self._open[name]


class TableWriter:
    """A table's file, written row group by row group of fixed size, and the hash of its values; small, however long the table."""

    def __init__(self, path: Path, table: str, schema: pa.Schema, seed: int) -> None:
        self.path = path
        self.schema = described(schema, table, {"seed": str(seed), "attune": __version__})
        self._writer = pq.ParquetWriter(path, self.schema, **write_options(self.schema))
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self.hash = ValuesHash()

    def add(self, rows: pa.Table) -> None:
        """Take in rows; what makes a full row group is written."""
        if not len(rows):
            return
        self._waiting.append(rows)
        self._rows += len(rows)
        while self._rows >= ROW_GROUP:
            self._write(ROW_GROUP)

    def _write(self, count: int) -> None:
        together_ = pa.concat_tables(self._waiting)
        rows, rest = together_.slice(0, count), together_.slice(count)
        group = rows.cast(self.schema).combine_chunks()
        self._writer.write_table(group, row_group_size=ROW_GROUP)
        self.hash.update(group.to_pandas())
        self._waiting, self._rows = ([rest] if len(rest) else []), len(rest)

    def close(self) -> dict[str, Any]:
        """Write what is left; what the manifest says of the table."""
        if self._rows or not self.hash.rows:
            if not self._waiting:
                self.hash.update(self.schema.empty_table().to_pandas())
            else:
                self._write(self._rows)
        self._writer.close()
        return {"rows": self.hash.rows, "columns": self.schema.names, "values": self.hash.hexdigest()}


def assembled(plan: Plan, folder: Path, ledger: ledgers.Ledger, target: Sequence[int]) -> bool:
    """Write the tables and the manifest of a batch, then remove its chunks. Raises ``StoreError``.

    ``target``: replicates of each point. Where a chunk has been lost or damaged since it was written, nothing is written and
    the answer is False: its tasks must be simulated again. Each file is made beside its place and renamed; the manifest comes
    last, so a folder with a manifest is whole.
    """
    chunks = Chunks(folder, plan, finished_chunks(folder, ledger))
    if chunks.missing(target):
        return False
    making = folder / ".making"
    try:
        removed(making)
        folder_at(making)
        tables = {"points": _points(plan, target, making), SUMMARIES: summaries_written(plan, chunks, making)}
        tables |= {name: rows_written(plan, chunks, name, making) for name in plan.batch.keep}
        failures = failures_in(chunks.lines)
        if failures:
            tables["failures"] = _written(making, "failures", _failures(plan, failures), plan.seed)
        write_here(making / SCENARIO, plan.scenario.to_yaml())  # whatever has become of the one that was written first
        write_here(making / MANIFEST, json.dumps(_manifest(plan, ledger, tables), indent=2) + "\n")
        synced(making)
        for path in sorted(making.iterdir()):
            if path.name != MANIFEST:
                put_in_place(path, folder / path.name)
        synced(folder, deep=False)  # the tables are there for good before the manifest says so
        put_in_place(making / MANIFEST, folder / MANIFEST)
        synced(folder, deep=False)
    except OSError as e:
        if isinstance(e, StoreError):
            raise
        raise StoreError(
            f"{folder}: the tables could not be written ({e.strerror or e}); all chunks are kept, the same command writes them"
        ) from e
    finally:
        removed(making)
    remove_chunks(folder)
    Log(folder).say("finished: tables written")
    return True


def _written(folder: Path, name: str, table: pd.DataFrame, seed: int) -> dict[str, Any]:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    writer = TableWriter(folder / f"{name}.parquet", name, arrow.schema, seed)
    with contextlib.closing(writer._writer):
        for i in range(0, len(arrow), ROW_GROUP):
            writer.add(arrow.slice(i, ROW_GROUP))
        return writer.close()


def _points(plan: Plan, target: Sequence[int], folder: Path) -> dict[str, Any]:
    """The points, each with the number of replicates that it got."""
    table = table_of(plan.points)
    table.insert(2, "replicates", np.array(target, np.int32))
    return _written(folder, "points", table, plan.seed)


# ---------------------------------------------------------------------------------------------------------- summaries


def summaries_written(plan: Plan, chunks: Chunks, folder: Path) -> dict[str, Any]:
    """One row per point, replicate, arm and outcome, the blocks of clients put together."""
    schema = pa.schema([
        ("point", pa.int32()), ("replicate", pa.int32()), ("arm", _LABEL), ("measure", _LABEL), ("minus", _LABEL),
        ("n", pa.int64()), ("mean", pa.float64()), ("sd", pa.float64()),
    ])  # fmt: skip
    writer = TableWriter(folder / f"{SUMMARIES}.parquet", SUMMARIES, schema, plan.seed)
    with contextlib.closing(writer._writer):
        for one in _replicates(chunks):
            writer.add(_summary(plan, chunks, one, schema, known_measures(plan.clinic)))
        return writer.close()


def _replicates(chunks: Chunks) -> Iterator[list[Key]]:
    """The tasks of each point and replicate."""
    mine: list[Key] = []
    for key in chunks.tasks():
        if mine and key[:2] != mine[-1][:2]:
            yield mine
            mine = []
        mine.append(key)
    if mine:
        yield mine


def _summary(plan: Plan, chunks: Chunks, tasks: list[Key], schema: pa.Schema, measures: tuple[str, ...]) -> pa.Table:
    names = arms_of(scenario_at(plan.scenario, plan.points[tasks[0].point].changes))
    parts: dict[tuple[int, str, int], list[tuple[int, float, float]]] = {}
    for key in tasks:
        rows = chunks.rows(key, SUMMARIES).to_pydict()
        for arm, measure, minus, n, mean, squares in zip(
            *(rows[name] for name in ("arm", "measure", "minus", "n", "mean", "squares")), strict=True
        ):
            parts.setdefault((minus, arm, measure), []).append((n, mean, squares))
    order = sorted(parts, key=lambda k: (k[0] != NOTHING, k[1], k[0], measures.index(k[2])))
    arms = {name: i for i, name in enumerate(plan.arms)}
    found = [together(parts[key]) for key in order]
    columns = {
        "point": np.full(len(order), tasks[0].point, np.int32),
        "replicate": np.full(len(order), tasks[0].replicate, np.int32),
        "arm": _labelled([arms[names[int(k[1])]] for k in order], plan.arms),
        "measure": _labelled([measures.index(k[2]) for k in order], measures),
        "minus": _labelled([0 if k[0] == NOTHING else 1 + arms[names[int(k[0])]] for k in order], ("", *plan.arms)),
        "n": [n for n, _, _ in found],
        "mean": [mean for _, mean, _ in found],
        "sd": [sd_of(n, squares) for n, _, squares in found],
    }
    return pa.table(
        [pa.array(columns[f.name]) if not isinstance(columns[f.name], pa.Array) else columns[f.name] for f in schema],
        schema=schema,
    )


def _labelled(codes: list[int], labels: Iterable[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(list(labels), pa.string()))


# --------------------------------------------------------------------------------------------------- tables of runs


def rows_written(plan: Plan, chunks: Chunks, name: str, folder: Path) -> dict[str, Any]:
    """A table of the runs themselves: the rows of every task, in order."""
    plain = _columns(plan, chunks, name)
    labels = labels_of(name, plan.arms)
    if "instrument" in labels:  # questionnaires that were added come behind the shipped ones
        labels["instrument"] = tuple(dict.fromkeys((*labels["instrument"], *_found(chunks, name, "instrument"))))
    schema = _as_frames_are(name, pa.schema([pa.field(f.name, _LABEL if f.name in labels else f.type) for f in plain]))
    writer = TableWriter(folder / f"{name}.parquet", name, schema, plan.seed)
    with contextlib.closing(writer._writer):
        for key in chunks.tasks():
            rows = conformed(chunks.rows(key, name), plain)
            writer.add(pa.table([_coded(rows.column(f.name), labels.get(f.name)) for f in plain], schema=schema))
        return writer.close()


def _found(chunks: Chunks, table: str, column: str) -> Iterator[str]:
    """The labels in a column, in the order of the tasks."""
    for key in chunks.tasks():
        rows = chunks.rows(key, table)
        if column in rows.column_names:
            yield from rows.column(column).unique().drop_null().to_pylist()


def _as_frames_are(name: str, schema: pa.Schema) -> pa.Schema:
    """The schema with what pandas needs to read the same types back as those of a run in memory."""
    whole = {column for column, one in columns_of(name, clinic=True).items() if one.kind == SOME_WHOLE}
    empty = schema.empty_table().to_pandas()
    empty = empty.astype({column: "Int64" for column in whole if column in empty and column in schema.names})
    return schema.with_metadata(pa.Schema.from_pandas(empty, preserve_index=False).metadata)


def _columns(plan: Plan, chunks: Chunks, name: str) -> pa.Schema:
    """The columns of a table: those that are described, in their order, then what was added, by name."""
    every = pa.unify_schemas(list(chunks.schemas(name)), promote_options="permissive")
    order = ["point", *columns_of(name, plan.clinic)]
    names = [n for n in order if n in every.names] + sorted(n for n in every.names if n not in order)
    return pa.schema([every.field(n) for n in names])


def _coded(column: pa.ChunkedArray, labels: tuple[str, ...] | None) -> Any:
    if labels is None:
        return column
    codes = pc.index_in(column, value_set=pa.array(labels, pa.string()))
    if codes.null_count > column.null_count:
        raise StoreError(f"a label is none of {', '.join(labels)}; this is a fault of the program")
    return pa.DictionaryArray.from_arrays(codes.combine_chunks(), pa.array(labels, pa.string()))


# ------------------------------------------------------------------------------------------------ failures, manifest


def _failures(plan: Plan, failures: Iterable[Failure]) -> pd.DataFrame:
    rows = [
        {
            "point": np.int32(f.point),
            "name": plan.points[f.point].name,
            "arm": f.arm,
            "replicate": np.int32(f.replicate),
            "block": np.int32(f.block),
            "parameters": json.dumps(dict(plan.points[f.point].changes), ensure_ascii=False),
            "error": f.error,
            "traceback": f.traceback,
            "replay": f"attune replay FOLDER --failure {i}",
        }
        for i, f in enumerate(failures)
    ]
    table = pd.DataFrame(rows)
    return table.astype({"point": "int32", "replicate": "int32", "block": "int32"})


def _manifest(plan: Plan, ledger: ledgers.Ledger, tables: Mapping[str, Any]) -> dict[str, Any]:
    begun = ledger.lines[0]["begun"]
    mixed = [{"changed": line["changed"], "sources": line["forced"]["sources"], "lock": line["forced"]["lock"]}
             for line in ledger.lines if "forced" in line]  # fmt: skip
    until = plan.batch.until
    return {
        "synthetic": SYNTHETIC,
        "kind": "batch",
        "scenario": begun["scenario"],
        "question": plan.scenario.question,
        "seed": plan.seed,
        "points": len(plan.points),
        "factors": {name: _levels(plan, name) for name in dict.fromkeys(n for p in plan.points for n in p.changes)},
        "random_numbers": plan.batch.random_numbers,
        "replicates": plan.scenario.replicates if until is None else until.model_dump(),
        "resolved_scenario": plan.scenario.spec,
        "versions": begun["versions"],
        "sources": begun["sources"],
        "lock": begun["lock"],
        "arithmetic_fingerprint": begun["arithmetic"],
        "files": begun["files"],
        **({"model": plan.model.own} if plan.model.own else {}),
        **added_here.in_manifest(plan.with_all_kinds),
        **({"gone_on_although": mixed} if mixed else {}),
        "tables": dict(tables),
    }  # fmt: skip


def _levels(plan: Plan, factor: str) -> list[str]:
    """The levels of a factor, the first twenty."""
    every = dict.fromkeys(_hashable(point.changes[factor]) for point in plan.points if factor in point.changes)
    return [told(level) for level in list(every)[:20]]


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) or value is None else json.dumps(value, ensure_ascii=False)
