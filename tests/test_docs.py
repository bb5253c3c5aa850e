"""Docs: generated blocks are fresh, and every Python block of README and docs runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

from sim.views.docs import BLOCKS, DOCS, refreshed

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
CODE = [(page, i, block) for page in PAGES for i, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_generated_blocks_are_fresh(page: Path) -> None:
    """``python -m sim.views.docs`` would change nothing."""
    text = page.read_text(encoding="utf-8")
    assert refreshed(text) == text, "run: python -m sim.views.docs"


def test_every_block_is_on_a_page() -> None:
    """No generator without a reader."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in BLOCKS if f"<!-- generated: {name} -->" not in text] == []


@pytest.mark.parametrize(("page", "number", "block"), CODE, ids=[f"{p.name}-{i}" for p, i, _ in CODE])
def test_python_blocks_run(page: Path, number: int, block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies into a notebook works, from the top folder."""
    matplotlib.use("agg")
    monkeypatch.chdir(ROOT)
    exec(compile(block, f"{page.name}, block {number}", "exec"), {"__name__": "__main__"})


def test_the_commands_of_the_readme_exist() -> None:
    """Every ``attune`` verb that the README names is a verb."""
    from sim.cli import app

    verbs = {c.name or c.callback.__name__.replace("_command", "") for c in app.registered_commands}  # type: ignore[union-attr]
    named = set(re.findall(r"^\s+attune (\w+)", (ROOT / "README.md").read_text(), re.M))
    assert named <= verbs
    assert verbs >= {"run", "check", "new", "params", "trace", "report"}


def test_every_shipped_scenario_is_in_the_readme() -> None:
    """A scenario that nobody hears of is not shipped."""
    text = (ROOT / "README.md").read_text()
    assert [p.stem for p in sorted((ROOT / "scenarios").glob("*.yaml")) if f"`{p.stem}`" not in text] == []
