"""The calibration: the free parameters at which the model meets the whole table at once, each held by its prior.

A plain nonlinear least-squares problem for ``scipy.optimize.least_squares``. What is made small is the sum of squares of

* every *calibrate* row's standardised residual, in units of its own uncertainty (the joint score);
* how far every *direction* part falls short of its sign, in half-widths of its interval; nothing where it holds with room;
* every free parameter's distance from its prior's centre, in prior SD.

All tables of one search use common random numbers, so that a small change of a parameter makes a small change of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

import numpy as np

from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.free import FREE, Free, standings_of, values_at
from sim.evidence.calibration.simulated import Found, Job, Simulator, found_in
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import sign_verdict

SIZE = 0.5
STEP = 0.3  # of a derivative, in prior SD: small against the prior, large against the noise that is left
FURTHEST = 3.5  # prior SD that a parameter may go
FAR_OFF = 10.0  # what a row counts that could not be computed
ROOM = 1.3  # half-widths of its interval by which a sign should hold
#: Rows that need the clinics of ``Studies.practice``, which cost most; they are looked at afterwards.
NOT_SEARCHED = ("15.1", "15.3", "15.5")


def searched(left_out: Sequence[str] = ()) -> tuple[str, ...]:
    """Ids of the rows that the search looks at."""
    return tuple(
        p.id for p in patterns().values() if p.tier in ("calibrate", "direction") and p.id not in (*NOT_SEARCHED, *left_out)
    )


def standardised_residuals(found: Found) -> dict[str, float]:
    """Every calibrate row's standardised residual, in units of its own uncertainty."""
    return {name: (v[0] - patterns()[name].value) / patterns()[name].uncertainty
            for name, v in found.values.items() if patterns()[name].tier == "calibrate"}  # fmt: skip


def joint_score(found: Found) -> float:
    """The sum of squares of the standardised residuals."""
    return float(sum(m**2 for m in standardised_residuals(found).values()))


def clearances(found: Found) -> dict[str, float]:
    """Every part of every direction row, by "row/part", in half-widths of its interval.

    Signed so that larger is better; for "0" the room left.
    """
    out: dict[str, float] = {}
    for name, part, sign in _signed_parts(found):
        if part in found.parts[name]:
            value, low, high = found.parts[name][part]
            beyond = {"+": value, "-": -value, "0": patterns()[name].zero_within - abs(value)}.get(sign, math.inf)
            out[f"{name}/{part}"] = beyond / max((high - low) / 2.0, 1e-9)
    return out


def _signed_parts(found: Found) -> list[tuple[str, str, str]]:
    """Row, part and expected sign of every part of the direction rows that a table has."""
    rows = [patterns()[name] for name in found.parts]
    return [(row.id, part, sign) for row in rows if row.tier == "direction" for part, sign in row.expect.items()]


def shortfalls(found: Found) -> dict[str, float]:
    """How far every part of every direction row falls short of its sign, in half-widths of its interval; 0 with ``ROOM`` to
    spare."""
    return {name: max(ROOM - clear, 0.0) for name, clear in clearances(found).items()}


def mean_of(tables: Sequence[Found]) -> Found:
    """One table from several of the same model with other random draws."""
    values = {name: (float(np.mean([t.values[name][0] for t in tables])),
                     float(np.sqrt(np.sum([t.values[name][1] ** 2 for t in tables])) / len(tables)))
              for name in tables[0].values}  # fmt: skip
    parts = {
        name: {part: tuple(np.mean([t.parts[name][part] for t in tables], axis=0)) for part in of}
        for name, of in tables[0].parts.items()
    }
    between = {name: float(np.mean([t.between.get(name, np.nan) for t in tables])) for name in tables[0].between}
    return Found(values, parts, between)


def sign_verdicts(found: Found) -> Iterator[tuple[str, str, str]]:
    """Row, part and verdict of every part of a direction row that a table has."""
    for name, part, sign in _signed_parts(found):
        yield name, part, sign_verdict(sign, found.parts[name].get(part, (np.nan,) * 3), patterns()[name].zero_within)


