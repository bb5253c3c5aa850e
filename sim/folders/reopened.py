"""A batch planned again from its folder, finished or not, so that any part of it can be simulated again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.batch.plan import Plan, planned
from sim.batch.resume import differences, header_of
from sim.errors import ScenarioError, StoreError
from sim.scenario.scenario import from_spec
from sim.storage import added as added_here
from sim.storage import ledger as ledgers
from sim.storage.names import LEDGER, MANIFEST
from sim.storage.reading import is_folder
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Reopened:
    """A batch as it was begun: its plan, what it was begun with, its ledger, and what is different in this program now."""

    folder: Path
    plan: Plan
    begun: Mapping[str, Any]
    ledger: ledgers.Ledger
    changed: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether its tables are there."""
        return (self.folder / MANIFEST).exists()

    @property
    def mixed(self) -> tuple[str, ...]:
        """What changed while it ran and was gone on with all the same (``--force``), in words."""
        return tuple(said for line in self.ledger.lines if "forced" in line for said in line["changed"])


def reopened(folder: str | Path, model: Model = SHIPPED, *, to_look: bool = False) -> Reopened:
    """A batch from its folder. What was added to it (``--with``) is run first, from the copies that the batch keeps.

    ``model``: the one it was run on, where that was not the shipped one. ``to_look``: nothing will be simulated, so
    that what is not here does not matter. Raises ``StoreError`` for a folder without a batch, and
    where added files or the model are not those that it was begun with.
    """
    folder = Path(folder)
    is_folder(folder)
    if not (folder / LEDGER).exists():
        what = "a single run" if (folder / MANIFEST).exists() else "no batch"
        raise StoreError(f"{folder}: holds {what}; this is for batches (a scenario with batch:, or attune run --batch)")
    begun, ledger = header_of(folder), ledgers.read(folder)
    try:
        added_here.restore(_known(begun["added"]))
        files = added_here.added_files(folder, begun["files"])
        scenario = from_spec(begun["spec"], begun["scenario"])
        plan = planned(scenario, begun["seed"], keep=begun["keep"], model=model, added=files)
    except (KeyError, TypeError, ScenarioError) as e:
        raise StoreError(f"{folder}: this batch cannot be planned again ({e})") from e
    now = plan.identity
    if begun["added"] != now["added"] and not to_look:
        raise StoreError(
            f"{folder}: was run on a model, or with policies or rules, that are not here now{_own(folder)}; a batch keeps only "
            "what came with --with. From Python give what it ran on, as in sim.replayed(folder, number, model=mine)"
        )
    return Reopened(folder, plan, begun, ledger, tuple(differences(begun, now)))


def _own(folder: Path) -> str:
    """What the model had of its own, as a finished batch tells it."""
    try:
        model = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("model", {})
    except (OSError, ValueError):
        return ""
    return f" ({', '.join(model['added'])})" if model.get("added") else ""


def _known(identity: str) -> dict[str, Any]:
    """Policies, programmes and rules as ``added.identity`` tells them, in the form of a manifest."""
    told, _ = json.JSONDecoder().raw_decode(identity)
    return dict(zip(("policies", "training", "matching"), told, strict=True))
