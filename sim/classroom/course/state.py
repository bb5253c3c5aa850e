"""What an address of the page says: every key as a field, with its limits, of one frozen ``State``; mistakes are told in plain
words.

A *query* is flat text, as in ``?lesson=secure_base&b_warmth=0.4``. Whatever it does not say comes from its lesson's set-up,
and from the defaults below. The whole state of the page is in its query, so that the same address gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sim.classroom.course.responses import RESPONSES
from sim.declared.kinds import OneOf
from sim.declared.values import Wrong, shown
from sim.errors import AddressError
from sim.naming import nearest
from sim.scenario.changes import Lesions, Parameters
from sim.scenario.people import STYLE_POINT
from sim.scenario.reading import key_path
from sim.theory.equations import logistic, logit
from sim.theory.parameters import PARAMETERS
from sim.theory.styles import HIGHEST, LOWEST, STYLES

SIDES = ("a", "b")
#: Longest query, most parameters of the model it may change, most choices of a response.
MOST_CHARACTERS, MOST_PARAMETERS, MOST_CHOICES = 4000, 40, 6
MOST_MESSAGES = 5

#: Parts of the model that have a control of their own, by control: a number, or a region that it takes out. Said in two ways
#: they could contradict one another, so an address says them by their control alone.
CONTROLLED = {"accuracy": "therapist_skill_mean", "warmth": "therapist_warmth_base", "learning": "plasticity",
              "pairs": "complementarity_gain", "naming": "client.vlpfc", "insula": "therapist.insula"}  # fmt: skip
_ACCURACY, _WARMTH = PARAMETERS[CONTROLLED["accuracy"]], PARAMETERS[CONTROLLED["warmth"]]
#: Which pairs fit better is contested: the parameter behind each reading.
PAIRS = {"neither": 0.0, "differ": 4.0, "alike": -4.0}


@dataclass(frozen=True)
class Choice:
    """A response chosen for the therapist at a rupture; session and exchange count from 1."""

    session: Annotated[int, Field(ge=1, le=60)]
    exchange: Annotated[int, Field(ge=1, le=20)]
    response: Annotated[str, OneOf("response", lambda: RESPONSES.keys())]


def _one_a_session(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    found = {one.session: one for one in choices}
    if len(found) < len(choices):
        raise ValueError("chooses twice in a session; keep one")
    return tuple(found[session] for session in sorted(found))


def _named(said: Any, kind: TypeAdapter[dict[str, float]]) -> tuple[tuple[str, float], ...]:
    """What a scenario takes as ``kind``, said as ``therapist.insula:0,client.vlpfc:0.5`` or name by name."""
    found: dict[str, Any] = {}
    for name, text in said.items() if isinstance(said, dict) else [part.partition(":")[::2] for part in said.split(",") if part]:
        if name in CONTROLLED.values():
            control = next(key for key, part in CONTROLLED.items() if part == name)
            keys = control if control == "pairs" else " or ".join(f"{one}_{control}" for one in SIDES)
            raise Wrong((name,), f"has a control of its own; change {keys} instead")
        if name in found:
            raise ValueError(f"names {name} twice; keep one")
        try:
            found[name] = round(float(text), 4)
        except ValueError:
            found[name] = text
    if len(found) > MOST_PARAMETERS:
        raise ValueError(f"changes {len(found)} parts of the model; at most {MOST_PARAMETERS} can be changed")
    return tuple(sorted(kind.validate_python(found).items()))


_Score = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]
_Point = Annotated[
    tuple[_Score, _Score],
    Field(description=f"one of {', '.join(STYLES)}, or anxiety and avoidance as two numbers from {LOWEST:g} to {HIGHEST:g}, "
          "such as 5.5,5.2"),
    BeforeValidator(lambda text: STYLE_POINT.get(text) or text.split(",")),
    AfterValidator(lambda point: (round(point[0], 4), round(point[1], 4))),
]  # fmt: skip
_Choices = Annotated[
    tuple[Choice, ...],
    Field(max_length=MOST_CHOICES, description=f"up to {MOST_CHOICES} choices, one a session, each written like 12.4.name_it "
          "for session 12, exchange 4"),
    BeforeValidator(lambda text: [dict(zip(("session", "exchange", "response"), part.split(".", 2), strict=False))
                                  for part in text.split(",") if part]),
    AfterValidator(_one_a_session),
]  # fmt: skip
_Parameters = Annotated[tuple[tuple[str, float], ...], PlainValidator(partial(_named, kind=TypeAdapter(Parameters)))]
_Lesions = Annotated[tuple[tuple[str, float], ...], PlainValidator(partial(_named, kind=TypeAdapter(Lesions)))]
_OnOff = Literal["on", "off"]


class Side(BaseModel, frozen=True, allow_inf_nan=False):
    """One of the two pairs. Points are (anxiety, avoidance), ECR 1-7; accuracy and warmth are proportions."""

    client: _Point = STYLE_POINT["fearful"]
    therapist: _Point = STYLE_POINT["secure"]
    accuracy: float = Field(default=_ACCURACY.default, ge=_ACCURACY.low, le=_ACCURACY.high)
    warmth: float = Field(default=round(float(logistic(_WARMTH.default)), 2), ge=0.02, le=0.98)
    repair: Literal["usual", "early", "none"] = "usual"
    naming: _OnOff = "on"
    learning: _OnOff = "on"
    insula: Literal["intact", "removed"] = "intact"
    lesions: _Lesions = ()
    do: _Choices = ()
    parameters: _Parameters = ()


class Shared(BaseModel, frozen=True):
    """What both pairs have in common."""

    seed: int = Field(1, ge=0, le=2**63 - 1)
    sessions: int = Field(40, ge=2, le=60)
    exchanges: int = Field(10, ge=4, le=20)
    follow_up: int = Field(0, ge=0, le=24)
    clients: int = Field(40, ge=10, le=200)
    pairs: Annotated[str, OneOf("reading", lambda: PAIRS.keys())] = "neither"
    parameters: _Parameters = ()


class View(BaseModel, frozen=True):
    """What is looked at: ``at`` is the session that is shown (0 = before the first)."""

    at: int = Field(0, ge=0, le=200)
    many: Literal["0", "1"] = "0"
    projector: Literal["0", "1"] = "0"


class State(BaseModel, frozen=True):
    """Everything an address says. ``query`` holds every key as text."""

    lesson: str
    query: dict[str, str]
    a: Side
    b: Side
    shared: Shared
    view: View


_MODELS: dict[str, type[BaseModel]] = {"a": Side, "b": Side, "shared": Shared, "view": View}
#: Where each key of a query stands in a state. Those of parameters have a name behind them, as in ``both.trust_rate``.
_PLACES = {f"{part}_{field}" if part in SIDES else field: (part, field)
           for part, model in _MODELS.items() for field in model.model_fields if field != "parameters"}  # fmt: skip
_OF_PARAMETERS = {"a": "a", "b": "b", "both": "shared"}


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
            wrong.append(f"{shown(key)} stands twice in the address; keep one")
        said[key] = value
    lesson = said.pop("lesson", first)
    if lesson not in setups:
        wrong.append(f"lesson: there is no {shown(lesson)}{nearest(lesson[:60], setups)}; lessons are {', '.join(setups)}")
        lesson = first
    return _checked({**defaults(), **setups[lesson], **said}, lesson, wrong)


def with_changes(state: State, **changes: str) -> State:
    """The same state with some keys of its query changed. Raises ``AddressError``."""
    return _checked({**state.query, **changes}, state.lesson, [])


def query_of(state: State, setup: Mapping[str, str]) -> str:
    """The shortest query that gives this state: its lesson, and what differs from the lesson's set-up."""
    base = {**defaults(), **setup}
    said = {key: value for key, value in state.query.items() if base.get(key) != value}
    return urlencode({"lesson": state.lesson, **said})


