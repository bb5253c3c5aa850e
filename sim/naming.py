"""Names: how those that somebody chose are written, which look alike, and what was meant by one that is not known."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

#: Characters that show nothing although they count as printable: fillers, variation selectors, the empty Braille cell.
_EMPTY = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
#: Cyrillic and Greek letters whose capitals (or themselves) are drawn as Latin ones are, once all are small.
_AS_LATIN = str.maketrans("авекмнорстухіјѕαβεζηικμνορτυχ", "abekmhopctyxijsabezhikmnoptyx")

#: The version whose names ``renamed`` knows, and where people can read what they are called now.
BEFORE, TABLE = "0.1", "the table in docs/CHANGES.md"


@lru_cache(maxsize=1)
def renamed() -> Mapping[str, Mapping[str, Any]]:
    """What version 0.1 called otherwise: kind of name -> name now -> name then; columns by table.

    >>> renamed()["parameters"]["client_leniency"]
    'client_rating_lift'
    """
    from ruamel.yaml import YAML

    text = resources.files("sim").joinpath("renamed.yaml").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(text)
    return table


def written(name: str) -> str:
    """A name or a text as it is kept: letters composed (Unicode's NFC), no blanks around it.

    >>> written(" cafe\N{COMBINING ACUTE ACCENT} ") == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    True
    """
    return unicodedata.normalize("NFC", name).strip()


def unseen(text: str) -> str:
    """What is said of the first character that shows nothing, or steers how others are shown; nothing where there is none.

    These are control characters, marks of direction, and blanks of no width or of another than the usual one.

    >>> unseen("a\N{ZERO WIDTH SPACE}b")
    'contains the character U+200B (ZERO WIDTH SPACE), which cannot be seen; leave it out'
    """
    found = next((c for c in text if not c.isprintable() or _EMPTY.match(c)), None)
    if found is None:
        return ""
    called = unicodedata.name(found, "")
    return f"contains the character U+{ord(found):04X}{f' ({called})' if called else ''}, which cannot be seen; leave it out"


def likeness(name: str) -> str:
    """The same for names that people cannot tell apart, or could take for one another: capitals, widths, blanks, dashes, scripts.

    >>> likeness("Dose\N{NO-BREAK SPACE}\N{GREEK SMALL LETTER ALPHA}\N{EN DASH}1") == likeness("dose  A-1")
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).translate(_AS_LATIN)
    return " ".join("".join("-" if unicodedata.category(c) == "Pd" else c for c in folded).split())


def wrong_names(names: Iterable[str]) -> str:
    """What is wrong with the names of a table; nothing where each can be seen and told from the others.

    >>> wrong_names(["warm", "Warm"])
    "'Warm' looks like 'warm'"
    """
    seen: dict[str, str] = {}
    for name in names:
        said = "must not be empty" if not name else unseen(name) or "has blanks around it" * (name != name.strip())
        if said:
            return f"{name!a} {said}"
        if name != written(name):
            return f"{name!a} must be written {written(name)!a} (composed letters)"
        other = seen.setdefault(likeness(name), name)
        if other != name:
            return f"'{name}' looks like '{other}'"
    return ""


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name after it has been called so: what it is called now, or `` - did you mean 'x'?``, or nothing.

    >>> nearest("client_rating_lift", ["client_leniency"])
    " - now called 'client_leniency' (the table in docs/CHANGES.md has all that was renamed since version 0.1)"
    >>> nearest("sesions", ["sessions", "exchanges"])
    " - did you mean 'sessions'?"
    """
    known = list(known)
    kinds = [names for kind, names in renamed().items() if kind != "columns"] + list(renamed()["columns"].values())
    for kind in kinds:
        names = {then: now for now, then in kind.items()}
        for now in (names.get(name, name), ".".join(names.get(part, part) for part in name.split("."))):
            if now != name and now in known:
                return f" - now called '{now}' ({TABLE} has all that was renamed since version {BEFORE})"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" - did you mean '{close[0]}'?" if close else ""
