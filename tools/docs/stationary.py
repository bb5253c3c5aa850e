"""Stationary values and limits of the model, run, not argued; the table stands in docs/DESIGN.md.

The typical dyad (both people at the typical anxiety and avoidance, average in everything else) should stay where
it is. The parameters of status *derived* are what such dyads do on average over the first ten sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build
from sim.theory.parameters import Parameters
from sim.therapy.course import run_course
from sim.therapy.session import SESSION, World

_TYPICAL = {"anxiety": 3.7, "avoidance": 3.16}
_TYPICAL_THERAPIST = {**_TYPICAL, "early": _TYPICAL}  # else drawn to the mean of therapists, who are more secure
#: Nobody leaves, so that averages are over everybody.
_STAY = {"dropout_base": -12.0, "good_enough_prob": 0.0}

#: derived parameter -> dyad column whose mean it is (over sessions), or a function of such means
_DERIVED = {
    "client_perceived_typical": "mean_client_perceived",
    "therapist_perceived_typical": "mean_therapist_perceived",
    "client_arousal_typical": "mean_client_arousal",
    "therapist_arousal_typical": "mean_therapist_arousal",
    "client_inconsistency_typical": "client_inconsistency",
    "therapist_inconsistency_typical": "therapist_inconsistency",
    "client_estimate_typical": "mean_client_estimate",
    "therapist_estimate_typical": "mean_therapist_estimate",
    "client_felt_typical": "mean_client_felt",
    "therapist_felt_typical": "mean_therapist_felt",
    "client_mentalising_typical": "mean_client_mentalising",
    "therapist_mentalising_typical": "mean_therapist_mentalising",
    "attunement_typical": "mean_therapist_attunement",
    "felt_understanding_typical": "mean_therapist_felt_understanding",
    "warmth_typical": "mean_therapist_warmth",
    "expression_typical": "mean_client_expression",
    "disclosure_typical": "mean_client_disclosure",
    "labelling_typical": "mean_client_labelling",
    "shared_meaning_typical": "shared_meaning",
    "alliance_typical": "client_alliance",
    "engagement_typical": "client_engagement",
}


def _scenario(clients: int, sessions: int, parameters: Mapping[str, float], client: Any = None, **keys: Any) -> Scenario:
    distress = Parameters(parameters).client_distress_typical
    return from_spec({
        "question": "What does the typical dyad do?", "clients_per_arm": clients, "sessions": sessions,
        "client": {**(client or _TYPICAL), "distress": distress}, "therapist": _TYPICAL_THERAPIST,
        "parameters": {**_STAY, **parameters}, **{key: value for key, value in keys.items() if value is not None},
    }, "stationary")  # fmt: skip


def dyads(clients: int = 1000, sessions: int = 10, seed: int = 1, client: Any = None, therapist: Any = None,
          lesions: Mapping[str, float] | None = None, **parameters: Any) -> dict[str, np.ndarray]:  # fmt: skip
    """Mean of every dyad column, session by session, over dyads of the same two kinds of people (default: typical).

    Nobody leaves. ``parameters``: those of the model. Returns name -> array of length ``sessions``.
    """
    scenario = _scenario(clients, sessions, parameters, client, therapist=therapist, lesions=lesions)
    world = build(scenario, scenario.arms[0], 0, seed)
    track: dict[str, list[float]] = {}

    def look(world: World, rows: np.ndarray) -> None:
        for name in world.dyads.declared:
            track.setdefault(name, []).append(float(world.dyads[name].mean()))

    run_course(world, sessions, (*SESSION, look))
    return {name: np.asarray(values) for name, values in track.items()}


def exchanges_of(clients: int = 200, sessions: int = 10, seed: int = 1, **parameters: Any) -> dict[str, np.ndarray]:
    """Every quantity of every exchange of typical dyads (at most 200 clients)."""
    scenario = _scenario(clients, sessions, parameters, record={"exchanges": {"clients": list(range(clients))}})
    return run_course(build(scenario, scenario.arms[0], 0, seed), sessions).exchanges


def derived_numbers(seed: int = 1, clients: int = 1000, **parameters: Any) -> dict[str, float]:
    """What the derived parameters should be, given the others: means of the typical dyad over ten sessions."""
    means = dyads(clients=clients, seed=seed, **parameters)
    return {name: float(means[column].mean()) for name, column in _DERIVED.items()}
