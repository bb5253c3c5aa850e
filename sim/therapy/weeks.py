"""Weeks of a world, one after the other: courses, clinics, what is foreseen and what the page shows all live them here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.people.state import DYAD, check_range
from sim.therapy.session import World
from sim.therapy.verbs import SESSION_RULES

#: Dyad columns that verbs write; the exchange tests those that it reads or writes itself.
CHECKED = tuple(column for rule in SESSION_RULES for column in rule.writes if column in DYAD)


class Weeks:
    """A world under way. ``order`` is what happens in a week, verb by verb; each is called with this object."""

    def __init__(self, world: World, order: tuple[Callable[[Any], None], ...]) -> None:
        self.world, self.order = world, order
        self._checked = (*CHECKED, *(name for name in world.dyads.declared if name not in DYAD))

    def live_a_week(self, order: tuple[Callable[[Any], None], ...] | None = None) -> None:
        """One week: every verb of the order in turn. Raises ``StateError`` when a quantity leaves its range."""
        w = self.world
        w.week += 1
        for rating in w.ratings.values():
            rating[:] = np.nan  # last week's; not every instrument is given every week
        for verb in self.order if order is None else order:
            verb(self)
        where, (courses, arrived) = f"week {w.week}, ", self.in_use()
        check_range(w.dyads, self._checked, where=f"{where}dyad ", n=courses)
        check_range(w.clients, where=f"{where}client ", n=arrived)
        check_range(w.therapists, where=f"{where}therapist ")

    def in_use(self) -> tuple[int, int]:
        """How many courses have begun, and how many clients have come: all, where nobody comes later."""
        return len(self.world.dyads), len(self.world.clients)


def life_goes_on(weeks: Weeks) -> None:
    """A week of life for everybody who has come so far, and for the therapists."""
    weeks.world.live(weeks.in_use()[1])


def clients_live(weeks: Weeks) -> None:
    """A week of life for the clients; therapists stay as they are."""
    weeks.world.live(weeks.in_use()[1], ("client",))
