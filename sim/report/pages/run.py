"""The report of a run: one file that opens anywhere, to be mailed, printed and cited.

Its words are made from the numbers (``answer``, ``captions``, ``doubts``) and from the model (``involved``); nothing is written
by hand for one scenario.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from sim import measures
from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.compiling import sources_hash
from sim.evidence.claims import verdicts
from sim.files import folder_at, write_here
from sim.report.drawing import image, styled
from sim.report.figures import chosen
from sim.report.figures.session import events
from sim.report.text import number, percent, with_interval
from sim.report.words import answer, captions
from sim.report.words import basis as involved
from sim.report.words import caveats as doubts
from sim.report.words import uncertainty as answer_ensemble
from sim.report.words.basis import Assumption, Involved
from sim.report.words.clinic import captions as captions_clinic
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage.store import run_id
from sim.theory.claims import Source, sources
from sim.version import __version__

#: How the program is cited; the same as in CITATION.cff, which is not part of an installed package. The year is the licence's.
TITLE = "Attune: an agent-based simulation of alliance, empathy and attachment in psychotherapy"
AUTHORS = "The Attune authors"
YEAR = 2026


def whole_run(run: Run) -> pd.DataFrame:
    """The measures that are one number: name, meaning, value."""
    names = measures_of_runs(run.scenario.design == "clinic")
    return pd.DataFrame(
        [{"measure": name, "meaning": CATALOGUE[name].definition, "value": measures.number(run, name)} for name in names]
    )


# -------------------------------------------------------------------------------------------------------- the tables


def pairings_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the pairings table as shown; columns with nothing to show are left out."""
    table = measures.pairings(run)
    crossed = run.scenario.design == "crossed"
    month = max(measures.comparison_month(run, arm.name) for arm in run.scenario.arms)
    columns: dict[str, Callable[[Mapping[Any, Any]], str]] = {
        **(
            {"client": lambda r: str(r["client"]), "therapist": lambda r: str(r["therapist"])}
            if crossed
            else {"arm": lambda r: str(r["arm"])}
        ),
        "simulated clients": lambda r: str(r["n"]),
        "late alliance (WAI 1-7), mean [95 % interval]": lambda r: _ranged(r, "wai", 2),
        "SD between clients": lambda r: number(r["wai_sd"]),
        "overlap with reference": lambda r: percent(r["overlap"]),
        "dropped out": lambda r: percent(r["dropout"]),
        f"distress by month {month} (CORE-OM points)": lambda r: _ranged(r, "change", 1),
        "difference from no treatment": lambda r: _ranged(r, "difference_from_no_treatment", 1),
    }
    rows = [[write(r) for write in columns.values()] for r in table.to_dict("records")]
    kept = [k for k in range(len(columns)) if any(row[k] != "–" for row in rows)]
    return [list(columns)[k] for k in kept], [[row[k] for k in kept] for row in rows]


def result_tables(run: Run) -> list[dict[str, Any]]:
    """The tables of a report: the pairings, or what a clinic's arms come to; each with id, title, heads, rows and caption."""
    more = [answer_ensemble.table_of_intervals(run)] if answer_ensemble.asks_for_the_ensemble(run) else []
    if run.scenario.design == "clinic":
        return [*captions_clinic.tables(run), *more]
    heads, rows = pairings_table(run)
    title = "Pairings in numbers" if run.scenario.design == "crossed" else "Arms in numbers"
    return [{"id": "table-1", "title": title, "heads": heads, "rows": rows, "caption": captions.table_caption(run)}, *more]


def _ranged(row: Mapping[Any, Any], name: str, digits: int) -> str:
    if np.isnan(row[name]):
        return "–"
    return with_interval({"mean": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}, digits)


# ------------------------------------------------------------------------------------------------------- the figures


def told_session(run: Run) -> dict[str, Any]:
    """Which traced session the report shows: the first with a rupture, of the pair traced first; else its first session."""
    rows = run.exchanges
    if rows.empty:
        return {}
    one = rows[
        (rows["arm"] == rows["arm"].iloc[0])
        & (rows["client"] == rows["client"].iloc[0])
        & (rows["replicate"] == rows["replicate"].min())
    ]
    for session, part in one.groupby("session"):
        if any(name != "repair" for _, name in events(part)):
            return {"session": int(str(session)), "rupture": True}
    return {"session": 1, "rupture": False}


def drawn(run: Run) -> dict[str, Figure]:
    """The figures that have something to show, by name; first those of an experiment on the model."""
    found: dict[str, Any] = {name: draw(run) for name, (draw, asked) in chosen.EXPERIMENTS.items() if asked(run)}
    told, out = told_session(run), chosen.left_out(run)
    for name, draw in chosen.FIGURES.items():
        if name in out:
            continue
        made = draw(run, session=told["session"]) if name == "one_session" else draw(run)
        found[name] = made if isinstance(made, Figure) else made.figure
    return found


