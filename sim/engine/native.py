"""From a tuple of steps to machine code: the exchanges of a session for many dyads, one loop a step over a block of them.

The generated module is plain Python that can be read (it lies in the cache folder). It takes a block of dyads, loads their
columns into an array that stays in the processor's cache, runs every step in order for each exchange, each as one loop over the
block which the compiler turns into vector instructions, stores the columns and the session means, and checks that nothing left
its range. The random numbers are those of every other way to ask for them. Wiring is by name (``wiring.resolve``).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import float64, njit
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from sim import luck
from sim.compiling import compiled, generated_module
from sim.elementary import inlined, maximum, minimum, select
from sim.engine.wiring import Wired, Wiring, bounds, trace_columns, wire
from sim.errors import WiringError
from sim.luck import normals_into, purpose_code
from sim.people.apply import arguments
from sim.people.state import DYAD, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.steps import Step

#: Dyads computed together: so many that a loop over them pays, so few that their numbers stay in the processor's first cache.
BLOCK = 128
#: Steps in one compiled function: a longer one compiles more slowly, and shorter ones are more to compile.
_TOGETHER = 12
#: Expression whose SD over a session is below this counts as constant: there is nothing to read in it.
_CONSTANT_FACE = 0.02
#: What is summed over a session for the accuracy of the therapist's reading: name -> what is added at each exchange.
_READING = {
    "s_e": "therapist_estimate", "s_l": "client_arousal", "s_miss": "abs(therapist_estimate - client_arousal)",
    "s_ee": "therapist_estimate * therapist_estimate", "s_ll": "client_arousal * client_arousal",
    "s_el": "therapist_estimate * client_arousal", "s_x": "client_expression", "s_xx": "client_expression * client_expression",
}  # fmt: skip
_READ = ("therapist_estimate", "client_arousal", "client_expression")
_ACCURACY = ("tracking_accuracy", "accuracy_level", "directional_bias")
luck.machine = compiled  # so that the loops of the random draws are kept on disk like all else that is compiled
_ONE_AT_A_TIME = threading.Lock()  # threads of one run ask for the same code at once


def shipped(equation: Callable[..., Any]) -> bool:
    """Whether an equation is part of this package, so that generated text can import it."""
    module = sys.modules.get(equation.__module__)
    return equation.__module__.startswith("sim.") and getattr(module, equation.__name__, None) is equation


# ------------------------------------------------------------------------------- what generated modules call


@inlined
def seen(natural, given):  # type: ignore[no-untyped-def]
    """``given``, or the natural value where nothing (no number) is given."""
    return select(given != given, natural, given)


@register_jitable
def reach(f, slot_of, write, base_row, exchange, forced_row, slot, shift, base, recording, forced, low, high, size):  # type: ignore[no-untyped-def]
    """Let an experiment reach a quantity of the block that was just written: hold it at its course in the baseline, or force it.

    ``write`` says which of the exchange's writes it is; ``base_row``, ``forced_row``: where each dyad's numbers stand there.
    """
    place = slot[write]
    for j in range(size):
        natural = f[slot_of * size + j]
        if place >= 0:
            if recording:
                base[base_row[j], exchange, place] = natural
            else:
                natural = min(max(base[base_row[j], exchange, place] + shift[write], low), high)
        f[slot_of * size + j] = seen(natural, forced[forced_row[j], exchange, write])


@register_jitable
def note(trace, trace_row, exchange, f, slots, n, size):  # type: ignore[no-untyped-def]
    """Copy all quantities of the block to the trace, of the dyads that have a row there."""
    for j in range(n):
        if trace_row[j] >= 0:
            for k in range(slots.size):
                trace[trace_row[j], exchange, k] = f[slots[k] * size + j]


@register_jitable
def outside(f, slots, lows, highs, n, size):  # type: ignore[no-untyped-def]
    """First dyad of the block, and which of ``slots``, whose value is NaN or out of its range; -1 where all is well."""
    wrong = 0
    for k in range(slots.size):
        first, low, high = np.uint64(slots[k] * size), lows[k], highs[k]
        for j in range(size):
            x = f[first + np.uint64(j)]
            wrong += 0 if (x >= low) & (x <= high) else 1
    if wrong:
        for j in range(n):
            for k in range(slots.size):
                x = f[slots[k] * size + j]
                if not (x >= lows[k] and x <= highs[k]):
                    return j, k
    return -1, -1


@register_jitable
def answered(f, response, score, streams, z, again, items, low, high, item_sd, times, size):  # type: ignore[no-untyped-def]
    """Mean response of the block over a questionnaire's items, whose true response stands in the slot ``response``."""
    first, into = np.uint64(response * size), np.uint64(score * size)
    for j in range(np.uint64(0), np.uint64(size)):
        f[into + j] = 0.0
    for item in range(items):
        normals_into(z, streams, np.uint64(item), again)
        for j in range(np.uint64(0), np.uint64(size)):
            x = np.floor(f[first + j] + item_sd * z[j] + 0.5)
            f[into + j] += minimum(maximum(x, low), high)
    for j in range(np.uint64(0), np.uint64(size)):
        f[into + j] = times * (f[into + j] / items)


