"""Does the model hold against the published evidence? Every pattern simulated as it was studied, and one joint score.

A *calibrate* row's standardised residual is (simulated - published) over a quarter of the interval's width. The joint score is
the sum of their squares, held against the upper 95 % point of chi-square with as many degrees of freedom as rows, since of many
intervals hardly ever all contain the truth; besides no row may lie off by more than 2.5. A *direction* row holds when every part
has its sign with the whole of its 95 % interval. *Contested* and *prior* rows are shown and not required."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.evidence.patterns import directions, priors, values
from sim.evidence.patterns.pooling import Simulated
from sim.evidence.patterns.published import Pattern, chosen, patterns
from sim.evidence.patterns.studies import Studies

LARGEST_RESIDUAL = 2.5  # of a row's own uncertainty
LEVEL = 0.95
#: What a row can come to; contested and prior rows are "shown".
VERDICTS = ("holds", "outside", "wrong sign", "not shown", "shown")

#: What is computed for each pattern; arguments are tables of ``studies.Studies``.
STATISTICS: Mapping[str, Callable[..., Simulated]] = {
    "1.1": lambda courses: values.attachment_alliance_r(courses, "anxiety"),
    "1.2": lambda courses: values.attachment_alliance_r(courses, "avoidance"),
    "4.1": lambda courses: values.outcome_r(courses, 75, values.EMPATHY),
    "4.3": values.perceived_empathy_alliance_r,
    "5.1": lambda courses: values.outcome_r(courses, 100, values.ALLIANCE),
    "5.7": values.therapist_share_outcome,
    "5.15": values.alliance_dependability,
    "10.2": values.untreated_attachment_r,
    "11.1": values.dropout_share,
    "11.2": values.completers_minus_dropouts_d,
    "12.4c": values.prepost_d,
    "12.10": values.reliable_deterioration,
    "13.1": values.client_therapist_alliance_r,
    "13.2": values.client_minus_therapist_d,
    "16.1": lambda community: values.community_distress_r(community, "avoidance"),
    "16.2": lambda community: values.community_distress_r(community, "anxiety"),
    "x1": lambda courses: values.current_alliance(courses, "client", "mean"),
    "x2": lambda courses: values.current_alliance(courses, "client", "std"),
    "x3": lambda courses: values.current_alliance(courses, "therapist", "mean"),
    "a1": values.distress_from_styles_and_defences,
    "a2": values.mediated_share,
    "a3": directions.styles_and_distress,
    "1.7": directions.attachment_to_therapist,
    "6.6": directions.alliance_series,
    "8.6": directions.attachment_change,
    "9.6": directions.clinical_minus_community,
    "14.1": directions.affect_labelling,
    "14.9": directions.empathy_and_expressivity,
    "15.1": directions.fatigue_and_empathy,
    "15.3": directions.attachment_and_fatigue,
    "15.5": directions.supervision,
    "7.9": directions.rupture_and_style,
    "3.1": lambda courses: directions.style_interaction(courses, "avoidance", {"avoidance": 1.0}),
    "3.2": lambda courses: directions.style_interaction(courses, "anxiety", {"avoidance": 1.0, "anxiety": -1.0}),
    "3.3": lambda courses: directions.style_interaction(courses, "anxiety", {"anxiety": 1.0}),
    "5.6": directions.within_and_between,
    "5.12": lambda courses: directions.therapist_share_alliance(courses, ["client"]),
    "5.13": lambda courses: directions.therapist_share_alliance(courses, ["client", "therapist"]),
    "x4": lambda community: priors.reliability(community, "anxiety"),
    "x5": lambda community: priors.reliability(community, "avoidance"),
    "x6": lambda community: priors.distribution(community, "anxiety"),
    "x7": lambda community: priors.distribution(community, "avoidance"),
    "x8": priors.anxiety_with_avoidance,
    "x9": priors.reported_ruptures,
    "x10": priors.secure_therapists,
    "9.1": priors.community_styles,
    "9.5": priors.community_means,
    "9.11": priors.therapist_means,
}


@dataclass(frozen=True)
class Row:
    """One pattern and what the simulated studies found for it."""

    pattern: Pattern
    simulated: Simulated

    @property
    def residual(self) -> float:
        """Simulated minus published, over a quarter of the interval's width; missing but for *calibrate*."""
        p = self.pattern
        return (self.simulated.value - p.value) / p.uncertainty if p.tier == "calibrate" else float("nan")

    @property
    def error_share(self) -> float:
        """Monte-Carlo error over a quarter of the interval's width: below 1 it is small enough."""
        return self.simulated.error / self.pattern.uncertainty

    @property
    def precise(self) -> bool:
        """Whether the Monte-Carlo error is below a quarter of the interval; of other tiers nothing is asked."""
        return self.pattern.tier != "calibrate" or self.error_share < 1.0

    @property
    def verdict(self) -> str:
        """What it comes to (``VERDICTS``)."""
        if self.pattern.tier == "calibrate":
            return "holds" if abs(self.residual) <= LARGEST_RESIDUAL else "outside"
        if self.pattern.tier == "prior":
            return "shown"
        worst = min((VERDICTS.index(one) for one in self.signs.values()), key=_SEVERITY.index)
        return VERDICTS[worst] if self.pattern.tier == "direction" else "shown"

    @property
    def signs(self) -> dict[str, str]:
        """Of every expected part whether it has its sign; empty where no sign is expected."""
        parts = self.simulated.parts
        nothing = (float("nan"),) * 3
        p = self.pattern
        return {name: sign_verdict(sign, parts.get(name, nothing), p.zero_within) for name, sign in p.expect.items()}


