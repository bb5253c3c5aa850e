"""The answer of a clinic in words: what its arms differ in decides what is told, first in a paragraph, then in detail.

Intervals are over replicates of the clinic, differences replicate by replicate against the first arm with therapists.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.measures import clinics as cm
from sim.measures.intervals import mean_interval
from sim.measures.persons import GAVE_UP
from sim.report.figures.clinic.chosen import (
    differs,
    follows_up,
    gives_feedback,
    holds_a_trial,
    lasts_years,
    puts_work_to_the_test,
)
from sim.report.figures.clinic.therapists import therapist_effects_of, treating
from sim.report.text import arm_name, excludes_zero, listed, number, percent, signed_interval, with_interval
from sim.report.words.clinic.arms import (
    SHORT,
    Said,
    apart_in,
    feedback,
    leaving,
    leaving_detail,
    load,
    load_detail,
    low_high,
    others,
    readings,
    rules,
    rules_detail,
    trial_detail,
    trial_told,
    years,
)
from sim.simulation.tables import Run

ALONE = (
    "With one replicate of the clinic there are no intervals over clinics; its clients share therapists and a queue, "
    "so that none over clients would be right."
)
#: Numbers of the model in which contested findings differ.
CONTESTED = ("complementarity_gain", "therapist_warmth_trait_sd")
_LEAVING = ("turnover", "quitting_base", "quitting_fatigue_gain", "hand_over_share")


def intervals_said(run: Run) -> str:
    """What the brackets of a clinic's answer are."""
    n = run.scenario.replicates
    return ALONE if n == 1 else (
        f"Brackets are 95 % intervals over {n} replicates of the clinic on one seed: sampling uncertainty of this model, "
        "not whether "
        f"it is right."
    )  # fmt: skip


def paragraph(run: Run) -> str:
    """The answer of a clinic in one paragraph with numbers and intervals."""
    if not cm.people(run).shape[0]:
        return "In this model, nobody came to this clinic, so there is nothing to report."
    said = _nobody_seen(run) if not treating(run) else next((tell(run) for asked, tell, _ in _TOLD if asked(run)), [])
    first, *more = said or _one(run)
    return " ".join(["In this model, " + _small(first), *more, intervals_said(run)])


def _small(text: str) -> str:
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _first_free(run: Run) -> list[str]:
    arm = treating(run)[0]
    return [*_who_is_seen(run, arm), *_what_is_left(run, arm)]


def _who_is_seen(run: Run, arm: str) -> list[str]:
    """Who waits and who is lost, and in what the lost differ."""
    said, p = Said(run), cm.people(run)
    p = p[p["arm"] == arm]
    each = p.assign(lost=p["state"] == "lost waiting").groupby(["replicate", "lost"])["distress_arrival"].mean().unstack()
    told = [
        f"In {arm_name(arm)} people are on the waiting list for {said.value('weeks_waited', arm)} weeks, and "
        f"{said.value('lost_waiting', arm)} % give up on the waiting list."
    ]
    if True in each and False in each:
        less = mean_interval((each[True] - each[False]).dropna())
        if excludes_zero(less):
            told.append(
                f"Those who are lost came with {'less' if less['mean'] < 0 else 'more'} distress than the others "
                f"({signed_interval(less, 1)} CORE-OM points on a scale from 0 to 40)."
            )
    return told


def _what_is_left(run: Run, arm: str) -> list[str]:
    """Distress at the end and later, below that of the same people when nobody is seen."""
    table = cm.follow_up(run)
    rows = {r["when"]: r for r in table[(table["arm"] == arm) & (table["measure"] == "distress")].to_dict("records")}
    if "end" not in rows or np.isnan(rows["end"]["difference"]):
        return []
    below = {
        when: {"mean": -row["difference"], "low": -row["high"], "high": -row["low"]}
        for when, row in rows.items()
        if when != "arrival"
    }
    later = [f"{with_interval(row)} {when} later" for when, row in below.items() if when != "end"]
    told = f"At the end of therapy distress is {with_interval(below['end'])} points below that of the same people when nobody "
    told += "is seen"
    told += f", and {listed(later)}" if later else ""
    last = list(below)[-1]
    left = below[last]["mean"] / below["end"]["mean"] if below["end"]["low"] > 0 and last != "end" else np.nan
    return [f"{told}{'' if np.isnan(left) else f': {percent(left)} of it is left'}."]


