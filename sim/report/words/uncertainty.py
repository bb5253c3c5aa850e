"""Sampling and parameter uncertainty, in words and as a table; the two intervals are labelled wherever they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.report.figures.uncertainty import PARAMETER, SAMPLING, against, interval, main_row, measures_shown, members_of
from sim.report.text import Row, arm_name, number, percent
from sim.runs.uncertainty import DIFFERENCE, described, is_difference, reference, two_intervals
from sim.scenario.scenario import Scenario
from sim.simulation.tables import Run

#: One interval counts as the larger from this ratio of the widths on.
CLEARLY = 1.1
#: A conclusion that fewer of the sets share than this is not one that the evidence settles.
SETTLED = 0.95
#: Measures whose title is no noun, in a sentence.
NOUNS = {
    "dropout": "dropout", "distress_change": "the change of distress", "distress_last_rating": "the change of distress",
    "weeks_waited": "weeks on the waiting list",
    "lost_waiting": "the proportion lost on the waiting list", "helped": "the proportion helped",
    "helped_of_all": "the proportion helped of all", "helped_per_100_hours": "clients helped per 100 therapist-hours",
}  # fmt: skip
#: More rows than this are no longer printed on a screen; then only differences are.
MOST_PRINTED = 32


def asks_for_the_ensemble(run: Run) -> bool:
    """Whether the run holds what other parameter sets give."""
    return len(run.ensemble) > 0


def title(scenario: Scenario, measure: str) -> str:
    """What a row of the table is about, with its unit; of a difference also from what."""
    m = described(scenario, measure)
    if measure.endswith(DIFFERENCE):
        return f"{m.title}, difference ({m.difference_unit})"
    return f"{m.title} ({m.unit})"


# ---------------------------------------------------------------------------------------------------------- the table


def heads_and_rows(run: Run, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """The table as shown, a row per arm and measure; of one longer than ``most`` only differences in the weightiest measures."""
    table, s = two_intervals(run), run.scenario
    n = members_of(table)
    if most is not None and len(table) > most:
        wanted = measures_shown(run)
        table = table[[is_difference(m) and m.removesuffix(DIFFERENCE) in wanted for m in table["measure"]]]
    heads = ["arm", "measure", "default parameters", f"{SAMPLING}: 95 % interval", f"{PARAMETER}: middle 95 % of {n} sets",
             f"median of {n} sets", "sets on the same side of 0"]  # fmt: skip
    rows = []
    for r in table.to_dict("records"):
        digits = described(s, r["measure"]).digits
        mark = " *" if r["outside"] else ""
        rows.append([
            r["arm"], title(s, r["measure"]), number(r["value"], digits) + mark, interval(r, "sampling", digits),
            interval(r, "parameter", digits), number(r["median"], digits), percent(r["same_side"]),
        ])  # fmt: skip
    return heads, rows


def table_of_intervals(run: Run) -> dict[str, Any]:
    """The table for a report, with title and caption."""
    heads, rows = heads_and_rows(run)
    return {"id": "two-intervals", "title": "Sampling and parameter uncertainty", "heads": heads, "rows": rows,
            "caption": what_they_are(run), "names": 2}  # fmt: skip


def what_they_are(run: Run) -> str:
    """What the two intervals are, in three sentences, and what the mark means."""
    n, clinic = members_of(two_intervals(run)), run.scenario.design == "clinic"
    over = f"{run.scenario.replicates} replicates of the clinic" if clinic else "simulated people"
    said = (
        f"Sampling uncertainty: 95 % interval over {over} with the default parameters, that is, other people and other "
        "random draws. Parameter uncertainty"
        f": the same people with common random numbers under {n} parameter sets that all agree with the published "
        f"record, the middle 95 % of what they give. Differences are from {against(run.scenario)}; their last column is the "
        "proportion of the sets in which the difference has the same sign."
    )
    if any(two_intervals(run)["outside"]):
        said += " *: the value with the default parameters lies outside of what these sets give."
    fixed = run.scenario.spec.get("parameters")
    names = [name for name in fixed if name != "ensemble"] if isinstance(fixed, dict) else []
    return said + (f" Fixed by the scenario, and the same in every set: {', '.join(names)}." if names else "")


# -------------------------------------------------------------------------------------------------------- in sentences


def widths(row: Row) -> tuple[float, float]:
    """Width of the intervals of sampling and of parameter uncertainty."""
    return row["sampling_high"] - row["sampling_low"], row["parameter_high"] - row["parameter_low"]


def which_is_larger(row: Row) -> str:
    """Which of the two intervals is the wider, as the beginning of a sentence."""
    by_sampling, by_parameters = widths(row)
    if np.isnan(by_sampling):
        return "Sampling uncertainty is not known here, parameter uncertainty is"
    if max(by_sampling, by_parameters) <= CLEARLY * min(by_sampling, by_parameters):
        return "Sampling and parameter uncertainty are about as large"
    larger, smaller = max(by_sampling, by_parameters), min(by_sampling, by_parameters)
    times = f", {number(larger / smaller, 1)} times as wide," if smaller > 0 else ""
    if by_parameters > by_sampling:
        return f"Parameter uncertainty is larger than sampling uncertainty{times}"
    return f"Sampling uncertainty is larger than parameter uncertainty{times}"


def _about(run: Run, row: Row) -> str:
    name = row["measure"].removesuffix(DIFFERENCE)
    what = NOUNS.get(name, described(run.scenario, name).title)
    if row["measure"].endswith(DIFFERENCE):
        usual = reference(run.scenario, row["arm"])
        return f"the difference in {what} between {arm_name(row['arm'])} and {arm_name(usual)}"
    return f"{'the ' if is_difference(name) else ''}{what} in {arm_name(row['arm'])}"


def _points(row: Row) -> str:
    """The unit of a value, or of a difference, in a sentence."""
    unit = str(row["unit"])
    return "WAI points" if "WAI" in unit else unit


def sentence(run: Run) -> list[str]:
    """For the answer: which of the two is the larger for what was asked, and in what proportion of the sets it holds."""
    if not asks_for_the_ensemble(run):
        return []
    row = main_row(run)
    digits = described(run.scenario, row["measure"]).digits
    said = (
        f"{which_is_larger(row)} for {_about(run, row)} ({number(row['value'], digits)} {_points(row)}): sampling uncertainty "
        f"{interval(row, 'sampling', digits)}, parameter uncertainty {interval(row, 'parameter', digits)}"
    )
    if not np.isnan(row["same_side"]):
        sets = f"{row['members']} parameter sets that agree with the published evidence"
        said += f"; its sign is the same in {percent(row['same_side'])} of {sets}"
    return [f"{said}{', of which the default parameters lie outside' if row['outside'] else ''}."]


def left_open(run: Run) -> list[str]:
    """For those who read on: where the evidence is the larger doubt, what it does not settle, and what would help."""
    if not asks_for_the_ensemble(run):
        return []
    table = two_intervals(run)
    rows, n = table.to_dict("records"), members_of(table)
    known = [row for row in rows if not np.isnan(row["sampling_low"])]
    wider = sum(by_parameters > by_sampling for by_sampling, by_parameters in map(widths, known))
    said = [
        f"The scenario was run once more with each of {n} parameter sets that all agree with the published evidence, with the "
        f"same people and random draws. Of {len(known)} values and differences with both intervals, {wider} are left open "
        "more by the "
        "evidence than by sampling. More simulated people make sampling uncertainty smaller, not this; only better evidence does."
    ]
    # A conclusion is a difference whose sampling interval excludes 0; of others nobody would say which way they go.
    concluded = [r for r in rows if not np.isnan(r["same_side"]) and not r["sampling_low"] <= 0 <= r["sampling_high"]]
    unsettled = [row for row in concluded if row["same_side"] < SETTLED]
    if unsettled:
        listed = "; ".join(f"{_about(run, row)} ({percent(row['same_side'])})" for row in unsettled[:4])
        more = f"; and {len(unsettled) - 4} more" if len(unsettled) > 4 else ""
        said.append(
            f"Of {len(concluded)} differences whose sampling interval excludes 0 the evidence does not settle the sign of "
            f"{len(unsettled)}, which fewer than {percent(SETTLED)} of the sets share: {listed}{more}."
        )
    elif concluded:
        said.append(
            f"{len(concluded)} of {len(concluded)} differences whose sampling interval excludes 0 have the same sign in "
            f"{percent(SETTLED)} or more of the sets."
        )
    outside = [row for row in rows if row["outside"]]
    if outside:
        said.append(
            f"With the default parameters {len(outside)} of {len(rows)} values lie outside of what these sets give "
            "(marked * in the "
            "table): there the defaults are one answer among others, and not the middle one."
        )
    return said
