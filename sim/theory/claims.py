"""The claims that the model turns into mechanisms, and the sources it rests on, as data.

Both tables are YAML files beside this one; they are read when first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

#: What a claim asks of the model: something that works, something to read off, or something to teach.
KINDS = ("mechanism", "readout", "teaching")


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, what it says in our words, which equations carry it, and in which columns it shows."""

    id: str
    source: str
    claim: str
    kind: str
    equations: tuple[str, ...]
    columns: tuple[str, ...]
    disputed: str = ""


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
    lists = ("equations", "columns")
    rows = [Claim(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in _table("claims.yaml")]
    return MappingProxyType({row.id: row for row in rows})


@lru_cache(maxsize=1)
def sources() -> Mapping[str, Source]:
    """All sources by key."""
    # YAML 1.2 reads a bare yes as text.
    rows = _table("sources.yaml").items()
    return MappingProxyType({key: Source(key=key, **{**row, "read": row["read"] in ("yes", True)}) for key, row in rows})
