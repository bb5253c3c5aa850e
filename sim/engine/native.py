"""From a tuple of steps to machine code: the exchanges of a session for many dyads, one loop a step over a block of them.

The generated module is plain Python that can be read (it lies in the cache folder). It takes a block of dyads, loads their
columns into an array that stays in the processor's cache, runs every step in order for each exchange, each as one loop over the
block which the compiler turns into vector instructions, stores the columns and the session means, and checks that nothing left
its range. The random numbers are those of every other way to ask for them. Wiring is by name (``wiring.resolve``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numba import float64, njit, types
from numba.core.errors import NumbaError

from sim import luck
from sim.compiling import compiled, generated_module
from sim.engine.blocks import MOST, REACHING, addresses, helpers, still_helpers
from sim.engine.wiring import (
    ACCURACY,
    READ,
    READING,
    Wired,
    bounds,
    moment_of_reading,
    not_as_written,
    shipped,
    trace_columns,
    wire,
)
from sim.errors import WiringError
from sim.luck import purpose_code
from sim.people.apply import arguments
from sim.people.state import DYAD, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import intact
from sim.theory.steps import Draw, Step

#: What every generated module may call, by address.
HELPERS = ("normals", "uniforms", "answer")
#: Dyads computed together: so many that a loop over them pays, so few that their numbers stay in the processor's first cache.
BLOCK = 128
#: Steps in one compiled function: a longer one compiles more slowly, and shorter ones are more to compile.
_TOGETHER = 24
luck.machine = compiled  # so that the loops of the random draws are kept on disk like all else that is compiled
_ONE_AT_A_TIME = threading.Lock()  # threads of one run ask for the same code at once


# ------------------------------------------------------------------------------------------------ the text


class Slots(dict[str, int]):
    """Places of quantities in the block's array: each has as many numbers there as the block has people."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def at(self, name: str) -> str:
        """What stands for the quantity of person or dyad ``j`` in the text."""
        return f"f[_{self[name]} + j]"


def loop(*lines: str, indent: str = "    ") -> list[str]:
    """Lines that are done for everybody of the block."""
    return [f"{indent}for j in range(NONE, sixteens * SIXTEEN):", *(f"{indent}    {line}" for line in lines)]


