"""What a batch came to: the range of each main measure over its points, tables, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sim.batch.results import BatchResults
from sim.catalogue.measures import CATALOGUE
from sim.scenario.points import told

#: Measures that are printed, as far as a batch has them: of therapy, and of clinics.
SHOWN = {
    False: ("alliance", "dropout", "distress_change"),
    True: ("alliance_all_sessions", "dropout", "distress_last_rating", "helped_of_all", "weeks_waited"),
}


def answer(found: BatchResults) -> list[str]:
    """What a batch came to, in sentences made from its numbers: the range of each main measure over the points, per arm."""
    effects, points = found.effects(), found.points.set_index("point")
    plain = effects[effects["minus"].astype("str") == ""]
    n = len(points)
    said = [f"{n} point{'s' if n != 1 else ''} of the design, {replicates_said(found)}. {how_known(found)}"]
    if len(found.failures):
        said.append(f"{len(found.failures)} runs failed and are in none of the numbers; replicates are counted without them. "
                    "Means over what did not fail may be biased where failing has to do with what is measured.")  # fmt: skip
    for measure in SHOWN[found.clinic]:
        mine = plain[plain["measure"] == measure].dropna(subset="mean")
        if mine.empty:
            continue
        title, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
        ordered = mine.sort_values("mean", kind="stable")
        low, high = ordered.iloc[0], ordered.iloc[-1]
        if len(mine) == 1:
            said.append(f"{capital(title)} ({unit}): {ranged(low)}.")
            continue
        where = [f"{ranged(row)} in arm “{row['arm']}”" + (f" where {points.at[row['point'], 'name']!s}" if n > 1 else "")
                 for row in (low, high)]  # fmt: skip
        said.append(f"{capital(title)} ({unit}) lies between {where[0]} and {where[1]}.")
    return said


def capital(text: str) -> str:
    """A text that begins a sentence."""
    return text[:1].upper() + text[1:]


def replicates_said(found: BatchResults) -> str:
    """How often points were repeated."""
    counts = found.points["replicates"]
    if counts.min() == counts.max():
        return f"each repeated {counts.min()} time{'s' if counts.min() != 1 else ''}"
    return f"each repeated {counts.min()} to {counts.max()} times, until the measure named was known well enough"


def differences(found: BatchResults) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the differences between arms: the main measures, with intervals."""
    effects, points = found.effects(), found.points.set_index("point")
    apart = effects[effects["minus"].astype("str") != ""]
    measures = [m for m in SHOWN[found.clinic] if (apart["measure"] == m).any()]
    rows = []
    for (point, arm, minus), part in apart.groupby(["point", "arm", "minus"], observed=True, sort=False):
        by = part.set_index("measure")
        values = [ranged(by.loc[m]) if m in by.index else "" for m in measures]
        if any(values):
            rows.append([str(point), str(points.at[point, "name"]), f"{arm} minus {minus}", *values])
    return ["point", "", "arms", *measures], rows


def results_table(found: BatchResults, measures: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per point and arm: the factors, replicates, and the main measures as mean [95 % interval]."""
    import pandas as pd

    effects = found.effects()
    plain = effects[effects["minus"].astype("str") == ""]
    shown = [m for m in measures or SHOWN[found.clinic] if (plain["measure"] == m).any()]
    rows = []
    points = found.points.set_index("point")
    replicates = dict(points["replicates"])
    by = {key: part.set_index("measure") for key, part in plain.groupby(["point", "arm"], observed=True, sort=False)}
    for (point, arm), part in by.items():
        here: dict[str, Any] = {"point": str(point)} if len(points) > 1 else {}
        row: dict[str, Any] = {name: _level(points.at[point, name]) for name in found.factors}
        if found.scenario.batch is not None and found.scenario.batch.design == "cases":
            row = {"case": points.at[point, "name"]}
        whole, planned_here = int(part["n"].max()), int(replicates[point])
        fewer = (part["over"] == "replicates").any() and whole < planned_here  # where runs have failed
        row |= {"arm": str(arm), "replicates": f"{whole} of {planned_here}" if fewer else str(planned_here)}
        for m in shown:
            row[m] = ranged(part.loc[m]) if m in part.index else ""
        rows.append({**here, **row})
    return pd.DataFrame(rows)


def _level(value: Any) -> str:

    if value is None or value != value:
        return "as it stands"
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else told(value)


def ranged(row: Any) -> str:
    """``5.31 [5.20, 5.42]``, as far as it has an interval."""
    if row["mean"] != row["mean"]:
        return ""
    text = f"{row['mean']:.2f}"
    return text if row["low"] != row["low"] else f"{text} [{row['low']:.2f}, {row['high']:.2f}]"


def how_known(found: BatchResults) -> str:
    """What the intervals are over, and whether a precision that was asked for was reached."""
    effects = found.effects()
    if effects.empty:
        return "No run gave a value."
    if (effects["over"] == "clients").all():
        return "Means with 95 % intervals over simulated clients (one replicate)."
    if effects["low"].isna().all():
        return "Means; one replicate of a clinic has no interval."
    return f"Means with 95 % intervals over replicates.{_precision(found)}"


def _precision(found: BatchResults) -> str:
    """Whether every point reached the precision that was asked for."""
    batch, reached = found.scenario.batch, found.precision()
    if batch is None or batch.until is None:
        return ""
    until = batch.until
    what = f"{'difference in ' if until.difference else ''}{until.measure}{f', {until.arm}' if until.arm else ''}"
    short = int((~reached["enough"]).sum())
    asked = f"the precision asked for (standard error of {what} at most {until.se:g})"
    if not short:
        return f" Every point reached {asked}."
    return (f" {short} of {len(reached)} points did NOT reach {asked} within {until.most} replicates; "
            f"the largest is {reached['se'].max():.3g}.")  # fmt: skip
