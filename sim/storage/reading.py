"""A folder of results read back: a run as a whole, any folder without loading more than a row group of any table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.declared.values import shown
from sim.errors import StoreError, TableError
from sim.files import expanded, read_plain
from sim.naming import nearest
from sim.scenario.scenario import Scenario, load
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage import ledger as ledgers
from sim.storage.names import LEDGER, MANIFEST, SCENARIO, refuse_older
from sim.storage.schema import KNOWN, NEEDED, Manifest, check_of, checked, parsed
from sim.storage.store import ValuesHash


@dataclass(frozen=True)
class ResultFolder:
    """A finished run or batch: its manifest, and its tables row group by row group."""

    folder: Path
    manifest: Manifest = field(repr=False)
    #: What was found of each table that has been looked at.
    _faults: dict[str, str | None] = field(default_factory=dict, init=False, repr=False, compare=False)

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

    def table(self, name: str, filters: list[Any] | None = None) -> pd.DataFrame:
        """A whole table in memory, or the rows that ``filters`` (as of ``pyarrow.parquet.read_table``) let through.

        Raises ``TableError``, also where its values are not those that the manifest vouches for.
        """
        if name in self._faults or filters is None:
            known = name in self._faults
            if known:
                self._vouched(name)
            with reading(self.path(name)):
                table = pq.read_table(self.path(name), filters=filters).to_pandas()
                if not known:
                    self._noted(name, ValuesHash().update(table))
                return table
        # What is not looked for is read too, once, since the hash is of all rows.
        now, found = ValuesHash(), []
        for group in self._row_groups(name):
            with reading(self.path(name)):
                now.update(group.to_pandas())
                found.append(group.filter(pq.filters_to_expression(filters)))
        self._noted(name, now)
        return pa.concat_tables(found).to_pandas()

    def file(self, name: str) -> pq.ParquetFile:
        """The opened file of a table, for what it says of its columns. Raises ``TableError``."""
        with reading(self.path(name)):
            return pq.ParquetFile(self.path(name))

    def row_groups(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """A table, or some of its columns, row group by row group; of an empty table one piece without rows.

        Raises ``TableError``, before the first piece also where the values are not those that the manifest vouches for.
        """
        self._vouched(name)
        yield from self._row_groups(name, columns)

    def _row_groups(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        with reading(self.path(name)), pq.ParquetFile(self.path(name)) as file:
            for i in range(file.num_row_groups):
                yield file.read_row_group(i, columns)
            if not file.num_row_groups:
                empty = file.schema_arrow.empty_table()
                yield empty if columns is None else empty.select(columns)

    def pieces(self, name: str, **how: Any) -> Iterator[pd.DataFrame]:
        """The same as data frames; ``how`` goes to pyarrow's ``to_pandas``. Raises ``TableError``.

        The values are compared with the manifest on the way, so that a difference is told behind the last piece.
        """
        now = ValuesHash()
        for piece in self._row_groups(name):
            with reading(self.path(name)):
                now.update(piece.to_pandas())
                frame = piece.to_pandas(**how)
            yield frame
        self._noted(name, now)

    def fault(self, name: str) -> str | None:
        """What is wrong with a table as it lies there; missing where it is what the manifest says. Looked at once.

        It cannot be read, or its values are not those that the manifest vouches for.
        """
        if name not in self._faults:
            try:
                for _ in self.pieces(name):
                    pass
            except TableError as e:
                self._faults[name] = e.told
        return self._faults[name]

    def _vouched(self, name: str) -> None:
        self.path(name)
        if fault := self.fault(name):
            raise TableError(fault, where=str(self.path(name)))

    def _noted(self, name: str, now: ValuesHash) -> None:
        """Keep what is to be said of a table whose values were read. Raises ``TableError``."""
        said = self.manifest["tables"][name]
        fault = None if now.hexdigest() == said["values"] else "its values are not those that the manifest vouches for"
        if now.rows != said["rows"]:
            fault = f"has {now.rows:,} rows, and the manifest says {said['rows']:,}"
        self._faults[name] = fault
        self._vouched(name)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what goes wrong when a table's file is read. Raises ``TableError``."""
    try:
        if path.exists() and not path.is_file():
            raise TableError("is no file", where=str(path))
        yield
    except FileNotFoundError:
        raise TableError("is missing", where=str(path)) from None
    except StoreError:
        raise
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
        manifest = parsed(read_plain(path))
        refuse_older(folder, manifest)
        found = ResultFolder(folder, checked(Manifest, manifest))
        kind = "batch" if found.is_batch else "run"
        for name in found.tables:
            if name not in KNOWN[kind]:
                raise ValueError(f"tables: a {kind} has no table {shown(name)}{nearest(name, KNOWN[kind])}")
        for name in NEEDED[kind]:
            if name not in found.tables:
                raise ValueError(f"tables.{name}: is missing")
    except ValueError as e:
        raise StoreError(f"is no manifest of results ({e})", where=str(path)) from None
    except StoreError:
        raise
    except OSError as e:
        raise StoreError(f"cannot be read ({e.strerror or e})", where=str(path)) from e
    if found.is_batch:
        _agrees(found)
    if manifest["check"] != check_of(manifest):
        raise StoreError(
            "was changed after it was written (its check is not that of what it says); restore the file", where=str(path)
        )
    return found


