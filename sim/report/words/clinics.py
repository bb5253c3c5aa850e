"""The answer of a clinic in words: what its arms differ in decides what is told, first in a paragraph, then in detail.

Intervals are over replicates of the clinic, differences replicate by replicate against the first arm with therapists. How it is
said stands in ``templates/clinics.j2``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from sim.catalogue.measures import CATALOGUE, SINCE_ARRIVAL
from sim.evidence import trial
from sim.measures import clinics as cm
from sim.measures.intervals import mean_interval
from sim.measures.persons import GAVE_UP
from sim.report.figures.clinic import asked
from sim.report.figures.clinic.therapists import TRIAL_OUTCOMES
from sim.report.text import arm_name, excludes_zero, number, scaled, sentences, signed_interval, with_interval
from sim.simulation.tables import Run
from sim.therapy.clinic.matching import ORACLE

#: What is told of treatment: the alliance over all sessions, and distress to the last rating.
ALLIANCE, DISTRESS = "alliance_all_sessions", "distress_last_rating"
#: Rules that no service should or could follow are told apart from the others.
NO_RULES = (ORACLE, "secure_to_insecure")
#: How states of people are called in a sentence.
STATES = {
    "planned": "finished as planned", "improved": "ended early, well enough", "dropout": "dropped out",
    "between": "had lost their therapist and wait for another", GAVE_UP: "lost their therapist and gave up",
    "lost waiting": "were lost from the waiting list", "waiting": "still wait", "in therapy": "are in therapy",
}  # fmt: skip


_say = partial(sentences, "clinics.j2")


class Said:
    """The measures of a run as words: values of arms and their differences from the first, with their intervals."""

    def __init__(self, run: Run) -> None:
        self.rows = {(row["measure"], row["arm"]): row for row in cm.rules_compared(run).to_dict("records")}
        self.usual, self.treating = cm.reference(run.scenario), asked.treating(run)
        self.others = [arm for arm in self.treating if arm != self.usual]

    def has(self, measure: str) -> bool:
        """Whether the run has this measure at all."""
        return any(name == measure for name, _ in self.rows)

    def mean(self, measure: str, arm: str) -> float:
        """The mean of an arm; NaN where there is none."""
        return float(self.rows[measure, arm]["mean"]) if (measure, arm) in self.rows else float("nan")

    def value(self, measure: str, arm: str) -> str:
        """Mean with interval; a dash where nobody has a value."""
        row = self.rows.get((measure, arm))
        return "–" if row is None else with_interval(row, CATALOGUE[measure].digits)

    def apart(self, measure: str, arm: str) -> str:
        """The difference from the first arm with its sign and interval; a dash where nobody has a value."""
        row = self.rows.get((measure, arm))
        return "–" if row is None else signed_interval(row, CATALOGUE[measure].digits, "difference")

    def ends(self, measure: str, arms: Iterable[str]) -> tuple[str, str]:
        """The arms with the lowest and with the highest value."""
        found = {arm: self.mean(measure, arm) for arm in arms}
        return min(found, key=lambda arm: found[arm]), max(found, key=lambda arm: found[arm])

    def extremes(self, measure: str, arms: Iterable[str] | None = None) -> str:
        """Lowest to highest value of a measure, with the arms."""
        digits, ends = CATALOGUE[measure].digits, self.ends(measure, self.treating if arms is None else arms)
        return " to ".join(f"{number(self.mean(measure, arm), digits)} ({arm_name(arm)})" for arm in ends)


def told(run: Run) -> list[str]:
    """The sentences of the answer's paragraph."""
    if cm.people(run).empty:
        return _say("nobody_came")
    if not asked.treating(run):
        return _say("nobody_seen", said=Said(run), arm=run.scenario.arms[0].name)
    said = Said(run)
    return next((tell(run, said) for asked, tell, _ in _TOLD if asked(run)), []) or _one(run, said)


