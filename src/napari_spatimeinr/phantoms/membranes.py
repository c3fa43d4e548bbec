"""Membranes: the sheets between neighbouring cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .cells import Array
from .structure import Packed

MEMBRANE = 0.16
"""Standard deviation of a membrane's profile before the PSF, um."""
NEIGHBOURS = 6
BRIGHT = 1.6
"""Peak of an unblurred membrane; under the default PSF it comes to about 1."""


class Membranes(Packed):
    """Plane sheets of Gaussian profile, of which a point sees the brightest.

    A Gaussian PSF of variances s^2 along the axes widens a sheet of normal n by n^2 . s^2.
    """

    def draw(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        """Brightness at points."""
        cells = self.cells
        centres, grown, bright = cells.centres(t), cells.grown(t), cells.bright(t)
        alive = np.flatnonzero(~(cells.daughters & (grown <= 0)))
        k = min(NEIGHBOURS, len(alive))
        distance, index = cKDTree(centres[alive]).query(points, k=k, workers=-1)
        total = np.zeros(len(points), np.float32)
        if k == 1:
            return total
        index = alive[index]
        first = index[:, 0]
        for n in range(1, k):
            other = index[:, n]
            # A sheet in the bisecting plane of two centres, normal to the line between them.
            apart = centres[other] - centres[first]
            length2 = np.einsum("ij,ij->i", apart, apart)
            sheet = (distance[:, n] ** 2 - distance[:, 0] ** 2) / (2 * np.sqrt(length2))
            wide = MEMBRANE**2 + (apart**2 @ variance) / length2
            value = BRIGHT * MEMBRANE / np.sqrt(wide) * np.exp(-(sheet**2) / (2 * wide))
            value *= (cells.inside[first] | cells.inside[other]) * np.sqrt(
                bright[first] * bright[other]
            )
            sisters = (cells.partner[first] == cells.partner[other]).astype(float)
            value *= 1 - sisters * (1 - np.maximum(grown[first], grown[other]))
            np.maximum(total, value, out=total, casting="same_kind")
        return total
