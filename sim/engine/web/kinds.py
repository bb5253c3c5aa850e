"""What the translation to WebAssembly is about: kinds of numbers, functions by their text, values on the stack."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.errors import AttuneError

#: Kinds of numbers: doubles, whole numbers of 64 bits with and without a sign, and what is true or false.
DOUBLE, SIGNED, UNSIGNED, TRUTH = "f64", "i64", "u64", "bool"
_WASM = {DOUBLE: "f64", SIGNED: "i64", UNSIGNED: "i64", TRUTH: "i32"}


class EmitError(AttuneError):
    """A function has a form that has no translation."""


@dataclass(frozen=True)
class Column:
    """A column of numbers in memory; ``size``: how many, where that is known; ``constant``: nothing is written there."""

    of: str = DOUBLE
    size: int | None = None
    constant: bool = False


Kind = Any  # DOUBLE, SIGNED, UNSIGNED, TRUTH, a Column, a tuple of kinds, or None for nothing


@dataclass(frozen=True, eq=False)
class Source:
    """A function by its text: where it stands, its tree, and the names that it knows."""

    name: str
    tree: ast.FunctionDef
    known: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class Value:
    """What an expression gives: its kind, the instructions that leave it on the stack, and the number, where it is a constant."""

    kind: Kind
    code: tuple[str, ...] = ()
    number: Any = None


def sources(text: str, known: Mapping[str, Any], where: str) -> dict[str, Source]:
    """The functions of a text, which may call each other and what else is ``known``."""
    names = dict(known)
    found = {f.name: Source(f.name, f, names, where) for f in ast.parse(text).body if isinstance(f, ast.FunctionDef)}
    names.update(found)
    return found


def source_of(function: Any) -> Source:
    """The source of a function, of this package or of a text."""
    if isinstance(function, Source):
        return function
    plain = getattr(function, "py_func", function)
    lines, first = inspect.getsourcelines(plain)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise EmitError(f"{plain!r} is not a function with a text of its own")
    ast.increment_lineno(tree, first - 1)
    closure = inspect.getclosurevars(plain).nonlocals
    return Source(plain.__name__, tree, {**plain.__globals__, **closure}, inspect.getsourcefile(plain) or "?")


def wasm(kind: Kind) -> str:
    """What WebAssembly calls a kind."""
    return "i32" if isinstance(kind, Column) else _WASM[kind]


def constant(kind: Kind, number: Any) -> str:
    """The instruction that leaves a number on the stack."""
    if kind == DOUBLE:
        x = float(number)
        return f"f64.const {x.hex() if math.isfinite(x) else 'nan' if math.isnan(x) else 'inf' if x > 0 else '-inf'}"
    if kind in (SIGNED, UNSIGNED):
        bits = int(number) & (2**64 - 1)
        return f"i64.const {bits - 2**64 if bits >= 2**63 else bits}"
    return f"i32.const {int(number)}"


@dataclass(frozen=True)
class Placed:
    """A column that lies at a fixed place in memory, for the names that a text knows."""

    address: int
    column: Column = field(default_factory=Column)


def shifted(column: Any, by: int) -> Any:
    """The column from its number ``by`` on."""
    return column[by:]
