"""Expressions as WebAssembly: what an expression of a function leaves on the stack, and of which kind it is."""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from sim import elementary
from sim.engine.web.kinds import (
    DOUBLE,
    SIGNED,
    TRUTH,
    UNSIGNED,
    Column,
    EmitError,
    Kind,
    Placed,
    Source,
    Value,
    constant,
    shifted,
    wasm,
)

_COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_BITS = {ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "shr"}
#: Constants are put together when the text is made.
_FOLDED: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_CONVERTED = {
    (SIGNED, DOUBLE): "f64.convert_i64_s", (UNSIGNED, DOUBLE): "f64.convert_i64_u", (TRUTH, DOUBLE): "f64.convert_i32_u",
    (TRUTH, SIGNED): "i64.extend_i32_u", (TRUTH, UNSIGNED): "i64.extend_i32_u", (SIGNED, UNSIGNED): "", (UNSIGNED, SIGNED): "",
}  # fmt: skip
_BYTES = ("i32.wrap_i64", "i32.const 3", "i32.shl")  # a place in a column as bytes
_OF_ONE = {np.sqrt: "f64.sqrt", math.sqrt: "f64.sqrt", np.floor: "f64.floor", np.abs: "f64.abs", abs: "f64.abs"}
_TYPES = {np.float64: DOUBLE, float: DOUBLE, np.int64: SIGNED, int: SIGNED, np.uint64: UNSIGNED}


class Functions(Protocol):
    """The module in which other functions are found, and columns have their place."""

    def function(self, function: Any, kinds: tuple[Kind, ...]) -> tuple[str, Kind]:
        """The name of a function for arguments of these kinds, and what it gives."""

    def column(self, values: Any) -> int:
        """The address of numbers that are always the same."""

    def room(self, numbers: int) -> int:
        """The address of room for so many numbers."""


