"""From a scenario with ``design: clinic`` to a clinic, and from what it leaves behind to tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim import luck
from sim.experiments.scenario import Arm, Scenario
from sim.people.instruments import Luck
from sim.people.population import draw
from sim.people.state import DYAD, Columns
from sim.theory.parameters import Parameters
from sim.theory.regions import lesioned
from sim.therapy.clinic import ENDED, LOST, NOT_BEGUN, Clinic, Service, run_clinic
from sim.therapy.compile import trace_columns
from sim.therapy.course import joined
from sim.therapy.model import SHIPPED, Model
from sim.therapy.policies import POLICIES
from sim.therapy.session import World

_POISSON_MOST = 20  # standard deviations beyond the mean that are looked at


def arrivals(per_week: float, weeks: int, here: Luck) -> np.ndarray:
    """Arrivals of each week: Poisson, by addressed luck, so that more weeks change nothing about the earlier ones."""
    from scipy.stats import poisson

    chance = here.uniform(luck.person("service", np.zeros(weeks, np.int64)), "arrivals", np.arange(1, weeks + 1))
    return np.asarray(poisson.ppf(chance, per_week), np.int64) if per_week > 0 else np.zeros(weeks, np.int64)


def build_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> Clinic:
    """The clinic of one arm and replicate, before its first week."""
    plan = arm.clinic
    assert plan is not None and arm.therapist is not None
    therapist_kind = arm.therapist
    numbers, here = Parameters({**arm.parameters, **model.changes}, model.numbers), Luck(seed, replicate)
    arriving = arrivals(plan.arrivals_per_week, plan.weeks, here)
    n = int(arriving.sum())
    code = luck.person("client", np.arange(n))

    def staff(who: np.ndarray) -> tuple[Columns, np.ndarray]:
        codes = luck.person("therapist", who)
        people = draw("therapist", therapist_kind, codes, numbers, here)
        for policy in arm.policies:
            for name, amount in POLICIES[policy].adds.items():
                people.keep_within(name, people[name] + amount)
        return people, codes

    therapists, therapist_code = staff(np.arange(plan.therapists))
    world = World(
        luck=here, numbers=numbers, clients=draw("client", arm.client, code, numbers, here), therapists=therapists,
        dyads=Columns({**DYAD, **model.columns}, n), client_code=code, therapist_code=therapist_code,
        client_of=np.zeros(n, np.int64), therapist_of=np.zeros(n, np.int64), pair_code=np.zeros(n, np.uint64),
        planned_sessions=np.zeros(n, np.int64), n_exchanges=scenario.exchanges, planned_weeks=arm.sessions,
        strengths=lesioned(arm.lesions), exchange_steps=model.exchange,
    )  # fmt: skip
    world.ending[:] = NOT_BEGUN
    world.trace = np.zeros((0, scenario.exchanges, len(trace_columns(model.exchange))))
    service = Service(
        plan.capacity, arriving, plan.session_every, plan.matching, plan.overbook, plan.overbook_after, plan.leave_prob,
        plan.turnover,
    )  # fmt: skip
    return Clinic(world, service, staff, model.session)


def simulated_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> dict[str, dict[str, Any]]:
    """The tables of one arm and replicate as columns, with who they are about."""
    assert arm.clinic is not None
    clinic = build_clinic(scenario, arm, replicate, seed, model)
    kept = run_clinic(clinic, arm.clinic.weeks)
    w = clinic.world
    tables: dict[str, dict[str, Any]] = {}
    for name in ("clients", "sessions"):
        table = joined(kept[name])
        if table:
            row = table.pop("row")
            tables[name] = {"client": w.client_of[row], "therapist": w.therapist_of[row], **table}
    assessments = joined(kept["assessments"])
    if assessments:
        tables["assessments"] = {"client": assessments.pop("row"), **assessments}
    for name in ("therapists", "clinic"):
        tables[name] = {key: np.concatenate([part[key] for part in kept[name]]) for key in kept[name][0]}
    return {name: {"replicate": np.full(_length(table), replicate, np.int32), **table} for name, table in tables.items()}


def _length(table: dict[str, Any]) -> int:
    return int(next(iter(table.values())).size)


__all__ = ["ENDED", "LOST", "arrivals", "build_clinic", "simulated_clinic"]
