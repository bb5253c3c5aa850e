"""What generated modules call: loops over a block of people, and calls by address.

A block's numbers stand in one array ``f``: slot ``k`` has the numbers ``f[k * size : (k + 1) * size]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from sim.compiling import compiled
from sim.elementary import inlined, maximum, minimum, select
from sim.luck import normals_into, uniforms_into

#: Expression whose SD over a session is below this counts as constant: there is nothing to read in it.
_CONSTANT_FACE = 0.02


@inlined
def seen(natural, given):  # type: ignore[no-untyped-def]
    """``given``, or the natural value where nothing (no number) is given."""
    return select(given != given, natural, given)


@register_jitable
def reach(  # type: ignore[no-untyped-def]
    f, slot_of, write, base_row, exchange, forced_row, slot, shift, base, recording, forced, low, high, n, size
):
    """Let an experiment reach a quantity of the block that was just written: hold it at its course in the baseline, or force it.

    ``write`` says which of the exchange's writes it is; ``base_row``, ``forced_row``: where each dyad's numbers stand there.
    """
    place = slot[write]
    for j in range(n):
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
def outside(f, slots, lows, highs, nb, n, size):  # type: ignore[no-untyped-def]
    """First of the ``nb`` dyads of the block, and which of ``slots``, whose value is NaN or out of its range; -1 where all is
    well. ``n``: ``nb`` filled up to whole vectors."""
    wrong = 0
    for k in range(slots.size):
        first, low, high = np.uint64(slots[k] * size), lows[k], highs[k]
        for j in range(n):
            x = f[first + np.uint64(j)]
            wrong += 0 if (x >= low) & (x <= high) else 1
    if wrong:
        for j in range(nb):
            for k in range(slots.size):
                x = f[slots[k] * size + j]
                if not (x >= lows[k] and x <= highs[k]):
                    return j, k
    return -1, -1


def draw_normals(f, slot, streams, at, step, again, n, size):  # type: ignore[no-untyped-def]
    """Standard normal numbers of the block into a slot: at a step of the streams that stand behind the first ``at``."""
    normals_into(f[slot * size : slot * size + n], streams[at : at + n], step, again)


def draw_uniforms(f, slot, streams, at, step, again, n, size):  # type: ignore[no-untyped-def]
    """The same of uniform numbers."""
    uniforms_into(f[slot * size : slot * size + n], streams[at : at + n], step)


def answer(f, response, score, streams, noise, again, items, low, high, item_sd, times, n, size):  # type: ignore[no-untyped-def]
    """Mean response of the block over a questionnaire's items, whose true response stands in the slot ``response``."""
    first, into = np.uint64(response * size), np.uint64(score * size)
    for j in range(np.uint64(0), np.uint64(n)):
        f[into + j] = 0.0
    for item in range(items):
        normals_into(noise[:n], streams[:n], np.uint64(item), again)
        for j in range(np.uint64(0), np.uint64(n)):
            x = np.floor(f[first + j] + item_sd * noise[j] + 0.5)
            f[into + j] += minimum(maximum(x, low), high)
    for j in range(np.uint64(0), np.uint64(n)):
        f[into + j] = times * (f[into + j] / items)


def no_normals(f, slot, streams, at, step, again, n, size):  # type: ignore[no-untyped-def]
    """The mean of normal numbers in place of ``draw_normals``."""
    f[slot * size : (slot + 1) * size] = 0.0


def no_uniforms(f, slot, streams, at, step, again, n, size):  # type: ignore[no-untyped-def]
    """The mean of uniform numbers in place of ``draw_uniforms``."""
    f[slot * size : (slot + 1) * size] = 0.5


def answer_alike(f, response, score, streams, noise, again, items, low, high, item_sd, times, n, size):  # type: ignore[no-untyped-def]
    """In place of ``answer``: every item is answered with the scale point next to the true response."""
    for j in range(n):
        x = minimum(maximum(np.floor(f[response * size + j] + 0.5), low), high)
        total = 0.0
        for _ in range(items):
            total += x
        f[score * size + j] = times * (total / items)


