"""What a manifest and the lines of a ledger must be: one schema each, and what is said of a file that is something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from sim.catalogue.columns import BATCH_TABLES, ENSEMBLE_TABLES, TABLES_KEPT
from sim.declared.values import shown
from sim.naming import nearest
from sim.scenario.reading import DEEPEST

#: Tables that a run must have, and that a batch must; the others are there where they were asked for.
NEEDED = {"run": ("clients", "sessions", "assessments"), "batch": ("points", "summaries")}
KEPT = ("summaries", *TABLES_KEPT)
KNOWN = {"run": (*TABLES_KEPT, *ENSEMBLE_TABLES), "batch": (*BATCH_TABLES, *TABLES_KEPT)}

Count = Annotated[int, Field(ge=0, lt=2**63)]
HASH = "^[0-9a-f]{4,64}$"
Hash = Annotated[str, Field(pattern=HASH)]


def _kept(name: str) -> str:
    """The name of a table that a chunk may have a part of."""
    if name not in KEPT:
        raise ValueError(f"there is no table {shown(name)}{nearest(name, KEPT)}")
    return name


def _inside(name: str) -> str:
    """The name of a file that lies in a folder."""
    if name in (".", ".."):
        raise ValueError(f"{shown(name)} is no file")
    return name


def _with_own(versions: dict[str, str]) -> dict[str, str]:
    """Versions, that of this program among them."""
    if "attune" not in versions:
        raise ValueError("must say the version of attune")
    return versions


Versions = Annotated[dict[str, str], AfterValidator(_with_own)]
#: The name of a file in a folder, not a way out of it.
Name = Annotated[str, Field(pattern=r"^[^/\x00]+$", max_length=255), AfterValidator(_inside)]


class TableSaid(TypedDict):
    """What a manifest says of a table: its rows, the names of its columns, and the hash of its values."""

    rows: Count
    columns: list[str]
    values: Hash


class PolicySaid(TypedDict):
    """A policy that was added, as data."""

    meaning: str
    parameters: dict[str, float]
    adds: dict[str, float]
    source: str


class ProgrammeSaid(TypedDict):
    """A programme of training that was added, as data."""

    meaning: str
    learned: dict[str, float]
    weeks: int
    each_week: dict[str, float]
    source: str


class Added(TypedDict):
    """What was added to the registries: policies and programmes whole, of matching rules a hash."""

    policies: NotRequired[dict[str, PolicySaid]]
    training: NotRequired[dict[str, ProgrammeSaid]]
    matching: NotRequired[dict[str, str]]


class Manifest(Added):
    """What the manifest of every run and batch says. ``check`` vouches for all the rest of it."""

    kind: NotRequired[Literal["batch"]]
    synthetic: str
    scenario: str
    question: str
    seed: Count
    replicates: Annotated[int, Field(ge=1)] | dict[str, Any]
    id: NotRequired[str]
    resolved_scenario: dict[str, Any]
    versions: Versions
    sources: str
    lock: str
    arithmetic_fingerprint: str
    tables: dict[str, TableSaid]
    model: NotRequired[dict[str, Any]]
    points: NotRequired[Count]
    factors: NotRequired[dict[str, list[str]]]
    tasks: NotRequired[Count]
    random_numbers: NotRequired[Literal["common", "own"]]
    files: NotRequired[dict[Name, Hash]]
    gone_on_although: NotRequired[list[dict[str, Any]]]
    check: Hash


class Begun(TypedDict):
    """What a batch was begun with, or gone on with (``--force``)."""

    scenario: str
    spec: dict[str, Any]
    seed: Count
    keep: list[str]
    sources: str
    lock: str
    versions: Versions
    arithmetic: str
    added: str
    outcomes: str
    files: dict[Name, Hash]


class PartSaid(TypedDict):
    """A part of a table: its bytes, and their hash, by which its file is called."""

    bytes: Count
    hash: Hash


class FailureSaid(TypedDict):
    """A run that failed."""

    point: Count
    replicate: Count
    block: Count
    arm: str
    error: str
    traceback: str


class FirstLine(TypedDict):
    """The first line of a ledger."""

    begun: Begun
    on_error: str
    check: str


class DoneLine(TypedDict):
    """The line of a finished chunk: tasks (point, replicate, block), parts of tables, failures."""

    tasks: list[Annotated[list[Count], Field(min_length=3, max_length=3)]]
    files: dict[Annotated[str, AfterValidator(_kept)], PartSaid]
    failures: list[FailureSaid]
    check: str


class ForcedLine(TypedDict):
    """The line of a batch that was gone on with although something had changed."""

    forced: Begun
    changed: list[str]
    check: str


class ProgressSaid(TypedDict):
    """What a running batch notes of itself."""

    total: Count
    done: Count
    failures: Count
    open_ended: bool
    at_start: Count
    began: float


#: The kinds of line that a ledger has, by the key that tells them.
LINES = {"begun": FirstLine, "tasks": DoneLine, "forced": ForcedLine}


def parsed(data: bytes | str) -> Any:
    """A value from JSON. Raises ``ValueError`` that says in words what it is not."""
    try:
        value = json.loads(data)
        level = [value]
        for _ in range(DEEPEST):
            level = [one for outer in level if isinstance(outer, (dict, list))
                     for one in (outer.values() if isinstance(outer, dict) else outer)]  # fmt: skip
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as e:
        raise ValueError(f"it is not JSON: {e.msg}, line {e.lineno}") from None
    except RecursionError:
        level = [None]
    if level:
        raise ValueError(f"more than {DEEPEST} lists or mappings lie inside each other")
    return value


_adapter = lru_cache(maxsize=None)(TypeAdapter)


def checked(kind: Any, value: Any) -> Any:
    """The value, where it is what a class of this module says. Raises ``ValueError``: key, what it must be, what it is."""
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValidationError as e:
        raise ValueError(_in_words(e.errors(include_url=False)[0], value)) from None
    return value


#: What must stand there, by how pydantic calls what is wrong.
_MUST = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "dict": "a mapping",
    "list": "a list",
}  # fmt: skip


def _in_words(error: Any, value: Any) -> str:
    """What pydantic found, with its key, as far as it is one of the file, and the value that is there."""
    at, here = "", value
    for part in error["loc"]:
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if inside or error["type"] == "missing":
            at += f"[{part}]" if isinstance(part, int) else f"{'.' if at else ''}{part}"
            here = here[part] if inside else None
    kind, context, given = error["type"], error.get("ctx", {}), shown(error["input"])
    if kind == "missing":
        said = "is missing"
    elif kind == "value_error":
        said = str(context["error"])
    elif kind == "literal_error":
        said = f"must be {context['expected']}, not {given}"
    elif kind in ("greater_than_equal", "less_than"):
        wanted = f"{context['ge']} or more" if "ge" in context else f"below {context['lt']}"
        said = f"must be {wanted}, not {given}"
    elif kind == "string_pattern_mismatch":
        what = "a hash" if context["pattern"] == HASH else "the name of a file"
        said = f"must be {what}, not {given}"
    elif kind in ("too_long", "too_short"):
        said = f"must have {context.get('min_length') or context['max_length']} entries, not {context['actual_length']}"
    else:
        said = f"must be {_MUST.get(kind.partition('_')[0], 'something else')}, not {given}"
    return f"{at}: {said}" if at else said


def check_of(manifest: Mapping[str, Any]) -> str:
    """The hash of all that a manifest says, but for the hash itself."""
    said = json.dumps({key: value for key, value in manifest.items() if key != "check"}, sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it is written, with its check."""
    said = json.loads(json.dumps(manifest))
    return json.dumps({**said, "check": check_of(said)}, indent=2) + "\n"
