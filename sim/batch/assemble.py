"""From finished parts to the tables of a batch: streamed, in the order of the tasks, the same bytes whatever the chunks were."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sim.batch.chunk import SUMMARIES, conformed
from sim.batch.plan import Plan
from sim.batch.progress import log
from sim.batch.resume import failing_in, failures_in, finished_parts, part_of, remove_chunks, rows_in_order, tasks_in
from sim.catalogue.columns import NOTHING, SOME_WHOLE, columns_of
from sim.catalogue.measures import known_measures
from sim.errors import StoreError
from sim.files import MAKING, folder_at, must_be_no_link, put_in_place, removed, synced, write_here
from sim.measures.outcomes import sd_of, together
from sim.scenario.points import table_of, told
from sim.simulation.tidy import labels_of
from sim.storage import added as added_here
from sim.storage import ledger as ledgers
from sim.storage.names import MANIFEST, SCENARIO
from sim.storage.schema import manifest_text
from sim.storage.store import SYNTHETIC, write_table

_LABEL = pa.dictionary(pa.int32(), pa.string())
SUMMARY = pa.schema([
    ("point", pa.int32()), ("replicate", pa.int32()), ("arm", _LABEL), ("measure", _LABEL), ("minus", _LABEL),
    ("n", pa.int64()), ("value", pa.float64()), ("sd", pa.float64()),
])  # fmt: skip


def assembled(plan: Plan, folder: Path, ledger: ledgers.Ledger, target: Sequence[int]) -> bool:
    """Write the tables and the manifest of a batch, then remove its parts. Raises ``StoreError``.

    ``target``: replicates of each point. Where a part has been lost or damaged since it was written, nothing is written and
    the answer is False: its tasks must be simulated again. Each file is made beside its place and renamed; the manifest comes
    last, so a folder with a manifest is whole.
    """
    lines = finished_parts(folder, ledger)
    done = tasks_in(lines)
    if any(key not in done for p, replicates in enumerate(target) for key in plan.tasks(p, 0, replicates)):
        return False
    making = folder / MAKING
    must_be_no_link(making, folder)
    try:
        with failing_in(folder, "the tables could not be written", "; all chunks are kept, the same command writes them"):
            removed(making)
            folder_at(making)
            tables = _tables(plan, folder, lines, target, making)
            write_here(making / SCENARIO, plan.scenario.to_yaml())  # whatever has become of the one that was written first
            write_here(making / MANIFEST, manifest_text(_manifest(plan, ledger, tables)))
            synced(making)
            for path in sorted(making.iterdir(), key=lambda path: path.name == MANIFEST):
                if path.name == MANIFEST:
                    synced(folder, deep=False)  # the tables are there for good before the manifest says so
                put_in_place(path, folder / path.name)
            synced(folder, deep=False)
    finally:
        removed(making)
    remove_chunks(folder)
    log(folder, "finished: tables written")
    return True


def _tables(
    plan: Plan, folder: Path, lines: Sequence[Mapping[str, Any]], target: Sequence[int], making: Path
) -> dict[str, dict[str, Any]]:
    """Write every table; what the manifest says of each."""
    points = table_of(plan.points)
    points.insert(2, "replicates", np.array(target, np.int32))
    made: dict[str, dict[str, Any]] = {}

    def write(name: str, schema: pa.Schema, pieces: Iterable[pa.Table]) -> None:
        made[name] = write_table(making / f"{name}.parquet", schema, pieces, plan.seed)

    def write_frame(name: str, frame: pd.DataFrame) -> None:
        arrow = pa.Table.from_pandas(frame, preserve_index=False)
        write(name, arrow.schema, [arrow])

    write_frame("points", points)
    write(SUMMARIES, SUMMARY, summaries_of(plan, rows_in_order(folder, lines, SUMMARIES)))
    for name in plan.batch.keep:
        schemas = [pq.read_schema(part_of(folder, name, line["files"][name])) for line in lines]
        write(name, *rows_of(plan, name, schemas, partial(rows_in_order, folder, lines, name)))
    failures = [
        {**asdict(f), "name": plan.points[f.point].name, "replay": f"attune replay FOLDER --failure {i}",
         "parameters": json.dumps(dict(plan.points[f.point].changes), ensure_ascii=False)}
        for i, f in enumerate(failures_in(lines))
    ]  # fmt: skip
    if failures:
        order = ["point", "name", "arm", "replicate", "block", "parameters", "error", "traceback", "replay"]
        numbers = dict.fromkeys(("point", "replicate", "block"), "int32")
        write_frame("failures", pd.DataFrame(failures)[order].astype(numbers))
    return made


def summaries_of(plan: Plan, pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """One row per point, replicate, arm and outcome, the blocks of clients put together."""
    labels = {"minus": (NOTHING, *plan.arms), "arm": plan.arms, "measure": known_measures(plan.clinic)}
    place = {column: {label: i for i, label in enumerate(every)} for column, every in labels.items()}
    rows = (row for piece in pieces for row in piece.to_pylist())
    for (point, replicate), mine in itertools.groupby(rows, key=operator.itemgetter("point", "replicate")):
        parts: dict[tuple[bool, int, int, int], list[tuple[int, float, float]]] = {}
        for row in mine:
            minus, arm, measure = (place[column][row[column]] for column in labels)
            parts.setdefault((minus > 0, arm, minus, measure), []).append((row["n"], row["mean"], row["squares"]))
        order = sorted(parts)
        codes = dict(zip(("arm", "minus", "measure"), zip(*(key[1:] for key in order), strict=True), strict=True))
        found = [together(parts[key]) for key in order]
        columns = {
            "point": pa.array(np.full(len(order), point, np.int32)),
            "replicate": pa.array(np.full(len(order), replicate, np.int32)),
            **{name: pa.DictionaryArray.from_arrays(pa.array(codes[name], pa.int32()), pa.array(labels[name])) for name in codes},
            "n": [n for n, _, _ in found],
            "value": [mean for _, mean, _ in found],
            "sd": [sd_of(n, squares) for n, _, squares in found],
        }
        yield pa.table([columns[name] for name in SUMMARY.names], schema=SUMMARY)


def rows_of(
    plan: Plan, name: str, schemas: Sequence[pa.Schema], pieces: Callable[[], Iterable[pa.Table]]
) -> tuple[pa.Schema, Iterator[pa.Table]]:
    """A table of the runs themselves: its columns and its rows, in pieces. ``schemas``: those of its parts.

    ``pieces`` gives the parts' rows, as often as it is asked. Described columns come in order, then what was added, by name.
    """
    every = pa.unify_schemas(list(schemas), promote_options="permissive")
    order = ["point", *columns_of(name, plan.clinic)]
    names = [n for n in order if n in every.names] + sorted(n for n in every.names if n not in order)
    plain = pa.schema([every.field(n) for n in names])
    labels = labels_of(name, plan.arms)
    if "instrument" in labels and "instrument" in names:  # questionnaires that were added come behind the shipped ones
        given = [conformed(p, plain)["instrument"].unique().drop_null().to_pylist() for p in pieces()]
        labels["instrument"] = tuple(dict.fromkeys((*labels["instrument"], *itertools.chain.from_iterable(given))))
    schema = pa.schema([pa.field(f.name, _LABEL if f.name in labels else f.type) for f in plain])
    empty = schema.empty_table().to_pandas()  # what pandas needs to read the same types back as those of a run in memory
    whole = [column for column, one in columns_of(name, plan.clinic).items() if one.kind == SOME_WHOLE and column in empty]
    empty = empty.astype(dict.fromkeys(whole, "Int64"))
    schema = schema.with_metadata(pa.Schema.from_pandas(empty, preserve_index=False).metadata)

    def coded(rows: pa.Table) -> pa.Table:
        return pa.table([_coded(rows[n], labels[n]) if n in labels else rows[n] for n in names], schema=schema)

    return schema, (coded(conformed(piece, plain)) for piece in pieces())


def _coded(column: pa.ChunkedArray, labels: Sequence[str]) -> pa.Array:
    codes = pc.index_in(column, value_set=pa.array(labels, pa.string()))
    if codes.null_count > column.null_count:
        raise StoreError(f"a label is none of {', '.join(labels)}; this is a fault of the program")
    return pa.DictionaryArray.from_arrays(codes.combine_chunks(), pa.array(labels, pa.string()))


def _manifest(plan: Plan, ledger: ledgers.Ledger, tables: Mapping[str, Any]) -> dict[str, Any]:
    begun, until = ledger.begun, plan.batch.until
    mixed = [{"changed": line["changed"], "sources": line["forced"]["sources"], "lock": line["forced"]["lock"]}
             for line in ledger.lines if "forced" in line]  # fmt: skip
    factors: dict[str, dict[str, None]] = {}
    for point in plan.points:
        for name, level in point.changes.items():
            factors.setdefault(name, {})[told(level)] = None
    return {
        "synthetic": SYNTHETIC,
        "kind": "batch",
        "scenario": begun["scenario"],
        "question": plan.scenario.question,
        "seed": plan.seed,
        "points": len(plan.points),
        "tasks": len(tasks_in(ledger.lines)),
        "factors": {name: list(levels)[:20] for name, levels in factors.items()},  # the first twenty
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
    }
