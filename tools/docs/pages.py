"""Whole pages of the docs, made from templates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tools.docs.markdown import table

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # Markdown
)


def rendered(name: str, **what: Any) -> str:
    """A page from its template; ``table`` is known in it. No more than one empty line stands anywhere."""
    text = _TEMPLATES.get_template(name).render(table=table, **what)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
