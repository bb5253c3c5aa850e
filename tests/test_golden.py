"""One baseline, exact: nothing that moves results goes unnoticed."""

from __future__ import annotations

import json

import pytest

from tests.golden.refresh import PATH, golden


def test_the_golden_run_has_not_moved() -> None:
    """Same bytes, on every machine; means say how far it moved."""
    was, now = json.loads(PATH.read_text(encoding="utf-8")), golden()
    why = "results moved: if on purpose, python -m tests.golden.refresh and a [MODEL] line in docs/CHANGES.md"
    assert {t: list(m) for t, m in now["means"].items()} == {t: list(m) for t, m in was["means"].items()}, why
    for table, means in was["means"].items():
        assert now["means"][table] == pytest.approx(means, rel=1e-7, abs=1e-9), why
    assert now["values"] == was["values"], why
