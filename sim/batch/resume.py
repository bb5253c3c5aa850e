"""The folder of a batch: begun once, gone on with only by what began it, chunks kept whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim.batch.chunk import Done, Failure, Key
from sim.batch.plan import Plan
from sim.batch.progress import Log
from sim.errors import BatchChanged, StoreError
from sim.files import folder_at, moved_aside, removed, synced, write_over
from sim.storage import ledger as ledgers
from sim.storage.names import ADDED, CHUNKS, LEDGER, MANIFEST, SCENARIO, refuse_older

# ------------------------------------------------------------------------------------------------- what has changed


def header_of(folder: Path) -> dict[str, Any]:
    """What the batch in a folder was begun with. Raises ``StoreError``."""
    lines = ledgers.read(folder).lines
    if not lines or "begun" not in lines[0]:
        raise StoreError(f"{folder}: no batch was begun here")
    return dict(lines[0]["begun"])


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


def begun(folder: Path, plan: Plan, *, force: bool, restart: bool) -> None:
    """Make the folder a batch of this plan, where it is not already. Raises ``StoreError``, ``BatchChanged``."""
    try:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder}: is a file; name another folder")
        there = folder.is_dir() and any(folder.iterdir())
        if there and restart:
            _moved_aside(folder)
            there = False
        if there and not (folder / LEDGER).exists():
            raise StoreError(f"{folder}: already exists, is not empty and holds no batch; name another folder")
        now = plan.identity
        folder_at(folder)
        with ledgers.held(folder) as ledger:  # made first: whatever is stopped from here on can be gone on with
            if not (folder / MANIFEST).exists():
                folder_at(folder / CHUNKS)
            if not ledger.lines:
                write_over(folder / SCENARIO, plan.scenario.to_yaml())
                _keep_added(folder, plan)
                synced(folder, deep=False)
                ledger.append({"begun": now, "on_error": plan.batch.on_error})
                Log(folder).say(f"begun: {plan.scenario.name}, seed {plan.seed}, {len(plan.points)} points")
                return
            first = ledger.lines[0].get("begun", {})
            _compared(folder, ledger, first, now, force)
    except StoreError:
        raise
    except OSError as e:
        raise StoreError(f"{folder}: cannot be written ({e.strerror or e})") from e


def _compared(folder: Path, ledger: ledgers.Ledger, first: Mapping[str, Any], now: dict[str, Any], force: bool) -> None:
    """Raise ``BatchChanged`` where a batch cannot be gone on with; note it in the ledger where it is gone on with anyway."""
    refuse_older(folder, first.get("versions", {}))
    latest = next((line["forced"] for line in reversed(ledger.lines) if "forced" in line), first)
    changed = differences(latest, now)
    if not changed:
        return
    if (folder / MANIFEST).exists():
        raise BatchChanged(
            f"{folder}: holds a finished batch of something else ({'; '.join(changed)}); "
            "name another folder (--out), or start again (--restart; what is there is moved aside)"
        )
    only_machine = changed == machine_differences(latest, now)
    if force and only_machine:
        ledger.append({"forced": now, "changed": changed})
        return
    if only_machine:
        raise BatchChanged(
            f"{folder}: was begun with something else ({'; '.join(changed)}), so its parts would not belong together; "
            "restore what it was begun with, start again (--restart), or go on all the same (--force; the manifest will say so)"
        )
    raise BatchChanged(
        f"{folder}: holds an unfinished batch of something else ({'; '.join(changed)}); name another folder (--out), "
        "or start again (--restart; what is there is moved aside)"
    )


def _moved_aside(folder: Path) -> None:
    with ledgers.held(folder) if (folder / LEDGER).exists() else contextlib.nullcontext():
        moved_aside(folder)


def _keep_added(folder: Path, plan: Plan) -> None:
    if plan.added:
        folder_at(folder / ADDED)
        for name, text in plan.added:
            write_over(folder / ADDED / Path(name).name, text)
        synced(folder / ADDED, deep=False)


def finished_chunks(folder: Path, ledger: ledgers.Ledger, tell: Callable[[str], Any] = lambda line: None) -> list[dict[str, Any]]:
    """The chunks that the ledger names and whose files are there whole. ``tell`` is told of those that are not."""
    good = []
    for line in ledger.lines:
        if "tasks" not in line:
            continue
        for file in line["files"].values():
            path = folder / CHUNKS / file["file"]
            try:
                if path.stat().st_size != file["bytes"] or hash_of(path) != file["hash"]:
                    raise OSError("its content is not what was written")
            except OSError as e:
                tell(f"{path.name}: is damaged ({e.strerror or e}); its tasks are simulated again, where that is not done yet")
                break
        else:
            good.append(line)
    return good


def hash_of(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


# ------------------------------------------------------------------------------------------------------- keeping


def kept_chunk(plan: Plan, folder: Path, ledger: ledgers.Ledger, made: Done) -> None:
    """Keep what came back: its files first, each whole or not at all, then the line in the ledger. Raises ``StoreError``."""
    first = made.tasks[0]
    name = f"{first.point:06d}-{first.replicate:06d}-{first.block:04d}"
    files = {}
    try:
        for table, data in made.tables.items():
            digest = hashlib.blake2b(data, digest_size=16).hexdigest()
            path = folder / CHUNKS / f"{name}-{digest[:8]}.{table}.arrow"  # never the name of an earlier one with other tasks
            write_over(path, data)
            files[table] = {"file": path.name, "bytes": len(data), "hash": digest}
        synced(folder / CHUNKS, deep=False)
        failures = [{**asdict(f), "place": plan.place(Key(f.point, f.replicate, f.block))} for f in made.failures]
        ledger.append({"tasks": plan.runs(made.tasks), "files": files, "failures": failures})
    except OSError as e:
        raise StoreError(
            f"{folder}: could not be written ({e.strerror or e}); what was finished before is kept, and the same command goes on"
        ) from e


def failures_in(lines: Iterable[Mapping[str, Any]]) -> list[Failure]:
    """The failures that lines of a ledger tell of, in the order of tasks and arms; of a task told twice those of the later."""
    by_task: dict[tuple[int, int], list[Failure]] = {}
    for line in lines:
        for point, first, count in line.get("tasks", ()):
            for place in range(first, first + count):
                by_task.pop((point, place), None)
        for told in line.get("failures", ()):
            place, one = told["place"], Failure(**{name: value for name, value in told.items() if name != "place"})
            by_task.setdefault((one.point, place), []).append(one)
    return sorted((one for every in by_task.values() for one in every), key=lambda f: (f.point, f.replicate, f.block, f.arm))


def remove_chunks(folder: Path) -> None:
    """Remove the chunks of a finished batch."""
    removed(folder / CHUNKS)
