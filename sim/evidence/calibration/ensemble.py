"""The ensemble: many sets of the free parameters that all agree with the published evidence, instead of one point.

History matching. A design of points around the best fit is simulated; an emulator of the table learns from them (scikit-learn);
parameter sets that are plausible given the table and the priors are drawn with it (emcee); and every one of them is then
simulated for itself, on random draws of its own, and kept only where the joint score passes, no row lies off by more than 2.5 and
every direction that was looked at holds. The kept ones are a sample of parameter uncertainty, not a set of best fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sim.errors import UsageError
from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.emulator import Emulator, learned
from sim.evidence.calibration.free import FREE, Free, standings_of, values_at
from sim.evidence.calibration.search import (
    FURTHEST,
    ROOM,
    SIZE,
    Fit,
    clearances,
    joint_score,
    searched,
    sign_verdicts,
    standardised_residuals,
)
from sim.evidence.calibration.simulated import Found, Job, Simulator
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import LARGEST_RESIDUAL, score_limit
from sim.theory.ensemble import members

DESIGN, WIDER = 256, 1.6  # points, and how much wider than the fit's own uncertainty
WALKERS, STEPS, BURN = 64, 2000, 600
LUCK = 4.0  # what the noise of one table adds to its joint score, about


def standings(free: Sequence[Free] = FREE) -> np.ndarray:
    """Where the members stand (members, parameters), in prior SD from the priors' centres."""
    return np.array([standings_of(member, free) for member in members()])


def disagreements(found: Found, allow_noise: bool = False) -> list[str]:
    """Why a table does not agree with the published evidence; nothing where it agrees.

    ``allow_noise``: of a single table some noise is its own, so that each residual counts in units of its uncertainty and its
    Monte-Carlo error together, and a sign that is not shown (neither right nor wrong for certain) is no disagreement.
    """
    missed = standardised_residuals(found)
    if allow_noise:
        luck = {name: found.values[name][1] / patterns()[name].uncertainty for name in missed}
        missed = {name: m / (1.0 + luck[name] ** 2) ** 0.5 for name, m in missed.items()}
    why = [f"{name} lies off by {m:+.1f}" for name, m in missed.items() if not abs(m) <= LARGEST_RESIDUAL]
    score = sum(m**2 for m in missed.values())
    if not score <= score_limit(len(missed)):
        why.append(f"joint score {score:.1f}, at most {score_limit(len(missed)):.1f}")
    amiss = signs_amiss(found)
    return why + [f"{name} {part} {verdict}" for name, part, verdict in amiss if not (allow_noise and verdict == "not shown")]


def signs_amiss(found: Found) -> list[tuple[str, str, str]]:
    """Row, part and verdict of every part of a direction row that does not hold."""
    return [(row, part, verdict) for row, part, verdict in sign_verdicts(found) if verdict not in ("holds", "shown")]


def uncertainty(fit: Fit) -> np.ndarray:
    """Covariance of the standings at the best fit, by its slopes (the priors are among them)."""
    return np.linalg.inv(fit.slopes.T @ fit.slopes)


def design(fit: Fit, points: int = DESIGN, scramble: int = reserved.DESIGN) -> np.ndarray:
    """Points (points, parameters) spread evenly over a region around the fit, ``WIDER`` than its own uncertainty."""
    from scipy.stats import norm, qmc

    spread = uncertainty(fit)
    sampler = qmc.Sobol(fit.standings.size, rng=np.random.default_rng(scramble))
    flat = sampler.random_base2(int(np.ceil(np.log2(points))))[:points]
    away = WIDER * norm.ppf(np.clip(flat, 1e-4, 1 - 1e-4)) @ np.linalg.cholesky(spread).T
    return np.clip(fit.standings + away, -FURTHEST, FURTHEST)