@inlined
def tracking(n, s_e, s_l, s_ee, s_ll, s_el, s_x, s_xx):  # type: ignore[no-untyped-def]
    """Correlation of the therapist's estimate with the client's arousal in a session; 0 by rule where expression is constant."""
    spread = (n * s_ee - s_e * s_e) * (n * s_ll - s_l * s_l)
    found = (n * s_el - s_e * s_l) / np.sqrt(select(spread > 1e-12, spread, 1.0))
    there = (spread > 1e-12) & (n * s_xx - s_x * s_x > _CONSTANT_FACE * _CONSTANT_FACE * n * n)
    return select(there, minimum(maximum(found, -1.0), 1.0), 0.0)


# ------------------------------------------------------------------------------------------------ the text


class Slots(dict[str, int]):
    """Places of quantities in the block's array: each has as many numbers there as the block has people."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def at(self, name: str) -> str:
        """What stands for the quantity of person or dyad ``j`` in the text."""
        return f"f[_{self[name]} + j]"

    def all(self, name: str) -> str:
        """What stands for the quantity of the whole block."""
        return f"f[{self[name]} * B:{self[name] + 1} * B]"


def loop(*lines: str, indent: str = "    ") -> list[str]:
    """Lines that are done for everybody of the block."""
    return [f"{indent}for j in range(NONE, ALL):", *(f"{indent}    {line}" for line in lines)]


def head(wired: Sequence[Wired], wiring: Wiring, slots: Slots, block: int) -> list[str]:
    """The first lines of a module: what it calls, where quantities stand, and the purposes of its draws."""
    ours = [w for w in wired if shipped(w.step.equation)]
    return [
        '"""Generated from tuples of steps; do not edit."""',
        "import numpy as np",
        "from numba import njit",
        "from sim.luck import absorbed, normals_into, occasion, uniforms_into",
        "from sim.engine.native import answered, note, outside, reach, seen, tracking",
        *dict.fromkeys(f"from {w.step.equation.__module__} import {w.step.equation.__name__} as {w.function}" for w in ours),
        f"B = {block}",
        f"N_SLOTS = {len(slots)}",
        "NONE, ALL, FIRST = np.uint64(0), np.uint64(B), np.uint64(0)",
        *(f"_{k} = np.uint64({k} * B)" for k in range(len(slots))),
        *(f"PURPOSE_{name} = np.uint64({int(purpose_code(draw.purpose))})" for name, draw in wiring.draws.items()),
    ]


def parameters_of(w: Wired) -> list[str]:
    """Lines that take a step's parameters out of the record."""
    return [f"    {v} = p.{v[2:]}" for v in dict.fromkeys(w.variables) if v.startswith("p_")]


