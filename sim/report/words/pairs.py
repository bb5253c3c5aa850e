"""The answer of an experiment that crosses two things, or compares arms two by two: numbers, learning, kinds of people."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sim import measures
from sim.evidence.claims import effects, factors
from sim.measures.intervals import mean_interval
from sim.report.figures.chosen import EXPERIMENTS
from sim.report.text import Row, arm_name, excludes_zero, listed, percent, signed_interval, with_interval
from sim.simulation.tables import Run

# ------------------------------------------------------------------------------------------------ two at a time


def two_numbers(run: Run) -> list[str]:
    arms = factors.factors(run.scenario)
    rows = {(r["effect"], r["measure"]): r for r in factors.factor_effects(run).to_dict("records")}

    def row(effect: str, measure: str) -> str:
        return signed_interval(rows[effect, measure])

    alone = "; ".join(
        f"{arm_name(arms[name].name)} changes accuracy by {row(name, 'accuracy')}, the late alliance by {row(name, 'alliance')} "
        f"and distress by {row(name, 'distress')}"
        for name in ("first", "second")
    )
    beyond = rows["beyond", "alliance"]
    more = "add up" if not excludes_zero(beyond) else f"give {'more' if beyond['mean'] > 0 else 'less'} than the sum"
    untreated = measures.untreated_differences(run)
    worth = [
        f"{arm_name(arm.name)} {with_interval(mean_interval(-untreated[arm.name]), 1)}"
        for arm in arms.values()
        if arm.name in untreated
    ]
    together = f"for the alliance the two together {more} ({row('beyond', 'alliance')})"
    said = [f"Compared with {arm_name(arms['neither'].name)}, {alone}; {together}."]
    if worth:
        said.append(f"Distress ends so far below that of the same people without therapy: {', '.join(worth)}.")
    return [*said, "Accuracy is a correlation; alliance is in WAI points (1 to 7), distress in CORE-OM points (0 to 40)."]


def no_learning(run: Run) -> list[str]:
    said = []
    untreated = measures.untreated_differences(run)
    pairs = factors.without_learning(run.scenario)
    for arm, off in pairs:
        moved = [signed_interval(mean_interval(factors.insecurity_change(run, a.name))) for a in (off, arm)]
        text = f"in {arm_name(off.name)} insecurity of attachment changes by {moved[0]} ECR points (with learning {moved[1]})"
        if arm.name in untreated and off.name in untreated:
            ends = [mean_interval(-untreated[a.name]) for a in (off, arm)]
            share = ends[0]["mean"] / ends[1]["mean"]
            left = f", so {percent(share)} is left" if ends[1]["low"] > 0 and share > 0 else ""
            text += (
                f" and distress ends {with_interval(ends[0], 1)} CORE-OM points below that of the untreated (with learning "
                f"{with_interval(ends[1], 1)}){left}"
            )
        said.append(text)
    told = [f"Where nobody can learn, this is left of therapy: {'; '.join(said)}."]
    twin = measures.untreated_arm(run.scenario, pairs[0][0].name)
    if twin is not None:
        told.append(
            f"Without therapy, life moves insecurity by {signed_interval(mean_interval(factors.insecurity_change(run, twin)))}."
        )
    return told


# -------------------------------------------------------------------------------------------- two people together


def asks_together(run: Run) -> bool:
    """Whether the scenario asks for what two people do together beyond what each of them does (their statistical interaction),
    and its arms can say."""
    return run.scenario.report == "interaction" and EXPERIMENTS["interaction"][1](run)


def together(run: Run) -> list[str]:
    """The interaction of both people's kinds; nothing where the scenario does not cross them."""
    table = effects.interaction(run)
    if table.empty:
        return []
    (c, t), *_ = effects.crossing(run.scenario)
    both_insecure = (c, t) == ("secure", "secure")
    who = "two insecure partners" if both_insecure else f"a client who is not {c} with a therapist who is not {t}"
    pairs = {name: _pairs(table, name) for name in ("alliance", "dropout")}
    whole = {name: _row(table, name) for name in ("alliance", "dropout")}
    if excludes_zero(whole["alliance"]):
        beyond = f"{'a worse' if whole['alliance']['mean'] < 0 else 'a better'} alliance than"
    else:
        beyond = "on the whole neither a worse nor a better alliance than" if len(pairs["alliance"]) > 1 else "the alliance that"
    sums = "what each does alone adds up to" if both_insecure else "the sum of both"
    over = f" over {len(pairs['alliance'])} pairs" if len(pairs["alliance"]) > 1 else ""
    found = f"Together {who} have {beyond} {sums} ({signed_interval(whole['alliance'])} WAI points{over})"
    more = (
        "more often than" if whole["dropout"]["low"] > 0 else "less often than" if whole["dropout"]["high"] < 0 else "as often as"
    )
    if not asks_together(run):
        return [_in_short(pairs["alliance"], who), f"{found}.", f"{who[0].upper()}{who[1:]} drop out {more} {sums}: "
                f"{signed_interval(whole['dropout'], 1)} percentage points{_most(pairs['dropout'])}."]  # fmt: skip
    return [
        f"{found}{_by_pair(pairs['alliance'])}.",
        f"They drop out {more} this sum: {signed_interval(whole['dropout'], 1)} percentage points{_most(pairs['dropout'])}.",
    ]


def _pairs(table: pd.DataFrame, measure: str) -> list[dict[Any, Any]]:
    rows = table[(table["measure"] == measure) & (table["client"] != effects.EVERY)].to_dict("records")
    return [_scaled(row) for row in rows]


def _row(table: pd.DataFrame, measure: str) -> dict[Any, Any]:
    """All pairs together, or the only one."""
    return _scaled(table[table["measure"] == measure].iloc[-1].to_dict())


def _scaled(row: Row) -> dict[Any, Any]:
    """Proportions of people in percentage points."""
    by = 100 if row["measure"] == "dropout" else 1
    return {**row, **{name: by * row[name] for name in ("mean", "low", "high")}}


def _in_short(rows: list[dict[Any, Any]], who: str) -> str:
    if len(rows) == 1:
        return f"Together {who} have {signed_interval(rows[0])} points beyond what each does alone."
    ends = [f"{signed_interval(r)} ({_who(r)})" for pick in (min, max) for r in (pick(rows, key=lambda r: r["mean"]),)]
    return f"Beyond what each does alone, {who} together reach from {' to '.join(ends)} points, depending on the pair."


def _who(row: Row) -> str:
    same = row["client"] == row["therapist"]
    return f"two {row['client']} people" if same else f"{row['client']} client, {row['therapist']} therapist"


def _by_pair(rows: list[dict[Any, Any]]) -> str:
    """In how many pairs it lies below and above the sum, and where most."""
    low, high = [r for r in rows if r["high"] < 0], [r for r in rows if r["low"] > 0]
    said = [
        f"a {word} one in {len(some)} (most: {_pair(pick(some, key=lambda r: r['mean']))})"
        for word, some, pick in (("lower", low, min), ("higher", high, max))
        if some
    ]
    return f", but {listed(said)}" if said and len(rows) > 1 else ""


def _pair(row: Row, digits: int = 2) -> str:
    return f"{_who(row)}, {signed_interval(row, digits)}"


def _most(rows: list[dict[Any, Any]]) -> str:
    return f" (most: {_pair(max(rows, key=lambda r: r['mean']), 1)})" if len(rows) > 1 else ""
