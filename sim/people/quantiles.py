"""Quantiles of the distributions that people are drawn from, in the same bits on every machine (``sim.elementary``).

A person's place among others is a standard normal number; what score or count belongs to it is computed here, by quadrature and
Newton's method, and tested against a statistics library.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from sim.compiling import compiled
from sim.elementary import exp, log, maximum

# Gauss-Legendre quadrature with eight points: places and weights on the right half of (-1, 1); the left half mirrors it.
_POINTS = (0.18343464249564980494, 0.52553240991632898582, 0.79666647741362673959, 0.96028985649753623168)
_WEIGHTS = (0.36268378337836198297, 0.31370664587788728734, 0.22238103445337447054, 0.10122853629037625915)
_CELLS = 512
_LEAST = -45.0  # log of the density, relative to its peak, where a tail is cut: below 1e-19
_FARTHEST = 12.0  # of the normal distribution: below 1e-32
_NEWTON = 6


@register_jitable
def _softplus(u):  # type: ignore[no-untyped-def]
    return maximum(u, 0.0) + log(1.0 + exp(-abs(u)))


@register_jitable
def _height(u, a, b):  # type: ignore[no-untyped-def]
    """Log of the beta density of x = 1 / (1 + exp(-u)), per unit of u and without its constant."""
    return -a * _softplus(-u) - b * _softplus(u)


@register_jitable
def _mass(low, high, a, b, peak):  # type: ignore[no-untyped-def]
    """Integral of that density, relative to its peak, over a stretch of u."""
    middle, half, total = 0.5 * (low + high), 0.5 * (high - low), 0.0
    for k in range(4):
        away = half * _POINTS[k]
        total += _WEIGHTS[k] * (exp(_height(middle - away, a, b) - peak) + exp(_height(middle + away, a, b) - peak))
    return half * total


@register_jitable
def _end(inside, outside, a, b, peak):  # type: ignore[no-untyped-def]
    """Where the density has fallen to ``_LEAST``, by bisection."""
    for _ in range(60):
        middle = 0.5 * (inside + outside)
        if _height(middle, a, b) - peak > _LEAST:
            inside = middle
        else:
            outside = middle
    return outside


def lower_half(z, a, b, out):  # type: ignore[no-untyped-def]
    mode = log(a / b)
    peak = _height(mode, a, b)
    first, last = _end(mode, min((peak + _LEAST) / a, mode), a, b, peak), _end(mode, max(-(peak + _LEAST) / b, mode), a, b, peak)
    width = (last - first) / _CELLS
    below = np.empty(_CELLS + 1)
    below[0] = 0.0
    for k in range(_CELLS):
        below[k + 1] = below[k] + _mass(first + k * width, first + (k + 1) * width, a, b, peak)
    # the normal distribution up to each z, by the same quadrature; half of it lies below 0
    normal = np.empty(z.size)
    total, at = 0.0, -_FARTHEST
    for i in range(z.size):
        steps = max(int((z[i] - at) / 0.05), 1)
        step = (z[i] - at) / steps
        for s in range(steps):
            middle, part = at + (s + 0.5) * step, 0.0
            for k in range(4):
                left, right = middle - 0.5 * step * _POINTS[k], middle + 0.5 * step * _POINTS[k]
                part += _WEIGHTS[k] * (exp(-0.5 * left * left) + exp(-0.5 * right * right))
            total += 0.5 * step * part
        normal[i], at = total, z[i]
    cell = 0
    for i in range(z.size):
        wanted = below[_CELLS] * (0.5 * normal[i] / normal[z.size - 1])
        while below[cell + 1] < wanted and cell < _CELLS - 1:
            cell += 1
        low = first + cell * width
        u = low + width * min(max((wanted - below[cell]) / (below[cell + 1] - below[cell]), 0.0), 1.0)
        for _ in range(_NEWTON):
            u -= (below[cell] + _mass(low, u, a, b, peak) - wanted) / exp(_height(u, a, b) - peak)
            u = min(max(u, low), low + width)
        out[i] = 1.0 / (1.0 + exp(-u))


def beta_quantiles(z: np.ndarray, a: float, b: float) -> np.ndarray:
    """Values (0..1) of a beta distribution with shapes ``a`` and ``b`` (above 0) that belong to standard normal numbers ``z``.

    ``z``: rising, from -12 to 12, and symmetrical around a 0 in its middle. Within 1e-11 of the true value.

    >>> beta_quantiles(np.array([-1.0, 0.0, 1.0]), 1.0, 1.0).round(6).tolist()
    [0.158655, 0.5, 0.841345]
    """
    half = np.ascontiguousarray(z[: z.size // 2 + 1], np.float64)
    low, high = np.empty(half.size), np.empty(half.size)
    compiled(lower_half)(half, float(a), float(b), low)
    compiled(lower_half)(half, float(b), float(a), high)
    return np.concatenate([low, 1.0 - high[-2::-1]])


def poisson_quantiles(chance: np.ndarray, mean: float) -> np.ndarray:
    """Counts of a Poisson distribution with this mean (0 to 100,000) that belong to uniform numbers in (0, 1].

    The least whole number whose cumulative probability reaches ``chance``.

    >>> poisson_quantiles(np.array([0.1, 0.5, 0.99]), 2.0).tolist()
    [0, 2, 6]
    """
    out = np.empty(chance.size, np.int64)
    compiled(_counted)(np.ascontiguousarray(chance, np.float64), float(mean), out)
    return out


def _counted(chance, mean, out):  # type: ignore[no-untyped-def]
    for i in range(chance.size):
        count, log_part, total = 0, -mean, 0.0
        most = mean + 12.0 * np.sqrt(mean) + 60.0  # nothing that a double could tell from 1 lies above
        while True:
            total += exp(log_part) if log_part > -700.0 else 0.0
            if total >= chance[i] or count > most:
                break
            count += 1
            log_part += log(mean / count)
        out[i] = count
