"""From a scenario's arm to a world or a clinic: who takes part, who meets whom, with which numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim import luck
from sim.engine.living import draw
from sim.engine.wiring import trace_columns
from sim.errors import PopulationError, ScenarioError
from sim.luck import Luck
from sim.people.population import DRAWN_BY
from sim.people.quantiles import poisson_quantiles
from sim.people.state import DYAD, PERSON, Columns
from sim.scenario.reading import key_path
from sim.scenario.scenario import Arm, Scenario
from sim.theory.parameters import Parameters
from sim.theory.regions import lesioned
from sim.therapy.clinic.feedback import with_feedback
from sim.therapy.clinic.week import Clinic
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
    """Number of each client's therapist, none in an arm without. In a crossed design each client has a therapist of their own,
    and the therapists of one client in the other arms are copies of that one who differ in style only."""
    return clients[: 0 if arm.therapist is None else None] // scenario.clients_per_therapist


def build(
    scenario: Scenario, arm: Arm, replicate: int, seed: int, clients: np.ndarray | None = None, model: Model = SHIPPED, *,
    still: bool = False,
) -> World:  # fmt: skip
    """The world of one arm and replicate, for all its clients or some of them (``clients``: their numbers).

    Every dyad has its own copy of the therapist, so dyads are independent and may be simulated in any chunks. Where
    something is held at its course in the baseline, that world comes with it.

    ``still``: the mean field. People are drawn as ever; from then on every random number stands at its mean instead of being
    drawn, so that what they do to each other is seen without noise.
    """
    who = client_numbers(scenario, arm) if clients is None else np.asarray(clients, np.int64)
    therapists = therapist_numbers(scenario, arm, who)
    world = _world(scenario, arm, replicate, seed, model, who, therapists)
    if len(world.dyads):
        _intervene(world, arm)
    if arm.clamp and world.intervention is not None:
        unharmed = arm.model_copy(update={"lesions": {}})
        world.baseline = _world(scenario, unharmed, replicate, seed, model, who, therapists)
        world.baseline.occasions = None
        world.baseline.intervention = world.intervention.recorder()
        world.baseline.trace_row = np.full(len(world.dyads), -1)
    for one in (world, world.baseline):
        if one is not None:
            one.luck = replace(one.luck, still=still)
    return world


def build_clinic(scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model = SHIPPED) -> Clinic:
    """The clinic of one arm and replicate, before its first week."""
    plan = arm.clinic
    assert plan is not None
    arriving = arrivals(plan.arrivals_per_week, plan.intake_weeks, Luck(seed, replicate))
    posts = np.arange(plan.therapists if arm.therapist is not None else 0)
    world = _world(scenario, arm, replicate, seed, model, np.arange(int(arriving.sum())), posts)
    traced = scenario.traced.get(arm.name, ())
    world.trace = np.zeros((len(traced), scenario.exchanges, len(trace_columns(model.exchange))))
    _intervene(world, arm)
    return Clinic(
        world, plan, arriving, lambda numbers: _staff(arm, numbers, world.parameters, world.luck),
        with_feedback(model.session) if plan.feedback else model.session,
        keep_sessions=scenario.keep_sessions, keep_assessments=scenario.keep_assessments, traced=traced,
    )  # fmt: skip


def _intervene(world: World, arm: Arm) -> None:
    """What an experimenter does in this arm inside the exchange."""
    wanted = arm.interventions
    if wanted:
        world.intervention = Intervening(wanted, world.exchange_steps, world.parameters, world.dyads, world.n_exchanges)


#: So many of each kind of people are looked for before a run begins.
LOOKED_FOR = 20


def somebody_fits(scenario: Scenario, seed: int = 1) -> None:
    """Raise ``ScenarioError`` with the key of clients or therapists whom nobody in the population is like, on this seed."""
    seen = set()
    for arm in scenario.arms:
        for role, who in (("client", arm.client), ("therapist", arm.therapist)):
            differs = tuple((name, arm.parameters[name]) for name in DRAWN_BY if name in arm.parameters)
            kind = role, who, differs
            # people of a style, or anybody, are there with the usual parameters
            if who is None or kind in seen or not (differs or (who.kind == "box" and who.style is None)):
                continue
            seen.add(kind)
            try:
                draw(role, who, luck.person(role, np.arange(LOOKED_FOR)), arm_parameters(arm), Luck(seed, 0))
            except PopulationError as error:
                said = scenario.spec.get("arms", {}).get(arm.name) or {}
                key = ("arms", arm.name, role) if role in said else (role,)
                raise ScenarioError(f"{key_path(key)}: {error}", where=scenario.name, key=key) from None


def arrivals(per_week: float, weeks: int, here: Luck) -> np.ndarray:
    """Arrivals of each week: Poisson, on random draws of their own, so that more weeks change nothing about the earlier ones."""
    chance = here.uniform(0, "arrivals", np.arange(1, weeks + 1))  # the purpose is nobody else's
    return poisson_quantiles(chance, per_week) if per_week > 0 else np.zeros(weeks, np.int64)


def _staff(arm: Arm, numbers: np.ndarray, parameters: Parameters, here: Luck) -> tuple[Columns, np.ndarray]:
    """Therapists of an arm and their random-number codes, with what its policies add to them."""
    code = luck.person("therapist", numbers)
    people = Columns(PERSON, 0) if arm.therapist is None else draw("therapist", arm.therapist, code, parameters, here)
    for policy in arm.policies:
        for name, amount in POLICIES[policy].adds.items():
            people.keep_within(name, people[name] + amount)
    return people, code


def _world(
    scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model, clients: np.ndarray, therapists: np.ndarray
) -> World:
    """People and parameters of one arm and replicate, nothing done to them; of a clinic no courses yet, else each client's."""
    parameters = arm_parameters(arm, model)
    here = Luck(seed, replicate)
    client_code = luck.person("client", clients)
    people = draw("client", arm.client, client_code, parameters, here)
    staff, therapist_code = _staff(arm, therapists, parameters, here)
    met = arm.clinic is None
    n = therapists.size if met else clients.size
    rows = np.arange(n) if met else np.zeros(n, np.int64)
    traced = np.isin(clients[:n] - arm.cohort * COHORT_SIZE, scenario.traced.get(arm.name, ())) & met
    return World(
        luck=here,
        parameters=parameters,
        clients=people,
        therapists=staff,
        dyads=Columns({**DYAD, **model.columns}, n),
        client_code=client_code,
        therapist_code=therapist_code,
        client_of=rows,
        therapist_of=rows.copy(),
        pair_code=luck.pair(client_code[:n], therapist_code) if met else np.zeros(n, np.uint64),
        planned_sessions=np.full(n, arm.sessions),
        n_exchanges=scenario.exchanges,
        planned_weeks=arm.sessions,
        strengths=lesioned(arm.lesions),
        trace_row=np.where(traced, np.cumsum(traced) - 1, -1),
        exchange_steps=model.exchange,
        session=model.session,
        occasions=[] if scenario.keep_items else None,
    )
