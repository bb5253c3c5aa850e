"""Reading scenario files: YAML in; plain values, and the file and line of every key, out.

``extends:`` is followed: mappings are merged key by key, the child wins, lists are replaced.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import ComposerError
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scanner import ScannerError

from sim.declared.values import Location, Wrong, shown
from sim.errors import Note, ScenarioError, StoreError
from sim.files import expanded
from sim.naming import likeness, nearest, unseen, written

MOST_BYTES = 1_000_000
#: Lists and mappings inside each other; ours have about ten.
DEEPEST = 100
MOST_ENTRIES = 100_000
MOST_LEVELS = 12
LARGEST = 10**15
ENDINGS = (".yaml", ".yml")


#: The file and line of every key.
Origins = dict[Location, tuple[str, int]]


@dataclass
class Reading:
    """What was read: plain values, and for every location the file and line that it comes from."""

    name: str
    spec: dict[str, Any] = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)

    def error(self, wrong: Wrong) -> ScenarioError:
        """The message for a person, with the line of the nearest key that stands in a file."""
        key, where = key_path(wrong.location), self.place(wrong.location)
        unplaced = wrong.location if where == self.name else ()
        return ScenarioError(f"{key}: {wrong}" if key else str(wrong), where=where, key=unplaced)

    def place(self, key: Location) -> str:
        """File and line of the nearest key that stands in a file, or else the scenario's name."""
        while key and key not in self.origins:
            key = key[:-1]
        file, line = self.origins.get(key, (self.name, 0))
        return f"{file}:{line}" if line else file


@contextlib.contextmanager
def lines_of(path: Path) -> Iterator[None]:
    """Where an error inside names a key of the scenario in this file and not where it stands, file and line are added."""
    try:
        yield
    except ScenarioError as error:
        if not error.key:
            raise
        raise ScenarioError(error.message, where=read(path).place(error.key), valid=error.valid) from None


