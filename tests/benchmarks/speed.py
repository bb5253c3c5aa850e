"""How fast the core is, measured against two yardsticks in one run. ``python -m tests.benchmarks.speed [--check] [--quick]``

(a) The same model written with Mesa, one agent per person (``mesa_twin``): whole weeks of latent state on both sides,
    that is every verb of a session except the questionnaires, and the week of life. Aim: over 100 times.
(b) A bare compiled loop that takes one by one the normals, uniforms, exps and logs that one exchange needs, those of NumPy, and
    does nothing else, against the exchanges of the core (one call of the compiled function). Aim: half its time.
(c) What checking the range of the state costs: the compiled function with and without these lines. Aim: under 2 %.
(d) A fresh process until its first session is over, compiled code being on disk. Aim: under 3 s.

All on one core, in processor time, alternating; the ratio of a round is formed before the median over rounds, since
machines are noisy. ``--check`` exits with 1 when (a) is under 80 or (b) over 0.8.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from sim.compiling import generated_module
from sim.engine import native
from sim.scenario.scenario import from_spec
from sim.simulation import build as design
from sim.therapy.endings import IN_THERAPY
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import SESSION, World, begin, meet

ROOT = Path(__file__).resolve().parents[2]
#: The verbs that only ask questions; the twin has none of them.
QUESTIONNAIRES = ("rate_distress", "rate_alliance")
LATENT = tuple(verb for verb in SESSION if verb.__name__ not in QUESTIONNAIRES)
SEED, EXCHANGES = 11, 10


def make_world(dyads: int, sessions: int) -> World:
    """Clients and therapists drawn from their populations; everything is simulated."""
    scenario = from_spec(
        {
            "question": "How fast?",
            "client": "population",
            "therapist": "population",
            "clients_per_arm": dyads,
            "sessions": sessions,
            "exchanges": EXCHANGES,
        },
        "speed",
    )
    return design.build(scenario, scenario.arms[0], 0, SEED)


def seconds(work: Callable[[], Any]) -> float:
    """Processor time of one call in this thread, so that waiting for other programs does not count; no garbage collector."""
    gc.collect()
    gc.disable()
    start = time.thread_time()
    work()
    taken = time.thread_time() - start
    gc.enable()
    return taken


# ------------------------------------------------------------------------------------------- whole weeks, both ways


def core_weeks(dyads: int, weeks: int) -> tuple[float, int, float]:
    """Seconds, exchanges held, and seconds in the verb ``exchange`` alone, for weeks of the core."""
    world = make_world(dyads, weeks)
    begin(world)
    held, inside = 0, 0.0

    def live() -> None:
        nonlocal held, inside
        for week in range(1, weeks + 1):
            world.week = week
            rows = np.flatnonzero(world.ending == IN_THERAPY)
            held += rows.size * EXCHANGES
            for verb in LATENT:
                start = time.thread_time()
                verb(world, rows)
                if verb.__name__ == "exchange":
                    inside += time.thread_time() - start
            world.live()

    return seconds(live), held, inside


def twin_weeks(dyads: int, weeks: int) -> tuple[float, int, float]:
    """The same for the Mesa twin; the exchanges alone are timed in a second go over the same weeks."""
    from tests.benchmarks.mesa_twin import EXCHANGE_LUCK, Therapy

    model = Therapy(make_world(dyads, weeks))
    held = 0

    def live() -> None:
        nonlocal held
        for _ in range(weeks):
            held += sum(c.ending == "in therapy" for c in model.clients) * EXCHANGES
            model.step()

    whole = seconds(live)
    luck = np.random.default_rng(SEED).uniform(0.1, 0.9, len(EXCHANGE_LUCK)).tolist()

    def talk() -> None:
        for client in model.clients:
            client.come_in()
            client.partner.come_in()
            client.readings = []
            for number in range(EXCHANGES):
                client.exchange(number, *luck)

    per_exchange = seconds(talk) / (len(model.clients) * EXCHANGES)
    return whole, held, per_exchange * held


# ------------------------------------------------------------------------------------------------- the bare loop


@dataclass(frozen=True)
class Counts:
    """Calls in one exchange that must be made, as counted on commit 2de448d: the yardstick stays what it was."""

    normals: int = 7
    uniforms: int = 2
    exps: int = 35
    logs: int = 8


def bare_source(counts: Counts) -> str:
    """The text of the bare loop: draws, then exps and logs of values that differ from one another and every time."""
    z = [f"normal_at(stream_{k}, step)" for k in range(counts.normals)]
    u = [f"uniform_at(stream_{counts.normals + k}, step)" for k in range(counts.uniforms)]
    lines = [
        "import numpy as np",
        "from numba import njit",
        "from sim.luck import absorbed, normal_at, occasion, uniform_at",
        "",
        "",
        "@njit(cache=True, nogil=True)",
        "def bare(who, week, seed, replicate, n_exchanges, out):",
        "    for i in range(who.size):",
        "        here = occasion(seed, replicate, who[i], week)",
    ]
    lines += [f"        stream_{k} = absorbed(here, np.uint64({k}))" for k in range(len(z) + len(u))]
    lines += ["        total = 0.0", "        for exchange in range(n_exchanges):", "            step = np.uint64(exchange)"]
    lines += [f"            d_{k} = {draw}" for k, draw in enumerate(z + u)]
    lines += [f"            total += np.exp(d_{k % len(z)} + {0.1 * (k // len(z))!r})" for k in range(counts.exps)]
    lines += [
        f"            total += np.log(d_{k % len(z)} * d_{k % len(z)} + {0.1 * (1 + k // len(z))!r})" for k in range(counts.logs)
    ]
    lines += [f"            total += d_{k}" for k in range(len(z), len(z) + len(u))]
    return "\n".join([*lines, "        out[i] = total", ""])


def unchecked_source() -> str:
    """The generated module without the calls that check the range of the state."""
    text, n = re.subn(r"= outside\(.*\)", "= -1, -1", native.source(EXCHANGE))
    if n != 3:  # of what comes in, what goes out, and the session means
        raise SystemExit("found no range checks in the generated module: bring unchecked_source up to date")
    return text


def sessions_of(name: str, text: str) -> Callable[..., Any]:
    """The compiled function of a generated module."""
    module = generated_module(name, text)
    return native.handed(module.sessions, module.PARTS, module.NUMBERS)


class Kernels:
    """The exchanges alone: the core's compiled function, the same without range checks, and the bare loop."""

    def __init__(self, dyads: int, counts: Counts) -> None:
        world = make_world(dyads, 20)
        begin(world)
        self.rows = np.arange(dyads)
        meet(world, self.rows)
        self.world, self.start = world, world.dyads.data.copy()
        self.checked = sessions_of("exchange", native.source(EXCHANGE))
        self.unchecked = sessions_of("exchange_unchecked", unchecked_source())
        self.bare = generated_module("bare_loop", bare_source(counts)).bare
        self.out = np.empty(dyads)

    def exchange(self, function: Callable[..., Any]) -> float:
        """Seconds per exchange of a form of the compiled function, from the same state each time."""
        w = self.world
        w.dyads.data[:] = self.start
        taken = seconds(
            lambda: function(
                w.dyads.data,
                self.rows,
                w.client_code,
                w.pair_code,
                np.uint64(1),
                np.uint64(SEED),
                np.uint64(0),
                w.values,
                EXCHANGES,
                w.trace_row,
                w.trace,
            )
        )
        return taken / (self.rows.size * EXCHANGES)

    def draws_only(self) -> float:
        """Seconds per exchange of the bare loop."""
        w = self.world
        taken = seconds(lambda: self.bare(w.client_code, np.uint64(1), np.uint64(SEED), np.uint64(0), EXCHANGES, self.out))
        return taken / (self.rows.size * EXCHANGES)


