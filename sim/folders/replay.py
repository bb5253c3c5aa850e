"""What failed in a batch, and what repeats it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.batch.chunk import Failure, seed_at
from sim.batch.resume import failures_in
from sim.folders.reopened import reopened, run_command
from sim.scenario.points import Point


@dataclass(frozen=True)
class Failed:
    """A run of a batch that failed: arm, replicate, error and traceback (``failure``); its point and the seed there.

    ``command``: what runs its point again, alone; of a model, policies or rules that are not here, a line of Python.
    """

    failure: Failure
    point: Point
    seed: int
    command: str


def failures_of(folder: str | Path) -> list[Failed]:
    """What failed so far in a batch, finished or not, numbered by its place. Raises ``StoreError``."""
    found, every = reopened(folder), []
    foreign = found.own_model or (found.foreign and not found.files)
    for failure in failures_in(found.ledger.lines):
        point = found.plan.points[failure.point]
        seed = seed_at(found.plan.seed, found.plan.batch.random_numbers, point.changes)
        command = run_command(found.folder, found.begun, *(["--point", str(point.number)] if found.plan.scenario.batch else []))
        if foreign:
            command = f"sim.run(sim.open_batch({str(folder)!r}).scenario_at({point.number}), {seed}, model=mine)   # in Python"
        every.append(Failed(failure, point, seed, command))
    return every
