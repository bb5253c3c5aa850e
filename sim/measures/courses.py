"""Who had therapy, and their sessions in order: what measures of a run begin with."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

if TYPE_CHECKING:
    from sim.simulation.tables import Run

#: A course of therapy is known by these.
COURSE = ["arm", "replicate", "client"]

Found = TypeVar("Found")


def once_a_run(function: Callable[[Run], Found]) -> Callable[[Run], Found]:
    """The same function of a run, taken once for each: what it found lives and goes with the run, and is not to be changed."""
    name = f"_{function.__name__.lstrip('_')}"

    @wraps(function)
    def found(run: Run) -> Found:
        kept = run.__dict__
        if name not in kept:
            kept[name] = function(run)
        return kept[name]

    return found


def treated(run: Run) -> pd.DataFrame:
    """The courses of people who had therapy (at least one session).

    Of a clinic one row a person, since a course may be handed over: their last course, with the first values of all (``_0``)
    those at arrival, and the sessions, ruptures and repairs of all.

    >>> len(sim.measures.treated(run))
    40
    """
    if run.scenario.design != "clinic":
        return run.clients[run.clients["sessions_attended"] > 0]
    rows = run.clients.sort_values([*COURSE, "course"], kind="stable")
    sums = rows.groupby(COURSE, observed=True)[[name for name in _SUMMED if name in rows]].transform("sum")
    last = rows.assign(**sums).drop_duplicates(COURSE, keep="last")
    arrived = {f"{name}_0{kind}": last[f"{name}_arrival{kind}"] for name in _ARRIVED for kind in ("", "_latent")}
    return last.assign(**arrived)[last["sessions_attended"] > 0]


_ARRIVED = ("distress", "client_anxiety", "client_avoidance")
_SUMMED = ("sessions_attended", "ruptures_total", "repairs_total")


def sessions_in_order(run: Run) -> pd.DataFrame:
    """The table of sessions, numbered through for each person: of a clinic also across a change of therapist.

    >>> len(sim.measures.sessions_in_order(run)) == len(run.sessions)
    True
    """
    if run.scenario.design != "clinic" or run.sessions.empty:
        return run.sessions
    rows = run.sessions.sort_values([*COURSE, "week"], kind="stable")
    return rows.assign(session=rows.groupby(COURSE, observed=True).cumcount() + 1)
