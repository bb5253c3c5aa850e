"""Plain arithmetic between equations: sums, differences, flags. Nothing in it is a claim about people, as in ``equations``.

As the equations, each is branch-free and serves a float, a column and a compiled loop.
"""

from __future__ import annotations

import numpy as np

from sim.elementary import inlined, maximum, minimum, select
from sim.theory.styles import LOWEST, WIDTH

#: Tables are read off over this grid of standard normal numbers: from -Z_MOST to Z_MOST in so many steps.
Z_MOST, Z_STEPS = 6.0, 1200


@inlined
def same(value):  # type: ignore[no-untyped-def]
    """The value itself, where it is only brought along."""
    return value


@inlined
def total(one, other):  # type: ignore[no-untyped-def]
    """The sum of two values."""
    return one + other


@inlined
def difference(one, other):  # type: ignore[no-untyped-def]
    """The first value less the second."""
    return one - other


@inlined
def midway(one, other):  # type: ignore[no-untyped-def]
    """The mean of two values."""
    return 0.5 * (one + other)


@inlined
def mean_of_three(one, other, third):  # type: ignore[no-untyped-def]
    """The mean of three values."""
    return (one + other + third) / 3.0


@inlined
def product(one, other):  # type: ignore[no-untyped-def]
    """One value times the other: of two flags, whether both are up; of a draw, one of this spread."""
    return one * other


@inlined
def drawn(mean, sd, luck):  # type: ignore[no-untyped-def]
    """A number that is spread normally about a mean; ``luck`` is a standard normal draw."""
    return mean + sd * luck


@inlined
def within(value, low, high):  # type: ignore[no-untyped-def]
    """The value, or the end of the range beyond which it lies."""
    return minimum(maximum(value, low), high)


@inlined
def known(value, otherwise):  # type: ignore[no-untyped-def]
    """The value, or another where there is none (where it is no number)."""
    return select(value == value, value, otherwise)


@inlined
def standardised(value, mean, sd):  # type: ignore[no-untyped-def]
    """How far above the mean a value lies, in standard deviations."""
    return (value - mean) / sd


@inlined
def proportion(score):  # type: ignore[no-untyped-def]
    """An ECR score (1-7) as a proportion of the scale (0..1)."""
    return (score - LOWEST) / WIDTH


@inlined
def proportion_sd(sd):  # type: ignore[no-untyped-def]
    """A spread of ECR scores as one of proportions."""
    return sd / WIDTH


@inlined
def happens(chance, prob):  # type: ignore[no-untyped-def]
    """1 where a uniform draw lies within a probability, else 0."""
    return select(chance <= prob, 1.0, 0.0)


@inlined
def unless_fixed(value, low, high):  # type: ignore[no-untyped-def]
    """The value, or the one that a range allows where its two ends are the same."""
    return select(low == high, low, value)


@inlined
def lies_within(value, low, high):  # type: ignore[no-untyped-def]
    """1 where a value lies in a range, its ends included, else 0."""
    return select(value >= low, 1.0, 0.0) * select(value <= high, 1.0, 0.0)


@inlined
def root(value):  # type: ignore[no-untyped-def]
    """The square root."""
    return np.sqrt(value)


@inlined
def read_off(z, table):  # type: ignore[no-untyped-def]
    """What a table over the grid of standard normal numbers has at ``z``, linear between its points, at its ends beyond them."""
    at = (minimum(maximum(z, -Z_MOST), Z_MOST) + Z_MOST) * (Z_STEPS / (2.0 * Z_MOST))
    left = np.int64(minimum(np.floor(at), Z_STEPS - 1.0))
    return table[left] + (at - left) * (table[left + 1] - table[left])
