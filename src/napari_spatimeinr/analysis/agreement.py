"""Where two images show the same: their correlation around every voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

WINDOW = 2.0
"""Standard deviation of the Gaussian window, lateral voxels; as wide along z, in units."""
REACH = 2.0
"""Of the window, standard deviations: where there is no noise at all, structure would be felt from
far away."""


def agreement(
    first: NDArray[Any], second: NDArray[Any], spacing: Sequence[float], faint: float
) -> NDArray[np.float32]:
    """Correlation of two frames ``(z, y, x)`` in a Gaussian window around each voxel.

    The local form of the resolution-scaled Pearson correlation (SQUIRREL, Culley et al. 2018), of
    two halves: with as much structure as independent noise in each it is 0.5 in the mean.

    Parameters
    ----------
    spacing : (dz, dy, dx).
    faint : standard deviation that counts as none: what is weaker in both is 0, not 0 / 0.

    Returns
    -------
    From -1 to 1, ``(z, y, x)``: 1 where both show the same, whatever their brightness and
    contrast; 0 where they have nothing in common, or there is nothing.
    """
    sigma = [WINDOW * min(spacing[1:]) / one for one in spacing]
    middle = float(np.mean(first, dtype=np.float64)), float(np.mean(second, dtype=np.float64))
    a, b = (np.asarray(f, np.float64) - m for f, m in zip((first, second), middle, strict=True))

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out: NDArray[np.float64] = ndi.gaussian_filter(values, sigma, truncate=REACH)
        return out

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    strength = np.sqrt(np.maximum(var_a, 0) * np.maximum(var_b, 0)) + faint**2
    common = mean(a * b) - mean_a * mean_b
    out = np.divide(common, strength, out=np.zeros_like(common), where=strength > 0)
    return out.clip(-1, 1).astype(np.float32)