@dataclass(frozen=True)
class Fit:
    """Where a search ended: the free parameters, where they stand, what the table is there, what was made small, and the slopes.

    ``slopes``: table (rows: ``rows``) over standings, at the end. ``loss``: half the sum of squares.
    """

    values: Mapping[str, float]
    standings: np.ndarray
    found: Found
    loss: float
    rows: tuple[str, ...]
    slopes: np.ndarray
    rounds: int
    message: str
    converged: bool = False

    @property
    def score(self) -> float:
        """The joint score of the calibrate rows that were looked at."""
        return joint_score(self.found)

    def as_data(self) -> dict[str, Any]:
        """All of it as plain values; ``fit_of`` reads them."""
        data = asdict(self)
        return {"table": data.pop("found"), **data}


def fit_of(data: Mapping[str, Any]) -> Fit:
    """A search's end from plain values."""
    return Fit(dict(data["values"]), np.array(data["standings"]), found_in(data["table"]), data["loss"], tuple(data["rows"]),
               np.array(data["slopes"]), data["rounds"], data["message"], data["converged"])  # fmt: skip


@dataclass
class Search:
    """What a search needs: simulator, free parameters, luck, rows, and what the model has beyond the free parameters (a competing
    model's overlay)."""

    simulator: Simulator
    free: tuple[Free, ...] = FREE
    changes: Mapping[str, Any] | None = None
    ids: tuple[str, ...] = field(default_factory=searched)
    seeds: tuple[int, ...] = reserved.SEARCH
    size: float = SIZE
    without: tuple[str, ...] = ()  # rows that are simulated and not looked at
    known_slopes: np.ndarray | None = None  # of the table over the parameters, taken for the whole search (near its start)
    progress: Callable[[str], None] | None = None

    def jobs(self, standings: np.ndarray) -> list[Job]:
        """The tables to simulate for one parameter set."""
        changes = dict(self.changes or {})
        parameters = {**{k: round(v, 10) for k, v in values_at(standings, self.free).items()}, **changes.pop("parameters", {})}
        return [Job({**changes, "parameters": parameters}, seed, self.size, self.ids) for seed in self.seeds]

    def tables(self, points: Sequence[np.ndarray]) -> list[Found]:
        """The mean table of each parameter set."""
        every = self.simulator.ask([job for point in points for job in self.jobs(point)])
        n = len(self.seeds)
        return [mean_of(every[i * n : (i + 1) * n]) for i in range(len(points))]

    def residuals(self, standings: np.ndarray, found: Found) -> np.ndarray:
        """All that is to be small: table rows in order, then the parameters. What could not be computed is far off."""
        table = [0.0 if name.split("/")[0] in self.without else value
                 for name, value in {**standardised_residuals(found), **shortfalls(found)}.items()]  # fmt: skip
        return np.nan_to_num(np.array([*table, *standings]), nan=FAR_OFF)

    def slopes(self, standings: np.ndarray) -> np.ndarray:
        """Derivative of the residuals in every standing, by forward differences of ``STEP`` with common random numbers."""
        if self.known_slopes is not None:
            return self.known_slopes
        away = [standings + STEP * direction for direction in np.eye(standings.size)]
        base, *others = self.tables([standings, *away])
        at = self.residuals(standings, base)
        return np.column_stack([(self.residuals(z, t) - at) / STEP for z, t in zip(away, others, strict=True)])

    def run(self, start: Mapping[str, float] | None = None, rounds: int = 8) -> Fit:
        """Search from ``start`` (default: the model's defaults) for at most ``rounds`` steps."""
        from scipy.optimize import least_squares

        tables = count(1)

        def residuals(z: np.ndarray) -> np.ndarray:
            found = self.tables([z])[0]
            out = self.residuals(z, found)
            if self.progress is not None:
                self.progress(f"round {next(tables)}: loss {0.5 * float(out @ out):.2f}, joint score {joint_score(found):.1f}")
            return out

        start_at = np.clip(standings_of(start or {}, self.free), -FURTHEST + 0.01, FURTHEST - 0.01)
        done = least_squares(
            residuals, start_at, jac=self.slopes, bounds=(-FURTHEST, FURTHEST), max_nfev=rounds, xtol=1e-3, ftol=2e-3, gtol=1e-6
        )
        found = self.tables([done.x])[0]
        rows = (*standardised_residuals(found), *shortfalls(found))
        return Fit(values_at(done.x, self.free), done.x, found, float(done.cost), rows, np.asarray(done.jac), done.nfev,
                   str(done.message), bool(done.status > 0))  # fmt: skip
