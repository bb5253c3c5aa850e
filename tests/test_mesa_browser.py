"""The Mesa page in a real browser: it starts, keeps visitors apart, and asks nobody outside of this machine for anything.

Needs the extra ``mesa-page`` and a Chromium. ``make test-mesa-page`` installs the extra in an environment of its own and runs
this; elsewhere it is skipped.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.mesa.choices import MOST_PEOPLE, PAIRING, Pairing, made, offered, week_in_words
from sim.mesa.model import TherapyModel

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("solara") is None, reason="the extra mesa-page is not installed; `make test-mesa-page` runs this"
)


def after(model: TherapyModel, weeks: int) -> TherapyModel:
    for _ in range(weeks):
        model.step()
    return model


# ------------------------------------------------------------------------------------------- the server, and a visitor

#: A server that tells on standard error of every connection or look-up beyond this machine.
SERVER = """
import sys
HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", None)
def told(event, args):
    place = args[1] if event == "socket.connect" else args
    if event in ("socket.connect", "socket.getaddrinfo") and isinstance(place, tuple) and place[0] not in HERE:
        print("beyond this machine:", event, place[:2], file=sys.stderr, flush=True)
sys.addaudithook(told)
from sim.cli.main import main
main(["app", "--mesa", "--port", "0", "--no-browser"])
"""


class Served:
    """A Mesa page as a process of its own, started in a folder."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "errors.txt"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen([sys.executable, "-c", SERVER], cwd=folder, env=environment, text=True,
                                            stdout=subprocess.PIPE, stderr=errors)  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said + self.errors.read_text()
        self.address = found[0]

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=15)
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    (folder / "scenarios" / "broken.yaml").write_text("question: [")
    server = Served(folder)
    yield server
    server.stop()
    assert server.errors.read_text() == ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        said = "no Chromium here (Debian: apt install chromium)"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


class Visitor:
    """One person's browser on the page; notes what goes wrong and where it asks."""

    def __init__(self, browser: Any, address: str) -> None:
        self.wrong: list[str] = []
        self.context = browser.new_context(viewport={"width": 1366, "height": 768})
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else self.wrong.append(r.url))
        self.page.on("response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        self.page.goto(address)

    def sees(self, text: str | re.Pattern[str]) -> None:
        self.page.get_by_text(text).first.wait_for()

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).click()

    def choose(self, label: str, value: str) -> None:
        self.page.locator(f'.v-select:has(label:text-is("{label}"))').click()
        self.page.locator(".menuable__content__active .v-list-item").get_by_text(value, exact=True).click()


def come(number: int, browser: Any, served: Served) -> Iterator[list[Visitor]]:
    visitors = [Visitor(browser, served.address) for _ in range(number)]
    yield visitors
    for visitor in visitors:
        visitor.context.close()
        assert visitor.wrong == []


@pytest.fixture
def visitors(browser: Any, served: Served) -> Iterator[list[Visitor]]:
    yield from come(2, browser, served)


@pytest.fixture
def visitor(browser: Any, served: Served) -> Iterator[Visitor]:
    for one in come(1, browser, served):
        yield one[0]


# --------------------------------------------------------------------------------------------------------- the page


def test_the_page_answers_and_allows_its_own_files_only(served: Served) -> None:
    with urllib.request.urlopen(served.address, timeout=10) as answer:
        policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    started = time.monotonic()
    with pytest.raises(urllib.error.HTTPError, match="404"):  # not looked for elsewhere
        urllib.request.urlopen(f"{served.address}_solara/cdn/vega@0.0.0/none.js", timeout=10)
    assert time.monotonic() - started < 2


def test_each_visitor_has_a_model_of_their_own(visitors: list[Visitor]) -> None:
    one, other = visitors
    mine, theirs = made(*offered(PAIRING)), made(*offered(PAIRING))
    for visitor in visitors:
        visitor.sees(week_in_words(mine))
    for _ in range(2):
        mine.step()
        one.press("Step")
        one.sees(week_in_words(mine))
    theirs.step()
    other.press("Step")
    other.sees(week_in_words(theirs))  # the first week: the two of before were not theirs
    other.choose("Therapists' style", "dismissing")
    other.press("Reset")
    theirs = Pairing(therapist="dismissing")
    other.sees(theirs.scenario.question)
    theirs.step()
    other.press("Step")
    other.sees(week_in_words(theirs))
    mine.step()
    one.press("Step")
    one.sees(week_in_words(mine))
    drawn = one.page.locator("img.widget-image")
    drawn.nth(3).wait_for()
    assert drawn.count() == 4  # the plane, alliance, distress, counts
    assert all(drawn.nth(i).evaluate("picture => picture.complete && picture.naturalWidth > 300") for i in range(4))


def test_a_scenario_is_played_to_its_end_and_reset(visitor: Visitor) -> None:
    visitor.choose("Scenario", "hello")
    model = TherapyModel(sim.load(ROOT / "scenarios" / "hello.yaml"))
    visitor.sees(week_in_words(model))
    visitor.choose("Arm", "dismissing therapist")
    visitor.press("Reset")
    model = TherapyModel(model.scenario, "dismissing therapist")
    visitor.sees(f"“{model.arm.name}”")
    visitor.press("▶")
    visitor.sees(week_in_words(after(model, 6)))
    assert visitor.page.get_by_role("button", name="Step", exact=True).is_disabled()
    visitor.press("Reset")
    visitor.sees(week_in_words(TherapyModel(model.scenario, "dismissing therapist")))


def test_a_scenario_that_cannot_be_shown_is_said_to_be(visitor: Visitor) -> None:
    visitor.choose("Scenario", "broken")
    visitor.sees("scenarios/broken.yaml:1: is not valid YAML")
    visitor.choose("Scenario", "clinic_large")
    visitor.sees(f"this page shows at most {MOST_PEOPLE:,}")
    visitor.choose("Scenario", "clinic_first_free")
    visitor.press("Step")
    visitor.sees("Week 1 of 156")


def test_everything_is_reached_by_keyboard_and_has_a_name(visitor: Visitor) -> None:
    visitor.sees("Week 0 of 20")
    slider = visitor.page.get_by_role("slider", name="Clients")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "61"
    visitor.page.get_by_role("button", name="Reset", exact=True).press("Enter")
    visitor.sees("61 of 61 simulated clients")


def test_control_c_ends_it_quietly_with_a_page_open(browser: Any, tmp_path: Path) -> None:
    server = Served(tmp_path)
    visitor = Visitor(browser, server.address)
    visitor.sees("Week 0 of 20")
    visitor.press("▶")
    visitor.sees(re.compile("Week [1-9]"))
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 10
    assert server.errors.read_text() == ""
    visitor.sees("Server disconnected")
    visitor.context.close()


def test_without_its_files_the_page_does_not_start(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from solara.server import settings\n"
        f"settings.assets.proxy_cache_dir = Path({str(tmp_path)!r})\n"
        "from sim.mesa.page import MissingExtra, application\n"
        "try: application('127.0.0.1')\n"
        "except MissingExtra as e: sys.exit(f'told: {e}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "told: the Mesa page needs packages" in done.stderr and "(solara-assets)" in done.stderr
