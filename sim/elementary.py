"""The elementary functions of the model, in the same bits on every machine: IEEE additions, multiplications, divisions and 64-bit
integers, nothing of a mathematical library.

The ``exp`` and ``log`` of libraries differ in the last bit from processor to processor. These do not, and lie within one unit in
the last place of the true value (``tests/test_elementary.py``). Each serves a float, a column (NumPy) and a compiled loop with
the same bits, and none has a branch, so that a compiled loop over a block of people becomes vector instructions. Square roots are
exact everywhere: ``np.sqrt``.

Of ``minimum`` and ``maximum`` the first value is the one that passes NaN on: what was computed first, the bound behind it.
Imports nothing else of this package.

>>> exp(0.0), log(1.0), minimum(0.4, 1.0)
(np.float64(1.0), np.float64(0.0), np.float64(0.4))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

#: Makes a function part of every compiled loop that calls it; one that is not would keep the whole loop from vector form.
inlined = register_jitable(forceinline=True)

_ROUND = 6755399441055744.0  # 1.5 * 2^52: what is added to it is rounded to a whole number, which stands in the lowest bits
_LOG2_E = 1.4426950408889634
_LN2, _LN2_REST = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # ln 2 in two parts; the first has 32 bits
# exp(r) = 1 + r + r^2*P(r): the coefficients of P, by interpolation at Chebyshev's points of +-0.347, off by 4e-18 at most.
_P0, _P1, _P2, _P3 = 0.5000000000000001, 0.16666666666666669, 0.04166666666662399, 0.008333333333330051
_P4, _P5, _P6 = 0.0013888888917281794, 0.00019841269863105968, 2.480152119021773e-05
_P7, _P8, _P9 = 2.7557268378684192e-06, 2.7620138719733994e-07, 2.5100424157005067e-08
#: Beyond these ``exp`` stands still: its value would leave the range of normal doubles.
LOWEST_EXP, HIGHEST_EXP = -708.0, 709.0

_SMALLEST = 2.2250738585072014e-308  # normal number
# log(1 + f) = f - f^2/2 + s*(f^2/2 + R(s^2)), s = f/(2 + f): the coefficients of R, after Sun's fdlibm (1993).
_L1, _L2, _L3, _L4 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01
_L5, _L6, _L7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01
_EXPONENT = np.int64(52)  # where the exponent of a double stands
_EXPONENT_BITS, _FRACTION_BITS = np.int64(0x7FF), np.int64(0x000FFFFFFFFFFFFF)
_ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)  # the bits of sqrt(1/2), where the range of the reduced argument begins
_TO_ONE = np.int64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
_TWO52, _TWO52_BITS = 4503599627370496.0, np.int64(0x4330000000000000)  # 2^52: a whole number below it stands in the lowest bits


def minimum(value: Any, most: Any) -> Any:
    """``value``, or ``most`` where that is less. NaN where ``value`` is NaN."""
    return np.where(most < value, most, value)[()]


def maximum(value: Any, least: Any) -> Any:
    """``value``, or ``least`` where that is more. NaN where ``value`` is NaN."""
    return np.where(least > value, least, value)[()]


def select(condition: Any, one: Any, other: Any) -> Any:
    """``one`` where the condition holds, else ``other``; both are computed.

    >>> select(2.0 > 1.0, 0.3, 0.7)
    np.float64(0.3)
    """
    return np.where(condition, one, other)[()]


@overload(minimum, jit_options={"forceinline": True})
def _minimum(value, most):  # type: ignore[no-untyped-def]
    return lambda value, most: most if most < value else value


@overload(maximum, jit_options={"forceinline": True})
def _maximum(value, least):  # type: ignore[no-untyped-def]
    return lambda value, least: least if least > value else value


@overload(select, jit_options={"forceinline": True})
def _select(condition, one, other):  # type: ignore[no-untyped-def]
    return lambda condition, one, other: one if condition else other


@inlined
def exp(x):  # type: ignore[no-untyped-def]
    """e to the power of ``x``; ``x`` is taken as -708 at least and 709 at most. NaN gives NaN.

    exp(x) = 2^k * exp(r), k = x/ln 2 rounded, r = x - k*ln 2 within +-0.35; exp(r) by a polynomial.
    """
    x = minimum(maximum(np.float64(x), LOWEST_EXP), HIGHEST_EXP)
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    near, rest = x - k * _LN2, k * _LN2_REST  # the first is exact
    r = near - rest
    lost = (near - r) - rest  # in rounding r
    r2 = r * r
    r4 = r2 * r2
    low = (_P0 + r * _P1) + r2 * (_P2 + r * _P3)
    high = (_P4 + r * _P5) + r2 * (_P6 + r * _P7)
    power = 1.0 + (r + (lost + r2 * (low + r4 * (high + r4 * (_P8 + r * _P9)))))
    return np.int64(np.float64(power).view(np.int64) + (np.float64(shifted).view(np.int64) << _EXPONENT)).view(np.float64)


@inlined
def log(x):  # type: ignore[no-untyped-def]
    """The natural logarithm of a positive normal number; NaN for anything else.

    log(x) = k*ln 2 + log(m), x = 2^k * m with m from sqrt(1/2) to sqrt(2); log(m) by a polynomial in (m - 1)/(m + 1).
    """
    valid = (x >= _SMALLEST) & (x < np.inf)
    bits = np.float64(select(valid, x, 1.0)).view(np.int64) + _TO_ONE
    k = np.int64(((bits >> _EXPONENT) & _EXPONENT_BITS) | _TWO52_BITS).view(np.float64) - (_TWO52 + 1023.0)
    f = np.int64((bits & _FRACTION_BITS) + _ROOT_HALF).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (_L2 + w * (_L4 + w * _L6))
    odd = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7)))
    half = 0.5 * f * f
    found = k * _LN2 - ((half - (s * (half + (even + odd)) + k * _LN2_REST)) - f)
    return select(valid, found, np.nan)