def in_parts(name: str, kind: str, passed: str, steps: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Functions of some steps each, and the calls of them one after the other."""
    out, calls = [], []
    for n in range(0, len(steps), _TOGETHER):
        calls.append(f"{name}_{n // _TOGETHER}({passed})")
        out += ["", "", kind, f"def {name}_{n // _TOGETHER}({passed}):"]
        out += [line for lines in steps[n : n + _TOGETHER] for line in lines]
    return out, calls


def checked_ranges(name: str, quantities: Sequence[str], columns: Mapping[str, Column], slots: Slots) -> list[str]:
    """Arrays of places, columns and valid ranges of what is checked."""
    index = {one: k for k, one in enumerate(columns)}
    what = {"SLOTS": [slots[q] for q in quantities], "COLUMN": [index[q] for q in quantities]}
    ends = {"LOW": [columns[q].low for q in quantities], "HIGH": [columns[q].high for q in quantities]}
    lines = [f"{name}_{key} = np.array({values!r}, np.int64)" for key, values in what.items()]
    return lines + [f"{name}_{key} = np.array({[float(v) for v in values]!r}".replace("inf", "np.inf") + ")"
                    for key, values in ends.items()]  # fmt: skip


@dataclass
class Exchanges:
    """The exchanges of a session as text: ``functions``, of which ``exchanges`` does all of a block whose ``loaded`` columns
    stand in their ``slots``; what it leaves there: columns of the state (``kept``), session means, accuracy."""

    wired: list[Wired]
    wiring: Wiring
    slots: Slots
    loaded: list[str]
    kept: list[str]
    means: list[str]
    accuracy: tuple[str, ...]
    functions: list[str]
    call: str
    own: bool  # whether all equations are of this package

    @property
    def stored(self) -> list[str]:
        """Every column that it leaves."""
        return [*self.kept, *(f"mean_{m}" for m in self.means), *self.accuracy]


def exchanges(steps: tuple[Step, ...], parameters: Iterable[str], columns: Mapping[str, Column], intervened: bool) -> Exchanges:
    """The text of the exchanges of a block."""
    wired, wiring = wire(steps, parameters, columns)
    if intervened and "session" in columns:
        wiring.read["session"] = None
    kept = [q for q in wiring.written if q in columns]
    loaded = list(dict.fromkeys([*wiring.read, *kept]))
    means = [m for m in wiring.written if f"mean_{m}" in columns]
    reads = {"therapist_attunement", *_READ} <= wiring.written.keys() and set(_ACCURACY) <= columns.keys()
    moment = next((n for n, w in enumerate(wired) if w.step.writes == ("therapist_attunement",)), -1) if reads else -1
    sums = [*(f"sum_{m}" for m in means), *(_READING if moment >= 0 else ())]
    slots = Slots()
    for name in (*loaded, *sums, *wiring.draws, *trace_columns(steps)):
        slots[name]
    one = Exchanges(wired, wiring, slots, loaded, kept, means, _ACCURACY if moment >= 0 else (), [], "",
                    all(shipped(w.step.equation) for w in wired))  # fmt: skip
    for name in one.stored:
        slots[name]
    kind = f"@njit(cache={one.own}, nogil=True, error_model='numpy')"
    passed = "f, p, exchange" + (f"{_REACHING}, ids, forced_row" if intervened else "")
    one.functions, calls = in_parts("steps", kind, passed, _steps(wired, slots, columns, means, moment, intervened))
    one.call = "f, p, n_exchanges, client_here, pair_here, streams, again, followed, trace, trace_row_here, nb"
    one.call = f"exchanges({one.call}{f'{_REACHING}, ids, forced_row' if intervened else ''})"
    out = ["", "", f"TRACED = np.array({[slots[q] for q in trace_columns(steps)]!r}, np.int64)", "", "", kind, f"def {one.call}:"]
    for k, (name, draw) in enumerate(wiring.draws.items()):
        out += loop(f"streams[j + np.uint64({k} * B)] = absorbed({draw.whose}_here[j], PURPOSE_{name})")
    if sums:
        out += [f"    f[{slots[sums[0]]} * B:{slots[sums[-1]] + 1} * B] = 0.0"]
    out += ["    for exchange in range(n_exchanges):", "        step = np.uint64(exchange)"]
    for k, (name, draw) in enumerate(wiring.draws.items()):
        fill, more = ("normals_into", ", again") if draw.kind == "normal" else ("uniforms_into", "")
        out += [f"        {fill}({slots.all(name)}, streams[{k} * B:{k + 1} * B], step{more})"]
    out += [f"        {call}" for call in calls]
    out += [
        "        if followed:",
        "            note(trace, trace_row_here, exchange, f, TRACED, nb, B)",
        "    n = float(n_exchanges)",
    ]
    for m in means:
        out += loop(f"{slots.at('mean_' + m)} = {slots.at('sum_' + m)} / n")
    if one.accuracy:
        s = {name: slots.at(name) for name in _READING}
        for_tracking = ", ".join(s[name] for name in ("s_e", "s_l", "s_ee", "s_ll", "s_el", "s_x", "s_xx"))
        out += loop(f"{slots.at('tracking_accuracy')} = tracking(n, {for_tracking})")
        out += loop(f"{slots.at('accuracy_level')} = 1.0 - {s['s_miss']} / n")
        out += loop(f"{slots.at('directional_bias')} = ({s['s_e']} - {s['s_l']}) / n")
    one.functions += out
    return one


#: What a form with interventions takes beside the rest.
_REACHING = ", off, cut, touched, slot, shift, base, recording, forced"


def _steps(wired: Sequence[Wired], slots: Slots, columns: Mapping[str, Column], means: Sequence[str], moment: int,
           intervened: bool) -> list[list[str]]:  # fmt: skip
    """The loops of one exchange, a step each."""
    written_last = {quantity: n for n, w in enumerate(wired) for quantity in w.step.writes}
    out: list[list[str]] = []
    link = write = 0
    for n, w in enumerate(wired):
        before, after, variables = parameters_of(w), [], []
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
                          f"recording, forced, {low}, {high}, B)"]  # fmt: skip
            write += 1
        if intervened:
            before.append(f"    off_{n} = off[{n}]")
        sums = [f"{slots.at('sum_' + q)} += {slots.at(q)}" for q in w.step.writes if q in means and written_last[q] == n]
        if n == moment:
            sums += [f"{name} = {slots.at(name)}" for name in _READ]
            sums += [f"{slots.at(name)} += {more}" for name, more in _READING.items()]
        lines = [f"    # {w.step.name}", *before, *loop(*inside, *(() if after else sums))]
        out.append([*lines, *after, *(loop(*sums) if after and sums else ())])
    return out


#: A block of dyads: who they are, and where their random numbers begin.
_WHO = [
    "    for first in range(0, rows.size, B):",
    "        nb = min(B, rows.size - first)",
    "        followed = False",
    "        for jj in range(B):  # a block that is not full is filled up with its last dyad",
    "            i = rows[first + min(jj, nb - 1)]",
    "            ids[jj], trace_row_here[jj] = i, trace_row[i]",
    "            followed |= trace_row[i] >= 0",
]
_ROOM = [
    "    p = parameters[0]",
    "    f = np.empty(N_SLOTS * B)",
    "    client_here, pair_here = np.empty(B, np.uint64), np.empty(B, np.uint64)",
    "    again, ids, trace_row_here = np.empty(B, np.int64), np.empty(B, np.int64), np.empty(B, np.int64)",
]
#: What comes in and goes out of an exchange is looked at; who failed first is told, and those before come first.
_COMES_IN = [
    "        failed, which = outside(f, IN_SLOTS, IN_LOW, IN_HIGH, nb, B)",
    "        if failed >= 0:",
    "            nb, which = failed, IN_COLUMN[which]",
]
_GOES_OUT = [
    "        late, what = outside(f, OUT_SLOTS, OUT_LOW, OUT_HIGH, nb, B)",
    "        if late >= 0:",
    "            failed, which = late, OUT_COLUMN[what]",
]


def mean_is_no_number(one: Exchanges, columns: Mapping[str, Column]) -> list[str]:
    """Lines that stop at a dyad of which a session mean is NaN."""
    if not one.means:
        return []
    total = " + ".join(f"f[{one.slots[f'sum_{m}']} * B + jj]" for m in one.means)
    return ["        for jj in range(nb if late < 0 else late):",
            f"            if not ({total} < np.inf):",
            f"                return ids[jj], {list(columns).index('mean_' + one.means[0])}"]  # fmt: skip


def source(steps: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS),
           columns: Mapping[str, Column] = DYAD, intervened: bool = False, block: int = BLOCK) -> str:  # fmt: skip
    """The text of the module that runs ``steps``: its ``sessions`` does the exchanges of a session for some rows of the dyads.

    Dyads with a row in the trace leave a copy of every quantity at every exchange there. ``intervened``: the same exchange with a
    place to reach in at every link and quantity (see ``interventions``); a function of its own, since that costs time.
    ``block``: how many dyads are computed together, which changes no number.
    """
    one = exchanges(steps, parameters, columns, intervened)
    slots, index = one.slots, {name: i for i, name in enumerate(columns)}
    out = head(one.wired, one.wiring, slots, block)
    out += checked_ranges("IN", one.loaded, columns, slots) + checked_ranges("OUT", one.kept, columns, slots)
    out += one.functions
    out += [
        "",
        "",
        f"@njit(cache={one.own}, nogil=True, error_model='numpy')",
        "def sessions(data, rows, client_who, pair_who, week, seed, replicate, parameters, n_exchanges, trace_row, trace"
        f"{_REACHING if intervened else ''}):",
        *_ROOM,
        f"    streams, forced_row = np.empty({max(len(one.wiring.draws), 1)} * B, np.uint64), np.zeros(B, np.int64)",
        *_WHO,
        "            client_here[jj] = occasion(seed, replicate, client_who[i], week)",
        "            pair_here[jj] = occasion(seed, replicate, pair_who[i], week)",
    ]
    for q in one.loaded:
        out += loop(f"{slots.at(q)} = data[{index[q]}, ids[j]]", indent="        ")
    out += _COMES_IN
    if intervened:
        out += ["        for jj in range(B):",
                f"            session = int(f[{slots['session']} * B + jj])",
                "            forced_row[jj] = session if session < forced.shape[0] else 0"]  # row 0 is empty # fmt: skip
    out += [f"        {one.call}"]
    for q in one.stored:
        out += ["        for jj in range(nb):", f"            data[{index[q]}, ids[jj]] = f[{slots[q]} * B + jj]"]
    out += [*_GOES_OUT, *mean_is_no_number(one, columns)]
    out += ["        if failed >= 0:", "            return rows[first + failed], which", "    return -1, -1", ""]
    return "\n".join(out)


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
            return _compiled_here(text, theirs)
    return generated_module("intervened" if intervened else "exchange", text).sessions


@lru_cache(maxsize=16)
def _compiled_here(text: str, theirs: tuple[tuple[str, Step], ...]) -> Callable[..., Any]:
    """The function of a generated text that calls these equations of somebody else's."""
    known: dict[str, Any] = {}
    for name, step in theirs:
        equation: Any = step.equation if hasattr(step.equation, "py_func") else njit(step.equation)
        try:
            equation.compile((float64,) * len(arguments(step.equation)))
        except NumbaError as error:
            advice = "use arithmetic, if, and NumPy's functions of single numbers"
            raise WiringError(f"step {step.name} cannot be compiled; {advice} ({' '.join(str(error).split())[:300]})") from None
        known[name] = equation
    exec(compile(text, "<exchange of a changed model>", "exec"), known)
    return known["sessions"]