def key_path(location: Location) -> str:
    """``arms.warm.policies[0]`` for ``("arms", "warm", "policies", 0)``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part.isprintable() and 0 < len(part) <= 60 else shown(part))
    return text


def read(path: str | Path) -> Reading:
    """A scenario file, or the shipped scenario of that name, with all its parents merged into it. Raises ``ScenarioError``."""
    child = _located(path)
    files, chain = [child], [_read_one(child)]
    while "extends" in chain[-1].spec:
        parent = _parent(files[-1], chain[-1])
        if parent.resolve() in [file.resolve() for file in files]:
            names = " -> ".join(file.name for file in (*files, parent))
            raise chain[-1].error(Wrong(("extends",), f"goes round in a circle ({names}); a scenario cannot extend itself"))
        files.append(parent)
        chain.append(_read_one(parent))
    merged = Reading(child.stem)
    for one in reversed(chain):
        one.spec.pop("extends", None)
        merged.origins.update(one.origins)
        try:
            _merge(merged.spec, one.spec, (), merged.origins)
        except Wrong as wrong:
            raise merged.error(wrong) from None
    return merged


def shipped() -> dict[str, Path]:
    """The scenarios that come with this package, by name."""
    return {file.stem: file for file in sorted(Path(str(resources.files("sim"))).joinpath("scenarios").glob("*.yaml"))}


def _located(path: str | Path) -> Path:
    """The file that is named; where there is none and the name is a plain word, the shipped scenario that is called so."""
    try:
        file = expanded(path)
    except StoreError as e:
        raise ScenarioError(e.message, where=e.where, valid=e.valid) from None
    plain_word = len(file.parts) == 1 and file.suffix not in ENDINGS
    return shipped().get(file.name, file) if plain_word and (file.is_dir() or not file.exists()) else file


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


def _merge(into: dict[str, Any], child: dict[str, Any], at: Location, origins: Origins) -> None:
    """Lay ``child`` over ``into``, in place. Raises ``Wrong``."""
    names = {likeness(key): key for key in into}
    for key, value in child.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, (*at, key), origins)
        else:
            _told_apart(key, names, at, origins, origins[(*at, key)])
            into[key] = value


def _told_apart(name: str, names: dict[str, str], at: Location, origins: Origins, origin: tuple[str, int]) -> None:
    """Raise ``Wrong`` where a name looks like another of those beside it, to which it is added by its ``likeness``."""
    other = names.setdefault(likeness(name), name)
    if other != name:
        file, line = origins.get((*at, written(other)), ("", 0))
        where = f" ({file}:{line})" if line else ""
        origins[(*at, written(name))] = origin
        raise Wrong(
            (*at, written(name)), f"looks like '{other}'{where}; names must differ in more than capitals, blanks or script"
        )


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
        _cut_texts(node, text, reading)
        keys = list(reading.spec)
        if "question" in keys and keys[0] != "question":
            raise Wrong(("question",), f"must be the first key of the file; '{keys[0]}' stands before it")
    except Wrong as wrong:
        reading.origins.setdefault((), (str(path), 1))
        raise reading.error(wrong) from None
    return reading


def _cut_texts(node: Any, text: str, reading: Reading) -> None:
    """Note where a sentence without quotes ends in what YAML takes for a comment, unless it is set off as one (``  # ...``)."""
    for key in ("question", "title"):
        comment = (node.ca.items.get(key) or (None, None, None))[2]
        if comment is None or not comment.value.startswith("#"):
            continue
        at, (row, column) = comment.start_mark.index, node.lc.value(key)
        quoted = reading.spec[key] is not None and text.split("\n")[row][column] in "'\"|>"
        if not quoted and not (text[at - 2 : at].isspace() and text[at + 1 : at + 2].isspace()):
            lost, left = comment.value.splitlines()[0], shown(reading.spec[key])
            said = f"{key}: is {left}, since ' #' begins a comment; if {shown(lost)} belongs to it, put the whole text in quotes"
            warnings.warn(f"{reading.name}:{reading.origins[(key,)][1]}: {said}", Note, stacklevel=5)


def _text(path: Path) -> str:
    """The file as text. Raises ``ScenarioError`` for what cannot be a scenario."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except IsADirectoryError:
        files = sorted(file.name for file in path.glob("*.yaml"))
        example = f", such as {files[0]}" if files else ""
        raise ScenarioError(f"{path}: is a folder; name a scenario file in it{example}") from None
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*") if other.suffix in ENDINGS] if path.parent.is_dir() else []
        if len(path.parts) > 1:
            raise ScenarioError(f"there is no such file{nearest(path.name, beside)}", where=str(path)) from None
        close = nearest(path.name, [*beside, *shipped()]) or "; attune list shows those that can be run by name"
        raise ScenarioError(f"there is no such file here and no shipped scenario of that name{close}", where=str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{path}: cannot be read ({reason})") from None
    if len(data) > MOST_BYTES:
        raise ScenarioError(f"{path}: is larger than 1 MB; a scenario is a short text")
    if b"\0" in data:
        raise ScenarioError(f"{path}: is not a text file; a scenario is YAML text in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ScenarioError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from None
    if (found := _too_deep(text)) is not None:
        line = text.count("\n", 0, found) + 1
        raise ScenarioError(f"{path}:{line}: is nested too deeply for a scenario")
    return text


def _too_deep(text: str) -> int | None:
    """Where more brackets are open than any scenario has; reading them would take minutes."""
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth = max(depth + (1 if bracket[0] in "[{" else -1), 0)
        if depth > DEEPEST:
            return bracket.start()
    return None


class _Twice(ValueError):
    """A key that stands twice in one mapping, and the line of the second."""

    def __init__(self, key: Any, line: int) -> None:
        super().__init__(key, line)
        self.key, self.line = key, line


class _Constructor(RoundTripConstructor):
    """The round-trip reader, which also says where a value stands that it cannot make sense of (such as month 13)."""

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key in mapping:
            raise _Twice(key, key_node.start_mark.line + 1)
        return True

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError, _Twice):
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
    except _Twice as twice:
        raise ScenarioError(f"{path}:{twice.line}: {key_path((str(twice.key),))}: appears twice; keep one of the two") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = _syntax(error, text[mark.index :] if mark else "")
        if mark and re.search(r"\s#\S", "".join(text.splitlines(keepends=True)[max(mark.line - 1, 0) : mark.line + 1])):
            said += "; ' #' begins a comment, so a text that contains it must stand in quotes"
        raise ScenarioError(f"{path}:{mark.line + 1 if mark else 1}: {said}") from None
    except RecursionError:
        raise ScenarioError(f"{path}: is nested too deeply for a scenario") from None
    except Exception as error:  # the parser has no promise about what it raises on arbitrary text
        where = getattr(error, "position", None)
        line = text[:where].count("\n") + 1 if isinstance(where, int) else 1
        reason = str(getattr(error, "reason", None) or error).strip() or type(error).__name__
        raise ScenarioError(f"{path}:{line}: is not valid YAML ({reason[:120]})") from None


def _syntax(error: MarkedYAMLError, at: str) -> str:
    """What the parser could not read, in words that help. ``at``: the text from where it stopped."""
    if at.startswith("\t"):
        return "a tab stands where YAML needs spaces; indent with spaces"
    if at.startswith(":") and isinstance(error, ScannerError):
        return "is not valid YAML here; if a text contains ': ', put the whole text in quotes; if not, check the indentation"
    if at.startswith("---") and isinstance(error, ComposerError):
        return "a second document begins ('---'); a file holds one scenario"
    return f"is not valid YAML ({str(error.problem or error.context).strip()[:120]})"


def plain(node: Any, at: Location, origins: Origins, file: str = "") -> Any:
    """Plain Python values (dict, list, str, bool, int, float, None) from parsed YAML or a notebook; the line of each noted.

    Refuses what has no place in a scenario: tags, dates, numbers that are not finite, keys that are not text or look alike.
    """
    if len(at) > MOST_LEVELS:
        raise Wrong(at[:4], "is nested too deeply for a scenario")
    if len(origins) > MOST_ENTRIES:
        raise Wrong(at[:1], f"holds more than {MOST_ENTRIES:,} entries (repeated anchors?)")
    tag = getattr(getattr(node, "tag", None), "value", None)
    if tag is not None:
        raise Wrong(at, f"the YAML tag {shown(str(tag))} has no place in a scenario; write the plain value")
    named = isinstance(node, Mapping)
    if not named and not isinstance(node, (list, tuple)):
        return _scalar(node, at)
    lines = (node.lc.data or {}) if isinstance(node, (CommentedMap, CommentedSeq)) else {}
    found: dict[Any, Any] = {}
    names = dict[str, str]()
    for key in node if named else range(len(node)):
        if named and not isinstance(key, str):
            if key in lines:
                origins[at] = (file, lines[key][0] + 1)
            raise Wrong(at, f"the key {shown(key)} must be text; put it in quotes")
        name: Any = written(str(key)) if named else key
        origin = (file, lines[key][0] + 1) if key in lines else origins.get(at, (file, 0))
        if named:
            _told_apart(str(key), names, at, origins, origin)
        origins[(*at, name)] = origin
        if named and (said := unseen(name)):
            raise Wrong((*at, name), said)
        found[name] = plain(node[key], (*at, name), origins, file)
    return found if named else list(found.values())


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
        text = written(str(value))
        if said := unseen("".join(text.split())):  # blanks of all kinds and line ends become usual blanks where it is shown
            raise Wrong(at, said)
        return text
    if isinstance(value, datetime.date):
        raise Wrong(at, f"was read as a date ({value}); put it in quotes to mean text")
    raise Wrong(at, f"must be text, a number, true, false, a list or a mapping, not {type(value).__name__}")


def to_text(spec: Mapping[str, Any], keys: Sequence[str] = ()) -> str:
    """A plain mapping as YAML text, the named keys first."""
    first = {key: spec[key] for key in keys if key in spec}
    yaml = YAML(typ="rt", pure=True)
    yaml.default_flow_style = False
    yaml.width = 10_000  # no folding
    stream = io.StringIO()
    yaml.dump({**first, **{key: value for key, value in spec.items() if key not in first}}, stream)
    return stream.getvalue()
