"""Many runs that can be left alone: planned, simulated chunk by chunk, kept as they are finished, put together at the end.

    scenario with `batch:` -> points -> tasks (point, replicate, block) -> chunks -> workers
        -> a file a table and chunk, then a line in the ledger
        -> when all is there: tables in the order of the tasks, manifest; the chunks are removed

The tables do not depend on the workers, on the size of the chunks, on the order in which they were finished, or on how often the
batch was stopped and taken up again: tasks have a fixed size, and the tables are put together in the tasks' order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sim.compiling import sources_hash
from sim.experiments import added as added_here
from sim.experiments import ledger as ledgers
from sim.experiments.chunks import BLOCK, Chunk, Done, Failure, Key, arms_of, perform, worker_identity
from sim.experiments.design import COHORT_SIZE
from sim.experiments.outcomes import together
from sim.experiments.points import Point, points_of, scenario_at
from sim.experiments.run import Task, checked_seed, simulated_part
from sim.experiments.scenario import Scenario, ScenarioError
from sim.experiments.scenario_batch import Batch
from sim.experiments.store import StoreError, arithmetic_fingerprint, lock_hash, versions
from sim.experiments.workers import InThisProcess, Processes, Workers, same_identity
from sim.therapy.model import SHIPPED, Model

CHUNKS = "chunks"
MANIFEST = "manifest.json"
#: Client courses that a chunk holds unless it is said otherwise: a few seconds' work, so that giving it out costs nothing.
COURSES = 4000
#: Seconds between two lines of the progress log.
TOLD_EVERY = 15.0
LOG = "progress.log"


class BatchChanged(StoreError):
    """A folder holds a batch that was begun with something else than what is here now."""


class BatchStopped(RuntimeError):
    """A run failed in a batch that stops at the first failure (``on_error: stop``)."""


@dataclass(frozen=True)
class Plan:
    """A batch, all spelled out: scenario, seed, points with their arms and blocks, what is kept, on which model."""

    scenario: Scenario
    seed: int
    batch: Batch
    points: tuple[Point, ...]
    blocks: tuple[int, ...]  # of each point
    arms: tuple[str, ...]  # of all points, in order
    model: Model = SHIPPED
    added: tuple[tuple[str, str], ...] = ()

    @property
    def clinic(self) -> bool:
        """Whether it is a batch of clinics."""
        return self.scenario.design == "clinic"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables of runs that are kept, the summaries first."""
        return ("summaries", *self.batch.keep)

    def tasks(self, point: int, first: int, last: int) -> Iterator[Key]:
        """The tasks of a point from one replicate up to, but without, another."""
        for replicate in range(first, last):
            for block in range(self.blocks[point]):
                yield Key(point, replicate, block)

    def runs(self, tasks: Sequence[Key]) -> list[list[int]]:
        """Tasks as runs of neighbours, for the ledger: [point, place of the first within the point, how many]."""
        runs: list[list[int]] = []
        for key in tasks:
            place = key.replicate * self.blocks[key.point] + key.block
            if runs and runs[-1][0] == key.point and runs[-1][1] + runs[-1][2] == place:
                runs[-1][2] += 1
            else:
                runs.append([key.point, place, 1])
        return runs

    def tasks_in(self, runs: Sequence[Sequence[int]]) -> Iterator[Key]:
        """The tasks of such runs, in the same order."""
        for point, first, count in runs:
            for place in range(first, first + count):
                yield Key(point, *divmod(place, self.blocks[point]))

    @property
    def identity(self) -> dict[str, Any]:
        """What a batch is known by: the same in all of it, or it is another batch."""
        return {
            "scenario": self.scenario.name,
            "spec": self.scenario.spec,
            "seed": self.seed,
            "keep": list(self.batch.keep),
            "sources": sources_hash(),
            "lock": lock_hash(),
            "versions": versions(),
            "arithmetic": arithmetic_fingerprint(),
            "added": added_here.identity(self.scenario) + self.model.identity,
            "files": {name: hashlib.blake2b(text.encode(), digest_size=8).hexdigest() for name, text in self.added},
        }


