"""The claims that the model turns into mechanisms, and the sources it rests on, as data.

Both tables are YAML files beside this one; they are read when first asked for. What carries a claim is said where it
is computed: an equation's docstring names its claims in tags such as [K9, A2].
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

from sim.theory import equations

#: What a claim asks of the model: something that works, something to read off, or something to teach.
KINDS = ("mechanism", "readout", "teaching")

_TAGS = re.compile(r"\[([KA]\d+(?:, [KA]\d+)*)\]")


def tags(described: Any) -> tuple[str, ...]:
    """The claims that a function's (or module's) docstring names, each once, in order."""
    groups = _TAGS.findall(inspect.getdoc(described) or "")
    return tuple(dict.fromkeys(tag for group in groups for tag in group.split(", ")))


def public_equations() -> tuple[Callable[..., Any], ...]:
    """The functions of ``equations.py``, in order."""
    return tuple(
        f for name, f in vars(equations).items()
        if inspect.isfunction(f) and f.__module__ == equations.__name__ and not name.startswith("_")
    )  # fmt: skip


def carriers(claim: str, among: Iterable[Any] | None = None) -> tuple[str, ...]:
    """Names of the functions whose docstrings name a claim: the equations, or those of ``among``, such as session verbs."""
    return tuple(f.__name__ for f in (public_equations() if among is None else among) if claim in tags(f))


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, what it says in our words, and in which columns it shows."""

    id: str
    source: str
    claim: str
    kind: str
    columns: tuple[str, ...]
    disputed: str = ""

    @property
    def equations(self) -> tuple[str, ...]:
        """Names of the equations whose docstrings name this claim."""
        return carriers(self.id)


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
    rows = [Claim(**{**row, "columns": tuple(row["columns"])}) for row in _table("claims.yaml")]
    return MappingProxyType({row.id: row for row in rows})


@lru_cache(maxsize=1)
def sources() -> Mapping[str, Source]:
    """All sources by key."""
    # YAML 1.2 reads a bare yes as text.
    rows = _table("sources.yaml").items()
    return MappingProxyType({key: Source(key=key, **{**row, "read": row["read"] in ("yes", True)}) for key, row in rows})
