"""The format of scenario files: every key, its meaning and its limits, and the JSON Schema that says the same to editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import core_schema

from sim.experiments.scenario_file import Location, Wrong, hint, shown
from sim.theory.parameters import NUMBERS, ParameterError, checked, nearest
from sim.theory.regions import lesion_names
from sim.theory.styles import HIGHEST, LOWEST, STYLES
from sim.therapy import interventions
from sim.therapy.compile import anatomy, bounds
from sim.therapy.policies import POLICIES

POPULATION = "population"
MOST_TRACED = 200
MOST_CROSSED = 100
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
        found[name] = number(one, 0, 1, (name,))
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


def _switch_off(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong((), f"must be a list of steps or verbs, such as [client.anxiety_learned], not {shown(value)}")
    for i, name in enumerate(value):
        _named(name, interventions.check_switch, (i,))
        if name in value[:i]:
            raise Wrong((i,), f"'{name}' stands twice in the list")
    return tuple(value)


def _named(name: Any, check: Callable[[str], None], at: Location) -> str:
    """``name`` if it is a text that ``check`` accepts."""
    if not isinstance(name, str):
        raise Wrong(at, f"must be a name, not {shown(name)}")
    try:
        check(name)
    except interventions.InterventionError as error:
        raise Wrong(at, str(error)) from None
    return name


def _cut(value: Any) -> dict[str, float]:
    found = {}
    for name, one in _mapping(value, "links to what is seen in their place, such as therapist.response.warmth: typical").items():
        try:
            found[name] = interventions.cut_value(name, one)
        except interventions.InterventionError as error:
            raise Wrong((name,), str(error)) from None
    return found


def _hold(value: Any) -> dict[str, float]:
    found = {}
    for name, one in _mapping(value, "what is held to what is added to its baseline course, such as attachment: 0").items():
        _named(name, interventions.check_held, (name,))
        found[name] = number(one, -6, 6, (name,))
    held = interventions.held_quantities(found)
    if len(held) < sum(len(interventions.held_quantities({name: 0.0})) for name in found):
        raise Wrong((), "holds a quantity twice; a corner and one of its own quantities cannot both be held")
    return found


def _force(value: Any) -> tuple[interventions.Forced, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong((), f"must be a list, such as [{{session: 3, exchange: 5, value: 0.2}}], not {shown(value)}")
    return tuple(_forced(one, (i,)) for i, one in enumerate(value))


def _forced(one: Any, at: Location) -> interventions.Forced:
    keys = ("quantity", "session", "exchange", "value")
    if not isinstance(one, dict):
        raise Wrong(at, f"must be a mapping with value, and session, exchange or quantity, not {shown(one)}")
    for key in one:
        if key not in keys:
            raise Wrong((*at, key), f"is not a key that can stand here{hint(key, keys)}")
    if "value" not in one:
        raise Wrong(at, "needs 'value': what the quantity is forced to")
    when = {key: whole(1, most).check(one[key]) for key, most in (("session", 520), ("exchange", 60)) if key in one}
    quantity = _named(one.get("quantity", interventions.Forced.quantity), interventions.check_forced, (*at, "quantity"))
    try:
        return interventions.Forced(interventions.checked_value(quantity, one["value"]), quantity, **when)
    except interventions.InterventionError as error:
        raise Wrong((*at, "value"), str(error)) from None


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
    if len(set(value)) < len(value):
        i, name = next((i, name) for i, name in enumerate(value) if name in value[:i])
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
_SWITCH_OFF = Rule(_switch_off, {_SHARED: "switch_off"})
_CUT = Rule(_cut, {_SHARED: "cut"})
_HOLD = Rule(_hold, {_SHARED: "hold"})
_FORCE = Rule(_force, {_SHARED: "force"})
_TEXT = Rule(_sentence, {"type": "string", "minLength": 1})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Doing(_Strict):
    """What can be done to the model, in a whole scenario or in one arm."""

    lesions: Annotated[dict[str, float], _LESIONS] = Field({}, description="Regions weakened (below 1; 0 = removed).")
    switch_off: Annotated[tuple[str, ...], _SWITCH_OFF] = Field(
        (), description="Steps of the exchange (such as client.anxiety_learned) or verbs of the session (heal) that do nothing."
    )
    cut: Annotated[dict[str, float], _CUT] = Field(
        {}, description="Links that are cut: what the equation sees in place of the quantity, a number or 'typical'."
    )
    hold: Annotated[dict[str, float], _HOLD] = Field(
        {},
        description="Corners of the triangle (empathy, attachment, alliance) or quantities held at their baseline course, plus "
        "the amount given (0 = just held).",
    )
    force: Annotated[tuple[interventions.Forced, ...], _FORCE] = Field(
        (), description="Quantities (the therapist's response, if not said) forced to a value at a session and exchange."
    )


class ArmFile(_Doing):
    """What one arm says; the rest it takes from the scenario."""

    client: Annotated[Any, WithJsonSchema({_SHARED: "client"})] = Field(None, description="Who seeks help in this arm.")
    therapist: Annotated[Any, WithJsonSchema({_SHARED: "therapist"})] = Field(
        None, description="Who treats them in this arm; none = no therapy."
    )
    parameters: Annotated[dict[str, float], _NUMBERS] = Field({}, description="Numbers of the model that differ in this arm.")
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


class ScenarioFile(_Doing):
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
    nobody = {"client": [], "therapist": ["none"]}  # a kind of therapist may be none: no therapy
    return {
        "client": named["client"],
        "therapist": {"anyOf": [{"enum": [*STYLES, POPULATION, "none", None]}, _object(therapist)]},
        **{
            f"{role}s": {
                "anyOf": [
                    {
                        "type": "array",
                        "items": {"enum": [*STYLES, POPULATION, *nobody[role]]},
                        "minItems": 1,
                        "uniqueItems": True,
                    },
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
            **_object({name: {"type": "number", "minimum": 0, "maximum": 1} for name in lesion_names()}),
            "type": ["object", "null"],
        },
        **_interventions(),
        "policies": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {"oneOf": [{"const": name, "description": policy.meaning} for name, policy in POLICIES.items()]},
        },
    }


def _interventions() -> dict[str, Any]:
    """The parts that describe what can be done inside an exchange."""
    places = anatomy()
    cut = {}
    for link, (_, _, quantity) in zip(interventions.link_names(places), places.links, strict=True):
        low, high = bounds(quantity)
        cut[link] = {"anyOf": [_between(low, high), *([{"const": "typical"}] if interventions.typical(quantity) else [])]}
    held = _object({name: _between(-6, 6) for name in interventions.can_be_held()})
    when = {"session": {"type": "integer", "minimum": 1}, "exchange": {"type": "integer", "minimum": 1}}
    forced = {"quantity": {"enum": interventions.quantity_names(places)}, **when, "value": {"type": "number"}}
    return {
        "switch_off": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {"enum": interventions.step_names(places)},
        },
        "cut": {**_object(cut), "type": ["object", "null"]},
        "hold": {**held, "type": ["object", "null"]},
        "force": {"type": ["array", "null"], "items": _object(forced, ["value"])},
    }


def _between(low: float, high: float) -> dict[str, Any]:
    """A number from ``low`` to ``high``, where they are finite."""
    ends = {name: end for name, end in (("minimum", low), ("maximum", high)) if abs(end) < float("inf")}
    return {"type": "number", **ends}


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