def _who_is_seen(run: Run, said: Said, arm: str) -> list[str]:
    """Who waits and who is lost, and in what the lost differ."""
    p = cm.people(run)
    p = p[p["arm"] == arm]
    each = p.assign(lost=p["state"] == "lost waiting").groupby(["replicate", "lost"])["distress_arrival"].mean().unstack()
    less = mean_interval((each[True] - each[False]).dropna()) if True in each and False in each else None
    return _say("who_is_seen", said=said, arm=arm, less=less if less and excludes_zero(less) else None)


def _first_free(run: Run, said: Said) -> list[str]:
    """Who is seen; distress at the end and later, below that of the same people when nobody is seen."""
    arm, table = said.treating[0], cm.follow_up(run)
    rows = table[(table["arm"] == arm) & (table["measure"] == "distress") & (table["when"] != "arrival")].to_dict("records")
    below = [{"when": row["when"], **scaled(row, -1, "difference")} for row in rows]
    if not below or below[0]["when"] != "end" or np.isnan(below[0]["mean"]):
        return _who_is_seen(run, said, arm)
    known = below[0]["low"] > 0 and len(below) > 1
    left = below[-1]["mean"] / below[0]["mean"] if known else np.nan
    return [*_who_is_seen(run, said, arm), *_say("what_is_left", end=below[0], later=below[1:], left=left)]


def _one(run: Run, said: Said) -> list[str]:
    """A clinic, or several arms, of which nothing more particular is asked: how it goes, and what lies between therapists."""
    waits = _who_is_seen(run, said, said.usual)
    if not said.has(ALLIANCE):
        return waits
    alone = len(run.scenario.arms) == 1
    return [*waits, *_say("rated", said=said), *_between_therapists(run, said), *_say("each_other", said=said, alone=alone)]


def _between_therapists(run: Run, said: Said) -> list[str]:
    found = {what: vars(e) for what, e in asked.therapist_effects_of(run, cm.reference(run.scenario)).items() if e is not None}
    return _say("between_therapists", found=found) if found else []


def _attachment_later(run: Run, said: Said) -> list[str]:
    table = cm.follow_up(run)
    last = list(dict.fromkeys(table["when"]))[-1]
    mine = table[(table["when"] == last) & (table["arm"] == said.treating[0]) & (table["measure"] != "distress")]
    return _say("attachment_later", when=last, rows=mine.to_dict("records")) if len(mine) else []


def _trial(run: Run, said: Said) -> list[str]:
    """How near trials come to the truth, and what forgetting the therapists would do."""
    estimates, true, arms = trial.trial_estimates(run), trial.true_effects(run), trial.trial_arms(run)
    rows = {row["outcome"]: row for row in true.to_dict("records")}
    if estimates.empty or "wai_client" not in rows:
        return []
    found = []
    for outcome, (title, unit, by) in TRIAL_OUTCOMES.items():
        row = rows[outcome]
        if row["trials"]:  # in the others nothing could be estimated
            mine = by * estimates.loc[estimates["outcome"] == outcome, "estimate"]
            off = float(np.sqrt(((mine - by * row["effect"]) ** 2).mean()))
            ends = {"mean": mine.mean(), "low": mine.min(), "high": mine.max()}
            found.append({"title": title.lower(), "unit": unit, "digits": 1 if by > 1 else 2, **ends, "off": off, "row": row,
                          "truth": scaled(row, by, "effect")})  # fmt: skip
    counts = {
        which: [(round(one["row"][which] * one["row"]["trials"]), one["row"]["trials"], one["title"])
                for one in found if not np.isnan(one["row"][which])]
        for which in ("coverage", "power", "naive_power")
    }  # fmt: skip
    several = arms[0] if arms and len(run.scenario.arms) > 1 else ""
    return _say("trial", arm=several, n=int(true["trials"].max()), found=found, counts=counts)


