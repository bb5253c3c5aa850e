"""The page as one HTML text, from the table of words and a state; the same for the server and for a handout."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sim.classroom.course.state import CONTROLLED, State, defaults
from sim.classroom.course.words import words
from sim.classroom.lessons import LESSONS, told
from sim.theory.claims import public_equations, sources
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import REGIONS
from sim.version import __version__

_FOLDER = resources.files("sim.classroom")
#: Style and modules of the page, by name.
STATIC = {
    file.name: file.read_text(encoding="utf-8")
    for file in sorted(_FOLDER.joinpath("static").iterdir(), key=lambda one: one.name)
    if file.name.endswith((".js", ".css"))
}


@lru_cache(maxsize=1)
def _template() -> Any:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _FOLDER.joinpath("page.html.j2").read_text(encoding="utf-8")
    )


@lru_cache(maxsize=1)
def about() -> dict[str, str]:
    """What hovering says of each quantity and region: one plain sentence, and the source."""
    said = words()["quantities"]
    known = sources()

    def source(key: str) -> str:
        return known[key].citation if key in known else said[key]

    found = {name: f"{one['means']} ({source(one['source'])})" for name, one in said.items() if isinstance(one, dict)}
    found["plane"] = f"{words()['plane']['note_long']} {found['anxiety']} {said['avoidance']['means']}"
    for region in REGIONS.values():
        name, claims = words()["regions"][region.name]["name"], ", ".join(region.claims)
        found[f"region:{region.name}"] = f"{name}: {region.process}. {words()['inside']['index']} ({claims})."
    return found


@lru_cache(maxsize=1)
def model() -> dict[str, Any]:
    """The model as the page's help shows it: every equation in its own words, every parameter with its range and source."""
    equations = []
    for equation in public_equations():
        first, _, rest = (inspect.getdoc(equation) or "").partition("\n")
        equations.append({"name": equation.__name__, "says": first, "more": rest.strip()})
    told = ("name", "default", "unit", "low", "high", "status", "source", "meaning")
    parameters = [{name: getattr(one, name) for name in told} for one in PARAMETERS.values()]
    return {"equations": equations, "parameters": parameters}


def given(
    state: State, play: Mapping[str, Any], errors: Sequence[str] = (), handout: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything that the page's modules are given."""
    return {
        "version": __version__,
        "words": {key: value for key, value in words().items() if key not in ("notes", "quantities", "lessons")},
        "about": about(),
        "defaults": defaults(),
        "lessons": {name: told(name) for name in LESSONS},
        "controlled": {part: control for control, part in CONTROLLED.items()},
        "regions": [{"name": region.name} for region in REGIONS.values()],
        "lesson": state.lesson,
        "query": dict(state.query),
        "play": play,
        "error": list(errors),
        "handout": handout,
    }


def as_html(data: Mapping[str, Any], style: str, script: str, policy: str = "") -> str:
    """The page. ``style``, ``script`` and ``policy`` are HTML that is put into it as it is."""
    # No "<" can end the block of data early.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    as_it_is = {"given": text, "style": style, "script": script, "policy": policy}
    return str(_template().render(words=words(), **{name: Markup(one) for name, one in as_it_is.items()}))
