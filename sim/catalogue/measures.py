"""Measures as data: name, title, unit, ends. The functions behind them are in ``sim.measures`` and ``sim.runs``.

>>> from sim.catalogue.measures import title_and_unit
>>> title_and_unit("alliance", clinic=False)
('late alliance, client-rated', 'WAI, 1-7')
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.catalogue.columns import CLINIC_TABLES, TABLES


@dataclass(frozen=True)
class Measure:
    """One measure: title and unit as people read them, digits shown, what a value is multiplied by for that.

    ``least`` and ``most``: the ends of its scale, beyond which no interval is drawn.

    >>> Measure("dropped out", "%", digits=0, scale=100, least=0, most=1).unit
    '%'
    """

    title: str
    unit: str
    digits: int = 2
    scale: float = 1.0
    least: float = -math.inf
    most: float = math.inf

    @property
    def difference_unit(self) -> str:
        """The unit of a difference of two values: of percentages, percentage points."""
        return "percentage points" if self.scale == 100 else self.unit


#: Of every client, which a batch keeps as one number a client (``measures.outcomes``); proportions from 0 to 1.
OF_CLIENTS: dict[str, Measure] = {
    "alliance": Measure("late alliance, client-rated", "WAI, 1-7", least=1, most=7),
    "alliance_all_sessions": Measure("alliance, all sessions, client-rated", "WAI, 1-7", least=1, most=7),
    "alliance_growth": Measure("growth of the alliance, first to last third", "WAI points"),
    "alliance_therapist": Measure("late alliance, therapist-rated", "WAI, 1-7", least=1, most=7),
    "empathy": Measure("empathy as the client rates it", "mean item 1-7", least=1, most=7),
    "accuracy": Measure("therapist's accuracy", "correlation", least=-1, most=1),
    "ruptures": Measure("ruptures per session", "count", least=0),
    "repaired": Measure("proportion of ruptures repaired", "0-1", least=0, most=1),
    "sessions": Measure("sessions attended", "count"),
    "dropout": Measure("dropped out", "proportion of those treated", least=0, most=1),
    "improved": Measure("ended early, well enough", "proportion of those treated", least=0, most=1),
    "distress_change": Measure("change of distress to the planned end", "CORE-OM points"),
    "distress_last_rating": Measure("change of distress to the last rating", "CORE-OM points"),
    "anxiety_change": Measure("change of the client's attachment anxiety (latent)", "ECR points"),
    "avoidance_change": Measure("change of the client's attachment avoidance (latent)", "ECR points"),
    "therapist_anxiety_change": Measure("change of the therapist's attachment anxiety (latent)", "ECR points"),
    "therapist_avoidance_change": Measure("change of the therapist's attachment avoidance (latent)", "ECR points"),
}
#: Of these, those that people without therapy have too.
ALSO_UNTREATED = ("distress_change", "anxiety_change", "avoidance_change")

#: Of an arm outside clinics, as the report's table of arms has them.
OF_PEOPLE: dict[str, Measure] = {
    "alliance": Measure("late alliance", "WAI, 1-7", least=1, most=7),
    "dropout": Measure("dropped out", "%", 1, 100.0, 0, 100),
    "distress_change": Measure("change of distress", "CORE-OM points"),
    "difference_from_no_treatment": Measure("difference from no treatment", "CORE-OM points"),
}

#: Months after arrival at which everybody who came to a clinic is compared, treated or not.
SINCE_ARRIVAL = (6, 12)
#: Of an arm of clinics. Those of treatment are of people who began early enough to finish before the clinic closes.
OF_CLINICS: dict[str, Measure] = {
    "alliance": Measure("alliance", "client-rated WAI, 1-7", least=1, most=7),
    "dropout": Measure("dropped out", "% of those who began", 1, 100.0, 0, 100),
    "distress_change": Measure("distress, arrival to end", "CORE-OM points"),
    "weeks_waited": Measure("on the waiting list, so far", "weeks", 1, least=0),
    "lost_waiting": Measure("lost on the waiting list", "% of those who came", 1, 100.0, 0, 100),
    "helped": Measure("helped", "% of those who began", 1, 100.0, 0, 100),
    "helped_of_all": Measure("helped by the end", "% of those who came", 1, 100.0, 0, 100),
    "helped_per_100_hours": Measure("helped per 100 therapist-hours", "clients", least=0),
    "fatigue": Measure("therapists' fatigue", "0-1", 3, least=0, most=1),
    "insecurity_met": Measure("insecurity of the therapist a client gets", "ECR anxiety + avoidance, 2-14", least=2, most=14),
    **{
        f"distress_{n}_months": Measure(f"distress, arrival to {n} months later, seen or not", "CORE-OM points")
        for n in SINCE_ARRIVAL
    },
}

#: Tables that a batch can keep beside the summaries.
TABLES_KEPT = (*TABLES, *CLINIC_TABLES)


def known_measures(clinic: bool | None = None) -> tuple[str, ...]:
    """Names of what batches keep: of a clinic (one value a replicate), of other designs, or of both."""
    people, clinics = tuple(OF_CLIENTS), tuple(OF_CLINICS)
    return clinics if clinic else people if clinic is False else tuple(dict.fromkeys((*people, *clinics)))


def title_and_unit(name: str, clinic: bool) -> tuple[str, str]:
    """What a measure of a batch means, and its unit as it stands in the summaries (proportions from 0 to 1)."""
    one = (OF_CLINICS if clinic else OF_CLIENTS)[name]
    return one.title, one.unit.replace("%", "proportion") if one.scale != 1 else one.unit


def ends_of(name: str, clinic: bool) -> tuple[float, float]:
    """The ends of a measure's scale in the summaries, beyond which an interval says nothing."""
    one = (OF_CLINICS if clinic else OF_CLIENTS)[name]
    return one.least / one.scale, one.most / one.scale