#: What manifest and ledger of a batch both say, and what each calls it.
_BOTH = {"resolved_scenario": "spec", "arithmetic_fingerprint": "arithmetic"} | {
    name: name for name in ("scenario", "seed", "versions", "sources", "lock", "files")
}


def _agrees(found: ResultFolder) -> None:
    """Raise ``StoreError`` where the manifest and the ledger of a finished batch do not say the same."""
    path = found.folder / MANIFEST
    if not (found.folder / LEDGER).exists():
        return  # told where it is needed
    ledger = ledgers.read(found.folder)
    if not ledger.lines:
        raise ledgers.without(found.folder, "without a whole line")
    tasks = sum(len(line["tasks"]) for line in ledgers.standing(ledger.lines))
    both = {here: (found.manifest.get(here), ledger.begun[there]) for here, there in _BOTH.items()}
    for what, (one, other) in (both | {"tasks": (found.manifest.get("tasks"), tasks)}).items():
        if one != other:
            said = f"says of {what} {shown(one)}, and {LEDGER} {shown(other)}"
            raise StoreError(said, where=str(path), valid="restore the one that was changed")
    added.kept_files(found.folder, ledger.begun["files"])


def scenario_of(found: ResultFolder) -> Scenario:
    """The scenario that a folder's tables are of. Raises ``StoreError`` where its file cannot be read, or is another."""
    path = found.folder / SCENARIO
    try:
        added.restore(found.manifest)
        read_plain(path)  # or it could be a pipe, which is waited for
        scenario = load(path, name=found.manifest["scenario"])
    except (OSError, ValueError, KeyError, TypeError) as e:
        reason = getattr(e, "strerror", None) or e
        raise StoreError(f"cannot be read ({reason}); the same attune run command writes it anew", where=str(path)) from e
    if scenario.spec != found.manifest["resolved_scenario"]:
        raise StoreError(f"is not the scenario that was run; {MANIFEST} has that one (resolved_scenario)", where=str(path))
    return scenario


def open_run(folder: str | Path) -> Run:
    """Read a result folder back. Raises ``StoreError`` when something is missing or the values are not those of the manifest.

    ``folder``: what ``attune run`` wrote; the values are compared with their hashes.

    >>> sim.open_run(folder)
    Run('hello', seed 1: Tables(clients: 60 x 29, sessions: 236 x 77, assessments: 120 x 12, exchanges: 120 x 85))
    """
    return run_of(opened(folder))


def run_of(found: ResultFolder) -> Run:
    """The run that an opened folder holds. Raises ``StoreError``."""
    if found.is_batch:
        raise StoreError("holds a batch, not a single run; read it with sim.open_batch", where=str(found.folder))
    scenario = scenario_of(found)
    tables: dict[str, Any] = {}
    for name in found.tables:
        tables[name] = found.table(name)
    for name in ("exchanges", "items"):
        tables.setdefault(name, pd.DataFrame())
    try:
        return Run(scenario, found.seed, **tables, made_with=found.manifest.get("model", {}))
    except (TypeError, ValueError) as e:
        raise StoreError(f"{found.folder / MANIFEST}: is no manifest of a run ({e})") from e
