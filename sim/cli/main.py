"""The command ``attune``: the commands about one scenario stand here, the others in the files beside this one."""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sim import screen
from sim.cli.batch import run_in
from sim.cli.classroom import app as page
from sim.cli.classroom import handout
from sim.cli.evidence.calibrate import calibrate, ensemble
from sim.cli.evidence.claims import claims
from sim.cli.evidence.options import AsJson, ScenarioFile, Seed, WithFiles
from sim.cli.evidence.sensitivity import sensitivity
from sim.cli.evidence.validate import validate
from sim.cli.folders import COMMANDS
from sim.errors import AttuneError, Stopped, StoreError, UsageError
from sim.files import replacing, writable, write_here, write_new
from sim.naming import BEFORE, TABLE, nearest, renamed
from sim.version import __version__

if TYPE_CHECKING:
    from sim.scenario.scenario import Scenario
    from sim.simulation.tables import Run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Attune: a simulated clinic for empathy, attachment and alliance. All people in it are simulated; "
    "it is not a clinical tool.",
)
_WORKERS = typer.Option(min=1, help="Threads, of a batch processes; default: all cores. Does not change results.")
_BATCH = typer.Option("--batch", help="Run as a batch: kept chunk by chunk, goes on after a crash, summaries only.")
_KEEP = typer.Option(help="Of a batch: a table to keep beside the summaries (clients, sessions, ...).")
_CLUSTER = typer.Option(help="Of a batch: address of a Dask scheduler whose workers simulate, such as tcp://host:8786.")
_FORCE = typer.Option("--force", help="Of a batch: go on although the program or the machine has changed.")
_RESTART = typer.Option("--restart", help="Of a batch: start again; what is there is moved aside.")
_POINT = typer.Option(min=0, help="Of a scenario with a batch: this point alone, as a single run with all its tables.")
_WORD = typer.Argument(help="Show only parameters whose name, group or meaning contains this.")


def _version(value: bool) -> None:
    if value:
        screen.say(f"attune {__version__}")
        raise typer.Exit


