"""The published patterns as data (``patterns.yaml``): what was found, where, and what the model should show of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from sim.errors import EvidenceError
from sim.naming import nearest

#: What a row is for.
TIERS = ("calibrate", "direction", "contested", "prior")


@dataclass(frozen=True)
class Pattern:
    """One published pattern.

    ``value``: as published, a number for *calibrate*, else what the source says; ``low`` and ``high``: its interval.
    ``expect``: part of the result -> sign, for *direction* and *contested*; "0" means within plus or minus ``zero_within``.
    ``read``: how certain a value is (yes, computed, no, second-hand). ``spread``: how far studies differed (``i2`` or ``sd``).
    ``informs`` and ``switch``: parameters of the model. The file's head
    says what the other fields are.
    """

    id: str
    tier: str
    name: str
    value: Any
    citation: str
    read: str
    design: str
    statistic: str = ""
    low: float = float("nan")
    high: float = float("nan")
    band: str = ""
    k: Any = None
    n: Any = None
    instrument: str = ""
    doi: str = ""
    spread: Mapping[str, float] = field(default_factory=dict)
    expect: Mapping[str, str] = field(default_factory=dict)
    zero_within: float = float("nan")
    informs: tuple[str, ...] = ()
    switch: tuple[str, ...] = ()

    @property
    def uncertainty(self) -> float:
        """A quarter of the interval's width: about one standard error of the published value."""
        return (self.high - self.low) / 4.0


@lru_cache(maxsize=1)
def patterns() -> Mapping[str, Pattern]:
    """All patterns by id, in the order of the table."""
    text = resources.files("sim.evidence.patterns").joinpath("patterns.yaml").read_text(encoding="utf-8")
    rows = YAML(typ="safe").load(text)["patterns"]
    lists = [{name: tuple(row.get(name, ())) for name in ("informs", "switch")} for row in rows]
    return MappingProxyType({row["id"]: Pattern(**row | of) for row, of in zip(rows, lists, strict=True)})


def chosen(ids: Iterable[str] = ()) -> tuple[Pattern, ...]:
    """The patterns of these ids in the table's order; without ids all. Raises ``EvidenceError`` for one that is not there."""
    wanted = list(dict.fromkeys(ids))
    for name in wanted:
        if name not in patterns():
            raise EvidenceError(f"no pattern '{name}'{nearest(name, patterns())}; ids are: {', '.join(patterns())}")
    return tuple(one for one in patterns().values() if not wanted or one.id in wanted)
