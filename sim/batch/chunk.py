"""A chunk: some tasks of a batch, simulated anywhere, and the parts of the tables that come back from there as bytes.

A task is one point, one replicate and one block of clients, with all arms of the scenario, so that arms can be compared person by
person where they hold the same people. Blocks have a fixed size: which tasks make a chunk, and where it is simulated, changes no
number. This module is what a worker imports; it needs neither Mesa nor figures.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.catalogue.columns import NOTHING
from sim.compiling import sources_hash
from sim.measures.clinics import by_replicate
from sim.measures.outcomes import block_of, moments, values_of
from sim.scenario.arms import reference_arm, same_clients, untreated_arm
from sim.scenario.points import scenario_at
from sim.scenario.scenario import Arm, Scenario
from sim.scenario.sweep import Until
from sim.simulation.build import client_numbers
from sim.simulation.tables import Run
from sim.simulation.tasks import Task, simulated_part
from sim.simulation.tidy import frame, frames
from sim.storage.added import run_once
from sim.storage.store import arithmetic_fingerprint, lock_hash, write_options
from sim.therapy.model import SHIPPED, Model

#: Clients of an arm simulated together. Not to be chosen: sums over a million clients are taken block by block.
BLOCK = 2000
SUMMARIES = "summaries"
#: The one table that says what happened: replicate by replicate, arm by arm, outcome by outcome; parts of blocks still apart.
_PARTS = pa.schema([
    ("point", pa.int32()), ("replicate", pa.int32()), ("block", pa.int32()), ("arm", pa.string()), ("measure", pa.string()),
    ("minus", pa.string()), ("n", pa.int64()), ("mean", pa.float64()), ("squares", pa.float64()),
])  # fmt: skip


class Key(NamedTuple):
    """Which task: point, replicate, block of clients."""

    point: int
    replicate: int
    block: int


@dataclass(frozen=True)
class Chunk:
    """What a worker gets: tasks, and all that is needed to simulate them. Can be pickled where the model can."""

    scenario: Scenario
    seed: int
    tasks: tuple[Key, ...]
    changes: Mapping[int, Mapping[str, Any]]
    random_numbers: str = "common"
    keep: tuple[str, ...] = ()
    on_error: str = "skip"
    model: Model = SHIPPED
    added: tuple[tuple[str, str], ...] = ()  # files that add to the registries: name, text


@dataclass(frozen=True)
class Failure:
    """A run that failed: where, with what, and how. ``block`` tells which clients were simulated together."""

    point: int
    replicate: int
    block: int
    arm: str
    error: str
    traceback: str


@dataclass
class Done:
    """What comes back: for each table a part of it as the bytes of a Parquet file; failures; by whom."""

    tasks: tuple[Key, ...]
    tables: dict[str, bytes] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    worker: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)  # every chunk says it, and a process does not change
def worker_identity() -> dict[str, str]:
    """What a worker's results depend on: sources, library versions, arithmetic."""
    return {"sources": sources_hash(), "lock": lock_hash(), "arithmetic": arithmetic_fingerprint()}


def seed_at(seed: int, random_numbers: str, changes: Mapping[str, Any]) -> int:
    """The seed of a point: the batch's, or (``random_numbers: own``) one made of it and of what the point changes, whatever its
    number."""
    if random_numbers == "common":
        return seed
    said = f"{seed}\0{json.dumps(dict(changes), sort_keys=True)}"
    return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest(), "little") % 2**63


def task_of(scenario: Scenario, arm: Arm, key: Key) -> Task:
    """What is simulated of one arm for a task."""
    if arm.clinic is not None:
        return Task(arm, key.replicate, np.empty(0, np.int64))
    return Task(arm, key.replicate, client_numbers(scenario, arm)[key.block * BLOCK : (key.block + 1) * BLOCK])


def perform(chunk: Chunk) -> Done:
    """Simulate a chunk. A run that fails becomes a ``Failure`` (unless ``on_error`` is raise).

    Running out of memory, or a fault of the machine, is raised: it says nothing about the run.
    """
    for name, text in chunk.added:
        run_once(name, text)
    kept: dict[str, list[pa.Table]] = {name: [] for name in (SUMMARIES, *chunk.keep)}
    done = Done(chunk.tasks, worker=worker_identity())
    for key in chunk.tasks:
        scenario = scenario_at(chunk.scenario, chunk.changes[key.point])
        parts = _simulated(chunk, scenario, key, done.failures)
        kept[SUMMARIES].append(_summaries(scenario, key, {arm: values for arm, (_, values) in parts.items()}))
        for name in chunk.keep:
            kept[name].append(_kept(scenario, key, name, [(arm, part[name]) for arm, (part, _) in parts.items() if name in part]))
    done.tables = {name: _part(tables) for name, tables in kept.items()}
    return done


#: Of each arm the tables to keep, and every outcome.
Simulated = dict[str, tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]]


def _simulated(chunk: Chunk, scenario: Scenario, key: Key, failures: list[Failure]) -> Simulated:
    """The arms of one task that do not fail; what fails is noted."""
    seed = seed_at(chunk.seed, chunk.random_numbers, chunk.changes[key.point])
    found: Simulated = {}
    for arm in scenario.arms:
        try:
            part = simulated_part(scenario, seed, task_of(scenario, arm, key), chunk.model)
            values = outcomes_of(scenario, arm, part)
        except (MemoryError, OSError):
            raise
        except (Exception, SystemExit) as e:  # what was added may do anything
            if chunk.on_error == "raise":
                raise
            said = f"{type(e).__name__}: {' '.join(str(e).split())}"
            failures.append(Failure(key.point, key.replicate, key.block, arm.name, said, _told(e)))
        else:
            found[arm.name] = {name: part[name] for name in chunk.keep if name in part}, values
    return found


