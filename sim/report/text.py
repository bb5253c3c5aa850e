"""How numbers, intervals and names are written in sentences, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

Row = Mapping[Any, Any]


def number(value: float, digits: int = 2) -> str:
    """A number for people; a dash where there is none. A true minus sign, and none before what rounds to nothing."""
    if value is None or np.isnan(value):
        return "–"
    shown = f"{value:.{digits}f}"
    return (shown if float(shown) else shown.lstrip("-")).replace("-", "−")


def with_interval(row: Mapping[Any, Any], digits: int = 2) -> str:
    """A mean with its 95 % interval, such as "5.25 [5.10, 5.40]"; the mean alone where one person gives no interval."""
    said, low, high = (number(row[name], digits) for name in ("mean", "low", "high"))
    # A no-break space: an interval that falls apart at the end of a line is hard to read.
    return said if np.isnan(row["low"]) else f"{said} [{low},\N{NO-BREAK SPACE}{high}]"


def arm_name(arm: str) -> str:
    """An arm's name in a sentence."""
    return f"“{arm}”"


def percent(share: float) -> str:
    """A proportion as a percentage; a dash where there is none."""
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"


def short(text: str, most: int = 34) -> str:
    """A name cut to what fits beside an axis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def excludes_zero(row: Any) -> bool:
    """Whether an effect's 95 % interval excludes 0."""
    return bool(row["low"] > 0 or row["high"] < 0)


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign; a dash where there is none, no sign on what rounds to nothing."""
    shown = number(value, digits)
    if np.isnan(value) or float(f"{value:.{digits}f}") == 0:
        return shown.lstrip("−")
    return f"+{shown}" if value > 0 else shown


def ranged(row: Any) -> str:
    """The interval of an effect, with a third digit where two would show next to no width."""
    digits = 2 if row["high"] - row["low"] >= 0.01 else 3
    low, high = (signed(row[end], digits).lstrip("+") for end in ("low", "high"))
    return f"[{low}, {high}]"


def listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def effect_in_sd(row: Row) -> str:
    """An effect in SD with its interval; a third digit where the interval would show next to no width."""
    narrow = row["high"] - row["low"] < 0.01
    return f"{signed(row['effect'], 3 if narrow else 2)}{brackets(row)}"


def brackets(row: Row) -> str:
    return f" {ranged(row).replace(', ', ',' + chr(160))}" if row["low"] == row["low"] else ""


def signed_interval(row: Row, digits: int = 2) -> str:
    """A difference with its sign and interval."""
    return ("+" if float(f"{row['mean']:.{digits}f}") > 0 else "") + with_interval(row, digits)
