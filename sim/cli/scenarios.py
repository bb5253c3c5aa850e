"""The commands about scenario files: check, new, params, trace, schema."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from sim import screen
from sim.batch.chunk import seed_at
from sim.catalogue.columns import EXCHANGES
from sim.cli.evidence.options import AsJson, ScenarioFile, Seed, WithFiles
from sim.cli.printed import listing
from sim.cli.printed import session as story
from sim.errors import UsageError
from sim.export.csv import write_csv
from sim.files import write_new
from sim.naming import nearest
from sim.scenario.points import points_of, scenario_at
from sim.scenario.scenario import Scenario, json_schema, load
from sim.simulation.sizes import fits_in_memory
from sim.simulation.trace import traced_course
from sim.storage.added import run_files
from sim.theory.parameters import PARAMETERS
from sim.version import __version__

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


def check(scenario: ScenarioFile, with_files: WithFiles = None) -> None:
    """Check a scenario file and say what it would run."""
    s, _ = loaded(scenario, with_files)
    if s.batch is None:
        fits_in_memory(s)
    screen.heading(s.question)
    screen.show(listing.plan_of(s))
    screen.say(*(f"Note: {arm.name}: {note}." for arm in s.arms for note in arm.notes()))
    if s.batch is not None:
        screen.say(f"{listing.batch_of(s)}\n{scenario}: valid. attune run tells how long it will take once it has begun.")
        return
    screen.say(f"{scenario}: valid. {listing.sizes_of(s)}")


def new(
    name: Annotated[str, typer.Argument(help="Name of the scenario to start.")],
    clinic: Annotated[bool, typer.Option("--clinic", help="A clinic, with waiting list and caseloads.")] = False,
) -> None:
    """Write a commented scenario to start from."""
    stem = name.removesuffix(".yaml")
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
        raise UsageError(f"no parameter's name or meaning contains '{word}'{nearest(word or '', PARAMETERS)}")
    if as_json:
        screen.say(json.dumps([asdict(n) for n in chosen], indent=2))
        return
    screen.show(*listing.parameters_of(chosen))
    screen.say("Parameters that begin with client_ or therapist_ hold for that role alone, the others for both people.")


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