def _told(error: BaseException, after: int = 1) -> str:
    """The traceback from where this module called the model on, what caused it first; without the machine's own folders."""
    before = "" if error.__cause__ is None else f"{_told(error.__cause__, 0)}\nand so:\n\n"
    places = traceback.format_list(traceback.extract_tb(error.__traceback__)[after:])
    text = "".join([*places, *traceback.format_exception_only(error)])
    roots = {str(Path(__file__).parents[2]), *(path.rstrip("/") for path in sys.path)}
    for root in sorted(filter(None, roots), key=len, reverse=True):  # the nearest comes first
        text = text.replace(f'File "{root}/', 'File "')
    return before + text


def outcomes_of(scenario: Scenario, arm: Arm, part: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Every outcome of one arm's part: a value a client, of a clinic one of the whole."""
    if arm.clinic is None:
        return values_of(block_of(part, arm))
    alone = scenario.model_copy(update={"arms": (arm,), "replicates": 1})  # the replicate is the unit, whatever its number
    first = {name: {**table, "replicate": np.zeros_like(table["replicate"])} for name, table in part.items()}
    run = Run(alone, 0, **frames([(arm.name, first)], [arm.name], clinic=True))
    return {str(name): values.to_numpy(float) for name, values in by_replicate(run).items()}


def compared_arms(scenario: Scenario) -> dict[str, list[str]]:
    """For each arm the arms it is compared with: the reference, and its untreated twin; only arms of the same people."""
    arms, clinic = {arm.name: arm for arm in scenario.arms}, scenario.design == "clinic"
    found = {}
    for name, arm in arms.items():
        twin = untreated_arm(scenario, name) if arm.therapist is not None and not clinic else None
        others = [other for other in (reference_arm(scenario, name), twin) if other is not None and other != name]
        found[name] = list(dict.fromkeys(other for other in others if clinic or same_clients(arms[other], arm)))
    return found


def reference_among(scenario: Scenario) -> dict[str, str | None]:
    """For each arm its reference, where another arm of the same people is one."""
    pairs = {name: (reference_arm(scenario, name), others) for name, others in compared_arms(scenario).items()}
    return {name: reference if reference in others else None for name, (reference, others) in pairs.items()}


def looked_at(scenario: Scenario, until: Until) -> set[tuple[str, str]]:
    """The arms, each with the arm that is taken off (or nothing), whose precision decides whether it is enough."""
    pairs = reference_among(scenario) if until.difference else {arm.name: NOTHING for arm in scenario.arms}
    return {(arm, minus) for arm, minus in pairs.items() if minus is not None and until.arm in (None, arm)}


def _summaries(scenario: Scenario, key: Key, values: Mapping[str, Mapping[str, np.ndarray]]) -> pa.Table:
    """Number, mean and sum of squared deviations of every outcome of every arm, and of its differences person by person."""
    rows: list[dict[str, Any]] = []

    def add(arm: str, measure: str, minus: str, numbers: np.ndarray) -> None:
        if not np.isnan(numbers).all():
            told = (*key, arm, measure, minus, *moments(numbers))
            rows.append(dict(zip(_PARTS.names, told, strict=True)))

    for name, mine in values.items():
        for measure, numbers in mine.items():
            add(name, measure, NOTHING, numbers)
    for name, others in compared_arms(scenario).items():
        for other in others if name in values else ():
            theirs = values.get(other, {})
            for measure, numbers in values[name].items():
                if measure in theirs and theirs[measure].size == numbers.size:
                    add(name, measure, other, numbers - theirs[measure])
    return pa.Table.from_pylist(rows, schema=_PARTS)


def _kept(scenario: Scenario, key: Key, name: str, parts: list[tuple[str, Mapping[str, Any]]]) -> pa.Table:
    """One table of a task as it will be in the file, with the point before everything else; labels as text, since their lists may
    differ from task to task."""
    if not parts:  # all of it failed, or nobody has such rows
        return pa.table({"point": pa.array([], pa.int32())})
    table = frame(parts, name, [arm.name for arm in scenario.arms], scenario.design == "clinic")
    table.insert(0, "point", np.full(len(table), key.point, np.int32))
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    labels = [pa.types.is_dictionary(f.type) or pa.types.is_large_string(f.type) for f in arrow.schema]
    return arrow.cast(
        pa.schema([pa.field(f.name, pa.string() if label else f.type) for f, label in zip(arrow.schema, labels, strict=True)])
    )


def _part(tables: Sequence[pa.Table]) -> bytes:
    """A Parquet file with the rows of these tables, one after the other; its columns are those of all."""
    schema = pa.unify_schemas([table.schema for table in tables], promote_options="permissive")
    sink = io.BytesIO()
    rows = pa.concat_tables([conformed(table, schema) for table in tables])
    pq.write_table(rows, sink, **write_options(schema))
    return sink.getvalue()


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of ``schema``; those it has not are missing values: of numbers NaN, as in runs in memory."""
    columns = []
    for f in schema:
        if f.name in table.schema.names:
            columns.append(table.column(f.name).cast(f.type))
        else:
            floating = pa.types.is_floating(f.type)
            columns.append(pa.array(np.full(len(table), np.nan), f.type) if floating else pa.nulls(len(table), f.type))
    return pa.table(columns, schema=schema)
