"""How calibration and ensemble are shown on the screen and in docs/VALIDATION.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.evidence.calibration.ensemble import disagreements, pinned, standings, would_pin
from sim.evidence.calibration.free import FREE
from sim.evidence.calibration.search import Fit, standardised_residuals
from sim.evidence.calibration.simulated import found_in
from sim.evidence.patterns.validation import score_limit
from sim.evidence.stored import kept
from sim.screen import table
from sim.theory.ensemble import members
from sim.theory.parameters import PARAMETERS

if TYPE_CHECKING:
    from sim.screen import Table


def fit_table(fit: Fit) -> Table:
    """Every free parameter: its prior, where the search ended, and how far that is from the prior."""
    rows = [
        [one.name, f"{one.centre:g}", one.scale, f"{one.spread:g}", f"{fit.values[one.name]:.3g}", f"{z:+.2f}",
         f"{PARAMETERS[one.name].default:g}"]
        for one, z in zip(FREE, fit.standings, strict=True)
    ]  # fmt: skip
    heads = ["parameter", "prior centre", "scale", "prior SD", "fitted", "prior SD from centre", "default"]
    return table("Free parameters", heads, rows, left=1)


def fit_summary(fit: Fit) -> list[str]:
    """The joint score where the search ended, on its own random draws, and what does not agree there."""
    n = len(standardised_residuals(fit.found))
    most = score_limit(n)
    why = disagreements(fit.found)
    return [
        f"Joint score {fit.score:.1f}, at most {most:.1f} with {n} rows, on the draws of the search; {len(FREE)} free parameters "
        f"against {n} values and the signs of the direction rows.",
        f"Does not agree: {'; '.join(why)}." if why else "Every row that was looked at agrees.",
        f"The search ended after {fit.rounds} rounds: {fit.message.rstrip('.')}.",
    ]


def pinned_data() -> pd.DataFrame:
    """What the ensemble says of each free parameter: range, how much of the prior's spread is left, and what would say more."""
    tables = [found_in(t) for t in kept("ensemble")["tables"]]
    return pinned().merge(would_pin(tables, standings()), on="parameter").sort_values("left", ignore_index=True)


def pinned_rows() -> tuple[list[str], list[list[str]]]:
    """The same as text, the best known parameter first."""
    heads = ["parameter", "median", "90 % range", "spread left", "extra pattern that would say most", "of its variance"]
    rows = [
        [r["parameter"], f"{r['median']:.3g}", f"{r['low']:.3g} to {r['high']:.3g}", f"{r['left']:.2f}", r["quantity"],
         f"{100 * r['share']:.0f} %"]
        for r in pinned_data().to_dict("records")
    ]  # fmt: skip
    return heads, rows


def pinned_table() -> Table:
    """The same for the screen."""
    heads, rows = pinned_rows()
    return table(f"The ensemble: {len(members())} sets of {len(FREE)} parameters", heads, rows, left=1)


def pinned_legend() -> str:
    """What the columns mean."""
    return (
        "spread left: SD over the sets in prior SD; 1 = the published evidence says nothing about the parameter, 0 = it "
        "is known.\n"
        "extra pattern: of all of which no value was used, the one that goes most closely with the parameter over the sets."
    )


def verified_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Each member that was simulated again."""
    rows = [[str(one["member"]), f"{one['score']:.1f}", "; ".join(one["why"]) or "agrees"] for one in found]
    return table("Members on new random draws", ["member", "joint score", ""], rows, left=1)


def verified_summary(found: Sequence[Mapping[str, Any]]) -> str:
    """How many agree."""
    good, within = (sum(not one[kind] for one in found) for kind in ("why", "beyond_noise"))
    return (
        f"{within} of {len(found)} agree with the whole table on random draws that no search has used, when that of a "
        "single table is "
        f"allowed for (its Monte-Carlo error; signs that it does not show); {good} agree in every row. All people are simulated."
    )
