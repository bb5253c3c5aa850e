"""A stand-in for the simulated table: what the studies would find at parameters that were not simulated, and how sure that is.

One Gaussian process per row of the table (scikit-learn), on standings of the free parameters that are whitened so that one length
serves all directions, around a straight line. It learns from real tables and is used only to propose parameter sets:
whatever is kept has been simulated itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Emulator:
    """What every output would be at new points, and how sure that is. ``noise``: SD of the noise of one table."""

    outputs: tuple[str, ...]
    centre: np.ndarray
    whitener: np.ndarray  # standings -> whitened coordinates
    lines: np.ndarray  # (outputs, 1 + dimensions)
    processes: tuple[Any, ...]
    scale: np.ndarray
    noise: np.ndarray

    def means(self, standings: np.ndarray) -> np.ndarray:
        """What the table would be (points, outputs) at ``standings`` (points, dimensions), without the noise of one table."""
        x = (np.atleast_2d(standings) - self.centre) @ self.whitener
        line = np.column_stack([np.ones(len(x)), x]) @ self.lines.T
        return np.asarray(line + np.column_stack([process.predict(x) for process in self.processes]) * self.scale)

    def errors(self, standings: np.ndarray) -> np.ndarray:
        """How sure that is: SD (points, outputs). Slower than the means."""
        x = (np.atleast_2d(standings) - self.centre) @ self.whitener
        sd = np.column_stack([process.predict(x, return_std=True)[1] for process in self.processes]) * self.scale
        return np.sqrt(np.maximum(sd**2 - self.noise**2, 0.0))


def learned(
    standings: np.ndarray, tables: np.ndarray, outputs: Sequence[str], centre: np.ndarray, spread: np.ndarray
) -> Emulator:
    """An emulator of ``tables`` (points, outputs) over ``standings`` (points, dimensions).

    ``spread``: covariance of the region of interest around ``centre``, which sets the unit of distance.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    values, vectors = np.linalg.eigh(spread)
    whitener = vectors / np.sqrt(np.maximum(values, 1e-9))
    x = (standings - centre) @ whitener
    design = np.column_stack([np.ones(len(x)), x])
    lines = np.linalg.lstsq(design, tables, rcond=None)[0].T
    left = tables - design @ lines.T
    scale = np.maximum(left.std(axis=0), 1e-9)
    processes, noise = [], []
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(5.0, (1.0, 60.0)) + WhiteKernel(0.3, (1e-4, 2.0))
    with warnings.catch_warnings():  # a length at its bound says that a line was enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        for k in range(tables.shape[1]):
            process = GaussianProcessRegressor(kernel, random_state=0, normalize_y=False).fit(x, left[:, k] / scale[k])
            processes.append(process)
            noise.append(scale[k] * float(np.sqrt(process.kernel_.k2.noise_level)))
    return Emulator(tuple(outputs), centre, whitener, lines, tuple(processes), scale, np.array(noise))
