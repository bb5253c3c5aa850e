"""For all tests: what one of them adds to the model's registries is gone for the next."""

from __future__ import annotations

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
