"""Sampling and parameter uncertainty, in words and as a table; the two intervals are labelled wherever they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.report.figures.uncertainty import PARAMETER, SAMPLING, against, main_row, measures_shown, members_of
from sim.report.text import Row, arm_name, excludes_zero, interval, number, percent, sentences
from sim.runs.uncertainty import DIFFERENCE, described, is_difference, two_intervals
from sim.scenario.arms import reference_arm
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


def heads_and_rows(run: Run, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """The table as shown, a row per arm and measure; of one longer than ``most`` only differences in the weightiest measures."""
    table = two_intervals(run)
    n = members_of(table)
    if most is not None and len(table) > most:
        wanted = measures_shown(run)
        table = table[[is_difference(m) and m.removesuffix(DIFFERENCE) in wanted for m in table["measure"]]]
    heads = ["arm", "measure", "default parameters", f"{SAMPLING}: 95 % interval", f"{PARAMETER}: middle 95 % of {n} sets",
             f"median of {n} sets", "sets on the same side of 0"]  # fmt: skip
    rows = []
    for r in table.to_dict("records"):
        m, mark = described(r["measure"]), " *" if r["outside"] else ""
        title = f"{m.title}, difference ({m.difference_unit})" if r["measure"].endswith(DIFFERENCE) else m.titled()
        both = [interval(r, kind, m.digits) for kind in ("sampling", "parameter")]
        rows.append([r["arm"], title, number(r["value"], m.digits) + mark, *both, number(r["median"], m.digits)])
        rows[-1].append(percent(r["same_side"]))
    return heads, rows


def table_of_intervals(run: Run) -> dict[str, Any]:
    """The table for a report, with title and caption: what the two intervals are, and what the mark means."""
    heads, rows = heads_and_rows(run)
    table, fixed = two_intervals(run), run.scenario.spec.get("parameters")
    caption = sentences(
        "tables.j2", "two_intervals", clinic=run.scenario.design == "clinic", replicates=run.scenario.replicates,
        n=members_of(table), against=against(run.scenario), outside=any(table["outside"]),
        fixed=[name for name in fixed if name != "ensemble"] if isinstance(fixed, dict) else [],
    )  # fmt: skip
    return {"id": "two-intervals", "title": "Sampling and parameter uncertainty", "heads": heads, "rows": rows,
            "caption": " ".join(caption), "names": 2}  # fmt: skip


def widths(row: Row) -> tuple[float, float]:
    """Width of the intervals of sampling and of parameter uncertainty."""
    return row["sampling_high"] - row["sampling_low"], row["parameter_high"] - row["parameter_low"]


def which_is_larger(row: Row) -> str:
    """Which of the two intervals is the wider, as the beginning of a sentence."""
    by_sampling, by_parameters = widths(row)
    if np.isnan(by_sampling):
        return "Sampling uncertainty is not known here, parameter uncertainty is"
    larger, smaller = max(by_sampling, by_parameters), min(by_sampling, by_parameters)
    if larger <= CLEARLY * smaller:
        return "Sampling and parameter uncertainty are about as large"
    times = f", {number(larger / smaller, 1)} times as wide," if smaller > 0 else ""
    first, second = ("Parameter", "sampling") if by_parameters > by_sampling else ("Sampling", "parameter")
    return f"{first} uncertainty is larger than {second} uncertainty{times}"


def about(run: Run, row: Row) -> str:
    """What a row is about, in a sentence."""
    name = row["measure"].removesuffix(DIFFERENCE)
    what = NOUNS.get(name, described(name).title)
    if row["measure"].endswith(DIFFERENCE):
        usual = reference_arm(run.scenario, row["arm"])
        return f"the difference in {what} between {arm_name(row['arm'])} and {arm_name(usual)}"
    return f"{'the ' if is_difference(name) else ''}{what} in {arm_name(row['arm'])}"


def sentence(run: Run) -> list[str]:
    """For the answer: which of the two is the larger for what was asked, and in what proportion of the sets it holds."""
    if not len(run.ensemble):
        return []
    row = main_row(run)
    facts = {"larger": which_is_larger(row), "about": about(run, row), "settled": not np.isnan(row["same_side"])}
    unit = "WAI points" if "WAI" in row["unit"] else row["unit"]
    return sentences("uncertainty.j2", "answer", row=row, unit=unit, digits=described(row["measure"]).digits, **facts)


def left_open(run: Run) -> list[str]:
    """For those who read on: where the evidence is the larger doubt, what it does not settle, and what would help."""
    if not len(run.ensemble):
        return []
    table = two_intervals(run)
    rows = table.to_dict("records")
    known = [widths(row) for row in rows if not np.isnan(row["sampling_low"])]
    # A conclusion is a difference whose sampling interval excludes 0; of others nobody would say which way they go.
    concluded = [
        r for r in rows if not np.isnan(r["same_side"]) and (np.isnan(r["sampling_low"]) or excludes_zero(r, "sampling"))
    ]
    unsettled = [{**r, "about": about(run, r)} for r in concluded if r["same_side"] < SETTLED]
    return sentences(
        "uncertainty.j2", "left_open", n=members_of(table), known=len(known), rows=len(rows), concluded=len(concluded),
        wider=sum(by_parameters > by_sampling for by_sampling, by_parameters in known), unsettled=unsettled, settled=SETTLED,
        outside=int(table["outside"].sum()),
    )  # fmt: skip
