"""For all tests: what one of them adds to the model's registries is gone for the next; reports without the time for pictures."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported: tests run beside each other, threads would wait

from collections.abc import Iterator
from typing import Any

import pytest

from sim.therapy.clinic.matching import MATCHING
from sim.therapy.policies import POLICIES
from sim.therapy.training import PROGRAMMES


@pytest.fixture(autouse=True)
def registries_as_shipped() -> Iterator[None]:
    """Policies, matching rules and programmes that a test (or an example of the docs) registers do not outlive it."""
    registries: list[dict[str, Any]] = [POLICIES, MATCHING, PROGRAMMES]
    before = [dict(registry) for registry in registries]
    yield
    for registry, shipped in zip(registries, before, strict=True):
        registry.clear()
        registry.update(shipped)


@pytest.fixture
def pictures_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports as they are but for what their pictures look like, which takes most of their time: each is one dot.

    For tests of what a report or a command says and writes; pictures are looked at in test_views and its like.
    """
    from sim.report.pages import run as page

    dot = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', "png": b"\x89PNG\r\n\x1a\n"}
    monkeypatch.setattr(page, "settle", lambda figure: None)
    monkeypatch.setattr(page, "image", lambda figure, kind, **how: dot[kind])
