"""From a state of the page to the scenario that ``attune run`` reproduces: client 0 of arm A or B is the course that is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sim.classroom.course.record import recorded
from sim.classroom.course.responses import OWN, forced
from sim.classroom.course.state import CONTROLLED, PAIRS, SIDES, WORDS, Shared, Side, State, defaults, warmth_base
from sim.classroom.course.words import words
from sim.scenario.scenario import Scenario, from_spec
from sim.version import __version__

NAME = "classroom"
_POLICY = {"early": "look_for_ruptures", "none": "leave_ruptures_alone"}


def _point(place: tuple[float, float]) -> dict[str, float]:
    return {"anxiety": place[0], "avoidance": place[1]}


def _arm(side: Side, shared: Shared) -> dict[str, Any]:
    """One arm as a scenario file says it; what is usual is not said."""
    usual = defaults()
    parameters = dict(side.parameters)
    if side.accuracy != float(usual["a_accuracy"]):
        parameters[CONTROLLED["accuracy"]] = side.accuracy
    if side.warmth != float(usual["a_warmth"]):
        parameters[CONTROLLED["warmth"]] = warmth_base(side.warmth)
    if side.learning != WORDS["learning"][0]:
        parameters[CONTROLLED["learning"]] = 0.0
    lesions = dict(side.lesions)
    if side.naming != WORDS["naming"][0]:
        lesions[CONTROLLED["naming"]] = 0.0
    if side.insula != WORDS["insula"][0]:
        lesions[CONTROLLED["insula"]] = 0.0
    arm: dict[str, Any] = {"client": _point(side.client), "therapist": _point(side.therapist)}
    if side.repair in _POLICY:
        arm["policies"] = [_POLICY[side.repair]]
    if parameters:
        arm["parameters"] = parameters
    if lesions:
        arm["lesions"] = lesions
    if not side.do:
        return arm
    as_it_is = _as_it_is(replace(side, do=()), shared)
    force = [
        one
        for choice in side.do
        for one in forced(choice.response, choice.session, choice.exchange, shared.exchanges, as_it_is(choice.session))
    ]
    return {**arm, "force": force}


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
    parameters = dict(shared.parameters)
    if PAIRS[shared.pairs]:
        parameters[CONTROLLED["pairs"]] = PAIRS[shared.pairs]
    spec: dict[str, Any] = {
        "question": words()["export"]["question"],
        "clients_per_arm": shared.clients,
        "sessions": shared.sessions,
        "exchanges": shared.exchanges,
    }
    if shared.follow_up:
        spec["follow_up_months"] = shared.follow_up
    if parameters:
        spec["parameters"] = parameters
    spec["arms"] = {name.upper(): _arm(side, shared) for name, side in zip(SIDES, (a, b), strict=True)}
    spec["record"] = {"exchanges": {"clients": [0]}}
    return spec


@lru_cache(maxsize=256)
def scenario_of(a: Side, b: Side, shared: Shared) -> Scenario:
    """The same, validated. Raises ``ScenarioError``."""
    return from_spec(spec_of(a, b, shared), NAME)


def as_yaml(state: State, address: str) -> str:
    """The scenario file of a state, with what it is, the seed, and how to run it on top."""
    said = words()["export"]
    head = [
        f"# Attune {__version__}. {said['stamp']}",
        f"# {said['address'].format(address=address)}",
        f"# {said['reproduce'].format(command=run_command(state))}",
    ]
    return "\n".join(head) + "\n" + scenario_of(state.a, state.b, state.shared).to_yaml()


def run_command(state: State) -> str:
    """The command line that gives the tables of a state from its scenario file."""
    return f"attune run {NAME}.yaml --seed {state.shared.seed}"
