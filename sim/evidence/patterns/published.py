"""The published patterns as data (``patterns.yaml``): what was found, where, and what the model should show of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from sim.errors import EvidenceError
from sim.naming import nearest
from sim.theory.parameters import PARAMETERS

#: What a row is for.
TIERS = ("calibrate", "direction", "contested", "prior")
#: How certain a value is.
READ = ("yes", "computed", "no", "second-hand")
#: What can be expected of one part of a result.
SIGNS = ("+", "-", "0", "any")


@dataclass(frozen=True)
class Pattern:
    """One published pattern.

    ``value``: as published, a number for *calibrate*, else what the source says; ``low`` and ``high``: its interval.
    ``expect``: part of the result -> sign, for *direction* and *contested*; "0" means within plus or minus ``zero_within``.
    ``spread``: how far studies differed (``i2`` or ``sd``). ``informs`` and ``switch``: parameters of the model. The file's head
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


def pattern(row: Mapping[str, Any]) -> Pattern:
    """One row of the table, checked. Raises ``EvidenceError``."""
    row_id = row.get("id", "a row without id")

    def refuse(unless: object, why: str) -> None:
        if not unless:
            raise EvidenceError(f"pattern {row_id}: {why}")

    known = {one.name for one in fields(Pattern)}
    for key in row:
        refuse(key in known, f"'{key}' is not a key of a pattern{nearest(key, known)}")
    for key in ("id", "tier", "name", "value", "citation", "read", "design"):
        refuse(row.get(key) not in (None, ""), f"'{key}' is missing")
    one = Pattern(**{**row, "informs": tuple(row.get("informs", ())), "switch": tuple(row.get("switch", ()))})
    refuse(one.tier in TIERS, f"tier must be one of {', '.join(TIERS)}, not {one.tier!r}")
    refuse(one.read in READ, f"read must be one of {', '.join(READ)}, not {one.read!r}")
    if one.tier == "calibrate":
        refuse(isinstance(one.value, float) and one.low < one.value < one.high, "value must be a number inside low and high")
    else:
        refuse("low" not in row and "high" not in row, f"an interval belongs to calibrate, not to {one.tier}")
    signed = one.tier in ("direction", "contested")
    refuse(bool(one.expect) == signed, "expect belongs to direction and contested rows, all of them")
    refuse(set(one.expect.values()) <= set(SIGNS), f"a sign must be one of {', '.join(SIGNS)}")
    refuse(("0" in one.expect.values()) == (one.zero_within > 0.0), "zero_within belongs to rows that expect 0, all of them")
    refuse(bool(one.informs) == (one.tier == "prior"), "informs belongs to prior rows, all of them")
    refuse(bool(one.switch) <= (one.tier == "contested"), "switch belongs to contested rows")
    for number in (*one.informs, *one.switch):
        refuse(number in PARAMETERS, f"there is no parameter '{number}'{nearest(number, PARAMETERS)}")
    refuse(not one.doi or all(re.fullmatch(r"10\.\d{4,9}/\S+", doi) for doi in one.doi.split(" ; ")), f"'{one.doi}' is no DOI")
    return one


@lru_cache(maxsize=1)
def patterns() -> Mapping[str, Pattern]:
    """All patterns by id, in the order of the table."""
    text = resources.files("sim.evidence.patterns").joinpath("patterns.yaml").read_text(encoding="utf-8")
    rows = [pattern(row) for row in YAML(typ="safe").load(text)["patterns"]]
    table = {row.id: row for row in rows}
    if len(table) < len(rows):
        raise EvidenceError("an id stands twice in the table of patterns")
    return MappingProxyType(table)


def chosen(ids: Iterable[str] = ()) -> tuple[Pattern, ...]:
    """The patterns of these ids in the table's order; without ids all. Raises ``EvidenceError`` for one that is not there."""
    wanted = list(dict.fromkeys(ids))
    for name in wanted:
        if name not in patterns():
            raise EvidenceError(f"no pattern '{name}'{nearest(name, patterns())}; ids are: {', '.join(patterns())}")
    return tuple(one for one in patterns().values() if not wanted or one.id in wanted)
