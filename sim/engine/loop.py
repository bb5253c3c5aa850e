"""From a tuple of steps to one compiled loop over dyads.

The generated module is plain Python that can be read (it lies in the cache folder): it loads a dyad's columns into
local variables, runs every step in order for each exchange, stores the columns and the session means, and checks
that nothing left its range. Wiring is by name, see :func:`sim.engine.wiring.resolve`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from numba import float64, njit
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from sim import luck
from sim.compiling import compiled, generated_module
from sim.engine.wiring import Step, Wired, bounds, trace_columns, whose_luck, wire
from sim.errors import WiringError
from sim.luck import purpose_code
from sim.people.apply import arguments
from sim.people.state import DYAD, Column
from sim.theory.parameters import PARAMETERS

#: Expression whose SD over a session is below this counts as constant: there is nothing to read in it.
_CONSTANT_FACE = 0.02
luck.machine = compiled  # so that the loops of the random draws are kept on disk like all else that is compiled
_ONE_AT_A_TIME = threading.Lock()  # threads of one run ask for the same code at once


def shipped(equation: Callable[..., Any]) -> bool:
    """Whether an equation is part of this package, so that generated text can import it."""
    module = sys.modules.get(equation.__module__)
    return equation.__module__.startswith("sim.") and getattr(module, equation.__name__, None) is equation


@register_jitable
def seen(natural, given):  # type: ignore[no-untyped-def]
    """``given``, or the natural value where nothing (no number) is given."""
    return natural if given != given else given


@register_jitable
def reached(natural, write, base, forced, slot, shift, recording, low, high):  # type: ignore[no-untyped-def]
    """What becomes of a quantity that was just written: held at its course in the baseline, forced, or left alone.

    ``base`` and ``forced`` are this exchange's rows; ``write`` says which of the exchange's writes it is.
    """
    place = slot[write]
    if place >= 0:
        if recording:
            base[place] = natural
        else:
            natural = min(max(base[place] + shift[write], low), high)
    return seen(natural, forced[write])


def _intervened_lines(wired: list[Wired], columns: Mapping[str, Column]) -> Iterable[list[str]]:
    """The lines of each step where links may be cut, the step switched off, and what it writes be held or forced."""
    link = write = 0
    for number, w in enumerate(wired):
        variables = []
        for variable, is_quantity in zip(w.variables, w.quantities, strict=True):
            variables.append(f"seen({variable}, cut[{link}])" if is_quantity else variable)
            link += is_quantity
        new = [f"new_{k}" for k in range(len(w.step.writes))]
        lines = [f"{', '.join(new)} = {w.function}({', '.join(variables)})"]
        for name, quantity in zip(new, w.step.writes, strict=True):
            low, high = (f"np.{v}" if v == float("inf") else repr(float(v)) for v in bounds(quantity, columns))
            lines += [
                f"{quantity} = {quantity if w.updates else '0.0'} if off[{number}] else {name}",
                f"if touched[{write}]:",
                f"    {quantity} = reached({quantity}, {write}, base_here, forced_here, slot, shift, recording, {low}, {high})",
            ]
            write += 1
        yield lines


def source(steps: tuple[Step, ...], parameters: Iterable[str] = tuple(PARAMETERS),
           columns: Mapping[str, Column] = DYAD, intervened: bool = False) -> str:  # fmt: skip
    """The text of the module that runs ``steps``.

    Dyads with a row in the trace leave a copy of every quantity at every exchange there; the test for it costs
    nothing that could be measured, and one function compiles sooner than two. ``intervened``: the same exchange with a
    place to reach in at every link and every quantity (see ``interventions``); a function of its own, since that costs
    time.
    """
    wired, wiring = wire(steps, parameters, columns)
    if intervened and "session" in columns:
        wiring.read["session"] = None
    reads = {"therapist_attunement", "therapist_estimate", "client_arousal", "client_expression"} <= wiring.written.keys()
    index = {name: i for i, name in enumerate(columns)}
    kept = [q for q in wiring.written if q in columns]
    loaded = list(dict.fromkeys([*wiring.read, *kept]))
    means = [m for m in wiring.written if f"mean_{m}" in columns]
    reach = ", off, cut, touched, slot, shift, base, recording, forced" if intervened else ""
    out: list[str] = [
        '"""Generated from the EXCHANGE tuple; do not edit."""',
        "import math",
        "import numpy as np",
        "from numba import njit",
        "from sim.luck import absorbed, normal_at, occasion, uniform_at",
        "from sim.engine.loop import reached, seen",
    ]
    ours = [w for w in wired if shipped(w.step.equation)]
    out += [f"from {w.step.equation.__module__} import {w.step.equation.__name__} as {w.function}" for w in ours]
    out += [f"PURPOSE_{d} = np.uint64({int(purpose_code(d))})" for d in wiring.draws]
    out += [
        "",
        "",
        f"@njit(cache={len(ours) == len(wired)}, nogil=True)",
        "def sessions(data, rows, client_who, pair_who, week, seed, replicate, parameters, n_exchanges, trace_row, trace"
        f"{reach}):",
        "    p = parameters[0]",
    ]
    out += [f"    p_{n} = p.{n}" for n in wiring.parameters]
    out += [
        "    for r in range(rows.size):",
        "        i = rows[r]",
        "        client_here = occasion(seed, replicate, client_who[i], week)",
        "        pair_here = occasion(seed, replicate, pair_who[i], week)",
    ]
    out += [f"        stream_{d} = absorbed({whose_luck(d)}_here, PURPOSE_{d})" for d in wiring.draws]
    out += [f"        {q} = data[{index[q]}, i]" for q in loaded]
    out += _range_checks(loaded, index, columns)  # what comes in
    if intervened:  # row 0 of what is forced is empty
        out += ["        base_nowhere = np.empty(0)"]
        out += ["        session_forced = int(session) if session < forced.shape[0] else 0"]
    out += [f"        sum_{m} = 0.0" for m in means]
    out += [
        "        s_e = s_l = s_ee = s_ll = s_el = s_miss = s_x = s_xx = 0.0",
        "        for exchange in range(n_exchanges):",
        "            step = np.uint64(exchange)",
    ]
    if intervened:
        out += [
            "            base_here = base[i, exchange] if base.shape[0] else base_nowhere",
            "            forced_here = forced[session_forced, exchange]",
        ]
    out += [f"            {d} = {'normal_at' if d.endswith('_luck') else 'uniform_at'}(stream_{d}, step)" for d in wiring.draws]
    plain = ([f"{', '.join(w.step.writes)} = {w.function}({', '.join(w.variables)})"] for w in wired)
    for w, lines in zip(wired, _intervened_lines(wired, columns) if intervened else plain, strict=True):
        out += [f"            {line}" for line in lines]
        if reads and w.step.writes == ("therapist_attunement",):  # the moment at which the therapist reads the client
            out += [
                "            miss = therapist_estimate - client_arousal",
                "            s_e += therapist_estimate; s_l += client_arousal; s_miss += abs(miss)",
                "            s_ee += therapist_estimate * therapist_estimate; s_ll += client_arousal * client_arousal",
                "            s_el += therapist_estimate * client_arousal",
                "            s_x += client_expression; s_xx += client_expression * client_expression",
            ]
    out += [f"            sum_{m} += {m}" for m in means]
    out += ["            if trace_row[i] >= 0:"]
    out += [f"                trace[trace_row[i], exchange, {k}] = {q}" for k, q in enumerate(trace_columns(steps))]
    out += [f"        data[{index[q]}, i] = {q}" for q in kept]
    out += [f"        data[{index['mean_' + m]}, i] = sum_{m} / n_exchanges" for m in means]
    if reads:
        out += _accuracy(index)
    out += _range_checks(kept, index, columns)  # what goes out
    if means:  # a mean that is no number
        out += [
            f"        if not ({' + '.join(f'sum_{m}' for m in means)} < np.inf):",
            f"            return i, {index['mean_' + means[0]]}",
        ]
    out += ["    return -1, -1", ""]
    return "\n".join(out)


def _accuracy(index: Mapping[str, int]) -> list[str]:
    """Lines that leave the session's three accuracies."""
    return [
        "        n = float(n_exchanges)",
        "        spread = (n * s_ee - s_e * s_e) * (n * s_ll - s_l * s_l)",
        "        r_el = 0.0",
        "        # 0 by rule where expression is constant",
        f"        if spread > 1e-12 and n * s_xx - s_x * s_x > {_CONSTANT_FACE**2!r} * n * n:",
        "            r_el = min(max((n * s_el - s_e * s_l) / math.sqrt(spread), -1.0), 1.0)",
        f"        data[{index['tracking_accuracy']}, i] = r_el",
        f"        data[{index['accuracy_level']}, i] = 1.0 - s_miss / n",
        f"        data[{index['directional_bias']}, i] = (s_e - s_l) / n",
    ]


def _range_checks(quantities: Iterable[str], index: Mapping[str, int], columns: Mapping[str, Column]) -> list[str]:
    """Lines that stop at a dyad whose column is NaN or out of its range."""
    lines = []
    for q in quantities:
        column = columns[q]
        upper = "" if column.high == float("inf") else f" and {q} <= {column.high!r}"
        lines += [f"        if not ({q} >= {column.low!r}{upper}):", f"            return i, {index[q]}"]
    return lines


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
