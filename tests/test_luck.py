"""Streams: is counter-based random numbers good luck, and does nobody else's change?

Everything is deterministic (fixed addresses), so these tests do not flicker. The thresholds are set so that a sound
generator would fail any of them with a chance below one in a million, all together: seven standard deviations, or a
p-value under 1e-9.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sim
from sim import luck
from sim.engine import wiring
from sim.luck import Luck, normal, person, purpose_code, uniform
from sim.simulation import build as design
from sim.theory import equations as eq
from sim.theory.steps import Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import World, begin, exchange, meet

SIGMAS, RARE = 7.0, 1e-9


@pytest.fixture(scope="module")
def normals() -> np.ndarray:
    """Four million normals, over people, weeks and exchanges."""
    return normal(5, 0, np.arange(2000)[:, None, None], "test", np.arange(100)[:, None], np.arange(20)).reshape(-1)


@pytest.fixture(scope="module")
def uniforms() -> np.ndarray:
    """Two million uniforms, over people, weeks and exchanges."""
    return uniform(5, 0, np.arange(1000)[:, None, None], "test", np.arange(100)[:, None], np.arange(20)).reshape(-1)


def close_to(value: float, expected: float, sd: float) -> bool:
    """Within seven standard deviations."""
    return abs(value - expected) < SIGMAS * sd


# ------------------------------------------------------------------------------------------------- distribution


def test_normals_have_the_moments_of_a_normal(normals: np.ndarray) -> None:
    n = normals.size
    # E z^k and the variance of its mean: (E z^2k - (E z^k)^2) / n
    for k, expected, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (6, 15.0, 10395.0 - 225.0)):
        assert close_to(float((normals**k).mean()), expected, math.sqrt(variance / n)), f"moment {k}"


def test_normals_are_distributed_as_normals(normals: np.ndarray) -> None:
    u = stats.norm.cdf(normals)
    assert stats.kstest(u, "uniform").pvalue > RARE
    # A thousand bins of equal probability would show a fault in a single layer of the ziggurat.
    assert stats.chisquare(np.bincount((u * 1000).astype(int).clip(0, 999), minlength=1000)).pvalue > RARE


def test_tails_are_neither_thin_nor_fat(normals: np.ndarray) -> None:
    n = normals.size
    for limit in (2.5, 3.0, 3.5, 4.0, 4.5):
        for tail in (normals > limit, normals < -limit):
            p = float(stats.norm.sf(limit))
            assert close_to(float(tail.sum()), n * p, math.sqrt(n * p)), limit
    assert 4.5 < normals.max() < 7.5 and -7.5 < normals.min() < -4.5


def test_beyond_the_last_layer_the_shape_is_still_that_of_a_normal() -> None:
    """There another method takes over; one draw in four thousand gets there."""
    found = []
    for week in range(10):
        z = np.abs(normal(5, 1, np.arange(4_000_000), "tail", week))
        found.append(z[z > luck._TAIL])
    beyond = np.concatenate(found)
    assert beyond.size > 8_000
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(luck._TAIL), "uniform").pvalue > RARE


def test_uniforms_are_uniform(uniforms: np.ndarray) -> None:
    n = uniforms.size
    assert uniforms.min() > 0.0 and uniforms.max() <= 1.0
    for k in (1, 2, 3, 4):
        variance = 1 / (2 * k + 1) - 1 / (k + 1) ** 2
        assert close_to(float((uniforms**k).mean()), 1 / (k + 1), math.sqrt(variance / n)), f"moment {k}"
    assert stats.kstest(uniforms, "uniform").pvalue > RARE
    assert stats.chisquare(np.bincount((uniforms * 4096).astype(int).clip(0, 4095), minlength=4096)).pvalue > RARE


def test_low_bits_of_uniforms_are_random_too(uniforms: np.ndarray) -> None:
    bits = (np.round(uniforms * 2.0**53) - 1).astype(np.uint64)
    for k in range(53):
        ones = int(((bits >> np.uint64(k)) & np.uint64(1)).sum())
        assert close_to(ones, bits.size / 2, math.sqrt(bits.size) / 2), f"bit {k}"


def test_no_draw_comes_twice(uniforms: np.ndarray) -> None:
    # Two million of 2^53 values: a repetition by chance has probability 0.0002; these addresses have none.
    assert np.unique(uniforms).size == uniforms.size


# ------------------------------------------------------------------------------------------------- independence

N_STEPS, N_EACH = 400, 1000
_each, _steps = np.arange(N_EACH), np.arange(N_STEPS)[:, None]
Draw = Callable[..., np.ndarray]

#: For every part of the address a plane of draws: down the rows this part counts up by one, along a row another does.
PLANES: dict[str, Callable[[Draw], np.ndarray]] = {
    "seed": lambda draw: np.stack([draw(k, 0, _each, "test", 3, 1) for k in range(N_STEPS)]),
    "replicate": lambda draw: np.stack([draw(7, k, _each, "test", 3, 1) for k in range(N_STEPS)]),
    "purpose": lambda draw: np.stack([draw(7, 0, _each, f"purpose_{k}", 3, 1) for k in range(N_STEPS)]),
    "who": lambda draw: draw(7, 0, _steps, "test", 3, _each),
    "a person's code": lambda draw: draw(7, 0, person("client", _steps), "test", 3, _each),
    "when": lambda draw: draw(7, 0, _each, "test", _steps, 1),
    "exchange": lambda draw: draw(7, 0, _each, "test", 3, _steps),
    "exchange, in later weeks": lambda draw: draw(7, 0, 4, "test", _each, _steps),
    "who up, when down": lambda draw: draw(7, 0, _steps + _each, "test", 2000 - _steps, 1),
    "when up, exchange down": lambda draw: draw(7, 0, 4, "test", _steps + _each, 2000 - _steps),
    "client and therapist of one number": lambda draw: draw(
        7, 0, np.where(_steps % 2 == 0, person("client", _steps // 2), person("therapist", _steps // 2)), "test", 3, _each
    ),
    "seed and replicate changing places": lambda draw: np.stack(
        [draw(*((k // 2, k // 2 + 500) if k % 2 == 0 else (k // 2 + 500, k // 2)), _each, "test", 3, 1) for k in range(N_STEPS)]
    ),
}


@pytest.mark.parametrize("part", PLANES)
def test_neighbours_in_every_part_of_the_address_are_independent(part: str) -> None:
    plane = PLANES[part](normal)
    assert plane.shape == (N_STEPS, N_EACH)
    x, y = plane[0::2].reshape(-1), plane[1::2].reshape(-1)
    root_n = math.sqrt(x.size)
    for transformed in (lambda z: z, lambda z: z**2, np.abs, np.sign):
        assert abs(np.corrcoef(transformed(x), transformed(y))[0, 1]) * root_n < SIGMAS
    for mixed in ((x + y) / math.sqrt(2), (x - y) / math.sqrt(2)):
        assert stats.kstest(mixed, "norm").pvalue > RARE
    cells = [np.minimum((stats.norm.cdf(z) * 20).astype(int), 19) for z in (x, y)]
    assert stats.chisquare(np.bincount(cells[0] * 20 + cells[1], minlength=400)).pvalue > RARE


@pytest.mark.parametrize("part", PLANES)
def test_neighbouring_uniforms_are_independent(part: str) -> None:
    plane = PLANES[part](uniform)
    x, y = plane[0::2].reshape(-1), plane[1::2].reshape(-1)
    assert abs(np.corrcoef(x, y)[0, 1]) * math.sqrt(x.size) < SIGMAS
    assert stats.kstest((x + y) % 1.0, "uniform").pvalue > RARE
    assert stats.kstest((x - y) % 1.0, "uniform").pvalue > RARE
    cells = [np.minimum((z * 20).astype(int), 19) for z in (x, y)]
    assert stats.chisquare(np.bincount(cells[0] * 20 + cells[1], minlength=400)).pvalue > RARE


def test_a_normal_and_a_uniform_of_one_address_differ_by_their_purpose() -> None:
    z, u = normal(7, 0, np.arange(200_000), "one"), uniform(7, 0, np.arange(200_000), "another")
    assert abs(np.corrcoef(z, u)[0, 1]) * math.sqrt(z.size) < SIGMAS


def test_means_of_persons_and_of_sessions_spread_as_independent_draws_do() -> None:
    plane = normal(9, 2, np.arange(2000)[:, None], "test", 1, np.arange(400))
    for axis in (0, 1):
        scaled = plane.mean(axis=axis) * math.sqrt(plane.shape[axis])
        assert stats.kstest(scaled, "norm").pvalue > RARE


def test_one_changed_bit_changes_half_of_the_bits() -> None:
    """Avalanche: of the mixing function on all sorts of bits, and of whole addresses of small numbers."""
    n = 20_000
    numbers = np.arange(n, dtype=np.uint64)
    bits = luck.mixed(numbers * np.uint64(77_777))
    parts = [luck.mixed(numbers + np.uint64(m)) % np.uint64(m) for m in (50, 7, 2000, 52)]  # seed, replicate, who, week
    here = luck.occasion(*parts)
    changes = [luck.mixed(bits) ^ luck.mixed(bits ^ (np.uint64(1) << np.uint64(k))) for k in range(64)]
    for i in range(4):
        for k in range(0, 20, 3):
            others = [part ^ (np.uint64(1) << np.uint64(k)) if i == j else part for j, part in enumerate(parts)]
            changes.append(here ^ luck.occasion(*others))
    for changed in changes:
        flips = np.unpackbits(changed.view(np.uint8).reshape(n, 8), axis=1)
        assert close_to(float(flips.mean()), 0.5, 0.5 / math.sqrt(64 * n))
        assert np.abs(flips.mean(axis=0) - 0.5).max() < 0.5 * SIGMAS / math.sqrt(n)


# ---------------------------------------------------------------------------------------------------- addresses


def test_one_address_always_gives_the_same_number() -> None:
    assert normal(1, 0, 2, "match", 3, 4) == 0.5804611730869368
    assert uniform(1, 0, 2, "dropout", 3) == 0.12595951074957012


def test_purposes_have_stable_numbers() -> None:
    assert int(purpose_code("match")) == 0xE16B6EB36FA10E31
    assert purpose_code("match") != purpose_code("Match")


def test_addresses_broadcast_and_an_array_is_many_scalars() -> None:
    for draw in (normal, uniform):
        many = draw(3, 1, np.arange(4)[:, None, None], "test", np.arange(3)[:, None], np.arange(5))
        assert many.shape == (4, 3, 5)
        for i, j, k in np.ndindex(many.shape):
            one = draw(3, 1, i, "test", j, k)
            assert isinstance(one, float) and one == many[i, j, k]
        assert draw(3, 1, [2, 0], "test").tolist() == [draw(3, 1, 2, "test"), draw(3, 1, 0, "test")]
        assert draw(3, 1, np.arange(6)[::2], "test").tolist() == [draw(3, 1, i, "test") for i in (0, 2, 4)]
        assert draw(3, 1, np.array([], np.uint64), "test").shape == (0,)
        with pytest.raises(ValueError, match="broadcast"):
            draw(3, 1, np.arange(3), "test", np.arange(2))


def test_neither_order_nor_company_matters() -> None:
    who = np.arange(50)
    all_at_once = normal(3, 0, who, "test", 2, 7)
    assert np.array_equal(normal(3, 0, who[::-1].copy(), "test", 2, 7)[::-1], all_at_once)
    assert np.array_equal(np.concatenate([normal(3, 0, part, "test", 2, 7) for part in np.array_split(who, 7)]), all_at_once)


def test_every_part_of_the_address_matters() -> None:
    address = (3, 1, 4, "test", 1, 5)
    others = [
        (2, 1, 4, "test", 1, 5),
        (3, 2, 4, "test", 1, 5),
        (3, 1, 5, "test", 1, 5),
        (3, 1, 4, "tests", 1, 5),
        (3, 1, 4, "test", 2, 5),
        (3, 1, 4, "test", 1, 6),
        (1, 3, 4, "test", 1, 5),
        (3, 1, 1, "test", 4, 5),
    ]
    assert len({normal(*a) for a in (address, *others)}) == 1 + len(others)
    assert normal(0, 0, 4, "test") != normal(1, 0, 4, "test")  # seed 0 is a seed like any other


def test_numbers_that_are_no_address_are_refused() -> None:
    """A negative or too large Python number is refused; the largest number is an address like any other."""
    for bad in (-1, 2**64):
        for address in (
            (bad, 0, 1, "test"),
            (0, bad, 1, "test"),
            (0, 0, bad, "test"),
            (0, 0, 1, "test", bad),
            (0, 0, 1, "test", 0, bad),
        ):
            with pytest.raises(OverflowError):
                normal(*address)
    assert math.isfinite(normal(2**64 - 1, 2**64 - 1, 2**64 - 1, "test", 2**64 - 1, 2**64 - 1))


@pytest.mark.parametrize("part", [np.array([-1]), -1])
def test_negative_addresses_are_refused(part: object) -> None:
    """There is nobody below 0; a silent wrap would hand out somebody else's luck."""
    with pytest.raises(OverflowError):
        normal(0, 0, part, "test")


