"""Plain arithmetic between equations: sums, differences, flags. Nothing in it is a claim about people, as in ``equations``.

As the equations, each is branch-free and serves a float, a column and a compiled loop.
"""

from __future__ import annotations

from sim.elementary import inlined, maximum, minimum, select
from sim.theory.styles import LOWEST, WIDTH


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
