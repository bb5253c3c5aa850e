"""What the rules of scenario files are made of: checks of single values, and how the JSON Schema says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

from sim.scenario.reading import Location, Wrong, shown

POPULATION = "population"
SHARED = "shared definition"  # pydantic resolves "$ref" itself and knows only its own; replaced in json_schema()


def number(value: Any, low: float, high: float, at: Location = ()) -> float:
    """``value`` if it is a number between ``low`` and ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise Wrong(at, f"must be a number between {low:g} and {high:g}, not {shown(value)}")
    return float(value)


@dataclass(frozen=True)
class Rule:
    """How one value is checked, and how the JSON Schema describes it."""

    check: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def whole(low: int, high: int) -> Rule:
    """A whole number from ``low`` to ``high``."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Wrong((), f"must be a whole number between {low} and {high}, not {shown(value)}")
        return value

    return Rule(check, {"type": "integer", "minimum": low, "maximum": high})


def mapping(value: Any, example: str) -> dict[str, Any]:
    """``value`` if it is a mapping; nothing said is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong((), f"must be a mapping of {example}, not {shown(value)}")
    return value


def object_of(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def between(low: float, high: float) -> dict[str, Any]:
    """A number from ``low`` to ``high``, where they are finite."""
    ends = {name: end for name, end in (("minimum", low), ("maximum", high)) if abs(end) < float("inf")}
    return {"type": "number", **ends}


class Strict(BaseModel):
    """A part of a file in which unknown keys and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
