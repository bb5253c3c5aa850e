"""How fast the classroom page is, in the real browser: charts on screen, a step, a slider, many clients, many visitors.

    python -m tests.benchmarks.app [--check]

Prints medians in milliseconds; ``--check`` ends with status 1 where a limit of the design is missed by more than half. A slider's
time is from the change to the drawn answer ("end to end"); "drawn" is the page's own part of it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, started

#: Milliseconds that the design allows.
LIMITS = {"charts on screen": 2000, "slider, end to end": 200, "slider, drawn": 100, "step": 100, "one of 50 visitors": 3000}
SLIDES, STEPS, VISITORS = 24, 20, 50


def times_of_page(page: Any) -> dict[str, list[float]]:
    """What the page measures of itself while sliders of both pairs and the session move."""
    found: dict[str, list[float]] = {"slider, end to end": [], "slider, drawn": [], "step": []}
    for k in range(SLIDES):
        page.evaluate("() => { delete document.documentElement.dataset.drawnMs; }")
        slider = page.locator(f"[data-key={'ab'[k % 2]}_warmth]")
        slider.evaluate("(one, value) => { one.value = value; one.dispatchEvent(new Event('input')); }", 0.2 + 0.02 * k)
        page.wait_for_function("() => document.documentElement.dataset.drawnMs")
        said = page.evaluate("() => ({...document.documentElement.dataset})")
        found["slider, end to end"].append(float(said["askedMs"]))
        found["slider, drawn"].append(float(said["drawnMs"]))
    step = "() => { const start = performance.now(); document.getElementById('step').click(); return performance.now() - start; }"
    found["step"] = [page.evaluate(step) for _ in range(STEPS)]
    return found


def visitors(address: str) -> list[float]:
    """Milliseconds that each of many visitors waits who all ask for another course at once."""

    def ask(k: int) -> float:
        start = time.perf_counter()
        with urllib.request.urlopen(f"{address}/api/play?seed={1000 + k}") as answer:
            answer.read()
        return 1000 * (time.perf_counter() - start)

    with ThreadPoolExecutor(VISITORS) as all_of_them:
        return list(all_of_them.map(ask, range(VISITORS)))


def measured() -> dict[str, float]:
    """Medians, in milliseconds."""
    process, address = started()
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            opened = []
            for _ in range(3):
                page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
                page.goto(f"{address}/?lesson=sandbox&at=20")
                opened.append(float(page.evaluate("() => document.documentElement.dataset.ready")))
            found = {"charts on screen": opened, **times_of_page(page)}
            browser.close()
        found["one of 50 visitors"] = visitors(address)
    finally:
        process.terminate()
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is missed by more than half")
    checking = parser.parse_args().check
    found = measured()
    for name, value in found.items():
        print(f"{name:22s} {value:8.0f} ms   (design: {LIMITS[name]})")
    if checking and any(value > 1.5 * LIMITS[name] for name, value in found.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
