"""Scenario files. First reading: YAML in; plain values, and the file and line of every key, out. ``extends:`` is followed
(mappings are merged key by key, the child wins, lists are replaced). Then the format: every key, its meaning and limits.
"""

from __future__ import annotations

import datetime
import io
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import core_schema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from sim.theory.parameters import NUMBERS, ParameterError, checked, nearest
from sim.theory.regions import lesion_names
from sim.theory.styles import HIGHEST, LOWEST, STYLES
from sim.therapy.policies import POLICIES

#: Where a value stands: ``("arms", "warm", "policies", 0)``.
Location = tuple[str | int, ...]

MOST_BYTES = 1_000_000
MOST_ENTRIES = 100_000
MOST_LEVELS = 12
LARGEST = 10**15
ENDINGS = (".yaml", ".yml")


class ScenarioError(ValueError):
    """Something is wrong with a scenario. The message is one line: ``file:line: key: what is wrong; what would be valid``."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class Wrong(ValueError):
    """A value that cannot be, and where it stands; becomes a ``ScenarioError`` once file and line are known."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


@dataclass
class Reading:
    """What was read: plain values, and for every location the file and line that it comes from."""

    name: str
    spec: dict[str, Any] = field(default_factory=dict)
    origins: dict[Location, tuple[str, int]] = field(default_factory=dict)

    def error(self, wrong: Wrong) -> ScenarioError:
        """The message for a person, with the line of the nearest key that stands in a file."""
        near = wrong.location
        while near and near not in self.origins:
            near = near[:-1]
        file, line = self.origins.get(near, (self.name, 0))
        parts = [f"{file}:{line}" if line else file, key_path(wrong.location), str(wrong)]
        return ScenarioError(": ".join(part for part in parts if part))


def key_path(location: Location) -> str:
    """``arms.warm.policies[0]`` for ``("arms", "warm", "policies", 0)``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part.isprintable() and 0 < len(part) <= 60 else shown(part))
    return text


def hint(name: Any, known: Sequence[str]) -> str:
    """`` - did you mean 'x'?``, or all that would be valid."""
    return nearest(str(name), known) or f"; valid: {', '.join(known)}"


def shown(value: Any) -> str:
    """A value as a person wrote it, on one line and cut if long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "a mapping" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 50 else f"{text[:46]} ..."


def read(path: str | Path) -> Reading:
    """A scenario file with all its parents merged into it. Raises ``ScenarioError``."""
    child = Path(path)
    chain = [_read_one(child)]
    seen = [child.resolve()]
    files = [child]
    while "extends" in chain[-1].spec:
        parent = _parent(files[-1], chain[-1])
        if parent.resolve() in seen:
            names = " -> ".join(file.name for file in (*files, parent))
            raise chain[-1].error(Wrong(("extends",), f"goes round in a circle ({names}); a scenario cannot extend itself"))
        files.append(parent)
        seen.append(parent.resolve())
        chain.append(_read_one(parent))
    merged = Reading(child.stem)
    merged.origins[()] = (str(child), 1)
    for one in reversed(chain):
        one.spec.pop("extends", None)
        _merge(merged.spec, one.spec, (), merged.origins, one.origins)
    return merged


def _parent(file: Path, reading: Reading) -> Path:
    """The file that ``extends:`` names, in the folder of the file that names it."""
    name = reading.spec["extends"]
    where: Location = ("extends",)
    if not isinstance(name, str) or not name:
        raise reading.error(Wrong(where, f"must be the name of one scenario in the same folder, not {shown(name)}"))
    plain_name = name.removeprefix("./")
    if not plain_name.isprintable() or Path(plain_name).name != plain_name or "\\" in plain_name:
        raise reading.error(Wrong(where, f"must be the name of a scenario in the same folder, without a path, not {shown(name)}"))
    for ending in ("", *ENDINGS):
        parent = file.parent / f"{plain_name}{ending}"
        try:
            if parent.is_file():
                return parent
        except OSError:
            break
    others = sorted(other.stem for other in file.parent.glob("*") if other.suffix in ENDINGS and other.name != file.name)
    close = nearest(Path(plain_name).stem, others)
    raise reading.error(Wrong(where, f"there is no scenario {shown(name)} in {shown(str(file.parent))}{close}"))


