"""Nuclei: a Gaussian blob at each centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .cells import Array
from .structure import Packed

NUCLEUS = 0.85
"""Standard deviation of a nucleus before the PSF, um."""


class Nuclei(Packed):
    """Gaussian blobs, added up; a Gaussian PSF adds its variances to theirs and keeps the light."""

    def draw(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        """Brightness at points."""
        cells = self.cells
        centres = cells.centres(t)
        shown = np.flatnonzero(cells.inside)
        wide = NUCLEUS**2 + variance
        peak = np.sqrt(NUCLEUS**6 / wide.prod())
        # A daughter takes over half of its mother's brightness while they part.
        weight = cells.bright(t)
        daughters = np.flatnonzero(cells.daughters)
        weight[daughters] *= 0.5 * cells.grown(t)[daughters]
        weight[cells.partner[daughters]] -= weight[daughters]
        scaled, middles = points / np.sqrt(wide), centres[shown] / np.sqrt(wide)
        k = min(8, len(shown))
        distance, index = cKDTree(middles).query(scaled, k=k, workers=-1, distance_upper_bound=6.0)
        if k == 1:
            distance, index = distance[:, None], index[:, None]
        power = np.append(weight[shown], 0.0) * peak
        return (power[index] * np.exp(-0.5 * distance**2)).sum(1).astype(np.float32)
