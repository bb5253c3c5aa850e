"""Elementary functions and quantiles: how near to the truth they are, and whether all their forms have the same bits."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from numba import njit
from scipy import special, stats

from sim import elementary, luck
from sim.people.quantiles import beta_quantiles, poisson_quantiles

GROUND = np.random.default_rng(20)
EXPONENTS = np.concatenate([GROUND.uniform(-708, 709, 400_000), GROUND.uniform(-1, 1, 400_000)])
POSITIVE = np.concatenate([
    GROUND.uniform(0.5, 2, 300_000), 1 + GROUND.uniform(-1e-3, 1e-3, 200_000), 2.0 ** GROUND.uniform(-1021, 1023, 300_000)
])  # fmt: skip


def bits(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64).view(np.int64)


def looped(function: Callable[..., float]) -> Callable[[np.ndarray], np.ndarray]:
    """The compiled form, in a loop that becomes vector instructions."""

    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def loop(x: np.ndarray, out: np.ndarray) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    def run(x: np.ndarray) -> np.ndarray:
        out = np.empty_like(x)
        loop(x, out)
        return out

    run.loop = loop  # type: ignore[attr-defined]
    return run


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider float to compare with")
@pytest.mark.parametrize("name, x", [("exp", EXPONENTS), ("log", POSITIVE)])
def test_within_one_unit_in_the_last_place(name: str, x: np.ndarray) -> None:
    true = getattr(np, name)(x.astype(np.longdouble))
    units = np.abs(getattr(elementary, name)(x).astype(np.longdouble) - true) / np.spacing(np.abs(true.astype(float)))
    assert units.max() < 0.97


@pytest.mark.parametrize("name, x", [("exp", EXPONENTS), ("log", POSITIVE)])
def test_a_float_a_column_and_a_compiled_loop_have_the_same_bits(name: str, x: np.ndarray) -> None:
    function = getattr(elementary, name)
    column = function(x)
    assert np.array_equal(bits(column), bits(looped(function)(x)))
    some = slice(None, None, 401)
    assert np.array_equal(bits(column[some]), bits(np.array([function(float(one)) for one in x[some]])))


def test_exact_where_it_can_be() -> None:
    assert elementary.exp(0.0) == 1.0 and elementary.log(1.0) == 0.0
    assert np.array_equal(elementary.log(2.0 ** np.arange(-3, 4)), np.arange(-3, 4) * np.log(2.0))


def test_what_is_no_number_stays_none() -> None:
    for run in (elementary.exp, looped(elementary.exp)):
        assert np.isnan(run(np.array([np.nan]))[0])
        assert np.isfinite(run(np.array([np.inf, -np.inf, 1e300]))).all()  # stands still at the ends of its range
    for run in (elementary.log, looped(elementary.log)):
        assert np.isnan(run(np.array([np.nan, 0.0, -1.0, np.inf, 1e-310]))).all()


def test_bounds_pass_on_what_is_no_number() -> None:
    """A bound hides NaN in the second place only, so no equation may write the bound first."""
    x = np.array([np.nan, -1.0, 0.5, 2.0])
    kept = looped(within_bounds)(x)
    assert np.isnan(kept[0]) and kept[1:].tolist() == [0.0, 0.5, 1.0]
    assert np.array_equal(bits(kept), bits(within_bounds(x)))
    assert elementary.select(np.array([True, False]), 1.0, 2.0).tolist() == [1.0, 2.0]


@elementary.inlined
def within_bounds(x):  # type: ignore[no-untyped-def]
    return elementary.minimum(elementary.maximum(x, 0.0), 1.0)


@pytest.mark.parametrize("function", [elementary.exp, elementary.log])
def test_a_loop_becomes_vector_instructions_and_nothing_is_fused(function: Callable[..., float]) -> None:
    run = looped(function)
    run(np.ones(8))
    (text,) = run.loop.inspect_asm().values()  # type: ignore[attr-defined]
    wide = re.findall(r"\b(?:v?mulpd|fmul\s+v\d+\.2d)\b", text)
    assert len(wide) >= 10
    assert not re.search(r"\bv?fn?m(?:add|sub|la|ls)", text)


# ------------------------------------------------------------------------------------------------------ quantiles

GRID = (np.arange(1201) - 600) * 0.01


@pytest.mark.parametrize("mean", [0.02, 0.1, 0.36, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("sd", [0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.45])
def test_beta_quantiles(mean: float, sd: float) -> None:
    size = mean * (1 - mean) / sd**2 - 1
    if size <= 0:
        return
    a, b = mean * size, (1 - mean) * size
    upper = 1 - special.betaincinv(b, a, special.ndtr(-GRID))  # from the nearer end, where the library is exact
    true = np.where(GRID > 0, upper, special.betaincinv(a, b, special.ndtr(GRID)))
    assert np.abs(beta_quantiles(GRID, a, b) - true).max() < (1e-11 if min(a, b) > 0.15 else 2e-6)


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 80.0, 900.0, 50_000.0])
def test_poisson_quantiles(mean: float) -> None:
    chance = luck.uniform(3, 0, 0, "a test", np.arange(2000))
    found = poisson_quantiles(chance, mean)
    assert np.array_equal(found, stats.poisson.ppf(chance, mean))
    assert poisson_quantiles(np.array([1.0]), mean)[0] >= mean  # a chance of 1 ends too


# ---------------------------------------------------------------------------------------------- draws, block by block


def test_drawn_for_a_block_is_drawn_one_by_one() -> None:
    """More than a million draws, so that all parts of the ziggurat come up; both forms and the public one."""
    streams = GROUND.integers(0, 2**63, 4096).astype(np.uint64)

    @njit  # type: ignore[untyped-decorator]
    def block(step, normals, uniforms, again):  # type: ignore[no-untyped-def]
        luck.normals_into(normals, streams, step, again)
        luck.uniforms_into(uniforms, streams, step)

    @njit  # type: ignore[untyped-decorator]
    def single(step, normals, uniforms):  # type: ignore[no-untyped-def]
        for j in range(streams.size):
            normals[j], uniforms[j] = luck.normal_at(streams[j], step), luck.uniform_at(streams[j], step)

    beyond = 0
    for step in range(300):
        one, other = np.empty((2, streams.size)), np.empty((2, streams.size))
        block(np.uint64(step), one[0], one[1], np.empty(streams.size, np.int64))
        single(np.uint64(step), other[0], other[1])
        assert np.array_equal(bits(one), bits(other))
        beyond += int((np.abs(one[0]) > 3.7).sum())
    assert beyond > 100  # the tail was reached
