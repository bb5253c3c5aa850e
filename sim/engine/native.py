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
from functools import lru_cache
from typing import Any

import numpy as np
from numba import float64, njit
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from sim import luck
from sim.compiling import compiled, generated_module
from sim.elementary import inlined, maximum, minimum, select
from sim.engine.wiring import Wired, Wiring, bounds, trace_columns, whose_luck, wire
from sim.errors import WiringError
from sim.luck import purpose_code
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


@inlined
def tracking(n, s_e, s_l, s_ee, s_ll, s_el, s_x, s_xx):  # type: ignore[no-untyped-def]
    """Correlation of the therapist's estimate with the client's arousal in a session; 0 by rule where expression is constant."""
    spread = (n * s_ee - s_e * s_e) * (n * s_ll - s_l * s_l)
    found = (n * s_el - s_e * s_l) / np.sqrt(select(spread > 1e-12, spread, 1.0))
    there = (spread > 1e-12) & (n * s_xx - s_x * s_x > _CONSTANT_FACE * _CONSTANT_FACE * n * n)
    return select(there, minimum(maximum(found, -1.0), 1.0), 0.0)


# ------------------------------------------------------------------------------------------------ the text


class Slots(dict[str, int]):
    """Places of quantities in the block's array: each has as many numbers there as the block has dyads."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]

    def at(self, name: str) -> str:
        """What stands for the quantity of dyad ``j`` in the text."""
        return f"f[_{self[name]} + j]"


def _loop(*lines: str, indent: str = "    ") -> list[str]:
    return [f"{indent}for j in range(NONE, ALL):", *(f"{indent}    {line}" for line in lines)]


def _moment(wired: Sequence[Wired], wiring: Wiring) -> int:
    """The step after which the therapist's reading of the client is summed up; -1 where there is none."""
    if not {"therapist_attunement", *_READ} <= wiring.written.keys():
        return -1
    return next((n for n, w in enumerate(wired) if w.step.writes == ("therapist_attunement",)), -1)


def _steps(wired: Sequence[Wired], slots: Slots, columns: Mapping[str, Column], means: Sequence[str], moment: int,
           intervened: bool) -> list[list[str]]:  # fmt: skip
    """The loops of one exchange, a step each."""
    written_last = {quantity: n for n, w in enumerate(wired) for quantity in w.step.writes}
    out: list[list[str]] = []
    link = write = 0
    for n, w in enumerate(wired):
        inside, before, after, variables = [], [], [], []
        for variable, is_quantity in zip(w.variables, w.quantities, strict=True):
            if variable.startswith("p_"):
                before.append(f"{variable} = p.{variable[2:]}")
            name = slots.at(variable) if variable in slots else variable
            if is_quantity and intervened:
                before.append(f"cut_{link} = cut[{link}]")
                name = f"seen({name}, cut_{link})"
            variables.append(name)
            link += is_quantity
        new = [f"new_{k}" for k in range(len(w.step.writes))]
        inside.append(f"{', '.join(new)} = {w.function}({', '.join(variables)})")
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
            before.append(f"off_{n} = off[{n}]")
        sums = [f"{slots.at('sum_' + q)} += {slots.at(q)}" for q in w.step.writes if q in means and written_last[q] == n]
        if n == moment:
            sums += [f"{name} = {slots.at(name)}" for name in _READ]
            sums += [f"{slots.at(name)} += {more}" for name, more in _READING.items()]
        lines = [f"    # {w.step.name}", *(f"    {line}" for line in dict.fromkeys(before))]
        lines += _loop(*inside, *(() if after else sums))
        out.append([*lines, *after, *(_loop(*sums) if after and sums else ())])
    return out


