"""For all tests: what one of them adds to the model's registries is gone for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.therapy.policies import POLICIES


@pytest.fixture(autouse=True)
def policies_as_shipped() -> Iterator[None]:
    """Policies that a test (or an example of the docs) registers do not outlive it."""
    before = dict(POLICIES)
    yield
    POLICIES.clear()
    POLICIES.update(before)
