"""From a scenario's arm to a world: who takes part, who meets whom, with which numbers."""

from __future__ import annotations

import numpy as np

from sim import luck
from sim.people.population import draw
from sim.people.state import DYAD, PERSON, Columns
from sim.scenario.scenario import Arm, Scenario
from sim.theory.parameters import Parameters
from sim.theory.regions import lesioned
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.interventions import Intervening
from sim.therapy.model import SHIPPED, Model
from sim.therapy.policies import POLICIES
from sim.therapy.session import World

#: Clients of one cohort (client style of a crossed design) are numbered from cohort * COHORT_SIZE.
COHORT_SIZE = 1_000_000


def arm_parameters(arm: Arm, model: Model = SHIPPED) -> Parameters:
    """The parameters of an arm: defaults, and what the scenario, its policies, the arm itself and the model set."""
    return Parameters({**arm.parameters, **model.changes}, model.parameters)


def arm_weeks(scenario: Scenario, arm: Arm) -> int:
    """How many weeks an arm is followed: its sessions, and the follow-up; of a clinic what its plan says."""
    if arm.clinic is not None:
        return arm.clinic.weeks
    return arm.sessions + scenario.follow_up_months * WEEKS_PER_MONTH


def client_numbers(scenario: Scenario, arm: Arm) -> np.ndarray:
    """Numbers of an arm's clients. In a crossed design every client style has a cohort of its own."""
    return np.arange(scenario.clients_per_arm, dtype=np.int64) + arm.cohort * COHORT_SIZE


def therapist_numbers(scenario: Scenario, arm: Arm, clients: np.ndarray) -> np.ndarray:
    """Number of each client's therapist. In a crossed design each client has a therapist of their own, and the
    therapists of one client in the other arms are copies of that one who differ in style only."""
    return clients // scenario.clients_per_therapist


def build(scenario: Scenario, arm: Arm, replicate: int, seed: int, clients: np.ndarray | None = None,
          model: Model = SHIPPED) -> World:  # fmt: skip
    """The world of one arm and replicate, for all its clients or some of them (``clients``: their numbers).

    Every dyad has its own copy of the therapist, so dyads are independent and may be simulated in any chunks. Where
    something is held at its course in the baseline, that world comes with it.
    """
    world = _world(scenario, arm, replicate, seed, clients, model)
    wanted = arm.interventions
    if not wanted or not len(world.dyads):
        return world
    world.intervention = Intervening(wanted, world.exchange_steps, world.parameters, world.dyads, world.n_exchanges)
    if wanted.clamp:
        world.baseline = _world(scenario, arm.model_copy(update={"lesions": {}}), replicate, seed, clients, model)
        world.baseline.occasions = None
        world.baseline.intervention = world.intervention.recorder()
        world.baseline.trace_row = np.full(len(world.dyads), -1)
    return world


def adapted_by_policies(therapists: Columns, arm: Arm) -> None:
    """What an arm's policies add to its therapists. Writes the columns that they name."""
    for policy in arm.policies:
        for name, amount in POLICIES[policy].adds.items():
            therapists.keep_within(name, therapists[name] + amount)


def _world(scenario: Scenario, arm: Arm, replicate: int, seed: int, clients: np.ndarray | None, model: Model) -> World:
    """People, dyads and parameters of one arm and replicate, nothing done to them."""
    parameters = arm_parameters(arm, model)
    luck_here = luck.Luck(seed, replicate)
    client = client_numbers(scenario, arm) if clients is None else np.asarray(clients, np.int64)
    client_code = luck.person("client", client)
    people = draw("client", arm.client, client_code, parameters, luck_here)
    n_dyads = 0 if arm.therapist is None else client.size
    therapist = therapist_numbers(scenario, arm, client)[:n_dyads]
    therapist_code = luck.person("therapist", therapist)
    if arm.therapist is None:
        therapists = Columns(PERSON, 0)
    else:
        therapists = draw("therapist", arm.therapist, therapist_code, parameters, luck_here)
    adapted_by_policies(therapists, arm)
    traced = np.isin(client[:n_dyads] - arm.cohort * COHORT_SIZE, scenario.traced.get(arm.name, ()))
    trace_row = np.where(traced, np.cumsum(traced) - 1, -1)
    rows = np.arange(n_dyads)
    return World(
        luck=luck_here,
        parameters=parameters,
        clients=people,
        therapists=therapists,
        dyads=Columns({**DYAD, **model.columns}, n_dyads),
        client_code=client_code,
        therapist_code=therapist_code,
        client_of=rows,
        therapist_of=rows,
        pair_code=luck.pair(client_code[:n_dyads], therapist_code),
        planned_sessions=np.full(n_dyads, arm.sessions),
        n_exchanges=scenario.exchanges,
        planned_weeks=arm.sessions,
        strengths=lesioned(arm.lesions),
        trace_row=trace_row,
        exchange_steps=model.exchange,
        occasions=[] if scenario.keep_items else None,
    )