@app.callback()
def _attune(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


@app.command()
def run(
    scenario: ScenarioFile,
    seed: Seed = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default: in results/<scenario>/.")] = None,
    workers: Annotated[int | None, _WORKERS] = None,
    with_files: WithFiles = None,
    batch: Annotated[bool, _BATCH] = False,
    keep: Annotated[list[str] | None, _KEEP] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Of a batch: tasks given out together; changes no result.")] = None,
    cluster: Annotated[str | None, _CLUSTER] = None,
    on_error: Annotated[str | None, typer.Option(help="Of a batch: what a failing run does: skip, stop or raise.")] = None,
    force: Annotated[bool, _FORCE] = False,
    restart: Annotated[bool, _RESTART] = False,
    point: Annotated[int | None, _POINT] = None,
) -> None:
    """Run a scenario: tables, a report, and the answer printed. The same command goes on with an unfinished batch."""
    wanted, seed = _loaded(scenario, with_files, point, seed)
    if batch or cluster is not None or wanted.batch is not None:
        run_in(
            wanted, seed, out=out, workers=workers, cluster=cluster, with_files=with_files, chunk=chunk,
            keep=keep, on_error=on_error, force=force, restart=restart,
        )  # fmt: skip
        return
    of_batches = {"--keep": keep, "--chunk": chunk, "--on-error": on_error, "--force": force, "--restart": restart}
    given = next((name for name, value in of_batches.items() if value), None)
    if given is not None:
        raise UsageError(f"{given} belongs to a batch, and {scenario} has no 'batch:'; add --batch to run it as one")
    _run_alone(wanted, seed, out, workers)


def _loaded(file: Path, with_files: list[Path] | None, point: int | None = None, seed: int = 1) -> tuple[Scenario, int]:
    """The scenario and the seed, or those of one point of its batch. Raises ``UsageError`` for a point that is not there."""
    from sim.scenario.scenario import load
    from sim.storage.added import run_files

    run_files(with_files)
    scenario = load(file)
    if point is None:
        return scenario, seed
    from sim.batch.chunk import seed_at
    from sim.scenario.points import points_of, scenario_at

    points = points_of(scenario)
    if scenario.batch is None or point >= len(points):
        has = f"points 0 to {len(points) - 1}" if scenario.batch is not None else "no batch"
        raise UsageError(f"--point {point}: {scenario.name} has {has}")
    changes = points[point].changes
    return scenario_at(scenario, changes), seed_at(seed, scenario.batch.random_numbers, changes)


def _run_alone(wanted: Scenario, seed: int, out: Path | None, workers: int | None) -> None:
    """A single run: whole or not at all."""
    from sim.runs.run import run
    from sim.storage.reading import open_run
    from sim.storage.store import run_id, save

    started = time.perf_counter()
    folder = out or Path("results") / wanted.name / run_id(wanted, seed)
    if out is None and (folder / "manifest.json").exists():
        try:
            done = open_run(folder)
        except StoreError as e:
            raise UsageError(f"{e}. Remove {folder} to run it again.") from e
        if not (folder / "report.html").exists():
            _reported(done, folder)
        _show(done, folder)
        screen.say("Already run with this scenario, seed and version; read from disk.")
        return
    writable(folder)
    try:
        with screen.progress() as tell:
            result = run(wanted, seed, threads=workers, progress=tell)
    except KeyboardInterrupt:
        raise Stopped("nothing was written") from None
    simulated = time.perf_counter()

    failed: list[BaseException] = []

    def report(run: Run, place: Path) -> None:
        from sim.report.pages.run import write_report

        try:
            write_report(run, place)
        except (OSError, MemoryError):
            raise
        except Exception as e:  # a fault in the report must not cost the tables
            failed.append(e)
            write_here(place / "report-error.txt", "".join(traceback.format_exception(e)))

    save(result, folder, [f"started {time.strftime('%Y-%m-%d %H:%M:%S')}", f"simulated in {simulated - started:.2f} s"], report)
    if failed:
        _fail(f"the tables are in {folder}, but the report failed ({failed[0]}); see report-error.txt there", 1)
    _show(result, folder)


def _show(run: Run, folder: Path) -> None:
    from sim import measures
    from sim.cli.printed import listing
    from sim.report.words import answer

    screen.heading(f"\n{run.scenario.question}\n")
    screen.show(screen.table_of(measures.answer_table(run), "Simulated people, not real ones"), *listing.intervals_of(run))
    if run.scenario.design == "clinic":  # whose answer is not in its table
        screen.say("\n" + answer.paragraph(run))
    screen.say(f"\nReport: {folder / 'report.html'}\nTables: {folder}  (seed {run.seed})")


@app.command()
def check(scenario: ScenarioFile, with_files: WithFiles = None) -> None:
    """Check a scenario file and say what it would run."""
    from sim.cli.printed import listing
    from sim.simulation.sizes import fits_in_memory

    s, _ = _loaded(scenario, with_files)
    if s.batch is None:
        fits_in_memory(s)
    screen.heading(s.question)
    screen.show(listing.plan_of(s))
    screen.say(*(f"Note: {arm.name}: {note}." for arm in s.arms for note in arm.notes()))
    if s.batch is not None:
        screen.say(f"{listing.batch_of(s)}\n{scenario}: valid. attune run tells how long it will take once it has begun.")
        return
    screen.say(f"{scenario}: valid. {listing.sizes_of(s)}")


@app.command()
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


@app.command()
def params(
    word: Annotated[str | None, _WORD] = None,
    as_json: AsJson = False,
    policies: Annotated[bool, typer.Option("--policies", help="List what therapists can be told to do instead.")] = False,
    clinic: Annotated[bool, typer.Option("--clinic", help="List what a clinic can say instead.")] = False,
) -> None:
    """List the parameters of the model. Each with default, unit, range, source, status and meaning."""
    from dataclasses import asdict

    from sim.cli.printed import listing
    from sim.theory.parameters import PARAMETERS

    if policies or clinic:
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


@app.command()
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
    from sim.cli.printed import session as story
    from sim.simulation.trace import traced_course

    s, seed = _loaded(scenario, with_files, point, seed)
    exchanges, sessions, chosen = traced_course(s, seed, arm, client, replicate)
    if session > len(sessions):
        ending = sessions.attrs["ending"]
        raise UsageError(
            f"client {client} of arm '{chosen}' had {len(sessions)} sessions ({ending}); --session must be 1 to {len(sessions)}"
        )
    if csv is not None:
        note = f"# attune {__version__}: synthetic data, simulated people; {s.name}, seed {seed}\n"
        write_new(csv, note + exchanges.to_csv(index=False))
    inside = exchanges[exchanges["session"] == session]
    screen.heading(f"{chosen}: client {client}, session {session}, seed {seed} (simulated people)")
    screen.show(screen.table_of(story.told(inside), "all in 0..1; read from left to right", compact=True))
    screen.say("  ".join(f"{heading}: {meaning};" for heading, meaning in story.STORY.values() if meaning))
    screen.say(story.ended(sessions[sessions["session"] == session].iloc[0]))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A result folder.")],
    with_files: WithFiles = None,
) -> None:
    """Write the report of a run or batch again."""
    from sim.batch.results import open_batch
    from sim.report.pages.batch import write_batch_report
    from sim.storage.added import run_files
    from sim.storage.reading import open_run, opened

    run_files(with_files)
    if opened(folder).is_batch:
        screen.say(f"Report: {write_batch_report(open_batch(folder))}")
        return
    _reported(open_run(folder), folder)
    screen.say(f"Report: {folder / 'report.html'}")


def _reported(run: Run, folder: Path) -> None:
    """Write the report of a run that is on the disk."""
    from sim.report.pages.run import write_report

    with replacing(folder) as beside:
        write_report(run, beside)


_OTHERS: tuple[Callable[..., None], ...] = (claims, validate, calibrate, ensemble, sensitivity, page, handout, *COMMANDS)
for _command in _OTHERS:
    app.command()(_command)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from sim.scenario.scenario import json_schema

    screen.say(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what somebody can put right becomes one line on stderr and the error's exit status."""
    try:
        status = app(args=arguments, prog_name="attune", standalone_mode=False)
        if status == 130:  # how the library tells of Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except typer.TyperException as e:
        e.show()  # type: ignore[attr-defined]
        screen.note(*_hint(e))
        sys.exit(2)
    except AttuneError as e:
        _fail(f"{e.lead}{e}", e.status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as e:
        _fail(str(e), 2)
    except MemoryError:
        _fail("not enough memory for this scenario; use fewer clients, sessions or replicates", 2)
    except KeyboardInterrupt:
        _fail("stopped; nothing is left half-written", 130)


def _hint(error: Any) -> Iterator[str]:
    """What an option that there is not was called before, where it was."""
    name, at = getattr(error, "option_name", None), getattr(error, "ctx", None)
    known = [option for one in at.command.params for option in one.opts] if at is not None else []
    if name and (now := renamed()["options"]) and (found := [option for option in known if now.get(option) == name]):
        yield f"{name} is now called {found[0]} ({TABLE} has all that was renamed since version {BEFORE})"


def _fail(message: str, status: int) -> NoReturn:
    screen.note(f"attune: {' '.join(message.split())}")
    sys.exit(status)
