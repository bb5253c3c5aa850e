"""The catalogue of measures: each once, with title, unit, scale and definition. The functions stand in ``sim.measures``.

>>> CATALOGUE["alliance"].title, CATALOGUE["dropout"].unit
('late alliance, client-rated', '% of those who began')
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One measure: title and unit as people read them, digits shown, what a value is multiplied by for that.

    ``least`` and ``most``: the ends of its scale as it is shown, beyond which no interval is drawn. ``of``: what has one value.
    ``client``: its number is the mean over clients (``measures.outcomes``); ``clinic``: the mean over arms and replicates
    (``measures.clinics``), which goes before that of clients in a clinic; ``run``: one number of a whole run. ``untreated``:
    whether people without therapy have it too.

    >>> Measure("dropped out", "%", digits=0, scale=100, least=0, most=100).plain_unit
    'proportion'
    """

    title: str
    unit: str
    definition: str = ""
    digits: int = 2
    scale: float = 1.0
    least: float = -math.inf
    most: float = math.inf
    of: tuple[str, ...] = ("client",)
    untreated: bool = False

    def titled(self, between: str = " ", plain: bool = False) -> str:
        """Title and, in brackets, unit, with what stands ``between`` them; ``plain``: the unit of values as they are kept.

        >>> CATALOGUE["dropout"].titled()
        'dropped out (% of those who began)'
        """
        return f"{self.title}{between}({self.plain_unit if plain else self.unit})"

    @property
    def difference_unit(self) -> str:
        """The unit of a difference of two values: of percentages, percentage points."""
        return "percentage points" if self.scale == 100 else self.unit

    @property
    def plain_unit(self) -> str:
        """The unit of values as they are computed and kept: of percentages, proportions from 0 to 1."""
        return self.unit.replace("%", "proportion") if self.scale == 100 else self.unit

    @property
    def plain_ends(self) -> tuple[float, float]:
        """The ends of the scale of values as they are computed and kept."""
        return self.least / self.scale, self.most / self.scale


_WAI: dict[str, Any] = {"unit": "WAI, 1-7", "least": 1, "most": 7}
_PERCENT: dict[str, Any] = {"digits": 1, "scale": 100.0, "least": 0, "most": 100}
_CORE, _ECR = "CORE-OM points", "ECR points"
_BEGAN, _CAME = "% of those who began", "% of those who came"
_BOTH, _OF_CLINICS, _OF_RUNS = ("client", "clinic"), ("clinic",), ("run",)
#: Months after arrival at which everybody who came to a clinic is compared, treated or not.
SINCE_ARRIVAL = (6, 12)

