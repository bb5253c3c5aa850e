"""The commands ``attune calibrate`` and ``attune ensemble``."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from sim import screen
from sim.cli.evidence.options import AsJson, Keep, Size, Workers, shown, stoppable
from sim.cli.printed import ensemble as page
from sim.errors import EvidenceError, UsageError
from sim.evidence.calibration import ensemble as sets
from sim.evidence.calibration.free import FREE, centre
from sim.evidence.calibration.search import Search, fit_of
from sim.evidence.calibration.simulated import Simulator
from sim.evidence.stored import in_a_clone, keep, keep_with_product, kept, path_of
from sim.export.csv import note_of
from sim.files import write_over
from sim.theory.ensemble import FILE
from sim.theory.parameters import PARAMETERS

_FOLDER = typer.Option(help="Folder for every simulated table and the result; a search that was stopped goes on from there.")

MOST_CANDIDATES = 1950  # as many have random draws of their own
VERIFIED, VERIFY_SEED = 40, 2  # members of a new ensemble that are simulated again at once, and their seed
MEMBERS, START, CALIBRATION_SIZE = 220, "centre", 0.5  # of what is kept with the product


@contextlib.contextmanager
def simulating(folder: Path, workers: int | None) -> Iterator[Simulator]:
    """Simulated tables that keep what is finished."""
    with stoppable(folder), Simulator(folder, workers) as simulator:
        yield simulator


def keep_as(name: str, data: Mapping[str, Any]) -> None:
    """Keep a result with the product; docs/VALIDATION.md is made of what is kept."""
    screen.note(f"Kept: {keep_with_product(name, data)}. python -m tools.docs makes docs/VALIDATION.md again.")


def calibrate(
    out: Annotated[Path, _FOLDER] = Path("results/calibration"),
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Steps at most.")] = 8,
    start: Annotated[str, typer.Option(help="Where to begin: defaults, or centre (of the priors).")] = START,
    size: Size = CALIBRATION_SIZE,
    workers: Workers = None,
    keeping: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Fit the free parameters to the published evidence.

    Each is held by its prior. The same folder goes on where it stood.
    Exit status 1 where the result is to be kept and a default of the model is another; it is not kept then.
    """
    if start not in ("defaults", "centre"):
        raise EvidenceError(f"--start must be defaults or centre, not {start!r}")
    if keeping and (start, size) != (START, CALIBRATION_SIZE):
        raise UsageError("what is kept begins at the centre, with the usual number of people; leave out --start and --size")
    if keeping:
        in_a_clone()
    with simulating(out, workers) as simulator:
        if simulator.answers:
            screen.note(f"{len(simulator.answers)} tables are there already")
        search = Search(simulator, size=size, progress=screen.note)
        screen.note(f"{len(FREE)} free parameters; a step asks for {len(search.seeds) * (len(FREE) + 1)} tables")
        fit = search.run(centre() if start == "centre" else {}, rounds)
    data = {**fit.as_data(), "seeds": search.seeds, "size": size, "start": start}
    keep(out / "calibration.json", data)
    written = json.loads((out / "calibration.json").read_text(encoding="utf-8"))
    shown(written, as_json, [page.fit_table(fit)], *page.fit_summary(fit), f"Written: {out / 'calibration.json'}")
    if keeping:
        rounded = {one.name: float(f"{fit.values[one.name]:.3g}") for one in FREE}
        others = [f"{name} {value:g}" for name, value in rounded.items() if PARAMETERS[name].default != value]
        if others:
            screen.note(f"sim/theory/parameters.py has other defaults; set there, and calibrate again: {', '.join(others)}")
            raise typer.Exit(1)
        keep_as("calibration", data)


def ensemble(
    verify: Annotated[
        int, typer.Option(min=0, max=1000, help="Simulate so many members again, on random draws that no search has used.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the verification.")] = 1,
    size: Size = 1.0,
    build: Annotated[Path | None, typer.Option(help="Build an ensemble again in this folder (long; resumable).")] = None,
    wanted: Annotated[int, typer.Option(min=2, max=600, help="Members wanted of a new one.")] = MEMBERS,
    fit: Annotated[Path | None, typer.Option(help="The calibration to build around; default: the shipped one.")] = None,
    workers: Workers = None,
    keeping: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Show the parameter sets that agree with the evidence.

    What they leave open; verify a sample, or build them again.
    Exit status 1 where a member that was verified disagrees by more than the sampling noise of its table.
    """
    if keeping and (build is None or fit is not None or wanted != MEMBERS):
        raise UsageError(f"--keep keeps what --build makes: {MEMBERS} members wanted, around the shipped calibration")
    if build is not None:
        _built(build, wanted, fit, workers, keeping)
    elif not verify:
        shown(page.pinned_data().to_dict("records"), as_json, [page.pinned_table()], page.pinned_legend())
    else:
        with Simulator(None, workers) as simulator:
            found = sets.verified(simulator, verify, seed, size, progress=lambda n, of: screen.note(f"verified {n} of {of}"))
        data = [{name: one[name] for name in ("member", "score", "why", "beyond_noise")} for one in found]
        shown(data, as_json, [page.verified_table(data)], page.verified_summary(data))
        if any(one["beyond_noise"] for one in data):
            raise typer.Exit(1)


def _built(folder: Path, wanted: int, fit_file: Path | None, workers: int | None, keeping: bool) -> None:
    if keeping:
        in_a_clone()
    origin = fit_file or path_of("calibration")
    try:
        fit = fit_of(kept("calibration") if fit_file is None else json.loads(fit_file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as e:
        raise EvidenceError(f"{origin}: is no result of attune calibrate ({e})") from None
    if len(fit.standings) != len(FREE):
        raise EvidenceError(f"{origin}: has {len(fit.standings)} parameters, the model {len(FREE)}; calibrate again")
    with simulating(folder, workers) as simulator:
        built = sets.build(simulator, fit, wanted, most=min(3 * wanted + 50, MOST_CANDIDATES), say=screen.note)
        if len(built.kept) < 2:
            raise EvidenceError(f"of {built.candidates} candidates {len(built.kept)} agree with the table: no ensemble was made")
        screen.note(f"{VERIFIED} of them are simulated again")
        again = sets.verified(simulator, VERIFIED, VERIFY_SEED, of=built.kept)
    text = sets.written(built)
    about = (f"{len(built.kept)} sets of the free parameters that all agree with the published evidence; of {built.candidates} "
             "candidates\nsimulated, the others did not. Made by `attune ensemble --build`; how is said in "
             "sim/evidence/calibration/ensemble.py.\n")  # fmt: skip
    data = {
        "candidates": built.candidates, "fell": list(built.fell), "memories": built.memories,
        "tables": [asdict(t) for t in built.tables],
        "verified": [{**one, "table": asdict(one["table"])} for one in again], "verify_seed": VERIFY_SEED,
    }  # fmt: skip
    keep(folder / "ensemble.json", data)
    places = [folder / FILE, *([Path(str(resources.files("sim.theory"))) / FILE] if keeping else ())]
    for place in places:
        write_over(place, text)
        write_over(note_of(place), about)
    short = "" if len(built.kept) >= wanted else f" (fewer than the {wanted} wanted)"
    screen.say(f"{len(built.kept)} of {built.candidates} candidates agree{short}. Written: {folder / FILE}")
    if keeping:
        keep_as("ensemble", data)
