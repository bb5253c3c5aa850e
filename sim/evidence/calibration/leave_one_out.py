"""The honest score: every row predicted by a model that was fitted without it.

For each *calibrate* row the free parameters are fitted again to all the others, from the shipped fit on; then that row is
simulated on random draws that no search has used. What comes out shows how far the row follows from the rest of the record and
from the priors; a row that has a parameter almost to itself is predicted by that parameter's prior, and the table says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.search import Fit, Search, standardised_residuals
from sim.evidence.patterns.published import patterns

ROUNDS = 8
OWN_SHARE = 0.5  # a parameter whose information comes to this share from one row is that row's own


@dataclass(frozen=True)
class Predicted:
    """One row: its standardised residual where it was fitted, where it was not, the value predicted (with the sampling noise of
    reading it off), parameters that lean on it alone, how far the refit moved (largest standing, prior SD), what a straight line
    would have predicted, and whether the refit settled."""

    id: str
    fitted_residual: float
    residual: float
    value: float
    error: float
    own_parameters: tuple[str, ...]
    moved: float
    line: float
    settled: bool


def own_parameters(fit: Fit, search: Search, row: str) -> tuple[str, ...]:
    """Free parameters about which this row says more than half of all that the table says."""
    table = fit.slopes[: len(fit.rows)] ** 2
    share = table[fit.rows.index(row)] / np.maximum(table.sum(axis=0), 1e-12)
    return tuple(
        one.name for one, s, total in zip(search.free, share, table.sum(axis=0), strict=True) if s > OWN_SHARE and total > 0.1
    )


def predicted(search: Search, fit: Fit, ids: Sequence[str] = (), say: Callable[[str], None] = print) -> list[Predicted]:
    """Every calibrate row (or some) predicted without it. ``fit``: the shipped fit, from which each search starts."""
    rows = tuple(ids) or tuple(standardised_residuals(fit.found))
    out = []
    unused = replace(search, seeds=reserved.PREDICTED, size=1.0)
    base = unused.tables([fit.standings])[0]
    for row in rows:
        slopes = fit.slopes.copy()
        slopes[fit.rows.index(row)] = 0.0
        one = replace(search, without=(row,), known_slopes=slopes, progress=None)
        refit = one.run(fit.values, rounds=ROUNDS)
        found = unused.tables([refit.standings])[0]
        value, error = found.values[row]
        fitted_residual, residual = (standardised_residuals(table)[row] for table in (base, found))
        moved = float(np.abs(refit.standings - fit.standings).max())
        # Were the table a straight line around the fit: a second road to what is predicted.
        k, residuals = fit.rows.index(row), search.residuals(fit.standings, fit.found)
        others = np.delete(fit.slopes, k, axis=0)
        step = -np.linalg.solve(others.T @ others, others.T @ np.delete(residuals, k))
        line = float(residuals[k] + fit.slopes[k] @ step)
        out.append(Predicted(row, fitted_residual, residual, value, error, own_parameters(fit, search, row), moved,
                             line, refit.converged))  # fmt: skip
        published = patterns()[row].value
        say(f"{row}: predicted {value:.3f}, published {published:g}, residual {residual:+.1f} (fitted {fitted_residual:+.1f})")
    return out