CATALOGUE: dict[str, Measure] = {
    "alliance": Measure("late alliance, client-rated", **_WAI, definition=
        "Client-rated WAI, mean of the last third (rounded up) of the sessions that a client came to."),
    "alliance_all_sessions": Measure("alliance, all sessions, client-rated", **_WAI, of=_BOTH, definition=
        "Client-rated WAI, mean of all sessions that a client came to."),
    "alliance_growth": Measure("growth of the alliance, first to last third", "WAI points",
        "Client-rated WAI, last third of a client's sessions less the first; of who came to three or more."),
    "alliance_therapist": Measure("late alliance, therapist-rated", **_WAI, definition=
        "Therapist-rated WAI, mean of the last third (rounded up) of the sessions."),
    "empathy": Measure("empathy as the client rates it", "mean item 1-7",
        "The therapist's empathy as the client rates it, mean of all sessions.", least=1, most=7),
    "accuracy": Measure("therapist's accuracy", "correlation",
        "Tracking accuracy: the therapist's estimate with the client's arousal, mean of all sessions.", least=-1, most=1),
    "ruptures": Measure("ruptures per session", "count", "Ruptures over sessions, of each client.", least=0),
    "repaired": Measure("proportion of ruptures repaired", "0-1",
        "Repairs over ruptures, of each client who had any.", least=0, most=1),
    "sessions": Measure("sessions attended", "count", "Sessions that people in therapy came to."),
    "dropout": Measure("dropped out", _BEGAN, "Left against plan, of those who had a session.", **_PERCENT, of=_BOTH),
    "improved": Measure("ended early, well enough", _BEGAN,
        "Stopped since they were well enough, of those who had a session.", **_PERCENT),
    "distress_change": Measure("change of distress to the planned end", _CORE,
        "Distress at the last monthly assessment until the planned end less that at intake, also of who left early.",
        untreated=True),
    "distress_last_rating": Measure("change of distress to the last rating", _CORE,
        "Distress at the last rating of therapy less that at intake (of a clinic: at arrival), of who had a session.", of=_BOTH),
    "anxiety_change": Measure("change of the client's attachment anxiety (latent)", _ECR,
        "The client's general attachment anxiety at the end less that at intake, latent.", untreated=True),
    "avoidance_change": Measure("change of the client's attachment avoidance (latent)", _ECR,
        "The client's general attachment avoidance at the end less that at intake, latent.", untreated=True),
    "therapist_anxiety_change": Measure("change of the therapist's attachment anxiety (latent)", _ECR,
        "The therapist's general attachment anxiety at the end of a course less that at its beginning, latent."),
    "therapist_avoidance_change": Measure("change of the therapist's attachment avoidance (latent)", _ECR,
        "The therapist's general attachment avoidance at the end of a course less that at its beginning, latent."),
    "difference_from_no_treatment": Measure("difference from no treatment", _CORE,
        "Change of distress to the planned end less that of the same people in an arm without therapy.", of=_OF_RUNS),
    "pre_post_d": Measure("fall of distress to the last rating", "SD of intake distress",
        "Distress at intake less that at the last rating, over the SD at intake, of who had a session.", of=_OF_RUNS),
    "alliance_share_between_arms": Measure("differences in late alliance between arms", "proportion of variance, 0-1",
        "Proportion of the differences between clients in late alliance that lies between the arms (eta squared).",
        least=0, most=1, of=_OF_RUNS),
    "weeks_waited": Measure("on the waiting list, so far", "weeks",
        "Weeks from arrival to the first course, to leaving the list, or to the end.", digits=1, least=0, of=_OF_CLINICS),
    "lost_waiting": Measure("lost on the waiting list", _CAME, "Gave up on the waiting list.", **_PERCENT, of=_OF_CLINICS),
    "helped": Measure("helped", _BEGAN,
        "Distress fell by 5 CORE-OM points or more from arrival to the end of therapy.", **_PERCENT, of=_OF_CLINICS),
    "helped_of_all": Measure("helped by the end", _CAME,
        "The same, of everybody who came early enough to finish.", **_PERCENT, of=_OF_CLINICS),
    "helped_per_100_hours": Measure("helped per 100 therapist-hours", "clients",
        "Clients who were helped over sessions held with all who could finish, times 100.", least=0, of=_OF_CLINICS),
    "fatigue": Measure("therapists' fatigue", "0-1",
        "Latent fatigue, mean over therapists in post and weeks.", digits=3, least=0, most=1, of=_OF_CLINICS),
    "insecurity_met": Measure("insecurity of the therapist a client gets", "ECR anxiety + avoidance, 2-14",
        "Latent attachment anxiety plus avoidance of the therapist as a course begins.", least=2, most=14, of=_OF_CLINICS),
    **{
        f"distress_{n}_months": Measure(f"distress, arrival to {n} months later, seen or not", _CORE,
            f"Distress {n} months after arrival less that at arrival, of everybody who came that long ago.", of=_OF_CLINICS)
        for n in SINCE_ARRIVAL
    },
}  # fmt: skip


def known_measures(clinic: bool | None = None) -> tuple[str, ...]:
    """Names of what batches keep: of a clinic (one value a replicate), of other designs (one a client), or of both."""
    kinds = {True: {"clinic"}, False: {"client"}, None: {"client", "clinic"}}[clinic]
    return tuple(name for name, one in CATALOGUE.items() if kinds & set(one.of))


def measures_of_runs(clinic: bool) -> tuple[str, ...]:
    """Names of what can be asked of a run as one number; of a clinic's also what is of clinics only."""
    return tuple(name for name, one in CATALOGUE.items() if clinic or one.of != ("clinic",))
