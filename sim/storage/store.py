"""Result folders: written whole or not at all, with a manifest that says what made them.

A folder is written beside its place under a temporary name and renamed when it is complete. No table and no
manifest holds a time; times are in ``run.log``.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.catalogue.columns import POINT, columns_of
from sim.compiling import compiled, sources_hash
from sim.elementary import exp, log
from sim.files import whole, write_here
from sim.scenario.scenario import Scenario
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage.names import MANIFEST, RUN_LOG, SCENARIO
from sim.storage.schema import manifest_text
from sim.therapy.model import SHIPPED, Model
from sim.version import __version__

ROW_GROUP = 65_536
SYNTHETIC = "Synthetic data: simulated people, not real ones. Not a clinical tool."
_LOCKED = ("numpy", "numba", "llvmlite", "pandas", "pyarrow", "scipy", "pydantic", "matplotlib")


def _exps_and_logs(x, out):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        out[2 * i] = exp(x[i])
        out[2 * i + 1] = log(x[i] * x[i] + 0.5)


def arithmetic_fingerprint() -> str:
    """A hash of 1,000 exps and logs, in compiled code and on columns: what every sound machine has in common."""
    x = (np.arange(500) - 250) * 0.025
    out = np.empty(1000)
    compiled(_exps_and_logs)(x, out)
    columns = np.concatenate([exp(x), log(x * x + 0.5)])
    return hashlib.blake2b(out.tobytes() + columns.tobytes(), digest_size=8).hexdigest()


def versions() -> dict[str, str]:
    """Versions of this program, of Python, and of the libraries that results depend on."""
    return {"attune": __version__, "python": platform.python_version(), **{name: metadata.version(name) for name in _LOCKED}}


def lock_hash() -> str:
    """Hash of the versions in use."""
    return hashlib.blake2b(json.dumps(versions(), sort_keys=True).encode(), digest_size=8).hexdigest()


def run_id(scenario: Scenario, seed: int, model: Model = SHIPPED) -> str:
    """The id of a run: made of the scenario as resolved, the seed, the sources, the versions and what is not shipped."""
    parts = (scenario.to_yaml(), str(seed), sources_hash(), lock_hash(), added.identity(scenario) + model.identity)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


class ValuesHash:
    """Hash of a table's values, column by column, whatever file they come from and in however many pieces they come."""

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}
        self.rows = 0

    def update(self, table: pd.DataFrame) -> ValuesHash:
        """Take in the next rows. All pieces have the same columns, and labels the same list of categories."""
        for name in table.columns:
            column, name = table[name], str(name)
            if name not in self._columns:
                self._columns[name] = hashlib.blake2b(name.encode() + b"\0", digest_size=16)
                if isinstance(column.dtype, pd.CategoricalDtype):
                    self._columns[name].update("\0".join(map(str, column.cat.categories)).encode() + b"\0")
            self._columns[name].update(_bytes_of(name, column))
        self.rows += len(table)
        return self

    def hexdigest(self) -> str:
        """The hash of everything taken in, as text."""
        whole = hashlib.blake2b(digest_size=16)
        for column in self._columns.values():
            whole.update(column.digest())
        return whole.hexdigest()


def _bytes_of(name: str, column: pd.Series) -> bytes:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes, np.int64).tobytes()
    whole = isinstance(column.array, pd.arrays.IntegerArray) or (name == "therapist" and column.dtype.kind in "iuf")
    if whole:  # numbers that may be missing
        return column.fillna(-1).to_numpy(np.int64).tobytes()
    if column.dtype.kind == "O" or isinstance(column.dtype, pd.StringDtype):  # text, told apart by its length
        texts = ("" if value is None or value != value else str(value) for value in column)
        return b"".join(len(text).to_bytes(8, "little") + text for text in map(str.encode, texts))
    return np.ascontiguousarray(column.to_numpy()).tobytes()


