"""A batch planned again from its folder, finished or not, so that any part of it can be simulated again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.batch.plan import Plan, planned
from sim.batch.resume import of_plan
from sim.errors import StoreError
from sim.files import expanded, write_over
from sim.scenario.scenario import from_spec
from sim.storage import added as added_here
from sim.storage import ledger as ledgers
from sim.storage.names import ADDED, LEDGER, MANIFEST, SCENARIO
from sim.storage.reading import is_folder, opened
from sim.storage.schema import Added, checked
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Reopened:
    """A batch as it was begun: its plan, what it was begun with, its ledger."""

    folder: Path
    plan: Plan
    begun: Mapping[str, Any]
    ledger: ledgers.Ledger
    own_model: bool  # whether it was run on a model that is not the shipped one

    @property
    def mixed(self) -> tuple[str, ...]:
        """What changed while it ran and was gone on with all the same (``--force``), in words."""
        return tuple(said for line in self.ledger.lines if "forced" in line for said in line["changed"])

    @property
    def foreign(self) -> bool:
        """Whether it was run on a model, or with policies or rules, that are not here now."""
        return bool(self.begun["added"] != self.plan.identity["added"])

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was run with (``--with``), as its folder keeps them. They are run by who names them alone."""
        return tuple(self.folder / ADDED / name for name in self.begun["files"])


def run_command(folder: Path, begun: Mapping[str, Any], *more: str) -> str:
    """``attune run`` with the scenario, seed and added files that a batch's folder keeps, and ``more`` options."""
    files = [word for name in begun["files"] for word in ("--with", str(folder / ADDED / Path(name).name))]
    return shlex.join(["attune", "run", str(folder / SCENARIO), "--seed", str(begun["seed"]), *more, *files])


def reopened(folder: str | Path, model: Model = SHIPPED) -> Reopened:
    """A batch from its folder. Nothing in it is run; what it was run with (``--with``) must have been added before.

    ``model``: the one it was run on, where that was not the shipped one. Raises ``StoreError`` for a folder without a batch, and
    ``AddedError`` where the files that it keeps are not those that it was begun with.
    """
    folder = expanded(folder)
    is_folder(folder)
    finished = (folder / MANIFEST).exists() and opened(folder)
    if not (folder / LEDGER).exists():
        if finished and finished.is_batch:
            raise ledgers.without(folder)
        what = "a single run" if finished else "no batch"
        raise StoreError(f"{folder}: holds {what}; this is for batches (a scenario with batch:, or attune run --batch)")
    ledger = ledgers.read(folder)
    begun = ledger.begun
    added_here.kept_files(folder, begun["files"])
    try:
        known, end = json.JSONDecoder().raw_decode(begun["added"])  # as ``added.identity`` tells them
        added_here.restore(checked(Added, dict(zip(("policies", "training", "matching"), known, strict=True))))
        scenario = from_spec(begun["spec"], begun["scenario"])
        plan = planned(scenario, begun["seed"], keep=begun["keep"], model=model)
    except (ValueError, TypeError, RecursionError) as e:
        raise StoreError(f"{folder}: this batch cannot be planned again ({' '.join(str(e).split())})") from e
    of_plan(folder, ledger, plan)
    return Reopened(folder, plan, begun, ledger, end < len(begun["added"]))


def scenario_written_anew(file: Path) -> bool:
    """Write the scenario of a batch anew from the ledger beside it, where ``file`` was that and is gone; whether it was.

    Raises ``StoreError``.
    """
    if file.name != SCENARIO or file.exists() or not (file.parent / LEDGER).exists():
        return False
    text = reopened(file.parent).plan.scenario.to_yaml()
    try:
        write_over(file, text)
    except OSError as e:
        raise StoreError(f"cannot be written ({e.strerror or e})", where=str(file)) from e
    return True
