"""What an address of the page says: every key, its limits, and one frozen ``State``; mistakes are told in plain words.

A *query* is flat text, as in ``?lesson=secure_base&b_warmth=0.4``. Whatever it does not say comes from its lesson's set-up,
and from the defaults below. The whole state of the page is in its query, so that the same address gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sim.classroom.course.responses import RESPONSES
from sim.errors import AddressError
from sim.naming import nearest
from sim.scenario.people import STYLE_POINT
from sim.theory.equations import logistic, logit
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import lesion_names
from sim.theory.styles import HIGHEST, LOWEST, STYLES

SIDES = ("a", "b")
#: Longest query, most parameters of the model it may change, most choices of a response.
MOST_CHARACTERS, MOST_PARAMETERS, MOST_CHOICES = 4000, 40, 6
MOST_MESSAGES = 5

#: Choices of a side that are words: what may be said, the default first.
WORDS = {"repair": ("usual", "early", "none"), "naming": ("on", "off"), "learning": ("on", "off"),
         "insula": ("intact", "removed")}  # fmt: skip
#: Parts of the model that have a control of their own, by control: a number, or a region that it takes out. Said in two ways
#: they could contradict one another, so an address says them by their control alone.
CONTROLLED = {"accuracy": "therapist_skill_mean", "warmth": "therapist_warmth_base", "learning": "plasticity",
              "pairs": "complementarity_gain", "naming": "client.vlpfc", "insula": "therapist.insula"}  # fmt: skip
_ACCURACY, _WARMTH = PARAMETERS[CONTROLLED["accuracy"]], PARAMETERS[CONTROLLED["warmth"]]
#: Which pairs fit better is contested: the parameter behind each reading.
PAIRS = {"neither": 0.0, "differ": 4.0, "alike": -4.0}
#: Whole numbers of the whole page: default, lowest, highest.
WHOLE = {
    "seed": (1, 0, 2**63 - 1),
    "sessions": (40, 2, 60),
    "exchanges": (10, 4, 20),
    "follow_up": (0, 0, 24),
    "clients": (40, 10, 200),
    "at": (0, 0, 200),
}


@dataclass(frozen=True)
class Choice:
    """A response chosen for the therapist at a rupture; session and exchange count from 1."""

    session: int
    exchange: int
    response: str


@dataclass(frozen=True)
class Side:
    """One of the two pairs. Points are (anxiety, avoidance), ECR 1-7; accuracy and warmth are proportions."""

    client: tuple[float, float]
    therapist: tuple[float, float]
    accuracy: float
    warmth: float
    repair: str
    naming: str
    learning: str
    insula: str
    lesions: tuple[tuple[str, float], ...] = ()
    do: tuple[Choice, ...] = ()
    parameters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Shared:
    """What both pairs have in common."""

    seed: int
    sessions: int
    exchanges: int
    follow_up: int
    clients: int
    pairs: str
    parameters: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class State:
    """Everything an address says. ``query`` holds every key as text, ``at`` the session that is shown (0 = before the first)."""

    lesson: str
    a: Side
    b: Side
    shared: Shared
    at: int
    query: Mapping[str, str] = field(compare=False)


def warmth_base(share: float) -> float:
    """The model's parameter for a warmth given as a proportion (that of a wholly unavoidant therapist), to three digits."""
    return round(float(min(max(logit(share), _WARMTH.low), _WARMTH.high)), 3)


def read(query: str, setups: Mapping[str, Mapping[str, str]], first: str) -> State:
    """The state that a query string describes. ``setups``: lesson -> what its set-up says; ``first``: the one without a name.

    Raises ``AddressError``.
    """
    if len(query) > MOST_CHARACTERS:
        raise AddressError([f"the address has {len(query)} characters; at most {MOST_CHARACTERS} can be read"])
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=False, max_num_fields=200, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise AddressError(["the address cannot be read: it has too many parts, or characters that are no text"]) from None
    said: dict[str, str] = {}
    wrong: list[str] = []
    for key, value in pairs:
        if key in said:
            wrong.append(f"{_shown(key)} stands twice in the address; keep one")
        said[key] = value
    lesson = said.pop("lesson", first)
    if lesson not in setups:
        wrong.append(f"lesson: there is no {_shown(lesson)}{nearest(lesson[:60], setups)}; lessons are {', '.join(setups)}")
        lesson = first
    return _checked({**defaults(), **setups[lesson], **said}, lesson, wrong)


