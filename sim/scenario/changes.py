"""What a scenario or an arm can do to the model: parameters, policies, lesions, what an experimenter does in an exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from sim.engine.wiring import anatomy
from sim.errors import InterventionError, ParameterError
from sim.naming import nearest
from sim.scenario.reading import Location, Wrong, hint, shown
from sim.scenario.rules import SHARED, Rule, Strict, between, mapping, number, object_of
from sim.theory import ensemble
from sim.theory.parameters import PARAMETERS, checked
from sim.theory.regions import lesion_names
from sim.therapy import interventions
from sim.therapy.exchange import EXCHANGE
from sim.therapy.policies import POLICIES

_LAST = {"session": 520, "exchange": 60}  # longest course and longest session


#: Said in place of, or beside, numbers: run with many sets of them that all agree with the published evidence.
ENSEMBLE = "ensemble"
_EXAMPLE = "parameter names to numbers, such as trust_rate: 0.2"


@dataclass(frozen=True)
class Given:
    """What a scenario says of the model's parameters: those that it fixes, and how many members of the ensemble (0 = none)."""

    parameters: Mapping[str, float] = field(default_factory=dict)
    ensemble: int = 0


def _checked_parameters(value: Mapping[str, Any], others: tuple[str, ...] = ()) -> dict[str, float]:
    """Parameters that exist, with values that they may have. ``others``: what else the author may have meant by a name."""
    found = {}
    for name, one in value.items():
        if name not in PARAMETERS:
            raise Wrong((name,), f"unknown parameter '{name}'{nearest(name, (*PARAMETERS, *others))}")
        try:
            found[name] = checked(name, one)
        except ParameterError as error:
            raise Wrong((name,), str(error)) from None
    return found


def _parameters_of_arm(value: Any) -> dict[str, float]:
    if value == ENSEMBLE or (isinstance(value, dict) and ENSEMBLE in value):
        raise Wrong(() if value == ENSEMBLE else (ENSEMBLE,), "the ensemble belongs to the whole scenario, not to one arm; say "
                    "'parameters: ensemble' there, and here the parameters that differ in this arm")  # fmt: skip
    return _checked_parameters(mapping(value, _EXAMPLE))


def _given(value: Any) -> Given:
    if isinstance(value, str):
        if value != ENSEMBLE:
            close = nearest(value, (ENSEMBLE,))
            raise Wrong((), f"must be a mapping of {_EXAMPLE}, or '{ENSEMBLE}', not {shown(value)}{close}")
        return Given({}, ensemble.usual_count())
    said = mapping(value, f"{_EXAMPLE}, or '{ENSEMBLE}'")
    parameters = _checked_parameters({name: one for name, one in said.items() if name != ENSEMBLE}, (ENSEMBLE,))
    return Given(parameters, _members(said[ENSEMBLE]) if ENSEMBLE in said else 0)


def _members(value: Any) -> int:
    most = len(ensemble.members())
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= most:
        raise Wrong((ENSEMBLE,), f"must be a whole number from 2 to {most}, the parameter sets there are, not {shown(value)}")
    return value


def _lesions(value: Any) -> dict[str, float]:
    found = {}
    for name, one in mapping(value, "regions to strengths, such as client.vlpfc: 0").items():
        if name not in lesion_names():
            close = nearest(name, lesion_names()) or "; a region is written like client.vlpfc or therapist.mirror"
            raise Wrong((name,), f"unknown region{close}")
        found[name] = number(one, 0, 1, (name,))
    return found


