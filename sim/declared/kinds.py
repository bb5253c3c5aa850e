"""Kinds of fields beyond pydantic's own types: names out of a table, lists, mappings, and what may be written in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic_core import CoreSchema, core_schema

from sim.declared.values import Wrong, shown
from sim.naming import nearest

#: What the ways to write a field are called in pydantic's locations: nothing that a file can hold begins so.
BRANCH = "\0"


@dataclass(frozen=True)
class OneOf:
    """A name out of a table that may grow while the program runs.

    ``kind``: what it is the name of; ``names``: those there are now, with their meanings if they have one; ``more``: said where
    no name is near; ``check``: raises ``ValueError`` in place of the usual message.
    """

    kind: str
    names: Callable[[], Iterable[str]]
    more: str = ""
    check: Callable[[str], object] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        names = self.names()
        if isinstance(names, Mapping):
            return {"oneOf": [{"const": name, "description": meaning} for name, meaning in names.items()]}
        return {"enum": list(names)}

    def checked(self, value: Any) -> str:
        """The name, if it is one. Raises ``ValueError``."""
        if self.check is not None:
            if not isinstance(value, str):
                raise ValueError(f"must be the name of a {self.kind}, not {shown(value)}")
            self.check(value)
            return value
        known = tuple(self.names())
        if not isinstance(value, str) or value not in known:
            close = nearest(str(value), known) or f"; valid: {', '.join(known)}{self.more}"
            raise ValueError(f"unknown {self.kind} {shown(value)}{close}")
        return value


@dataclass(frozen=True)
class Entries:
    """A mapping of names to numbers, each name with limits of its own; nothing said is an empty one.

    ``example``: how one is written; ``limits``: the JSON Schema of every name's number; ``known``: raises ``ValueError`` for a
    name that is none; ``check``: in place of both, what is meant by a name and what was written, raises ``ValueError``;
    ``word``: stands for a mapping that a validator before this one makes of it.
    """

    example: str
    limits: Callable[[], Mapping[str, Any]]
    known: Callable[[str], object] | None = None
    check: Callable[[str, Any], float] | None = None
    word: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        entries = {"type": ["object", "null"], "properties": dict(self.limits()), "additionalProperties": False}
        return {"anyOf": [{"const": self.word}, entries]} if self.word else entries

    def checked(self, value: Any) -> dict[str, float]:
        """The mapping, if every name in it may have the value that it has. Raises ``Wrong``."""
        if not isinstance(value, dict | None):
            raise Wrong((), f"must be a mapping of {self.example}, not {shown(value)}")
        found = {}
        limits = self.limits() if self.check is None and value else {}
        for name, one in (value or {}).items():
            try:
                if self.known is not None:
                    self.known(name)
                found[name] = _number(one, limits[name]) if self.check is None else self.check(name, one)
            except ValueError as error:
                raise Wrong((name,), str(error)) from None
        return found


def _number(value: Any, limits: Mapping[str, Any]) -> float:
    """The number that was written, if it lies within limits given as JSON Schema. Raises ``ValueError``."""
    low, high, whole = limits["minimum"], limits["maximum"], limits["type"] == "integer"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not is_number or (whole and not float(value).is_integer()):
        raise ValueError(f"must be a {'whole ' if whole else ''}number between {low:g} and {high:g}, not {shown(value)}")
    return float(value)


class OrNothing:
    """A key with nothing after it (``usual:``) is a mapping, or a list, without entries."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        empty: Any = () if get_origin(source) is tuple else {}
        return core_schema.no_info_before_validator_function(lambda value: empty if value is None else value, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        inner: dict[str, Any] = handler(schema)
        return inner if {"type": "null"} in inner.get("anyOf", ()) else {"anyOf": [inner, {"type": "null"}]}


class Distinct:
    """A list of ``least`` to ``most`` entries in which nothing stands twice."""

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self.length = {"min_length": least, "max_length": most}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        listed = {**handler(source), "strict": False, **{key: n for key, n in self.length.items() if n is not None}}
        return core_schema.no_info_after_validator_function(self.checked, listed)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def checked(values: tuple[Any, ...]) -> tuple[Any, ...]:
        """``values`` if none of them stands twice, 1 and true being two things. Raises ``Wrong``."""
        before = set()
        for i, value in enumerate(values):
            same = type(value), _hashable(value)
            if same in before:
                raise Wrong((i,), f"{shown(value)} stands twice in the list")
            before.add(same)
        return values


def _hashable(value: Any) -> Any:
    """What equal values have in common, lists and mappings too."""
    if isinstance(value, Mapping):
        return frozenset((name, _hashable(one)) for name, one in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], Distinct()]


class ByKind:
    """What may be written in several ways, told apart by whether it is a text, a number, a list, a mapping or nothing.

    So a message is about the way that was meant. ``said``: what may stand here, in words; ``ways``: the type of each.
    """

    def __init__(self, said: str, *ways: Any) -> None:
        self.said, self.ways = said, ways

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        kinds = {str: "text", float: "number", tuple: "list", dict: "mapping", type(None): "nothing"}
        choices: dict[Any, CoreSchema] = {}
        for branch in self.ways:
            bare = get_args(branch)[0] if get_origin(branch) is Annotated else branch
            choices[BRANCH + kinds.get(get_origin(bare) or bare, "mapping")] = handler.generate_schema(branch)
        return core_schema.tagged_union_schema(
            choices, _kind_written, custom_error_type="kind", custom_error_message=f"must be {self.said}"
        )


def _kind_written(value: Any) -> str | None:
    """Which way somebody meant who wrote this."""
    if isinstance(value, bool):
        return None
    kinds: tuple[tuple[Any, str], ...] = (
        (str, "text"), ((int, float), "number"), ((list, tuple), "list"), (Mapping, "mapping"), (type(None), "nothing"),
    )  # fmt: skip
    return next((BRANCH + kind for types, kind in kinds if isinstance(value, types)), None)