@dataclass
class Text:
    """A generated module: where quantities stand, how parameters are numbered, its functions.

    ``parameters``: names of all numbers that the module takes, in order. ``cached``: whether all equations are of this package,
    so that the machine code can be kept on disk. ``block``: how many people are computed together, which changes no number.
    """

    parameters: tuple[str, ...]
    cached: bool = True
    block: int = BLOCK
    slots: Slots = field(default_factory=Slots)
    wired: list[Wired] = field(default_factory=list)
    draws: dict[str, Draw] = field(default_factory=dict)
    constants: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # functions that are called by address, behind the helpers

    def taken(self, w: Wired) -> list[str]:
        """Lines that take a step's parameters out of the array."""
        return [f"    {v} = {self.parameter(v[2:])}" for v in dict.fromkeys(w.variables) if v.startswith("p_")]

    def parameter(self, name: str) -> str:
        """What stands for a parameter, or the strength of a region."""
        return f"p[{self.parameters.index(name)}]"

    def add_parts(self, name: str, arguments: tuple[str, ...], steps: Sequence[Sequence[str]]) -> list[str]:
        """Functions of some steps each; returns the calls of them one after the other."""
        out = []
        for n in range(0, len(steps), _TOGETHER):
            part, given = f"{name}_{n // _TOGETHER}", ", ".join(arguments)
            out.append(f"call(calls[{part.upper()}], ({given}))")
            self.parts.append(part)
            self.functions += ["", "", f"@njit(signature({arguments!r}), {self._how})", f"def {part}({given}):"]
            self.functions += ["    n = 16 * np.int64(sixteens)"]
            self.functions += [line for lines in steps[n : n + _TOGETHER] for line in lines]
        return out

    @property
    def _how(self) -> str:
        return f"cache={self.cached}, nogil=True, error_model='numpy'"

    def whole(self, name: str, arguments: tuple[str, ...], lines: Sequence[str], gives: str = "FAULT") -> str:
        """The text, with the function ``name`` that is called from outside; ``PARTS`` are the functions that it calls."""
        ours = dict.fromkeys(
            f"from {w.step.equation.__module__} import {w.step.equation.__name__} as {w.function}"
            for w in self.wired if shipped(w.step.equation)
        )  # fmt: skip
        functions, taken = "".join(f"{part}, " for part in self.parts), (*arguments, "calls", "f")
        return "\n".join([
            '"""Generated from tuples of steps; do not edit."""', "import numpy as np", "from numba import njit, types",
            "from sim.elementary import maximum, minimum", "from sim.luck import absorbed, occasion",
            "from sim.engine.blocks import FAULT, NOTHING, averages, call, gather, note, outside, reach",
            "from sim.engine.blocks import scatter, seen, signature, tracking",
            "from sim.theory.arithmetic import mean_of_three", *ours,
            f"B = {16 * (-(-self.block // 16))}", f"NUMBERS = {len(self.slots)} * B",
            "NONE, FIRST, SIXTEEN = np.uint64(0), np.uint64(0), np.uint64(16)",
            *(f"_{k} = np.uint64({k} * B)" for k in range(max(len(self.slots), len(self.draws), 6))),
            *(f"PURPOSE_{name} = np.uint64({int(purpose_code(draw.purpose))})" for name, draw in self.draws.items()),
            *(f"{part.upper()} = {place}" for place, part in enumerate((*HELPERS, *self.parts))),
            *self.constants, *self.functions, "", "",
            f"@njit(signature({taken!r}, {gives}), {self._how})",
            f"def {name}({', '.join(taken)}):", *lines, "", "",
            f"PARTS = ({functions})", "",
        ])  # fmt: skip

    def moved(
        self, how: str, name: str, table: str, quantities: Sequence[str], rows: str, index: Mapping[str, int] | None = None
    ) -> str:
        """The line that gathers quantities from a table's columns, or scatters them there; ``rows``: the rows, and how many.

        ``index``: where columns stand there; without it the table has just these.
        """
        slots = [self.slots[q] for q in quantities]
        columns = list(range(len(slots))) if index is None else [index[q] for q in quantities]
        self.constants += [f"{name}_SLOTS = np.array({slots!r}, np.int64)", f"{name}_COLUMNS = np.array({columns!r}, np.int64)"]
        return f"        {how}(f, {name}_SLOTS, {table}, {name}_COLUMNS, {rows}, {'nb' if how == 'scatter' else 'n'}, B)"

    def ranges(self, name: str, quantities: Sequence[str], columns: Mapping[str, Column]) -> None:
        """Arrays of places, columns and valid ranges of what is checked."""
        index = {one: k for k, one in enumerate(columns)}
        what = {"SLOTS": [self.slots[q] for q in quantities], "COLUMN": [index[q] for q in quantities]}
        ends = {"LOW": [float(columns[q].low) for q in quantities], "HIGH": [float(columns[q].high) for q in quantities]}
        self.constants += [f"{name}_{key} = np.array({values!r}, np.int64)" for key, values in what.items()]
        self.constants += [f"{name}_{key} = np.array({values!r})".replace("inf", "np.inf") for key, values in ends.items()]


@dataclass
class Exchanges:
    """The exchanges of a session, within the loop over blocks of a module: ``lines``, before which the ``loaded`` columns must
    stand in their slots; what they leave there: columns of the state (``kept``), session means, accuracy."""

    loaded: list[str]
    kept: list[str]
    means: list[str]
    accuracy: tuple[str, ...]
    lines: list[str]

    @property
    def stored(self) -> list[str]:
        """Every column that they leave."""
        return [*self.kept, *(f"mean_{m}" for m in self.means), *self.accuracy]