def listed(value: Any, example: str, check: Callable[[Any, Location], object]) -> tuple[str, ...]:
    """A list of names, each accepted by ``check`` and none of them twice; nothing said is an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong((), f"must be a list{example}, not {shown(value)}")
    for i, name in enumerate(value):
        check(name, (i,))
        if name in value[:i]:
            raise Wrong((i,), f"'{name}' stands twice in the list")
    return tuple(value)


def _policies(value: Any) -> tuple[str, ...]:
    def check(name: Any, at: Location) -> None:
        if not isinstance(name, str) or name not in POLICIES:
            raise Wrong(at, f"unknown policy {shown(name)}{hint(name, tuple(POLICIES))}")

    return listed(value, f", such as [{next(iter(POLICIES))}]", check)


def _switch_off(value: Any) -> tuple[str, ...]:
    example = " of steps or verbs, such as [client.anxiety_learned]"
    return listed(value, example, lambda name, at: _named(name, interventions.check_switch, at))


def _named(name: Any, check: Callable[[str], None], at: Location) -> str:
    """``name`` if it is a text that ``check`` accepts."""
    if not isinstance(name, str):
        raise Wrong(at, f"must be a name, not {shown(name)}")
    try:
        check(name)
    except InterventionError as error:
        raise Wrong(at, str(error)) from None
    return name


def _cut(value: Any) -> dict[str, float]:
    found = {}
    for name, one in mapping(value, "links to what is seen in their place, such as therapist.response.warmth: typical").items():
        try:
            found[name] = interventions.cut_value(name, one)
        except InterventionError as error:
            raise Wrong((name,), str(error)) from None
    return found


def _clamp(value: Any) -> dict[str, float]:
    found = {}
    for name, one in mapping(value, "what is clamped to what is added to its baseline course, such as attachment: 0").items():
        _named(name, interventions.check_clamped, (name,))
        most = interventions.most_added(name)
        found[name] = number(one, -most, most, (name,))
        if interventions.counted(name) and not found[name].is_integer():
            raise Wrong((name,), f"is counted, so that what is added must be a whole number, not {shown(one)}")
    twice = interventions.overlap(found)
    if twice is not None:
        raise Wrong((twice[1],), f"clamps a quantity that '{twice[0]}' clamps already; clamp one of them")
    return found


def _force(value: Any) -> tuple[interventions.Forced, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong((), f"must be a list, such as [{{session: 3, exchange: 5, value: 0.2}}], not {shown(value)}")
    found = tuple(_forced(one, (i,)) for i, one in enumerate(value))
    places = [(one.quantity, one.session, one.exchange) for one in found]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise Wrong((i,), f"forces {place[0]} a second time at the same session and exchange; keep one of the two")
    return found


def _forced(one: Any, at: Location) -> interventions.Forced:
    keys = ("quantity", "session", "exchange", "value")
    if not isinstance(one, dict):
        raise Wrong(at, f"must be a mapping with value, and session, exchange or quantity, not {shown(one)}")
    for key in one:
        if key not in keys:
            raise Wrong((*at, key), f"is not a key that can stand here{hint(key, keys)}")
    if "value" not in one:
        raise Wrong(at, "needs 'value': what the quantity is forced to")
    when = {key: _place(one[key], most, (*at, key)) for key, most in _LAST.items() if key in one}
    quantity = _named(one.get("quantity", interventions.Forced.quantity), interventions.check_forced, (*at, "quantity"))
    try:
        return interventions.Forced(interventions.checked_value(quantity, one["value"]), quantity, **when)
    except InterventionError as error:
        raise Wrong((*at, "value"), str(error)) from None


def _place(value: Any, last: int, at: Location) -> int:
    """The number of a session or exchange, from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= last:
        raise Wrong(at, f"must be a whole number between 1 and {last}, not {shown(value)}")
    return value


PARAMETERS_RULE = Rule(_parameters_of_arm, {SHARED: "parameters"})
GIVEN_RULE = Rule(_given, {SHARED: "parameters_or_ensemble"})
_LESIONS = Rule(_lesions, {SHARED: "lesions"})
POLICIES_RULE = Rule(_policies, {SHARED: "policies"})
_SWITCH_OFF = Rule(_switch_off, {SHARED: "switch_off"})
_CUT = Rule(_cut, {SHARED: "cut"})
_CLAMP = Rule(_clamp, {SHARED: "clamp"})
_FORCE = Rule(_force, {SHARED: "force"})


