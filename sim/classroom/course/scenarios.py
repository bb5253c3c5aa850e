"""From a state of the page to the scenario that ``attune run`` reproduces: client 0 of arm A or B is the course that is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sim.classroom.course.record import recorded
from sim.classroom.course.responses import OWN, forced
from sim.classroom.course.state import CONTROLLED, PAIRS, SIDES, Shared, Side, State, warmth_base
from sim.classroom.course.words import words
from sim.scenario.scenario import Scenario, from_spec
from sim.version import __version__

NAME = "classroom"
_POLICY = {"early": "look_for_ruptures", "none": "leave_ruptures_alone"}


def _arm(side: Side, shared: Shared) -> dict[str, Any]:
    """One arm as a scenario file says it; what is usual is not said."""
    usual = Side()
    parameters, lesions = dict(side.parameters), dict(side.lesions)
    if side.accuracy != usual.accuracy:
        parameters[CONTROLLED["accuracy"]] = side.accuracy
    if side.warmth != usual.warmth:
        parameters[CONTROLLED["warmth"]] = warmth_base(side.warmth)
    for control, where in (("learning", parameters), ("naming", lesions), ("insula", lesions)):
        if getattr(side, control) != getattr(usual, control):
            where[CONTROLLED[control]] = 0.0
    people = {role: dict(zip(("anxiety", "avoidance"), getattr(side, role), strict=True)) for role in ("client", "therapist")}
    force: list[dict[str, Any]] = []
    if side.do:
        as_it_is = _as_it_is(side.model_copy(update={"do": ()}), shared)
        for choice in side.do:
            own = as_it_is(choice.session)
            force += forced(choice.response, choice.session, choice.exchange, shared.exchanges, own)
    policies = [_POLICY[side.repair]] if side.repair in _POLICY else []
    said = {"policies": policies, "parameters": parameters, "lesions": lesions, "force": force}
    return people | {key: value for key, value in said.items() if value}


def _as_it_is(side: Side, shared: Shared) -> Callable[[int], dict[str, float]]:
    """What client 0's pair is like in a session without any choice: quantities that responses start from, by name."""
    scenario = scenario_of(side, side, shared)
    record = recorded(scenario, scenario.arms[0], shared.seed, 1)

    def in_session(session: int) -> dict[str, float]:
        at = min(session, int(record.held[0])) - 1  # a choice may keep somebody who would have left
        return {name: float(record.session[column][at, 0]) for name, column in OWN.items()}

    return in_session


def spec_of(a: Side, b: Side, shared: Shared) -> dict[str, Any]:
    """The scenario of two pairs, with the keys of a scenario file."""
    gain = {CONTROLLED["pairs"]: PAIRS[shared.pairs]} if PAIRS[shared.pairs] else {}
    spec: dict[str, Any] = {
        "question": words()["export"]["question"],
        "clients_per_arm": shared.clients,
        "sessions": shared.sessions,
        "exchanges": shared.exchanges,
        "follow_up_months": shared.follow_up,
        "parameters": {**dict(shared.parameters), **gain},
        "arms": {name.upper(): _arm(side, shared) for name, side in zip(SIDES, (a, b), strict=True)},
        "record": {"exchanges": {"clients": [0]}},
    }
    return {key: value for key, value in spec.items() if value}


@lru_cache(maxsize=256)
def scenario_of(a: Side, b: Side, shared: Shared) -> Scenario:
    """The same, validated. Raises ``ScenarioError``."""
    return from_spec(spec_of(a, b, shared), NAME)


def stamped(state: State, address: str, *more: str) -> str:
    """Lines on top of what is kept of a state: what it is, its address and seed, and how to run it."""
    said = words()["export"]
    lines = (
        f"{said['stamped'].format(version=__version__, seed=state.shared.seed)}. {said['stamp']}",
        said["address"].format(address=address),
        ". ".join((said["reproduce"].format(command=run_command(state)), *more)),
    )
    return "".join(f"# {line}\n" for line in lines)


def as_yaml(state: State, address: str) -> str:
    """The scenario file of a state, with what it is on top."""
    return stamped(state, address) + scenario_of(state.a, state.b, state.shared).to_yaml()


def run_command(state: State) -> str:
    """The command line that gives the tables of a state from its scenario file."""
    return f"attune run {NAME}.yaml --seed {state.shared.seed}"
