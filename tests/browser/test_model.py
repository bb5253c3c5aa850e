"""The model in a web page (``tests/test_web.py``) in the real browser: the same bytes, and what docs/WEB.md shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.browser.conftest import alone
from tests.test_web import ALL, LOADER, ROOT, SOME, WEB, arms_of, asked_and_expected
from tests.web_host import host
from tools.web import FILE


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that has the two files, and nothing else."""
    opened = browser.new_page()
    alone(opened, LOADER, FILE, WEB / "run.js")
    yield opened
    opened.close()


@pytest.mark.parametrize("seeds", [SOME, ALL], ids=len)
def test_a_browser_gives_the_same_bytes(page: Any, seeds: range) -> None:
    asked, expected = asked_and_expected(seeds)
    found = page.evaluate(
        """async (asked) => {
            const {load} = await import("/model.js"), {answers} = await import("/run.js");
            return answers(await load(), asked);
        }""",
        asked,
    )
    assert found == expected


def in_a_page(page: Any, text: str) -> str:
    """What the examples say, once they have said it."""
    page.set_content(text)
    page.wait_for_function("() => /[0-9]/.test(document.querySelector('p[id^=said]')?.textContent ?? '')")
    return str(page.locator("p[id^=said]").text_content())


def test_the_examples_of_the_page_run(page: Any) -> None:
    """Of docs/WEB.md: a page beside the two files, and the output of a notebook's cell."""
    text = (ROOT / "docs" / "WEB.md").read_text(encoding="utf-8")
    of_page, of_notebook = (re.findall(rf"```{kind}\n(.*?)```", text, re.S)[0] for kind in ("html", "python"))
    ((scenario, arm),) = arms_of({"client": "fearful", "therapist": "dismissing", "sessions": 12})
    host().set_up(scenario, arm, 1)
    course = host().many(0, 1)
    last = int(course["clients"]["sessions_attended"][0])
    alliance = " ".join(f"{x:.2f}" for x in course["sessions"]["wai_client"][0, :last])
    assert in_a_page(page, of_page) == f"Client 0 came {last} times; alliance (WAI, 1-7) {alliance}"
    *lines, shown = ast.parse(of_notebook).body
    assert isinstance(shown, ast.Expr)
    exec(compile(ast.Module(lines, []), "WEB.md", "exec"), known := {})
    html = eval(compile(ast.Expression(shown.value), "WEB.md", "eval"), known)._repr_html_()
    ((scenario, arm),) = arms_of({"client": "fearful", "sessions": 12})
    host().set_up(scenario, arm, 1)
    ends = host().many(0, 200)["clients"]["distress_end"]
    assert in_a_page(page, html) == f"mean distress at the end: {np.nanmean(ends):.1f}"