def values_hash(table: pd.DataFrame) -> str:
    """Hash of a table's values (``ValuesHash``)."""
    return ValuesHash().update(table).hexdigest()


def write_options(schema: pa.Schema) -> dict[str, Any]:
    """How every table is written: compressed, dictionaries for labels only (they slow numbers down), with statistics."""
    labels = [f.name for f in schema if pa.types.is_dictionary(f.type) or pa.types.is_string(f.type)]
    return {"compression": "zstd", "use_dictionary": labels, "write_statistics": True}


def write_table(path: Path, schema: pa.Schema, pieces: Iterable[pa.Table], seed: int) -> dict[str, Any]:
    """Write a table in row groups of fixed size, however its pieces come; what the manifest says of it.

    The file says that it is synthetic, and what each column means.
    """
    notes = {**(schema.metadata or {}), "synthetic": SYNTHETIC, "seed": str(seed), "attune": __version__}
    unknown = ("", "factor of the design, by address" if path.stem == "points" else "of a mechanism or instrument that was added")
    meanings = {**POINT, **columns_of(path.stem, clinic=True)}
    about = {f.name: dict(zip(("unit", "meaning"), meanings.get(f.name, unknown)[:2], strict=True)) for f in schema}
    schema = pa.schema([f.with_metadata(about[f.name]) for f in schema], metadata=notes)
    values = ValuesHash()
    with pq.ParquetWriter(path, schema, **write_options(schema)) as writer:
        for group in _groups(pieces):
            group = group.cast(schema).combine_chunks()
            writer.write_table(group, row_group_size=ROW_GROUP)
            values.update(group.to_pandas())
    if not values.rows:
        values.update(schema.empty_table().to_pandas())
    return {"rows": values.rows, "columns": schema.names, "values": values.hexdigest()}


def _groups(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, ``ROW_GROUP`` at a time."""
    waiting: list[pa.Table] = []
    for piece in pieces:
        waiting.append(piece)
        while sum(map(len, waiting)) >= ROW_GROUP:
            rows = pa.concat_tables(waiting)
            yield rows.slice(0, ROW_GROUP)
            waiting = [rows.slice(ROW_GROUP)]
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting)


def _manifest(run: Run, tables: dict[str, Any]) -> dict[str, Any]:
    return {
        "synthetic": SYNTHETIC,
        "scenario": run.scenario.name,
        "question": run.scenario.question,
        "seed": run.seed,
        "replicates": run.scenario.replicates,
        "id": run_id(run.scenario, run.seed, run.model),
        "resolved_scenario": run.scenario.spec,
        "versions": versions(),
        "sources": sources_hash(),
        "lock": lock_hash(),
        "arithmetic_fingerprint": arithmetic_fingerprint(),
        **({"model": run.model.own} if run.model.own else {}),
        **added.in_manifest(run.scenario),
        "tables": tables,
    }


def save(run: Run, folder: Path, log: list[str] | None = None, report: Callable[[Run, Path], Any] | None = None) -> Path:
    """Write a run's tables, manifest, resolved scenario, log and (by ``report``) figures and report; whole or not at all.

    Raises ``StoreError`` when the place exists already or cannot be written, or the disk is full.
    """
    with whole(folder) as partial:
        started, tables = time.perf_counter(), {}
        for name, table in run.tables.items():
            arrow = pa.Table.from_pandas(table, preserve_index=False)
            tables[name] = write_table(partial / f"{name}.parquet", arrow.schema, [arrow], run.seed)
        write_here(partial / MANIFEST, manifest_text(_manifest(run, tables)))
        write_here(partial / SCENARIO, run.scenario.to_yaml())
        tables_written = time.perf_counter()
        if report is not None:
            report(run, partial)
        lines = [
            *(log or []),
            f"tables written in {tables_written - started:.2f} s",
            f"report written in {time.perf_counter() - tables_written:.2f} s",
        ]
        write_here(partial / RUN_LOG, "\n".join(lines) + "\n")
    return folder
