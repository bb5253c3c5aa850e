"""What ``attune sensitivity`` shows: tables on the screen, as data and as files (figures: ``report/figures/sensitivity.py``)."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.compiling import sources_hash
from sim.evidence.sensitivity.analysis import quantile
from sim.evidence.sensitivity.indices import Sensitivity
from sim.evidence.sensitivity.ranges import OF_WHAT_IT_MAY_BE
from sim.evidence.sensitivity.study import Told, heading, ranked
from sim.evidence.stored import plain
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
    found = told.found
    ends = {r.name: (r.name, shown(r.value), shown(r.low), shown(r.high)) for r in found.ranges}
    morris = [
        (*ends[row.name], f"{shown(row.mu_star)} ± {row.mu_star_error:.2g}", shown(row.mu), shown(row.sigma), shown(row.noise),
         row.verdict)
        for row in ranked(found.morris) if row.mu_star > 0
    ]  # fmt: skip
    sobol = [
        (*ends[one.name], f"{one.first:.2f} ± {one.first_error:.2f}", f"{one.total:.2f} ± {one.total_error:.2f}",
         f"{one.noise:.3f}", one.verdict)
        for one in sorted(found.sobol, key=lambda row: -row.total)
    ]  # fmt: skip
    kinds = (
        ("Morris: change of the measure as a parameter goes over its whole range",
         ("mu* ± 95 %", "mu", "sigma", "noise"), morris[:_MOST]),
        ("Sobol: proportion of the measure's variance over these ranges",
         ("alone, S1 ± 95 %", "in all, ST ± 95 %", "noise"), sobol),
    )  # fmt: skip
    out = []
    for title, indices, lines in kinds:
        numbers = [Head(name, right=True, wrap=False) for name in ("value", "from", "to", *indices)]
        out += [table(title, [Head("parameter", wrap=False), *numbers, Head("", wrap=False)], lines)] if lines else []
    return out


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
    for part, noise in found.noise.items():
        if part == "base":
            lines.append(f"At the scenario's own parameters: {found.base:.3g} {told.outcome.unit}; SD {shown(noise.seed_sd)} "
                         f"between {noise.seeds} seeds, so a mean of {found.replicates} has a standard error of "
                         f"{shown(noise.error)}.")  # fmt: skip
        else:
            lines.append(f"At {noise.points} points of {part.title()}'s design: SD {shown(noise.seed_sd)} between seeds (mean of "
                         f"{found.replicates}: {shown(noise.error)}), {shown(noise.output_sd)} between points; of the variance "
                         f"between points {100 * noise.share:.1f} % is sampling noise that shared seeds do not "
                         "cancel.")  # fmt: skip
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


# -------------------------------------------------------------------------------------------------------------- files


def as_data(told: Told) -> dict[str, Any]:
    """Everything as plain values, with what made it: scenario as resolved, seed, ranges, versions; missing numbers are None."""
    found, o = told.found, told.outcome
    data: dict[str, Any] = plain({
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
            "parameters": [{**asdict(r), "unit": PARAMETERS[r.name].unit} for r in found.ranges],
        },
        "left_out": told.left_out,
        "base": found.base,
        "noise": {part: asdict(noise) for part, noise in found.noise.items()},
        "morris": [{**asdict(one), "verdict": one.verdict} for one in ranked(found.morris)],
        "sobol": [{**asdict(one), "verdict": one.verdict} for one in found.sobol],
        "resolved_scenario": told.scenario.spec,
        "versions": {**versions(), "SALib": metadata.version("SALib")},
        "sources": sources_hash(),
    })  # fmt: skip
    return data


def tidy(found: Sensitivity) -> str:
    """One row per parameter and index as CSV: method, parameter, index, value, half of its 95 % interval, and the part of
    sampling noise."""
    rows: list[tuple[str, str, str, float, float | None, float | None]] = []
    for one in ranked(found.morris):
        rows.append(("morris", one.name, "mu_star", one.mu_star, one.mu_star_error, one.noise))
        rows.append(("morris", one.name, "mu", one.mu, None, None))
        rows.append(("morris", one.name, "sigma", one.sigma, None, None))
    for share in found.sobol:
        rows.append(("sobol", share.name, "S1", share.first, share.first_error, None))
        rows.append(("sobol", share.name, "ST", share.total, share.total_error, share.noise))
    return pd.DataFrame(rows, columns=["method", "parameter", "index", "value", "interval_half", "noise"]).to_csv(index=False)


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