def _one(run: Run) -> list[str]:
    """A clinic, or several arms, of which nothing more particular is asked: how it goes, and what lies between therapists."""
    said, arm = Said(run), cm.reference(run.scenario)
    if not said.has("alliance_all_sessions"):
        return _who_is_seen(run, arm)
    dropout = f"{said.value('dropout', arm)} % drop out" if said.has("dropout") else ""
    told = [
        *_who_is_seen(run, arm),
        f"Those who begin rate the alliance {said.value('alliance_all_sessions', arm)} (WAI, 1 to 7), {dropout}, and distress "
        f"changes by {said.value('distress_last_rating', arm)} points from arrival to the end.",
        *_between_therapists(run, arm),
    ]
    for other in others(run):
        told.append(f"{arm_name(other)} differs from this in {apart_in(said, other, *SHORT)}.")
    if len(run.scenario.arms) == 1:
        told.append("The scenario holds one service of one size; what differs in another is seen beside that one's report.")
    return told


def _between_therapists(run: Run, arm: str) -> list[str]:
    parts = []
    for outcome, effects in therapist_effects_of(run, arm).items():
        if effects is not None:
            share = {"mean": 100 * effects.share, "low": 100 * effects.low, "high": 100 * effects.high}
            true = "" if np.isnan(effects.true_share) else f", true {number(100 * effects.true_share, 1)} %"
            name = "early alliance" if outcome == "alliance" else "distress at the end"
            parts.append(f"{with_interval(share, 1)} % of {name}{true}")
    who = max((e.therapists for e in therapist_effects_of(run, arm).values() if e is not None), default=0)
    return [f"Between therapists ({who:,} of them) lie {listed(parts)}."] if parts else []


def _nobody_seen(run: Run) -> list[str]:
    said, arm = Said(run), run.scenario.arms[0].name
    return [
        f"Nobody can be seen in this clinic: people wait {said.value('weeks_waited', arm)} weeks so far, and "
        f"{said.value('lost_waiting', arm)} % have given up."
    ]


# -------------------------------------------------------------------------------------------------------------- when


def is_contested(run: Run) -> bool:
    """Whether arms are readings of a contested finding: the model's parameters for it differ."""
    return _differ_in(*CONTESTED)(run)


def _differ_in(*parameters: str) -> Callable[[Run], bool]:
    def asked(run: Run) -> bool:
        arms = [arm for arm in run.scenario.arms if arm.name in treating(run)]
        return any(len({arm.parameters.get(name) for arm in arms}) > 1 for name in parameters) or (
            "turnover" in parameters and differs(run, "turnover")
        )

    return asked


Tell = Callable[[Run], list[str]]
#: When, what stands in the paragraph, and what is said in detail.
_TOLD: tuple[tuple[Callable[[Run], bool], Tell, Tell], ...] = (
    (holds_a_trial, trial_told, trial_detail),
    (gives_feedback, feedback, lambda run: []),
    (lasts_years, years, lambda run: []),
    (is_contested, readings, lambda run: _between_therapists(run, cm.reference(run.scenario))),
    (lambda run: differs(run, "matching"), rules, rules_detail),
    (_differ_in(*_LEAVING), leaving, leaving_detail),
    (puts_work_to_the_test, load, load_detail),
    (follows_up, _first_free, lambda run: _attachment_later(run)),
)


def in_detail(run: Run) -> list[str]:
    """What else can be said with numbers of a clinic, one sentence or two an item."""
    if not len(cm.people(run)) or not treating(run):
        return []
    said, usual = Said(run), cm.reference(run.scenario)
    everybody = cm.people(run)
    out = []
    if said.has("alliance_all_sessions"):
        mine = everybody[everybody["arm"] == usual]
        where = mine["state"].value_counts(normalize=True)
        out.append(
            f"In {arm_name(usual)}, of all who came: "
            + ", ".join(f"{percent(share)} {_STATE.get(str(s), s)}" for s, share in where.items() if share >= 0.005)
            + "."
        )
        out.append(
            f"{said.value('helped', usual)} % of those who began are better by {cm.RELIABLE_CHANGE:g} CORE-OM points "
            f"or more at the end (part of that would have come anyway), {said.value('helped_per_100_hours', usual)} "
            "clients for 100 therapist-hours."
        )
    out += next((tell(run) for asked, _, tell in _TOLD if asked(run)), [])
    return out


_STATE = {
    "planned": "finished as planned", "improved": "ended early, well enough", "dropout": "dropped out",
    "between": "had lost their therapist and wait for another", GAVE_UP: "lost their therapist and gave up",
    "lost waiting": "were lost from the waiting list",
    "waiting": "still wait", "in therapy": "are in therapy",
}  # fmt: skip


def _attachment_later(run: Run) -> list[str]:
    table = cm.follow_up(run)
    last = list(dict.fromkeys(table["when"]))[-1]
    rows = table[(table["when"] == last) & (table["arm"] == treating(run)[0])].to_dict("records")
    parts = [f"{r['measure']} {signed_interval(low_high(r))}" for r in rows if r["measure"] != "distress"]
    return (
        [f"Attachment, {last} after therapy and against the same people unseen (ECR points): {listed(parts)}."] if parts else []
    )
