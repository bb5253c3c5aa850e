"""The report of a batch: one file that opens anywhere, with a figure a measure, the table of results, and what failed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from markupsafe import Markup

from sim.batch.results import BatchResults
from sim.catalogue.measures import CATALOGUE
from sim.files import folder_at, replacing, write_here
from sim.report.figures import sweep as plots_batch
from sim.report.pages.run import AUTHORS, TITLE, YEAR, saved, template
from sim.report.text import number
from sim.report.words.sweep import SHOWN, answer, capital, differences, how_known, replicates_said, results_table

#: Rows of a table in the report; the files have all.
MOST_ROWS = 200


def _seen(found: BatchResults, measure: str) -> str:
    """A figure in words: where the means lie."""
    table = plots_batch.measured(found, measure)
    title, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
    over = ", ".join(plots_batch.shown_factors(found)) or "the arms"
    return f"{title} ({unit}) over {over}: means from {number(table['mean'].min())} to {number(table['mean'].max())}."


def _figures(found: BatchResults, place: Path) -> list[dict[str, Any]]:
    effects = found.effects()
    plain = effects[effects["minus"].astype("str") == ""]
    shown = []
    for measure in (m for m in SHOWN[found.clinic] if plain.loc[plain["measure"] == m, "mean"].notna().any()):
        source = saved(plots_batch.over_factors(found, measure), place / measure)
        title = CATALOGUE[measure].title
        more = plots_batch.how_to_read(found)
        shown.append({"source": Markup(source), "alt": _seen(found, measure), "caption": f"{capital(title)}. {more}"})
    return shown


def write_batch_report(found: BatchResults) -> Path:
    """Write ``report.html`` and ``figures/`` into a batch's folder, all or nothing. Returns the report's path."""
    table = results_table(found)
    heads, rows = differences(found)
    batch = found.scenario.batch
    own_draws = batch is not None and batch.random_numbers == "own"
    draws = (
        "Every point has random draws of its own."
        if own_draws
        else "All points and arms share people and random draws, so that they can be compared pair by pair."
    )
    page_of: dict[str, Any] = {
        "scenario": found.scenario, "manifest": found.manifest, "runs": int(found.points["replicates"].sum()) * _arms(found),
        "answer": answer(found), "heads": list(table.columns), "rows": table.head(MOST_ROWS).to_numpy().tolist(),
        "caption": f"{how_known(found)} " + (f"The first {MOST_ROWS} of {len(table)} rows." if len(table) > MOST_ROWS else ""),
        "difference_heads": heads, "differences": rows[:MOST_ROWS],
        "cut": f"The first {MOST_ROWS} of {len(rows)} rows." if len(rows) > MOST_ROWS else "",
        "failures": [{**f, "replay": f["replay"].replace("FOLDER", shlex.quote(str(found.folder)))}
                     for f in (found.failures.to_dict("records") if len(found.failures) else [])],
        "draws": draws, "repeats": f"{capital(replicates_said(found))}.", "commands": _commands(found),
        "kept": [name for name in found.manifest["tables"] if name not in ("points", "summaries", "failures")],
        "yaml": found.scenario.to_yaml(), "title": TITLE, "authors": AUTHORS, "year": YEAR,
    }  # fmt: skip
    with replacing(found.folder) as beside:
        figures = folder_at(beside / "figures")
        page = template("batch_report.html.j2").render(figures=_figures(found, figures), **page_of)
        write_here(beside / "report.html", page)
    return found.folder / "report.html"


def _arms(found: BatchResults) -> int:
    return len(found.scenario.arms)


def _commands(found: BatchResults) -> str:
    file = shlex.quote(f"{found.scenario.name}.yaml")
    more = "".join(f" --with {shlex.quote(name)}" for name in found.manifest["files"])
    asked = "" if found.scenario.batch is not None else " --batch"
    said = found.scenario.batch.keep if found.scenario.batch is not None else ()
    kept = [name for name in found.manifest["tables"] if name not in ("points", "summaries", "failures") and name not in said]
    keep = "".join(f" --keep {name}" for name in kept)
    return f"attune check {file}{more}\nattune run {file} --seed {found.seed}{asked}{keep}{more}"
