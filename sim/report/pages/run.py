"""The report of a run: one file that opens anywhere, to be mailed, printed and cited.

Its words are made from the numbers and from the model by templates; nothing is written by hand for one scenario.
"""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from sim import measures
from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.compiling import sources_hash
from sim.evidence.claims import verdicts
from sim.files import folder_at, write_here
from sim.report.drawing import Facts, image, styled
from sim.report.figures import chosen
from sim.report.figures.session import told_session
from sim.report.letters import legible
from sim.report.text import environment
from sim.report.words import answer, basis, captions, caveats, tables, uncertainty
from sim.report.words.basis import Assumption, Involved
from sim.simulation.tables import Run
from sim.storage import added
from sim.storage.reading import opened
from sim.storage.store import run_id
from sim.theory.claims import Source, sources
from sim.version import __version__

#: How the program is cited; the same as in CITATION.cff, which is not part of an installed package. The year is the licence's.
PROGRAM = {
    "title": "Attune: an agent-based simulation of alliance, empathy and attachment in psychotherapy",
    "authors": "The Attune authors",
    "year": 2026,
}


def drawn(run: Run) -> dict[str, tuple[Figure, Facts]]:
    """The figures that have something to show, by name, with the facts of their words; first those of an experiment."""
    found: dict[str, tuple[Figure, Facts]] = {}
    for name in chosen.shown(run):
        which = {"session": told_session(run)} if name == "one_session" else {}
        made, facts = chosen.FIGURES[name].with_facts(run, **which)
        found[name] = (made if isinstance(made, Figure) else made.figure), facts
    return found


def settle(figure: Figure) -> None:
    """Find a place for everything once, and round it: the layout's solver differs in the last bits from time to time."""
    with legible(figure):
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


def origin(run: Run, folder: Path) -> dict[str, str]:
    """Id, version and hash of the sources, from the manifest of the run if it lies here or one folder up; else as of now."""
    for place in (folder, folder.parent):
        try:
            manifest = opened(place).manifest
            kept = (manifest["resolved_scenario"], manifest["seed"]) == (json.loads(json.dumps(run.scenario.spec)), run.seed)
            if kept:
                return {"id": manifest["id"], "version": manifest["versions"]["attune"], "sources": manifest["sources"]}
        except (OSError, KeyError):
            continue
    return {"id": run_id(run.scenario, run.seed, run.model), "version": __version__, "sources": sources_hash()}


def commands(run: Run) -> str:
    """Command lines that make the same tables again."""
    file = shlex.quote(f"{run.scenario.name}.yaml")
    if run.own_model:  # a model changed in Python is no part of a scenario file
        changed = "; ".join(f"{what}: {of}" for what, of in run.own_model.items())
        file = repr(f"{run.scenario.name}.yaml")
        return f"# with the changed model ({changed})\nsim.run(sim.load({file}), seed={run.seed}, model=...)"
    own = ", ".join(added.in_manifest(run.scenario).get("matching", {}))
    more = f" --with FILE   # the file that adds the matching rule {own}" if own else ""
    return f"attune check {file}{more}\nattune run {file} --seed {run.seed}{more}"


def cited(shown: list[Involved], parameters: list[Assumption]) -> list[Source]:
    """The sources of what the comparison rests on, each once: of the claims, then of the numbers."""
    keys = [one.claim.source for one in shown] + [n.source for n in parameters if n.source]
    return [sources()[key] for key in dict.fromkeys(keys)]


def left_out(run: Run) -> list[str]:
    """Which usual figures are not shown, and why; nothing of those of one client, which only runs that ask for it have."""
    why: dict[str, list[str]] = {}
    for name, reason in chosen.left_out(run).items():
        if name not in chosen.FOLLOWED:
            why.setdefault(reason, []).append(chosen.words()[name]["called"])
    return [f"{'; '.join(titles)}: {reason}." for reason, titles in why.items()]


def write_report(run: Run, folder: str | Path) -> Path:
    """Write ``report.html`` and ``figures/`` into a folder; the same run gives the same bytes. Returns the report's path."""
    folder = Path(folder)
    figures = folder_at(folder / "figures")
    shown, parameters = basis.involved(run.scenario), basis.assumptions(run.scenario)
    template = environment().get_template("report.html.j2")
    page = template.render(
        run=run,
        scenario=run.scenario,
        origin=origin(run, folder),
        paragraph=answer.paragraph(run),
        in_detail=answer.in_detail(run),
        tables=tables.of_results(run),
        therapy=any(arm.therapist is not None for arm in run.scenario.arms),
        figures=[
            {"name": name, **captions.of_figure(run, name, facts), "source": Markup(saved(figure, figures / name))}
            for name, (figure, facts) in drawn(run).items()
        ],
        left_out=left_out(run),
        counted=captions.counted(run),
        measures=[
            {"measure": name, "meaning": CATALOGUE[name].definition, "value": measures.number(run, name)}
            for name in measures_of_runs(run.scenario.design == "clinic")
        ],
        involved=shown,
        also=basis.also_at_work(run.scenario),
        verdicts=verdicts.said(),
        verdicts_refused=verdicts.refused(),
        sources=sources(),
        sampling=caveats.sampling(run),
        left_open=uncertainty.left_open(run),
        assumptions=parameters,
        conflicts=caveats.conflicts(run, shown),
        design=caveats.design(run),
        commands=commands(run),
        program=PROGRAM,
        cited=cited(shown, parameters),
    )
    return write_here(folder / "report.html", page)
