"""All sentences of the page, from one file: a translation is one more such file."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

FILE = "words.yaml"


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """The table of sentences, by part of the page."""
    return dict(YAML(typ="safe").load(resources.files("sim.classroom.course").joinpath(FILE).read_text(encoding="utf-8")))