def _merge(
    into: dict[str, Any],
    child: dict[str, Any],
    at: Location,
    origins: dict[Location, tuple[str, int]],
    lines: dict[Location, tuple[str, int]],
) -> None:
    """Lay ``child`` over ``into``, in place, with the origin of every key."""
    for key, value in child.items():
        here = (*at, key)
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            origins[here] = lines.get(here, origins[here])
            _merge(into[key], value, here, origins, lines)
            continue
        for old in [place for place in origins if place[: len(here)] == here]:
            del origins[old]
        origins.update({place: line for place, line in lines.items() if place[: len(here)] == here})
        into[key] = value


def _read_one(path: Path) -> Reading:
    """One file by itself: a mapping of plain values, ``question`` first where there is one."""
    reading = Reading(str(path))
    text = _text(path)
    node = _parse(text, path)
    if node is None:
        raise ScenarioError(f"{path}:1: is empty; a scenario begins with 'question:'")
    try:
        if not isinstance(node, dict):
            kind = "a list" if isinstance(node, list) else "a single value"
            raise Wrong((), f"must hold 'key: value' lines, beginning with 'question:', not {kind}")
        reading.origins[()] = (str(path), 1)
        reading.spec = plain(node, (), reading.origins, str(path))
        keys = list(reading.spec)
        if "question" in keys and keys[0] != "question":
            raise Wrong(("question",), f"must be the first key of the file; '{keys[0]}' stands before it")
    except Wrong as wrong:
        reading.origins.setdefault((), (str(path), 1))
        raise reading.error(wrong) from None
    return reading


def _text(path: Path) -> str:
    """The file as text. Raises ``ScenarioError`` for what cannot be a scenario."""
    try:
        if path.is_dir():
            files = sorted(file.name for file in path.glob("*.yaml"))
            example = f", such as {files[0]}" if files else ""
            raise ScenarioError(f"{path}: is a folder; name a scenario file in it{example}")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        beside = [str(other) for other in path.parent.glob("*") if other.suffix in ENDINGS] if path.parent.is_dir() else []
        raise ScenarioError(f"{path}: there is no such file{nearest(str(path), beside)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{path}: cannot be read ({reason})") from None
    if len(data) > MOST_BYTES:
        raise ScenarioError(f"{path}: is larger than 1 MB; a scenario is a short text")
    if b"\0" in data:
        raise ScenarioError(f"{path}: is not a text file; a scenario is YAML text in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScenarioError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from None


class _Constructor(RoundTripConstructor):
    """The round-trip reader, which also says where a value stands that it cannot make sense of (such as month 13)."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        except Exception as error:
            raise ConstructorError(None, None, str(error), node.start_mark) from None


def _parse(text: str, path: Path) -> Any:
    """YAML with line numbers. Whatever the parser may throw at broken text becomes a ``ScenarioError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yaml = YAML(typ="rt", pure=True)
            yaml.Constructor = _Constructor
            return yaml.load(text)
    except DuplicateKeyError as error:
        key = re.search(r'duplicate key "(.*?)" with', str(error.problem), re.DOTALL)
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        name = key_path((key[1],)) if key else "a key"
        raise ScenarioError(f"{path}:{line}: {name}: appears twice; keep one of the two") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScenarioError(f"{path}:{line}: {_syntax(str(error.problem or error.context))}") from None
    except RecursionError:
        raise ScenarioError(f"{path}: is nested too deeply for a scenario") from None
    except Exception as error:  # the parser has no promise about what it raises on arbitrary text
        where = getattr(error, "position", None)
        line = text[:where].count("\n") + 1 if isinstance(where, int) else 1
        reason = str(getattr(error, "reason", None) or error).strip() or type(error).__name__
        raise ScenarioError(f"{path}:{line}: is not valid YAML ({reason[:120]})") from None


def _syntax(problem: str) -> str:
    """A parser's complaint in words that help."""
    if "\\t" in problem or "\t" in problem:
        return "a tab stands where YAML needs spaces; indent with spaces"
    if "mapping values are not allowed" in problem:
        return "is not valid YAML here; if a text contains ': ', put the whole text in quotes; if not, check the indentation"
    if "another document" in problem:
        return "a second document begins ('---'); a file holds one scenario"
    return f"is not valid YAML ({problem.strip()[:120]})"


def plain(node: Any, at: Location, origins: dict[Location, tuple[str, int]], file: str = "") -> Any:
    """Plain Python values (dict, list, str, bool, int, float, None) from parsed YAML or a notebook; the line of each noted.

    Refuses what has no place in a scenario: tags, dates, numbers that are not finite, keys that are not text.
    """
    if len(at) > MOST_LEVELS:
        raise Wrong(at[:4], "is nested too deeply for a scenario")
    if len(origins) > MOST_ENTRIES:
        raise Wrong(at[:1], f"holds more than {MOST_ENTRIES:,} entries (repeated anchors?)")
    _refuse_tag(node, at)
    if isinstance(node, Mapping):
        return {_key(key, at): _noted(node, key, (*at, _key(key, at)), origins, file) for key in node}
    if isinstance(node, (list, tuple)):
        return [_noted(node, i, (*at, i), origins, file) for i in range(len(node))]
    return _scalar(node, at)


def _noted(parent: Any, key: Any, at: Location, origins: dict[Location, tuple[str, int]], file: str) -> Any:
    """One entry of a mapping or list, with its line noted before it is looked into."""
    line = 0
    if isinstance(parent, (CommentedMap, CommentedSeq)):
        marks = (parent.lc.data or {}).get(key)
        line = marks[0] + 1 if marks else 0
    above = origins.get(at[:-1], (file, 0))
    origins[at] = (file, line) if line else above
    return plain(parent[key], at, origins, file)


def _key(key: Any, at: Location) -> str:
    if not isinstance(key, str):
        raise Wrong(at, f"the key {shown(key)} must be text; put it in quotes")
    _encodable(key, at)
    return str(key)


def _refuse_tag(node: Any, at: Location) -> None:
    tag = getattr(getattr(node, "tag", None), "value", None)
    if tag is not None:
        raise Wrong(at, f"the YAML tag {shown(str(tag))} has no place in a scenario; write the plain value")


def _scalar(node: Any, at: Location) -> Any:
    value = node.item() if isinstance(node, np.generic) else node
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, ScalarBoolean):
        return bool(value)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise Wrong(at, "is far too large a number")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Wrong(at, f"must be a finite number, not {float(value)}")
        return float(value)
    if isinstance(value, str):
        _encodable(value, at)
        return str(value)
    if isinstance(value, datetime.date):
        raise Wrong(at, f"was read as a date ({value}); put it in quotes to mean text")
    raise Wrong(at, f"must be text, a number, true, false, a list or a mapping, not {type(value).__name__}")