@pytest.mark.parametrize("part", [1.5, np.array([0.5]), "1", None])
def test_addresses_are_whole_numbers(part: object) -> None:
    """A fraction would be cut off in silence, so it is refused."""
    with pytest.raises(TypeError, match="whole numbers"):
        normal(0, 0, part, "test")


def test_people_are_numbered_up_to_a_bound() -> None:
    """Beyond it a code would be somebody else's."""
    with pytest.raises(OverflowError, match="numbered"):
        person("therapist", 2**63)


def test_codes_of_people_and_pairs_do_not_collide() -> None:
    number = np.arange(10_000)
    clients, therapists = person("client", number), person("therapist", number)
    assert np.unique(np.concatenate([clients, therapists])).size == 20_000
    c, t = np.repeat(clients[:2000], 500), np.tile(therapists[:500], 2000)
    pairs = luck.pair(c, t)
    every = np.concatenate([pairs, luck.pair(therapists[:500], clients[:500]), clients, therapists])
    assert np.unique(every).size == every.size
    assert np.array_equal(luck.pair(c[:1], t[:1]), pairs[:1])
    with pytest.raises(KeyError):
        person("observer", 1)


# ------------------------------------------------------------------------------------------------------ ziggurat


def test_layers_of_the_ziggurat_have_equal_area_and_close_at_the_top() -> None:
    edge, inside = luck._EDGE, luck._INSIDE
    density = np.exp(-0.5 * edge**2)
    tail = math.sqrt(math.pi / 2) * math.erfc(luck._TAIL / math.sqrt(2))
    assert edge[luck._LAYERS] == 0.0 and np.all(np.diff(edge) < 0)
    assert edge[0] * density[1] == pytest.approx(luck._AREA, rel=1e-12)
    assert luck._TAIL * density[1] + tail == pytest.approx(luck._AREA, rel=1e-9)
    assert edge[1:-1] * (density[2:] - density[1:-1]) == pytest.approx(np.full(luck._LAYERS - 1, luck._AREA), rel=1e-9)
    assert inside == pytest.approx(edge[1:] / edge[:-1])


