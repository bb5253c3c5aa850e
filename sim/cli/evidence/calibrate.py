"""The commands ``attune calibrate`` and ``attune ensemble``. Everything heavy is imported when they are called."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim import screen
from sim.errors import Stopped
from sim.files import write_over

if TYPE_CHECKING:
    from sim.evidence.calibration.simulated import Bank

_WORKERS = typer.Option(min=1, help="Processes side by side; default: all cores. Does not change results.")
_FOLDER = typer.Option(help="Folder for every simulated table and the result; a search that was stopped goes on from there.")


MOST_CANDIDATES = 1950  # as many have random draws of their own
VERIFIED, VERIFY_SEED = 40, 2  # members of a new ensemble that are simulated again at once, and their seed


@contextlib.contextmanager
def banked(folder: Path, workers: int | None) -> Iterator[Bank]:
    """A bank of tables that keeps what is finished; Ctrl-C says so."""
    from sim.evidence.calibration.simulated import Bank

    try:
        with Bank(folder, workers) as bank:
            yield bank
    except KeyboardInterrupt:
        raise Stopped(f"what is finished is kept in {folder}, and the same command goes on from there") from None


def told(what: str) -> None:
    """Progress as a line on stderr, so that it can be read in a log file too."""
    screen.note(what)


def calibrate(
    out: Annotated[Path, _FOLDER] = Path("results/calibration"),
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Steps at most.")] = 8,
    start: Annotated[str, typer.Option(help="Where to begin: defaults, or centre (of the priors).")] = "centre",
    size: Annotated[float, typer.Option(min=0.05, max=4.0, help="Proportion of the usual number of people in each table.")] = 0.5,
    workers: Annotated[int | None, _WORKERS] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Fit the free parameters to the published evidence.

    Each is held by its prior. The same folder goes on where it stood.
    """
    from sim.cli.printed import ensemble as page
    from sim.errors import EvidenceError
    from sim.evidence.calibration.free import centre
    from sim.evidence.calibration.plain import fit_as_data
    from sim.evidence.calibration.search import Search
    from sim.evidence.stored import keep

    if start not in ("defaults", "centre"):
        raise EvidenceError(f"--start must be defaults or centre, not {start!r}")
    with banked(out, workers) as bank:
        if bank.kept:
            told(f"{bank.kept} tables are there already")
        search = Search(bank, size=size, progress=told)
        told(f"{len(search.free)} free parameters; a step asks for {len(search.seeds) * (len(search.free) + 1)} tables")
        fit = search.run(centre() if start == "centre" else {}, rounds)
    keep(out / "calibration.json", {**fit_as_data(fit), "seeds": search.seeds, "size": size, "start": start})
    if as_json:
        screen.say((out / "calibration.json").read_text(encoding="utf-8"))
        return
    screen.show(page.fit_table(fit))
    screen.say("\n".join([*page.fit_summary(fit), f"Written: {out / 'calibration.json'}"]))


def ensemble(
    verify: Annotated[
        int, typer.Option(min=0, max=1000, help="Simulate so many members again, on random draws that no search has used.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the verification.")] = 1,
    size: Annotated[float, typer.Option(min=0.05, max=4.0, help="Proportion of the usual number of people in each table.")] = 1.0,
    build: Annotated[Path | None, typer.Option(help="Build an ensemble again in this folder (long; resumable).")] = None,
    wanted: Annotated[int, typer.Option(min=2, max=600, help="Members wanted of a new one.")] = 220,
    fit: Annotated[Path | None, typer.Option(help="The calibration to build around; default: the shipped one.")] = None,
    workers: Annotated[int | None, _WORKERS] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show the parameter sets that agree with the evidence.

    What they leave open; verify a sample, or build them again.
    Exit status 1 where a member that was verified disagrees by more than the sampling noise of its table.
    """
    from sim.cli.printed import ensemble as page

    if build is not None:
        _built(build, wanted, fit, workers)
        return
    if not verify:
        if as_json:
            screen.say(page.pinned_data().to_json(orient="records", indent=2))
        else:
            screen.show(page.pinned_table())
            screen.say(page.pinned_legend())
        return
    from sim.evidence.calibration.ensemble import checked
    from sim.evidence.calibration.simulated import Bank

    with Bank(None, workers) as bank:
        found = checked(bank, verify, seed, size, progress=lambda done, total: told(f"verified {done} of {total}"))
    data = [{name: one[name] for name in ("member", "score", "why", "beyond_noise")} for one in found]
    if as_json:
        screen.say(json.dumps(data, indent=2))
    else:
        screen.show(page.verified_table(data))
        screen.say(page.verified_summary(data))
    if any(one["beyond_noise"] for one in data):
        sys.exit(1)


def _built(folder: Path, wanted: int, fit_file: Path | None, workers: int | None) -> None:
    from sim.errors import EvidenceError
    from sim.evidence.calibration import ensemble as of
    from sim.evidence.calibration.free import FREE
    from sim.evidence.calibration.plain import fit_of, table_as_data
    from sim.evidence.stored import keep, kept
    from sim.theory.ensemble import FILE

    try:
        fit = fit_of(kept("calibration") if fit_file is None else json.loads(fit_file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as e:
        raise EvidenceError(f"{fit_file}: is no result of attune calibrate ({e})") from None
    if len(fit.standings) != len(FREE):
        raise EvidenceError(f"{fit_file}: has {len(fit.standings)} parameters, the model {len(FREE)}; calibrate again")
    with banked(folder, workers) as bank:
        built = of.build(bank, fit, wanted, most=min(3 * wanted + 50, MOST_CANDIDATES), say=told)
        if len(built.kept) < 2:
            raise EvidenceError(f"of {built.candidates} candidates {len(built.kept)} agree with the table: no ensemble was made")
        told(f"{VERIFIED} of them are simulated again")
        again = of.checked(bank, VERIFIED, VERIFY_SEED, of=built.kept)
    about = (
        f"{len(built.kept)} sets of the free parameters that all agree with the published evidence; of {built.candidates} "
        "candidates\n"
        "simulated, the others did not. Made by `attune ensemble --build`; how is said in sim/evidence/calibration/ensemble.py."
    )
    keep(folder / "ensemble.json", {
        "candidates": built.candidates, "fell": list(built.fell), "memories": built.memories,
        "tables": [table_as_data(t) for t in built.tables],
        "verified": [{**one, "table": table_as_data(one["table"])} for one in again], "verify_seed": VERIFY_SEED,
    })  # fmt: skip
    write_over(folder / FILE, of.written(built, about))
    short = "" if len(built.kept) >= wanted else f" (fewer than the {wanted} wanted)"
    screen.say(f"{len(built.kept)} of {built.candidates} candidates agree{short}. Written: {folder / FILE}")
