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

from sim.engine.web.kinds import SIGNED, TRUTH, Column, EmitError, Kind, Source, Value, constant, source_of, wasm
from sim.engine.web.values import UNFORESEEN, Values


class Module:
    """A WebAssembly module in the making: its functions, and what lies in its memory."""

    def __init__(self) -> None:
        self.top = 16  # the first free byte of memory; nothing lies at 0
        self.data: list[tuple[int, bytes]] = []
        self._columns: dict[bytes, int] = {}
        self._made: dict[tuple[int, tuple[Kind, ...]], tuple[str, Kind]] = {}
        self._making: set[tuple[int, tuple[Kind, ...]]] = set()
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
            if key in self._making:
                raise EmitError(f"{source.where}, line {source.tree.lineno}: {source.name}: calls itself")
            self._making.add(key)
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

    def text(self) -> str:
        """The whole module, with as many pages of memory (64 KiB each) as it needs."""
        said = (f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in raw)}")' for at, raw in self.data)
        memory = f'(memory (export "memory") {-(-self.top // 65536)})'
        return "\n".join(["(module", memory, *said, *self.functions, *self.exports, ")"])


class _Function(Values):
    """One function for arguments of one kind: its statements."""

    def __init__(self, module: Module, source: Source, name: str, kinds: tuple[Kind, ...]) -> None:
        taken = source.tree.args
        arguments = [a.arg for a in taken.args]
        super().__init__(module, source, dict(zip(arguments, kinds, strict=False)))
        if len(arguments) != len(kinds):
            raise self.error(source.tree, f"takes {len(arguments)} arguments, not {len(kinds)}")
        if taken.vararg or taken.kwarg or taken.kwonlyargs or taken.posonlyargs or taken.defaults:
            raise self.error(source.tree, "takes arguments by their place only, all of them")
        self.loops: list[tuple[str, str]] = []
        self.gives: Kind = None
        self.returned, self.labels = False, 0
        body = self._block(source.tree.body)
        gives: tuple[Kind, ...] = self.gives if isinstance(self.gives, tuple) else () if self.gives is None else (self.gives,)
        parameters = " ".join(f"(param ${a} {wasm(k)})" for a, k in zip(arguments, kinds, strict=True))
        own = " ".join(f"(local ${n} {wasm(k)})" for n, k in self.locals.items() if n not in arguments)
        more = " ".join(f"(local {n} {k})" for n, k in self.extra)
        result = f"(result {' '.join(map(wasm, gives))})" if gives else ""
        if gives and not _leaves(source.tree.body):
            raise self.error(source.tree, "may end without a value")
        end = ["unreachable"] if gives else []  # what WebAssembly wants to hear behind a loop without end
        self.text = "\n".join([f"(func {name} {parameters} {result} {own} {more}", *body, *end, ")"])

    def _block(self, body: Iterable[ast.stmt]) -> list[str]:
        return [line for statement in body for line in self._statement(statement)]

    def _statement(self, node: ast.stmt) -> list[str]:
        try:
            return self._done(node)
        except UNFORESEEN as error:
            raise self.error(node, f"there is no translation of '{ast.unparse(node).splitlines()[0]}' ({error!r})") from error

    def _done(self, node: ast.stmt) -> list[str]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return []  # what is said about it
        if isinstance(node, ast.Expr):
            given = self.value(node.value)
            dropped = len(given.kind) if isinstance(given.kind, tuple) else int(given.kind is not None)
            return [*given.code, *["drop"] * dropped]
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            return self._assigned(node.targets[0], node.value)
        if isinstance(node, ast.AugAssign):
            if any(isinstance(one, ast.Call) and self.known(one.func) is not int for one in ast.walk(node.target)):
                raise self.error(node, "what says where a value is added is computed beforehand")
            load = ast.parse(ast.unparse(node.target), mode="eval").body
            for part in ast.walk(load):
                ast.copy_location(part, node)
            return self._assigned(node.target, ast.copy_location(ast.BinOp(load, node.op, node.value), node))
        if isinstance(node, ast.Return):
            return self._return(node)
        if isinstance(node, ast.If):
            return self._if(node)
        if isinstance(node, ast.While) and not node.orelse:
            return self._loop([], self.truth(node.test), node.body, [], [])
        if isinstance(node, ast.For) and not node.orelse:
            return self._for(node)
        if isinstance(node, (ast.Break, ast.Continue)) and self.loops:
            return [f"br {self.loops[-1][isinstance(node, ast.Continue)]}"]
        if isinstance(node, ast.Pass):
            return []
        raise self.error(node, f"there is no translation of '{ast.unparse(node).splitlines()[0]}'")

    def _if(self, node: ast.If) -> list[str]:
        test = self.truth(node.test)
        if test.number is not None:
            return self._block(node.body if test.number else node.orelse)
        before = set(self.sure)
        body, sure_there = self._block(node.body), self.sure
        self.sure = before
        other, sure_here = self._block(node.orelse), self.sure
        # behind it only what has a value on every way that leads there
        ways = [sure for sure, part in ((sure_there, node.body), (sure_here, node.orelse)) if not _leaves(part)]
        self.sure = set.intersection(*ways) if ways else sure_there | sure_here
        return [*test.code, "if", *body, *(["else", *other] if other else []), "end"]

    def _loop(self, before: list[str], test: Value, body: list[ast.stmt], after: list[str], begin_with: list[str]) -> list[str]:
        sure = set(self.sure)
        self.labels += 1
        out, again, begin = f"$out{self.labels}", f"$again{self.labels}", f"$loop{self.labels}"
        self.loops.append((out, again))
        inside = [*begin_with, *self._block(body)]
        self.loops.pop()
        self.sure = sure  # it may not have been gone through
        stop = [] if test.number else [*test.code, "i32.eqz", f"br_if {out}"]
        return [*before, f"block {out}", f"loop {begin}", *stop, f"block {again}", *inside, "end", *after,
                f"br {begin}", "end", "end"]  # fmt: skip

    def _for(self, node: ast.For) -> list[str]:
        call = node.iter
        if not (isinstance(call, ast.Call) and self.known(call.func) is range and isinstance(node.target, ast.Name)):
            raise self.error(node, "a loop goes over range(...)")
        ends = [self.as_kind(self.value(a), SIGNED, a) for a in call.args]
        first, last = (Value(SIGNED, (constant(SIGNED, 0),), 0), ends[0]) if len(ends) == 1 else (ends[0], ends[1])
        step = ends[2].number if len(ends) > 2 else 1
        if step is None or not step:
            raise self.error(node, "the step of a loop is a constant, and not 0")
        # Counted apart: the name is the loop's only at the beginning of each round.
        now, end = self.temporary("i64"), self.temporary("i64")
        before, sure = [*first.code, f"local.set {now}", *last.code, f"local.set {end}"], set(self.sure)
        self.local(node.target.id, SIGNED, node)
        test = Value(TRUTH, (f"local.get {now}", f"local.get {end}", f"i64.{'lt' if step > 0 else 'gt'}_s"))
        after = [f"local.get {now}", constant(SIGNED, step), "i64.add", f"local.set {now}"]
        lines = self._loop(before, test, node.body, after, [f"local.get {now}", f"local.set ${node.target.id}"])
        self.sure = sure
        self.spare["i64"] += [now, end]
        return lines

    def _return(self, node: ast.Return) -> list[str]:
        parts = node.value.elts if isinstance(node.value, ast.Tuple) else [] if node.value is None else [node.value]
        given = [self.value(part) for part in parts]
        if len(given) == 1 and isinstance(given[0].kind, tuple):  # several of another function's
            kinds: Kind = given[0].kind
        else:
            kinds = tuple(one.kind for one in given) if isinstance(node.value, ast.Tuple) else given[0].kind if given else None
        if not self.returned:
            self.gives, self.returned = kinds, True
        if isinstance(self.gives, tuple) != isinstance(kinds, tuple) or (self.gives is None) != (kinds is None) or (
            isinstance(kinds, tuple) and len(kinds) != len(self.gives)):  # fmt: skip
            raise self.error(node, "gives another number of values than before")
        if any(isinstance(kind, Column) for kind in (kinds if isinstance(kinds, tuple) else (kinds,))):
            raise self.error(node, "a column is not given back; it is written where the caller says")
        wanted = self.gives if isinstance(self.gives, tuple) else (self.gives,)
        if len(given) == len(wanted) and kinds is not None:
            given = [self.as_kind(one, kind, part) for one, kind, part in zip(given, wanted, parts, strict=True)]
        elif kinds != self.gives:
            raise self.error(node, f"gives {kinds} where {self.gives} was given before")
        return [*(line for one in given for line in one.code), "return"]

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
            kept = [self.temporary(wasm(kind)) for kind in kinds]  # all are known before the first is written, from the left
            code += [f"local.set {local}" for local in reversed(kept)]
            for place, kind, local in zip(target.elts, kinds, kept, strict=True):
                code += self._stored(place, Value(kind, (f"local.get {local}",)), target)
                self.spare[wasm(kind)].append(local)
            return code
        return self._stored(target, self.value(value), value)

    def _stored(self, target: ast.expr, given: Value, node: ast.AST) -> list[str]:
        """Lines that write a value to a name or into a column."""
        if isinstance(target, ast.Name):
            given = self.as_kind(given, self.locals.get(target.id, given.kind), node)
            if given.kind is None or isinstance(given.kind, tuple):
                raise self.error(node, f"'{target.id}' is one value")
            self.local(target.id, given.kind, target)
            return [*given.code, f"local.set ${target.id}"]
        if isinstance(target, ast.Subscript):
            column, at, offset = self.place(target)
            if column.constant:
                raise self.error(target, f"'{ast.unparse(target.value)}' does not change")
            return [*at, *self.as_kind(given, column.of, node).code, f"{wasm(column.of)}.store offset={offset}"]
        raise self.error(target, f"nothing can be assigned to '{ast.unparse(target)}'")


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether what stands behind these statements is never reached."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return _leaves(last.body) and _leaves(last.orelse)
    if isinstance(last, ast.While):
        inside = [one for part in last.body for one in ast.walk(part)]
        return isinstance(last.test, ast.Constant) and bool(last.test.value) and not any(isinstance(x, ast.Break) for x in inside)
    return isinstance(last, (ast.Return, ast.Break, ast.Continue))
