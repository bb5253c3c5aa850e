"""Fits and simulated tables as plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.evidence.calibration.search import Fit
from sim.evidence.calibration.simulated import Found


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
