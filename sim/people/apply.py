"""Applying an equation to columns, with its arguments wired by name (the same rule as in the compiled exchange)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sim.naming import nearest
from sim.people.state import Columns
from sim.theory.parameters import Parameters


@lru_cache(maxsize=None)
def arguments(equation: Callable[..., Any]) -> tuple[str, ...]:
    """Names of an equation's arguments, in order."""
    return tuple(inspect.signature(equation).parameters)


def applied(
    equation: Callable[..., Any],
    parameters: Parameters,
    role: str = "",
    columns: Columns | None = None,
    rows: Any = slice(None),
    **given: Any,
) -> Any:
    """The equation's value for rows of a table.

    An argument is, in this order: one of ``given``; this role's column (``client_trust`` for ``trust``); a column of
    that very name; this role's parameter; a parameter of the model. ``role`` may be any prefix, such as ``task``.
    """
    values = []
    for name in arguments(equation):
        if name in given:
            values.append(given[name])
        elif columns is not None and f"{role}_{name}" in columns.index:
            values.append(columns[f"{role}_{name}"][rows])
        elif columns is not None and name in columns.index:
            values.append(columns[name][rows])
        else:
            try:
                values.append(parameters.of(role, name))
            except KeyError:
                hint = nearest(name, [*parameters, *(columns.index if columns is not None else ())])
                raise TypeError(f"{equation.__name__}: nothing provides '{name}'{hint}") from None
    return equation(*values)
