"""The folder of a batch: begun once, gone on with only by what began it, parts kept whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sim.batch.chunk import SUMMARIES, Done, Failure, Key
from sim.batch.plan import Plan
from sim.batch.progress import log
from sim.declared.values import shown
from sim.errors import BatchChanged, StoreError
from sim.files import folder_at, moved_aside, must_be_no_link, read_plain, removed, synced, tidied, write_over
from sim.storage import ledger as ledgers
from sim.storage.names import ADDED, CHUNKS, LEDGER, MANIFEST, SCENARIO
from sim.storage.reading import opened

# ------------------------------------------------------------------------------------------------- what has changed


def differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was when the batch was begun, in words; the scenario's own changes first."""
    said = []
    for name in ("seed", "keep"):
        if begun[name] != now[name]:
            said.append(f"{name} was {begun[name]} and is {now[name]}")
    said += [f"scenario: {line}" for line in _changes(begun["spec"], now["spec"])]
    before, after = begun["files"], now["files"]
    files = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    if files:
        said.append(f"files that are added (--with) have changed: {', '.join(files)}")
    elif any(begun.get(name) != now[name] for name in ("added", "outcomes")):
        said.append("what is added to the model or its measures (--with, model) has changed")
    said += machine_differences(begun, now)
    return said


