"""The parameter sets that all agree with the published evidence (``ensemble.csv``), made by ``evidence/calibration/ensemble.py``.

One best set hides how much the evidence leaves open; these show it. Each set gives every parameter that the calibration may move;
all others stay at their defaults.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from sim.errors import UsageError
from sim.theory.parameters import checked

FILE = "ensemble.csv"
#: Columns of the file that are no parameters of the model.
NOT_PARAMETERS = ("member", "score")
#: How many members stand for the ensemble where nobody says how many.
USUAL = 20


@lru_cache(maxsize=1)
def members() -> tuple[Mapping[str, float], ...]:
    """The shipped parameter sets, in the order of the file. Raises ``ParameterError`` where the file does not fit the model."""
    text = resources.files("sim.theory").joinpath(FILE).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(
        MappingProxyType({name: checked(name, float(value)) for name, value in row.items() if name not in NOT_PARAMETERS})
        for row in rows
    )


def usual_count() -> int:
    """How many members are run where nobody says how many: ``USUAL``, or all there are if they are fewer."""
    return min(USUAL, len(members()))


def spread(count: int) -> tuple[int, ...]:
    """Which members stand for the ensemble where ``count`` of them are wanted: evenly spaced, always the same."""
    n = len(members())
    if not 2 <= count <= n:
        raise UsageError(f"the ensemble has {n} members; ask for 2 to {n}, not {count}")
    return tuple(int(i * n / count) for i in range(count))