def settle(figure: Figure) -> None:
    """Find a place for everything once, and round it: the layout's solver differs in the last bits from time to time."""
    figure.draw_without_rendering()
    # With no layout engine at all, saving draws once instead of twice.
    with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
    for ax in figure.axes:
        left, bottom, width, height = (round(x, 4) for x in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height), which="original")
        if ax.get_axes_locator() is None:
            ax.apply_aspect()


def saved(figure: Figure, path: Path) -> str:
    """Save as SVG and PNG, with nothing in them that changes from day to day; the SVG as a data URI."""
    with styled():
        settle(figure)
        svg = image(figure, "svg")
        write_here(path.with_suffix(".svg"), svg)
        write_here(path.with_suffix(".png"), image(figure, "png", pil_kwargs={"compress_level": 1}))
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


# -------------------------------------------------------------------------------------------- doing it again, citing


def origin(run: Run, folder: Path) -> dict[str, str]:
    """Id, version and hash of the sources, from the manifest of the run if it lies here or one folder up; else as of now."""
    for place in (folder, folder.parent):
        try:
            manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
            kept = (manifest["resolved_scenario"], manifest["seed"]) == (json.loads(json.dumps(run.scenario.spec)), run.seed)
            if kept:
                return {"id": manifest["id"], "version": manifest["versions"]["attune"], "sources": manifest["sources"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {"id": run_id(run.scenario, run.seed, run.model), "version": __version__, "sources": sources_hash()}


def commands(run: Run) -> str:
    """Command lines that make the same tables again."""
    file = shlex.quote(f"{run.scenario.name}.yaml")
    if run.own_model:  # a model changed in Python is no part of a scenario file
        changed = "; ".join(f"{what}: {of}" for what, of in run.own_model.items())
        file = repr(f"{run.scenario.name}.yaml")
        return f"# with the changed model ({changed})\nsim.run(sim.load({file}), seed={run.seed}, model=...)"
    own = ", ".join(added.own_rules(run.scenario))
    more = f" --with FILE   # the file that adds the matching rule {own}" if own else ""
    return f"attune check {file}{more}\nattune run {file} --seed {run.seed}{more}"


def cited(shown: list[Involved], parameters: list[Assumption]) -> list[Source]:
    """The sources of what the comparison rests on, each once: of the claims, then of the numbers."""
    keys = [one.claim.source for one in shown] + [n.source for n in parameters if n.source]
    return [sources()[key] for key in dict.fromkeys(keys)]


# ------------------------------------------------------------------------------------------------------- the report


@lru_cache(maxsize=None)
def template(name: str = "report.html.j2") -> Any:
    """A page's template, by its file."""
    place = Path(__file__).parents[1] / "templates"
    return Environment(
        loader=FileSystemLoader(place), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template(name)


def left_out(run: Run) -> list[str]:
    """Which usual figures are not shown, and why; nothing of one session, which only runs that ask for it have."""
    why: dict[str, list[str]] = {}
    for name, reason in chosen.left_out(run).items():
        if name != "one_session":
            why.setdefault(reason, []).append(captions.TITLES[name])
    return [f"{'; '.join(titles)}: {reason}." for reason, titles in why.items()]


def _shown_figures(run: Run, figures: Path) -> list[dict[str, Any]]:
    """The figures, saved, with title, caption and what is to be seen."""
    told, shown = told_session(run), []
    for name, figure in drawn(run).items():
        title, caption = captions.caption(run, name, told)
        source = Markup(saved(figure, figures / name))
        shown.append({"name": name, "title": title, "caption": caption, "alt": captions.seen(run, name, told), "source": source})
    return shown


def write_report(run: Run, folder: str | Path) -> Path:
    """Write ``report.html`` and ``figures/`` into a folder; the same run gives the same bytes. Returns the report's path."""
    folder = Path(folder)
    figures = folder / "figures"
    folder_at(figures)
    tables = result_tables(run)
    shown, parameters = involved.involved(run.scenario), involved.assumptions(run.scenario)
    page = template().render(
        scenario=run.scenario,
        seed=run.seed,
        origin=origin(run, folder),
        paragraph=answer.paragraph(run),
        in_detail=answer.in_detail(run),
        tables=tables,
        names=2 if run.scenario.design == "crossed" else 1,
        therapy=any(arm.therapist is not None for arm in run.scenario.arms),
        figures=_shown_figures(run, figures),
        left_out=left_out(run),
        n=captions.counted(run),
        measures=[{**row, "value": number(row["value"], 3)} for row in whole_run(run).to_dict("records")],
        involved=shown,
        also=involved.also_at_work(run.scenario),
        verdicts=verdicts.said(),
        sources=sources(),
        sampling=doubts.sampling(run),
        left_open=answer_ensemble.left_open(run),
        assumptions=parameters,
        conflicts=doubts.conflicts(run, shown),
        design=doubts.design(run),
        commands=commands(run),
        yaml=run.scenario.to_yaml(),
        file=f"{run.scenario.name}.yaml",
        title=TITLE,
        authors=AUTHORS,
        year=YEAR,
        cited=cited(shown, parameters),
    )
    return write_here(folder / "report.html", page)
