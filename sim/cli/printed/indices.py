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
from sim.evidence.sensitivity.ranges import OF_WHAT_IT_MAY_BE
from sim.evidence.sensitivity.study import Sensitivity, Study, heading, rows
from sim.evidence.stored import plain
from sim.export.csv import write_csv
from sim.files import write_here
from sim.screen import Head, table
from sim.storage.store import SYNTHETIC, versions
from sim.theory.parameters import PARAMETERS
from sim.version import __version__

if TYPE_CHECKING:
    from sim.screen import Table

#: What is written into a folder.
DATA, TABLE, MORRIS, SOBOL = "sensitivity.json", "sensitivity.csv", "morris.png", "sobol.png"
#: Columns of the table, and what they mean.
COLUMNS = {
    "method": "morris (screening) or sobol (shares of the variance)",
    "parameter": "parameter of the model",
    "statistic": "mu_star, mu, sigma (of elementary effects, Morris); S1, ST (alone, in all; Sobol)",
    "value": "its value; of Morris in the unit of the measure over the range of the parameter, of Sobol a proportion",
    "interval_half": "half the width of its 95 % interval, empty where there is none",
    "noise": "how much of it sampling noise can be, empty where that is not known",
}
#: Rows of a table on the screen; files have all.
_MOST = 20
#: Method -> indices as the file names them, each with its columns of value, half interval and noise.
_INDICES = {
    "morris": (("mu_star", "mu_star", "mu_star_error", "noise"), ("mu", "mu", "", ""), ("sigma", "sigma", "", "")),
    "sobol": (("S1", "first", "first_error", ""), ("ST", "total", "total_error", "noise")),
}


def shown(value: float) -> str:
    """A number to three significant digits, without exponents for what people write without."""
    return f"{value:.3g}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.1e}"


def tables(study: Study) -> list[Table]:
    """For the screen: the parameters that Morris found to move the measure most, and the proportions of its variance."""
    found = study.found
    ends = {r.name: (r.name, *map(shown, (r.value, r.low, r.high))) for r in found.ranges}
    morris = [
        (*ends[row.name], f"{shown(row.mu_star)} ± {row.mu_star_error:.2g}", *map(shown, (row.mu, row.sigma, row.noise)),
         row.verdict)
        for row in rows(found.morris.head(_MOST)) if row.mu_star > 0
    ]  # fmt: skip
    ordered = found.sobol.sort_values("total", ascending=False, kind="stable") if len(found.sobol) else found.sobol
    sobol = [
        (*ends[row.name], f"{row.first:.2f} ± {row.first_error:.2f}", f"{row.total:.2f} ± {row.total_error:.2f}",
         f"{row.noise:.3f}", row.verdict)
        for row in rows(ordered)
    ]  # fmt: skip
    kinds = (
        ("Morris: change of the measure as a parameter goes over its whole range",
         ("mu* ± 95 %", "mu", "sigma", "noise"), morris),
        ("Sobol: proportion of the measure's variance over these ranges",
         ("alone, S1 ± 95 %", "in all, ST ± 95 %", "noise"), sobol),
    )  # fmt: skip
    out = []
    for title, indices, lines in kinds:
        numbers = [Head(name, right=True, wrap=False) for name in ("value", "from", "to", *indices)]
        out += [table(title, [Head("parameter", wrap=False), *numbers, Head("", wrap=False)], lines)] if lines else []
    return out


