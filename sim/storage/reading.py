"""A folder of results read back: a run as a whole, any folder without loading more than a row group of any table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.errors import StoreError, TableError
from sim.naming import nearest
from sim.scenario.scenario import Scenario, load
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage.names import LEDGER, MANIFEST, SCENARIO, refuse_older
from sim.storage.store import ValuesHash, values_hash

#: What every manifest says; a file without these is none.
_SAID = ("scenario", "seed", "resolved_scenario", "versions", "sources", "lock", "arithmetic_fingerprint", "tables")


@dataclass(frozen=True)
class ResultFolder:
    """A finished run or batch: its manifest, and its tables row group by row group."""

    folder: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch, not a single run."""
        return self.manifest.get("kind") == "batch"

    @property
    def clinic(self) -> bool:
        """Whether it is of clinics."""
        return self.manifest["resolved_scenario"].get("design") == "clinic"

    @property
    def seed(self) -> int:
        """The seed of all its random draws."""
        return int(self.manifest["seed"])

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(self.manifest["tables"])

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """These tables, or all where none is named. Raises ``StoreError`` for one that is not there."""
        for name in names:
            if name not in self.tables:
                there = ", ".join(self.tables)
                raise StoreError(f"{self.folder}: has no table '{name}'{nearest(name, self.tables)}; there are: {there}")
        return tuple(dict.fromkeys(names)) or self.tables

    def path(self, name: str) -> Path:
        """Where a table lies."""
        return self.folder / f"{name}.parquet"

    def file(self, name: str) -> pq.ParquetFile:
        """The opened file of a table. Raises ``TableError``."""
        with reading(self.path(name)):
            return pq.ParquetFile(self.path(name))

    def pieces(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """A table, or some of its columns, row group by row group; of an empty table one piece without rows.

        Raises ``TableError``.
        """
        with reading(self.path(name)), pq.ParquetFile(self.path(name)) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i, columns)
            if not file.num_row_groups:
                empty = file.schema_arrow.empty_table()
                yield empty if columns is None else empty.select(columns)

    def frames(self, name: str, **how: Any) -> Iterator[pd.DataFrame]:
        """The same as data frames; ``how`` goes to pyarrow's ``to_pandas``. Raises ``TableError``."""
        for piece in self.pieces(name):
            with reading(self.path(name)):
                frame = piece.to_pandas(**how)
            yield frame

    def hash_of(self, name: str) -> ValuesHash:
        """The hash of a table's values as they lie in the file now. Raises ``TableError``."""
        found = ValuesHash()
        for rows in self.frames(name):
            found.update(rows)
        return found

    def fault(self, name: str) -> str | None:
        """What is wrong with a table: it cannot be read, or is not what the manifest vouches for; missing where it is whole."""
        said = self.manifest["tables"][name]
        try:
            now = self.hash_of(name)
        except TableError as e:
            return e.told
        if now.rows != said["rows"]:
            return f"has {now.rows:,} rows, and the manifest says {said['rows']:,}"
        return None if now.hexdigest() == said["values"] else "its values are not those that the manifest vouches for"

    def rows(self, name: str, *conditions: tuple[str, str, Any], **where: Any) -> pa.Table:
        """The rows of a table in which columns have these values and that meet ``conditions``, such as ``("client", ">=", 10)``.

        Raises ``TableError``.
        """
        with reading(self.path(name)):
            every = [*conditions, *((column, "==", value) for column, value in where.items())]
            return pq.read_table(self.path(name), filters=every or None)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what goes wrong when a table's file is read. Raises ``TableError``."""
    try:
        yield
    except FileNotFoundError:
        raise TableError("is missing", where=str(path)) from None
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as e:  # the last three: what pandas notes of its types
        raise TableError(f"cannot be read ({_short(e)})", where=str(path)) from e


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def is_folder(folder: Path) -> None:
    """Raise ``StoreError`` where a path is no folder that can be looked into."""
    try:
        if folder.is_dir():
            next(folder.iterdir(), None)
            return
        said = "is a file, not a folder of results" if folder.exists() else "there is no such folder"
    except OSError as e:
        said = f"cannot be read ({e.strerror or e})"
    raise StoreError(f"{folder}: {said}; name the folder that attune run wrote")


def opened(folder: str | Path) -> ResultFolder:
    """A finished run or batch from its folder. Raises ``StoreError`` for another thing, and for a batch that is not finished."""
    folder = Path(folder)
    is_folder(folder)
    path = folder / MANIFEST
    if not path.exists():
        if (folder / LEDGER).exists():
            raise StoreError(f"{folder}: this batch is not finished (attune status {folder} says how it goes on)")
        raise StoreError(f"{folder}: holds no results ({MANIFEST} is missing); name the folder that attune run wrote")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise StoreError(f"{path}: cannot be read ({_short(e)})") from e
    if not isinstance(manifest, dict) or (missing := [key for key in _SAID if key not in manifest]):
        what = "it is no mapping" if not isinstance(manifest, dict) else f"'{missing[0]}' is missing"
        raise StoreError(f"{path}: is no manifest of results ({what})")
    if isinstance(manifest["versions"], dict):
        refuse_older(folder, manifest["versions"])
    if not isinstance(manifest["tables"], dict) or not isinstance(manifest["resolved_scenario"], dict):
        raise StoreError(f"{path}: is no manifest of results (its tables or scenario are no mapping)")
    return ResultFolder(folder, manifest)


def scenario_beside(found: ResultFolder) -> Scenario:
    """The scenario in a folder, with the policies and programmes that it was run with. Raises what reading it raises."""
    added.restore(found.manifest)
    return load(found.folder / SCENARIO, name=str(found.manifest["scenario"]))


def scenario_of(found: ResultFolder) -> Scenario:
    """The scenario that a folder's tables are of. Raises ``StoreError`` where its file cannot be read, or is another."""
    path = found.folder / SCENARIO
    try:
        scenario = scenario_beside(found)
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StoreError(f"cannot be read ({e})", where=str(path)) from e
    if scenario.spec != found.manifest["resolved_scenario"]:
        raise StoreError(f"is not the scenario that was run; {MANIFEST} has that one (resolved_scenario)", where=str(path))
    return scenario


def open_run(folder: str | Path) -> Run:
    """Read a result folder back. Raises ``StoreError`` when something is missing or the values are not those of the manifest.

    ``folder``: what ``attune run`` wrote; the values are compared with their hashes.

    >>> sim.open_run(folder)
    Run('hello', seed 1: Tables(clients: 60 x 29, sessions: 240 x 74, assessments: 120 x 12, exchanges: 120 x 72))
    """
    found = opened(folder)
    if found.is_batch:
        raise StoreError("holds a batch, not a single run; read it with sim.open_batch", where=str(folder))
    scenario, tables = scenario_of(found), {}
    for name in found.tables:
        with reading(found.path(name)):
            tables[name] = pq.ParquetFile(found.path(name)).read().to_pandas()
        if values_hash(tables[name]) != found.manifest["tables"][name]["values"]:
            raise TableError("the values are not those that the manifest vouches for", where=str(found.path(name)))
    for name in ("exchanges", "items"):
        tables.setdefault(name, pd.DataFrame())
    try:
        return Run(scenario, int(found.manifest["seed"]), **tables, made_with=found.manifest.get("model", {}))
    except (TypeError, ValueError) as e:
        raise StoreError(f"{found.folder / MANIFEST}: is no manifest of a run ({e})") from e