#: Verdicts by number, the worst first.
_SEVERITY = (2, 1, 3, 0, 4)


def sign_verdict(sign: str, part: tuple[float, float, float], zero_within: float) -> str:
    """Whether a (value, low, high) has its sign: *holds* with the whole interval, *not shown* where it does not tell, or
    *wrong sign*; for "0" *holds* with the whole interval inside the bound, *outside* with all of it outside."""
    value, low, high = part
    if sign == "any":
        return "shown" if value == value else "not shown"
    if sign == "0":
        if -zero_within <= low and high <= zero_within:
            return "holds"
        return "outside" if low > zero_within or high < -zero_within else "not shown"
    if sign == "-":
        low, high = -high, -low
    return "holds" if low > 0.0 else "wrong sign" if high < 0.0 else "not shown"


def score_limit(rows: int) -> float:
    """What the joint score of so many rows may be: the 95 % point of chi-square with as many degrees of freedom."""
    from scipy.stats import chi2

    return float(chi2.ppf(LEVEL, rows)) if rows else 0.0


@dataclass(frozen=True)
class Validation:
    """What came out, row by row, and in all. ``changes``: what the model had beyond the defaults."""

    rows: tuple[Row, ...]
    seed: int
    changes: Mapping[str, Any] = field(default_factory=dict)
    size: float = 1.0

    def of(self, tier: str) -> tuple[Row, ...]:
        """The rows of one tier."""
        return tuple(row for row in self.rows if row.pattern.tier == tier)

    @property
    def complete(self) -> bool:
        """Whether the whole table was simulated."""
        return len(self.rows) == len(patterns())

    @property
    def score(self) -> float:
        """Sum of squares of the calibrate rows' standardised residuals; not a number when one of them could not be computed."""
        return float(sum(row.residual**2 for row in self.of("calibrate")))

    @property
    def limit(self) -> float:
        """What the score may be (``score_limit``)."""
        return score_limit(len(self.of("calibrate")))

    @property
    def score_passes(self) -> bool:
        """Whether the joint score is small enough and no row lies off by too much."""
        return self.score <= self.limit and all(row.verdict == "holds" for row in self.of("calibrate"))

    @property
    def directions_pass(self) -> bool:
        """Whether every direction row has all its signs."""
        return all(row.verdict == "holds" for row in self.of("direction"))

    @property
    def passes(self) -> bool:
        """Whether the model holds against these patterns."""
        return self.score_passes and self.directions_pass


def simulated(pattern: Pattern, studies: Studies) -> Simulated:
    """What the simulated studies find for one pattern; its function's arguments name the tables that it reads."""
    function = STATISTICS[pattern.id]
    return function(**{name: getattr(studies, name) for name in inspect.signature(function).parameters})


def validate(
    seed: int,
    ids: Iterable[str] = (),
    changes: Mapping[str, Any] | None = None,
    *,
    size: float = 1.0,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """Simulate the studies and compare. ``ids``: some patterns only. ``changes``: of the model (``studies.changes_of``).

    ``size``: proportion of the usual number of people. Raises ``EvidenceError`` for an id that is not in the table.
    """
    wanted, studies = chosen(ids), Studies(seed, changes or {}, size, threads)
    rows = []
    for done, one in enumerate(wanted, start=1):
        rows.append(Row(one, simulated(one, studies)))
        if progress is not None:
            progress(done, len(wanted))
    return Validation(tuple(rows), studies.seed, studies.changes, size)
