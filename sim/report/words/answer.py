"""The answer of a run in words: one paragraph for everybody, and a list of details for those who read on.

Everything is made from the numbers by the rules below; nothing is written by hand for one scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sim import measures
from sim.measures.intervals import difference_interval, mean_interval
from sim.report.text import arm_name, number, percent, with_interval
from sim.report.words import experiments as answer_experiments
from sim.report.words import pairs as answer_pairs
from sim.report.words import uncertainty as answer_ensemble
from sim.report.words.clinic import answer as answer_clinic
from sim.simulation.tables import Run

#: Words for a difference by its size in SDs of single clients, after Cohen's convention.
SIZES = ((0.1, "next to nothing"), (0.2, "very small"), (0.5, "small"), (0.8, "of medium size"), (np.inf, "large"))
INTERVALS = (
    "Brackets are 95 % intervals over simulated clients on one seed: sampling uncertainty of this model, not whether it is right."
)
#: With fewer people in an arm than this, small differences should not be read at all.
FEW = 50


@dataclass(frozen=True)
class Contrast:
    """A difference that an answer speaks of: what is higher than what, by how much, over how many clients."""

    high: str
    low: str
    mean: float
    lowest: float
    highest: float
    n: int
    unit: str
    role: str = ""  # whose kinds are compared, where kinds of people are
    picked_from: int = 2  # from how many groups the two extremes were picked

    @property
    def half(self) -> float:
        """Half the width of the 95 % interval."""
        return (self.highest - self.lowest) / 2

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return bool(self.lowest > 0 or self.highest < 0)

    @property
    def said(self) -> str:
        """The size with its interval."""
        return with_interval({"mean": self.mean, "low": self.lowest, "high": self.highest}, 2 if self.unit == "points" else 1)


# ---------------------------------------------------------------------------------------------------- the contrasts


def alliance_contrasts(run: Run) -> list[Contrast]:
    """The differences in late alliance that answer the question: between kinds of client and of therapist in a crossed
    design, else between the arms with the highest and the lowest mean."""
    late = {name: values for name, values in measures.by_arm(run, "alliance").items() if len(values)}
    if len(late) < 2:
        return []
    if run.scenario.design == "crossed":
        return [c for role in ("client", "therapist") if (c := _between_kinds(run, late, role)) is not None]
    return [_between(late, len(late), _same_people(run, late))]


def _same_people(run: Run, late: Mapping[str, Any]) -> bool:
    first, *others = (arm for arm in run.scenario.arms if arm.name in late)
    return all(measures.same_clients(first, other) for other in others)


def _between_kinds(run: Run, late: Mapping[str, pd.Series], role: str) -> Contrast | None:
    """The most and the least favourable kind of client (or therapist), averaged over those they meet."""
    table = measures.arms(run.scenario)
    groups: dict[str, pd.Series] = {}
    for kind, part in table[table["arm"].isin(late)].groupby(role, sort=False):
        together = pd.concat([late[arm] for arm in part["arm"]])
        groups[str(kind)] = together.groupby(level=[0, 1]).mean()
    return replace(_between(groups, len(groups), role == "therapist"), role=role) if len(groups) > 1 else None


def _between(groups: Mapping[str, pd.Series], n_groups: int, paired: bool) -> Contrast:
    ordered = sorted(groups, key=lambda name: float(groups[name].mean()))
    low, high = ordered[0], ordered[-1]
    if paired:
        row = mean_interval((groups[high] - groups[low]).to_numpy())
    else:
        row = {**difference_interval(groups[high], groups[low]), "n": min(len(groups[high]), len(groups[low]))}
    return Contrast(high, low, row["mean"], row["low"], row["high"], int(row["n"]), "points", picked_from=n_groups)


def untreated_contrasts(run: Run) -> list[Contrast]:
    """By how many CORE-OM points each arm's distress has fallen below that of the same people without therapy, least first."""
    found = []
    for arm, values in measures.untreated_differences(run).items():
        row = mean_interval(-values)
        found.append(Contrast(arm, "no therapy", row["mean"], row["low"], row["high"], int(row["n"]), "CORE-OM points"))
    return sorted(found, key=lambda c: c.mean)


def spread_within(run: Run) -> float:
    """SD of single clients' late alliance within one arm, pooled over the arms."""
    spreads = measures.pairings(run)["wai_sd"].dropna()
    return float(np.sqrt((spreads**2).mean())) if len(spreads) else float("nan")


