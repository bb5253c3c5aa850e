"""What a batch came to: the range of each main measure over its points, tables, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from sim.batch.results import BatchResults
from sim.catalogue.columns import NOTHING
from sim.catalogue.measures import CATALOGUE
from sim.report.text import sentences, with_interval
from sim.scenario.points import told

#: Measures that are printed, as far as a batch has them: of therapy, and of clinics.
SHOWN = {
    False: ("alliance", "dropout", "distress_change"),
    True: ("alliance_all_sessions", "dropout", "distress_last_rating", "helped_of_all", "weeks_waited"),
}


_say = partial(sentences, "batch.j2")


def plain_effects(found: BatchResults) -> pd.DataFrame:
    """The values of arms, without differences between them."""
    effects = found.effects()
    return effects[effects["minus"] == NOTHING]


def answer(found: BatchResults) -> list[str]:
    """What a batch came to, in sentences made from its numbers: the range of each main measure over the points, per arm."""
    plain, names = plain_effects(found).dropna(subset="value"), dict(found.points[["point", "name"]].to_numpy())
    ranges = []
    for measure in SHOWN[found.clinic]:
        mine = plain[plain["measure"] == measure].sort_values("value", kind="stable")
        if len(mine):
            ends = [{**row, "where": names[row["point"]]} for row in mine.iloc[[0, -1]].to_dict("records")]
            ranges.append({"title": CATALOGUE[measure].titled(plain=True), "n": len(mine), "ends": ends})
    points, failed = len(found.points), len(found.failures)
    return _say("answer", points=points, repeats=replicates_said(found), known=how_known(found), failed=failed, ranges=ranges)


def replicates_said(found: BatchResults) -> str:
    """How often points were repeated."""
    counts = found.points["replicates"]
    return _say("replicates", least=counts.min(), most=counts.max())[0]


def differences_table(found: BatchResults) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the differences between arms: the main measures, with intervals."""
    effects, points = found.effects(), found.points.set_index("point")
    apart = effects[effects["minus"] != NOTHING]
    measures = [m for m in SHOWN[found.clinic] if (apart["measure"] == m).any()]
    rows = []
    for (point, arm, minus), part in apart.groupby(["point", "arm", "minus"], observed=True, sort=False):
        values = _values(part, measures)
        if any(values.values()):
            rows.append([str(point), str(points.at[point, "name"]), f"{arm} minus {minus}", *values.values()])
    return ["point", "", "arms", *measures], rows


def _values(part: pd.DataFrame, measures: Sequence[str]) -> dict[str, str]:
    """Each measure as mean [95 % interval], as far as a point's arm has it."""
    by = {row["measure"]: row for row in part.to_dict("records") if row["value"] == row["value"]}
    return {m: with_interval(by[m], name="value") if m in by else "" for m in measures}


def results_table(found: BatchResults, measures: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per point and arm: the factors, replicates, and the main measures as mean [95 % interval]."""
    plain, points = plain_effects(found), found.points.set_index("point")
    shown = [m for m in measures or SHOWN[found.clinic] if (plain["measure"] == m).any()]
    rows, replicates = [], dict(points["replicates"])
    for (point, arm), part in plain.groupby(["point", "arm"], observed=True, sort=False):
        row: dict[str, Any] = {name: _level(points.at[point, name]) for name in found.factors}
        if found.scenario.batch is not None and found.scenario.batch.design == "cases":
            row = {"case": points.at[point, "name"]}
        whole, planned = int(part["n"].max()), replicates[point]
        fewer = (part["over"] == "replicates").any() and whole < planned  # where runs have failed
        row |= {"arm": str(arm), "replicates": f"{whole} of {planned}" if fewer else str(planned)}
        rows.append({**({"point": str(point)} if len(points) > 1 else {}), **row, **_values(part, shown)})
    return pd.DataFrame(rows)


def _level(value: Any) -> str:
    if value is None or value != value:
        return "as it stands"
    return f"{value:.4g}" if isinstance(value, float) else value if isinstance(value, str) else told(value)


def how_known(found: BatchResults) -> str:
    """What the intervals are over, and whether a precision that was asked for was reached."""
    effects, batch = found.effects(), found.scenario.batch
    reached = found.precision() if batch is not None and batch.until is not None else pd.DataFrame({"enough": [], "se": []})
    over = "nothing" if effects.empty else "clients" if (effects["over"] == "clients").all() else "replicates"
    return _say(
        "how_known", over=over, known=effects["low"].notna().any() if len(effects) else False,
        until=batch.until if batch is not None else None, points=len(reached), short=int((~reached["enough"].astype(bool)).sum()),
        largest=reached["se"].max(),
    )[0]  # fmt: skip
