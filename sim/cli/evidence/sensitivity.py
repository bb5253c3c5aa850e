"""The command ``attune sensitivity``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim import screen
from sim.batch.progress import told_seconds
from sim.cli.evidence.options import AsJson, ScenarioFile, Threads, shown
from sim.cli.printed import indices as page
from sim.cli.printed import rates
from sim.errors import EvidenceError
from sim.evidence.sensitivity import analysis
from sim.evidence.sensitivity.ranges import movable_parameters
from sim.evidence.sensitivity.response import outcome
from sim.evidence.sensitivity.study import Study, heading
from sim.files import whole, writable
from sim.scenario.reading import lines_of
from sim.scenario.scenario import load
from sim.simulation.limits import fits

_PARAMETERS = typer.Option(
    help="A parameter of the model, or a group of them (attune params lists both); may be repeated; default: all that are free."
)
_RANGE = typer.Option("--range", help="Half the width of every range, as a proportion of the parameter's value (an assumption).")


#: Of so many runs it is said how long they take, where that is more than so many seconds of work.
_MANY, _LONG = 1000, 60.0


def sensitivity(
    scenario: ScenarioFile,
    measure: Annotated[str, typer.Option(help="A measure (alliance_all_sessions) or a column's mean (clients.distress_end).")],
    parameters: Annotated[list[str] | None, _PARAMETERS] = None,
    method: Annotated[str, typer.Option(help="morris (screening), sobol (proportions of variance), or both.")] = "both",
    trajectories: Annotated[int, typer.Option(help="Morris trajectories.")] = 10,
    samples: Annotated[int, typer.Option(help="Sobol base samples, a power of two.")] = 128,
    top: Annotated[int, typer.Option(help="How many of the parameters that Morris finds go on to Sobol.")] = 8,
    replicates: Annotated[
        int, typer.Option(help="Seeds at every point; the output is their mean, and their spread the sampling noise.")
    ] = 4,
    width: Annotated[float, _RANGE] = 0.25,
    seed: Annotated[int, typer.Option(help="Fixes all random draws: the same seed gives the same table.")] = 1,
    arm: Annotated[str | None, typer.Option(help="The arm to measure; default: the first with a therapist.")] = None,
    minus: Annotated[
        str | None, typer.Option(help="Another arm: the measure is then the arm minus this one, common random numbers.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables (CSV, JSON) and figures; it must not exist.")] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Say which parameters move a measure of a scenario. Morris screening, then Sobol indices, each beside its sampling noise."""
    wanted = load(scenario)
    measured = outcome(wanted, measure, arm, minus)
    analysis.checked(method, seed, trajectories, samples, replicates, top)
    if method == "sobol" and not parameters:
        raise EvidenceError("--method sobol needs --parameters; to have the parameters screened first, use --method both")
    ranges, left = movable_parameters(wanted, measured.arms, parameters or (), width)
    with lines_of(scenario):
        sizes = [fits(wanted, of=part) for part in measured.simulated]
    if out is not None:
        writable(out)
    runs = analysis.runs_of(len(ranges), method, trajectories, samples, replicates, top)
    if runs >= _MANY:
        rate = rates.rates(tell=screen.note)
        if (seconds := runs * sum(one.seconds(rate) for one in sizes)) > _LONG:
            screen.note(f"About {runs:,} runs, {told_seconds(seconds)} of work on one core.")
    with screen.progress() as tell:
        found = analysis.sensitivity(
            measured, ranges, seed, method=method, trajectories=trajectories, samples=samples, replicates=replicates, top=top,
            threads=threads, progress=lambda part, done, total: tell(done, total, part),
        )  # fmt: skip
    study = Study(wanted, measured, found, left, width, method, top)
    if out is not None:
        with whole(out) as partial:
            page.write(study, partial)
    if not as_json:
        screen.heading(heading(study))
    written = [] if out is None else [f"Written: {out}"]
    shown(page.as_data(study), as_json, page.tables(study), *page.summary(study), *written)