def _encodable(text: str, at: Location) -> None:
    """Text must survive being written to a file: no control characters but line ends and tabs, no half characters."""
    bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    if bad:
        raise Wrong(at, f"contains the character {bad[0]!a}, which cannot be part of a text")


def to_text(spec: Mapping[str, Any], keys: Sequence[str] = ()) -> str:
    """A plain mapping as YAML text, the named keys first."""
    first = {key: spec[key] for key in keys if key in spec}
    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 10_000  # no folding
    stream = io.StringIO()
    yaml.dump({**first, **{key: value for key, value in spec.items() if key not in first}}, stream)
    return stream.getvalue()


# The format

POPULATION = "population"
MOST_TRACED = 200
_SHARED = "shared definition"  # pydantic resolves "$ref" itself and knows only its own; replaced in json_schema()


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


def _sentence(value: Any) -> str:
    if not isinstance(value, str):
        quotes = "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
        raise Wrong((), f"must be text, not {shown(value)}{quotes}")
    if not value.strip():
        raise Wrong((), "must not be empty")
    return value.strip()


def _numbers(value: Any) -> dict[str, float]:
    found = {}
    for name, one in _mapping(value, "parameter names to numbers, such as trust_rate: 0.2").items():
        try:
            found[name] = checked(name, one)
        except ParameterError as error:
            raise Wrong((name,), str(error)) from None
    return found


def _lesions(value: Any) -> dict[str, float]:
    found = {}
    for name, one in _mapping(value, "regions to strengths, such as client.vlpfc: 0").items():
        if name not in lesion_names():
            close = nearest(name, lesion_names()) or "; a region is written like client.vlpfc or therapist.mirror"
            raise Wrong((name,), f"unknown region{close}")
        found[name] = number(one, 0, 2, (name,))
    return found