def exchanges(text: Text, steps: tuple[Step, ...], columns: Mapping[str, Column], intervened: bool = False) -> Exchanges:
    """Add the exchanges of a block to a module."""
    slots, (wired, wiring) = text.slots, wire(steps, text.parameters, columns)
    if intervened and "session" in columns:
        wiring.read["session"] = None
    kept = [q for q in wiring.written if q in columns]
    loaded = list(dict.fromkeys([*wiring.read, *kept]))
    means = [m for m in wiring.written if f"mean_{m}" in columns]
    moment = moment_of_reading(steps, columns)
    sums = [*(f"sum_{m}" for m in means), *(READING if moment >= 0 else {})]
    one = Exchanges(loaded, kept, means, tuple(ACCURACY) if moment >= 0 else (), [])
    for name in (*loaded, *sums, *wiring.draws, *trace_columns(steps), *one.stored):
        slots[name]
    text.wired += wired
    arguments = ("f", "p", "sixteens", "exchange", *((*REACHING, "ids", "forced_row") if intervened else ()))
    calls = text.add_parts("steps", arguments, _steps(text, wired, columns, means, moment, intervened))
    text.constants += [f"TRACED = np.array({[slots[q] for q in trace_columns(steps)]!r}, np.int64)"]
    text.draws |= wiring.draws
    out: list[str] = []
    for k, (name, draw) in enumerate(wiring.draws.items()):
        out += loop(f"streams[_{k} + j] = absorbed(here[{HERE[draw.whose]} + j], PURPOSE_{name})", indent="        ")
    if sums:
        out += [f"        f[{slots[sums[0]]} * B:{slots[sums[-1]] + 1} * B] = 0.0"]
    out += ["        for exchange in range(n_exchanges):", "            step = np.uint64(exchange)"]
    for k, (name, draw) in enumerate(wiring.draws.items()):
        out += [f"            call(calls[{draw.kind.upper()}S], (f, {slots[name]}, streams, {k} * B, step, again, n, B))"]
    out += [f"            {call}" for call in calls]
    out += ["            if followed:", "                note(trace, trace_row_here, exchange, f, TRACED, nb, B)"]
    out += ["        averages(f, SUM_SLOTS, MEAN_SLOTS, n_exchanges, n, B)"]
    if one.accuracy:
        s = {name: slots.at(name) for name in READING}
        for name, formula in ACCURACY.items():
            out += loop(f"{slots.at(name)} = {formula.format(n='float(n_exchanges)', **s)}", indent="        ")
    text.ranges("IN", loaded, columns)
    text.ranges("OUT", kept, columns)
    text.ranges("MEAN", [f"mean_{m}" for m in means], {name: replace(one, low=-MOST, high=MOST) for name, one in columns.items()})
    text.constants += [f"SUM_SLOTS = np.array({[slots[f'sum_{m}'] for m in means]!r}, np.int64)"]
    one.lines = [*_COMES_IN, *(_FORCED.format(session=slots["session"]).splitlines() if intervened else ()), *out, *_GOES_OUT]
    return one


def _steps(text: Text, wired: Sequence[Wired], columns: Mapping[str, Column], means: Sequence[str], moment: int,
           intervened: bool) -> list[list[str]]:  # fmt: skip
    """The loops of one exchange, a step each."""
    slots, written_last = text.slots, {quantity: n for n, w in enumerate(wired) for quantity in w.step.writes}
    out: list[list[str]] = []
    link = write = 0
    for n, w in enumerate(wired):
        before, after, variables = text.taken(w), [], []
        for variable, is_quantity in zip(w.variables, w.quantities, strict=True):
            name = slots.at(variable) if variable in slots else variable
            if is_quantity and intervened:
                before.append(f"    cut_{link} = cut[{link}]")
                name = f"seen({name}, cut_{link})"
            variables.append(name)
            link += is_quantity
        new = [f"new_{k}" for k in range(len(w.step.writes))]
        inside = [f"{', '.join(new)} = {w.function}({', '.join(variables)})"]
        for name, quantity in zip(new, w.step.writes, strict=True):
            there = slots.at(quantity) if w.updates else "0.0"
            inside.append(f"{slots.at(quantity)} = {f'{there} if off_{n} else {name}' if intervened else name}")
            if intervened:
                low, high = (f"np.{v}" if v == float("inf") else repr(float(v)) for v in bounds(quantity, columns))
                after += [f"    if touched[{write}]:",
                          f"        reach(f, {slots[quantity]}, {write}, ids, exchange, forced_row, slot, shift, base, "
                          f"recording, forced, {low}, {high}, n, B)"]  # fmt: skip
            write += 1
        if intervened:
            before.append(f"    off_{n} = off[{n}]")
        sums = [f"{slots.at('sum_' + q)} += {slots.at(q)}" for q in w.step.writes if q in means and written_last[q] == n]
        if n == moment:
            sums += [f"{name} = {slots.at(name)}" for name in READ]
            sums += [f"{slots.at(name)} += {more.format(*READ)}" for name, more in READING.items()]
        lines = [f"    # {w.step.name}", *before, *loop(*inside, *(() if after else sums))]
        out.append([*lines, *after, *(loop(*sums) if after and sums else ())])
    return out