# ------------------------------------------------------------------------------------------------------- start-up


def first_session() -> tuple[float, float]:
    """Seconds of a fresh process, compiled code on disk: until the first session is over, and until hello has run."""
    code = (
        "import sys, time; t = time.perf_counter(); import sim; s = sim.load(sys.argv[1]);"
        "sim.run(s.but(sessions=1), seed=1); one = time.perf_counter() - t; sim.run(s, seed=1);"
        "print(one, time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as elsewhere:
        start = time.perf_counter()
        shown = subprocess.run(
            [sys.executable, "-c", code, str(ROOT / "scenarios" / "hello.yaml")],
            cwd=elsewhere,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        total = time.perf_counter() - start
    one, both = (float(x) for x in shown.stdout.split())
    return total - (both - one), total


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and with ``--check`` judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speed", description="Speed of the core, as ratios.")
    parser.add_argument("--check", action="store_true", help="exit with 1 when (a) is under 80 or (b) over 0.8")
    parser.add_argument("--quick", action="store_true", help="fewer dyads and rounds")
    chosen = parser.parse_args(arguments)
    dyads, weeks, few, few_weeks, rounds = (1000, 8, 20, 4, 3) if chosen.quick else (4000, 20, 40, 10, 7)

    counts = Counts()
    kernels = Kernels(dyads, counts)
    core_weeks(10, 1), twin_weeks(2, 1)  # whatever is compiled or loaded at first use
    for _ in range(3):
        kernels.exchange(kernels.checked), kernels.exchange(kernels.unchecked), kernels.draws_only()

    core, core_inside, twin, twin_inside = [], [], [], []
    for _ in range(rounds):
        s, n, inside = core_weeks(dyads, weeks)
        core.append(s / n)
        core_inside.append(inside / n)
        s, n, inside = twin_weeks(few, few_weeks)
        twin.append(s / n)
        twin_inside.append(inside / n)
    checked, unchecked, bare = [], [], []
    for i in range(rounds * 6):
        order = (kernels.checked, kernels.unchecked) if i % 2 else (kernels.unchecked, kernels.checked)
        taken = {id(f): kernels.exchange(f) for f in order}
        checked.append(taken[id(kernels.checked)])
        unchecked.append(taken[id(kernels.unchecked)])
        bare.append(kernels.draws_only())
    first, hello = (median(x) for x in zip(*(first_session() for _ in range(1 if chosen.quick else 3)), strict=True))

    over_twin = median(t / c for t, c in zip(twin, core, strict=True))
    over_twin_inside = median(t / c for t, c in zip(twin_inside, core_inside, strict=True))
    over_bare = median(c / b for c, b in zip(checked, bare, strict=True))
    cost = 100.0 * (median(c / u for c, u in zip(checked, unchecked, strict=True)) - 1.0)
    print(
        f"Speed on one core: {dyads} dyads, {weeks} weeks, {EXCHANGES} exchanges a session; Mesa twin: {few} dyads, "
        f"{few_weeks} weeks; {rounds} rounds"
    )
    print(
        f"The bare loop: {counts.normals} normals, {counts.uniforms} uniforms, {counts.exps} exps, {counts.logs} logs an exchange"
    )
    rows = [
        ("core, whole weeks, latent", f"{1e-3 / median(core):,.0f} thousand exchanges/s", ""),
        ("core, exchanges only", f"{1e-3 / median(core_inside):,.0f} thousand exchanges/s", ""),
        ("Mesa twin, whole weeks", f"{1 / median(twin):,.0f} exchanges/s", ""),
        ("Mesa twin, exchanges only", f"{1 / median(twin_inside):,.0f} exchanges/s", ""),
        ("bare compiled loop", f"{1e9 * median(bare):,.0f} ns; core {1e9 * median(checked):,.0f} ns an exchange", ""),
        ("(a) core / Mesa twin, whole weeks", f"{over_twin:.0f} times", "over 100"),
        ("    core / Mesa twin, exchanges only", f"{over_twin_inside:.0f} times", ""),
        ("(b) time of core / bare loop", f"{over_bare:.2f} times", "at most 0.5"),
        ("(c) cost of the range check", f"{cost:+.1f} %", "under 2 %"),
        ("(d) fresh process to first session", f"{first:.2f} s ({hello:.2f} s until hello has run)", "under 3 s"),
    ]
    for name, value, aim in rows:
        print(f"  {name:<38}{value:<44}{aim and 'aim: ' + aim}")
    failed = over_twin < 80.0 or over_bare > 0.8
    if chosen.check:
        print("check failed: (a) must be at least 80, (b) at most 0.8" if failed else "check passed")
    return int(chosen.check and failed)


if __name__ == "__main__":
    sys.exit(main())
