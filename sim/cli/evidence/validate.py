"""The command ``attune validate``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sim import screen
from sim.cli.evidence import refits
from sim.cli.evidence.calibrate import keep_as
from sim.cli.evidence.options import AsJson, Keep, Seed, Threads, shown
from sim.cli.printed import patterns as page
from sim.errors import UsageError
from sim.evidence.calibration.seeds import reserved
from sim.evidence.patterns import validation as evidence
from sim.evidence.patterns.published import chosen
from sim.evidence.patterns.studies import changes_of
from sim.evidence.stored import in_a_clone
from sim.scenario.scenario import load

_LONG = Path("results") / "validation"
SHIPPED_ROUNDS, SHIPPED_MEMBERS = 4, 6  # of the results that are kept with the product
#: Which options go with what is asked for; all others go with everything.
_BELONGS = {
    "the plain table": ("seed", "pattern", "scenario", "out", "size", "threads"),
    "--leave-one-out": ("pattern", "folder", "workers"),
    "--competing": ("model", "rounds", "folder", "workers", "out"),
    "--claims-over": ("folder", "threads"),
}


def validate(
    ctx: typer.Context,
    seed: Seed = 1,
    pattern: Annotated[list[str] | None, typer.Option(help="A pattern by its id (5.1); may be repeated; default: all.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="Validate the model that this scenario file changes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table (JSON) and the forest plot.")] = None,
    size: Annotated[
        float, typer.Option(min=0.02, max=10.0, help="Proportion of the usual number of people: rougher below 1.")
    ] = 1.0,
    threads: Threads = None,
    as_json: AsJson = False,
    leave_one_out: Annotated[bool, typer.Option("--leave-one-out", help="Predict each row by a fit without it (long).")] = False,
    competing: Annotated[bool, typer.Option("--competing", help="Refit competing models and compare them (long).")] = False,
    model: Annotated[list[str] | None, typer.Option(help="With --competing: only this one beside the shipped model.")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="With --competing: steps of each refit.")] = SHIPPED_ROUNDS,
    claims_over: Annotated[int, typer.Option(min=0, max=1000, help="Test the claims under so many members.")] = 0,
    folder: Annotated[Path, typer.Option(help="Where long work keeps its tables, to go on from there.")] = _LONG,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of long work. Does not change results.")] = None,
    keeping: Keep = False,
) -> None:
    """Hold the model against published patterns. Simulated as they were studied, with a joint score. Exit 1 where it fails."""
    long = {"--leave-one-out": leave_one_out, "--competing": competing, "--claims-over": claims_over}
    asked = [name for name, wanted in long.items() if wanted]
    if len(asked) > 1:
        raise UsageError("--leave-one-out, --competing and --claims-over are long; ask for one at a time")
    what = next(iter(asked), "the plain table")
    for option in dict.fromkeys(name for names in _BELONGS.values() for name in names if name not in _BELONGS[what]):
        if getattr(ctx.get_parameter_source(option), "name", "") == "COMMANDLINE":
            raise UsageError(f"--{option} belongs to {' and '.join(one for one, names in _BELONGS.items() if option in names)}")
    if keeping and (scenario is not None or pattern or model or (not asked and (seed != 1 or size != 1.0))):
        raise UsageError("what is kept is on seed 1 with all patterns and models; leave out what changes that")
    if keeping and ((competing and rounds != SHIPPED_ROUNDS) or 0 < claims_over < SHIPPED_MEMBERS):
        raise UsageError(
            f"--keep keeps competing models of {SHIPPED_ROUNDS} rounds and claims over at least {SHIPPED_MEMBERS} members"
        )
    if keeping:
        in_a_clone()
    if leave_one_out:
        refits.leave_one_out(folder, pattern or (), workers, keeping, as_json)
    elif competing:
        refits.competing(folder, model or (), rounds, workers, keeping, as_json, out)
    elif claims_over:
        refits.claims(folder, claims_over, threads, keeping, as_json)
    if asked:
        return
    if reserved(seed):
        screen.note(f"Note: a search, or a check kept with the product, used seed {seed}; others are random draws of their own.")
    wanted = [one.id for one in chosen(pattern or ())]
    changes = {} if scenario is None else changes_of(load(scenario))
    if out is not None:
        page.room_for(out)
    with screen.progress() as tell:
        result = evidence.validate(seed, wanted, changes, size=size, threads=threads, progress=partial(tell, what="patterns"))
    if out is not None:
        page.write(result, out)
    data, written = page.as_data(result), [] if out is None else [f"Written: {out}"]
    shown(data, as_json, page.tables(result), *page.summary(result), page.legend(), *written)
    if keeping:
        keep_as("validation", data)
    if not result.passes:
        sys.exit(1)
