"""Where everybody of a clinic stands: clients, posts and courses, and how the clinic is run."""

from __future__ import annotations

import numpy as np

from sim.therapy.clinic.plan import Plan
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.endings import DROPOUT, IMPROVED, PLANNED, TRANSFERRED
from sim.therapy.session import World

#: Where a client stands. The last is said in more detail by how their course ended.
STATES = ("not yet there", "waiting", "in therapy", "between therapists", "lost while waiting", "ended")
NOT_YET, WAITING, TREATED, BETWEEN, LOST, ENDED = range(len(STATES))
#: Weeks after the end of therapy at which people are asked again, and how the tables call it.
FOLLOW_UPS = {"6_months": 26, "12_months": 52}
NOT_BEGUN = -1  # of a course


class Standing:
    """The state of a clinic: one entry a client in the order of arrival, one a therapist (also to come), one a course."""

    def __init__(self, world: World, plan: Plan) -> None:
        n, m = len(world.clients), len(world.therapists)
        self.world, self.plan = world, plan
        # one entry a client
        self.arrived = 0
        self.state = np.full(n, NOT_YET)
        self.since = np.zeros(n, np.int64)  # week since which a client is in this state
        self.arrival = np.zeros(n, np.int64)
        self.course = np.full(n, -1)  # dyad row of the course they are in, or were in last
        self.turn = np.zeros(n, np.int64)  # week of the cycle in which they have their session
        self.ended = np.zeros(n, np.int64)  # how the last course ended
        # one entry a therapist
        self.in_post = np.ones(m, bool)
        self.away = np.zeros(m, bool)
        self.load = np.zeros(m, np.int64)
        self.turns = np.zeros((m, plan.session_every), np.int64)  # clients by week of the cycle
        self.held = np.zeros(m, np.int64)  # sessions this week
        self.chosen = by_lot(world, np.arange(m), plan.trained_share, exactly=True)
        self.taken = np.zeros(m, np.int64)  # weeks of training so far
        self.responses = {
            name: np.full(m, np.nan) for name in ("anxiety", "avoidance")
        }  # staff questionnaires, as last filled in
        self.vacant: list[int] = []  # weeks in which vacant posts will be filled
        # one entry a course
        self.courses = 0  # dyad rows in use
        self.met = np.empty(0, np.int64)


def by_lot(world: World, rows: np.ndarray, share: float, *, exactly: bool) -> np.ndarray:
    """Whether each of these therapists is drawn: a proportion of them exactly, as in a trial, or each with that chance."""
    lot = world.luck.uniform(world.therapist_code[rows], "training_lot")
    if not exactly:
        return np.asarray(lot <= share, bool)
    drawn = np.zeros(rows.size, bool)
    drawn[np.argsort(lot, kind="stable")[: int(share * rows.size + 0.5)]] = True
    return drawn


def counts(c: Standing) -> dict[str, int]:
    """How many have come so far, and where they stand now; a person is counted once."""
    in_state = np.bincount(c.state[: c.arrived], minlength=len(STATES))
    waiting, treated, between, lost, ended = (int(in_state[k]) for k in (WAITING, TREATED, BETWEEN, LOST, ENDED))
    how = np.bincount(c.ended[: c.arrived][c.state[: c.arrived] == ENDED], minlength=TRANSFERRED + 1)
    return {
        "arrivals_total": c.arrived, "waiting": waiting, "in_therapy": treated, "between_therapists": between,
        "lost_waiting": lost, "ended_total": ended, "ended_planned": int(how[PLANNED]), "ended_improved": int(how[IMPROVED]),
        "ended_dropout": int(how[DROPOUT]), "ended_between": int(how[TRANSFERRED]),
        "transferred_total": int((c.world.ending[: c.courses] == TRANSFERRED).sum()),
    }  # fmt: skip


def months_since(c: Standing) -> tuple[np.ndarray, np.ndarray]:
    """Clients whose monthly questionnaires are due (the first are filled in at arrival), and how many months ago they came."""
    weeks = c.world.week - c.arrival[: c.arrived] + 1  # that they have lived since: this one is over
    rows = np.flatnonzero(weeks % WEEKS_PER_MONTH == 0)
    return rows, weeks[rows] // WEEKS_PER_MONTH