#: Where in a block the random numbers of each begin: those of this week, and those that are drawn once.
HERE = {"client": "_0", "therapist": "_1", "pair": "_2", "person": "_0"}
ALWAYS = {"client": "_3", "therapist": "_4", "pair": "_5", "person": "_3"}
#: Room for a block, and who is in it.
ROOM = [
    "    noise = np.empty(B)",
    "    here, again, ids = np.empty(6 * B, np.uint64), np.empty(B, np.int64), np.empty(B, np.int64)",
    "    trace_row_here, forced_row = np.empty(B, np.int64), np.zeros(B, np.int64)",
]
#: A block that is not full is filled up with its last one, to whole vectors.
FILLED = """        nb = min(B, {all} - first)
        sixteens = np.uint64((nb + 15) // 16)
        n = 16 * ((nb + 15) // 16)"""
WHO = [
    "    for first in range(0, rows.size, B):",
    *FILLED.format(all="rows.size").splitlines(),
    "        followed = False",
    "        for jj in range(n):",
    "            i = rows[first + min(jj, nb - 1)]",
    "            ids[jj], trace_row_here[jj] = i, trace_row[i]",
    "            followed |= trace_row[i] >= 0",
]
#: What comes in and goes out of an exchange is looked at; who failed first is told, and those before come first.
_COMES_IN = [
    "        fault = 0.0",
    "        failed, which = outside(f, IN_SLOTS, IN_LOW, IN_HIGH, nb, n, B)",
    "        if failed >= 0:",
    "            fault = f[IN_SLOTS[which] * B + failed]",
    "            nb, which = failed, IN_COLUMN[which]",
]
_GOES_OUT = [
    line
    for name in ("OUT", "MEAN")
    for line in (
        f"        late, what = outside(f, {name}_SLOTS, {name}_LOW, {name}_HIGH, nb, n, B)",
        "        if late >= 0:",
        f"            fault = f[{name}_SLOTS[what] * B + late]",
        f"            nb, failed, which = late, late, {name}_COLUMN[what]",
    )
]
#: Who failed is told, and the value that is at fault can be read in its place.
GIVE_UP = [
    "        if failed >= 0:",
    "            data[which, rows[first + failed]] = fault",
    "            return rows[first + failed], which",
]
_FORCED = """        for jj in range(n):  # row 0 of what is forced is empty
            session = int(f[{session} * B + jj])
            forced_row[jj] = session if session < forced.shape[0] else 0"""


