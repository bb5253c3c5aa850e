"""How much memory a scenario's tables take, before anything is simulated."""

from __future__ import annotations

import os

from sim.catalogue.columns import ASSESSMENTS, CLIENTS, ITEMS, SESSIONS, THERAPISTS, columns_of
from sim.errors import ScenarioError
from sim.people.state import DYAD
from sim.scenario.scenario import Scenario
from sim.simulation import build
from sim.therapy.course import WEEKS_PER_MONTH


def fits_in_memory(scenario: Scenario) -> None:
    """Raise ``ScenarioError`` for a scenario whose tables would not fit into this machine's memory."""
    clients = scenario.clients_per_arm * scenario.replicates * len(scenario.arms)
    if scenario.design == "clinic":
        clients, rows, months, values = _clinic_sizes(scenario)
    else:
        each = clients // len(scenario.arms)
        rows = sum(arm.sessions for arm in scenario.arms if arm.therapist is not None) * each
        months = sum(build.arm_weeks(scenario, arm) // WEEKS_PER_MONTH + 1 for arm in scenario.arms) * each
        values = rows * len(SESSIONS) + months * len(ASSESSMENTS) + clients * len(CLIENTS)
    if scenario.keep_items:  # nine questionnaires a session, two a month, five a course; a response takes two bytes of eight
        values += (9 * rows + 2 * months + 5 * clients) * len(ITEMS) // 4
    # Measured: about three times the tables themselves while they are put together.
    needed, there = 3.0 * 8.0 * values, float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if needed > 0.8 * there:
        fewer = "clients_per_arm, sessions, replicates or arms"
        if scenario.design == "clinic":
            fewer = "weeks, arrivals, replicates or arms, or keep less (record: {sessions: false, assessments: false})"
        raise ScenarioError(
            f"{scenario.name}: {rows:,} sessions and {months:,} assessments would need about {needed / 2**30:.0f} GiB of memory, "
            f"and this machine has {there / 2**30:.0f}; use fewer {fewer}"
        )


def _clinic_sizes(scenario: Scenario) -> tuple[int, int, int, int]:
    """Clients, sessions and assessments of a clinic scenario that will be kept, at most, and values of all tables."""
    clients = rows = months = values = 0
    for arm in scenario.arms:
        plan = arm.clinic
        assert plan is not None
        n = int(plan.arrivals_per_week * plan.intake_weeks * scenario.replicates)
        posts = plan.therapists * plan.weeks * scenario.replicates
        most = min(n * arm.sessions, posts * (plan.capacity + plan.overbook)) if arm.therapist is not None else 0
        clients += n
        rows += most if scenario.keep_sessions else 0
        months += n * (plan.weeks // WEEKS_PER_MONTH + 1) if scenario.keep_assessments else 0
        # A course's own state and lines are in memory while the clinic runs.
        values += n * (len(columns_of("clients", clinic=True)) + len(DYAD)) + posts * len(THERAPISTS)
    return clients, rows, months, values + rows * len(SESSIONS) + months * len(ASSESSMENTS)
