"""How fast the web engine is in the real browser: ready, many courses, a single one; how much of it there is to load.

    python -m tests.benchmarks.web [--check]

A course has 40 sessions of 10 exchanges with all questionnaires. Its time stands beside that of the native engine, in one process
on one core, for the same clients. ``--check`` ends with status 1 where the design's limits are missed.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from typing import Any

from playwright.sync_api import sync_playwright

from sim.scenario.scenario import from_spec
from sim.simulation.build import arm_weeks, build
from sim.therapy.course import Running
from tests.browser.conftest import ARGUMENTS, CHROMIUM, alone
from tools.web import FILE

LOADER = FILE.with_name("model.js")
SPEC: dict[str, Any] = {
    "question": "How fast?", "client": "fearful", "therapist": "secure", "sessions": 40, "clients_per_arm": 80,
    "parameters": {"dropout_base": -12, "good_enough_prob": 0},
}  # fmt: skip
#: Milliseconds that the design allows, of this machine's native engine at most so many times, and kB compressed.
LIMITS = {"ready": 50.0, "a course, of eighty": 1.0, "native times": 8.0, "kB": 70.0}
ROUNDS = 7
SCRIPT = """async ([spec, rounds]) => {
    const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
    const timed = (what, n) => { const start = performance.now(); what(); return (performance.now() - start) / n; };
    const {load} = await import("/model.js");
    const bytes = await (await fetch("/model.wasm")).arrayBuffer();
    const start = performance.now(), model = await load(bytes), ready = performance.now() - start;
    const first = timed(() => model.course(spec, 1), 1);
    const many = [], one = [];
    for (let k = 0; k < rounds; k++) {
        many.push(timed(() => model.many(spec, k, 80), 80));
        one.push(timed(() => { for (let j = 0; j < 10; j++) model.course(spec, j); }, 10));
    }
    return {ready, "the first course": first, "a course, of eighty": median(many), "a course alone": median(one)};
}"""


def in_the_browser() -> dict[str, float]:
    """Milliseconds in Chromium."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        alone(page, LOADER, FILE)
        found = page.evaluate(SCRIPT, [SPEC, ROUNDS])
        browser.close()
    return dict(found)


def natively() -> float:
    """Milliseconds a course that the native engine takes for the same clients, at best."""
    scenario, best = from_spec(SPEC, "web"), float("inf")
    for seed in range(ROUNDS):
        begun = time.perf_counter()
        running = Running(build(scenario, scenario.arms[0], 0, seed), lean=True)
        for _ in range(arm_weeks(scenario, scenario.arms[0])):
            running.live_a_week()
        running.finish()
        best = min(best, time.perf_counter() - begun)
    return 1000 * best / scenario.clients_per_arm


def main() -> int:
    """Measure, print, and on request compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="end with status 1 where a limit is missed")
    check = parser.parse_args().check
    if CHROMIUM is None:
        print("no Chromium here (Debian: apt install chromium)", file=sys.stderr)
        return 1
    found, native = in_the_browser(), natively()
    found["native engine, a course of eighty"] = native
    found["native times"] = found["a course, of eighty"] / native
    found["kB"] = sum(len(gzip.compress(path.read_bytes(), 9)) for path in (FILE, LOADER)) / 1000
    missed = []
    for name, value in found.items():
        unit = "" if name == "native times" else " kB compressed" if name == "kB" else " ms"
        limit = f" (at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"{name}: {value:.2f}{unit}{limit}")
        missed += [name] if value > LIMITS.get(name, float("inf")) else []
    print(f"missed: {', '.join(missed)}" if missed else "all within limits")
    return int(bool(missed) and check)


if __name__ == "__main__":
    sys.exit(main())
