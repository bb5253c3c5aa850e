"""Names that somebody mistyped, or that an earlier version had."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

#: The version whose names ``renamed`` knows, and where people can read what they are called now.
BEFORE, TABLE = "0.1", "the table in docs/CHANGES.md"


@lru_cache(maxsize=1)
def renamed() -> Mapping[str, Mapping[str, Any]]:
    """What version 0.1 called otherwise: kind of name -> name now -> name then; columns by table.

    >>> renamed()["parameters"]["client_leniency"]
    'client_rating_lift'
    """
    from ruamel.yaml import YAML

    text = resources.files("sim").joinpath("renamed.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(text)
    return table


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name after it has been called so: what it is called now, or `` - did you mean 'x'?``, or nothing.

    >>> nearest("client_rating_lift", ["client_leniency"])
    " - now called 'client_leniency' (the table in docs/CHANGES.md has all that was renamed since version 0.1)"
    >>> nearest("sesions", ["sessions", "exchanges"])
    " - did you mean 'sessions'?"
    """
    known = list(known)
    kinds = [names for kind, names in renamed().items() if kind != "columns"] + list(renamed()["columns"].values())
    for kind in kinds:
        names = {then: now for now, then in kind.items()}
        for now in (names.get(name, name), ".".join(names.get(part, part) for part in name.split("."))):
            if now != name and now in known:
                return f" - now called '{now}' ({TABLE} has all that was renamed since version {BEFORE})"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" - did you mean '{close[0]}'?" if close else ""