def _mapping(value: Any, example: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong((), f"must be a mapping of {example}, not {shown(value)}")
    return value


def _policies(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong((), f"must be a list, such as [{next(iter(POLICIES))}], not {shown(value)}")
    for i, name in enumerate(value):
        if not isinstance(name, str) or name not in POLICIES:
            raise Wrong((i,), f"unknown policy {shown(name)}{hint(name, tuple(POLICIES))}")
        if name in value[:i]:
            raise Wrong((i,), f"'{name}' stands twice in the list")
    return tuple(value)


def _clients(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise Wrong((), f"must be a list of client numbers, such as [0, 3], not {shown(value)}")
    if len(value) > MOST_TRACED:
        raise Wrong((), f"at most {MOST_TRACED} clients can be followed exchange by exchange, not {len(value)}")
    for i, one in enumerate(value):
        if isinstance(one, bool) or not isinstance(one, int) or one < 0:
            raise Wrong((i,), f"must be a client number (0 is the first), not {shown(one)}")
        if one in value[:i]:
            raise Wrong((i,), f"client {one} stands twice in the list")
    return tuple(value)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Wrong((), f"must be a list of names of arms, not {shown(value)}")
    for i, name in enumerate(value):
        if name in value[:i]:
            raise Wrong((i,), f"{shown(name)} stands twice in the list")
    return tuple(value)


def _empty_is_none_said(value: Any) -> Any:
    """A key with nothing after it (``usual:``) is a mapping without entries."""
    return {} if value is None else value


def _arm_names(value: Any) -> Any:
    value = _empty_is_none_said(value)
    for name in value if isinstance(value, dict) else ():
        if not 1 <= len(name) <= 60 or not name.isprintable() or not name.strip() or "/" in name:
            raise Wrong((name,), "an arm's name must have 1 to 60 characters, all of them printable, and no '/'")
    return value


_NUMBERS = Rule(_numbers, {_SHARED: "parameters"})
_LESIONS = Rule(_lesions, {_SHARED: "lesions"})
_POLICIES = Rule(_policies, {_SHARED: "policies"})
_TEXT = Rule(_sentence, {"type": "string", "minLength": 1})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArmFile(_Strict):
    """What one arm says; the rest it takes from the scenario."""

    client: Annotated[Any, WithJsonSchema({_SHARED: "client"})] = Field(None, description="Who seeks help in this arm.")
    therapist: Annotated[Any, WithJsonSchema({_SHARED: "therapist"})] = Field(
        None, description="Who treats them in this arm; none = no therapy."
    )
    parameters: Annotated[dict[str, float], _NUMBERS] = Field({}, description="Numbers of the model that differ in this arm.")
    lesions: Annotated[dict[str, float], _LESIONS] = Field(
        {}, description="Regions weakened (below 1) or strengthened in this arm."
    )
    policies: Annotated[tuple[str, ...], _POLICIES] = Field((), description="What this arm's therapists are told to do.")
    sessions: Annotated[int | None, whole(1, 520)] = Field(None, description="Planned weekly sessions in this arm.")


class ExchangesFile(_Strict):
    """Which clients are followed exchange by exchange."""

    clients: Annotated[
        tuple[int, ...],
        Rule(
            _clients, {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": MOST_TRACED, "uniqueItems": True}
        ),
    ] = Field(description="Numbers of the clients of each arm (0 is the first).")
    arms: Annotated[tuple[str, ...] | None, Rule(_names, {"type": "array", "items": {"type": "string"}, "uniqueItems": True})] = (
        Field(None, description="In which arms; left out = in all that have a therapist.")
    )


class RecordFile(_Strict):
    """What to keep beyond the usual tables."""

    exchanges: ExchangesFile | None = Field(None, description="Clients to follow exchange by exchange.")


class ScenarioFile(_Strict):
    """A scenario of Attune: one question, and the simulated people, therapy and changes that answer it."""

    question: Annotated[str, _TEXT] = Field(description="The question that this scenario answers, in one sentence. Stands first.")
    title: Annotated[str, _TEXT] = Field("", description="A short title for figures and reports.")
    design: Literal["arms", "crossed"] = Field(
        "arms", description="arms: each arm has its own therapists. crossed: the same clients meet every kind of therapist."
    )
    client: Annotated[Any, WithJsonSchema({"anyOf": [{_SHARED: "client"}, {_SHARED: "clients"}]})] = Field(
        POPULATION, description="Who seeks help: a style, a place or spread on the attachment plane, or population."
    )
    therapist: Annotated[Any, WithJsonSchema({"anyOf": [{_SHARED: "therapist"}, {_SHARED: "therapists"}]})] = Field(
        POPULATION, description="Who treats them; none = no therapy."
    )
    clients_per_arm: Annotated[int, whole(1, 1_000_000)] = Field(
        200, description="Clients in each arm; in a crossed design, of each kind."
    )
    clients_per_therapist: Annotated[int, whole(1, 1_000_000)] = Field(
        1, description="Caseload of each therapist (design: arms only)."
    )
    sessions: Annotated[int, whole(1, 520)] = Field(20, description="Planned weekly sessions.")
    exchanges: Annotated[int, whole(2, 60)] = Field(10, description="Exchanges (one speaks, the other responds) in each session.")
    replicates: Annotated[int, whole(1, 100_000)] = Field(
        1, description="How often the whole is repeated with fresh people and luck."
    )
    follow_up_months: Annotated[int, whole(0, 120)] = Field(0, description="Months of assessment after the planned end.")
    parameters: Annotated[dict[str, float], _NUMBERS] = Field(
        {}, description="Numbers of the model that differ from their defaults."
    )
    lesions: Annotated[dict[str, float], _LESIONS] = Field(
        {}, description="Regions weakened (below 1; 0 = removed) or strengthened."
    )
    policies: Annotated[tuple[str, ...], _POLICIES] = Field((), description="What the therapists are told to do.")
    arms: Annotated[dict[str, Annotated[ArmFile, BeforeValidator(_empty_is_none_said)]], BeforeValidator(_arm_names)] = Field(
        {}, description="The conditions to compare, by name."
    )
    record: Annotated[RecordFile, BeforeValidator(_empty_is_none_said)] = Field(
        RecordFile(exchanges=None), description="What to keep beyond the usual tables."
    )


KEYS = tuple(ScenarioFile.model_fields)


def json_schema() -> dict[str, Any]:
    """The file format as a JSON Schema, for editors."""
    schema = _pointed(ScenarioFile.model_json_schema())
    schema["$defs"] = {**schema["$defs"], **_shared_definitions()}
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario in the same folder; this file says only what differs.",
    }
    schema["properties"]["arms"]["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/ArmFile"}, {"type": "null"}]}
    del schema["required"]  # a file that extends another may leave the question to it
    schema["anyOf"] = [{"required": ["question"]}, {"required": ["extends"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Attune scenario"}


def _shared_definitions() -> dict[str, Any]:
    """The parts that the models above point to by name."""
    style = {"enum": list(STYLES)}
    score = {"type": "number", "minimum": LOWEST, "maximum": HIGHEST}
    spread = _object({"mean": score, "sd": {"type": "number", "minimum": 0.01, "maximum": 6}}, ["mean", "sd"])
    axis = {"anyOf": [score, {"type": "array", "items": score, "minItems": 2, "maxItems": 2}, spread]}
    early = {
        "anyOf": [style, _object({"anxiety": score, "avoidance": score}, ["anxiety", "avoidance"])],
        "description": "Where the person stood early in life, if elsewhere than now.",
    }
    therapist = {"style": {"enum": [*STYLES, POPULATION]}, "anxiety": axis, "avoidance": axis, "early": early}
    client = {
        **therapist,
        "selected": {"type": "boolean", "description": "true = as at a clinic; false = community."},
        "distress": {"type": "number", "minimum": -3, "maximum": 5, "description": "Latent distress at intake, community SD."},
    }
    people = {"client": client, "therapist": therapist}
    named = {role: {"anyOf": [{"enum": [*STYLES, POPULATION]}, _object(keys)]} for role, keys in people.items()}
    return {
        "client": named["client"],
        "therapist": {"anyOf": [{"enum": [*STYLES, POPULATION, "none", None]}, _object(therapist)]},
        **{
            f"{role}s": {
                "anyOf": [
                    {"type": "array", "items": {"enum": [*STYLES, POPULATION]}, "minItems": 1, "uniqueItems": True},
                    {"type": "object", "additionalProperties": named[role], "minProperties": 1},
                ],
                "description": "For design: crossed.",
            }
            for role in people
        },
        "parameters": {
            **_object(
                {
                    n.name: {
                        "type": "number",
                        "minimum": n.low,
                        "maximum": n.high,
                        "default": n.default,
                        "description": f"{n.meaning} ({n.unit})",
                    }
                    for n in NUMBERS.values()
                }
            ),
            "type": ["object", "null"],
        },
        "lesions": {
            **_object({name: {"type": "number", "minimum": 0, "maximum": 2} for name in lesion_names()}),
            "type": ["object", "null"],
        },
        "policies": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {"oneOf": [{"const": name, "description": policy.meaning} for name, policy in POLICIES.items()]},
        },
    }


def _pointed(schema: Any) -> Any:
    """The schema with every ``_SHARED`` name turned into a pointer to its definition."""
    if isinstance(schema, dict):
        return {
            ("$ref" if key == _SHARED else key): (f"#/$defs/{value}" if key == _SHARED else _pointed(value))
            for key, value in schema.items()
        }
    return [_pointed(one) for one in schema] if isinstance(schema, list) else schema


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """A mapping with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
