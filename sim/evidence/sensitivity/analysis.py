"""Which parameters move a measure: Morris screening, then Sobol indices over the most influential, with sampling noise kept
apart.

Every point of a design is run on the same seeds (same people, common random numbers), so that points differ by the parameters
alone. What is left of sampling noise is that a parameter acts on these people and not on others: it is measured by running points
on several seeds. Designs and indices are SALib's. They do not depend on the number of threads.

Morris, M. D. (1991), doi:10.1080/00401706.1991.10484804; Saltelli, A. et al. (2010), doi:10.1016/j.cpc.2009.09.018.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import special

from sim.errors import EvidenceError
from sim.evidence.sensitivity.ranges import Range
from sim.evidence.sensitivity.study import Noise, Sensitivity
from sim.simulation.machine import cores

Evaluate = Callable[[Mapping[str, float], int], float]
Progress = Callable[[str, int, int], None]

#: Steps of the grid on which Morris trajectories walk; with 4 a step is two thirds of the range.
LEVELS = 4
#: Fewer trajectories, or a smaller or other number of Sobol samples, tell nothing.
LEAST_TRAJECTORIES, LEAST_SAMPLES = 4, 8
#: Seeds on which the base point is run to see how far sampling noise alone moves the measure.
BASE_SEEDS = 20
#: With one replicate, this many trajectories, and this proportion of the samples (at least 8), are run on a second seed as well.
CHECKED_TRAJECTORIES, CHECKED_SHARE = 4, 1 / 8
RESAMPLES = 1000
#: What is asked of SALib's indices.
_EFFECTS = ("mu", "mu_star", "mu_star_conf", "sigma")
_PROPORTIONS = {"first": "S1", "first_error": "S1_conf", "total": "ST", "total_error": "ST_conf"}


# ----------------------------------------------------------------------------------------------------------- the whole


def sensitivity(
    evaluate: Evaluate,
    ranges: Sequence[Range],
    seed: int,
    *,
    method: str = "both",
    trajectories: int = 10,
    samples: int = 128,
    replicates: int = 4,
    top: int = 8,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Screen the parameters (Morris), then share out the variance among the ``top`` most influential (Sobol).

    ``evaluate(parameters, seed)`` gives the measure. ``method``: morris, sobol (all of ``ranges``) or both. Every point is the
    mean over ``replicates`` seeds from ``seed`` on. ``progress`` is called with the part, runs done and runs in all. Raises
    ``EvidenceError`` where the design is impossible or the measure is missing.
    """
    checked(method, seed, trajectories, samples, replicates, top)
    if not ranges:
        raise EvidenceError("no number is left to move; name some by --parameters")
    runs = _Runs(evaluate, seed, replicates, threads or cores(), progress or (lambda part, done, total: None))
    n = max(BASE_SEEDS, replicates)
    at_base = runs.at("noise", [{}], [n])[0]
    sd = float(at_base.std(ddof=1))
    noise = {"base": Noise(1, n, sd, sd / replicates**0.5)}
    screened, shared, left = pd.DataFrame(), pd.DataFrame(), list(ranges)
    if method != "sobol":
        screened, noise["morris"] = _morris(runs, ranges, trajectories)
        by_name = {r.name: r for r in ranges}
        left = [by_name[name] for name in screened.loc[screened["mu_star"] > 0, "name"][:top]]
    if method != "morris" and left:
        shared, noise["sobol"] = _sobol(runs, left, samples)
    base = float(at_base[:replicates].mean())
    return Sensitivity(tuple(ranges), seed, replicates, trajectories, samples, base, screened, shared, noise, runs.done)


def runs_of(parameters: int, method: str, trajectories: int, samples: int, replicates: int, top: int) -> int:
    """How many runs a study of so many parameters takes, at most."""
    screened = 0 if method == "sobol" else trajectories * (parameters + 1)
    shared = 0 if method == "morris" else samples * ((parameters if method == "sobol" else min(top, parameters)) + 2)
    return BASE_SEEDS + (screened + shared) * max(replicates, 1)


