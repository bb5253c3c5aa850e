"""What long computations found, kept as small files with the product: pages and tests show it without an hour's work.

``kept/NAME.json`` each. Each says which model it was made with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import StoreError
from sim.files import folder_at, write_over

#: What is kept: the calibration, every row predicted without it, the competing models, the ensemble's tables, the validation, the
#: claims, and the claims over the ensemble.
NAMES = ("calibration", "leave_one_out", "competing", "ensemble", "validation", "claims", "claims_over_ensemble")
#: Rooms and files that decide what a simulated study finds.
_DECIDES = (
    "luck.py", "theory", "people", "measurement", "engine", "therapy", "catalogue", "scenario", "simulation", "measures", "runs",
    "evidence/patterns", "evidence/therapist_effects.py", "evidence/calibration/simulated.py",
)  # fmt: skip
_LIBRARIES = ("numpy", "numba", "pandas", "scipy", "statsmodels")


@lru_cache(maxsize=1)
def model_hash() -> str:
    """Hash of every file that decides what a simulated study finds, and of the libraries; not of reports and commands."""
    package = Path(str(resources.files("sim")))
    files = [f for name in _DECIDES for f in ([package / name] if name.endswith(".py") else sorted((package / name).rglob("*")))]
    h = hashlib.blake2b(" ".join(metadata.version(name) for name in _LIBRARIES).encode(), digest_size=8)
    for path in files:
        if path.suffix in (".py", ".yaml"):
            h.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return h.hexdigest()


def path_of(name: str) -> Path:
    """Where a result is kept."""
    return Path(str(resources.files("sim.evidence"))) / "kept" / f"{name}.json"


def kept(name: str) -> dict[str, Any]:
    """A kept result as plain values. Raises ``FileNotFoundError`` where it was never made."""
    return dict(json.loads(path_of(name).read_text(encoding="utf-8")))


def keep(path: Path, data: Mapping[str, Any]) -> None:
    """Write a result whole or not at all, with the model that made it."""
    folder_at(path.parent)
    write_over(path, json.dumps({"model": model_hash(), **_plain(data)}, separators=(",", ":")) + "\n")


def keep_with_product(name: str, data: Mapping[str, Any]) -> Path:
    """Keep a result under a name of ``NAMES``; returns where. Raises ``StoreError`` outside of a clone of the project."""
    in_a_clone()
    keep(path_of(name), data)
    return path_of(name)


def in_a_clone() -> None:
    """Raise ``StoreError`` where results cannot be kept with the product: before the work, rather than after it."""
    place = path_of(NAMES[0]).parent
    if not (place.parents[2] / "docs" / "DESIGN.md").is_file():
        raise StoreError(f"{place}: results are kept in a clone of the project only; this is an installed package")


def _plain(value: Any) -> Any:
    """Numbers with six significant digits, arrays as lists, what is no number as None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
