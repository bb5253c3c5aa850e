"""From single studies to one value: correlations, differences and shares per study, pooled, with the error of the simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from sim.measures.intervals import mean_interval

#: People with a value below which a study says nothing.
LEAST = 8


@dataclass(frozen=True)
class Simulated:
    """What the simulated studies found: one value, or several named parts.

    ``error``: Monte-Carlo standard error of ``value``, over the studies there were. ``studies``: how many. ``tau``: SD of true
    values between studies, beyond sampling; ``i2``: its square as a proportion of the variance of studies' values; both missing
    where they are not asked for. ``parts``: name -> (value, low, high), 95 % interval over studies.
    """

    value: float
    error: float
    studies: int
    tau: float = float("nan")
    i2: float = float("nan")
    parts: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


def studies(table: pd.DataFrame, size: int, least: int = LEAST) -> pd.DataFrame:
    """``table`` cut into studies of ``size`` people who began, in the order in which they came (their number).

    With the columns ``study`` (number over all settings) and ``place`` (number within the setting, from 0). People keep together
    with whoever has the same therapist, but where a study ends. What is left over at a setting's end, and studies with fewer
    than ``least`` rows, are left out.
    """
    place = (table["client"] // size).to_numpy()
    whole = (table.groupby("setting", observed=True)["client"].transform("max").to_numpy() + 1) // size
    setting = table["setting"].to_numpy()
    number = setting.astype(np.int64) * 1_000_000 + place
    cut = table.assign(place=place, study=number)[place < whole]
    counts = cut.groupby("study")["client"].transform("size")
    return cut[counts >= least]


def each_study(cut: pd.DataFrame, columns: Sequence[str], of: Callable[[pd.DataFrame], Iterable[Any]]) -> pd.DataFrame:
    """What ``of`` makes of every study's rows, as these ``columns``; one row a study, with its ``setting``."""
    rows = [(*of(one), one["setting"].iloc[0]) for _, one in cut.groupby("study")]
    return pd.DataFrame(rows, columns=[*columns, "setting"])


def few_per_therapist(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The first ``most`` clients of each therapist, numbered on without gaps, for studies that do not take whole caseloads."""
    kept = table.sort_values(["setting", "client"], kind="stable")
    kept = kept[kept.groupby(["setting", "therapist"]).cumcount() < most]
    return kept.assign(client=kept.groupby("setting").cumcount())


def grouped_correlations(x: Any, y: Any, study: Any) -> pd.DataFrame:
    """Pearson's ``r`` of each study and its ``n``, one row a study (index); pairs with a missing value are left out."""
    frame = pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float), "study": np.asarray(study)}).dropna()
    labels, group = np.unique(frame["study"].to_numpy(), return_inverse=True)
    n = np.bincount(group).astype(float)
    dx, dy = (frame[name].to_numpy() - (np.bincount(group, frame[name]) / n)[group] for name in ("x", "y"))
    sxx, syy, sxy = (np.bincount(group, a * b) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    with np.errstate(invalid="ignore", divide="ignore"):
        r = sxy / np.sqrt(sxx * syy)
    return pd.DataFrame({"r": np.where(n >= LEAST, r, np.nan), "n": n}, index=pd.Index(labels, name="study"))


def pooled_correlation(r: Any, n: Any, strata: Any) -> Simulated:
    """Mean of the studies' correlations by Fisher's z, with error and heterogeneity (method of moments).

    ``strata``: what the studies differ in by design (setting, rater, time), one label a study.
    """
    r, n = np.asarray(r, float), np.asarray(n, float)
    kept = np.isfinite(r) & (np.abs(r) < 1.0) & (n > 3)
    if not kept.any():
        return Simulated(float("nan"), float("nan"), 0)
    z, sampling = np.arctanh(r[kept]), 1.0 / (n[kept] - 3.0)
    mean, error = float(z.mean()), stratified_error(z, np.asarray(strata)[kept])
    tau2, i2 = _heterogeneity(z, sampling)
    value = float(np.tanh(mean))
    return Simulated(value, error * (1.0 - value * value), int(kept.sum()), float(np.sqrt(tau2)), i2)


def pooled(values: Any, strata: Any, sampling: Any = None) -> Simulated:
    """Mean of the studies' values, with its error; with the values' ``sampling`` variances heterogeneity too."""
    values = np.asarray(values, float)
    kept = np.isfinite(values)
    if not kept.any():
        return Simulated(float("nan"), float("nan"), 0)
    x = values[kept]
    tau2, i2 = (float("nan"),) * 2 if sampling is None else _heterogeneity(x, np.asarray(sampling, float)[kept])
    tau = float(np.sqrt(tau2))
    return Simulated(float(x.mean()), stratified_error(x, np.asarray(strata)[kept]), int(kept.sum()), tau, i2)


def pooled_parts(table: pd.DataFrame) -> Simulated:
    """Parts of a result, one column each, one row a study: mean with the 95 % interval over studies (Student's t)."""
    found = {str(name): mean_interval(table[name]) for name in table}
    parts = {name: (one["mean"], one["low"], one["high"]) for name, one in found.items()}
    return Simulated(float("nan"), float("nan"), len(table), parts=parts)


def stratified_error(values: np.ndarray, strata: np.ndarray) -> float:
    """Standard error of the mean of studies drawn within strata; strata with one study take the mean variance of the others."""
    labels, group = np.unique(strata, return_inverse=True)
    counts = np.bincount(group).astype(float)
    off = values - (np.bincount(group, values) / counts)[group]
    more = counts > 1
    if not more.any():  # nothing but single studies: all of their scatter counts
        return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
    variances = np.full(labels.size, np.nan)
    variances[more] = np.bincount(group, off * off)[more] / (counts[more] - 1.0)
    variances[~more] = variances[more].mean()
    return float(np.sqrt((counts * variances).sum()) / counts.sum())


def _heterogeneity(values: np.ndarray, sampling: np.ndarray) -> tuple[float, float]:
    """Variance of true values between studies, and its proportion of the variance of studies' values (DerSimonian and Laird)."""
    weights = 1.0 / sampling
    if values.size < 2:
        return float("nan"), float("nan")
    mean = (weights * values).sum() / weights.sum()
    q, df = float((weights * (values - mean) ** 2).sum()), values.size - 1
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    return max(0.0, (q - df) / float(scale)), max(0.0, 1.0 - df / q) if q > 0 else 0.0


def slopes(y: Any, x: Any) -> np.ndarray:
    """Slopes of least squares of ``y`` (n) on ``x`` (n, k), with a constant; missing where rows are too few or nothing varies."""
    y, x = np.asarray(y, float), np.asarray(x, float)
    kept = np.isfinite(y) & np.isfinite(x).all(axis=1)
    y, x = y[kept], x[kept]
    if y.size < x.shape[1] + 3 or np.linalg.matrix_rank(x - x.mean(axis=0)) < x.shape[1]:
        return np.full(x.shape[1], np.nan)
    return np.linalg.lstsq(np.column_stack([np.ones(y.size), x]), y, rcond=None)[0][1:]


def standardised(table: pd.DataFrame) -> pd.DataFrame:
    """Every column with mean 0 and SD 1."""
    return (table - table.mean()) / table.std(ddof=1)