def planned(
    scenario: Scenario,
    seed: int,
    *,
    keep: Sequence[str] | None = None,
    on_error: str | None = None,
    model: Model = SHIPPED,
    added: Sequence[tuple[str, str]] = (),
) -> Plan:
    """The plan of a scenario's batch (of one without ``batch:`` all its replicates). Raises ``ScenarioError``.

    ``keep`` and ``on_error`` go before what the scenario says. ``added``: files (name, text) that add to the registries.
    """
    batch = scenario.batch or Batch()
    if scenario.ensemble:
        raise ScenarioError(f"{scenario.name}: 'parameters: ensemble' and a batch do not go together; run it without --batch")
    update: dict[str, Any] = {} if keep is None else {"keep": tuple(keep)}
    if on_error is not None:
        update["on_error"] = on_error
    batch = batch.model_copy(update=update)
    points, blocks, arms = points_of(scenario), [], dict[str, None]()
    for point in points:
        here = scenario_at(scenario, point.changes)
        blocks.append(1 if here.design == "clinic" else -(-here.clients_per_arm // BLOCK))
        arms.update(dict.fromkeys(arms_of(here)))
    return Plan(scenario, checked_seed(seed), batch, points, tuple(blocks), tuple(arms), model, tuple(added))


# ------------------------------------------------------------------------------------------------- when is it enough


@dataclass
class Repeats:
    """How often each point is repeated: a fixed number, or until a measure is known well enough, judged at checkpoints.

    ``target``: replicates of each point that are wanted so far. A point's target depends on its own values at its own
    checkpoints and on nothing else, so it is the same whatever the workers.
    """

    plan: Plan
    target: list[int] = field(default_factory=list)
    enough: list[bool] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    _values: dict[tuple[int, str, int], dict[int, tuple[int, float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        until, n = self.plan.batch.until, len(self.plan.points)
        self.target = [self.plan.scenario.replicates if until is None else min(until.every, until.most)] * n
        self.enough = [until is None] * n
        self.error = [float("nan")] * n

    def take(self, parts: Any) -> None:
        """Note what a chunk's summaries say of the measure that decides."""
        until = self.plan.batch.until
        if until is None:
            return
        rows = parts.to_pandas()
        rows = rows[(rows["measure"] == until.measure) & ((rows["minus"] >= 0) == until.difference)]
        for row in rows.itertuples(index=False):
            arm = self._arm_name(row.point, row.arm)
            if until.arm is None or arm == until.arm:
                key = (int(row.point), f"{arm}\0{row.minus}", int(row.replicate))
                self._values.setdefault(key, {})[int(row.block)] = (int(row.n), float(row.mean), float(row.squares))

    def _arm_name(self, point: int, arm: int) -> str:
        return arms_of(scenario_at(self.plan.scenario, self.plan.points[point].changes))[arm]

    def judge(self, point: int) -> None:
        """At a checkpoint (all of ``target`` is there): is it enough, or how many replicates are wanted next?"""
        until = self.plan.batch.until
        if until is None or self.enough[point]:
            return
        self.error[point] = self._error(point)
        if self.error[point] <= until.se or self.target[point] >= until.most:
            self.enough[point] = True
        else:
            self.target[point] = min(self.target[point] + until.every, until.most)

    def _error(self, point: int) -> float:
        """The largest standard error of the mean over replicates, among the arms that have the measure."""
        by_arm: dict[str, list[float]] = {}
        for (at, arm, replicate), blocks in self._values.items():
            if at == point and replicate < self.target[point]:
                by_arm.setdefault(arm, []).append(together([blocks[b] for b in sorted(blocks)])[1])
        errors = [float(np.std(v, ddof=1)) / len(v) ** 0.5 if len(v) > 1 else float("inf") for v in by_arm.values()]
        return max(errors, default=float("inf"))


# --------------------------------------------------------------------------------------------------------- the folder


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
    if begun["added"] != now["added"] or begun["files"] != now["files"]:
        said.append("what is added to the model (--with, model) has changed")
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


# ------------------------------------------------------------------------------------------------------------ progress


@dataclass
class Progress:
    """How far a batch is: tasks, failures, and rate since this command began. ``said`` is one line for people and logs."""

    total: int
    done: int = 0
    failures: int = 0
    open_ended: bool = False  # until a measure is known well enough: the total may still grow
    _at_start: int = 0
    _began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Count rate and remaining time from here."""
        self._at_start, self._began = self.done, time.monotonic()

    @property
    def rate(self) -> float:
        """Tasks a second since the beginning."""
        return (self.done - self._at_start) / max(time.monotonic() - self._began, 1e-9)

    @property
    def remaining(self) -> float:
        """Seconds that what is known to be missing will take at this rate."""
        return (self.total - self.done) / self.rate if self.rate > 0 else float("nan")

    @property
    def said(self) -> str:
        """One line: tasks, share, rate, remaining time, failures."""
        total = f"{'at least ' if self.open_ended else ''}{self.total}"
        share = f" ({100 * self.done // max(self.total, 1)} %)"
        failed = f", {self.failures} failed run{'s' if self.failures != 1 else ''}"
        rate = f", {self.rate:.2f} a second, about {told_seconds(self.remaining)} left" if self.done > self._at_start else ""
        return f"{self.done} of {total} tasks{share}{rate}{failed}"


def told_seconds(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds != seconds:
        return "an unknown time"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Log:
    """The progress log in the folder: a line when something happens, and one now and then. It may fail; the batch goes on."""

    def __init__(self, folder: Path) -> None:
        self.path, self._last = folder / LOG, 0.0

    def say(self, line: str, *, always: bool = True) -> bool:
        """Write a line with the time; ``always`` false = only if the last is long enough ago. Returns whether it was written."""
        now = time.monotonic()
        if not always and now - self._last < TOLD_EVERY:
            return False
        self._last = now
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as f:
            f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        return True


# -------------------------------------------------------------------------------------------------------------- running


def run_batch(
    scenario: Scenario,
    seed: int,
    folder: str | Path,
    *,
    workers: int | Workers | None = None,
    chunk: int | None = None,
    keep: Sequence[str] | None = None,
    on_error: str | None = None,
    anyway: bool = False,
    anew: bool = False,
    model: Model = SHIPPED,
    added: Sequence[tuple[str, str]] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Run a scenario's batch into a folder, or go on with what is missing there. Returns the folder.

    ``workers``: how many processes (1 = none beside this one; default: as many as cores), or something that simulates chunks
    (``workers.OnExecutor(executor)``, ``workers.OnCluster(address, ...)``). ``chunk``: tasks given out together; speed and
    the size of what a crash can lose, never numbers. ``keep``: tables beside the summaries. ``on_error``: ``skip``, ``stop``
    or ``raise``. ``anyway``: go on although program or machine have changed since it was begun (said in the manifest).
    ``anew``: begin again; what is there is moved aside, not removed. ``progress`` is called after every chunk.

    Raises ``BatchChanged`` where something has changed, ``StoreError`` for a folder that cannot be used, ``WorkersError`` where
    workers cannot be, ``BatchStopped`` after a failure with ``on_error: stop``.
    """
    plan = planned(scenario, seed, keep=keep, on_error=on_error, model=model, added=added)
    for name, count in (("chunk", chunk), ("workers", workers)):
        if isinstance(count, int) and count < 1:
            raise ValueError(f"{name} must be at least 1")
    folder = Path(folder)
    begun(folder, plan, anyway=anyway, anew=anew)
    if (folder / MANIFEST).exists():
        return folder
    with ledgers.held(folder) as ledger:
        if isinstance(workers, int) or workers is None:
            count = workers or os.cpu_count() or 1
            with contextlib.nullcontext(InThisProcess()) if count == 1 else Processes(count) as chosen:
                _simulate(plan, folder, ledger, chosen, chunk, progress)
        else:
            _simulate(plan, folder, ledger, workers, chunk, progress)
        from sim.experiments.assemble import assembled

        assembled(plan, folder, ledger)
    return folder


def begun(folder: Path, plan: Plan, *, anyway: bool, anew: bool) -> None:
    """Make the folder a batch of this plan, where it is not already. Raises ``StoreError``, ``BatchChanged``."""
    try:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder}: is a file; name another folder")
        there = folder.is_dir() and any(folder.iterdir())
        if there and anew:
            _moved_aside(folder)
            there = False
        if there and not (folder / ledgers.LEDGER).exists():
            raise StoreError(f"{folder}: already exists, is not empty and holds no batch; name another folder")
        (folder / CHUNKS).mkdir(parents=True, exist_ok=True)
        now = plan.identity
        with ledgers.held(folder) as ledger:
            if not ledger.lines:
                (folder / "scenario.yaml").write_text(plan.scenario.to_yaml(), encoding="utf-8")
                _keep_added(folder, plan)
                ledger.append({"begun": now})
                Log(folder).say(f"begun: {plan.scenario.name}, seed {plan.seed}, {len(plan.points)} points")
                return
            first = ledger.lines[0].get("begun", {})
            _compared(folder, ledger, first, now, anyway)
    except StoreError:
        raise
    except OSError as e:
        raise StoreError(f"{folder}: cannot be written ({e.strerror or e})") from e


def _compared(folder: Path, ledger: ledgers.Ledger, first: Mapping[str, Any], now: dict[str, Any], anyway: bool) -> None:
    """Raise ``BatchChanged`` where a batch cannot be gone on with; note it in the ledger where it is gone on with anyway."""
    latest = next((line["anyway"] for line in reversed(ledger.lines) if "anyway" in line), first)
    changed = differences(latest, now)
    if not changed:
        return
    if (folder / MANIFEST).exists():
        raise BatchChanged(
            f"{folder}: holds a finished batch of something else ({'; '.join(changed)}); "
            "name another folder (--out), or begin anew (--anew; what is there is moved aside)"
        )
    only_machine = changed == machine_differences(latest, now)
    if anyway and only_machine:
        ledger.append({"anyway": now, "changed": changed})
        return
    if only_machine:
        raise BatchChanged(
            f"{folder}: was begun with something else ({'; '.join(changed)}), so its parts would not belong together; "
            "restore what it was begun with, begin anew (--anew), or go on all the same (--anyway; the manifest will say so)"
        )
    raise BatchChanged(
        f"{folder}: holds an unfinished batch of something else ({'; '.join(changed)}); name another folder (--out), "
        "or begin anew (--anew; what is there is moved aside)"
    )


def _moved_aside(folder: Path) -> None:
    with ledgers.held(folder) if (folder / ledgers.LEDGER).exists() else contextlib.nullcontext():
        for i in range(1, 10_000):
            aside = folder.with_name(f"{folder.name}.before-{i}")
            if not aside.exists():
                folder.rename(aside)
                return


def _keep_added(folder: Path, plan: Plan) -> None:
    if plan.added:
        (folder / "with").mkdir(exist_ok=True)
        for name, text in plan.added:
            (folder / "with" / Path(name).name).write_text(text, encoding="utf-8")


def finished_chunks(folder: Path, ledger: ledgers.Ledger) -> list[dict[str, Any]]:
    """The chunks that the ledger names and whose files are there whole; a damaged one is told and simulated again."""
    good = []
    for line in ledger.lines:
        if "tasks" not in line:
            continue
        for file in line["files"].values():
            path = folder / CHUNKS / file["file"]
            try:
                if path.stat().st_size != file["bytes"] or _hash_of(path) != file["hash"]:
                    raise OSError("its content is not what was written")
            except OSError as e:
                Log(folder).say(f"{path.name}: is damaged ({e.strerror or e}); its tasks are simulated again")
                break
        else:
            good.append(line)
    return good


def _hash_of(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _simulate(
    plan: Plan,
    folder: Path,
    ledger: ledgers.Ledger,
    workers: Workers,
    chunk: int | None,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Simulate what is missing, round by round of replicates, until every point has enough."""
    repeats, done, log = Repeats(plan), set[Key](), Log(folder)
    told = Progress(0, open_ended=plan.batch.until is not None)
    for line in finished_chunks(folder, ledger):
        done.update(plan.tasks_in(line["tasks"]))
        told.failures += len(line["failures"])
        if plan.batch.until is not None:
            _take(repeats, folder / CHUNKS / line["files"]["summaries"]["file"])
    told.begin()
    size = chunk or _usual_chunk(plan)
    warm = False
    judged = [0] * len(plan.points)
    while True:
        wanted = [key for p in range(len(plan.points)) for key in plan.tasks(p, judged[p], repeats.target[p])]
        missing = [key for key in wanted if key not in done]
        told.done, told.total = len(done), len(done) + len(missing)
        if missing:
            if not warm:
                warm = True
                warmed_up(plan)
                log.say(f"simulating: {told.done} of {told.total} tasks are there")
                told.begin()
            _round(plan, folder, ledger, workers, _chunks(plan, missing, size), repeats, done, told, progress)
        open_points = [p for p, enough in enumerate(repeats.enough) if not enough]
        for p in open_points:
            judged[p] = repeats.target[p]
            repeats.judge(p)
        if all(repeats.enough):
            break
    log.say(f"simulated: {told.said}")


def _round(
    plan: Plan,
    folder: Path,
    ledger: ledgers.Ledger,
    workers: Workers,
    work: Iterator[Chunk],
    repeats: Repeats,
    done: set[Key],
    told: Progress,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Give out chunks and keep what comes back."""
    here, log = worker_identity(), Log(folder)
    for given, made in workers.results(work, perform):
        same_identity(here, dict(made.worker), "a worker")
        kept_chunk(plan, folder, ledger, made)
        if plan.batch.until is not None:
            _take(repeats, made.tables["summaries"])
        done |= set(given.tasks)
        told.done, told.failures = len(done), told.failures + len(made.failures)
        for failure in made.failures:
            log.say(
                f"failed: {plan.points[failure.point].name}; arm '{failure.arm}', replicate {failure.replicate}: {failure.error}"
            )
        log.say(told.said, always=False)
        if progress is not None:
            progress(told)
        if made.failures and plan.batch.on_error == "stop":
            one = made.failures[0]
            raise BatchStopped(
                f"a run failed and the batch stops there (on_error: stop): point {one.point}, arm '{one.arm}', replicate "
                f"{one.replicate}: {one.error}. What is finished is kept; attune replay {folder} explains it"
            )


def _take(repeats: Repeats, source: Path | bytes) -> None:
    import pyarrow as pa

    opened = pa.ipc.open_file(source if isinstance(source, bytes) else pa.OSFile(str(source)))
    repeats.take(opened.read_all())


def _usual_chunk(plan: Plan) -> int:
    if plan.clinic:
        return 1
    first = scenario_at(plan.scenario, plan.points[0].changes)
    return max(1, COURSES // (min(first.clients_per_arm, BLOCK) * len(first.arms)))


def _chunks(plan: Plan, tasks: Sequence[Key], size: int) -> Iterator[Chunk]:
    bare = plan.scenario.model_copy(update={"arms": ()})  # what a worker needs is the mapping that it is made of
    for i in range(0, len(tasks), size):
        mine = tuple(tasks[i : i + size])
        changes = {p: plan.points[p].changes for p in dict.fromkeys(key.point for key in mine)}
        yield Chunk(bare, plan.seed, mine, changes, plan.batch.luck, plan.batch.keep, plan.batch.on_error, plan.model, plan.added)


def warmed_up(plan: Plan) -> None:
    """Compile what the batch needs before workers are started, so that they find it on disk instead of all compiling it."""
    if plan.clinic:
        return  # a clinic is large; the first worker compiles, the others wait for the same file
    for point in (plan.points[0], plan.points[-1]):
        small = scenario_at(plan.scenario, point.changes)
        for arm in small.arms:
            numbers = np.array([arm.cohort * COHORT_SIZE], np.int64)
            with contextlib.suppress(Exception):  # what fails here fails in its place, and is told there
                one = arm.model_copy(update={"sessions": 1, "force": ()})
                simulated_part(small, plan.seed, Task(one, 0, numbers), plan.model)


def kept_chunk(plan: Plan, folder: Path, ledger: ledgers.Ledger, made: Done) -> None:
    """Keep what came back: its files first, each whole or not at all, then the line in the ledger. Raises ``StoreError``."""
    first = made.tasks[0]
    name = f"{first.point:06d}-{first.replicate:06d}-{first.block:04d}"
    files = {}
    try:
        for table, data in made.tables.items():
            path = folder / CHUNKS / f"{name}.{table}.arrow"
            _written(path, data)
            digest = hashlib.blake2b(data, digest_size=16).hexdigest()
            files[table] = {"file": path.name, "bytes": len(data), "hash": digest}
        _synced_folder(folder / CHUNKS)
        ledger.append(
            {"tasks": plan.runs(made.tasks), "files": files, "failures": [asdict(failure) for failure in made.failures]}
        )
    except OSError as e:
        raise StoreError(
            f"{folder}: could not be written ({e.strerror or e}); what was finished before is kept, and the same command goes on"
        ) from e


def _written(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _synced_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def failures_in(ledger: ledgers.Ledger) -> list[Failure]:
    """Every failure that the ledger tells of, in the order of tasks and arms."""
    every = {}
    for line in ledger.lines:
        for told in line.get("failures", ()):
            one = Failure(**told)
            every[one.point, one.replicate, one.block, one.arm] = one
    return [every[key] for key in sorted(every)]


def remove_chunks(folder: Path) -> None:
    """Remove the chunks of a finished batch."""
    shutil.rmtree(folder / CHUNKS, ignore_errors=True)