MOST = 1.7976931348623157e308  # the largest number there is
_F, _W, _N = types.float64[::1], types.uint64[::1], types.int64[::1]
#: Types of what generated functions take, by the name of the argument.
TYPES: dict[str, Any] = {
    "f": _F, "p": _F, "noise": _F, "planned_sessions": _N, "exchange": types.int64, "n_exchanges": types.int64, "nb": types.int64,
    "sixteens": types.uint64,
    "streams": _W, "here": _W, "again": _N, "ids": _N, "forced_row": _N, "rows": _N, "trace_row": _N, "client_of": _N,
    "therapist_of": _N, "ending": _N, "code": _W, "client_code": _W, "therapist_code": _W, "pair_code": _W,
    "week": types.uint64, "seed": types.uint64, "replicate": types.uint64, "trace": types.float64[:, :, ::1],
    "data": types.float64[:, ::1], "clients": types.float64[:, ::1], "therapists": types.float64[:, ::1],
    "people": types.float64[:, ::1], "ratings": types.float64[:, ::1], "calls": _N,
    "table": types.float64[:, ::1], "lean": types.boolean,
    "off": types.boolean[::1], "cut": _F, "touched": types.boolean[::1], "slot": _N, "shift": _F, "recording": types.boolean,
    "base": types.float64[:, :, ::1], "forced": types.float64[:, :, ::1],
}  # fmt: skip
_DRAWING = types.void(_F, types.int64, _W, types.int64, types.uint64, _N, types.int64, types.int64)
_ANSWERING = types.void(_F, types.int64, types.int64, _W, _F, _N, types.int64, *(types.float64,) * 4, types.int64, types.int64)
#: What a form with interventions takes beside the rest.
REACHING = ("off", "cut", "touched", "slot", "shift", "base", "recording", "forced")


FAULT = types.UniTuple(types.int64, 2)  # row and column of a quantity out of its range
NOTHING = (-1, -1)


def signature(arguments: Iterable[str], gives: Any = types.void) -> Any:
    """The type of a generated function with arguments of these names."""
    return gives(*(TYPES[name] for name in arguments))


@intrinsic
def call(typing, address, given):  # type: ignore[no-untyped-def]
    """Call the compiled function at an address, with just the types that it was made for; it gives nothing.

    Through its address a function is compiled once, and not again inside of every function that calls it.
    """

    def codegen(context, builder, signature, values):  # type: ignore[no-untyped-def]
        kinds = signature.args[1].types
        kind = context.call_conv.get_function_type(types.none, kinds)
        there = builder.inttoptr(values[0], kind.as_pointer())
        handed = [builder.extract_value(values[1], place) for place in range(len(kinds))]
        status, _ = context.call_conv.call_function(builder, there, types.none, kinds, handed)
        with cgutils.if_unlikely(builder, status.is_error):  # an equation of somebody else's may fail
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(address, given), codegen


def addresses(functions: Iterable[Any]) -> np.ndarray:
    """Where these functions, each made for one signature, lie in memory of this process."""
    made = [next(iter(function.overloads.values())) for function in functions]
    found = np.array([one.library.get_pointer_to_function(one.fndesc.llvm_func_name) for one in made], np.int64)
    assert found.all(), "a compiled function that is nowhere"
    return found


@lru_cache(maxsize=1)
def helpers() -> tuple[Callable[..., Any], ...]:
    """What generated functions call through its address: normal numbers, uniform numbers, answers to items."""
    return tuple(compiled(f, of) for f, of in ((draw_normals, _DRAWING), (draw_uniforms, _DRAWING), (answer, _ANSWERING)))


@lru_cache(maxsize=1)
def still_helpers() -> tuple[Callable[..., Any], ...]:
    """The same where nothing is drawn."""
    return tuple(compiled(f, of) for f, of in ((no_normals, _DRAWING), (no_uniforms, _DRAWING), (answer_alike, _ANSWERING)))


@register_jitable
def gather(f, slots, table, columns, rows, n, size):  # type: ignore[no-untyped-def]
    """Columns of a table into slots of the block; ``rows``: where each of the block stands in the table."""
    for k in range(slots.size):
        for j in range(n):
            f[slots[k] * size + j] = table[columns[k], rows[j]]


@register_jitable
def scatter(f, slots, table, columns, rows, n, size):  # type: ignore[no-untyped-def]
    """Slots of the block into columns of a table, of the first ``n``, who are really there."""
    for k in range(slots.size):
        for j in range(n):
            table[columns[k], rows[j]] = f[slots[k] * size + j]


@register_jitable
def averages(f, sums, means, exchanges, n, size):  # type: ignore[no-untyped-def]
    """Session means from sums over so many exchanges."""
    for k in range(sums.size):
        for j in range(n):
            f[means[k] * size + j] = f[sums[k] * size + j] / exchanges


@inlined
def tracking(n, s_e, s_l, s_ee, s_ll, s_el, s_x, s_xx):  # type: ignore[no-untyped-def]
    """Correlation of the therapist's estimate with the client's arousal in a session; 0 by rule where expression is constant."""
    spread = (n * s_ee - s_e * s_e) * (n * s_ll - s_l * s_l)
    found = (n * s_el - s_e * s_l) / np.sqrt(select(spread > 1e-12, spread, 1.0))
    there = (spread > 1e-12) & (n * s_xx - s_x * s_x > _CONSTANT_FACE * _CONSTANT_FACE * n * n)
    return select(there, minimum(maximum(found, -1.0), 1.0), 0.0)
