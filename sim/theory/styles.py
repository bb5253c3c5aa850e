"""The attachment plane: four styles as regions of anxiety x avoidance (claim A1).

Anxiety and avoidance are ECR scores, 1 to 7. A style is a *name for a region*, never a state of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Canonical order; a style's position also numbers its cohort of simulated people.
STYLES = ("secure", "preoccupied", "dismissing", "fearful")

#: Where "low" ends and "high" begins on either dimension: the middle of the 1-7 scale.
#: Assumption; at 4 about half of a community sample is secure (Mickelson et al. 1997: 59 %).
STYLE_CUT = 4.0

LOWEST, HIGHEST = 1.0, 7.0
WIDTH = HIGHEST - LOWEST

#: (lowest anxiety, highest anxiety, lowest avoidance, highest avoidance) of each style.
STYLE_BOX = {
    "secure": (LOWEST, STYLE_CUT, LOWEST, STYLE_CUT),
    "preoccupied": (STYLE_CUT, HIGHEST, LOWEST, STYLE_CUT),
    "dismissing": (LOWEST, STYLE_CUT, STYLE_CUT, HIGHEST),
    "fearful": (STYLE_CUT, HIGHEST, STYLE_CUT, HIGHEST),
}


def style_index(anxiety: np.ndarray | float, avoidance: np.ndarray | float) -> np.ndarray:
    """Position in ``STYLES`` of people with these ECR scores (1-7)."""
    return (np.asarray(anxiety) >= STYLE_CUT) * 1 + (np.asarray(avoidance) >= STYLE_CUT) * 2


def style_name(anxiety: np.ndarray | float, avoidance: np.ndarray | float) -> np.ndarray:
    """Names of the styles of people with these ECR scores (1-7)."""
    return np.asarray(STYLES, dtype=object)[style_index(anxiety, avoidance)]


def share(ecr: Any) -> Any:
    """An ECR score (1-7) as a proportion of the scale, 0..1."""
    return (np.asarray(ecr, np.float64) - LOWEST) / WIDTH


def ecr_score(share: Any) -> Any:
    """A proportion of the scale (0..1) as an ECR score, 1-7."""
    return LOWEST + WIDTH * np.asarray(share, np.float64)
