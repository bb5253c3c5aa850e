"""The tables of results in a report: pairings or arms, arms of a clinic, readings side by side, and the two intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim import measures
from sim.catalogue.measures import CATALOGUE
from sim.measures import clinics as cm
from sim.report.figures.clinic.asked import is_contested, therapist_effects_of, treating
from sim.report.figures.clinic.service import facts_of_arms
from sim.report.text import arm_name, number, percent, scaled, sentences, signed_interval, with_interval
from sim.report.words import uncertainty
from sim.simulation.tables import Run

#: ``id``, ``title``, ``heads``, ``rows``, ``caption``, and how many columns are ``names``.
Table = dict[str, Any]


def of_results(run: Run) -> list[Table]:
    """The tables of a report: the pairings, or what a clinic's arms come to; with the ensemble also both intervals."""
    usual = _of_a_clinic(run) if run.scenario.design == "clinic" else [pairings_table(run)]
    return [*usual, uncertainty.table_of_intervals(run)] if len(run.ensemble) else usual


def caption_of_arms(run: Run) -> str:
    """What the numbers of the main table mean."""
    if run.scenario.design == "clinic":
        return " ".join(sentences("tables.j2", "clinic", arms=facts_of_arms(run)))
    facts = {"untreated": bool(measures.untreated_differences(run)), "sharing": run.scenario.clients_per_therapist > 1}
    return " ".join(sentences("tables.j2", "pairings", crossed=run.scenario.design == "crossed", **facts))


def pairings_table(run: Run) -> Table:
    """The table of pairings or arms as shown; columns with nothing to show are left out."""
    month = max(measures.comparison_month(run, arm.name) for arm in run.scenario.arms)
    crossed = run.scenario.design == "crossed"
    rows = [
        {
            **{name: r[name] for name in (("client", "therapist") if crossed else ("arm",))},
            "simulated clients": str(r["n"]),
            "late alliance (WAI 1-7), mean [95 % interval]": with_interval(r, 2, "wai"),
            "SD between clients": number(r["wai_sd"]),
            "overlap with reference": percent(r["overlap"]),
            "dropped out": percent(r["dropout"]),
            f"distress by month {month} (CORE-OM points)": with_interval(r, 1, "change"),
            "difference from no treatment": with_interval(r, 1, "difference_from_no_treatment"),
        }
        for r in measures.pairings(run).to_dict("records")
    ]
    table = pd.DataFrame(rows)
    table = table.loc[:, (table != "–").any()]
    title = "Pairings in numbers" if crossed else "Arms in numbers"
    return _table(
        "table-1", title, table.columns.to_list(), table.to_numpy().tolist(), caption_of_arms(run), names=2 if crossed else 1
    )


def _table(name: str, title: str, heads: list[str], rows: list[list[str]], caption: str, names: int = 1) -> Table:
    return {"id": name, "title": title, "heads": heads, "rows": rows, "caption": caption, "names": names}


def _of_a_clinic(run: Run) -> list[Table]:
    compared, usual = cm.rules_compared(run), arm_name(cm.reference(run.scenario))
    facts = {"replicates": run.scenario.replicates, "reference": usual}
    found = [_by_measure("arms-values", "Arms", compared, "mean", caption_of_arms(run))]
    if len(treating(run)) > 1:
        note = " ".join(sentences("tables.j2", "differences", **facts))
        apart = compared[compared["difference"].notna()]
        found.append(_by_measure("arms-differences", f"Differences from {usual}", apart, "difference", note))
    return [*found, _readings(run)] if is_contested(run) else found


def _by_measure(name: str, title: str, table: pd.DataFrame, value: str, caption: str) -> Table:
    """A row a measure and a column an arm: values, or differences with their sign."""
    write = with_interval if value == "mean" else signed_interval
    rows = {(r["measure"], r["arm"]): r for r in table.to_dict("records") if not np.isnan(r[value])}
    arms = list(dict.fromkeys(table["arm"]))
    cells = [
        [m.titled(), *(write(rows[key, a], m.digits, value) if (key, a) in rows else "–" for a in arms)]
        for key, m in CATALOGUE.items()
        if (table["measure"] == key).any()
    ]
    return _table(name, title, ["measure", *arms], cells, caption)


def _readings(run: Run) -> Table:
    """Where arms are readings of a contested finding: what each would mean for a study and for a clinic."""
    compared = {(r["measure"], r["arm"]): r for r in cm.rules_compared(run).to_dict("records")}
    fit = {r["arm"]: r for r in cm.pair_compatibility(run).to_dict("records")}
    heads = ["reading", "being alike with alliance (r)", "between therapists, early alliance (%)", "true (%)",
             "alliance (WAI, 1-7)", "dropped out (%)", "distress, arrival to end (CORE-OM points)"]  # fmt: skip
    rows = []
    for arm in treating(run):
        found = therapist_effects_of(run, arm)["alliance"]
        share = ["–", "–"]
        if found is not None:
            share = [with_interval(scaled(vars(found), 100, "share"), 1), number(100 * found.true_share, 1)]
        values = [
            with_interval(compared[m, arm], CATALOGUE[m].digits)
            for m in ("alliance_all_sessions", "dropout", "distress_last_rating")
        ]
        rows.append([arm, with_interval(fit[arm]), *share, *values])
    caption = " ".join(sentences("tables.j2", "readings", replicates=run.scenario.replicates))
    return _table("readings", "Readings side by side", heads, rows, caption)
