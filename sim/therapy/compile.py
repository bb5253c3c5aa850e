"""From the tuple ``EXCHANGE`` to one compiled loop over dyads.

The generated module is plain Python that can be read (it lies in the cache folder): it loads a dyad's columns into
local variables, runs every step in order for each exchange, stores the columns and the session means, and checks
that nothing left its range. Wiring is by name, see :func:`resolve`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sim.compiling import generated_module
from sim.luck import purpose_code
from sim.people.state import DYAD, MEANS
from sim.theory.parameters import NUMBERS, nearest
from sim.theory.regions import REGIONS, ROLES
from sim.therapy.exchange import EXCHANGE, Step

#: Expression whose SD over a session is below this counts as constant: there is nothing to read in it.
_CONSTANT_FACE = 0.02
_CONTEXT = ("exchange",)  # known inside the loop without being a column


class WiringError(TypeError):
    """A step asks for a quantity that nothing provides."""


@dataclass
class _Wiring:
    """What the generated function needs: parameters, region strengths, draws, columns read, quantities computed."""

    numbers: dict[str, None] = field(default_factory=dict)
    draws: dict[str, None] = field(default_factory=dict)
    read: dict[str, None] = field(default_factory=dict)
    written: dict[str, None] = field(default_factory=dict)


def resolve(step: Step, argument: str, wiring: _Wiring, numbers: Iterable[str] = tuple(NUMBERS)) -> str:
    """The variable that an equation's argument means in a step.

    In this order: a region of this person (``acc``) or of the partner (``partner_acc``); a draw (``x_luck`` normal,
    ``x_chance`` uniform); the partner's quantity (``partner_x``); this person's quantity; a quantity of the dyad, or
    one named in full (``client_x``); this role's number (``client_x`` where declared); a number of the model.
    """
    other = ROLES[1 - ROLES.index(step.role)]
    whose, bare = (other, argument.removeprefix("partner_")) if argument.startswith("partner_") else (step.role, argument)
    if bare in REGIONS:
        wiring.numbers[f"{whose}_{bare}"] = None
        return f"p_{whose}_{bare}"
    if argument.endswith(("_luck", "_chance")):
        name = f"{step.role}_{argument}"
        wiring.draws[name] = None
        return name
    for quantity in (f"{whose}_{bare}",) if whose == other else (f"{step.role}_{argument}", argument):
        if quantity in wiring.written or quantity in _CONTEXT:
            return quantity
        if quantity in DYAD:
            wiring.read[quantity] = None
            return quantity
    for number in (f"{step.role}_{argument}", argument):
        if number in numbers:
            wiring.numbers[number] = None
            return f"p_{number}"
    known = [*numbers, *REGIONS, *DYAD, *(q.partition("_")[2] for q in DYAD), *wiring.written]
    raise WiringError(f"step {step.name}: nothing provides '{argument}'{nearest(argument, known)}")


def arguments(equation: Callable[..., Any]) -> list[str]:
    """Names of an equation's arguments, in order."""
    return list(inspect.signature(equation).parameters)


def _who(draw: str) -> str:
    # A client's own luck goes with them to every therapist; everything else belongs to the pair.
    return "client" if draw.startswith("client_") else "pair"