def test_compiled_luck_equals_plain_python() -> None:
    """The same functions, run by Python itself: equal to the last bit, tails and edges of layers included."""
    n = 60_000
    address = (
        np.uint64(5),
        np.uint64(1),
        np.arange(n, dtype=np.uint64),
        np.full(n, 3, np.uint64),
        purpose_code("test"),
        np.arange(n, dtype=np.uint64) % np.uint64(10),
    )
    with np.errstate(over="ignore"):
        for kernel, draw, length in ((luck._normals, normal, n), (luck._uniforms, uniform, 2000)):
            plain = np.empty(length)
            kernel(*address[:2], address[2][:length], address[3][:length], address[4], address[5][:length], plain)
            assert np.array_equal(plain, draw(5, 1, np.arange(length), "test", 3, np.arange(length) % 10))
            if kernel is luck._normals:
                assert (np.abs(plain) > luck._TAIL).sum() > 3  # the rare branch was taken
        client, therapist = person("client", np.arange(500)), person("therapist", np.arange(500)[::-1])
        plain_codes = np.empty(500, np.uint64)
        luck._pairs(client, therapist, plain_codes)
    assert np.array_equal(plain_codes, luck.pair(client, therapist))


# ------------------------------------------------------------------------------------ a minimally different world


def test_adding_people_changes_nobody_elses_luck() -> None:
    assert np.array_equal(normal(1, 0, np.arange(10), "test", 4), normal(1, 0, np.arange(25), "test", 4)[:10])