def checked(method: str, seed: int, trajectories: int, samples: int, replicates: int, top: int) -> None:
    """Raise ``EvidenceError`` for a design that is impossible or tells nothing."""
    if method not in ("morris", "sobol", "both"):
        raise EvidenceError(f"--method must be morris, sobol or both, not '{method}'")
    if trajectories < LEAST_TRAJECTORIES:
        raise EvidenceError(f"--trajectories must be at least {LEAST_TRAJECTORIES}, not {trajectories}: fewer tell nothing")
    if samples < LEAST_SAMPLES or samples & (samples - 1):
        power = 2 ** max(round(np.log2(max(samples, 1))), 3)
        raise EvidenceError(f"--samples must be a power of two from {LEAST_SAMPLES} on, such as {power}, not {samples}")
    if replicates < 1 or top < 1:
        raise EvidenceError(f"--replicates and --top must be at least 1, not {replicates} and {top}")
    if not 0 <= seed <= 2**63 - max(replicates, BASE_SEEDS):
        raise EvidenceError(f"--seed must leave room for {max(replicates, BASE_SEEDS)} seeds below 2^63, not {seed}")


# --------------------------------------------------------------------------------------------------------------- runs


@dataclass
class _Runs:
    """The measure at points of parameters, on seeds from ``seed`` on."""

    evaluate: Evaluate
    seed: int
    replicates: int
    threads: int
    progress: Progress
    done: int = 0

    def at(self, part: str, points: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> np.ndarray:
        """The measure at every point on its number of seeds: a row a point, missing where not asked."""
        tasks = [(i, j) for i, n in enumerate(seeds) for j in range(n)]
        out = np.full((len(points), max(seeds)), np.nan)
        # Closing the results first calls off what has not begun, so that a fault is told at once.
        with (
            ThreadPoolExecutor(max_workers=self.threads) as pool,
            closing(cast(Any, pool.map(lambda task: self.evaluate(points[task[0]], self.seed + task[1]), tasks))) as values,
        ):
            for done, ((i, j), value) in enumerate(zip(tasks, values, strict=True), start=1):
                if not np.isfinite(value):
                    odd = ", ".join(f"{name}={v:.4g}" for name, v in list(points[i].items())[:3])
                    more = ", ..." if len(points[i]) > 3 else ""
                    where = f"with {odd}{more}" if points[i] else "at the scenario's own parameters"
                    raise EvidenceError(
                        f"the measure has no value {where} (seed {self.seed + j}); take another measure or arm, more clients, "
                        "or a smaller --range"
                    )
                out[i, j] = value
                self.progress(part, done, len(tasks))
        self.done += len(tasks)
        return out

    def of(self, part: str, ranges: Sequence[Range], design: np.ndarray, check: int) -> tuple[np.ndarray, np.ndarray, Noise]:
        """The measure at every point of a design (a row a point, a column a seed), its means, and the noise in it.

        Points are inside their ranges to the last bit. With a single replicate the first ``check`` points are run on a second
        seed too, to see the noise.
        """
        n = len(design)
        seeds = [self.replicates] * n if self.replicates > 1 else [2] * check + [1] * (n - check)
        inside = np.clip(design, [r.low for r in ranges], [r.high for r in ranges])
        found = self.at(part, [dict(zip([r.name for r in ranges], map(float, row), strict=True)) for row in inside], seeds)
        output = found[:, : self.replicates].mean(axis=1)
        return found, output, _noise_of(found, output, self.replicates)


def _problem(ranges: Sequence[Range]) -> dict[str, Any]:
    """The problem as SALib takes it; a new one each time, since SALib writes into it."""
    return {"num_vars": len(ranges), "names": [r.name for r in ranges], "bounds": [[r.low, r.high] for r in ranges]}


# --------------------------------------------------------------------------------------------------------------- noise


def _noise_of(found: np.ndarray, output: np.ndarray, replicates: int) -> Noise:
    """Sampling noise at the points that were run on several seeds (a row a point, a column a seed).

    Seeds shift all points together; that is cancelled. What is not is the interaction of points and seeds:
    sum of (y - row mean - column mean + mean)^2 / ((points - 1)(seeds - 1)), as in a two-way table with one entry a cell.
    """
    block = found[np.isfinite(found).all(axis=1)]
    points, seeds = block.shape
    rest = block - block.mean(axis=1, keepdims=True) - block.mean(axis=0) + block.mean()
    own = float((rest**2).sum() / ((points - 1) * (seeds - 1)))
    sd = float(np.sqrt(block.var(axis=1, ddof=1).mean()))
    spread = float(output.var(ddof=1))
    share = min(own / replicates / spread, 1.0) if spread > 0 else 0.0
    return Noise(points, seeds, sd, sd / replicates**0.5, spread**0.5, share)


# ------------------------------------------------------------------------------------------------------------- Morris


def _morris(runs: _Runs, ranges: Sequence[Range], trajectories: int) -> tuple[pd.DataFrame, Noise]:
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    design = sampling.sample(_problem(ranges), trajectories, num_levels=LEVELS, seed=runs.seed)
    found, output, overall = runs.of("morris", ranges, design, CHECKED_TRAJECTORIES * (len(ranges) + 1))
    index = analysis.analyze(_problem(ranges), design, output, num_levels=LEVELS, num_resamples=RESAMPLES, seed=runs.seed)
    each = elementary_effects(design, found, ranges)  # trajectory, parameter, seed; missing where not all seeds are there
    noise = quantile(found.shape[1]) * np.sqrt(np.nanmean(each.var(axis=-1, ddof=1), axis=0) / runs.replicates)
    table = pd.DataFrame({"name": [r.name for r in ranges], **{name: np.asarray(index[name], float) for name in _EFFECTS}})
    table = table.rename(columns={"mu_star_conf": "mu_star_error"}).assign(noise=noise)
    verdicts = {
        "moves nothing here": table["mu_star"] == 0,
        "not distinguishable from sampling noise": table["mu_star"] <= noise,
        "moves it, up or down": table["mu"].abs() < 0.9 * table["mu_star"],
        "raises it": table["mu"] > 0,
    }
    table["verdict"] = np.select([*verdicts.values()], [*verdicts], "lowers it")
    return table.sort_values("mu_star", ascending=False, kind="stable", ignore_index=True), overall


def elementary_effects(design: np.ndarray, found: np.ndarray, ranges: Sequence[Range]) -> np.ndarray:
    """Change of the measure over a parameter's whole range, by trajectory, parameter and seed: (y' - y) / (x' - x) * (high -
    low)."""
    k = len(ranges)
    steps = np.diff(design.reshape(-1, k + 1, k), axis=1) / np.array([r.width for r in ranges])
    moved = np.abs(steps).argmax(axis=2)  # one parameter a step
    size = np.take_along_axis(steps, moved[..., None], axis=2)
    change = np.diff(found.reshape(-1, k + 1, found.shape[1]), axis=1) / size
    out = np.empty_like(change)
    np.put_along_axis(out, moved[..., None], change, axis=1)
    return out


def quantile(seeds: int) -> float:
    """Student's t of a 95 % interval over so many seeds. A seed's draws are the same in all trajectories, so only seeds count."""
    return float(special.stdtrit(seeds - 1, 0.975))


# -------------------------------------------------------------------------------------------------------------- Sobol


def _sobol(runs: _Runs, ranges: Sequence[Range], samples: int) -> tuple[pd.DataFrame, Noise]:
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    block = len(ranges) + 2  # A, one number of B at a time in A, B
    design = sampling.sample(_problem(ranges), samples, calc_second_order=False, seed=runs.seed)
    found, output, noise = runs.of("sobol", ranges, design, block * max(LEAST_SAMPLES, int(samples * CHECKED_SHARE)))
    table = pd.DataFrame({"name": [r.name for r in ranges], **dict.fromkeys(_PROPORTIONS, 0.0), "noise": 0.0})
    if np.ptp(output) > 0:  # else no variance, nothing to share out
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of resamples that happen to be constant
            index = analysis.analyze(
                _problem(ranges), output, calc_second_order=False, num_resamples=RESAMPLES,
                seed=np.random.default_rng(runs.seed),  # as a number, 0 would mean no seed
            )  # fmt: skip
        table = table.assign(**{name: np.asarray(index[key], float) for name, key in _PROPORTIONS.items()})
        table["noise"] = noise_in_totals(found, output, block, runs.replicates)
    sure = table["total"] - table["total_error"]
    verdicts = {
        "moves nothing here": table["total"] == 0,
        "not distinguishable from sampling noise": table["total"] <= table["noise"],
        "undecided with so few samples": sure <= table["noise"],
        "moves it, also with others": sure > table["first"] + table["first_error"],
    }
    return table.assign(verdict=np.select([*verdicts.values()], [*verdicts], "moves it")), noise


def noise_in_totals(found: np.ndarray, output: np.ndarray, block: int, replicates: int) -> np.ndarray:
    """What noise adds to each total index in expectation: half the error variance of (A - AB_i), over the variance of A and B."""
    y = found.reshape(-1, block, found.shape[1])
    difference = y[:, :1] - y[:, 1:-1]
    mine = output.reshape(-1, block)[:, [0, -1]]
    return 0.5 * np.nanmean(difference.var(axis=-1, ddof=1), axis=0) / replicates / mine.var()