def machine_differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed of the program and the machine since a batch was begun."""
    said = []
    if begun["sources"] != now["sources"]:
        said.append("the program's sources have changed")
    other = [f"{name} {begun['versions'].get(name)} -> {version}" for name, version in now["versions"].items()
             if begun["versions"].get(name) != version]  # fmt: skip
    if other:
        said.append(f"versions: {', '.join(other)}")
    if begun["arithmetic"] != now["arithmetic"]:
        said.append("this machine's arithmetic differs")
    return said


def _changes(before: Any, after: Any, at: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [line for key in dict.fromkeys((*before, *after))
                for line in _changes(before.get(key), after.get(key), f"{at}.{key}" if at else str(key))]  # fmt: skip
    same = before == after and type(before) is type(after)
    return [] if same else [f"{at} was {_short(before)} and is {_short(after)}"]


def _short(value: Any) -> str:
    text = "not said" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:56]} ..."


# ------------------------------------------------------------------------------------------------------- beginning


@contextlib.contextmanager
def failing_in(folder: Path, what: str = "cannot be written", then: str = "") -> Iterator[None]:
    """Say what goes wrong with files in a ``with`` block as a ``StoreError``: where, ``what``, and what to do ``then``."""
    try:
        yield
    except StoreError:
        raise
    except (OSError, pa.ArrowException) as e:
        raise StoreError(f"{folder}: {what} ({getattr(e, 'strerror', None) or e}){then}") from e


@contextlib.contextmanager
def begun(
    folder: Path, plan: Plan, *, force: bool, restart: bool, tell: Callable[[str], Any] = lambda line: None
) -> Iterator[ledgers.Ledger]:
    """The ledger of a folder that is a batch of this plan, made one where it was empty, for this process alone.

    ``tell`` is told where an earlier one was moved to. Raises ``StoreError``, ``BatchChanged``.
    """
    with failing_in(folder):
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder}: is a file; name another folder")
        if folder.is_dir() and any(folder.iterdir()):
            if restart and ((folder / LEDGER).exists() or ((folder / MANIFEST).exists() and opened(folder).is_batch)):
                with ledgers.alone(folder) if (folder / LEDGER).exists() else contextlib.nullcontext():
                    tell(f"begun again; what was there is in {moved_aside(folder)}")
            elif not (folder / LEDGER).exists():
                if (folder / MANIFEST).exists() and opened(folder).is_batch:
                    raise ledgers.without(folder)
                raise StoreError(f"{folder}: already exists, is not empty and holds no batch; name another folder")
        folder_at(folder)
    with ledgers.held(folder) as ledger:  # made first: whatever is stopped from here on can be gone on with
        with failing_in(folder):
            for inside in (CHUNKS, ADDED):
                must_be_no_link(folder / inside, folder)
            tidied(folder)
            finished = (folder / MANIFEST).exists()
            if finished and not ledger.lines:
                raise ledgers.without(folder, "without a whole line")
            if not finished:
                folder_at(folder / CHUNKS)
            if ledger.lines:
                _compared(folder, ledger, plan.identity, force)
                of_plan(folder, ledger, plan)
                _restored(folder, plan)
            else:
                _begun_now(folder, ledger, plan)
        yield ledger


def _restored(folder: Path, plan: Plan) -> None:
    """The scenario of a batch that goes on, written anew where its file is gone or says something else."""
    text = plan.scenario.to_yaml()
    with contextlib.suppress(OSError):
        if read_plain(folder / SCENARIO) == text.encode():
            return
    write_over(folder / SCENARIO, text)


def of_plan(folder: Path, ledger: ledgers.Ledger, plan: Plan) -> None:
    """Raise ``StoreError`` where a ledger names a task or an arm that its batch does not have."""
    at = "is no ledger of this batch"
    tables = {SUMMARIES, *plan.batch.keep}
    for i, line in enumerate(ledger.lines, 1):
        if "tasks" in line and (not line["tasks"] or set(line["files"]) != tables):
            said = f"{at}: a chunk has tasks, and parts of {', '.join(sorted(tables))}"
            raise StoreError(said, where=f"{folder / LEDGER}:{i}")
        for point, _, block in (*line.get("tasks", ()), *((f["point"], 0, f["block"]) for f in line.get("failures", ()))):
            if point >= len(plan.points) or block >= plan.blocks[point]:
                raise StoreError(f"{at}: it has no point {point} with a block {block}", where=f"{folder / LEDGER}:{i}")
        for failure in line.get("failures", ()):
            if failure["arm"] not in plan.arms:
                raise StoreError(f"{at}: it has no arm {shown(failure['arm'])}", where=f"{folder / LEDGER}:{i}")


def _begun_now(folder: Path, ledger: ledgers.Ledger, plan: Plan) -> None:
    write_over(folder / SCENARIO, plan.scenario.to_yaml())
    if plan.added:
        folder_at(folder / ADDED)
        for name, text in plan.added:
            write_over(folder / ADDED / Path(name).name, text)
        synced(folder / ADDED, deep=False)
    synced(folder, deep=False)
    ledger.append({"begun": plan.identity, "on_error": plan.batch.on_error})
    log(folder, f"begun: {plan.scenario.name}, seed {plan.seed}, {len(plan.points)} points")


def _compared(folder: Path, ledger: ledgers.Ledger, now: dict[str, Any], force: bool) -> None:
    """Raise ``BatchChanged`` where a batch cannot be gone on with; note it in the ledger where it is gone on with anyway."""
    latest = next((line["forced"] for line in reversed(ledger.lines) if "forced" in line), ledger.begun)
    changed = differences(latest, now)
    if not changed:
        return
    finished, only_machine = (folder / MANIFEST).exists(), changed == machine_differences(latest, now)
    if force and only_machine and not finished:
        ledger.append({"forced": now, "changed": changed})
        return
    what = "; ".join(changed)
    if only_machine and not finished:
        raise BatchChanged(
            f"{folder}: was begun with something else ({what}), so its parts would not belong together; "
            "restore what it was begun with, start again (--restart), or go on all the same (--force; the manifest will say so)"
        )
    raise BatchChanged(
        f"{folder}: holds {'a finished' if finished else 'an unfinished'} batch of something else ({what}); "
        "name another folder (--out), or start again (--restart; what is there is moved aside)"
    )


# ------------------------------------------------------------------------------------------------------- the parts


def kept_part(folder: Path, ledger: ledgers.Ledger, made: Done) -> None:
    """Keep what came back: its files first, each whole or not at all, then the line in the ledger. Raises ``StoreError``."""
    files = {table: {"bytes": len(data), "hash": _hash(data)} for table, data in made.tables.items()}
    then = "; what was finished before is kept, and the same command goes on"
    with failing_in(folder, "could not be written", then):
        for table, data in made.tables.items():
            write_over(part_of(folder, table, files[table]), data)
        synced(folder / CHUNKS, deep=False)
        ledger.append({"tasks": made.tasks, "files": files, "failures": [asdict(f) for f in made.failures]})


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def part_of(folder: Path, table: str, said: Mapping[str, Any]) -> Path:
    """The file of a part of a table: called by what is in it, so never as another."""
    return folder / CHUNKS / f"{said['hash']}.{table}.parquet"


def tasks_in(lines: Iterable[Mapping[str, Any]]) -> set[Key]:
    """The tasks that are finished by these lines of a ledger."""
    return {Key(*task) for line in ledgers.standing(lines) for task in line["tasks"]}


def failures_in(lines: Iterable[Mapping[str, Any]]) -> list[Failure]:
    """The failures that lines of a ledger tell of, in the order of tasks and arms."""
    found = [Failure(**told) for line in ledgers.standing(lines) for told in line["failures"]]
    return sorted(found, key=lambda f: (f.point, f.replicate, f.block, f.arm))


def finished_parts(
    folder: Path, ledger: ledgers.Ledger, tell: Callable[[str], Any] = lambda line: None
) -> list[Mapping[str, Any]]:
    """The lines whose parts are there whole. ``tell`` is told of those that are not."""
    good = []
    for line in ledger.lines:
        for table, said in line.get("files", {}).items():
            path = part_of(folder, table, said)
            try:
                if path.stat().st_size != said["bytes"] or _hash(read_plain(path)) != said["hash"]:
                    raise OSError("its content is not what was written")
            except OSError as e:
                tell(f"{path.name}: is damaged ({e.strerror or e}); its tasks are simulated again, where that is not done yet")
                break
        else:
            good.append(line)
    return ledgers.standing(good)


def rows_in_order(folder: Path, lines: Iterable[Mapping[str, Any]], table: str) -> Iterator[pa.Table]:
    """The rows of a table in the order of the tasks, piece by piece. The tasks of a point in a part are neighbours."""
    read = lru_cache(maxsize=4)(pq.read_table)
    pieces = [
        (Key(*next(tasks)), part_of(folder, table, line["files"][table]))
        for line in lines
        for _, tasks in itertools.groupby(line["tasks"], key=lambda task: task[0])
    ]
    for key, path in sorted(pieces):
        rows = read(path)
        yield rows.filter(pc.equal(rows["point"], key.point))


def remove_chunks(folder: Path) -> None:
    """Remove the parts of a finished batch."""
    removed(folder / CHUNKS)
