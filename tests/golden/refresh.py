"""The golden run. ``python -m tests.golden.refresh`` writes it again: on purpose only, with a [MODEL] line in docs/CHANGES.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sim
from sim.storage.store import values_hash

PATH = Path(__file__).with_name("hello.json")
SCENARIO = Path(__file__).parents[2] / "scenarios" / "hello.yaml"


def golden() -> dict[str, Any]:
    """The shipped ``hello`` on seed 1: a hash of every table, and the mean of every numeric column."""
    run = sim.run(sim.load(SCENARIO), seed=1)
    means = {
        name: {c: float(table[c].mean()) for c in table.columns if table[c].dtype.kind in "fi" and table[c].notna().any()}
        for name, table in run.tables.items()
    }
    return {
        "values": {name: values_hash(table) for name, table in run.tables.items()},
        "means": means,
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
