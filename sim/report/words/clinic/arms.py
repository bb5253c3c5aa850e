"""What clinics answer when their arms differ: a trial, feedback, years, readings, rules, leaving, load; in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sim.catalogue.measures import CATALOGUE, SINCE_ARRIVAL
from sim.evidence import trial
from sim.measures import clinics as cm
from sim.report.figures.clinic.service import remark_on
from sim.report.figures.clinic.therapists import TRIAL_OUTCOMES, therapist_effects_of, treating
from sim.report.text import Row, arm_name, excludes_zero, listed, number, percent, signed_interval, with_interval
from sim.simulation.tables import Run
from sim.therapy.clinic.matching import ORACLE

#: Rules that no service should or could follow are told apart from the others.
NO_RULES = (ORACLE, "secure_to_insecure")


# ------------------------------------------------------------------------------------------------- numbers as sentences


class Said:
    """The measures of a run as words: values and differences of arms, with their intervals."""

    def __init__(self, run: Run) -> None:
        self.rows: dict[tuple[str, str], dict[Any, Any]] = {
            (row["measure"], row["arm"]): row for row in cm.rules_compared(run).to_dict("records")
        }

    def has(self, measure: str) -> bool:
        """Whether the run has this measure at all."""
        return any(name == measure for name, _ in self.rows)

    def mean(self, measure: str, arm: str) -> float:
        """The mean of an arm; NaN where there is none."""
        return float(self.rows[measure, arm]["mean"]) if (measure, arm) in self.rows else float("nan")

    def value(self, measure: str, arm: str) -> str:
        """Mean with interval."""
        return with_interval(self.rows[measure, arm], CATALOGUE[measure].digits)

    def row(self, measure: str, arm: str) -> dict[str, float]:
        """The difference from the first arm, as mean, low and high."""
        row = self.rows[measure, arm]
        return {"mean": row["difference"], "low": row["difference_low"], "high": row["difference_high"]}

    def apart(self, measure: str, arm: str) -> str:
        """The difference from the first arm with its sign and interval."""
        return signed_interval(self.row(measure, arm), CATALOGUE[measure].digits)


def others(run: Run) -> list[str]:
    return [arm for arm in treating(run) if arm != cm.reference(run.scenario)]


def apart_in(said: Said, arm: str, *measures: tuple[str, str]) -> str:
    """ "alliance +0.04 [0.01, 0.07] points and dropout ..." of one arm."""
    return listed(f"{words.format(said.apart(name, arm))}" for name, words in measures)


OUTCOMES = (
    ("alliance_all_sessions", "alliance {} points (WAI, 1 to 7)"), ("dropout", "dropout {} percentage points"),
    ("distress_last_rating", "change in distress {} CORE-OM points (0 to 40; minus is better)"),
)  # fmt: skip
SHORT = (("alliance_all_sessions", "alliance {}"), ("dropout", "dropout {}"), ("distress_last_rating", "distress {}"))


# ------------------------------------------------------------------------------------------------- one scenario, one answer


def trial_told(run: Run) -> list[str]:
    """How near trials come to the truth, and what forgetting the therapists would do."""
    estimates, true = trial.trial_estimates(run), trial.true_effects(run)
    rows = {row["outcome"]: row for row in true.to_dict("records")}
    if estimates.empty or "wai_client" not in rows:
        return []
    n, parts = int(true["trials"].max()), []
    tried = {o: told for o, told in TRIAL_OUTCOMES.items() if rows[o]["trials"]}  # in the others nothing could be estimated
    for outcome, (title, unit, by) in tried.items():
        mine, row = by * estimates.loc[estimates["outcome"] == outcome, "estimate"], rows[outcome]
        digits = 1 if by > 1 else 2
        single = f"single trials {number(mine.min(), digits)} to {number(mine.max(), digits)}" if n > 1 else "one trial"
        told = f"{title.lower()} {number(mine.mean(), digits)} {unit} ({single}"
        if not np.isnan(row["effect"]):
            truth = with_interval({"mean": by * row["effect"], "low": by * row["low"], "high": by * row["high"]}, digits)
            off = float(np.sqrt(((mine - by * row["effect"]) ** 2).mean()))
            told += f"; in truth {truth}, from which a trial is off by {number(off, digits)} (root mean square)"
        parts.append(f"{told})")
    held, seen, naive = (
        [
            f"{round(rows[o][which] * rows[o]['trials'])} of {rows[o]['trials']} for {tried[o][0].lower()}"
            for o in tried if not np.isnan(rows[o][which])
        ]
        for which in ("coverage", "power", "naive_power")
    )  # fmt: skip
    arms = trial.trial_arms(run)
    which = f"A trial ({arm_name(arms[0])})" if arms and len(run.scenario.arms) > 1 else "A trial"
    mean_of = f", as the mean of {n}," if n > 1 else ""
    said = [f"{which} finds{mean_of} these effects of training: {'; '.join(parts)}.",
            f"Its intervals exclude zero in {listed(seen)}; were clients taken for independent, in {listed(naive)}."]  # fmt: skip
    return [*said, f"They hold the true effect in {listed(held)}."] if held else said


def trial_detail(run: Run) -> list[str]:
    """What it costs to forget that clients share therapists."""
    estimates = trial.trial_estimates(run)
    every = estimates[estimates["outcome"] == "wai_client"]
    if every.empty:
        return []
    narrow = float(((every["high"] - every["low"]) / (every["naive_high"] - every["naive_low"])).mean())
    shares = ", ".join(
        f"{percent(float(estimates.loc[estimates['outcome'] == o, 'icc'].mean()))} for {told[0].lower()}"
        for o, told in TRIAL_OUTCOMES.items() if o != "wai_client" and (estimates["outcome"] == o).any()
    )  # fmt: skip
    size = f"{round(float(every['clients'].mean())):,} clients of {round(float(every['therapists'].mean()))} therapists a trial"
    return [
        f"Counted are {size}: whose first course began when training had begun or later and whose therapy is over, by "
        "the therapist they first had (intention to treat), dropouts with their last rating. Distress and alliance (after the "
        "last session): mixed model with a random intercept per therapist, by REML, adjusted for distress at the first session; "
        "dropout: linear probability with errors robust to clustering; t with as many degrees of freedom as therapists less two. "
        "Therapists learn over weeks, so early clients see half-trained ones; the true effect is of the same mixture.",
        *([f"Between therapists lies {shares}."] if shares else []),
        f"For the alliance {percent(float(every['icc'].mean()))} of what is left of the differences lies between "
        f"therapists, so that the intervals of an analysis that forgets them are {number(narrow, 1)} times too narrow.",
    ]


def feedback(run: Run) -> list[str]:
    said, arm = Said(run), next(a.name for a in run.scenario.arms if a.clinic is not None and a.clinic.feedback)
    told = [f"With feedback, compared with the same clients without, {apart_in(said, arm, *OUTCOMES)}."]
    table = cm.off_track(run)
    rows = {(r["group"], r["measure"]): r for r in table[table["arm"] == arm].to_dict("records")}
    if ("at risk", "dropout") in rows:
        for group in ("at risk", "others"):
            dropout, distress = (_difference(rows[group, m]) for m in ("dropout", "distress_last_rating"))
            who = (
                f"Clients at risk (at session {cm.EARLY_SESSION} no better than at the first where nobody is told)"
                if group == "at risk" else "The others"
            )  # fmt: skip
            gain = "gain" if excludes_zero(dropout) or excludes_zero(distress) else "cannot be told to gain"
            told.append(f"{who} {gain}: dropout {signed_interval(dropout, 1)} points, distress {signed_interval(distress)}.")
    return told


def _difference(row: Row) -> dict[str, float]:
    return {"mean": row["difference"], "low": row["difference_low"], "high": row["difference_high"]}


def years(run: Run) -> list[str]:
    table, said, usual = cm.over_years(run), Said(run), cm.reference(run.scenario)
    last = {what: table[table["what"] == what]["year"].max() for what in ("anxiety", "avoidance", "alliance")}
    rows = {(r["what"], r["arm"]): r for r in table.to_dict("records") if r["year"] == last[r["what"]]}
    start = {
        w: float(table.loc[(table["what"] == w) & (table["arm"] == usual), "mean"].iloc[0]) for w in ("anxiety", "avoidance")
    }
    parts = []
    for arm in treating(run):
        moved = [
            signed_interval({"mean": r["change"], "low": r["change_low"], "high": r["change_high"]})
            for r in (rows["anxiety", arm], rows["avoidance", arm])
        ]
        parts.append(f"{arm_name(arm)} {moved[0]} and {moved[1]}")
    gains = [
        f"{arm_name(arm)} {signed_interval(_difference(rows['alliance', arm]))}"
        for arm in others(run)
        if ("alliance", arm) in rows and not np.isnan(rows["alliance", arm]["difference"])
    ]
    told = [
        f"Therapists who began at anxiety {number(start['anxiety'], 1)} and avoidance {number(start['avoidance'], 1)} "
        f"(ECR, 1 to 7) have changed after {last['anxiety']} years by: {'; '.join(parts)} points."
    ]
    if gains:
        told.append(
            f"Clients who began in year {last['alliance']} rate the alliance, against {arm_name(usual)} "
            f"({with_interval(rows['alliance', usual])}): {'; '.join(gains)} points."
        )
    with_clients = [arm for arm in others(run) if said.has("dropout") and not np.isnan(said.row("dropout", arm)["difference"])]
    if with_clients:
        apart = "; ".join(f"{arm_name(arm)} {apart_in(said, arm, *SHORT[1:])}" for arm in with_clients)
        told.append(f"Over all years they differ so (dropout in percentage points, distress in CORE-OM points): {apart}.")
    if any(arm.clinic is not None and arm.clinic.training for arm in run.scenario.arms):
        told.append("Training teaches skills as well as security, so that not all of its gain is earned security.")
    return told


def readings(run: Run) -> list[str]:
    said, fit = Said(run), {row["arm"]: row for row in cm.pair_compatibility(run).to_dict("records")}
    parts = []
    for arm in treating(run):
        early = therapist_effects_of(run, arm)["alliance"]
        share = "–" if early is None else f"{number(100 * early.share, 1)} %"
        parts.append(f"{arm_name(arm)} {with_interval(fit[arm])} and {share}")
    mean = {arm: said.mean("dropout", arm) for arm in treating(run)}
    low, high = min(mean, key=lambda a: mean[a]), max(mean, key=lambda a: mean[a])
    return [
        "Reading by reading, the correlation of being alike in attachment with the alliance, and the proportion of the "
        f"early alliance that lies between therapists, are: {'; '.join(parts)}.",
        f"For the clinic as a whole dropout runs from {said.value('dropout', low)} % ({arm_name(low)}) to "
        f"{said.value('dropout', high)} % ({arm_name(high)}), the alliance from {_ends(said, 'alliance_all_sessions', run)}, the "
        f"change in distress from {_ends(said, 'distress_last_rating', run)}.",
    ]


def _ends(said: Said, measure: str, run: Run, arms: Iterable[str] | None = None) -> str:
    """Lowest to highest value of a measure, with the arms."""
    found = {arm: said.mean(measure, arm) for arm in (treating(run) if arms is None else arms)}
    ends = [pick(found, key=lambda arm: found[arm]) for pick in (min, max)]
    return " to ".join(f"{number(found[arm], CATALOGUE[measure].digits)} ({arm_name(arm)})" for arm in ends)


def rules(run: Run) -> list[str]:
    said, usual = Said(run), cm.reference(run.scenario)
    rule = {arm.name: arm.clinic.matching for arm in run.scenario.arms if arm.clinic is not None}
    real = [arm for arm in treating(run) if rule[arm] not in NO_RULES]
    oracle = next((a for a in treating(run) if rule[a] == ORACLE and a != usual), None)
    told = []
    if len(real) > 1:
        means = [said.mean("alliance_all_sessions", arm) for arm in real]
        wide = max(means) - min(means)
        beside = (
            ""
            if oracle is None
            else f", {percent(wide / abs(said.row('alliance_all_sessions', oracle)['mean']))} of what an oracle gains"
        )
        told.append(
            f"Between rules that a service could follow the alliance (WAI, 1 to 7) differs by {number(wide)} "
            f"points{beside}: from {_ends(said, 'alliance_all_sessions', run, real)}; dropout from "
            f"{_ends(said, 'dropout', run, real)} %."
        )
        other = [arm for arm in real if arm != usual]
        if other:
            most = max(other, key=lambda arm: said.mean("alliance_all_sessions", arm))
            told.append(f"Against {arm_name(usual)}, {arm_name(most)} has {apart_in(said, most, *SHORT)}.")
    if oracle is not None:
        told.append(
            f"An oracle that knows what will become of each pair reaches {apart_in(said, oracle, *OUTCOMES)} against "
            f"{arm_name(usual)}: an upper bound for rules that act week by week; no service could do it."
        )
    return told


def rules_detail(run: Run) -> list[str]:
    """Every rule against the first, with what must be said of those that are none."""
    said = Said(run)
    parts = [
        f"{arm_name(arm)}{f' ({mark})' if (mark := remark_on(run, arm)) else ''}: {apart_in(said, arm, *SHORT)}."
        for arm in others(run)
    ]
    met = {arm: said.mean("insecurity_met", arm) for arm in treating(run)}
    low, high = min(met, key=lambda arm: met[arm]), max(met, key=lambda arm: met[arm])
    carried = (
        "A rule decides not only who suits whom but also who carries the clients: anxiety plus avoidance of the therapist "
        f"whom a client gets run from {number(met[low])} ({arm_name(low)}) to {number(met[high])} ({arm_name(high)}) ECR "
        "points, while the default model knows no fit by likeness. As far as these differ, what a rule gains is gained by "
        "leaving less secure therapists with fewer clients."
    )
    against = arm_name(cm.reference(run.scenario))
    return [carried, f"Against {against}, alliance in WAI points, dropout in percentage points, distress in "
            "CORE-OM "
            "points (minus is better):", *parts]  # fmt: skip


def leaving(run: Run) -> list[str]:
    table, told = cm.handed_over(run), []
    for arm in dict.fromkeys(table["arm"]):
        rows = {r["measure"]: r for r in table[table["arm"] == arm].to_dict("records")}
        parts = [words.format(signed_interval(low_high(rows[name]), 1 if name == "dropout" else 2)) for name, words in SHORT]
        told.append(
            f"in {arm_name(arm)} {percent(rows['dropout']['share'])} of clients lose their therapist, and for them it makes "
            f"{listed(parts)}"
        )
    if not told:
        return []
    none = "" if any(excludes_zero(low_high(row)) for row in table.to_dict("records")) else ", and no 95 % interval excludes zero"
    return [
        f"Compared with the same people with the same therapist where {_where(run)}: {'; '.join(told)}{none}.",
        *_saved(run),
        "Alliance is in WAI points, dropout in percentage points (giving up between two therapists included), "
        "distress in CORE-OM points (minus is better).",
    ]


def _saved(run: Run) -> list[str]:
    """What a more careful hand-over changes for those who lose their therapist, against the arm that differs in it alone."""
    arms = [arm for arm in run.scenario.arms if arm.name in treating(run)]
    for k, arm in enumerate(arms):
        share = arm.parameters.get("hand_over_share")
        for other in arms[:k]:
            same = [{n: v for n, v in a.parameters.items() if n != "hand_over_share"} for a in (arm, other)]
            if (
                share is None
                or same[0] != same[1]
                or arm.clinic != other.clinic
                or other.parameters.get("hand_over_share") == share
            ):
                continue
            table = cm.handed_over(run, other.name)
            rows = {r["measure"]: r for r in table[table["arm"] == arm.name].to_dict("records")}
            if rows:
                parts = [words.format(signed_interval(low_high(rows[n]), 1 if n == "dropout" else 2)) for n, words in SHORT]
                return [
                    f"For those who lose their therapist {arm_name(arm.name)}, against {arm_name(other.name)}, changes "
                    f"{listed(parts)}."
                ]
    return []


def leaving_detail(run: Run) -> list[str]:
    said = Said(run)
    found = [f"{arm_name(arm)} {apart_in(said, arm, *SHORT)}" for arm in others(run)]
    return [f"For all clients together, against {arm_name(cm.reference(run.scenario))}: {'; '.join(found)}."] if found else []


def _where(run: Run) -> str:
    usual = next(arm for arm in run.scenario.arms if arm.name == cm.reference(run.scenario))
    stay = usual.clinic is not None and not usual.clinic.turnover
    return "nobody leaves" if stay else f"the arm is {arm_name(usual.name)}"


def load(run: Run) -> list[str]:
    """Whether it is better to let people wait, from what becomes of everybody who came; waits and fatigue."""
    said, usual, told = Said(run), cm.reference(run.scenario), []
    times = [n for n in SINCE_ARRIVAL if said.has(f"distress_{n}_months")]
    if times:
        told.append(f"{'; '.join(_better_and_worse(run, said, n) for n in times)}.")
        falls = listed(f"{_fall(said, usual, n)} within {n} months" for n in times)
        each = "; ".join(
            f"{arm_name(a)} {listed(signed_interval(said.row(f'distress_{n}_months', a)) for n in times)}" for a in others(run)
        )
        told.append(
            f"Distress (CORE-OM, 0 to 40) of everybody who came, seen or not, falls in {arm_name(usual)} by {falls} of "
            f"arrival; the others' differences from that, minus being more relief: {each}."
        )
    told.append(f"The wait runs from {_ends(said, 'weeks_waited', run)} weeks.")
    tired = [arm for arm in others(run) if excludes_zero(said.row("fatigue", arm))]
    if tired:
        parts = listed(f"{arm_name(arm)} {said.apart('fatigue', arm)}" for arm in tired)
        told.append(f"Therapists' fatigue (0 to 1) is {said.value('fatigue', usual)} in {arm_name(usual)}; {parts}.")
    return told


def _better_and_worse(run: Run, said: Said, months: int) -> str:
    """Which arms do better and which worse than the first so many months after arrival, as far as intervals tell."""
    found = {arm: said.row(f"distress_{months}_months", arm) for arm in others(run)}
    groups = (
        ("better", [arm for arm, row in found.items() if row["high"] < 0]),
        ("worse", [arm for arm, row in found.items() if row["low"] > 0]),
    )  # fmt: skip
    parts = [f"{listed(map(arm_name, arms))} {'do' if len(arms) > 1 else 'does'} {word}" for word, arms in groups if arms]
    which = " and ".join(parts) if parts else "no arm does better or worse"
    return f"{months} months after arrival {which} than {arm_name(cm.reference(run.scenario))}"


def load_detail(run: Run) -> list[str]:
    said = Said(run)
    long = [
        arm_name(arm.name) for arm in run.scenario.arms if arm.clinic is not None and arm.name in treating(run)
        and arm.sessions * arm.clinic.session_every > 4 * min(SINCE_ARRIVAL)
    ]  # fmt: skip
    after = (
        [f"A full course lasts longer than {min(SINCE_ARRIVAL)} months in {listed(long)}: look at the later comparison."]
        if long
        else []
    )
    return [*after, *(f"{_burden(said, arm)}." for arm in treating(run))]


def _fall(said: Said, arm: str, months: int) -> str:
    row = said.rows[f"distress_{months}_months", arm]
    return with_interval({"mean": -row["mean"], "low": -row["high"], "high": -row["low"]})


def _burden(said: Said, arm: str) -> str:
    shown = [f"a wait of {said.value('weeks_waited', arm)} weeks", f"{said.value('lost_waiting', arm)} % lost from the list"]
    shown += [
        f"fatigue {number(said.mean('fatigue', arm), 2)}",
        f"{number(said.mean('helped_of_all', arm), 0)} % of those who came helped",
    ]
    return f"{arm_name(arm)}: {listed(shown)}"


def low_high(row: Mapping[Any, Any]) -> dict[str, float]:
    return {"mean": row["difference"], "low": row["low"], "high": row["high"]}