def drawn(emulator: Emulator, fit: Fit, count: int, seed: int = reserved.DRAW) -> tuple[np.ndarray, float]:
    """Parameter sets (count, parameters) that the emulator says agree with the table, weighed by residuals and priors, and how
    many times its own memory (autocorrelation time) the sampler ran.

    By emcee's affine-invariant sampler. Outside the joint score's limit, less what the noise of a table adds, nothing is drawn: a
    set there would be refused anyway.
    """
    import emcee

    value = np.array([("/" not in name) for name in emulator.outputs])
    sd = emulator.errors(design(fit, 128, scramble=seed)).mean(axis=0)  # between the points that it learned from
    most = score_limit(int(value.sum())) - LUCK

    def log_posterior(z: np.ndarray) -> np.ndarray:
        mean = emulator.means(z)
        missed = mean[:, value]
        short = np.maximum(ROOM - mean[:, ~value], 0.0)
        out = (
            (np.abs(z) > FURTHEST).any(axis=1)
            | ((missed**2).sum(axis=1) > most)
            | (np.abs(missed) > LARGEST_RESIDUAL).any(axis=1)
        )
        weighed = (missed**2 / (1.0 + sd[value] ** 2)).sum(axis=1) + (short**2 / (1.0 + sd[~value] ** 2)).sum(axis=1)
        return np.where(out, -np.inf, -0.5 * (weighed + (z**2).sum(axis=1)))

    rng = np.random.default_rng(seed)
    begin = rng.multivariate_normal(fit.standings, 0.1 * uncertainty(fit), size=40 * WALKERS)
    begin = begin[np.isfinite(log_posterior(begin))][:WALKERS]
    if len(begin) < WALKERS:
        raise UsageError("the emulator finds no parameter sets around the fit that agree with the table")
    sampler = emcee.EnsembleSampler(WALKERS, fit.standings.size, log_posterior, vectorize=True)
    sampler.random_state = np.random.MT19937(seed).state  # emcee draws from a generator of its own
    sampler.run_mcmc(begin, STEPS)
    memory = float(np.max(sampler.get_autocorr_time(discard=BURN, quiet=True)))
    chain = sampler.get_chain(discard=BURN, flat=True)
    return np.asarray(chain[rng.choice(len(chain), count, replace=False)]), (STEPS - BURN) / memory


@dataclass(frozen=True)
class Built:
    """An ensemble as it was built: the kept sets, their tables, and why other candidates fell."""

    kept: tuple[Mapping[str, float], ...]
    tables: tuple[Found, ...]
    fell: tuple[str, ...]
    memories: float  # length of the sampler's chain in autocorrelation times

    @property
    def candidates(self) -> int:
        """How many were simulated."""
        return len(self.kept) + len(self.fell)


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """Values with four significant digits, as they are shipped; what is simulated is what is shipped."""
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def build(simulator: Simulator, fit: Fit, wanted: int = 220, most: int = 600, free: Sequence[Free] = FREE, size: float = SIZE,
          points: int = DESIGN, candidate_size: float = 1.0, say: Callable[[str], None] = print) -> Built:  # fmt: skip
    """Build an ensemble around a fit: design, emulator, candidates, and each candidate's own simulation."""
    ids = searched()
    at = design(fit, points)
    jobs = [Job({"parameters": values_at(z, free)}, reserved.DESIGN, size, ids) for z in at]
    tables = simulator.ask(jobs, lambda done, total: say(f"design: {done} of {total}") if done % 32 == 0 else None)
    outputs = [  # shortfalls before they are cut off at nothing; a part of any sign falls short of none
        {**standardised_residuals(t), **{part: clear for part, clear in clearances(t).items() if clear != math.inf}}
        for t in tables
    ]
    names, rows = list(outputs[0]), np.array([list(one.values()) for one in outputs])
    whole = np.isfinite(rows).all(axis=1)  # a table with a row that could not be computed teaches nothing
    emulator = learned(at[whole], rows[whole], names, fit.standings, uncertainty(fit))
    say(f"emulator of {len(names)} rows learned from {int(whole.sum())} tables")
    z, memories = drawn(emulator, fit, most)
    say(f"sets drawn; the sampler's chain is {memories:.0f} times its memory")
    candidates = [rounded(values_at(one, free)) for one in z]
    kept: list[Mapping[str, float]] = []
    of: list[Found] = []
    fell: list[str] = []
    for begin in range(0, most, 50):  # fixed blocks, so that the outcome does not depend on the processes
        block = candidates[begin : begin + 50]
        jobs = [Job({"parameters": c}, reserved.CANDIDATES[begin + i], candidate_size, ids) for i, c in enumerate(block)]
        found = simulator.ask(jobs)
        for candidate, table in zip(block, found, strict=True):
            why = ["drawn before"] if candidate in kept else disagreements(table)
            if why:
                fell.append("; ".join(why))
            else:
                kept.append(candidate)
                of.append(table)
        say(f"candidates: {len(kept)} of {len(kept) + len(fell)} agree with the table")
        if len(kept) >= wanted:
            break
    return Built(tuple(kept), tuple(of), tuple(fell), memories)


