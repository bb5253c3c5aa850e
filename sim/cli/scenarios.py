"""The commands about scenario files: check, new, params, trace, schema."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from sim import screen
from sim.batch.chunk import seed_at
from sim.batch.needs import fitting
from sim.batch.plan import planned
from sim.catalogue.columns import EXCHANGES
from sim.cli.evidence.options import AsJson, ScenarioFile, Seed, WithFiles
from sim.cli.printed import listing, rates
from sim.cli.printed import session as story
from sim.errors import UsageError
from sim.export.csv import csv_free, write_csv
from sim.files import write_new
from sim.naming import nearest
from sim.scenario.points import points_of, scenario_at
from sim.scenario.reading import lines_of
from sim.scenario.scenario import Scenario, json_schema, load
from sim.simulation.build import somebody_fits
from sim.simulation.limits import disk_of, fits
from sim.simulation.sizes import Sizes
from sim.simulation.trace import traced_course
from sim.storage.added import run_files
from sim.theory.parameters import PARAMETERS
from sim.therapy.clinic.matching import rule_names
from sim.therapy.clinic.plan import Plan
from sim.therapy.policies import POLICIES
from sim.therapy.training import PROGRAMMES
from sim.version import __version__

#: Notes on arms that are printed.
MOST_NOTES = 40
_WORD = typer.Argument(help="Show only parameters whose name, group or meaning contains this.")


def loaded(file: Path, with_files: list[Path] | None, point: int | None = None, seed: int = 1) -> tuple[Scenario, int]:
    """The scenario and the seed, or those of one point of its batch. Raises ``UsageError`` for a point that is not there."""
    run_files(with_files)
    scenario = load(file)
    if point is None:
        return scenario, seed
    points = points_of(scenario)
    if scenario.batch is None or point >= len(points):
        has = f"points 0 to {len(points) - 1}" if scenario.batch is not None else "no batch"
        raise UsageError(f"--point {point}: {scenario.name} has {has}")
    changes = points[point].changes
    return scenario_at(scenario, changes), seed_at(seed, scenario.batch.random_numbers, changes)


def check(
    scenario: ScenarioFile,
    with_files: WithFiles = None,
    out: Annotated[Path | None, typer.Option(help="Folder the results would go to; default: as attune run.")] = None,
    anew: Annotated[
        bool, typer.Option("--time", help="Measure anew how fast this machine is, for the time it would take.")
    ] = False,
) -> None:
    """Check a scenario file and say what it would run, how large that is, and how long it takes here."""
    with lines_of(scenario):
        s, _ = loaded(scenario, with_files)
        folder = out or Path("results", s.name, *(["batch-seed-1"] if s.batch is not None else []))
        plan = None if s.batch is None else planned(s, 0)
        sizes = fits(s, folder) if plan is None else fitting(plan, None, folder)
        if plan is None:  # of a batch they are looked for at its points
            somebody_fits(s)
    screen.heading(s.question)
    screen.show(listing.plan_of(s))
    notes = [f"Note: {arm.name}: {note}." for arm in s.arms for note in arm.notes()]
    screen.say(*notes[:MOST_NOTES], *([f"... and {len(notes) - MOST_NOTES:,} more notes."] if len(notes) > MOST_NOTES else []))
    rate = rates.rates(anew, screen.note)
    if isinstance(sizes, Sizes):
        screen.say(listing.needs_of(sizes.rows, sizes.memory, disk_of(sizes), folder, rates.of_run(s, sizes, rate)))
        screen.say(f"{scenario}: valid. {listing.sizes_of(s)}")
    elif plan is not None:
        took = rates.of_batch(plan, sizes, rate)
        screen.say(listing.batch_of(plan))
        screen.say(listing.needs_of(sizes.rows, sizes.memory, sizes.disk, folder, took))
        screen.say(f"{scenario}: valid.")


def new(
    name: Annotated[str, typer.Argument(help="Name of the scenario to start.")],
    clinic: Annotated[bool, typer.Option("--clinic", help="A clinic, with waiting list and caseloads.")] = False,
) -> None:
    """Write a commented scenario to start from."""
    stem = unicodedata.normalize("NFC", name.removesuffix(".yaml"))
    if not re.fullmatch(r"\w[\w-]*", stem):
        raise UsageError(f"'{name}' cannot be a scenario's name; use letters, digits, - and _")
    folder = Path("scenarios") if Path("scenarios").is_dir() else Path()
    path = folder / f"{stem}.yaml"
    template = "clinic.yaml" if clinic else "arms.yaml"
    text = resources.files("sim.scenario").joinpath("templates", template).read_text(encoding="utf-8")
    if (folder / "schema.json").exists():
        text = "# yaml-language-server: $schema=schema.json\n" + text
    write_new(path, text)
    screen.say(f"Wrote {path}. Edit it, then:\n  attune check {path}\n  attune run {path}")


def params(
    word: Annotated[str | None, _WORD] = None,
    as_json: AsJson = False,
    policies: Annotated[bool, typer.Option("--policies", help="List what therapists can be told to do instead.")] = False,
    clinic: Annotated[bool, typer.Option("--clinic", help="List what a clinic can say instead.")] = False,
) -> None:
    """List the parameters of the model. Each with default, unit, range, source, status and meaning."""
    if policies or clinic:
        if as_json or word is not None:
            raise UsageError("a word and --json choose among the parameters; they do not go with --policies or --clinic")
        screen.show(*([listing.policies()] if policies else []), *(listing.clinic() if clinic else []))
        return
    chosen = [n for n in PARAMETERS.values() if word is None or word.lower() in f"{n.name} {n.group} {n.meaning}".lower()]
    if not chosen:
        raise UsageError(f"no parameter's name or meaning contains '{word}'{_elsewhere(word or '')}")
    if as_json:
        screen.say(json.dumps([asdict(n) for n in chosen], indent=2))
        return
    screen.show(*listing.parameters_of(chosen))
    screen.say("Parameters that begin with client_ or therapist_ hold for that role alone, the others for both people.")


def _elsewhere(word: str) -> str:
    """Where else there is something of that name: what therapists can be told, what a clinic can say, or a word that is near."""
    of_clinic = (*Plan.model_fields, *rule_names(), *PROGRAMMES)
    lists: dict[str, Iterable[str]] = {"--policies": POLICIES, "--clinic": of_clinic}
    for option, names in lists.items():
        found = [name for name in names if word.lower() in name.lower()]
        if found:
            return f"; attune params {option} lists {', '.join(found)}"
    parts = [part for name in PARAMETERS for part in name.split("_")]
    return nearest(word, PARAMETERS) or nearest(word, list(dict.fromkeys(parts)))


def trace(
    scenario: ScenarioFile,
    arm: Annotated[str | None, typer.Option(help="Name of the arm; default: the first with a therapist.")] = None,
    client: Annotated[int, typer.Option(min=0, help="Number of the client within the arm, from 0.")] = 0,
    session: Annotated[int, typer.Option(min=1, help="Number of the session, from 1.")] = 1,
    seed: Seed = 1,
    replicate: Annotated[int, typer.Option(min=0, help="Replicate, from 0.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Also write every quantity of every exchange to this CSV file.")] = None,
    point: Annotated[int | None, typer.Option(min=0, help="Of a scenario with a batch: the point to look into.")] = None,
    with_files: WithFiles = None,
) -> None:
    """Look inside one session, exchange by exchange."""
    if csv is not None:
        csv_free(csv)
    s, seed = loaded(scenario, with_files, point, seed)
    exchanges, sessions, chosen = traced_course(s, seed, arm, client, replicate)
    if session > len(sessions):
        ending = sessions.attrs["ending"]
        raise UsageError(
            f"client {client} of arm '{chosen}' had {len(sessions)} sessions ({ending}); --session must be 1 to {len(sessions)}"
        )
    if csv is not None:
        said = f"attune {__version__}: synthetic data, simulated people; {s.name}, seed {seed}"
        told = {name: f"{column.meaning} ({column.unit})" for name, column in EXCHANGES.items()}
        write_csv(csv, exchanges, [said], {name: told.get(name, "added") for name in exchanges.columns})
    inside = exchanges[exchanges["session"] == session]
    screen.heading(f"{chosen}: client {client}, session {session}, seed {seed} (simulated people)")
    screen.show(screen.table_of(story.told(inside), "all in 0..1; read from left to right", compact=True))
    screen.say("  ".join(f"{heading}: {meaning};" for heading, meaning in story.STORY.values() if meaning))
    screen.say(story.ended(sessions[sessions["session"] == session].iloc[0]))


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    screen.say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