def with_changes(state: State, **changes: str) -> State:
    """The same state with some keys of its query changed. Raises ``AddressError``."""
    return _checked({**state.query, **changes}, state.lesson, [])


def differences(state: State, setup: Mapping[str, str]) -> str:
    """The shortest query that gives this state: its lesson, and what differs from the lesson's set-up."""
    base = {**defaults(), **setup}
    said = {key: value for key, value in state.query.items() if base.get(key) != value}
    return urlencode({"lesson": state.lesson, **said})


def _checked(query: dict[str, str], lesson: str, wrong: list[str]) -> State:
    values: dict[str, Any] = {}
    parameters: dict[str, dict[str, float]] = {one: {} for one in (*SIDES, "both")}
    for key, text in query.items():
        whose, _, name = key.partition(".")
        try:
            if key in READERS:
                values[key] = READERS[key](key, text)
            elif name and whose in parameters:
                parameters[whose][name] = _parameter(key, text)
            else:
                raise ValueError(f"{_shown(key)} means nothing in an address of this page{nearest(key[:60], READERS)}")
        except ValueError as error:
            wrong.append(str(error))
    for one, found in parameters.items():
        if len(found) > MOST_PARAMETERS:
            wrong.append(f"the address changes {len(found)} parameters for {one}; at most {MOST_PARAMETERS} can be changed")
    for one in SIDES:
        for choice in values.get(f"{one}_do", ()):
            sessions, exchanges = (values.get(name, WHOLE[name][2]) for name in ("sessions", "exchanges"))
            if choice.session > sessions or choice.exchange > exchanges:
                wrong.append(f"{one}_do: there is no exchange {choice.exchange} of session {choice.session}; "
                             f"there are {sessions} sessions of {exchanges}")  # fmt: skip
    if wrong:
        raise AddressError(list(dict.fromkeys(wrong))[:MOST_MESSAGES])
    own = {one: tuple(sorted(found.items())) for one, found in parameters.items()}
    a, b = (Side(**{name: values[f"{one}_{name}"] for name in OF_A_SIDE}, parameters=own[one]) for one in SIDES)
    shared = Shared(**{name: values[name] for name in (*WHOLE, "pairs") if name != "at"}, parameters=own["both"])
    return State(lesson, a, b, shared, values["at"], query)


def _shown(value: str) -> str:
    """A value as messages quote it: short, and without characters that cannot be printed."""
    text = "".join(c if c.isprintable() else "?" for c in value[:40])
    return f"'{text}{'...' if len(value) > 40 else ''}'"


# ------------------------------------------------------------------- readers: from a key and its text, or a ``ValueError``

Reader = Callable[[str, str], Any]


def _number(low: float, high: float, what: str = "a number") -> Reader:
    """A finite number within limits, rounded to four digits behind the point."""

    def read(key: str, text: str) -> float:
        try:
            value = float(text) if len(text) <= 24 and text.isascii() else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"{key} is {_shown(text)}; it must be {what} from {low:g} to {high:g}")
        return round(value, 4)

    return read


def _whole(low: int, high: int) -> Reader:
    def read(key: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high):
            raise ValueError(f"{key} is {_shown(text)}; it must be a whole number from {low} to {high}")
        return int(text)

    return read


def _word(*options: str) -> Reader:
    def read(key: str, text: str) -> str:
        if text not in options:
            raise ValueError(f"{key} is {_shown(text)}; it must be one of {', '.join(options)}")
        return text

    return read


def _point(key: str, text: str) -> tuple[float, float]:
    """A style's typical place, or anxiety and avoidance as two numbers."""
    if text in STYLE_POINT:
        return STYLE_POINT[text]
    parts = text.split(",")
    if len(parts) != 2:
        raise ValueError(f"{key} is {_shown(text)}; it must be one of {', '.join(STYLES)}, or anxiety and avoidance as two "
                         f"numbers from {LOWEST:g} to {HIGHEST:g}, such as 5.5,5.2")  # fmt: skip
    first, second = (_number(LOWEST, HIGHEST, "two numbers, each")(key, part) for part in parts)
    return first, second