def summary(study: Study) -> list[str]:
    """What the indices mean, how large sampling noise is, and what was left out and why."""
    found, lines = study.found, []
    if len(found.morris):
        star = found.morris["mu_star"]
        still, moving = int((star == 0).sum()), int((star > found.morris["noise"]).sum())
        unclear, rest = len(star) - still - moving, len(star) - still - _MOST
        said = f"{moving} move it, {unclear} cannot be distinguished from sampling noise, {still} move nothing here"
        more = f" The table shows the first {_MOST}; --out and --json give all." if rest > 0 else ""
        lines.append(f"Of {len(found.morris)} parameters: {said}.{more}")
    for part, noise in found.noise.items():
        if part == "base":
            lines.append(f"At the scenario's own parameters: {found.base:.3g} {study.outcome.unit}; SD {shown(noise.seed_sd)} "
                         f"between {noise.seeds} seeds, so a mean of {found.replicates} has a standard error of "
                         f"{shown(noise.error)}.")  # fmt: skip
        else:
            lines.append(f"At {noise.points} points of {part.title()}'s design: SD {shown(noise.seed_sd)} between seeds (mean of "
                         f"{found.replicates}: {shown(noise.error)}), {shown(noise.output_sd)} between points; of the variance "
                         f"between points {100 * noise.share:.1f} % is sampling noise that shared seeds do not "
                         "cancel.")  # fmt: skip
    if len(found.morris):
        seeds = found.noise["morris"].seeds
        lines.append(f"noise (Morris): {quantile(seeds):.1f} standard errors of one effect over {seeds} seeds, strict where they "
                     "are few; --replicates adds some.")  # fmt: skip
    if len(found.sobol):
        lines.append("noise (Sobol): the part of ST that is sampling noise in expectation.")
    lines.append(
        f"Ranges are an assumption: the value -/+ {100 * study.width:g} %, within what the parameter may be "
        f"(of a value of 0: {100 * study.width * OF_WHAT_IT_MAY_BE:g} % of that). Indices hold for these ranges."
    )
    reasons: dict[str, list[str]] = {}
    for name, why in study.left_out.items():
        reasons.setdefault(why, []).append(name)
    if reasons:
        lines += ["Left out:", *(f"  {len(names)} that {why}: {', '.join(names)}" for why, names in reasons.items())]
    lines.append("All people are simulated.")
    return lines


def as_data(study: Study) -> dict[str, Any]:
    """Everything as plain values, with what made it: scenario as resolved, seed, ranges, versions; missing numbers are None."""
    found, o = study.found, study.outcome
    data: dict[str, Any] = plain({
        "synthetic": SYNTHETIC,
        "scenario": study.scenario.name,
        "question": study.scenario.question,
        "seed": found.seed,
        "measure": {"name": o.measure, "unit": o.unit, "meaning": o.meaning, "arm": o.arm, "minus": o.minus},
        "design": {
            "method": study.method, "trajectories": found.trajectories, "samples": found.samples, "top": study.top,
            "replicates": found.replicates, "runs": found.runs,
        },
        "ranges": {
            "assumption": "value -/+ width * value, within the declared range", "width": study.width,
            "parameters": [{**asdict(r), "unit": PARAMETERS[r.name].unit} for r in found.ranges],
        },
        "left_out": study.left_out,
        "base": found.base,
        "noise": {part: asdict(noise) for part, noise in found.noise.items()},
        "morris": found.morris.to_dict("records"),
        "sobol": found.sobol.to_dict("records"),
        "resolved_scenario": study.scenario.spec,
        "versions": {**versions(), "SALib": metadata.version("SALib")},
        "sources": sources_hash(),
    })  # fmt: skip
    return data


def tidy(found: Sensitivity) -> pd.DataFrame:
    """One row per parameter and index, with the columns of ``COLUMNS``."""
    lines = [
        (method, row["name"], index, *map(row.get, columns))
        for (method, indices), table in zip(_INDICES.items(), (found.morris, found.sobol), strict=True)
        for row in table.to_dict("records")
        for index, *columns in indices
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def write(study: Study, folder: Path) -> None:
    """Write table, data and figures into a folder that is there."""
    from sim.report.drawing import image
    from sim.report.figures import sensitivity as plots

    said = f"attune {__version__}: synthetic data, simulated people; {heading(study)}"
    write_csv(folder / TABLE, tidy(study.found), [said], COLUMNS)
    write_here(folder / DATA, json.dumps(as_data(study), indent=2) + "\n")
    for name, found, draw in ((MORRIS, study.found.morris, plots.screening), (SOBOL, study.found.sobol, plots.shares)):
        if len(found):
            write_here(folder / name, image(draw(study), "png", dpi=150))
