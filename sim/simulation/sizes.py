"""How large a scenario is, before anything is simulated: rows of every table, memory, disk, and the work that takes time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sim.catalogue.columns import columns_of
from sim.people.state import DYAD
from sim.scenario.scenario import Arm, Scenario
from sim.simulation import build
from sim.simulation.tasks import CHUNK
from sim.therapy.clinic.matching import ORACLE
from sim.therapy.clinic.plan import Plan
from sim.therapy.course import WEEKS_PER_MONTH

#: Measured: about three times the tables themselves while they are put together.
WHILE_MADE = 3.0
#: Bytes of a process that has read the program and simulates nothing yet, measured.
PROCESS = 0.4 * 2.0**30
#: Measured: bytes of a value in a table on disk, compressed; and what a report takes.
ON_DISK, REPORT = 5.0, 3_000_000
#: Of those in therapy the proportion that leaves in a week, roughly; only estimates of time depend on it.
_LEAVE = 0.025


@dataclass(frozen=True)
class Sizes:
    """Rows of each table at most, values that are in memory without being in a table, and the work, as counts of what takes time.

    ``work``: ``week`` (of one arm and block of clients), ``met_week`` (one with sessions), ``clinic_week``, ``person_week``,
    ``session``, ``exchange`` and ``item`` (a questionnaire whose items are kept).
    """

    clinic: bool
    rows: Counter[str] = field(default_factory=Counter)
    standing: int = 0
    work: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.clinic, self.rows + other.rows, self.standing + other.standing, self.work + other.work)

    def times(self, n: int) -> Sizes:
        """Of so many like this one."""
        rows, work = (Counter({name: n * count for name, count in counts.items()}) for counts in (self.rows, self.work))
        return Sizes(self.clinic, rows, n * self.standing, work)

    @property
    def values(self) -> float:
        """Values of all tables."""
        return sum(count * self.columns(name, self.clinic) for name, count in self.rows.items())

    @staticmethod
    @lru_cache(maxsize=None)
    def columns(table: str, clinic: bool) -> float:
        """Columns of a table, in values of eight bytes: a response to an item takes two."""
        n = len(columns_of(table, clinic))
        return n / 4 if table == "items" else n

    @property
    def memory(self) -> float:
        """Bytes that are needed while the tables are put together."""
        return PROCESS + WHILE_MADE * 8.0 * (self.values + self.standing)

    def seconds(self, rates: Mapping[str, float]) -> float:
        """How long the work takes on one core."""
        return sum(count * rates[name] for name, count in self.work.items())


def sizes_of(scenario: Scenario) -> Sizes:
    """How large the tables of all arms and replicates are at most (of an ensemble those of the run that is kept)."""
    rows, work, standing = Counter[str](), Counter[str](), 0
    for arm in scenario.arms:
        one = _of_arm(scenario, arm) if arm.clinic is None else _of_clinic(scenario, arm, arm.clinic)
        rows.update(one.rows)
        work.update(one.work)
        standing += one.standing
    return Sizes(scenario.design == "clinic", rows, standing, work).times(scenario.replicates)


def _met(sessions: float) -> float:
    """How many of the planned sessions are held, on average, where people leave now and then."""
    return (1.0 - math.exp(-_LEAVE * sessions)) / _LEAVE


def _of_arm(scenario: Scenario, arm: Arm) -> Sizes:
    """One replicate of an arm outside clinics."""
    n, weeks, treated = scenario.clients_per_arm, build.arm_weeks(scenario, arm), arm.therapist is not None
    blocks, clamped = -(-n // CHUNK), bool(arm.clamp) and treated
    rows = Counter(clients=n, assessments=n * (weeks // WEEKS_PER_MONTH + 1))
    rows["sessions"] = n * arm.sessions if treated else 0
    rows["exchanges"] = len(scenario.traced.get(arm.name, ())) * arm.sessions * scenario.exchanges
    held = n * (_met(arm.sessions) + (arm.sessions if clamped else 0)) if treated else 0  # nobody leaves the baseline
    last = arm.sessions if clamped else min(arm.sessions, (math.log(n) + 0.58) / _LEAVE)  # when the last one leaves
    work = Counter[str]()
    work["week"], work["met_week"] = blocks * weeks, math.ceil(blocks * last * (2 if clamped else 1)) if treated else 0
    work["person_week"] = n * weeks * (1 + treated)
    return _with_items(scenario, rows, work, held)


def _of_clinic(scenario: Scenario, arm: Arm, plan: Plan) -> Sizes:
    """One replicate of a clinic; how many come is a matter of chance, so this is about as many."""
    n = int(plan.arrivals_per_week * plan.intake_weeks)
    posts = plan.therapists * plan.weeks if arm.therapist is not None else 0
    places = posts * (plan.capacity + plan.overbook)
    rows = Counter(clients=n, therapists=posts, clinic=plan.weeks)
    rows["sessions"] = min(n * arm.sessions, places)
    rows["assessments"] = n * (plan.weeks // WEEKS_PER_MONTH + 1)
    rows["exchanges"] = len(scenario.traced.get(arm.name, ())) * arm.sessions * scenario.exchanges
    held = min(n * _met(arm.sessions), places * (1.0 - plan.leave_prob))
    if plan.matching == ORACLE:
        held += n * plan.therapists * _met(arm.sessions)
    work = Counter[str](clinic_week=plan.weeks, person_week=n * plan.weeks // 2 + posts)
    one = _with_items(scenario, rows, work, held)
    for table, kept in (("sessions", scenario.keep_sessions), ("assessments", scenario.keep_assessments)):
        if not kept:
            del one.rows[table]
    # A course's own state and lines are in memory while the clinic runs.
    return Sizes(True, one.rows, n * len(DYAD), one.work)


def _with_items(scenario: Scenario, rows: Counter[str], work: Counter[str], held: float) -> Sizes:
    """With what depends on the sessions held, and on the item responses that are kept."""
    if scenario.keep_items:  # nine questionnaires a session, two a month, five a course
        rows["items"] = 9 * rows["sessions"] + 2 * rows["assessments"] + 5 * rows["clients"]
    work["item"] = rows["items"]
    work["session"], work["exchange"] = math.ceil(held), math.ceil(held * scenario.exchanges)
    return Sizes(scenario.design == "clinic", rows, 0, work)
