"""What long computations found, kept as small files with the product: pages and tests show it without an hour's work.

``kept/NAME.json`` each: the calibration, the rows foretold, the rivals, the ensemble's tables, the claims over the ensemble. Each
says which model it was made with.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from sim.evidence.calibration.search import Fit
from sim.evidence.calibration.simulated import Found, model_hash

NAMES = ("calibration", "foretold", "rivals", "ensemble", "validation", "claims")


def path_of(name: str) -> Path:
    """Where a result is kept."""
    return Path(str(resources.files("sim.evidence"))) / "kept" / f"{name}.json"


def kept(name: str) -> dict[str, Any]:
    """A kept result as plain values. Raises ``FileNotFoundError`` where it was never made."""
    return dict(json.loads(path_of(name).read_text(encoding="utf-8")))


def keep(path: Path, data: Mapping[str, Any]) -> None:
    """Write a result whole or not at all, with the model that made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(json.dumps({"model": model_hash(), **_plain(data)}, separators=(",", ":")) + "\n")
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _plain(value: Any) -> Any:
    """Numbers with six significant digits, arrays as lists, what is no number as None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def table_as_data(found: Found) -> dict[str, Any]:
    """A table as plain values."""
    return {"values": dict(found.values), "parts": {k: dict(v) for k, v in found.parts.items()}, "between": dict(found.between)}


def table_of(data: Mapping[str, Any]) -> Found:
    """A table from plain values; None is no number."""

    def number(x: float | None) -> float:
        return float("nan") if x is None else float(x)

    return Found(
        {k: (number(v[0]), number(v[1])) for k, v in data["values"].items()},
        {k: {part: (number(v[0]), number(v[1]), number(v[2])) for part, v in of.items()} for k, of in data["parts"].items()},
        {k: number(v) for k, v in data.get("between", {}).items()},
    )


def fit_as_data(fit: Fit) -> dict[str, Any]:
    """A search's end as plain values."""
    return {
        "values": dict(fit.values), "standings": fit.standings, "loss": fit.loss, "rows": list(fit.rows), "slopes": fit.slopes,
        "rounds": fit.rounds, "message": fit.message, "converged": fit.converged, "table": table_as_data(fit.found),
    }  # fmt: skip


def fit_of(data: Mapping[str, Any]) -> Fit:
    """A search's end from plain values."""
    return Fit(dict(data["values"]), np.array(data["standings"]), table_of(data["table"]), data["loss"], tuple(data["rows"]),
               np.array(data["slopes"]), data["rounds"], data["message"], data["converged"])  # fmt: skip
