"""What long computations found, kept as small files with the product: pages and tests show it without an hour's work.

``kept/NAME.json`` each. Each says which model it was made with, and is refused where this is another one.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from sim.compiling import DECIDE_TABLES, files_of
from sim.errors import StoreError
from sim.files import folder_at, write_over

#: What is kept: the calibration, every row predicted without it, the competing models, the ensemble's tables, the validation, the
#: claims, and the claims over the ensemble.
NAMES = ("calibration", "leave_one_out", "competing", "ensemble", "validation", "claims", "claims_over_ensemble")
#: What decides what a simulated study finds. Batches and storage only carry it; a table (CSV) is a result itself.
_DECIDES = (
    *(place for place in DECIDE_TABLES if place not in ("batch", "storage")),
    "evidence/patterns", "evidence/claims", "evidence/imaging.py", "evidence/therapist_effects.py",
    "evidence/calibration/simulated.py",
)  # fmt: skip
#: Which runs a batch is made of decides nothing about what a run finds.
_OF_BATCHES = ("scenario/sweep.py", "scenario/points.py")
DIGITS = 6  # significant ones that are kept
_LIBRARIES = ("numpy", "numba", "pandas", "scipy", "statsmodels")


@lru_cache(maxsize=1)
def model_hash() -> str:
    """Hash (hex, 16 digits) of what decides the findings of a simulated study: code as it is run, data, versions of libraries.

    Comments, docstrings and layout of code are not in it.
    """
    h = hashlib.blake2b(" ".join(metadata.version(name) for name in _LIBRARIES).encode(), digest_size=8)
    for name, path in files_of(_DECIDES):
        if path.suffix != ".csv" and name not in _OF_BATCHES:
            text = path.read_text(encoding="utf-8")
            h.update(f"{name}\0{_code(ast.parse(text)) if path.suffix == '.py' else text}\0".encode())
    return h.hexdigest()


def _code(node: Any) -> Any:
    """Code as nested tuples, without docstrings; the same in every version of Python."""
    if isinstance(node, list):
        return tuple(map(_code, node))
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    return (type(node).__name__, *((name, _code(value)) for name, value in fields.items() if value not in (None, [])))


def same_models() -> tuple[str, ...]:
    """Hashes of the models that find what the present one finds, its own among them.

    Other ones than its own stand in ``evidence/kept/same_model.json``, and count where the present one stands there too:
    ``python -m tests.promise.values same`` puts it there once it has shown that nothing that is simulated is another.
    """
    same = tuple(json.loads(path_of("same_model").read_text(encoding="utf-8")))
    return same if model_hash() in same else (model_hash(),)


def path_of(name: str) -> Path:
    """Where a result is kept."""
    return Path(str(resources.files("sim.evidence"))) / "kept" / f"{name}.json"


def kept(name: str) -> dict[str, Any]:
    """A kept result as plain values.

    Raises ``StoreError`` where it was never made, or by another model.
    """
    path = path_of(name)
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fault = (
            f"was made with another model ({data['model']}) than this one ({model_hash()}), or with other versions of "
            f"{', '.join(_LIBRARIES)}"
        )
        if data["model"] in same_models():
            return data
    except FileNotFoundError:
        fault = "was not made yet"
    except (ValueError, KeyError, TypeError) as e:
        fault = f"is no kept result ({' '.join(str(e).split())})"
    raise StoreError(fault, where=str(path), valid="'make evidence' in a clone of the project makes it again")


def current(name: str) -> dict[str, Any] | None:
    """A kept result of the present model, or None where there is none: never made, or refused."""
    try:
        return kept(name)
    except OSError:  # StoreError is one
        return None


def waiting() -> tuple[str, ...]:
    """Which of ``NAMES`` have no result of the present model; ``make evidence`` makes them."""
    return tuple(name for name in NAMES if current(name) is None)


def keep(path: Path, data: Mapping[str, Any]) -> None:
    """Write a result whole or not at all, with the model that made it."""
    folder_at(path.parent)
    write_over(path, json.dumps({"model": model_hash(), **plain(data, DIGITS)}, separators=(",", ":")) + "\n")


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


def plain(value: Any, digits: int | None = None) -> Any:
    """Values as JSON has them: arrays as lists, what is no number as None; numbers with so many significant ``digits``."""
    if isinstance(value, Mapping):
        return {str(k): plain(v, digits) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v, digits) for v in value]
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        return float(value) if digits is None else float(f"{value:.{digits}g}")
    return value.item() if isinstance(value, np.generic) else value