def _trial_detail(run: Run, said: Said) -> list[str]:
    """What it costs to forget that clients share therapists."""
    estimates = trial.trial_estimates(run)
    every = estimates[estimates["outcome"] == "wai_client"]
    if every.empty:
        return []
    icc = estimates.groupby("outcome")["icc"].mean()
    shares = {title.lower(): icc[outcome] for outcome, (title, _, _) in TRIAL_OUTCOMES.items() if outcome in icc}
    narrow = float(((every["high"] - every["low"]) / (every["naive_high"] - every["naive_low"])).mean())
    clients, therapists = (round(float(every[name].mean())) for name in ("clients", "therapists"))
    first = shares.pop(TRIAL_OUTCOMES["wai_client"][0].lower())
    return _say("trial_detail", clients=clients, therapists=therapists, narrow=narrow, first=first, shares=shares)


def _feedback(run: Run, said: Said) -> list[str]:
    arm, table = next(name for name, plan in asked.plans(run).items() if plan.feedback), cm.off_track(run)
    rows = {(r["group"], r["measure"]): r for r in table[table["arm"] == arm].to_dict("records")}
    known = ("at risk", "dropout") in rows
    groups = {g: [rows[g, m] for m in ("dropout", DISTRESS)] for g in ("at risk", "others")} if known else {}
    return _say("feedback", said=said, arm=arm, groups=groups, early=cm.EARLY_SESSION)


def _years(run: Run, said: Said) -> list[str]:
    table = cm.over_years(run)
    last = {what: table[table["what"] == what]["year"].max() for what in ("anxiety", "avoidance", "alliance")}
    rows = {(r["what"], r["arm"]): r for r in table.to_dict("records") if r["year"] == last[r["what"]]}
    first = table[table["arm"] == said.usual].groupby("what")["mean"].first()
    rated = [arm for arm in said.others if ("alliance", arm) in rows and not np.isnan(rows["alliance", arm]["difference"])]
    apart = [arm for arm in said.others if said.has("dropout") and not np.isnan(said.rows["dropout", arm]["difference"])]
    trained = any(arm.clinic is not None and arm.clinic.training for arm in run.scenario.arms)
    return _say("years", said=said, rows=rows, last=last, first=first, rated=rated, apart=apart, trained=trained)


def _readings(run: Run, said: Said) -> list[str]:
    fit = {row["arm"]: row for row in cm.pair_compatibility(run).to_dict("records")}
    share = {arm: asked.therapist_effects_of(run, arm)["alliance"] for arm in said.treating}
    low, high = said.ends("dropout", said.treating)
    return _say("readings", said=said, fit=fit, share=share, low=low, high=high)


def _rules(run: Run, said: Said) -> list[str]:
    rule = {arm: plan.matching for arm, plan in asked.plans(run).items()}
    real = [arm for arm in said.treating if rule[arm] not in NO_RULES]
    means = {arm: said.mean(ALLIANCE, arm) for arm in real}
    other = [arm for arm in real if arm != said.usual]
    return _say(
        "rules", said=said, real=real, wide=max(means.values()) - min(means.values()) if means else 0,
        most=max(other, key=lambda arm: means[arm]) if other else "",
        oracle=next((arm for arm in said.others if rule[arm] == ORACLE), ""),
    )  # fmt: skip


def _rules_detail(run: Run, said: Said) -> list[str]:
    """Every rule against the first, with what must be said of those that are none."""
    low, high = said.ends("insecurity_met", said.treating)
    marks = {arm: asked.remark_on(run, arm) for arm in said.others}
    return _say("rules_detail", said=said, low=low, high=high, marks=marks)


def _handed_over(run: Run, against: str | None = None) -> dict[str, dict[str, Any]]:
    """For each arm, what losing a therapist changes, by measure."""
    rows = cm.handed_over(run, against).to_dict("records")
    return {arm: {row["measure"]: row for row in rows if row["arm"] == arm} for arm in dict.fromkeys(row["arm"] for row in rows)}


