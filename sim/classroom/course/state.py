"""What an address of the page says: every key, its limits, and one frozen ``State``; mistakes are told in plain words.

A *query* is flat text, as in ``?lesson=secure_base&b_warmth=0.4``. Whatever it does not say comes from its lesson's set-up,
and from the defaults below. The whole state of the page is in its query, so that the same address gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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

#: Who meets whom where nothing else is said.
_PERSON = {"client": "fearful", "therapist": "secure"}
#: Choices of a side that are words: what may be said, the default first.
WORDS = {"repair": ("usual", "early", "none"), "naming": ("on", "off"), "learning": ("on", "off"),
         "insula": ("intact", "removed")}  # fmt: skip
#: Parts of the model that have a control of their own, by control: a number, or a region that it takes out. Said in two ways
#: they could contradict one another, so an address says them by their control alone.
CONTROLLED = {"accuracy": "therapist_skill_mean", "warmth": "therapist_warmth_base", "learning": "plasticity",
              "pairs": "complementarity_gain", "naming": "client.vlpfc", "insula": "therapist.insula"}  # fmt: skip
_CONTROL_OF = {part: control for control, part in CONTROLLED.items()}
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
SWITCHES = ("many", "projector")


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


def defaults() -> dict[str, str]:
    """Every key of a query with the value it has where nothing is said, as text."""
    side = {
        **_PERSON,
        "accuracy": f"{_ACCURACY.default:g}",
        "warmth": f"{logistic(_WARMTH.default):.2f}",
        **{name: options[0] for name, options in WORDS.items()},
        "lesions": "",
        "do": "",
    }
    return {
        **{f"{one}_{name}": value for one in SIDES for name, value in side.items()},
        **{name: str(default) for name, (default, _, _) in WHOLE.items()},
        "pairs": next(iter(PAIRS)),
        **dict.fromkeys(SWITCHES, "0"),
    }


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
    reader = _Reader(query, wrong)
    sides = [reader.side(one) for one in SIDES]
    shared = Shared(
        **{name: reader.whole(name) for name in WHOLE if name != "at"},
        pairs=reader.word("pairs", PAIRS),
        parameters=reader.parameters("both"),
    )
    at = reader.whole("at")
    for name in SWITCHES:
        reader.word(name, ("0", "1"))
    reader.rest()
    for one, side in zip(SIDES, sides, strict=True):
        for choice in side.do:
            if choice.session > shared.sessions or choice.exchange > shared.exchanges:
                wrong.append(f"{one}_do: there is no exchange {choice.exchange} of session {choice.session}; "
                             f"there are {shared.sessions} sessions of {shared.exchanges}")  # fmt: skip
    if wrong:
        raise AddressError(list(dict.fromkeys(wrong))[:MOST_MESSAGES])
    return State(lesson, sides[0], sides[1], shared, at, query)


def _keys(control: str, whose: str) -> str:
    """The keys of a query with which a control is changed for a side, or for both."""
    return control if control == "pairs" else " and ".join(f"{one}_{control}" for one in SIDES if whose in (one, "both"))


def _shown(value: str) -> str:
    """A value as messages quote it: short, and without characters that cannot be printed."""
    text = "".join(c if c.isprintable() else "?" for c in value[:40])
    return f"'{text}{'...' if len(value) > 40 else ''}'"


class _Reader:
    """Reads keys of a query one by one; what is wrong goes to a list, and something valid stands in its place."""

    def __init__(self, query: Mapping[str, str], wrong: list[str]) -> None:
        self.query, self.wrong, self.known = query, wrong, set(defaults())

    def side(self, one: str) -> Side:
        return Side(
            self.point(f"{one}_client"),
            self.point(f"{one}_therapist"),
            self.share(f"{one}_accuracy", _ACCURACY.low, _ACCURACY.high),
            self.share(f"{one}_warmth", 0.02, 0.98),
            **{name: self.word(f"{one}_{name}", options) for name, options in WORDS.items()},
            lesions=self.lesions(f"{one}_lesions"),
            do=self.choices(f"{one}_do"),
            parameters=self.parameters(one),
        )

    def number(self, key: str, text: str, low: float, high: float, what: str = "a number") -> float:
        """A finite number within limits, rounded to four digits behind the point."""
        try:
            value = float(text) if len(text) <= 24 and text.isascii() else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high:
            self.wrong.append(f"{key} is {_shown(text)}; it must be {what} from {low:g} to {high:g}")
            return low
        return round(value, 4)

    def share(self, key: str, low: float, high: float) -> float:
        return self.number(key, self.query[key], low, high)

    def whole(self, key: str) -> int:
        default, low, high = WHOLE[key]
        text = self.query[key]
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high):
            self.wrong.append(f"{key} is {_shown(text)}; it must be a whole number from {low} to {high}")
            return default
        return int(text)

    def word(self, key: str, options: Iterable[str]) -> str:
        options = tuple(options)
        if self.query[key] not in options:
            self.wrong.append(f"{key} is {_shown(self.query[key])}; it must be one of {', '.join(options)}")
            return options[0]
        return self.query[key]

    def point(self, key: str) -> tuple[float, float]:
        """A style's typical place, or anxiety and avoidance as two numbers."""
        text = self.query[key]
        if text in STYLE_POINT:
            return STYLE_POINT[text]
        parts = text.split(",")
        if len(parts) != 2:
            self.wrong.append(f"{key} is {_shown(text)}; it must be one of {', '.join(STYLES)}, or anxiety and avoidance as two "
                              f"numbers from {LOWEST:g} to {HIGHEST:g}, such as 5.5,5.2")  # fmt: skip
            return STYLE_POINT[STYLES[0]]
        first, second = (self.number(key, part, LOWEST, HIGHEST, "two numbers, each") for part in parts)
        return first, second

    def lesions(self, key: str) -> tuple[tuple[str, float], ...]:
        """Regions and their strengths, as in ``therapist.insula:0,client.vlpfc:0.5``."""
        found: dict[str, float] = {}
        for part in filter(None, self.query[key].split(",")):
            name, _, strength = part.partition(":")
            if name not in lesion_names():
                hint = nearest(name[:60], lesion_names()) or "; one is written like therapist.insula:0"
                self.wrong.append(f"{key}: there is no region {_shown(name)}{hint}")
            elif name in _CONTROL_OF:
                self.wrong.append(f"{key}: {name} has a control of its own; change {_keys(_CONTROL_OF[name], key[0])} instead")
            elif name in found:
                self.wrong.append(f"{key} names {name} twice; keep one")
            else:
                found[name] = self.number(f"{key}: {name}", strength, 0.0, 1.0)
        return tuple(found.items())

    def choices(self, key: str) -> tuple[Choice, ...]:
        """Responses chosen at ruptures, as in ``12.4.name_it``: session, exchange, response."""
        found: dict[int, Choice] = {}
        parts = [part for part in self.query[key].split(",") if part]
        for part in parts[:MOST_CHOICES]:
            place = part.split(".")
            if len(place) != 3 or not all(p.isascii() and p.isdigit() and 1 <= int(p[:4]) <= 200 for p in place[:2]):
                example = "12.4.name_it, for session 12, exchange 4"
                self.wrong.append(f"{key}: {_shown(part)} is no choice; one is written like {example}")
            elif place[2] not in RESPONSES:
                self.wrong.append(f"{key}: there is no response {_shown(place[2])}; responses are {', '.join(RESPONSES)}")
            elif int(place[0]) in found:
                self.wrong.append(f"{key} chooses twice in session {int(place[0])}; keep one")
            else:
                found[int(place[0])] = Choice(int(place[0]), int(place[1]), place[2])
        if len(parts) > MOST_CHOICES:
            self.wrong.append(f"{key} makes {len(parts)} choices; at most {MOST_CHOICES} can be made")
        return tuple(found[session] for session in sorted(found))

    def parameters(self, whose: str) -> tuple[tuple[str, float], ...]:
        """Numbers of the model that the query sets for a side (``a.x``, ``b.x``) or for both (``both.x``)."""
        found: dict[str, float] = {}
        keys = [key for key in self.query if key.startswith(f"{whose}.")]
        self.known.update(keys)
        for key in keys[:MOST_PARAMETERS]:
            name = key.partition(".")[2]
            if name not in PARAMETERS:
                self.wrong.append(f"{_shown(key)}: the model has no parameter {_shown(name)}{nearest(name[:60], PARAMETERS)}")
                continue
            if name in _CONTROL_OF:
                self.wrong.append(f"{key}: {name} has a control of its own; change {_keys(_CONTROL_OF[name], whose)} instead")
                continue
            found[name] = self.number(key, self.query[key], PARAMETERS[name].low, PARAMETERS[name].high)
        if len(keys) > MOST_PARAMETERS:
            self.wrong.append(f"the address changes {len(keys)} parameters for {whose}; at most {MOST_PARAMETERS} can be changed")
        return tuple(sorted(found.items()))

    def rest(self) -> None:
        """Keys that mean nothing."""
        for key in self.query:
            if key not in self.known:
                self.wrong.append(f"{_shown(key)} means nothing in an address of this page{nearest(key[:60], self.known)}")


def as_text(value: Any) -> str:
    """A number as a query writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