def size_word(difference: float, spread: float) -> str:
    """A word for a difference beside the spread of single clients."""
    return next(word for most, word in SIZES if abs(difference) / spread < most)


# ------------------------------------------------------------------------------------------------------ the paragraph


def paragraph(run: Run) -> str:
    """The answer in one paragraph with numbers and intervals, for somebody who has never seen the project."""
    return " ".join([_paragraph(run), *answer_ensemble.sentence(run)])


def _paragraph(run: Run) -> str:
    """The answer with the default parameters."""
    if run.scenario.design == "clinic":
        return answer_clinic.paragraph(run)
    if run.sessions.empty:
        nobody = "In this model, nobody has therapy in this scenario, so there is no alliance to report."
        return " ".join([nobody, *_untreated(run), INTERVALS])
    told = answer_experiments.told(run)
    said = told or _usual(run)
    return " ".join(["In this model, " + _small_first(said[0]), *said[1:], INTERVALS])


def _usual(run: Run) -> list[str]:
    """Late alliance, distress and dropout; first what two people are together, where that is asked."""
    alliance, distress = _alliance(run), _distress(run)
    together = answer_pairs.together(run)
    if answer_pairs.asks_together(run):
        return [*together, *_each_alone(run)]
    # Where the arms differ in therapy or none only, the effect on distress is what was asked.
    one_course = not alliance_contrasts(run) and bool(untreated_contrasts(run))
    said = [*distress, *_anyway(run), *alliance] if one_course else [*alliance, *together[:1], *distress]
    return said if together else [*said, *_dropout(run)]


def _each_alone(run: Run) -> list[str]:
    """How much it matters who the client is, and who the therapist is, in half a sentence each."""
    sides = [f"{c.high} and {c.low} {c.role}s by {c.said}" for c in alliance_contrasts(run)]
    both = " points, and between ".join(sides)
    return [f"What each does alone: the late alliance (WAI, 1 to 7) differs between {both} points."]


