"""The claims that the model turns into mechanisms, and the sources it rests on, as data.

Both tables are YAML files beside this one; they are read when first asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from sim.theory import equations


def public_equations() -> tuple[Callable[..., Any], ...]:
    """The functions of ``equations.py``, in order."""
    return tuple(
        f
        for name, f in vars(equations).items()
        if inspect.isfunction(f) and f.__module__ == equations.__name__ and not name.startswith("_")
    )


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, what it says in our words, which functions carry it, and in which columns it shows.

    ``kind``: *mechanism*, something that works; *readout*, something to read off; or *teaching*."""

    id: str
    source: str
    claim: str
    kind: str
    carriers: tuple[str, ...]
    columns: tuple[str, ...]
    disputed: str = ""

    @property
    def equations(self) -> tuple[str, ...]:
        """Those of its carriers that are equations, not steps or verbs."""
        known = {equation.__name__ for equation in public_equations()}
        return tuple(name for name in self.carriers if name in known)


@dataclass(frozen=True)
class Source:
    """One source; ``read`` is False where a value or sign was recalled or quoted second-hand."""

    key: str
    citation: str
    read: bool
    used_for: str
    doi: str = ""
    note: str = ""


def _table(name: str) -> Any:
    return YAML(typ="safe").load(resources.files("sim.theory").joinpath(name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def claims() -> Mapping[str, Claim]:
    """All claims by id, in order: K1 to K27, then A1 to A9."""
    rows = [Claim(**{**row, **{key: tuple(row[key]) for key in ("carriers", "columns")}}) for row in _table("claims.yaml")]
    return MappingProxyType({row.id: row for row in rows})


def claims_of(carrier: str) -> tuple[str, ...]:
    """The claims that an equation, a step or a verb carries.

    >>> claims_of("separation")
    ('K19',)
    """
    return tuple(claim.id for claim in claims().values() if carrier in claim.carriers)


@lru_cache(maxsize=1)
def sources() -> Mapping[str, Source]:
    """All sources by key."""
    # YAML 1.2 reads a bare yes as text.
    rows = _table("sources.yaml").items()
    return MappingProxyType({key: Source(key=key, **{**row, "read": row["read"] in ("yes", True)}) for key, row in rows})