def _checked(query: dict[str, str], lesson: str, wrong: list[str]) -> State:
    said: dict[str, Any] = {"lesson": lesson, "query": query, **{part: {"parameters": {}} for part in _MODELS}}
    for key, text in query.items():
        whose, _, name = key.partition(".")
        if key in _PLACES:
            part, field = _PLACES[key]
            said[part][field] = text
        elif name and whose in _OF_PARAMETERS:
            said[_OF_PARAMETERS[whose]]["parameters"][name] = text
        else:
            wrong.append(f"{shown(key)} means nothing in an address of this page{nearest(key[:60], _PLACES)}")
    try:
        state = State.model_validate(said)
    except ValidationError as error:
        wrong += [_told(one, query) for one in error.errors(include_url=False)]
    else:
        there = state.shared
        wrong += [
            f"{one}_do: there is no exchange {choice.exchange} of session {choice.session}; "
            f"there are {there.sessions} sessions of {there.exchanges}"
            for one in SIDES
            for choice in getattr(state, one).do
            if choice.session > there.sessions or choice.exchange > there.exchanges
        ]
    if wrong:
        raise AddressError(list(dict.fromkeys(wrong))[:MOST_MESSAGES])
    return state


def _told(error: Any, query: Mapping[str, str]) -> str:
    """What pydantic finds wrong, with the key of the query and what would be valid."""
    inner = error.get("ctx", {}).get("error")
    at: tuple[Any, ...] = (*error["loc"], *(inner.location if isinstance(inner, Wrong) else ()))
    part, field, *within = at
    places = {place: key for key, place in _PLACES.items()}
    key = places.get((part, field)) or next(whose for whose, of in _OF_PARAMETERS.items() if of == part)
    if inner is not None:
        return f"{key_path((key, *within))}: {inner}"
    declared = _MODELS[part].model_json_schema()["properties"][field]
    kind = {"integer": "a whole number", "number": "a number"}.get(declared["type"])
    valid = f"{kind} from {as_text(declared['minimum'])} to {as_text(declared['maximum'])}" if kind else None
    options = ", ".join(declared.get("enum", ()))
    return f"{key} is {shown(query[key])}; it must be {valid or declared.get('description') or f'one of {options}'}"


def defaults() -> dict[str, str]:
    """Every key of a query with the value it has where nothing is said, as text."""
    return {key: as_text(_MODELS[part].model_fields[field].default) for key, (part, field) in _PLACES.items()}


def as_text(value: Any) -> str:
    """A number, or a point of the attachment plane, as a query writes it."""
    if isinstance(value, tuple):
        return next((style for style, point in STYLE_POINT.items() if point == value), ",".join(map(as_text, value)))
    return f"{value:g}" if isinstance(value, float) else str(value)
