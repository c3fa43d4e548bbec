"""What a camera makes of the truth."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.grid import Grid


class Drawn(Protocol):
    """Whatever can be drawn at a time."""

    def frame(self, t: float, grid: Grid) -> NDArray[np.float32]:
        """The noise-free volume ``(Z, Y, X)`` at a physical time."""
        ...


def recorded(
    truth: Drawn, grid: Grid, light: tuple[float, float, float], bleach: float, seed: int
) -> NDArray[np.float32]:
    """The truth on a grid with noise.

    Parameters
    ----------
    truth : what is recorded.
    grid : of the recording.
    light : photons, background and reading noise, see :func:`napari_spatimeinr.phantom`.
    bleach : share of the brightness lost from one frame to the next.
    seed : of the noise.
    """
    photons, background, read = light
    rng = np.random.default_rng([seed, 1])
    data = np.empty(grid.shape, np.float32)
    for k, t in enumerate(grid.coordinates(0)):
        clean = truth.frame(float(t), grid) * (1 - bleach) ** k
        if photons > 0:
            counted = rng.poisson(np.maximum(clean * photons + background, 0)).astype(np.float32)
            clean = (counted - background) / photons
        data[k] = clean + read * rng.standard_normal(clean.shape, dtype=np.float32)
    return data
