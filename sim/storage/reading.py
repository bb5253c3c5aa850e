"""A folder of results read back: a run as a whole, any folder without loading more than a row group of any table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NotRequired

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from sim.errors import StoreError, TableError
from sim.files import expanded
from sim.naming import nearest
from sim.scenario.scenario import Scenario, load
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage.names import LEDGER, MANIFEST, SCENARIO, refuse_older
from sim.storage.store import ValuesHash


class TableSaid(TypedDict):
    """What a manifest says of a table: its rows, the names of its columns, and the hash of its values."""

    rows: int
    columns: list[str]
    values: str


class Manifest(TypedDict):
    """What the manifest of every run and batch says, as far as a program reads it; the rest is for people."""

    __pydantic_config__ = ConfigDict(strict=True, extra="allow")  # type: ignore[misc]

    kind: NotRequired[Literal["batch"]]
    scenario: str
    question: str
    seed: int
    resolved_scenario: dict[str, Any]
    versions: dict[str, str]
    sources: str
    lock: str
    arithmetic_fingerprint: str
    tables: dict[str, TableSaid]
    model: NotRequired[dict[str, Any]]
    policies: NotRequired[dict[str, dict[str, Any]]]
    training: NotRequired[dict[str, dict[str, Any]]]
    matching: NotRequired[dict[str, str]]
    random_numbers: NotRequired[Literal["common", "own"]]
    files: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class ResultFolder:
    """A finished run or batch: its manifest, and its tables row group by row group."""

    folder: Path
    manifest: Manifest = field(repr=False)

    @property
    def is_batch(self) -> bool:
        """Whether it is a batch, not a single run."""
        return "kind" in self.manifest

    @property
    def clinic(self) -> bool:
        """Whether it is of clinics."""
        return bool(self.manifest["resolved_scenario"].get("design") == "clinic")

    @property
    def seed(self) -> int:
        """The seed of all its random draws."""
        return self.manifest["seed"]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(self.manifest["tables"])

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """These tables, or all where none is named. Raises ``StoreError`` for one that is not there."""
        for name in names:
            if name not in self.tables:
                more = "; others were not kept (batch.keep, or --keep, asks for them)" if self.is_batch else ""
                what = f"has no table '{name}'{nearest(name, self.tables)}; there are: {', '.join(self.tables)}{more}"
                raise StoreError(what, where=str(self.folder))
        return tuple(dict.fromkeys(names)) or self.tables

    def path(self, name: str) -> Path:
        """The file of a table. Raises ``StoreError`` for one that is not there."""
        return self.folder / f"{self.chosen((name,))[0]}.parquet"

    def table(self, name: str, **how: Any) -> pd.DataFrame:
        """A whole table in memory; ``how`` goes to ``pyarrow.parquet.read_table`` (columns, filters). Raises ``TableError``."""
        with reading(self.path(name)):
            return pq.read_table(self.path(name), **how).to_pandas()

    def file(self, name: str) -> pq.ParquetFile:
        """The opened file of a table. Raises ``TableError``."""
        with reading(self.path(name)):
            return pq.ParquetFile(self.path(name))

    def row_groups(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """A table, or some of its columns, row group by row group; of an empty table one piece without rows.

        Raises ``TableError``.
        """
        with reading(self.path(name)), pq.ParquetFile(self.path(name)) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i, columns)
            if not file.num_row_groups:
                empty = file.schema_arrow.empty_table()
                yield empty if columns is None else empty.select(columns)

    def pieces(self, name: str, **how: Any) -> Iterator[pd.DataFrame]:
        """The same as data frames; ``how`` goes to pyarrow's ``to_pandas``. Raises ``TableError``."""
        for piece in self.row_groups(name):
            with reading(self.path(name)):
                frame = piece.to_pandas(**how)
            yield frame

    def fault(self, name: str, table: pd.DataFrame | None = None) -> str | None:
        """What is wrong with a table (as it was read, or as it lies there now); missing where it is what the manifest says.

        It cannot be read, or its values are not those that the manifest vouches for.
        """
        said, now = self.manifest["tables"][name], ValuesHash()
        try:
            for rows in self.pieces(name) if table is None else (table,):
                now.update(rows)
        except TableError as e:
            return e.told
        if now.rows != said["rows"]:
            return f"has {now.rows:,} rows, and the manifest says {said['rows']:,}"
        return None if now.hexdigest() == said["values"] else "its values are not those that the manifest vouches for"


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
    folder = expanded(folder)
    is_folder(folder)
    path = folder / MANIFEST
    if not path.exists():
        if (folder / LEDGER).exists():
            raise StoreError(f"{folder}: this batch is not finished (attune status {folder} says how it goes on)")
        raise StoreError(f"{folder}: holds no results ({MANIFEST} is missing); name the folder that attune run wrote")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(manifest, dict) and isinstance(manifest.get("versions"), dict):
            refuse_older(folder, manifest["versions"])
        return ResultFolder(folder, TypeAdapter(Manifest).validate_python(manifest))
    except ValidationError as e:
        first = e.errors()[0]
        what = " ".join((".".join(map(str, first["loc"])) + ":" * bool(first["loc"]), first["msg"])).strip()
        raise StoreError(f"is no manifest of results ({what})", where=str(path)) from None
    except (OSError, ValueError) as e:
        if isinstance(e, StoreError):
            raise
        raise StoreError(f"cannot be read ({_short(e)})", where=str(path)) from e


def scenario_of(found: ResultFolder) -> Scenario:
    """The scenario that a folder's tables are of. Raises ``StoreError`` where its file cannot be read, or is another."""
    path = found.folder / SCENARIO
    try:
        added.restore(found.manifest)
        scenario = load(path, name=found.manifest["scenario"])
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
    scenario = scenario_of(found)
    tables: dict[str, Any] = {}
    for name in found.tables:
        tables[name] = found.table(name)
        if fault := found.fault(name, tables[name]):
            raise TableError(fault, where=str(found.path(name)))
    for name in ("exchanges", "items"):
        tables.setdefault(name, pd.DataFrame())
    try:
        return Run(scenario, found.seed, **tables, made_with=found.manifest.get("model", {}))
    except (TypeError, ValueError) as e:
        raise StoreError(f"{found.folder / MANIFEST}: is no manifest of a run ({e})") from e
