"""What the Mesa face knows of a clinic: who has come, whose course is whose, where everybody stands. No Mesa in here.

``InClinic`` answers the same questions about a clinic that ``mesa.model.InCourses`` answers about an arm of single courses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.scenario.scenario import Arm, Scenario
from sim.simulation.build import build_clinic
from sim.simulation.tasks import run_of
from sim.therapy.clinic.states import BETWEEN, LOST, STATES, WAITING, counts
from sim.therapy.model import Model
from sim.therapy.session import IN_THERAPY, LOST_WAITING, STILL_WAITING


class InClinic:
    """A clinic under way, as the Mesa face asks about it. Rows of clients are in the order of arrival.

    The clinic's arrays are replaced when it grows, so nothing of them is kept here but by week.
    """

    shared = True  # a therapist has several clients

    def __init__(self, scenario: Scenario, arm: Arm, replicate: int, seed: int, model: Model) -> None:
        assert arm.clinic is not None
        self._told = (scenario, arm, replicate, seed)
        self._model = model
        self.scenario, self.weeks = scenario, arm.clinic.weeks
        self.clinic = build_clinic(scenario, arm, replicate, seed, model)
        self.world = self.clinic.world
        self._by_therapist: tuple[int, np.ndarray, np.ndarray] = (-1, np.empty(0, np.int64), np.empty(0, np.int64))

    @property
    def met(self) -> np.ndarray:
        """Dyad rows of this week's sessions."""
        return self.clinic.met

    def live_a_week(self) -> None:
        """One week of the clinic."""
        self.clinic.live_a_week()

    def tables(self) -> dict[str, Any]:
        """The core's tables, had the clinic closed now."""
        return run_of(*self._told, self.clinic, self._model).tables

    def present(self, role: str) -> int:
        """How many rows of clients have come, or of therapists have been in post, so far."""
        return self.clinic.arrived if role == "client" else len(self.world.therapists)

    def number(self, role: str, row: int) -> int:
        """Number of a person in the tables."""
        return row

    def courses(self, role: str, row: int) -> np.ndarray:
        """Dyad rows: of a client the course now, or else the last; of a therapist those that go on now."""
        if role == "client":
            course = self.clinic.course[row]
            return np.array([course]) if course >= 0 else np.empty(0, np.int64)
        week, rows, start = self._by_therapist
        if week != self.world.week:  # courses begin and end within a week only
            here = np.flatnonzero(self.world.ending[: self.clinic.courses] == IN_THERAPY)
            of = self.world.therapist_of[here]
            order = np.argsort(of, kind="stable")
            rows, start = here[order], np.searchsorted(of[order], np.arange(len(self.world.therapists) + 1))
            self._by_therapist = (self.world.week, rows, start)
        return rows[start[row] : start[row + 1]]

    def state(self, row: int) -> str:
        """Where a client stands."""
        return STATES[self.clinic.state[row]]

    def weeks_waiting(self, row: int) -> int:
        """Weeks on the waiting list or between therapists so far; later those before the last course, or before the loss."""
        c = self.clinic
        if c.state[row] in (WAITING, BETWEEN):
            return int(self.world.week - c.since[row])
        if c.state[row] == LOST:
            return int(c.since[row] - c.arrival[row])
        return int(c.book.courses.weeks_waited[c.course[row]])

    def without_course(self, row: int) -> int:
        """The ending that the tables give to a client who has had no course."""
        return LOST_WAITING if self.clinic.state[row] == LOST else STILL_WAITING

    def in_post(self, row: int) -> bool:
        """Whether a therapist has not left."""
        return bool(self.clinic.in_post[row])

    def away(self, row: int) -> bool:
        """Whether a therapist was away this week."""
        return bool(self.clinic.away[row])

    def supervised(self, row: int) -> bool:
        """Whether a therapist has begun supervision or training."""
        return bool(self.clinic.taken[row] > 0)

    def count(self, name: str) -> int:
        """Clients in one of the states that the table ``clinic`` counts."""
        return counts(self.clinic)[name]
