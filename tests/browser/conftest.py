"""A real browser for the page: the system's Chromium, the real server in a process of its own, and what must never happen.

Without a browser these tests are skipped; where CI is set they fail instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]


def needed(found: str | None, package: str) -> None:
    """Skip where a program is missing; fail where CI is set. ``package``: of Debian, which holds it."""
    if found is None:
        said = f"what is in {package} is not here (Debian: apt install {package})"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(said)


def alone(page: Any, *files: Path) -> None:
    """Open an empty page at an address that has these files, and nothing else."""
    kinds, by_name = {".js": "text/javascript", ".wasm": "application/wasm"}, {path.name: path for path in files}

    def answer(route: Any) -> None:
        path = by_name.get(route.request.url.rpartition("/")[2])
        if path is None:
            route.fulfill(body="<!doctype html><title>Attune</title>", content_type="text/html")
        else:
            route.fulfill(body=path.read_bytes(), content_type=kinds[path.suffix])

    page.route("**/*", answer)
    page.goto("https://attune.test/")


def started() -> tuple[subprocess.Popen[str], str]:
    """A server of the page on a free port, and its address."""
    command = [sys.executable, "-m", "sim", "app", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"http://\S+:\d+/", line)
        if found:
            return process, found[0].rstrip("/")
    raise AssertionError(f"the server did not start: {said}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser, one for all tests of a process."""
    needed(CHROMIUM, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def home(browser: Any) -> Iterator[str]:
    """The address of a running server."""
    process, address = started()
    yield address
    process.terminate()
    process.wait(10)


def bad(message: Any, expected: str) -> bool:
    """Whether a line on the console is one that should not be there."""
    return message.type in ("error", "warning") and not (expected and expected in message.text)


@pytest.fixture
def visit(browser: Any, home: str) -> Iterator[Callable[..., Any]]:
    """Opens a place of the page as a visitor of their own. At the end: no error on the console, nobody else was asked."""
    contexts: list[Any] = []
    console: list[str] = []
    foreign: list[str] = []

    def opened(place: str = "/", width: int = 1366, height: int = 768, *, expected: str = "", **how: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: console.append(m.text) if bad(m, expected) else None)
        page.on("pageerror", lambda error: console.append(f"{error}"))
        page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((home, "data:", "blob:", "file:")) else None)
        page.goto(place if place.startswith("file:") else home + place)
        page.wait_for_function("() => document.documentElement.dataset.ready")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert console == []
    assert foreign == []
