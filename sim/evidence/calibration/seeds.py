"""Seeds that searches use, each for one thing, so that a check is never on the draws of a fit.

Everything else (``attune validate --seed N`` among it) may use any other seed.
"""

from __future__ import annotations

import numpy as np

SEARCH = (9001, 9002)  # calibration, and the refits of rows left out
DESIGN = 9003  # tables that the emulator learns from
DRAW = 9004  # the sampler's own
PREDICTED = (9011, 9012)  # where a row that was left out is read off
COMPETING_SEARCH = (9021,)
COMPETING_CHECK = (9031, 9032)
CLAIMS = 9041
CANDIDATES = range(20_000, 22_000)  # one each
FROM_HASH = 100_000  # seeds made for members that are verified lie above

SINGLE = (*SEARCH, DESIGN, DRAW, *PREDICTED, *COMPETING_SEARCH, *COMPETING_CHECK, CLAIMS)


def unused(seed: int, member: int) -> int:
    """A seed that no search has used, of a verification's seed and a member."""
    return int(np.random.SeedSequence((seed, member)).generate_state(1, np.uint64)[0] >> np.uint64(2)) + FROM_HASH


def reserved(seed: int) -> bool:
    """Whether a search, or a check kept with the product, uses this seed."""
    return seed in SINGLE or seed in CANDIDATES