class Values:
    """The expressions of one function.

    ``locals``: kinds of its names so far; ``sure``: those that have a value wherever one has come from; ``own``: all that it
    gives a value to somewhere.
    """

    def __init__(self, module: Functions, source: Source, names: dict[str, Kind]) -> None:
        self.module, self.source, self.locals, self.sure = module, source, names, set(names)
        self.own = {one.id for one in ast.walk(source.tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        self.spare: dict[str, list[str]] = {}
        self.extra: list[tuple[str, str]] = []

    def error(self, node: ast.AST, what: str) -> EmitError:
        """The error of a form that has no translation, with its file and line."""
        return EmitError(f"{self.source.where}, line {getattr(node, 'lineno', '?')}: {self.source.name}: {what}")

    def local(self, name: str, kind: Kind, node: ast.AST) -> None:
        """Note a name that is given a value; it is of one kind for good."""
        if not name.isascii():
            raise self.error(node, f"the name '{name}' has letters that WebAssembly does not know")
        self.sure.add(name)
        if self.locals.setdefault(name, kind) != kind:
            raise self.error(node, f"'{name}' is {self.locals[name]} and {kind}")

    def temporary(self, kind: str) -> str:
        """A local that nothing else uses until it is given back (``spare``)."""
        left = self.spare.setdefault(kind, [])
        if not left:
            name = f"${kind}.{sum(k == kind for _, k in self.extra)}"  # no name in Python has a dot
            self.extra.append((name, kind))
            return name
        return left.pop()

    def as_kind(self, given: Value, kind: Kind, node: ast.AST) -> Value:
        """A value as one of another kind."""
        if given.kind == kind:
            return given
        whole = given.number is not None and (kind == DOUBLE or float(given.number).is_integer())
        if whole and not isinstance(kind, Column) and not (kind == UNSIGNED and given.number < 0):
            return Value(kind, (constant(kind, given.number),), given.number)
        how = _CONVERTED.get((given.kind, kind))
        if how is None:
            raise self.error(node, f"'{ast.unparse(node)}' is {given.kind} where {kind} is needed")
        return Value(kind, (*given.code, *([how] if how else [])))

    def truth(self, node: ast.expr) -> Value:
        """What is true or false."""
        given = self.value(node)
        if given.number is not None:
            return Value(TRUTH, (constant(TRUTH, bool(given.number)),), bool(given.number))
        if given.kind != TRUTH:
            raise self.error(node, f"'{ast.unparse(node)}' is neither true nor false")
        return given

    def known(self, node: ast.expr) -> Any:
        """What a name outside of the function stands for; ``_nothing`` where it stands for nothing."""
        if isinstance(node, ast.Name) and node.id not in self.locals and node.id not in self.own:
            return self.source.known.get(node.id, getattr(builtins, node.id, _nothing))
        if isinstance(node, ast.Attribute):
            of_ = self.known(node.value)
            return _nothing if of_ is _nothing else getattr(of_, node.attr, _nothing)
        return _nothing

    def _constant(self, number: Any) -> Value:
        kinds = (((bool, np.bool_), TRUTH), (np.uint64, UNSIGNED), ((int, np.integer), SIGNED))
        kind = next((kind for types, kind in kinds if isinstance(number, types)), DOUBLE)
        return Value(kind, (constant(kind, number),), number)

    def value(self, node: ast.expr) -> Value:
        """What an expression leaves on the stack."""
        try:
            return self._value(node)
        except UNFORESEEN as error:
            raise self.error(node, f"there is no translation of '{ast.unparse(node)}' ({error!r})") from error

    def _value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
            return self._constant(node.value)
        if isinstance(node, ast.Name) and node.id in {*self.own, *self.locals} - self.sure:
            raise self.error(node, f"'{node.id}' may have no value here")
        if isinstance(node, ast.Name) and node.id in self.locals:
            return Value(self.locals[node.id], (f"local.get ${node.id}",))
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._outside(node)
        if isinstance(node, ast.Tuple):
            parts = [self.value(e) for e in node.elts]
            return Value(tuple(p.kind for p in parts), tuple(line for p in parts for line in p.code))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.BoolOp):
            return self._in_turn([self.truth(v).code for v in node.values], isinstance(node.op, ast.And))
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.IfExp):
            test, one, other = self.truth(node.test), self.value(node.body), self.value(node.orelse)
            kind = self._common(node, one, other)
            one, other = self.as_kind(one, kind, node.body), self.as_kind(other, kind, node.orelse)
            return Value(kind, (*test.code, f"if (result {wasm(kind)})", *one.code, "else", *other.code, "end"))
        if isinstance(node, ast.Subscript):
            column, at, offset = self.place(node)
            return Value(column.of, (*at, f"{wasm(column.of)}.load offset={offset}"))
        if isinstance(node, ast.Call):
            return self._call(node)
        raise self.error(node, f"there is no translation of '{ast.unparse(node)}'")

    def _outside(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Attribute) and node.attr == "size":
            of = self.value(node.value).kind
            if isinstance(of, Column) and of.size is not None:
                return self._constant(of.size)
        known = self.known(node)
        if isinstance(known, (bool, int, float, np.number, np.bool_)):
            return self._constant(known)
        if isinstance(known, Placed):
            return Value(known.column, (f"i32.const {known.address}",))
        if isinstance(known, (np.ndarray, tuple)):
            values = np.asarray(known)
            kind = Column({"f": DOUBLE, "i": SIGNED, "u": UNSIGNED}[values.dtype.kind], values.size, constant=True)
            return Value(kind, (f"i32.const {self.module.column(values)}",))
        raise self.error(node, f"'{ast.unparse(node)}' is nothing that is known here")

    @staticmethod
    def _in_turn(tests: Sequence[Sequence[str]], every: bool) -> Value:
        """Whether all of several tests hold, or any: the later ones are made only where the earlier ones leave it open."""
        first, *more = tests
        code, left = list(first), 0
        for test in more:
            code += ["if (result i32)", *test] if every else ["if (result i32)", constant(TRUTH, True), "else", *test]
            left += 1
        return Value(TRUTH, (*code, *(["else", constant(TRUTH, False), "end"] if every else ["end"]) * left))

    def _common(self, node: ast.AST, *values: Value) -> str:
        """The kind in which numbers meet: doubles before whole numbers; constants follow, others with and without sign do not
        meet."""
        kinds = {v.kind for v in values if v.number is None} or {v.kind for v in values}
        if any(isinstance(v.number, float) for v in values):
            kinds.add(DOUBLE)
        if {SIGNED, UNSIGNED} <= kinds:
            raise self.error(node, f"'{ast.unparse(node)}': numbers with and without a sign do not meet; say which is meant")
        return next(kind for kind in (DOUBLE, UNSIGNED, SIGNED, TRUTH) if kind in kinds)

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            given = self.truth(node.operand)
            return self._constant(not given.number) if given.number is not None else Value(TRUTH, (*given.code, "i32.eqz"))
        given = self.value(node.operand)
        if isinstance(node.op, ast.USub):
            if given.number is not None:
                return self._constant(-given.number)
            if given.kind == DOUBLE:
                return Value(DOUBLE, (*given.code, "f64.neg"))
            if given.kind == SIGNED:
                return Value(SIGNED, ("i64.const 0", *given.code, "i64.sub"))
        raise self.error(node, f"there is no translation of '{ast.unparse(node)}'")

    def _binary(self, node: ast.BinOp) -> Value:
        one, other = self.value(node.left), self.value(node.right)
        op = type(node.op)
        if one.number is not None and other.number is not None:
            return self._constant(_FOLDED[op](one.number, other.number))
        if op is ast.Pow and other.number == 2 and one.kind == DOUBLE:
            kept = self.temporary("f64")
            self.spare["f64"].append(kept)
            return Value(DOUBLE, (*one.code, f"local.tee {kept}", f"local.get {kept}", "f64.mul"))
        kind = self._common(node, one, other)
        if op is ast.Div:
            kind = DOUBLE
        elif kind == TRUTH and op in _ARITHMETIC:
            kind = SIGNED
        a, b = self.as_kind(one, kind, node.left), self.as_kind(other, kind, node.right)
        if op in _ARITHMETIC and (kind == DOUBLE or op is not ast.Div):
            return Value(kind, (*a.code, *b.code, f"{wasm(kind)}.{_ARITHMETIC[op]}"))
        if op in _BITS and kind != DOUBLE:
            sign = "" if op is not ast.RShift else "_u" if kind == UNSIGNED else "_s"
            return Value(kind, (*a.code, *b.code, f"{wasm(kind)}.{_BITS[op]}{sign}"))
        if op in (ast.FloorDiv, ast.Mod) and kind == UNSIGNED:
            return Value(kind, (*a.code, *b.code, f"i64.{'div' if op is ast.FloorDiv else 'rem'}_u"))
        if op in (ast.FloorDiv, ast.Mod) and kind == SIGNED and other.number is not None and other.number > 0:
            return self._floored(a, b, op is ast.FloorDiv)
        raise self.error(node, f"there is no translation of '{ast.unparse(node)}'")

    def _floored(self, one: Value, by: Value, quotient: bool) -> Value:
        """A whole number divided by a positive constant, rounded down, or what is left of it."""
        kept = self.temporary("i64")
        rest = [*by.code, "i64.rem_s", *by.code, "i64.add", *by.code, "i64.rem_s"]
        self.spare["i64"].append(kept)
        if not quotient:
            return Value(SIGNED, (*one.code, *rest))
        return Value(SIGNED, (*one.code, f"local.tee {kept}", f"local.get {kept}", *rest, "i64.sub", *by.code, "i64.div_s"))

    def _compared(self, node: ast.Compare) -> Value:
        tests, taken = [], []
        one = self.value(node.left)
        for n, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            other, code = self.value(right), list[str]()
            kind = self._common(node, one, other)
            if type(op) not in _COMPARE:
                raise self.error(node, f"there is no translation of '{ast.unparse(node)}'")
            a, b, how = self.as_kind(one, kind, node), self.as_kind(other, kind, node), _COMPARE[type(op)]
            code = [*a.code, *b.code]
            if n + 1 < len(node.ops) and other.number is None:  # needed again, and computed once
                kept = self.temporary(wasm(kind))
                taken.append((wasm(kind), kept))
                code.append(f"local.tee {kept}")
                other = Value(kind, (f"local.get {kept}",))
            sign = "" if kind == DOUBLE or how in ("eq", "ne") else "_u" if kind in (UNSIGNED, TRUTH) else "_s"
            tests.append([*code, f"{wasm(kind)}.{how}{sign}"])
            one = other
        for wasm_kind, kept in taken:
            self.spare[wasm_kind].append(kept)
        return self._in_turn(tests, every=True)

    def place(self, node: ast.Subscript) -> tuple[Column, list[str], int]:
        """A number of a column: its kind, the instructions for where it lies, and how many bytes behind that."""
        of = self.value(node.value)
        if not isinstance(of.kind, Column):
            raise self.error(node, f"'{ast.unparse(node.value)}' is no column of numbers")
        at = self.value(node.slice)
        if at.number is not None and at.number >= 0:
            return of.kind, [*of.code], 8 * int(at.number)
        if at.kind not in (SIGNED, UNSIGNED) or at.number is not None:
            raise self.error(node, f"'{ast.unparse(node.slice)}' is no whole number")
        return of.kind, [*of.code, *at.code, *_BYTES, "i32.add"], 0

    # ------------------------------------------------------------------------------------------------------ calls

    def _call(self, node: ast.Call) -> Value:
        if node.keywords:
            raise self.error(node, "arguments are given by their place")
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view":
            return self._view(node)
        called, given = self.known(node.func), node.args
        if called is _nothing:
            raise self.error(node, f"'{ast.unparse(node.func)}' is nothing that is known here")
        several = {elementary.select: 3, shifted: 2, **dict.fromkeys((elementary.minimum, elementary.maximum, min, max), 2)}
        taken = several.get(called, 1 if called in _TYPES or called in _OF_ONE else len(given))
        if len(given) != taken or any(isinstance(one, ast.Starred) for one in given):
            raise self.error(node, f"'{ast.unparse(node)}' takes {taken} arguments")
        if called in (elementary.minimum, elementary.maximum, min, max):
            return self._end(node, "lt" if called in (elementary.minimum, min) else "gt")
        if called is elementary.select:
            test, one, other = self.truth(given[0]), self.value(given[1]), self.value(given[2])
            kind = self._common(node, one, other)
            one, other = self.as_kind(one, kind, given[1]), self.as_kind(other, kind, given[2])
            return Value(kind, (*one.code, *other.code, *test.code, "select"))
        if called in _TYPES:
            return self._typed(node, self.value(given[0]), _TYPES[called])
        if called in _OF_ONE:
            one = self.value(given[0])
            if one.kind != DOUBLE:
                raise self.error(node, f"'{ast.unparse(node)}' is of a double")
            return Value(DOUBLE, (*one.code, _OF_ONE[called]))
        if called is shifted:
            of, by = self.value(given[0]), self.as_kind(self.value(given[1]), SIGNED, node)
            return Value(
                Column(of.kind.of, constant=of.kind.constant),
                (*of.code, *by.code, "i32.wrap_i64", "i32.const 3", "i32.shl", "i32.add"),
            )
        if called is np.empty:
            size = self.value(given[0]).number
            if size is None:
                raise self.error(node, "how many numbers there is room for must be known")
            room = Column(_TYPES[self.known(given[1])] if len(given) > 1 else DOUBLE, int(size))
            return Value(room, (f"i32.const {self.module.room(int(size))}",))
        if not (isinstance(called, Source) or inspect.isfunction(getattr(called, "py_func", called))):
            raise self.error(node, f"there is no translation of a call of '{ast.unparse(node.func)}'")
        values = [self.value(a) for a in given]
        if _of_equations(called):
            values = [self.as_kind(v, DOUBLE, a) for v, a in zip(values, given, strict=True)]
        name, gives = self.module.function(called, tuple(v.kind for v in values))
        return Value(gives, (*(line for v in values for line in v.code), f"call {name}"))

    def _typed(self, node: ast.Call, given: Value, kind: str) -> Value:
        if given.number is not None:
            return self._constant({DOUBLE: float, SIGNED: int, UNSIGNED: np.uint64}[kind](given.number))
        if given.kind == DOUBLE and kind in (SIGNED, UNSIGNED):
            return Value(kind, (*given.code, f"i64.trunc_sat_f64_{'s' if kind == SIGNED else 'u'}"))
        return self.as_kind(given, kind, node)

    def _view(self, node: ast.Call) -> Value:
        assert isinstance(node.func, ast.Attribute)
        given, kind = self.value(node.func.value), _TYPES[self.known(node.args[0])]
        if (given.kind == DOUBLE) == (kind == DOUBLE):
            return self.as_kind(given, kind, node)
        return Value(kind, (*given.code, "f64.reinterpret_i64" if kind == DOUBLE else "i64.reinterpret_f64"))

    def _end(self, node: ast.Call, how: str) -> Value:
        """The smaller or larger of two values; of the first the one that passes NaN on."""
        one = self.value(node.args[0])
        first = self.temporary(wasm(one.kind))  # taken while the second is computed
        other = self.value(node.args[1])
        kind = self._common(node, one, other)
        a = self.as_kind(Value(one.kind, (f"local.get {first}",), one.number), kind, node)
        b, code = self.as_kind(other, kind, node), [*one.code, f"local.set {first}"]
        if other.number is None:
            second = self.temporary(wasm(kind))
            code += [*b.code, f"local.set {second}"]
            b = Value(kind, (f"local.get {second}",))
            self.spare[wasm(kind)].append(second)
        self.spare[wasm(one.kind)].append(first)
        sign = "" if kind == DOUBLE else "_s" if kind == SIGNED else "_u"
        return Value(kind, (*code, *b.code, *a.code, *b.code, *a.code, f"{wasm(kind)}.{how}{sign}", "select"))


_nothing = object()
#: What a form may do to the translation that nobody thought of.
UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError)


def _of_equations(function: Callable[..., Any]) -> bool:
    """Whether all arguments of a function are doubles: equations, and arithmetic between them."""
    return getattr(function, "__module__", "") in ("sim.theory.equations", "sim.theory.arithmetic") and not (
        isinstance(function, Source) or "table" in inspect.signature(function).parameters
    )
