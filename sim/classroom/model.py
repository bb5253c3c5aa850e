"""The model as the page's help shows it: every equation in its own words, every parameter with its range and source."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from sim.theory.claims import public_equations
from sim.theory.parameters import PARAMETERS


@lru_cache(maxsize=1)
def described() -> dict[str, Any]:
    """Equations (name, what it says in words, the rest of its description) and numbers."""
    equations = []
    for equation in public_equations():
        first, _, rest = (inspect.getdoc(equation) or "").partition("\n")
        equations.append({"name": equation.__name__, "says": first, "more": rest.strip()})
    parameters = [
        {"name": n.name, "default": n.default, "unit": n.unit, "low": n.low, "high": n.high, "status": n.status,
         "source": n.source, "meaning": n.meaning}
        for n in PARAMETERS.values()
    ]  # fmt: skip
    return {"equations": equations, "parameters": parameters}