def _leaving(run: Run, said: Said) -> list[str]:
    found = _handed_over(run)
    if not found:
        return []
    usual = next(arm for arm in run.scenario.arms if arm.name == cm.reference(run.scenario))
    stay = usual.clinic is not None and not usual.clinic.turnover
    certain = any(excludes_zero(row, "difference") for rows in found.values() for row in rows.values())
    return _say("leaving", found=found, usual="" if stay else usual.name, certain=certain, saved=_saved(run))


def _saved(run: Run) -> dict[str, Any] | None:
    """What a more careful hand-over changes for those who lose their therapist, against the arm that differs in it alone."""
    arms = [arm for arm in run.scenario.arms if arm.name in asked.treating(run)]

    def rest(arm: Any) -> Any:
        return arm.clinic, {name: value for name, value in arm.parameters.items() if name != "hand_over_share"}

    for k, arm in enumerate(arms):
        share = arm.parameters.get("hand_over_share")
        for other in arms[:k]:
            if share is not None and rest(arm) == rest(other) and other.parameters.get("hand_over_share") != share:
                rows = _handed_over(run, other.name).get(arm.name)
                if rows:
                    return {"arm": arm.name, "other": other.name, "rows": rows}
    return None


def _load(run: Run, said: Said) -> list[str]:
    """Whether it is better to let people wait, from what becomes of everybody who came; waits and fatigue."""
    times = []
    for months in SINCE_ARRIVAL:
        if said.has(measure := f"distress_{months}_months"):
            rows = {arm: said.rows[measure, arm] for arm in said.others}
            better, worse = ([arm for arm, row in rows.items() if by * row[end] < 0]
                             for by, end in ((1, "difference_high"), (-1, "difference_low")))  # fmt: skip
            usual = scaled(said.rows[measure, said.usual], -1)
            times.append({"months": months, "measure": measure, "better": better, "worse": worse, "usual": usual})
    tired = [arm for arm in said.others if excludes_zero(said.rows["fatigue", arm], "difference")]
    return _say("load", said=said, times=times, tired=tired)


def _load_detail(run: Run, said: Said) -> list[str]:
    plans, least = asked.plans(run), min(SINCE_ARRIVAL)
    arms = [arm for arm in run.scenario.arms if arm.name in plans]
    long = [arm.name for arm in arms if arm.sessions * plans[arm.name].session_every > 4 * least]
    return _say("load_detail", said=said, long=long, least=least)


Tell = Callable[[Run, Said], list[str]]
#: When, what stands in the paragraph, and what is said in detail.
_TOLD: tuple[tuple[Callable[[Run], bool], Tell, Tell], ...] = (
    (asked.holds_a_trial, _trial, _trial_detail),
    (asked.gives_feedback, _feedback, lambda run, said: []),
    (asked.lasts_years, _years, lambda run, said: []),
    (asked.is_contested, _readings, _between_therapists),
    (lambda run: asked.differs(run, "matching"), _rules, _rules_detail),
    (
        lambda run: asked.differs(run, "turnover", "quitting_base", "quitting_fatigue_gain", "hand_over_share"),
        _leaving,
        lambda run, said: _say("all_together", said=said),
    ),
    (asked.puts_work_to_the_test, _load, _load_detail),
    (asked.follows_up, _first_free, _attachment_later),
)


def in_detail(run: Run) -> list[str]:
    """What else can be said with numbers of a clinic, one sentence or two an item."""
    if cm.people(run).empty or not asked.treating(run):
        return []
    said, out, everybody = Said(run), [], cm.people(run)
    if said.has(ALLIANCE):
        where = everybody.loc[everybody["arm"] == said.usual, "state"].value_counts(normalize=True)
        states = {STATES.get(str(state), str(state)): share for state, share in where.items() if share >= 0.005}
        out = _say("what_became", said=said, states=states, reliable=cm.RELIABLE_CHANGE)
    return out + next((tell(run, said) for asked, _, tell in _TOLD if asked(run)), [])
