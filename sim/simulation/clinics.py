"""From a scenario with ``design: clinic`` to a clinic, and from what it leaves behind to tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim import luck
from sim.engine.wiring import trace_columns
from sim.measurement.responses import SurveyLuck, forms_of
from sim.people.population import draw
from sim.people.state import DYAD, PERSON, Columns
from sim.scenario.scenario import Arm, Scenario
from sim.simulation.build import adapted_by_policies, arm_parameters
from sim.theory.regions import lesioned
from sim.therapy.clinic.book import tables
from sim.therapy.clinic.feedback import with_feedback
from sim.therapy.clinic.week import Clinic
from sim.therapy.interventions import Intervening
from sim.therapy.model import SHIPPED, Model
from sim.therapy.session import World


def arrivals(per_week: float, weeks: int, here: SurveyLuck) -> np.ndarray:
    """Arrivals of each week: Poisson, on random draws of their own, so that more weeks change nothing about the earlier ones."""
    from scipy.stats import poisson

    chance = here.uniform(0, "arrivals", np.arange(1, weeks + 1))  # the purpose is nobody else's
    return np.asarray(poisson.ppf(chance, per_week), np.int64) if per_week > 0 else np.zeros(weeks, np.int64)


def build_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> Clinic:
    """The clinic of one arm and replicate, before its first week."""
    plan, kind = arm.clinic, arm.therapist
    assert plan is not None
    parameters = arm_parameters(arm, model)
    here = SurveyLuck(seed, replicate, forms_of(parameters, scenario.keep_items))
    arriving = arrivals(plan.arrivals_per_week, plan.intake_weeks, here)
    n = int(arriving.sum())
    code = luck.person("client", np.arange(n))

    def staff(who: np.ndarray) -> tuple[Columns, np.ndarray]:
        codes = luck.person("therapist", who)
        people = Columns(PERSON, 0) if kind is None else draw("therapist", kind, codes, parameters, here)
        adapted_by_policies(people, arm)
        return people, codes

    therapists, therapist_code = staff(np.arange(plan.therapists if kind is not None else 0))
    world = World(
        luck=here, parameters=parameters, clients=draw("client", arm.client, code, parameters, here), therapists=therapists,
        dyads=Columns({**DYAD, **model.columns}, n), client_code=code, therapist_code=therapist_code,
        client_of=np.zeros(n, np.int64), therapist_of=np.zeros(n, np.int64), pair_code=np.zeros(n, np.uint64),
        planned_sessions=np.zeros(n, np.int64), n_exchanges=scenario.exchanges, planned_weeks=arm.sessions,
        strengths=lesioned(arm.lesions), exchange_steps=model.exchange,
    )  # fmt: skip
    traced = scenario.traced.get(arm.name, ())
    world.trace = np.zeros((len(traced), scenario.exchanges, len(trace_columns(model.exchange))))
    if arm.interventions:
        world.intervention = Intervening(arm.interventions, world.exchange_steps, parameters, world.dyads, world.n_exchanges)
    session = with_feedback(model.session) if plan.feedback else model.session
    return Clinic(world, plan, arriving, staff, session, keep_sessions=scenario.keep_sessions,
                  keep_assessments=scenario.keep_assessments, traced=traced)  # fmt: skip


def clinic_tables(clinic: Clinic, replicate: int) -> dict[str, dict[str, Any]]:
    """The clinic's tables so far as columns, with the replicate."""
    kept = tables(clinic, clinic.book)
    return {name: {"replicate": np.full(_length(table), replicate, np.int32), **table} for name, table in kept.items()}


def simulated_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model) -> dict[str, dict[str, Any]]:
    """The tables of one arm and replicate, lived from the first week to the last."""
    assert arm.clinic is not None
    clinic = build_clinic(scenario, arm, replicate, seed, model)
    for _ in range(arm.clinic.weeks):
        clinic.live_a_week()
    return clinic_tables(clinic, replicate)


def _length(table: Mapping[str, Any]) -> int:
    return int(next(iter(table.values())).size)
