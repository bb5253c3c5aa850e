"""A failed run as the command line tells it: what was different there, whether it fails again, who, when, which quantity."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.files import write_new

if TYPE_CHECKING:
    from sim.batch.chunk import Failure
    from sim.folders.faults import Fault
    from sim.folders.replay import Change, Replay
    from sim.scenario.points import Point

#: Failures that are listed one by one.
MOST_LISTED = 20


def listed(folder: Path, points: Sequence[Point], failures: Sequence[Failure], unfinished: bool, arms: int) -> Iterator[str]:
    """All failures of a batch: how many of each kind, at which levels they lie, and the first of them one by one."""
    from sim.folders.replay import tasks_at, where_they_lie

    runs = "1 run" if len(failures) == 1 else f"{len(failures)} runs"
    so_far = " so far (the batch is not finished; numbers may move when more fail)" if unfinished else ""
    yield f"{runs} failed in {folder}{so_far}. Simulated people, not real ones."
    yield ""
    kinds: dict[str, list[int]] = {}
    for i, failure in enumerate(failures):
        kinds.setdefault(_kind(failure.error), []).append(i)
    if len(kinds) < len(failures):
        for kind, which in sorted(kinds.items(), key=lambda item: -len(item[1])):
            yield f"  {len(which)} x {kind}   (first: {which[0]})"
        yield ""
    lie = where_they_lie(points, failures, tasks_at(folder), arms)
    if lie:
        yield "Where they lie (failed of those simulated so far, by level):"
        yield from (f"  {name}: {said}" for name, said in {**lie, "arm": _by_arm(failures)}.items())
        yield ""
    for i, failure in enumerate(failures[:MOST_LISTED]):
        yield f"{i:>4}  {points[failure.point].name}; arm '{failure.arm}', replicate {failure.replicate}"
        yield f"      {_cut(failure.error)}"
    if len(failures) > MOST_LISTED:
        table = f"; all are in {folder / 'failures.parquet'}" if not unfinished else ""
        yield f"      ... and {len(failures) - MOST_LISTED} more{table}"
    yield ""
    yield f"Next: attune replay {shlex.quote(str(folder))} --failure {_likely(kinds)}"


def _by_arm(failures: Sequence[Failure]) -> str:
    return ", ".join(f"{arm}: {count}" for arm, count in Counter(f.arm for f in failures).items())


def _likely(kinds: dict[str, list[int]]) -> int:
    return max(kinds.values(), key=len)[0]


def _kind(error: str) -> str:
    """An error without its numbers, so that those of one kind are told together."""
    return _cut(re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "#", error))


def _cut(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}..."


def _level(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


# --------------------------------------------------------------------------------------------------------- one of them


def explained(found: Replay) -> Iterator[str]:
    """One failure, replayed: everything that is known of it, in the order in which one asks."""
    failure = found.failure
    yield f"Failure {found.number} of {found.of} in {found.folder} (numbered from 0). Simulated people, not real ones."
    where = f"Point {failure.point} ({found.point.name}), arm '{failure.arm}', replicate {failure.replicate}"
    yield f"{where}; random draws of seed {found.seed}."
    yield from _changes(found.changes)
    yield ""
    yield f"Then:  {failure.error}"
    yield f"Again: {_again(found)}"
    if found.program:
        yield f"Note: since the batch was begun {'; '.join(found.program)}; what fails now need not be what failed then."
    if found.error is not None:
        yield ""
        yield from _narrowed(found)
        yield ""
        yield "Where it happened (innermost last):"
        yield from (f"  {line}" for line in (found.traceback or failure.traceback).rstrip().splitlines())
    elif failure.traceback:
        yield ""
        yield "Where it happened then (innermost last):"
        yield from (f"  {line}" for line in failure.traceback.rstrip().splitlines())


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "The point changes nothing: the scenario as it stands fails."
        return
    yield "What this point sets:"
    width = max(len(change.address) for change in changes)
    for change in changes:
        otherwise = "" if change.otherwise is None else f"   (otherwise {_level(change.otherwise)})"
        yield f"  {change.address:<{width}}  {_level(change.value)}{otherwise}"


def _again(found: Replay) -> str:
    if found.error is None:
        return "it runs well now, with common random numbers."
    if found.same:
        return "it fails again, in just the same way."
    return f"it fails again, but otherwise: {found.error}"


def _narrowed(found: Replay) -> Iterator[str]:
    followed = found.followed
    clinic = found.arm.clinic is not None
    if clinic:
        yield "People of a clinic share therapists and a queue, so it was simulated whole."
    elif found.client is None:
        yield f"Nobody fails when simulated alone: it takes several of the {found.together} clients who were simulated together."
    else:
        who = f"{_client(found)} fails when simulated alone (others may fail later)"
        yield f"Of the {found.together} clients who were simulated together, {who}."
    if followed is None:
        return
    if followed.error is None:
        yield "The course itself runs to its end: it fails afterwards, when its outcomes are taken."
        return
    yield "It fails before the first week." if not followed.week else f"It fails in week {followed.week}."
    for fault in followed.faults:
        yield _fault(fault)
    if not followed.steps.empty:
        yield "What the verbs of that session made of it, in their order:"
        yield ""
        yield from (f"  {line}" for line in table(followed.steps).splitlines())
        yield ""
    if clinic and followed.client is not None:
        yield f"This is client {followed.client}, whose last sessions were:"
    elif not followed.weeks.empty:
        yield "The weeks before it:" if clinic else f"Client {found.client}, the last weeks:"
    if not followed.weeks.empty:
        yield ""
        yield from (f"  {line}" for line in table(followed.weeks).splitlines())


def _client(found: Replay) -> str:
    place = "" if found.place == found.client else f" ({found.place} of this kind of client)"
    return f"client {found.client}{place}"


def _fault(fault: Fault) -> str:
    number = "no number" if math.isnan(fault.value) else f"{fault.value:.6g}"
    exchange = "" if fault.exchange is None else f"; it left its range in exchange {fault.exchange} of that session"
    low, high = (f"{v:g}" for v in (fault.low, fault.high))
    what = f"{fault.name} ({fault.meaning}; of the {fault.whose})"
    return f"{what} is {number}, and must lie in {low}..{high} ({fault.unit}){exchange}."


def table(weeks: pd.DataFrame) -> str:
    """A small table of numbers; what there is not is left empty, a quantity that is no number is called so."""
    shown = weeks.map(_cell)
    for column in shown.columns[shown.columns.str.startswith(("dyad ", "client ", "therapist "))]:
        shown[column] = shown[column].where(shown[column] != "", "no number")
    return shown.rename(columns={"distress": "CORE-OM", "wai_client": "WAI client"}).to_string(index=False)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if pd.isna(value) else f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"


# ------------------------------------------------------------------------------------------------ a file of its own


def written(found: Replay, path: Path) -> str:
    """The scenario that fails alone, as a file, never over one that is there. Returns its command. Raises ``StoreError``."""
    from sim.folders.replay import alone

    files = [word for file in found.files for word in ("--with", str(file))]
    command = shlex.join(["attune", "run", str(path), "--seed", str(found.seed), *files])
    failed = " ".join(found.failure.error.split())
    head = [
        f"Failure {found.number} of the batch in {found.folder}: {failed}",
        "Replicates and clients are numbered from 0: those before the one meant are in it too. It fails with:",
        f"  {command}",
    ]
    text = "".join(f"# {line}\n" for line in head) + alone(found).to_yaml()
    write_new(path, text)
    return command