def _uncontrolled(part: str, of: str, whose: str) -> None:
    """Raise ``ValueError`` for a part of the model that has a control of its own, which is said for a side or for both."""
    for control, controlled in CONTROLLED.items():
        if part == controlled:
            keys = [control] if control == "pairs" else [f"{one}_{control}" for one in SIDES if whose in (one, "both")]
            raise ValueError(f"{of}: {part} has a control of its own; change {' and '.join(keys)} instead")


def _parameter(key: str, text: str) -> float:
    """A parameter of the model for a side (``a.x``, ``b.x``) or for both (``both.x``)."""
    whose, _, name = key.partition(".")
    if name not in PARAMETERS:
        raise ValueError(f"{_shown(key)}: the model has no parameter {_shown(name)}{nearest(name[:60], PARAMETERS)}")
    _uncontrolled(name, key, whose)
    return float(_number(PARAMETERS[name].low, PARAMETERS[name].high)(key, text))


def _lesions(key: str, text: str) -> tuple[tuple[str, float], ...]:
    """Regions and their strengths, as in ``therapist.insula:0,client.vlpfc:0.5``."""
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, strength = part.partition(":")
        if name not in lesion_names():
            hint = nearest(name[:60], lesion_names()) or "; one is written like therapist.insula:0"
            raise ValueError(f"{key}: there is no region {_shown(name)}{hint}")
        _uncontrolled(name, key, key[0])
        if name in found:
            raise ValueError(f"{key} names {name} twice; keep one")
        found[name] = _number(0.0, 1.0)(f"{key}: {name}", strength)
    return tuple(found.items())


def _choices(key: str, text: str) -> tuple[Choice, ...]:
    """Responses chosen at ruptures, as in ``12.4.name_it``: session, exchange, response."""
    found: dict[int, Choice] = {}
    parts = [part for part in text.split(",") if part]
    if len(parts) > MOST_CHOICES:
        raise ValueError(f"{key} makes {len(parts)} choices; at most {MOST_CHOICES} can be made")
    for part in parts:
        place = part.split(".")
        if len(place) != 3 or not all(p.isascii() and p.isdigit() and 1 <= int(p[:4]) <= 200 for p in place[:2]):
            example = "12.4.name_it, for session 12, exchange 4"
            raise ValueError(f"{key}: {_shown(part)} is no choice; one is written like {example}")
        if place[2] not in RESPONSES:
            raise ValueError(f"{key}: there is no response {_shown(place[2])}; responses are {', '.join(RESPONSES)}")
        session, exchange = int(place[0]), int(place[1])
        if session in found:
            raise ValueError(f"{key} chooses twice in session {session}; keep one")
        found[session] = Choice(session, exchange, place[2])
    return tuple(found[session] for session in sorted(found))


#: What an address says of a side: the value where nothing is said, as text, and what reads it.
OF_A_SIDE: dict[str, tuple[str, Reader]] = {
    "client": ("fearful", _point),
    "therapist": ("secure", _point),
    "accuracy": (f"{_ACCURACY.default:g}", _number(_ACCURACY.low, _ACCURACY.high)),
    "warmth": (f"{logistic(_WARMTH.default):.2f}", _number(0.02, 0.98)),
    **{name: (options[0], _word(*options)) for name, options in WORDS.items()},
    "lesions": ("", _lesions),
    "do": ("", _choices),
}
#: The same of every key, those of parameters left out.
_KEYS: dict[str, tuple[str, Reader]] = {
    **{f"{one}_{name}": said for one in SIDES for name, said in OF_A_SIDE.items()},
    **{name: (str(default), _whole(low, high)) for name, (default, low, high) in WHOLE.items()},
    "pairs": (next(iter(PAIRS)), _word(*PAIRS)),
    **dict.fromkeys(("many", "projector"), ("0", _word("0", "1"))),
}
READERS = {key: reader for key, (_, reader) in _KEYS.items()}


def defaults() -> dict[str, str]:
    """Every key of a query with the value it has where nothing is said, as text."""
    return {key: default for key, (default, _) in _KEYS.items()}


def as_text(value: Any) -> str:
    """A number as a query writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
