"""Means with their intervals, and how much two distributions have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

#: Fewer people than this are too few for a statement about the overlap of two distributions.
LEAST_FOR_OVERLAP = 10
#: Proportion of a group that has just the same value from which on it is no matter of density.
LEAST_TIED = 0.1


def standard_error(sd: Any, n: Any) -> Any:
    """SD / sqrt(n), of numbers or columns."""
    return sd / np.sqrt(n)


def half_width(sd: Any, n: Any) -> Any:
    """Half the width of a 95 % interval of a mean (Student's t with n - 1), of numbers or columns; missing below two values."""
    count = np.maximum(n, 2)
    return np.where(np.asarray(n) > 1, special.stdtrit(count - 1, 0.975) * standard_error(sd, count), np.nan)


def mean_interval(values: Any) -> dict[str, float]:
    """Mean, lower and upper end of its 95 % interval, standard deviation and number; missing values are left out."""
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    n = x.size
    mean = float(x.mean()) if n else np.nan
    sd = float(x.std(ddof=1)) if n > 1 else np.nan
    half = float(half_width(sd, n))
    return {"mean": mean, "low": mean - half, "high": mean + half, "sd": sd, "n": n}


def mean_intervals(table: pd.DataFrame, by: list[str], of: str = "value") -> pd.DataFrame:
    """Of a column in each group (index, in the order of their first rows): ``mean``, ``low``, ``high``, ``sd`` and ``n``."""
    found = table.groupby(by, observed=True, sort=False)[of].agg(mean="mean", sd="std", n="count")
    half = half_width(found["sd"], found["n"])
    return found.assign(low=found["mean"] - half, high=found["mean"] + half)


def difference_interval(a: Any, b: Any, *, paired: bool = False) -> dict[str, float]:
    """Mean of ``a`` minus mean of ``b`` with its 95 % interval: of two groups (Welch), or ``paired`` by the index of two series.

    Besides ``mean``, ``low`` and ``high`` what else ``differences`` says; all missing where either has no value.
    """
    tables = [pd.DataFrame({"of": 0, "value": values}) for values in (b, a)]
    less, more = (table.reset_index() for table in tables) if paired else tables
    found = differences(less, more, ["of"], paired=paired)
    row = dict(found.iloc[0]) if len(found) else {**dict.fromkeys(found.columns, np.nan), "n": 0}
    return {"mean": row["difference"], **row}


def differences(a: pd.DataFrame, b: pd.DataFrame, by: list[str], *, paired: bool = True) -> pd.DataFrame:
    """What the values of ``b`` come to less those of ``a``, with 95 % intervals: pair by pair, or as two groups (Welch).

    ``a``, ``b``: tables with a number in ``value``. ``by``: the columns that a row of the result is known by. Any other column
    that both have (seed, replicate, client) tells which values are a pair; a pair counts where both have a value. Returns one
    row for each of ``by`` that both have: ``a`` and ``b`` (means of what counts), ``difference`` with ``low`` and ``high``
    (missing below two), ``sd`` of a pair's difference, ``sd_a`` and ``sd_b``, and ``n_a`` and ``n_b`` values, ``n`` the fewer.

    >>> one, two = (pd.DataFrame({"of": "x", "seed": [1, 2, 3], "value": values}) for values in ([1, 2, 3], [2, 3, 5]))
    >>> differences(one, two, ["of"]).round(2)[["difference", "low", "high", "n"]].values.tolist()
    [[1.33, -0.1, 2.77, 3.0]]
    """
    if paired:
        keys = [name for name in a.columns if name in b.columns and name != "value"]
        both = b.merge(a, on=keys, suffixes=("_b", "_a"))
        both = both.assign(apart=both["value_b"] - both["value_a"])
        for name in ("value_a", "value_b"):
            both[name] = both[name].where(both["apart"].notna())
        groups = both.groupby(by, observed=True, sort=False)
        columns = {"a": groups["value_a"], "b": groups["value_b"], "apart": groups["apart"]}
    else:
        columns = {end: table.groupby(by, observed=True, sort=False)["value"] for end, table in (("a", a), ("b", b))}
    parts = [values.agg(["mean", "std", "count"]).add_suffix(f"_{end}") for end, values in columns.items()]
    found = pd.concat(parts, axis="columns", join="inner")
    n_a, n_b, sd_a, sd_b = (found[name] for name in ("count_a", "count_b", "std_a", "std_b"))
    if paired:
        difference, sd = found["mean_apart"], found["std_apart"]
        half = half_width(sd, n_a)
    else:
        difference, sd = found["mean_b"] - found["mean_a"], pd.Series(np.nan, found.index)
        va, vb = sd_a**2 / n_a, sd_b**2 / n_b  # Welch: squared standard errors
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = (va + vb) ** 2 / (va**2 / (n_a - 1) + vb**2 / (n_b - 1))
        half = np.where(va + vb == 0, 0.0, special.stdtrit(freedom, 0.975) * np.sqrt(va + vb))
    table = {
        "a": found["mean_a"], "b": found["mean_b"], "difference": difference, "low": difference - half, "high": difference + half,
        "sd": sd, "sd_a": sd_a, "sd_b": sd_b, "n": np.minimum(n_a, n_b), "n_a": n_a, "n_b": n_b,
    }  # fmt: skip
    return pd.DataFrame(table).reset_index()


def overlap(a: Any, b: Any) -> float:
    """Share that two distributions have in common: 1 = the same, 0 = apart (overlap coefficient).

    The area under the lower of the two smoothed densities (normal kernel, Silverman's width). A value that a tenth or more (at
    least three) of either group have exactly, such as no rupture, or the end of a scale, is no density: it counts by the shares
    that have it, and only the others are smoothed. Missing below ten values in either. For two normal distributions d SD apart it
    is 2*Phi(-d/2): 69 % at d = 0.8.

    >>> sim.measures.overlap(range(20), range(20))
    0.9999959369552184
    """
    x, y = (v[~np.isnan(v)] for v in (np.asarray(a, dtype=float), np.asarray(b, dtype=float)))
    if min(x.size, y.size) < LEAST_FOR_OVERLAP:
        return float("nan")
    counted = (np.unique(v, return_counts=True) for v in (x, y))
    points = np.union1d(*(v[n >= max(3, LEAST_TIED * n.sum())] for v, n in counted))
    common = float(sum(min((x == p).mean(), (y == p).mean()) for p in points))
    smooth = [v[~np.isin(v, points)] for v in (x, y)]
    if min(v.size for v in smooth) >= 2 and min(float(v.std()) for v in smooth) > 0:
        shares = [v.size / whole.size for v, whole in zip(smooth, (x, y), strict=True)]
        common += _common_area(*smooth, *shares)
    return min(1.0, common)


def _common_area(x: np.ndarray, y: np.ndarray, x_share: float, y_share: float) -> float:
    """The area under the lower of two smoothed densities, each with its proportion of its group as area."""
    from scipy import stats

    widths = [0.9 * min(v.std(ddof=1), float(stats.iqr(v)) / 1.34 or np.inf) * v.size**-0.2 for v in (x, y)]
    low, high = min(x.min(), y.min()) - 4 * max(widths), max(x.max(), y.max()) + 4 * max(widths)
    grid = np.linspace(low, high, 256)
    density = [
        share * np.exp(-0.5 * ((grid[:, None] - v) / h) ** 2).mean(axis=1) / (h * np.sqrt(2 * np.pi))
        for v, h, share in zip((x, y), widths, (x_share, y_share), strict=True)
    ]
    return float(np.trapezoid(np.minimum(*density), grid))


def single_differences(a: Any, b: Any) -> tuple[float, float]:
    """Middle 95 % of the differences between one value of ``a`` and one of ``b``, both drawn at random."""
    if not len(a) or not len(b):
        return float("nan"), float("nan")
    shares = [(np.arange(k) + 0.5) / k for k in (min(len(a), 500), min(len(b), 500))]  # enough of each
    x, y = (
        np.quantile(np.asarray(v, dtype=float), share, method="inverted_cdf") for v, share in zip((a, b), shares, strict=True)
    )
    low, high = np.quantile(x[:, None] - y, [0.025, 0.975])
    return float(low), float(high)
