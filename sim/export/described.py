"""What an exported file says of itself and of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sim.catalogue.columns import POINTS
from sim.errors import StoreError
from sim.storage.reading import ResultFolder
from sim.storage.store import SYNTHETIC
from sim.theory.parameters import PARAMETERS
from sim.version import __version__


def columns_described(found: ResultFolder, table: str) -> Iterator[dict[str, str]]:
    """The columns of a table: name, unit and meaning, as the file itself tells them; factors of a batch by what they address."""
    with found.file(table) as file:
        for field in file.schema_arrow:
            told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            unit, meaning = told.get("unit", ""), told.get("meaning", "")
            if table == "points" and field.name not in POINTS:
                unit, meaning = factor_described(field.name)
            yield {"table": table, "column": field.name, "unit": unit, "meaning": meaning}


def factor_described(address: str) -> tuple[str, str]:
    """Unit and meaning of a factor: of a parameter of the model its own."""
    number = PARAMETERS.get(address.rpartition(".")[2])
    if number is not None:
        return number.unit, f"factor: {number.meaning}"
    return "label", "factor: key of the scenario, by address; empty where a point leaves it as it stands"


def about(found: ResultFolder) -> dict[str, Any]:
    """What an exported file says of itself."""
    m = found.manifest
    return {
        "title": str(m["question"]), "synthetic": SYNTHETIC, "scenario": str(m["scenario"]), "seed": str(found.seed),
        "source": f"Attune {m['versions']['attune']}, sources {m['sources']}", "exported_by": f"Attune {__version__}",
    }  # fmt: skip


def unreadable(error: BaseException, path: Path) -> StoreError:
    """An error of a library that writes files, as one of ours."""
    return StoreError(f"{path.name}: could not be written ({' '.join(str(error).split())}); nothing was kept")
