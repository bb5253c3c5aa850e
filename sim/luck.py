"""Addressed luck: a random number is a pure function of who, for what, and when.

``normal(seed, replicate, who, purpose, when, exchange)`` always gives the same number, whoever asks, in
whatever order, on whichever worker. So two arms on one seed differ only where the treatment makes them
differ, and adding a client or a new kind of draw changes nobody else's luck.

How: the parts of the address are absorbed one after the other by SplitMix64's mixing function (Steele, Lea &
Flood 2014), and the resulting 64 bits become a normal by the ziggurat method (Marsaglia & Tsang 2000, in the
form of Doornik 2005) or a uniform. ``tests/test_luck.py`` tests the distribution. Drawn one by one or for a block of
people, the numbers are the same.

Imports nothing else of this package but ``elementary``.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from sim.elementary import exp, inlined, log

# All operands are uint64: numba would type uint64 + int64 as signed.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_RETRY = np.uint64(0xD1B54A32D192ED03)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(32)
_ONE, _LOW8, _LOW21 = np.uint64(1), np.uint64(0xFF), np.uint64(0x1FFFFF)
_TO_UNIT = 2.0**-53
_TWO52, _TWO52_BITS = 2.0**52, np.uint64(0x4330000000000000)  # a whole number below 2^52 stands in the lowest bits

_LAYERS = 256
_TAIL = 3.6541528853610088  # where the ziggurat's tail begins, for 256 layers of equal area
_AREA = 4.92867323399e-3


def _ziggurat() -> tuple[np.ndarray, np.ndarray]:
    """Right edges of the layers, and the proportion of each layer that lies wholly under the normal density."""
    edge = np.zeros(_LAYERS + 1)
    density = float(exp(-0.5 * _TAIL * _TAIL))
    edge[0], edge[1] = _AREA / density, _TAIL
    for i in range(2, _LAYERS):
        edge[i] = math.sqrt(-2.0 * float(log(_AREA / edge[i - 1] + density)))
        density = float(exp(-0.5 * edge[i] * edge[i]))
    return edge, edge[1:] / edge[:-1]


_EDGE, _INSIDE = _ziggurat()


@inlined
def mixed(bits):
    """SplitMix64's bijective mixing of 64 bits."""
    bits = (bits ^ (bits >> _S30)) * _M1
    bits = (bits ^ (bits >> _S27)) * _M2
    return bits ^ (bits >> _S31)


@inlined
def absorbed(state, part):
    """The address so far with one more part taken in (both uint64)."""
    return mixed(state + part + _GOLDEN)


@inlined
def occasion(seed, replicate, who, when):
    """Where all luck of one person or pair at one time begins; add a purpose with ``absorbed``."""
    return absorbed(absorbed(absorbed(absorbed(_GOLDEN, seed), replicate), who), when)


@inlined
def _highest53(bits):
    """The highest 53 bits as a float, exactly: in two halves, since few processors convert 64-bit integers in vector form."""
    high = np.uint64((bits >> _S32) | _TWO52_BITS).view(np.float64) - _TWO52
    low = np.uint64(((bits >> _S11) & _LOW21) | _TWO52_BITS).view(np.float64) - _TWO52
    return high * 2097152.0 + low


@inlined
def _uniform_of(bits):
    return (_highest53(bits) + 1.0) * _TO_UNIT


@inlined
def _at_once(bits):
    """A normal number from 64 bits, whether it is one already (of 99 % it is), where it lies in its layer, and the layer."""
    layer = bits & _LOW8
    u = 2.0 * _highest53(bits) * _TO_UNIT - 1.0
    return u * _EDGE[layer], abs(u) < _INSIDE[layer], u, layer


@inlined
def uniform_at(stream, step):
    """Uniform number in (0, 1] at a step (uint64) of a stream (uint64)."""
    return _uniform_of(mixed(stream + _GOLDEN * (step + _ONE)))


@register_jitable
def normal_at(stream, step):
    """Standard normal number at a step (uint64) of a stream (uint64)."""
    bits = mixed(stream + _GOLDEN * (step + _ONE))
    while True:
        x, done, u, layer = _at_once(bits)
        if done:
            return x
        bits = mixed(bits + _RETRY)
        if layer == 0:
            while True:
                beyond = -log(_uniform_of(bits)) / _TAIL
                bits = mixed(bits + _RETRY)
                height = -log(_uniform_of(bits))
                bits = mixed(bits + _RETRY)
                if 2.0 * height >= beyond * beyond:
                    return _TAIL + beyond if u > 0.0 else -_TAIL - beyond
        outer = exp(-0.5 * (_EDGE[layer] * _EDGE[layer] - x * x))
        inner = exp(-0.5 * (_EDGE[layer + _ONE] * _EDGE[layer + _ONE] - x * x))
        if inner + _uniform_of(bits) * (outer - inner) < 1.0:
            return x
        bits = mixed(bits + _RETRY)


@register_jitable
def uniforms_into(out, streams, step):
    """``uniform_at`` of many streams at one step, written to ``out``."""
    for j in range(out.size):
        out[j] = uniform_at(streams[j], step)


@register_jitable
def normals_into(out, streams, step, again):
    """``normal_at`` of many streams at one step, written to ``out``: all in vector form, then those that need more one by one.

    ``again``: room for as many whole numbers.
    """
    left = 0
    for j in range(out.size):
        x, done, _, _ = _at_once(mixed(streams[j] + _GOLDEN * (step + _ONE)))
        out[j] = x
        again[j] = 0 if done else 1
        left += again[j]
    if left:
        for j in range(out.size):
            if again[j]:
                out[j] = normal_at(streams[j], step)


