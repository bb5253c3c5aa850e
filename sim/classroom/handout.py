"""A lesson as one file that needs no server: the page with its style and modules inside, and courses computed in advance.

The two pairs do not depend on each other, so each pair's courses over a grid of accuracy, warmth and luck are kept once, and
any two of the same random draws can be shown together. Sliders snap to the grid. The file asks nobody for anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import product
from typing import Any

from sim.classroom import page
from sim.classroom.course.many import many_of
from sim.classroom.course.play import play_of, side_of
from sim.classroom.course.state import PAIRS, SIDES, Side, State, as_text, read, with_changes
from sim.classroom.lessons import FIRST, LESSONS, SETUPS, measured_one, outcome

#: Values to which the sliders snap, beside the lesson's own; and how many seeds there are, the lesson's first.
ACCURACY, WARMTH, SEEDS = (0.3, 0.65, 0.9), (0.4, 0.81, 0.95), 3
_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (async function|function|class|const) (\w+)", re.MULTILINE)


def handout_of(lesson: str) -> str:
    """The HTML text of a lesson's handout. ``lesson`` must be one of ``LESSONS``."""
    state = read(f"lesson={lesson}", SETUPS, FIRST)
    play = {**play_of(state), "outcome": outcome(state)}
    script, style = bundle(), page.STATIC["page.css"]
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return page.as_html(
        page.given(state, play, handout=courses(state)),
        f"<style>{style}</style>",
        f"<script>{script}</script>",
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def courses(state: State) -> dict[str, Any]:
    """Every course of a lesson's grid by pair and key, the fan of each luck, and what puts them together.

    A lesson with the switch between readings has them for each of its values.
    """
    lesson = LESSONS[state.lesson]
    seeds = [str(state.shared.seed + k) for k in range(SEEDS)]
    grid = {f"{one}_{name}": _with_own(values, getattr(getattr(state, one), name)) for one in SIDES
            for name, values in (("accuracy", ACCURACY), ("warmth", WARMTH))}  # fmt: skip
    switch = tuple(PAIRS) if lesson.switch else (state.shared.pairs,)
    places = {f"{seed}|{pairs}": with_changes(state, seed=seed, pairs=pairs) for seed in seeds for pairs in switch}
    plays: dict[str, dict[str, Any]] = {one: {} for one in SIDES}
    outcomes: dict[str, dict[str, float]] = {one: {} for one in SIDES}
    for place, one in product(places, SIDES):
        there = places[place]
        for accuracy, warmth in product(grid[f"{one}_accuracy"], grid[f"{one}_warmth"]):
            side: Side = getattr(there, one).model_copy(update={"accuracy": accuracy, "warmth": warmth})
            key = f"{place}|{as_text(accuracy)}|{as_text(warmth)}"
            plays[one][key] = side_of(side, there.shared)
            outcomes[one][key] = round(measured_one(side, there, lesson.measure), 3)
    frame = {name: value for name, value in play_of(state).items() if name not in SIDES}
    return {
        "grid": {**grid, "seed": [int(seed) for seed in seeds]},
        "seeds": seeds,
        "plays": plays,
        "outcomes": outcomes,
        "many": {place: many_of(there, lesson) for place, there in places.items()},
        "frame": {**frame, "measure": lesson.measure},
        "answer_by": {"smallest": lesson.smallest, "lower": lesson.lower} if lesson.asked_of == "one" else None,
    }


def _with_own(values: tuple[float, ...], own: float) -> list[float]:
    """The grid's values with the nearest one replaced by the lesson's own."""
    nearest = min(values, key=lambda value: abs(value - own))
    return sorted({own if value == nearest else value for value in values})


def bundle() -> str:
    """All modules of the page as one classic script, each in a function of its own, after those that it needs."""
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        text = page.STATIC[f"{name}.js"]
        for _, needed in _IMPORT.findall(text):
            if needed not in parts:
                add(needed)
        exported = [found for _, found in _EXPORT.findall(text)]
        text = _IMPORT.sub(lambda m: f'const {m[1].removeprefix("* as ")} = modules["{m[2]}"];\n', text)
        text = _EXPORT.sub(r"\1 \2", text)
        parts[name] = f'modules["{name}"] = (() => {{\n{text}\nreturn {{ {", ".join(exported)} }};\n}})();'

    add("main")
    return '"use strict";\nconst modules = {};\n' + "\n".join(parts.values())
