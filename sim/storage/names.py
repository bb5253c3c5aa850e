"""What is called how in a folder of results, and which folders are too old to be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.errors import StoreError
from sim.naming import BEFORE, TABLE

MANIFEST = "manifest.json"
SCENARIO = "scenario.yaml"
#: Where a run tells its times, and a batch its progress.
RUN_LOG, LOG = "run.log", "progress.log"
#: Of a batch: its ledger, its finished chunks while it runs, how far it is (among them), the files given with ``--with``.
LEDGER, CHUNKS, PROGRESS, ADDED = "ledger.jsonl", "chunks", "progress.json", "with"


def refuse_older(folder: Path, said: Any) -> None:
    """Raise ``StoreError`` for a folder of version 0.1, whose columns, measures and parameters have other names.

    ``said``: its manifest, or what the first line of its ledger says was begun, before anybody has looked what it is.
    """
    versions = said.get("versions") if isinstance(said, Mapping) else None
    written = str(versions.get("attune", "")) if isinstance(versions, Mapping) else ""
    if written.startswith(f"{BEFORE}."):
        raise StoreError(
            f"{folder}: was written by Attune {written}, which called columns, measures and parameters otherwise ({TABLE} has "
            "all that was renamed); run its scenario again into another folder, or read the tables with that version"
        )
