"""The report of a batch: one file that opens anywhere, with a figure a measure, the table of results, and what failed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from markupsafe import Markup

from sim.batch.results import BatchResults
from sim.catalogue.measures import CATALOGUE
from sim.files import folder_at, replacing, write_here
from sim.report import letters
from sim.report.figures import sweep
from sim.report.pages.run import PROGRAM, saved
from sim.report.text import environment
from sim.report.words.sweep import SHOWN, answer, differences_table, how_known, plain_effects, replicates_said, results_table

#: Rows of a table in the report; the files have all.
MOST_ROWS = 200


def _figures(found: BatchResults, place: Path) -> list[dict[str, Any]]:
    """A figure a measure, saved, with what its words are made of."""
    plain, shown = plain_effects(found).dropna(subset="value"), []
    for measure in (m for m in SHOWN[found.clinic] if (plain["measure"] == m).any()):
        title, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
        means = sweep.measured(found, measure)["value"]
        source = Markup(saved(sweep.over_factors(found, measure), place / measure))
        shown.append({"source": source, "title": title, "unit": unit, "low": means.min(), "high": means.max()})
    return shown


def _commands(found: BatchResults, kept: list[str]) -> str:
    """Command lines that make the same tables again."""
    file, batch = shlex.quote(f"{found.scenario.name}.yaml"), found.scenario.batch
    more = "".join(f" --with {shlex.quote(name)}" for name in found.manifest["files"])
    keep = "".join(f" --keep {name}" for name in kept if batch is None or name not in batch.keep)
    return f"attune check {file}{more}\nattune run {file} --seed {found.seed}{'' if batch else ' --batch'}{keep}{more}"


def write_batch_report(found: BatchResults) -> Path:
    """Write ``report.html`` and ``figures/`` into a batch's folder, all or nothing. Returns the report's path."""
    table, batch = results_table(found), found.scenario.batch
    letters.tell([*(arm.name for arm in found.scenario.arms), *found.points["name"], found.scenario.name])
    heads, rows = differences_table(found)
    kept = [name for name in found.manifest["tables"] if name not in ("points", "summaries", "failures")]
    with replacing(found.folder) as beside:
        template = environment().get_template("batch_report.html.j2")
        page = template.render(
            scenario=found.scenario,
            manifest=found.manifest,
            runs=int(found.points["replicates"].sum()) * len(found.scenario.arms),
            answer=answer(found),
            figures=_figures(found, folder_at(beside / "figures")),
            factors=sweep.shown_factors(found),
            how_to_read=sweep.how_to_read(found),
            results={"heads": list(table.columns), "rows": table.to_numpy().tolist(), "known": how_known(found)},
            differences={"heads": heads, "rows": rows},
            most_rows=MOST_ROWS,
            failures=found.failures.to_dict("records"),
            folder=shlex.quote(str(found.folder)),
            own_draws=batch is not None and batch.random_numbers == "own",
            repeats=replicates_said(found),
            commands=_commands(found, kept),
            kept=kept,
            program=PROGRAM,
        )
        write_here(beside / "report.html", page)
    return found.folder / "report.html"