def written(built: Built) -> str:
    """The ensemble as the text of its file, a set a row."""
    table = pd.DataFrame(built.kept)[[one.name for one in FREE]].map("{:.6g}".format)
    table["score"] = [f"{joint_score(found):.1f}" for found in built.tables]
    return str(table.rename_axis("member").to_csv(lineterminator="\n"))


def pinned(free: Sequence[Free] = FREE, of: np.ndarray | None = None) -> pd.DataFrame:
    """How far the evidence pins every free parameter down.

    One row a parameter: its median and 90 % range in the ensemble, and ``left``: its spread there over that of its prior (1: the
    table says nothing about it, 0: it is known).
    """
    z = pd.DataFrame(standings(free) if of is None else of, columns=[one.name for one in free])
    ends = {name: values_at(z.quantile(q).to_numpy(), free) for name, q in (("median", 0.5), ("low", 0.05), ("high", 0.95))}
    return pd.DataFrame({**ends, "left": z.std()}).rename_axis("parameter").reset_index()


def would_pin(tables: Sequence[Found], z: np.ndarray, free: Sequence[Free] = FREE) -> pd.DataFrame:
    """What else would say something about each parameter: the squared correlation, over the ensemble, of the parameter with every
    part of a direction row, of which the calibration used no value but at most a sign. One row a parameter: the quantity that
    says most, and how much of the parameter's variance it would explain, were it measured without error. Below ``noise`` it is
    nothing."""
    quantities = {
        f"{name} {part}".replace("_", " "): np.array([t.parts[name][part][0] for t in tables])
        for name, parts in tables[0].parts.items()
        for part in parts
    }
    measured = pd.DataFrame({name: values for name, values in quantities.items() if values.std() > 0})
    shares = pd.DataFrame({one.name: measured.corrwith(pd.Series(z[:, k])) ** 2 for k, one in enumerate(free)})
    found = pd.DataFrame({"quantity": shares.idxmax(), "share": shares.max()})
    return found.rename_axis("parameter").reset_index()


def verified(simulator: Simulator, count: int, seed: int, size: float = 1.0, of: Sequence[Mapping[str, float]] | None = None,
            progress: Callable[[int, int], None] | None = None) -> list[dict[str, Any]]:  # fmt: skip
    """Simulate ``count`` members again, all rows, on random draws of ``seed`` that no search has used.

    ``of``: an ensemble; default: the shipped one. One entry a member: its number, joint score, why it disagrees (nothing where it
    agrees) and its table.
    """
    every = members() if of is None else tuple(of)
    chosen = np.sort(np.random.default_rng(seed).choice(len(every), min(count, len(every)), replace=False))
    wanted = tuple(p.id for p in patterns().values() if p.tier in ("calibrate", "direction"))
    jobs = [Job({"parameters": dict(every[i])}, reserved.unused(seed, int(i)), size, wanted) for i in chosen]
    found = simulator.ask(jobs, progress)
    return [
        {"member": int(i), "score": joint_score(table), "why": disagreements(table),
         "beyond_noise": disagreements(table, allow_noise=True), "table": table}
        for i, table in zip(chosen, found, strict=True)
    ]  # fmt: skip