def source(steps: tuple[Step, ...] = EXCHANGE, numbers: Iterable[str] = tuple(NUMBERS)) -> str:
    """The text of the module that runs ``steps``.

    Dyads with a row in the trace leave a copy of every quantity at every exchange there; the test for it costs
    nothing that could be measured, and one function compiles sooner than two.
    """
    wiring, names, body, modules = _Wiring(), tuple(numbers), [], {}
    for step in steps:
        call = ", ".join(resolve(step, a, wiring, names) for a in arguments(step.equation))
        function = f"{step.equation.__module__.rpartition('.')[2]}__{step.equation.__name__}"
        modules[function] = (step.equation.__module__, step.equation.__name__)
        body.append(f"{', '.join(step.writes)} = {function}({call})")
        wiring.written.update(dict.fromkeys(step.writes))
    reads = {"therapist_fit", "therapist_estimate", "client_arousal", "client_expression"} <= wiring.written.keys()
    index = {name: i for i, name in enumerate(DYAD)}
    kept = [q for q in wiring.written if q in DYAD]
    loaded = list(dict.fromkeys([*wiring.read, *kept]))
    means = [m for m in MEANS if m in wiring.written]
    out: list[str] = [
        '"""Generated from the EXCHANGE tuple; do not edit."""',
        "import math",
        "import numpy as np",
        "from numba import njit",
        "from sim.luck import absorbed, normal_at, occasion, uniform_at",
    ]
    out += [f"from {module} import {name} as {function}" for function, (module, name) in modules.items()]
    out += [f"PURPOSE_{d} = np.uint64({int(purpose_code(d))})" for d in wiring.draws]
    out += [
        "",
        "",
        "@njit(cache=True, nogil=True)",
        "def sessions(data, rows, client_who, pair_who, week, seed, replicate, parameters, n_exchanges, trace_row, trace):",
        "    p = parameters[0]",
    ]
    out += [f"    p_{n} = p.{n}" for n in wiring.numbers]
    out += [
        "    for r in range(rows.size):",
        "        i = rows[r]",
        "        client_here = occasion(seed, replicate, client_who[i], week)",
        "        pair_here = occasion(seed, replicate, pair_who[i], week)",
    ]
    out += [f"        stream_{d} = absorbed({_who(d)}_here, PURPOSE_{d})" for d in wiring.draws]
    out += [f"        {q} = data[{index[q]}, i]" for q in loaded]
    out += _range_checks(loaded, index)  # what comes in
    out += [f"        sum_{m} = 0.0" for m in means]
    out += [
        "        s_e = s_l = s_ee = s_ll = s_el = s_miss = s_x = s_xx = 0.0",
        "        for exchange in range(n_exchanges):",
        "            step = np.uint64(exchange)",
    ]
    out += [f"            {d} = {'normal_at' if d.endswith('_luck') else 'uniform_at'}(stream_{d}, step)" for d in wiring.draws]
    for line in body:
        out.append(f"            {line}")
        if reads and line.startswith("therapist_fit ="):  # the moment at which the therapist reads the client
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
        out += [
            "        n = float(n_exchanges)",
            "        spread = (n * s_ee - s_e * s_e) * (n * s_ll - s_l * s_l)",
            "        r_el = 0.0",
            "        # 0 by rule where expression is constant",
            f"        if spread > 1e-12 and n * s_xx - s_x * s_x > {_CONSTANT_FACE**2!r} * n * n:",
            "            r_el = min(max((n * s_el - s_e * s_l) / math.sqrt(spread), -1.0), 1.0)",
            f"        data[{index['accuracy_correlation']}, i] = r_el",
            f"        data[{index['accuracy_level']}, i] = 1.0 - s_miss / n",
            f"        data[{index['accuracy_bias']}, i] = (s_e - s_l) / n",
        ]
    out += _range_checks(kept, index)  # what goes out
    if means:  # a mean that is no number
        out += [
            f"        if not ({' + '.join(f'sum_{m}' for m in means)} < np.inf):",
            f"            return i, {index['mean_' + means[0]]}",
        ]
    out += ["    return -1, -1", ""]
    return "\n".join(out)


def _range_checks(quantities: Iterable[str], index: Mapping[str, int]) -> list[str]:
    """Lines that stop at a dyad whose column is NaN or out of its range."""
    lines = []
    for q in quantities:
        column = DYAD[q]
        upper = "" if column.high == float("inf") else f" and {q} <= {column.high!r}"
        lines += [f"        if not ({q} >= {column.low!r}{upper}):", f"            return i, {index[q]}"]
    return lines


def trace_columns(steps: tuple[Step, ...] = EXCHANGE) -> list[str]:
    """Names of the quantities that a trace keeps, in the order of computing."""
    return list(dict.fromkeys(q for step in steps for q in step.writes))


@lru_cache(maxsize=8)
def kernel(steps: tuple[Step, ...] = EXCHANGE, numbers: tuple[str, ...] = tuple(NUMBERS)) -> Callable[..., Any]:
    """The compiled function ``sessions`` for these steps; the first use compiles (seconds) or loads from disk."""
    module = generated_module("exchange", source(steps, numbers))
    return module.sessions


def draws(steps: tuple[Step, ...] = EXCHANGE) -> Mapping[str, str]:
    """Every draw of an exchange: name -> whose luck it is (client or pair)."""
    wiring = _Wiring()
    for step in steps:
        for a in arguments(step.equation):
            resolve(step, a, wiring)
        wiring.written.update(dict.fromkeys(step.writes))
    return {d: _who(d) for d in wiring.draws}
