"""Tests of what long computations found: left out, and said so, where they have not been made with the present model."""

from __future__ import annotations

import pytest

from sim.evidence.stored import current


def made(*names: str) -> pytest.MarkDecorator:
    """Leave a test out where one of these results (``sim.evidence.stored.NAMES``) is not there; docs/VALIDATION.md says which."""
    missing = [name for name in names if current(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)}: not made yet with this model ('make evidence')")
