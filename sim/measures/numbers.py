"""One number of a whole run, by the name of its measure in the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from sim.catalogue.measures import CATALOGUE
from sim.measures.change import difference_from_no_treatment, pre_post_d
from sim.measures.clinics import by_replicate
from sim.measures.outcomes import VALUES, by_arm
from sim.measures.therapy import alliance_share_between_arms

if TYPE_CHECKING:
    from sim.simulation.tables import Run

#: What is one number of a run and of nothing smaller.
OF_RUNS: dict[str, Callable[[Run], float]] = {
    f.__name__: f for f in (difference_from_no_treatment, pre_post_d, alliance_share_between_arms)
}


def number(run: Run, name: str) -> float:
    """A measure of a run as one number, by its name in the catalogue; missing where the run has none.

    Of clients: the mean over all who have a value, in the arms with therapy (in all arms, where none has). Of clinics: the mean
    over arms and replicates; what is of treatment counts people who began early enough to finish. In the measure's plain unit:
    proportions from 0 to 1. ``sim.measures.alliance(run)`` says the same as ``sim.measures.number(run, "alliance")``.

    >>> round(sim.measures.number(run, "alliance_all_sessions"), 2), sim.measures.dropout(run)
    (5.12, 0.025)
    """
    if name in OF_RUNS:
        return OF_RUNS[name](run)
    if run.scenario.design == "clinic" and "clinic" in CATALOGUE[name].of:
        return float(by_replicate(run)[name].dropna().mean())
    if name not in VALUES:
        return float("nan")
    values = by_arm(run, name)
    treated = [values[arm.name] for arm in run.scenario.arms if arm.therapist is not None]
    return float(pd.concat(treated or values.values()).mean())


def measure(name: str) -> Callable[[Run], float]:
    """The function of a run that gives this number, with the measure's definition.

    >>> sim.measures.measure("dropout").__doc__
    'Left against plan, of those who had a session.'
    """

    def of_run(run: Run) -> float:
        return number(run, name)

    of_run.__name__, of_run.__doc__ = name, CATALOGUE[name].definition or f"{CATALOGUE[name].title}."
    return of_run
