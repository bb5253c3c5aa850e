"""What ``attune sensitivity`` shows: tables on the screen, as data and as files (figures: ``report/figures/sensitivity.py``)."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.compiling import sources_hash
from sim.evidence.sensitivity.analysis import quantile
from sim.evidence.sensitivity.indices import Noise, Sensitivity
from sim.evidence.sensitivity.ranges import OF_WHAT_IT_MAY_BE
from sim.evidence.sensitivity.study import Told, heading, ranked
from sim.files import write_here
from sim.screen import Head, table
from sim.storage.store import SYNTHETIC, versions
from sim.theory.parameters import PARAMETERS
from sim.version import __version__

if TYPE_CHECKING:
    from sim.screen import Table

#: What is written into a folder.
DATA, TABLE, MORRIS, SOBOL = "sensitivity.json", "sensitivity.csv", "morris.png", "sobol.png"
#: Rows of a table on the screen; files have all.
_MOST = 20


def shown(value: float) -> str:
    """A number to three significant digits, without exponents for what people write without."""
    return f"{value:.3g}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.1e}"


def tables(told: Told) -> list[Table]:
    """For the screen: the parameters that Morris found to move the measure most, and the proportions of its variance."""
    found, out = told.found, []
    lines: list[tuple[str, ...]]
    moved = [row for row in ranked(found.morris) if row.mu_star > 0][:_MOST]
    ranges = {r.name: r for r in found.ranges}
    if moved:
        title = "Morris: change of the measure as a parameter goes over its whole range"
        lines = [
            (*_range(ranges[row.name]), f"{shown(row.mu_star)} ± {row.mu_star_error:.2g}", shown(row.mu), shown(row.sigma),
             shown(row.noise), row.verdict)
            for row in moved
        ]  # fmt: skip
        out.append(table(title, _heads("mu* ± 95 %", "mu", "sigma", "noise"), lines))
    if found.sobol:
        title = "Sobol: proportion of the measure's variance over these ranges"
        lines = [
            (*_range(ranges[one.name]), f"{one.first:.2f} ± {one.first_error:.2f}", f"{one.total:.2f} ± {one.total_error:.2f}",
             f"{one.noise:.3f}", one.verdict)
            for one in sorted(found.sobol, key=lambda row: -row.total)
        ]  # fmt: skip
        out.append(table(title, _heads("alone, S1 ± 95 %", "in all, ST ± 95 %", "noise"), lines))
    return out


def _heads(*columns: str) -> list[Head]:
    numbers = [Head(name, right=True, wrap=False) for name in ("value", "from", "to", *columns)]
    return [Head("parameter", wrap=False), *numbers, Head("", wrap=False)]


def _range(r: Any) -> tuple[str, str, str, str]:
    return r.name, shown(r.value), shown(r.low), shown(r.high)


def summary(told: Told) -> list[str]:
    """What the indices mean, how large sampling noise is, and what was left out and why."""
    found, lines = told.found, []
    if found.morris:
        still = sum(row.mu_star == 0 for row in found.morris)
        moving = sum(row.mu_star > row.noise for row in found.morris)
        unclear = len(found.morris) - still - moving
        said = f"{moving} move it, {unclear} cannot be distinguished from sampling noise, {still} move nothing here"
        rest = sum(row.mu_star > 0 for row in found.morris) - _MOST
        more = f" The table shows the first {_MOST}; --out and --json give all." if rest > 0 else ""
        lines.append(f"Of {len(found.morris)} parameters: {said}.{more}")
    lines += [_noise_line(part, noise, found, told.outcome.unit) for part, noise in found.noise.items()]
    if found.morris:
        seeds = found.noise["morris"].seeds
        lines.append(f"noise (Morris): {quantile(seeds):.1f} standard errors of one effect over {seeds} seeds, strict where they "
                     "are few; --replicates adds some.")  # fmt: skip
    if found.sobol:
        lines.append("noise (Sobol): the part of ST that is sampling noise in expectation.")
    lines.append(
        f"Ranges are an assumption: the value -/+ {100 * told.width:g} %, within what the parameter may be "
        f"(of a value of 0: {100 * told.width * OF_WHAT_IT_MAY_BE:g} % of that). Indices hold for these ranges."
    )
    reasons: dict[str, list[str]] = {}
    for name, why in told.left_out.items():
        reasons.setdefault(why, []).append(name)
    if reasons:
        lines += ["Left out:", *(f"  {len(names)} that {why}: {', '.join(names)}" for why, names in reasons.items())]
    lines.append("All people are simulated.")
    return lines


def _noise_line(part: str, noise: Noise, found: Sensitivity, unit: str) -> str:
    if part == "base":
        return (f"At the scenario's own parameters: {found.base:.3g} {unit}; SD {shown(noise.seed_sd)} between "
                f"{noise.seeds} seeds, "
                f"so a mean of {found.replicates} has a standard error of {shown(noise.error)}.")  # fmt: skip
    return (f"At {noise.points} points of {part.title()}'s design: SD {shown(noise.seed_sd)} between seeds (mean of "
            f"{found.replicates}: {shown(noise.error)}), {shown(noise.output_sd)} between points; of the variance between points "
            f"{100 * noise.share:.1f} % is sampling noise that shared seeds do not cancel.")  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- files


def as_data(told: Told) -> dict[str, Any]:
    """Everything as plain values, with what made it: scenario as resolved, seed, ranges, versions; missing numbers are None."""
    found, o = told.found, told.outcome

    def row(one: Any) -> dict[str, Any]:
        return {key: None if value != value else value for key, value in asdict(one).items()}

    return {
        "synthetic": SYNTHETIC,
        "scenario": told.scenario.name,
        "question": told.scenario.question,
        "seed": found.seed,
        "measure": {"name": o.measure, "unit": o.unit, "meaning": o.meaning, "arm": o.arm, "minus": o.minus},
        "design": {
            "method": told.method, "trajectories": found.trajectories, "samples": found.samples, "top": told.top,
            "replicates": found.replicates, "runs": found.runs,
        },
        "ranges": {
            "assumption": "value -/+ width * value, within the declared range", "width": told.width,
            "parameters": [{**row(r), "unit": PARAMETERS[r.name].unit} for r in found.ranges],
        },
        "left_out": told.left_out,
        "base": found.base,
        "noise": {part: row(noise) for part, noise in found.noise.items()},
        "morris": [{**row(one), "verdict": one.verdict} for one in ranked(found.morris)],
        "sobol": [{**row(one), "verdict": one.verdict} for one in found.sobol],
        "resolved_scenario": told.scenario.spec,
        "versions": {**versions(), "SALib": metadata.version("SALib")},
        "sources": sources_hash(),
    }  # fmt: skip


def tidy(found: Sensitivity) -> str:
    """One row per parameter and index as CSV: method, parameter, index, value, half of its 95 % interval, and the part of
    sampling noise."""
    lines = ["method,parameter,index,value,interval_half,noise"]

    def line(method: str, name: str, index: str, value: float, half: float | None, noise: float | None) -> None:
        cells = ["" if v is None else repr(float(v)) for v in (value, half, noise)]
        lines.append(",".join((method, name, index, *cells)))

    for one in ranked(found.morris):
        line("morris", one.name, "mu_star", one.mu_star, one.mu_star_error, one.noise)
        line("morris", one.name, "mu", one.mu, None, None)
        line("morris", one.name, "sigma", one.sigma, None, None)
    for share in found.sobol:
        line("sobol", share.name, "S1", share.first, share.first_error, None)
        line("sobol", share.name, "ST", share.total, share.total_error, share.noise)
    return "\n".join(lines) + "\n"


def write(told: Told, folder: Path) -> None:
    """Write table, data and figures into a folder that is there."""
    from sim.report.drawing import image
    from sim.report.figures import sensitivity as plots

    about = f"# attune {__version__}: synthetic data, simulated people; {heading(told)}\n"
    write_here(folder / TABLE, about + tidy(told.found))
    write_here(folder / DATA, json.dumps(as_data(told), indent=2) + "\n")
    for name, rows, draw in ((MORRIS, told.found.morris, plots.screening), (SOBOL, told.found.sobol, plots.shares)):
        if rows:
            write_here(folder / name, image(draw(told), "png", dpi=150))
