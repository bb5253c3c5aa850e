"""What the web engine calls beside equations: draws, answers to items, what an experimenter reaches, checks of ranges.

Plain functions of numbers and columns, which run in Python as they stand and are translated like all else (``emit``).
"""

from __future__ import annotations

import numpy as np

from sim.elementary import maximum, minimum, select
from sim.luck import normal_at, uniform_at
from sim.measurement.responses import ENOUGH, OF
from sim.people.population import concentration
from sim.people.quantiles import lower_half
from sim.theory.styles import LOWEST, WIDTH


def normal(still, stream, step):
    """A standard normal number; its mean where nothing is drawn (``still``)."""
    if still > 0.0:
        return 0.0
    return normal_at(stream, step)


def uniform(still, stream, step):
    """A uniform number; its mean where nothing is drawn."""
    if still > 0.0:
        return 0.5
    return uniform_at(stream, step)


def answered(response, stream, left_out, came_back, items, low, high, item_sd, missing, still):
    """The sum of the answers to a scale's items, and how many were answered; ``missing``: the probability that one is not."""
    total, n = 0.0, 0.0
    sd = 0.0 if still > 0.0 else item_sd
    for item in range(items):
        x = np.floor(response + sd * normal(still, stream, np.uint64(item)) + 0.5)
        x = minimum(maximum(x, low), high)
        there = came_back
        if missing > 0.0:
            there = came_back * select(uniform(still, left_out, np.uint64(item)) > missing, 1.0, 0.0)
        if there > 0.0:
            total += x
            n += 1.0
    return total, n


def handed_in(still, stream, missing):
    """1 where a whole questionnaire comes back, else 0; ``missing``: the probability that it does not."""
    if missing > 0.0:
        return select(uniform(still, stream, np.uint64(0)) > missing, 1.0, 0.0)
    return 1.0


def scored(total, n, items):
    """The mean answer, where enough items were answered, else NaN."""
    return select(OF * n >= ENOUGH * items, total / maximum(n, 1.0), np.nan)


def given(natural, instead):
    """What is given in place of a value, or that value where nothing (no number) is."""
    return select(instead != instead, natural, instead)


def held(natural, base, amount, low, high):
    """A value held at its course in the baseline plus an amount, or as it is where no amount is given."""
    return select(amount != amount, natural, minimum(maximum(base + amount, low), high))


def reached(natural, low, high, place, shift, recording, base, at, forced):
    """What becomes of a quantity of an exchange that was just written: held at its course in the baseline, or forced.

    ``place``: where its course lies in ``base``, -1 where it is not held; ``at``: where its value stands in ``forced`` (NaN where
    it has none now), -1 where it is never forced.
    """
    found = natural
    if place >= 0.0:
        if recording > 0.0:
            base[int(place)] = natural
        else:
            found = minimum(maximum(base[int(place)] + shift, low), high)
    return given(found, forced[int(at)]) if at >= 0.0 else found


def laid_out(entries, n, sessions, exchanges, width, table):
    """Lay out what is forced: ``table`` has a row of ``width`` values for each exchange of each session, NaN where nothing is.

    ``entries``: rows of place in a row, session and exchange (0 where every one is meant) and value; one that names a session
    goes before one that names an exchange, and the later before the earlier.
    """
    for k in range(sessions * exchanges * width):
        table[k] = np.nan
    for rank in range(4):
        for k in range(n):
            session, exchange = int(entries[4 * k + 1]), int(entries[4 * k + 2])
            first, last = session if session > 0 else 1, session if session > 0 else sessions
            begin, end = exchange if exchange > 0 else 1, exchange if exchange > 0 else exchanges
            if rank == 2 * select(session > 0, 1, 0) + select(exchange > 0, 1, 0):
                for s in range(first, last + 1):
                    for e in range(begin, end + 1):
                        table[((s - 1) * exchanges + e - 1) * width + int(entries[4 * k])] = entries[4 * k + 3]


def first_outside(f, places, lows, highs, n):
    """The first of ``n`` quantities that is no number or out of its range, or -1."""
    for k in range(n):
        x = f[places[k]]
        if not (x >= lows[k] and x <= highs[k]):
            return k
    return -1


def copied(source, into, n):
    """Copy so many numbers."""
    for k in range(n):
        into[k] = source[k]


def scores_of(spread_normally, mean, sd, z, half_z, low, high, out):
    """The ECR scores that belong to standard normal numbers ``z`` (``population.quantiles``); 1 where there are none, else 0."""
    n, half = z.size, low.size
    if spread_normally > 0.0:
        for k in range(n):
            out[k] = mean + sd * z[k]
        return 0
    m, size = (mean - LOWEST) / WIDTH, concentration(mean, sd)
    if not size > 0.0:
        return 1
    lower_half(half_z, m * size, (1.0 - m) * size, low)
    lower_half(half_z, (1.0 - m) * size, m * size, high)
    for k in range(half):
        out[k] = LOWEST + WIDTH * low[k]
        out[n - 1 - k] = LOWEST + WIDTH * (1.0 - high[k])
    out[half - 1] = LOWEST + WIDTH * low[half - 1]
    return 0
