"""A batch planned again from its folder, finished or not, so that any part of it can be simulated again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.batch.plan import Plan, planned
from sim.errors import ScenarioError, StoreError
from sim.scenario.scenario import from_spec
from sim.storage import added as added_here
from sim.storage import ledger as ledgers
from sim.storage.names import ADDED, LEDGER, MANIFEST, SCENARIO
from sim.storage.reading import is_folder, opened
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Reopened:
    """A batch as it was begun: its plan, what it was begun with, its ledger."""

    folder: Path
    plan: Plan
    begun: Mapping[str, Any]
    ledger: ledgers.Ledger

    @property
    def mixed(self) -> tuple[str, ...]:
        """What changed while it ran and was gone on with all the same (``--force``), in words."""
        return tuple(said for line in self.ledger.lines if "forced" in line for said in line["changed"])

    @property
    def foreign(self) -> bool:
        """Whether it was run on a model, or with policies or rules, that are not here now."""
        return bool(self.begun["added"] != self.plan.identity["added"])


def run_command(folder: Path, begun: Mapping[str, Any], *more: str) -> str:
    """``attune run`` with the scenario, seed and added files that a batch's folder keeps, and ``more`` options."""
    files = [word for name in begun["files"] for word in ("--with", str(folder / ADDED / Path(name).name))]
    return shlex.join(["attune", "run", str(folder / SCENARIO), "--seed", str(begun["seed"]), *more, *files])


def reopened(folder: str | Path, model: Model = SHIPPED) -> Reopened:
    """A batch from its folder. What was added to it (``--with``) is run first, from the copies that the batch keeps.

    ``model``: the one it was run on, where that was not the shipped one. Raises ``StoreError`` for a folder without a batch, and
    where added files are not those that it was begun with.
    """
    folder = Path(folder)
    is_folder(folder)
    if not (folder / LEDGER).exists():
        if (folder / MANIFEST).exists() and opened(folder).is_batch:
            raise StoreError(f"{folder}: holds a finished batch, but its {LEDGER} is missing; restore it")
        what = "a single run" if (folder / MANIFEST).exists() else "no batch"
        raise StoreError(f"{folder}: holds {what}; this is for batches (a scenario with batch:, or attune run --batch)")
    ledger = ledgers.read(folder)
    begun = ledger.begun
    try:
        known, _ = json.JSONDecoder().raw_decode(begun["added"])  # as ``added.identity`` tells them
        added_here.restore(dict(zip(("policies", "training", "matching"), known, strict=True)))
        files = added_here.added_files(folder, begun["files"])
        scenario = from_spec(begun["spec"], begun["scenario"])
        plan = planned(scenario, begun["seed"], keep=begun["keep"], model=model, added=files)
    except (KeyError, TypeError, ScenarioError) as e:
        raise StoreError(f"{folder}: this batch cannot be planned again ({e})") from e
    return Reopened(folder, plan, begun, ledger)