def source(steps: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS),
           columns: Mapping[str, Column] = DYAD, intervened: bool = False, block: int = BLOCK) -> str:  # fmt: skip
    """The text of the module that runs ``steps``: its ``sessions`` does the exchanges of a session for some rows of the dyads.

    Dyads with a row in the trace leave a copy of every quantity at every exchange there. ``intervened``: the same exchange with a
    place to reach in at every link and quantity (see ``interventions``); a function of its own, since that costs time.
    ``block``: how many dyads are computed together, which changes no number.
    """
    text = Text((*parameters, *intact()), all(shipped(step.equation) for step in steps), block)
    index = {name: i for i, name in enumerate(columns)}
    one = exchanges(text, steps, columns, intervened)
    out = [
        *ROOM, f"    streams = np.empty({max(len(text.draws), 1)} * B, np.uint64)", *WHO,
        "            here[jj] = occasion(seed, replicate, client_code[i], week)",
        "            here[2 * B + jj] = occasion(seed, replicate, pair_code[i], week)",
    ]  # fmt: skip
    out += [text.moved("gather", "LOADED", "data", one.loaded, "ids", index), *one.lines]
    out += [text.moved("scatter", "STORED", "data", one.stored, "ids", index), *GIVE_UP, "    return NOTHING"]
    return text.whole("sessions", (*_TAKEN, *(REACHING if intervened else ())), out)


_TAKEN = ("data", "rows", "client_code", "pair_code", "week", "seed", "replicate", "p", "n_exchanges", "trace_row", "trace")


@lru_cache(maxsize=16)
def kernel(steps: tuple[Step, ...], parameters: tuple[str, ...] = tuple(PARAMETERS),
           columns: tuple[Column, ...] = tuple(DYAD.values()), intervened: bool = False) -> Callable[..., Any]:  # fmt: skip
    """The compiled function ``sessions`` for these steps; the first use compiles (seconds) or loads from disk.

    A model with equations of somebody else's is compiled again in each process: what those do may change under the same
    name, which nothing kept on disk would notice.
    """
    declared = {c.name: c for c in columns}
    text = source(steps, parameters, declared, intervened)
    theirs = tuple((w.function, w.step) for w in wire(steps, parameters, declared)[0] if not shipped(w.step.equation))
    if theirs:
        with _ONE_AT_A_TIME:
            known = _compiled_here(text, theirs)
            return handed(known["sessions"], known["PARTS"], known["NUMBERS"])
    module = generated_module("intervened" if intervened else "exchange", text)
    return handed(module.sessions, module.PARTS, module.NUMBERS)


def handed(function: Callable[..., Any], parts: tuple[Any, ...], numbers: int) -> Callable[..., Any]:
    """A generated function that is handed the addresses of what it calls, and room for the ``numbers`` of a block, which each
    thread keeps; ``compiled`` is the function itself.

    It takes one thing more: ``still``, whether every random number stands at its mean instead of being drawn.
    """
    calls, room = [addresses((*helpers(), *parts))], threading.local()

    def run(*given: Any, still: bool = False) -> Any:
        if still and len(calls) == 1:
            calls.append(addresses((*still_helpers(), *parts)))
        if not hasattr(room, "f"):
            room.f = np.empty(numbers)
        return function(*given, calls[still], room.f)

    run.compiled = function  # type: ignore[attr-defined]
    return run


@lru_cache(maxsize=16)
def _compiled_here(text: str, theirs: tuple[tuple[str, Step], ...]) -> dict[str, Any]:
    """What a generated text defines that calls these equations of somebody else's."""
    known: dict[str, Any] = {}
    for name, step in theirs:
        equation: Any = step.equation if hasattr(step.equation, "py_func") else njit(error_model="numpy")(step.equation)
        try:
            equation.compile((float64,) * len(arguments(step.equation)))
        except NumbaError as error:
            advice = "use arithmetic, if, and NumPy's functions of single numbers"
            raise WiringError(f"step {step.name} cannot be compiled; {advice} ({' '.join(str(error).split())[:300]})") from None
        gives = next(iter(equation.overloads.values())).signature.return_type
        each = [*gives] if isinstance(gives, types.BaseTuple) else [gives]
        if odd := [one for one in each if not isinstance(one, (types.Number, types.Boolean))]:
            raise WiringError(f"step {step.name}: its equation must give numbers in every case, and gives {odd[0]}")
        if len(each) != len(step.writes):
            raise not_as_written(step)
        known[name] = equation
    exec(compile(text, "<exchange of a changed model>", "exec"), known)
    return known
