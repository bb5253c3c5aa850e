"""From Python functions of numbers to WebAssembly text: the same equations, draws and loops that numba compiles.

A function is translated from its own source, once for the kinds of arguments that it is called with. What is understood is small:
numbers (doubles, signed and unsigned whole numbers of 64 bits, true or false), columns of doubles in memory, arithmetic,
comparisons, ``if``, ``while``, ``for ... in range(...)``, and calls of functions of this kind. Anything else is an ``EmitError``
with file and line. WebAssembly has IEEE arithmetic, no fused multiply-add and no mathematical library, so every bit is the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

import numpy as np

from sim.engine.web.kinds import SIGNED, TRUTH, Kind, Source, Value, constant, source_of, wasm
from sim.engine.web.values import Values


class Module:
    """A WebAssembly module in the making: its functions, and what lies in its memory."""

    def __init__(self) -> None:
        self.top = 16  # the first free byte of memory; nothing lies at 0
        self.data: list[tuple[int, bytes]] = []
        self._columns: dict[bytes, int] = {}
        self._made: dict[tuple[int, tuple[Kind, ...]], tuple[str, Kind]] = {}
        self._names: dict[str, int] = {}
        self._keep: list[Any] = []
        self.functions: list[str] = []
        self.exports: list[str] = []

    def room(self, numbers: int) -> int:
        """The address of room for so many numbers of eight bytes."""
        at, self.top = self.top, self.top + 8 * numbers
        return at

    def column(self, values: Any) -> int:
        """The address of numbers that are always the same."""
        given = np.ascontiguousarray(values)
        raw = given.tobytes()
        if raw not in self._columns:
            self._columns[raw] = self.room(given.size)
            self.data.append((self._columns[raw], raw))
        return self._columns[raw]

    def function(self, function: Any, kinds: tuple[Kind, ...]) -> tuple[str, Kind]:
        """The name of a function for arguments of these kinds, translated where it is not yet, and what it gives."""
        source = source_of(function)
        key = id(source.tree) if isinstance(function, Source) else id(getattr(function, "py_func", function)), kinds
        if key not in self._made:
            self._keep.append(function)
            number = self._names[source.name] = self._names.get(source.name, 0) + 1
            name = f"${source.name}" + (f".{number}" if number > 1 else "")
            made = _Function(self, source, name, kinds)
            self._made[key] = name, made.gives
            self.functions.append(made.text)
        return self._made[key]

    def export(self, function: Any, kinds: tuple[Kind, ...], name: str) -> None:
        """Make a function callable from outside."""
        called, _ = self.function(function, kinds)
        self.exports.append(f'(export "{name}" (func {called}))')

    def text(self, pages: int | None = None) -> str:
        """The whole module; ``pages``: of memory (64 KiB each), as many as it needs where that is not said."""
        needed = -(-self.top // 65536)
        said = (f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in raw)}")' for at, raw in self.data)
        memory = f'(memory (export "memory") {max(needed, pages or 0)})'
        return "\n".join(["(module", memory, *said, *self.functions, *self.exports, ")"])


class _Function(Values):
    """One function for arguments of one kind: its statements."""

    def __init__(self, module: Module, source: Source, name: str, kinds: tuple[Kind, ...]) -> None:
        arguments = [a.arg for a in source.tree.args.args]
        super().__init__(module, source, dict(zip(arguments, kinds, strict=False)))
        if len(arguments) != len(kinds):
            raise self.error(source.tree, f"takes {len(arguments)} arguments, not {len(kinds)}")
        self.loops: list[tuple[str, str]] = []
        self.gives: Kind = None
        self.returned, self.labels = False, 0
        body = self._block(source.tree.body)
        gives: tuple[Kind, ...] = self.gives if isinstance(self.gives, tuple) else () if self.gives is None else (self.gives,)
        parameters = " ".join(f"(param ${a} {wasm(k)})" for a, k in zip(arguments, kinds, strict=True))
        own = " ".join(f"(local ${n} {wasm(k)})" for n, k in self.locals.items() if n not in arguments)
        more = " ".join(f"(local {n} {k})" for n, k in self.extra)
        result = f"(result {' '.join(map(wasm, gives))})" if gives else ""
        end = ["unreachable"] if gives and not isinstance(source.tree.body[-1], ast.Return) else []
        self.text = "\n".join([f"(func {name} {parameters} {result} {own} {more}", *body, *end, ")"])

    def _block(self, body: Iterable[ast.stmt]) -> list[str]:
        return [line for statement in body for line in self._statement(statement)]

    def _statement(self, node: ast.stmt) -> list[str]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return []  # what is said about it
        if isinstance(node, ast.Expr):
            given = self.value(node.value)
            dropped = len(given.kind) if isinstance(given.kind, tuple) else int(given.kind is not None)
            return [*given.code, *["drop"] * dropped]
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return self._assigned(node.targets[0], node.value)
        if isinstance(node, ast.AugAssign):
            load = ast.parse(ast.unparse(node.target), mode="eval").body
            for part in ast.walk(load):
                ast.copy_location(part, node)
            return self._assigned(node.target, ast.copy_location(ast.BinOp(load, node.op, node.value), node))
        if isinstance(node, ast.Return):
            return self._return(node)
        if isinstance(node, ast.If):
            test = self.truth(node.test)
            if test.number is not None:
                return self._block(node.body if test.number else node.orelse)
            other = self._block(node.orelse)
            return [*test.code, "if", *self._block(node.body), *(["else", *other] if other else []), "end"]
        if isinstance(node, ast.While) and not node.orelse:
            return self._loop([], self.truth(node.test), node.body, [])
        if isinstance(node, ast.For) and not node.orelse:
            return self._for(node)
        if isinstance(node, (ast.Break, ast.Continue)) and self.loops:
            return [f"br {self.loops[-1][isinstance(node, ast.Continue)]}"]
        if isinstance(node, ast.Pass):
            return []
        raise self.error(node, f"there is no translation of '{ast.unparse(node).splitlines()[0]}'")

    def _loop(self, before: list[str], test: Value, body: list[ast.stmt], after: list[str]) -> list[str]:
        self.labels += 1
        out, again, begin = f"$out{self.labels}", f"$again{self.labels}", f"$loop{self.labels}"
        self.loops.append((out, again))
        inside = self._block(body)
        self.loops.pop()
        stop = [] if test.number else [*test.code, "i32.eqz", f"br_if {out}"]
        return [*before, f"block {out}", f"loop {begin}", *stop, f"block {again}", *inside, "end", *after,
                f"br {begin}", "end", "end"]  # fmt: skip

    def _for(self, node: ast.For) -> list[str]:
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
                and isinstance(node.target, ast.Name)):  # fmt: skip
            raise self.error(node, "a loop goes over range(...)")
        ends = [self.as_kind(self.value(a), SIGNED, a) for a in call.args]
        first, last = (Value(SIGNED, (constant(SIGNED, 0),), 0), ends[0]) if len(ends) == 1 else (ends[0], ends[1])
        step = constant(SIGNED, ends[2].number if len(ends) > 2 else 1)
        name = node.target.id
        self.local(name, SIGNED, node)
        end = self.temporary("i64")
        test = Value(TRUTH, (f"local.get ${name}", f"local.get {end}", "i64.lt_s"))
        lines = self._loop(
            [*first.code, f"local.set ${name}", *last.code, f"local.set {end}"], test, node.body,
            [f"local.get ${name}", step, "i64.add", f"local.set ${name}"],
        )  # fmt: skip
        self.spare["i64"].append(end)
        return lines

    def _return(self, node: ast.Return) -> list[str]:
        if node.value is None:
            return ["return"]
        given = self.value(node.value)
        if not self.returned:
            self.gives, self.returned = given.kind, True
        if isinstance(self.gives, tuple) and isinstance(node.value, ast.Tuple):
            parts = [self.as_kind(self.value(e), k, e) for e, k in zip(node.value.elts, self.gives, strict=True)]
            return [*(line for part in parts for line in part.code), "return"]
        given = given if given.kind == self.gives else self.as_kind(given, self.gives, node)
        return [*given.code, "return"]

    def _assigned(self, target: ast.expr, value: ast.expr) -> list[str]:
        if isinstance(target, ast.Tuple):
            if isinstance(value, ast.Tuple):
                given = [self.value(e) for e in value.elts]
                code, kinds = [line for one in given for line in one.code], [one.kind for one in given]
            else:
                one = self.value(value)
                code, kinds = list(one.code), list(one.kind) if isinstance(one.kind, tuple) else []
            if len(kinds) != len(target.elts):
                raise self.error(target, f"{len(kinds)} values for {len(target.elts)} names")
            for place, kind in zip(reversed(target.elts), reversed(kinds), strict=True):
                if isinstance(place, ast.Name):
                    self.local(place.id, kind, target)
                    code.append(f"local.set ${place.id}")
                elif isinstance(place, ast.Subscript):
                    column, at, offset = self.place(place)
                    kept = self.temporary(wasm(column.of))
                    code += [f"local.set {kept}", *at, f"local.get {kept}", f"{wasm(column.of)}.store offset={offset}"]
                    self.spare[wasm(column.of)].append(kept)
                else:
                    raise self.error(target, "values go to names and places of columns")
            return code
        if isinstance(target, ast.Name):
            given_ = self.value(value)
            kind = self.locals.get(target.id, given_.kind)
            self.local(target.id, kind, target)
            return [*(given_ if given_.kind == kind else self.as_kind(given_, kind, value)).code, f"local.set ${target.id}"]
        if isinstance(target, ast.Subscript):
            column, at, offset = self.place(target)
            given_ = self.as_kind(self.value(value), column.of, value)
            return [*at, *given_.code, f"{wasm(column.of)}.store offset={offset}"]
        raise self.error(target, f"nothing can be assigned to '{ast.unparse(target)}'")