def _small_first(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence


def _alliance(run: Run) -> list[str]:
    found = alliance_contrasts(run)
    if not found:
        row = mean_interval(pd.concat(list(measures.by_arm(run, "alliance").values())))
        return [f"Clients rate the alliance late in therapy {with_interval(row)} on a scale from 1 to 7."]
    if run.scenario.design == "crossed":
        return [*_which_side(found), *_rises(run)]
    (c,) = found
    means = {name: number(float(values.mean())) for name, values in measures.by_arm(run, "alliance").items() if len(values)}
    if c.clear or np.isnan(c.lowest):
        verdict, second = f"is {c.said} points higher in", "than in"
    else:
        verdict, second = f"hardly differs between the arms, with {c.said} points between", "and"
    said = [
        f"The alliance late in therapy, as clients rate it from 1 to 7, {verdict} {arm_name(c.high)} ({means[c.high]}) {second} "
        f"{arm_name(c.low)} ({means[c.low]})."
    ]
    spread = spread_within(run)
    if spread > 0 and c.clear:
        said.append(
            f"Beside the differences between single clients of one arm (SD {number(spread)}) that is {size_word(c.mean, spread)}."
        )
    return said


def _which_side(found: list[Contrast]) -> list[str]:
    """Whether it matters more who the client or who the therapist is; the weightier side first."""
    sides = {c.role: c for c in found}
    parts = {
        role: f"{c.high} clients rate it {c.said} points higher than {c.low} ones"
        if role == "client"
        else f"the same clients rate it {c.said} points higher with {c.high} therapists than with {c.low} ones"
        for role, c in sides.items()
    }
    topic = "The alliance late in therapy, as clients rate it from 1 to 7,"
    if len(sides) == 1:
        (role,) = sides
        return [f"{topic} depends on who the {role} is: {parts[role]}."]
    more, less = sorted(sides, key=lambda role: -sides[role].mean)
    apart = sides[more].lowest > sides[less].highest
    depends = (
        f"depends more on who the {more} is than on who the {less} is"
        if apart
        else f"depends about as much on who the {more} is as on who the {less} is"
    )
    return [f"{topic} {depends}: {parts[more]}, and {parts[less]}."]


def _rises(run: Run) -> list[str]:
    changes = [float(values.mean()) for values in measures.by_arm(run, "alliance_growth").values() if len(values)]
    if not changes:
        return []
    rising = sum(change > 0 for change in changes)
    return [f"Over the sessions it rises in {rising} of {len(changes)} pairings."]


def _distress(run: Run) -> list[str]:
    found = untreated_contrasts(run)
    if found:
        month = measures.comparison_month(run, found[0].high)
        ends = found if len(found) == 1 else [found[0], found[-1]]
        named = len(found) > 1 and run.scenario.design == "arms"  # the names of pairings are long; the table has them
        sizes = " to ".join(c.said + (f" ({arm_name(c.high)})" if named else "") for c in ends)
        return [f"Against the same people without therapy, distress by month {month} is {sizes} CORE-OM points lower."]
    people, where = _those_told_of(run)
    if people.empty:
        return []
    change = _raw_change(people)
    verb = "fell" if change["mean"] < 0 else "rose"
    return [
        f"Distress {verb} by {_unsigned(change)} CORE-OM points (0 to 40){where}; with no untreated arm, nobody can say how much "
        "of that would have come anyway."
    ]


def _those_told_of(run: Run) -> tuple[pd.DataFrame, str]:
    """Whose distress is told where it cannot be compared with no therapy, and in which arm: all pairings, else the reference.

    A mean over arms in which different things are done to people would be nobody's.
    """
    people = measures.treated(run)
    if run.scenario.design == "crossed" or people.empty or people["arm"].nunique() == 1:
        return people, ""
    arm = measures.reference_arm(run.scenario, run.scenario.arms[0].name)
    return people[people["arm"] == arm], f" in {arm_name(arm)}"


def _raw_change(people: pd.DataFrame) -> dict[str, float]:
    """Change from intake to the last rating; a client in several arms counts once in the interval."""
    change = people["distress_end"] - people["distress_0"]
    return mean_interval(change.groupby([people["replicate"], people["client"]]).mean()) | {"mean": float(change.mean())}


def _unsigned(change: Mapping[str, float]) -> str:
    sign = -1.0 if change["mean"] < 0 else 1.0
    low, high = sorted((sign * change["low"], sign * change["high"]))
    return with_interval({"mean": sign * change["mean"], "low": low, "high": high}, 1)


def _dropout(run: Run) -> list[str]:
    if np.isnan(measures.dropout(run)):
        return []
    table = measures.pairings(run).dropna(subset=["dropout"])
    low, high = (table.iloc[int(k)] for k in (table["dropout"].argmin(), table["dropout"].argmax()))
    who = "of the clients who began dropped out"
    if percent(high["dropout"]) == percent(low["dropout"]):
        return [f"{percent(measures.dropout(run))} {who}."]
    if run.scenario.design == "crossed":
        return [f"{percent(low['dropout'])} to {percent(high['dropout'])} {who}, by pairing."]
    return [f"{percent(low['dropout'])} ({arm_name(low['arm'])}) to {percent(high['dropout'])} ({arm_name(high['arm'])}) {who}."]


def _untreated(run: Run) -> list[str]:
    untreated = run.clients[run.clients["ending"] == "untreated"]
    if untreated.empty:
        return []
    alone = mean_interval(untreated["distress_end"] - untreated["distress_0"])
    return [f"Without therapy people changed by {with_interval(alone, 1)} CORE-OM points (negative = better)."]


# ------------------------------------------------------------------------------------------------------- the details


def in_detail(run: Run) -> list[str]:
    """What else can be said with numbers, one sentence or two an item."""
    if run.scenario.design == "clinic":
        return answer_clinic.in_detail(run)
    if run.sessions.empty:
        return []
    if answer_experiments.pushed(run):  # an alliance that was pushed, or care that was fixed, is no result
        return _distress_detail(run)
    usual = [*_usual_detail(run), *_spread_detail(run), *_growth_detail(run), *_paired_detail(run)]
    return [*usual, *_distress_detail(run), *_reading_detail(run)]


def _usual_detail(run: Run) -> list[str]:
    """What the paragraph says of alliance, distress and dropout where it has nothing else to begin with."""
    if answer_experiments.told(run):
        against = _distress(run) if untreated_contrasts(run) else []
        return [" ".join(_alliance(run)), *against, *_dropout(run)]
    if answer_pairs.asks_together(run):
        return [*_alliance(run), *_distress(run), *_dropout(run)]
    together = answer_pairs.together(run)
    return [*_dropout(run), *together[1:]] if together else []


def _spread_detail(run: Run) -> list[str]:
    table = measures.pairings(run).dropna(subset=["wai"])
    if len(table) < 2:
        return []
    late = measures.by_arm(run, "alliance")
    worst, best = (str(table["arm"].iloc[int(k)]) for k in (table["wai"].argmin(), table["wai"].argmax()))
    what = "pairing" if run.scenario.design == "crossed" else "arm"
    said, common = [], measures.overlap(late[best], late[worst])
    if not np.isnan(common):
        said.append(
            f"Late alliance is {with_interval(mean_interval(late[best]))} in {arm_name(best)}, the highest, and "
            f"{with_interval(mean_interval(late[worst]))} in {arm_name(worst)}, the lowest; even these two distributions of "
            f"single clients overlap by {percent(common)}."
        )
    share = measures.alliance_share_between_arms(run)
    if not np.isnan(share):
        said.append(
            f"Which {what} a client is in accounts for {'less than 1 %' if share < 0.01 else percent(share)} of the differences "
            "between clients in late alliance; the rest is between clients, their compatibility with one person, and rating."
        )
    return said


def _growth_detail(run: Run) -> list[str]:
    changes = {arm: mean_interval(values) for arm, values in measures.by_arm(run, "alliance_growth").items() if len(values)}
    if not changes:
        return []
    ordered = sorted(changes, key=lambda arm: changes[arm]["mean"])
    span = "From a client's first to their last third of sessions the alliance changes on average by"
    sizes = [f"{with_interval(changes[arm])} points ({arm})" for arm in dict.fromkeys((ordered[0], ordered[-1]))]
    return [f"{span} {' to '.join(sizes)}."]


def _paired_detail(run: Run) -> list[str]:
    """The same clients in two arms, which no clinic could ever see."""
    table = measures.paired_differences(run)
    table = table[table["low"].notna()]
    if table.empty:
        return []
    if run.scenario.design == "arms" and len(table) <= 6:
        listed = "; ".join(f"{r['arm']} {with_interval(r)}" for r in table.to_dict("records"))
        return [f"Person by person, the same clients' alliance differs from {arm_name(table['reference'].iloc[0])} by: {listed}."]
    most = table.iloc[int(table["mean"].abs().argmax())].to_dict()
    up, clear = int((table["low"] > 0).sum()), int(((table["low"] > 0) | (table["high"] < 0)).sum())
    return [
        f"The largest difference for the same clients is {with_interval(most)} points ({most['arm']}, against "
        f"{most['reference']}). Of {len(table)} such comparisons with the reference {clear} have a 95 % interval that "
        f"excludes zero, {up} of them "
        "in favour of the other; with the same people and common random numbers in every arm, that holds for differences "
        "far too small "
        "to matter to one client."
    ]


def _distress_detail(run: Run) -> list[str]:
    people, where = _those_told_of(run)
    if people.empty:
        return []
    change, spread = _raw_change(people), people["distress_0"].std(ddof=1) if len(people) > 1 else np.nan
    size = f", {number(abs(change['mean']) / spread)} SD of intake distress" if spread > 0 else ""
    verb = "fell" if change["mean"] < 0 else "rose"
    said = [
        f"From intake to the last rating distress {verb}{where} by {_unsigned(change)} CORE-OM points{size}, counting everybody "
        "who began."
    ]
    contrasts = untreated_contrasts(run)
    if not contrasts:
        return [
            said[0] + " This scenario has no untreated arm: people seek help when they feel worst, and most feel better later in "
            "any case."
        ]
    return [*said, *_anyway(run)]


def _anyway(run: Run) -> list[str]:
    """How much of the change in the arm that helps most comes without therapy too."""
    arm = untreated_contrasts(run)[-1].high
    twin, month = measures.untreated_arm(run.scenario, arm), measures.comparison_month(run, arm)
    changes = measures.by_arm(run, "distress_change")
    with_it, without = changes[arm].mean(), changes[str(twin)].mean()
    if not with_it or not 0 < without / with_it < 1:
        return []
    return [
        f"By month {month} distress changes by {number(with_it, 1)} points in {arm_name(arm)} and by "
        f"{number(without, 1)} without therapy, so {percent(without / with_it)} of the change comes in any case."
    ]


def _reading_detail(run: Run) -> list[str]:
    said = []
    if measures.dropout(run) > 0:
        said.append("Clients who dropped out count in late alliance with the sessions they came to.")
    if min(len(values) for values in measures.by_arm(run, "alliance").values() if len(values)) < FEW:
        said.append("With so few simulated clients the intervals are wide: read nothing into small differences.")
    return said
