"""How numbers, intervals and names are written in sentences, tables and figures; and the templates that sentences stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

Row = Mapping[Any, Any]


def number(value: float, digits: int = 2) -> str:
    """A number for people; a dash where there is none. A true minus sign, and none before what rounds to nothing."""
    if value is None or np.isnan(value):
        return "–"
    shown = f"{value:.{digits}f}"
    return (shown if float(shown) else shown.lstrip("-")).replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign; a dash where there is none, no sign on what rounds to nothing."""
    return ("+" if float(f"{value:.{digits}f}") > 0 else "") + number(value, digits)


def plain(value: float, sign: str = "") -> str:
    """A number with the digits it has; ``sign``: "+" to write the sign of what is added."""
    return f"{value:{sign}g}".replace("-", "−")


def percent(share: float) -> str:
    """A proportion as a percentage; a dash where there is none."""
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"


def ends(row: Row, name: str = "mean") -> tuple[str, str]:
    """Where a row holds the ends of a value's interval: ``wai_low`` and ``wai_high`` of ``wai``, else ``low`` and ``high``."""
    return ("low", "high") if f"{name}_low" not in row else (f"{name}_low", f"{name}_high")


def interval(row: Row, name: str = "mean", digits: int = 2) -> str:
    """An interval in brackets; a dash where there is none."""
    low, high = (row[end] for end in ends(row, name))
    # A no-break space: an interval that falls apart at the end of a line is hard to read.
    return "–" if np.isnan(low) else f"[{number(low, digits)},\N{NO-BREAK SPACE}{number(high, digits)}]"


def with_interval(row: Row, digits: int = 2, name: str = "mean") -> str:
    """A value with its 95 % interval, such as "5.25 [5.10, 5.40]"; the value alone where one person gives no interval."""
    said = number(row[name], digits)
    return said if np.isnan(row[ends(row, name)[0]]) else f"{said} {interval(row, name, digits)}"


def signed_interval(row: Row, digits: int = 2, name: str = "mean") -> str:
    """A difference with its sign and interval."""
    return ("+" if float(f"{row[name]:.{digits}f}") > 0 else "") + with_interval(row, digits, name)


def scaled(row: Row, by: float, name: str = "mean") -> dict[str, float]:
    """A value with its interval times a number: a proportion as a percentage, or a fall instead of a change."""
    low, high = sorted(by * row[end] for end in ends(row, name))
    return {"mean": by * row[name], "low": low, "high": high}


def excludes_zero(row: Row, name: str = "mean") -> bool:
    """Whether an effect's 95 % interval excludes 0."""
    low, high = ends(row, name)
    return bool(row[low] > 0 or row[high] < 0)


def effect_in_sd(row: Row, name: str = "effect") -> str:
    """An effect in SD, or a correlation, with its interval; a third digit where the interval would show next to no width."""
    low, high = (row[end] for end in ends(row, name))
    return signed_interval(row, 3 if high - low < 0.01 else 2, name)


def arm_name(arm: str) -> str:
    """An arm's name in a sentence."""
    return f"“{arm}”"


def short(text: str, most: int = 34) -> str:
    """A name cut to what fits beside an axis; a blank before "_", since legends leave out what begins with it."""
    return " " * text.startswith("_") + (text if len(text) <= most else text[: most - 1] + "…")


def spaced(name: str) -> str:
    """A name of the program in words."""
    return name.replace("_", " ")


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """A text that goes on in a sentence; a name in capitals stays one."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def listed(parts: Iterable[str]) -> str:
    """Parts of a sentence with commas and an "and"."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def extremes(values: Mapping[str, float], digits: int = 2) -> str:
    """Lowest to highest, with their names; one value alone where there is one."""
    known = {k: v for k, v in values.items() if not np.isnan(v)}
    if not known:
        return "nothing, since there are no values"
    low, high = min(known, key=lambda k: known[k]), max(known, key=lambda k: known[k])
    if len(known) == 1:
        return f"{number(known[low], digits)} ({low})"
    if number(known[low], digits) == number(known[high], digits):
        return f"{number(known[low], digits)} in each"
    return f"{number(known[low], digits)} ({low}) to {number(known[high], digits)} ({high})"


TEMPLATES = Path(__file__).with_name("templates")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Where pages and sentences come from; the functions above are filters in them. Only pages are escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=lambda name: str(name).endswith(".html.j2"), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    writers = (number, signed, plain, percent, interval, with_interval, signed_interval, scaled, effect_in_sd, arm_name,
               spaced, capital, listed, extremes)  # fmt: skip
    made.filters |= {write.__name__: write for write in writers}
    made.globals |= {"say": made.get_template("phrases.j2").module, "excludes_zero": excludes_zero}
    return made


def paragraphs(written: str) -> list[str]:
    """The paragraphs of a text that stands in lines, without its line breaks."""
    found = (re.sub(r"[ \n]+", " ", part).strip() for part in re.split(r"\n[ \n]*\n", written))
    return [part for part in found if part]


def sentences(template: str, about: str, /, **facts: Any) -> list[str]:
    """What a macro of a template says of some facts: one string a paragraph, none where it says nothing."""
    return paragraphs(str(getattr(environment().get_template(template).module, about)(**facts)))