@lru_cache(maxsize=None)
def purpose_code(purpose: str) -> np.uint64:
    """The stable 64-bit number of a purpose's name."""
    return np.uint64(int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little"))


@lru_cache(maxsize=None)
def machine(function: Any) -> Any:
    """A loop as machine code of this process; ``sim.engine.native`` puts a form here that is kept on disk."""
    return njit(nogil=True)(function)


def _normals(seed, replicate, who, when, purpose, exchange, out):
    for i in range(who.size):  # a time or step that all have in common stands once
        then, step = when[i if when.size > 1 else 0], exchange[i if exchange.size > 1 else 0]
        out[i] = normal_at(absorbed(occasion(seed, replicate, who[i], then), purpose), step)


def _uniforms(seed, replicate, who, when, purpose, exchange, out):
    for i in range(who.size):  # a time or step that all have in common stands once
        then, step = when[i if when.size > 1 else 0], exchange[i if exchange.size > 1 else 0]
        out[i] = uniform_at(absorbed(occasion(seed, replicate, who[i], then), purpose), step)


@inlined
def pair_of(client, therapist):
    """The code of a client and a therapist, from theirs."""
    return absorbed(mixed(client + _GOLDEN), therapist)


def _pairs(client, therapist, out):
    for i in range(client.size):
        out[i] = pair_of(client[i], therapist[i])


def _whole(part: Any) -> np.ndarray:
    """Part of an address as uint64; what is no whole number from 0 up is refused, since it would be cut off in silence."""
    given = np.asarray(part)
    if given.dtype.kind not in "iu":
        if given.dtype.kind == "O" and all(isinstance(x, int) for x in given.flat):  # beyond int64
            return given.astype(np.uint64)
        raise TypeError(f"an address is made of whole numbers, not {given.dtype}")
    if given.dtype.kind == "i" and given.size and given.min() < 0:
        raise OverflowError("an address is made of numbers from 0 up")
    return given.astype(np.uint64)


@lru_cache(maxsize=1024)
def _once(part: int) -> np.ndarray:
    """A part of an address that all have in common, as a column of one."""
    return _whole(part).reshape(1)


def _drawn(kernel: Any, seed: int, replicate: int, who: Any, purpose: str, when: Any, exchange: Any) -> Any:
    if type(when) is int and type(exchange) is int and isinstance(who, np.ndarray) and who.dtype == np.uint64 and who.ndim == 1:
        out = np.empty(who.size)  # the usual case, without the cost of making everything as long as everything else
        column = np.ascontiguousarray(who)
        machine(kernel)(np.uint64(seed), np.uint64(replicate), column, _once(when), purpose_code(purpose), _once(exchange), out)
        return out
    columns = np.broadcast_arrays(*(_whole(part) for part in (who, when, exchange)))
    who_, when_, exchange_ = (np.array(c, order="C").reshape(-1) for c in columns)
    out = np.empty(who_.size)
    machine(kernel)(np.uint64(seed), np.uint64(replicate), who_, when_, purpose_code(purpose), exchange_, out)
    return out.reshape(columns[0].shape) if columns[0].ndim else float(out[0])


def normal(seed: int, replicate: int, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> Any:
    """Standard normal number(s) at an address.

    ``who`` is a code from :func:`person` or :func:`pair`, ``purpose`` the name of the draw, ``when`` a week,
    month or attempt, ``exchange`` a step within it. ``who``, ``when`` and ``exchange`` (integers >= 0) may be
    arrays and broadcast; scalars give a float.
    """
    return _drawn(_normals, seed, replicate, who, purpose, when, exchange)


def uniform(seed: int, replicate: int, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> Any:
    """Uniform number(s) in (0, 1] at an address; see :func:`normal`."""
    return _drawn(_uniforms, seed, replicate, who, purpose, when, exchange)


def person(role: str, number: Any) -> np.ndarray:
    """Codes of people: a client's and a therapist's number (0 to 2^63 - 1) never share luck."""
    numbers = _whole(number)
    if numbers.size and int(numbers.max()) >= 2**63:
        raise OverflowError("people are numbered from 0 to 2^63 - 1")
    return numbers * np.uint64(2) + np.uint64({"client": 0, "therapist": 1}[role])


def pair(client: Any, therapist: Any) -> np.ndarray:
    """Codes of client-therapist pairs, from the two people's codes (arrays of equal length)."""
    client_, therapist_ = (np.ascontiguousarray(c, np.uint64).reshape(-1) for c in (client, therapist))
    out = np.empty(client_.size, np.uint64)
    machine(_pairs)(client_, therapist_, out)
    return out


def _all_alike(value: float, *address: Any) -> Any:
    """The value for everybody of an address."""
    shape = np.broadcast_shapes(*(np.shape(part) for part in address))
    return np.full(shape, value) if shape else value


@dataclass(frozen=True)
class Luck:
    """Where the random draws of a run begin: seed and replicate.

    ``still``: nothing is drawn; a normal number is 0 and a uniform one 1/2, which are their means (the mean field).
    """

    seed: int
    replicate: int
    still: bool = False

    def normal(self, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> Any:
        """:func:`normal` of this run."""
        if self.still:
            return _all_alike(0.0, who, when, exchange)
        return normal(self.seed, self.replicate, who, purpose, when, exchange)

    def uniform(self, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> Any:
        """:func:`uniform` of this run."""
        if self.still:
            return _all_alike(0.5, who, when, exchange)
        return uniform(self.seed, self.replicate, who, purpose, when, exchange)

    def of_kind(self, kind: str, who: Any, purpose: str, when: Any = 0, exchange: Any = 0) -> np.ndarray:
        """Numbers of a kind, ``normal`` or ``uniform``, as a step's draw asks for them."""
        numbers = self.normal if kind == "normal" else self.uniform
        return np.asarray(numbers(who, purpose, when, exchange))