class Doing(Strict):
    """What can be done to the model, in a whole scenario or in one arm."""

    lesions: Annotated[dict[str, float], _LESIONS] = Field({}, description="Regions weakened (below 1; 0 = removed).")
    switch_off: Annotated[tuple[str, ...], _SWITCH_OFF] = Field(
        (), description="Steps of the exchange (such as client.anxiety_learned) or verbs of the session (heal) that do nothing."
    )
    cut: Annotated[dict[str, float], _CUT] = Field(
        {},
        description="Edge interventions: links that are cut, and what the equation sees in place of the quantity, a number or "
        "'typical'.",
    )
    clamp: Annotated[dict[str, float], _CLAMP] = Field(
        {},
        description="Corners of the triangle (empathy, attachment, alliance) or quantities clamped at their baseline "
        "course, plus "
        "the amount given (0 = just clamped). Beside what the scenario clamps, an arm may clamp more.",
    )
    force: Annotated[tuple[interventions.Forced, ...], _FORCE] = Field(
        (),
        description="Quantities (the therapist's response, if not said) forced to a value at a session and exchange (left "
        "out: at every one); where several fit, the one that names a session, then the one that names an exchange, counts.",
    )


def definitions() -> dict[str, Any]:
    """The parts of the JSON Schema that the rules above point to by name."""
    return {
        "parameters": {
            **object_of(
                {
                    n.name: {
                        "type": "number",
                        "minimum": n.low,
                        "maximum": n.high,
                        "default": n.default,
                        "description": f"{n.meaning} ({n.unit})",
                    }
                    for n in PARAMETERS.values()
                }
            ),
            "type": ["object", "null"],
        },
        "parameters_or_ensemble": _parameters_or_ensemble(),
        "lesions": {
            **object_of({name: {"type": "number", "minimum": 0, "maximum": 1} for name in lesion_names()}),
            "type": ["object", "null"],
        },
        **_interventions(),
        "policies": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {"oneOf": [{"const": name, "description": policy.meaning} for name, policy in POLICIES.items()]},
        },
    }


def _parameters_or_ensemble() -> dict[str, Any]:
    """What a whole scenario may say of parameters: what an arm may, or the ensemble, alone or with parameters that are fixed."""
    count = {"type": "integer", "minimum": 2, "default": ensemble.USUAL, "description": "How many parameter sets are run."}
    parameters = {name: {"$ref": f"#/$defs/parameters/properties/{name}"} for name in PARAMETERS}
    return {"anyOf": [{"const": ENSEMBLE}, object_of({ENSEMBLE: count, **parameters}), {"type": "null"}]}


def _interventions() -> dict[str, Any]:
    """The parts that describe what can be done inside an exchange."""
    places = anatomy(EXCHANGE)
    cut: dict[str, Any] = {}
    for link, quantity in interventions.links(places).items():
        low, high = interventions.settable(quantity)
        typical = [{"const": "typical"}] if interventions.typical(quantity) is not None else []
        cut[link] = {"anyOf": [between(low, high), *typical]}
        if interventions.counted(quantity):
            cut[link]["anyOf"][0]["type"] = "integer"
    widths = {name: interventions.most_added(name) for name in interventions.can_be_clamped()}
    clamped = {name: between(-width, width) for name, width in widths.items()}
    for name in filter(interventions.counted, clamped):
        clamped[name]["type"] = "integer"
    when = {key: {"type": "integer", "minimum": 1, "maximum": last} for key, last in _LAST.items()}
    forced = {"quantity": {"enum": interventions.quantity_names(places)}, **when, "value": {"type": "number"}}
    return {
        "switch_off": {
            "type": ["array", "null"],
            "uniqueItems": True,
            "items": {"enum": interventions.step_names(places)},
        },
        "cut": {**object_of(cut), "type": ["object", "null"]},
        "clamp": {**object_of(clamped), "type": ["object", "null"]},
        "force": {"type": ["array", "null"], "items": object_of(forced, ["value"])},
    }