def test_adding_clients_changes_nobody_elses_course() -> None:
    scenario = sim.load("scenarios/hello.yaml")
    few, more = sim.run(scenario, seed=4), sim.run(scenario.but(clients_per_arm=27), seed=4)
    for name, table in few.tables.items():
        same = more.tables[name]
        same = same[same["client"] < 20].reset_index(drop=True)
        assert table.reset_index(drop=True).equals(same), name


def _world() -> World:
    scenario = sim.from_spec(
        {"question": "Same luck?", "client": "population", "therapist": "population", "clients_per_arm": 3, "sessions": 4,
         "parameters": {"hazard_base": 0.0}},  # bonds rupture, so that the luck of how deep they do counts too
        "same_luck",
    )  # fmt: skip
    return design.build(scenario, scenario.arms[0], 0, 6)


class Noting(Luck):
    """Luck that keeps what was drawn, by purpose; ``other``: a purpose in whose place another one is drawn."""

    def __init__(self, seed: int, replicate: int, other: str = "") -> None:
        super().__init__(seed, replicate)
        self.__dict__.update(drawn=defaultdict(list), other=other)

    def normal(self, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> Any:
        numbers = super().normal(who, "something else" if purpose == self.other else purpose, when, exchange)
        self.drawn[purpose].append(numbers)
        return numbers


def _after_one_session(steps: tuple[Step, ...] = EXCHANGE, other: str = "") -> tuple[np.ndarray, dict[str, list[np.ndarray]]]:
    """State of three dyads after the exchanges of one session, step by step in plain Python, and the normals that were drawn."""
    world = _world()
    begin(world)
    meet(world, np.arange(3))
    world.engine, world.exchange_steps, world.week = "plain", steps, 1
    world.luck = Noting(6, 0, other)
    exchange(world, np.arange(3))
    return world.dyads.data, world.luck.drawn


def test_a_new_draw_changes_no_other() -> None:
    at = next(i for i, s in enumerate(EXCHANGE) if s.name == "client.collaboration") + 1
    more = (*EXCHANGE[:at], Step("client", eq.response_given, ("client_extra",)), *EXCHANGE[at:])
    assert set(wiring.draws(more)) - set(wiring.draws(EXCHANGE)) == {"client_timing_luck"}
    assert np.array_equal(_after_one_session(EXCHANGE)[0], _after_one_session(more)[0])


def test_another_purpose_changes_only_its_own_draws() -> None:
    names = [name for name in wiring.draws(EXCHANGE) if name.endswith("_luck")]
    usual, drawn = _after_one_session()
    assert set(drawn) == set(names) and len(drawn[names[0]]) == _world().n_exchanges
    for name in names:
        state, others = _after_one_session(other=name)
        same = {purpose for purpose in names if np.array_equal(drawn[purpose], others[purpose])}
        assert same == set(names) - {name}
        assert not np.array_equal(usual, state)
