"""What pydantic finds wrong with a scenario, in plain English: the one thing to mention, with its line.

What would be valid is read off the JSON Schema of the file format, which says it of every key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from sim.declared.kinds import BRANCH
from sim.declared.values import Location, Wrong, hint, shown
from sim.errors import ScenarioError
from sim.naming import nearest
from sim.scenario.fields import json_schema
from sim.scenario.reading import Reading
from sim.theory.parameters import PARAMETERS

_schema = lru_cache(maxsize=1)(json_schema)


def first_finding(error: ValidationError, reading: Reading) -> ScenarioError:
    """Of all that is wrong the one to mention: a mistyped key before anything else, then what stands first in the file."""
    found: list[tuple[bool, int, Location, Any]] = []
    for e in error.errors(include_url=False):
        if e["type"] == "default_factory_not_called":  # what it would follow is wrong itself
            continue
        inner = e.get("ctx", {}).get("error")
        at: Location = (*e["loc"], *inner.location) if isinstance(inner, Wrong) else tuple(e["loc"])
        at = tuple(part for part in at if not (isinstance(part, str) and part.startswith(BRANCH)))
        found.append((e["type"] != "extra_forbidden", reading.origins.get(at, ("", 0))[1], at, e))
    _, _, at, e = min(found, key=lambda entry: entry[:2])
    return reading.error(Wrong(at, _in_words(e, at)))


def _in_words(error: Any, at: Location) -> str:
    """Pydantic's finding in plain English."""
    given = error["input"]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is missing; it must be given" + (", as one sentence that the scenario answers" if at == ("question",) else "")
        case "extra_forbidden":
            return _misplaced(str(at[-1]), at)
        case "kind":
            return f"{error['msg']}, not {shown(given)}"
        case "string_too_short":
            return "must not be empty"
        case "too_long" | "too_short":
            most, count = error["ctx"].get("max_length"), error["ctx"]["actual_length"]
            return f"has {count} entries, more than the {most} that are possible" if most else "has no entries; list at least one"
    kind = error["type"].partition("_")[0]
    wanted = {"int": "integer", "float": "number", "bool": "boolean", "string": "string", "tuple": "array"}
    wanted |= {"model": "object", "dict": "object", "literal": "enum"}
    quotes = "; put it in quotes" if kind == "string" and isinstance(given, (bool, int, float)) else ""
    for declared in _declared(at):
        if "enum" in declared and kind == "literal":
            *others, last = (f"'{name}'" for name in declared["enum"])
            return f"must be {', '.join(others)} or {last}, not {shown(given)}{nearest(str(given), declared['enum'])}"
        if declared.get("type") in (wanted.get(kind, kind), *(("integer", "number") if kind in ("greater", "less") else ())):
            return f"must be {_what(declared)}, not {shown(given)}{quotes}"
    return f"{error['msg']}, not {shown(given)}"


def _what(declared: dict[str, Any]) -> str:
    """What may stand where, as the schema declares it."""
    low, high = declared.get("minimum"), declared.get("maximum")
    match declared["type"]:
        case "integer":
            return f"a whole number between {low} and {high}" if high is not None else f"a whole number, {low} or more"
        case "number":
            above = f" above {declared['exclusiveMinimum']:g}" if "exclusiveMinimum" in declared else ""
            return f"a number between {low:g} and {high:g}" if high is not None else f"a number{above}"
        case "boolean":
            return "true or false"
        case "array":
            example = json.dumps(declared["examples"][0]).replace('"', "") if "examples" in declared else ""
            return f"a list, such as {example}" if example else "a list"
        case "object":
            return "a mapping ('name: value' lines)"
    return "text"


def _misplaced(key: str, at: Location) -> str:
    """What to say of a key that cannot stand where it stands."""
    scenario, clinic = _schema()["properties"], _schema()["$defs"]["Plan"]["properties"]
    keys = tuple(key for declared in _declared(at[:-1]) for key in declared.get("properties", ()))
    of_clinic = keys == tuple(clinic)
    if len(at) == 3 and at[0] == "arms" and key in scenario:
        return f"belongs to the whole scenario, not to one arm; an arm may say {', '.join(keys)}"
    if key in clinic and not of_clinic:
        return f"is said under 'clinic:', as in clinic: {{{key}: ...}}"
    if key in PARAMETERS and "parameters" in keys:
        return f"is a parameter and is said under 'parameters:', as in parameters: {{{key}: ...}}"
    if key in ("selected", "distress") and "anxiety" in keys:
        return "can be said of clients only"
    return f"is not a key {'of a scenario' if len(at) == 1 else 'that can stand here'}{hint(key, keys)}"


def _declared(at: Location) -> list[dict[str, Any]]:
    """What the schema says of a place: one part for each kind of value that may stand there."""
    places = [_schema()]
    for part in at:
        inside: list[Any] = []
        for place in places:
            if isinstance(part, int):
                inside += [place["items"]] if "items" in place else place.get("prefixItems", ())[part : part + 1]
            elif part in place.get("properties", ()):
                inside.append(place["properties"][part])
            elif isinstance(place.get("additionalProperties"), dict):
                inside.append(place["additionalProperties"])
        places = [kind for place in inside for kind in _kinds(place)]
    return places


def _kinds(place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The alternatives of a part of the schema, pointers followed."""
    beside = {key: value for key, value in place.items() if key in ("examples", "description")}
    if "$ref" in place:
        found: Any = _schema()
        for name in place["$ref"].split("/")[1:]:
            found = found[name]
        yield from _kinds({**found, **beside})
    elif "anyOf" in place or "oneOf" in place:
        for one in place.get("anyOf", place.get("oneOf", ())):
            yield from _kinds({**one, **beside})
    else:
        yield place