def source(steps: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS),
           columns: Mapping[str, Column] = DYAD, intervened: bool = False, block: int = BLOCK) -> str:  # fmt: skip
    """The text of the module that runs ``steps``.

    Dyads with a row in the trace leave a copy of every quantity at every exchange there. ``intervened``: the same exchange with a
    place to reach in at every link and quantity (see ``interventions``); a function of its own, since that costs time.
    ``block``: how many dyads are computed together, which changes no number.
    """
    wired, wiring = wire(steps, parameters, columns)
    if intervened and "session" in columns:
        wiring.read["session"] = None
    index = {name: i for i, name in enumerate(columns)}
    kept = [q for q in wiring.written if q in columns]
    loaded = list(dict.fromkeys([*wiring.read, *kept]))
    means = [m for m in wiring.written if f"mean_{m}" in columns]
    moment = _moment(wired, wiring) if set(_ACCURACY) <= columns.keys() else -1
    draws, slots = list(wiring.draws), Slots()
    sums = [*(f"sum_{m}" for m in means), *(_READING if moment >= 0 else ())]
    for name in (*loaded, *sums, *draws, *trace_columns(steps)):
        slots[name]
    body = _steps(wired, slots, columns, means, moment, intervened)
    parts = [body[n : n + _TOGETHER] for n in range(0, len(body), _TOGETHER)]

    reaching = ", off, cut, touched, slot, shift, base, recording, forced" if intervened else ""
    ours = [w for w in wired if shipped(w.step.equation)]
    passed = "f, p, exchange" + (f"{reaching}, ids, forced_row" if intervened else "")
    kind = f"@njit(cache={len(ours) == len(wired)}, nogil=True, error_model='numpy')"
    out = [
        '"""Generated from the EXCHANGE tuple; do not edit."""',
        "import numpy as np",
        "from numba import njit",
        "from sim.luck import absorbed, normals_into, occasion, uniforms_into",
        "from sim.engine.native import note, outside, reach, seen, tracking",
        *dict.fromkeys(f"from {w.step.equation.__module__} import {w.step.equation.__name__} as {w.function}" for w in ours),
        f"B = {block}",
        f"N_SLOTS = {len(slots)}",
        "NONE, ALL = np.uint64(0), np.uint64(B)",
        *(f"_{k} = np.uint64({k} * B)" for k in range(len(slots))),
        f"TRACED = np.array({[slots[q] for q in trace_columns(steps)]!r}, np.int64)",
        *(f"PURPOSE_{d} = np.uint64({int(purpose_code(d))})" for d in draws),
        *_ranges("IN", loaded, index, columns, slots),
        *_ranges("OUT", kept, index, columns, slots),
    ]
    for n, part in enumerate(parts):
        out += ["", "", kind, f"def steps_{n}({passed}):", *(line for lines in part for line in lines)]
    out += [
        "",
        "",
        kind,
        "def sessions(data, rows, client_who, pair_who, week, seed, replicate, parameters, n_exchanges, trace_row, trace"
        f"{reaching}):",
        "    p = parameters[0]",
        "    f = np.empty(N_SLOTS * B)",
        f"    streams = np.empty({max(len(draws), 1)} * B, np.uint64)",
        "    again, ids, trace_row_here, forced_row = np.empty(B, np.int64), np.empty(B, np.int64), np.empty(B, np.int64), "
        "np.zeros(B, np.int64)",
        "    for first in range(0, rows.size, B):",
        "        nb = min(B, rows.size - first)",
        "        followed = False",
        "        for jj in range(B):  # a block that is not full is filled up with its last dyad",
        "            i = rows[first + min(jj, nb - 1)]",
        "            ids[jj], trace_row_here[jj] = i, trace_row[i]",
        "            followed |= trace_row[i] >= 0",
        "            client_here = occasion(seed, replicate, client_who[i], week)",
        "            pair_here = occasion(seed, replicate, pair_who[i], week)",
        *(f"            streams[{k} * B + jj] = absorbed({whose_luck(d)}_here, PURPOSE_{d})" for k, d in enumerate(draws)),
    ]
    for q in loaded:
        out += _loop(f"{slots.at(q)} = data[{index[q]}, ids[j]]", indent="        ")
    out += [
        "        failed, which = outside(f, IN_SLOTS, IN_LOW, IN_HIGH, nb, B)  # what comes in",
        "        if failed >= 0:",
        "            nb = failed  # those before it come first",
        "            which = IN_COLUMN[which]",
    ]
    if intervened:
        out += ["        for jj in range(B):",
                f"            session = int(f[{slots['session']} * B + jj])",
                "            forced_row[jj] = session if session < forced.shape[0] else 0"]  # row 0 is empty # fmt: skip
    if sums:
        out += [f"        f[{slots[sums[0]]} * B:{slots[sums[-1]] + 1} * B] = 0.0"]
    out += ["        for exchange in range(n_exchanges):", "            step = np.uint64(exchange)"]
    for k, d in enumerate(draws):
        fill, more = ("normals_into", ", again") if d.endswith("_luck") else ("uniforms_into", "")
        out += [f"            {fill}(f[{slots[d]} * B:{slots[d] + 1} * B], streams[{k} * B:{k + 1} * B], step{more})"]
    out += [f"            steps_{n}({passed})" for n in range(len(parts))]
    out += ["            if followed:", "                note(trace, trace_row_here, exchange, f, TRACED, nb, B)"]
    out += ["        n = float(n_exchanges)"]
    for q in kept:
        out += _stored(index[q], f"f[{slots[q]} * B + jj]")
    for m in means:
        out += _stored(index["mean_" + m], f"f[{slots['sum_' + m]} * B + jj] / n")
    if moment >= 0:
        s = {name: f"f[{slots[name]} * B + jj]" for name in _READING}
        for_tracking = ", ".join(s[name] for name in ("s_e", "s_l", "s_ee", "s_ll", "s_el", "s_x", "s_xx"))
        out += _stored(index["tracking_accuracy"], f"tracking(n, {for_tracking})")
        out += _stored(index["accuracy_level"], f"1.0 - {s['s_miss']} / n")
        out += _stored(index["directional_bias"], f"({s['s_e']} - {s['s_l']}) / n")
    out += [
        "        late, what = outside(f, OUT_SLOTS, OUT_LOW, OUT_HIGH, nb, B)  # what goes out",
        "        if late >= 0 and late < nb:",
        "            failed, which = late, OUT_COLUMN[what]",
    ]
    if means:  # a mean that is no number
        total = " + ".join(f"f[{slots[f'sum_{m}']} * B + jj]" for m in means)
        out += [
            "        for jj in range(nb if failed < 0 else failed):",
            f"            if not ({total} < np.inf):",
            f"                return ids[jj], {index['mean_' + means[0]]}",
        ]
    out += ["        if failed >= 0:", "            return rows[first + failed], which", "    return -1, -1", ""]
    return "\n".join(out)


def _ranges(name: str, quantities: Sequence[str], index: Mapping[str, int], columns: Mapping[str, Column],
            slots: Mapping[str, int]) -> list[str]:  # fmt: skip
    """Arrays of places, columns and valid ranges of what is checked."""
    what = {"SLOTS": [slots[q] for q in quantities], "COLUMN": [index[q] for q in quantities]}
    ends = {"LOW": [columns[q].low for q in quantities], "HIGH": [columns[q].high for q in quantities]}
    lines = [f"{name}_{key} = np.array({values!r}, np.int64)" for key, values in what.items()]
    return lines + [f"{name}_{key} = np.array({[float(v) for v in values]!r}".replace("inf", "np.inf") + ")"
                    for key, values in ends.items()]  # fmt: skip


def _stored(column: int, value: str) -> list[str]:
    return ["        for jj in range(nb):", f"            data[{column}, ids[jj]] = {value}"]


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
