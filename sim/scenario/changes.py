"""What a scenario or an arm can do to the model: parameters, policies, lesions, what an experimenter does in an exchange."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypeAliasType

from sim.declared.kinds import ByKind, Entries, Listed, OneOf, OrNothing
from sim.declared.values import Frozen, Wrong, shown
from sim.engine.wiring import anatomy
from sim.naming import nearest
from sim.theory import ensemble
from sim.theory.parameters import PARAMETERS, checked
from sim.theory.regions import lesion_names
from sim.therapy import interventions
from sim.therapy.exchange import EXCHANGE
from sim.therapy.policies import POLICIES

#: Said in place of, or beside, numbers: run with many sets of them that all agree with the published evidence.
ENSEMBLE = "ensemble"


def _limits(low: float, high: float, whole: bool = False) -> dict[str, Any]:
    """A number from ``low`` to ``high``, where they are finite, as JSON Schema."""
    ends = {name: end for name, end in (("minimum", low), ("maximum", high)) if abs(end) < float("inf")}
    return {"type": "integer" if whole else "number", **ends}


# ----------------------------------------------------------------------------------------------- numbers of the model


def _parameter(name: str, value: Any) -> float:
    if name not in PARAMETERS:
        raise ValueError(f"unknown parameter '{name}'{nearest(name, (*PARAMETERS, ENSEMBLE))}")
    return checked(name, value)


def _parameter_of_arm(name: str, value: Any) -> float:
    if name == ENSEMBLE:
        raise ValueError("the ensemble belongs to the whole scenario, not to one arm; say 'parameters: ensemble' there, and here "
                         "the parameters that differ in this arm")  # fmt: skip
    return _parameter(name, value)


def _parameter_or_members(name: str, value: Any) -> float:
    most = len(ensemble.members())
    if name != ENSEMBLE:
        return _parameter(name, value)
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= most:
        raise ValueError(f"must be a whole number from 2 to {most}, the parameter sets there are, not {shown(value)}")
    return value


def _parameter_limits() -> dict[str, Any]:
    return {
        p.name: {**_limits(p.low, p.high), "default": p.default, "description": f"{p.meaning} ({p.unit})"}
        for p in PARAMETERS.values()
    }


def _spelled_out(value: Any) -> Any:
    """``ensemble`` alone stands for the usual number of its members."""
    if isinstance(value, str) and value != ENSEMBLE:
        raise ValueError(f"must be a mapping of {_EXAMPLE}, or '{ENSEMBLE}', not {shown(value)}{nearest(value, (ENSEMBLE,))}")
    return {ENSEMBLE: ensemble.usual_count()} if value == ENSEMBLE else value


_EXAMPLE = "parameter names to numbers, such as trust_rate: 0.2"
_MEMBERS = {"type": "integer", "minimum": 2, "default": ensemble.USUAL, "description": "How many parameter sets are run."}
Parameters = TypeAliasType("Parameters", Annotated[
    dict[str, float], Entries(_EXAMPLE, _parameter_limits, check=_parameter_of_arm), BeforeValidator(_spelled_out),
])  # fmt: skip
#: What is under ``ensemble`` is how many of its members the scenario is run with besides.
ParametersOrEnsemble = TypeAliasType("ParametersOrEnsemble", Annotated[
    dict[str, float],
    Entries(f"{_EXAMPLE}, or '{ENSEMBLE}'", lambda: {ENSEMBLE: _MEMBERS, **_parameter_limits()}, check=_parameter_or_members,
            word=ENSEMBLE),
    BeforeValidator(_spelled_out),
])  # fmt: skip


# ------------------------------------------------------------------------------------------------- lesions and policies


def _region(name: str) -> None:
    if f"client.{name}" in lesion_names():
        raise ValueError(f"unknown region; whose? write client.{name} or therapist.{name}")
    if name not in lesion_names():
        near = nearest(name, lesion_names()) or "; a region is written like client.vlpfc or therapist.mirror"
        raise ValueError(f"unknown region{near}")


Lesions = TypeAliasType("Lesions", Annotated[dict[str, float], Entries(
    "regions to strengths, such as client.vlpfc: 0", lambda: {name: _limits(0, 1) for name in lesion_names()}, _region,
)])  # fmt: skip
_POLICY = OneOf("policy", lambda: {name: policy.meaning for name, policy in POLICIES.items()})
Policies = TypeAliasType("Policies", Annotated[Listed[Annotated[str, _POLICY]], OrNothing()])


# -------------------------------------------------------------------------------------- what an experimenter does


def _cut_limits() -> dict[str, Any]:
    found = {}
    for link, quantity in interventions.links(anatomy(EXCHANGE)).items():
        typical = [{"const": "typical"}] if interventions.typical(quantity) is not None else []
        number = _limits(*interventions.settable(quantity), whole=interventions.counted(quantity))
        found[link] = {"anyOf": [number, *typical]}
    return found


@lru_cache(maxsize=1)
def _clamp_limits() -> dict[str, Any]:
    widths = {name: interventions.most_added(name) for name in interventions.can_be_clamped()}
    return {name: _limits(-width, width, whole=interventions.counted(name)) for name, width in widths.items()}


def _once(clamp: dict[str, float]) -> dict[str, float]:
    twice = interventions.overlap(clamp)
    if twice is not None:
        raise Wrong((twice[1],), f"clamps a quantity that '{twice[0]}' clamps already; clamp one of them")
    return clamp


class ForcedFile(Frozen):
    """A quantity that is forced to a value."""

    value: float
    quantity: Annotated[
        str, OneOf("quantity", lambda: interventions.quantity_names(anatomy(EXCHANGE)), check=interventions.check_forced)
    ] = interventions.Forced.quantity
    session: int | None = Field(None, ge=1, le=520)
    exchange: int | None = Field(None, ge=1, le=60)


def _forced(said: ForcedFile) -> interventions.Forced:
    try:
        value = interventions.checked_value(said.quantity, said.value)
    except ValueError as error:
        raise Wrong(("value",), str(error)) from None
    return interventions.Forced(value, said.quantity, said.session, said.exchange)


def _not_twice(force: tuple[interventions.Forced, ...]) -> tuple[interventions.Forced, ...]:
    before = set()
    for i, one in enumerate(force):
        place = one.quantity, one.session, one.exchange
        if place in before:
            raise Wrong((i,), f"forces {place[0]} a second time at the same session and exchange; keep one of the two")
        before.add(place)
    return force


_STEP = OneOf("step or verb", lambda: interventions.step_names(anatomy(EXCHANGE)), check=interventions.check_switch)
SwitchOff = TypeAliasType("SwitchOff", Annotated[Listed[Annotated[str, _STEP]], OrNothing()])
Cut = TypeAliasType("Cut", Annotated[dict[str, float], Entries(
    "links to what is seen in their place, such as therapist.response.warmth: typical", _cut_limits,
    check=interventions.cut_value,
)])  # fmt: skip
Clamp = TypeAliasType("Clamp", Annotated[
    dict[str, float],
    Entries("what is clamped to what is added to its baseline course, such as attachment: 0", _clamp_limits,
            interventions.check_clamped),
    AfterValidator(_once),
])  # fmt: skip
Force = TypeAliasType("Force", Annotated[
    Listed[Annotated[
        interventions.Forced,
        ByKind("a mapping with value, and session, exchange or quantity", ForcedFile),
        AfterValidator(_forced),
    ]],
    AfterValidator(_not_twice),
    OrNothing(),
])  # fmt: skip


class Doing(Frozen):
    """What can be done to the model, in a whole scenario or in one arm."""

    lesions: Lesions = Field({}, description="Regions weakened (below 1; 0 = removed).")
    switch_off: SwitchOff = Field(
        (),
        examples=[["client.anxiety_learned"]],
        description="Steps of the exchange (such as client.anxiety_learned) or verbs of the session (heal) that do nothing.",
    )
    cut: Cut = Field(
        {},
        description="Edge interventions: links that are cut, and what the equation sees in place of the quantity, a number or "
        "'typical'.",
    )
    clamp: Clamp = Field(
        {},
        description="Corners of the triangle (empathy, attachment, alliance) or quantities clamped at their baseline "
        "course, plus "
        "the amount given (0 = just clamped). Beside what the scenario clamps, an arm may clamp more.",
    )
    force: Force = Field(
        (),
        examples=[[{"session": 3, "exchange": 5, "value": 0.2}]],
        description="Quantities (the therapist's response, if not said) forced to a value at a session and exchange (left "
        "out: at every one); where several fit, the one that names a session, then the one that names an exchange, counts.",
    )
    policies: Policies = Field((), description="What the therapists are told to do.", examples=[[next(iter(POLICIES))]])
