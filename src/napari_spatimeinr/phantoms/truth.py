"""The noise-free image of moving cells, a closed formula of ``(t, z, y, x)``.

Cells' centres follow smooth curves; they are drawn as membranes (the sheets between neighbouring
cells), as nuclei (Gaussian blobs), or as threads between them. A Gaussian point-spread function
acts on these by adding variances, so the blurred image is a closed formula too, and exact between
voxels and between frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.grid import Grid
from .cells import SPACING, Array, Cells
from .structure import Structure


@dataclass(frozen=True)
class Truth:
    """The noise-free image, ``truth(t, z, y, x)`` with physical coordinates that broadcast.

    Values are relative brightness: 0 is empty, about 1 is structure. ``psf=False`` leaves the
    point-spread function out.
    """

    structure: Structure
    variance: Array  # (3,), of the PSF, um^2

    @property
    def cells(self) -> Cells:
        """What moves."""
        return self.structure.cells

    def centres(self, t: float) -> Array:
        """Centres of the cells at a physical time, ``(cells, 3)`` in um, ``(z, y, x)``."""
        return self.cells.centres(t)

    def displacement(self, t0: float, t1: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> Array:
        """Motion from ``t0`` to ``t1`` of what is at (z, y, x) at ``t0``: ``(..., 3)``, um."""
        points, shape = as_points(z, y, x)
        return self.structure.displacement(points, t0, t1).reshape(*shape, 3)

    def trajectory(
        self, t0: float, times: ArrayLike, z: ArrayLike, y: ArrayLike, x: ArrayLike
    ) -> Array:
        """Places at ``times`` (T,) of what is at (z, y, x) at ``t0``: ``(T, ..., 3)``, um."""
        points, shape = as_points(z, y, x)
        moved = [
            points + self.structure.displacement(points, t0, float(t))
            for t in np.atleast_1d(np.asarray(times, dtype=np.float64))
        ]
        return np.stack(moved).reshape(-1, *shape, 3)

    def velocity(self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> Array:
        """Velocity of what is at (z, y, x) at ``t``: ``(..., 3)``, um per s."""
        points, shape = as_points(z, y, x)
        return self.structure.velocity(points, t).reshape(*shape, 3) / SPACING[0]

    def labels(self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.int32]:
        """Number (from 1) of the cell or thread at a place, 0 where there is none."""
        points, shape = as_points(z, y, x)
        return self.structure.labels(points, t).reshape(shape)

    def __call__(
        self, t: ArrayLike, z: ArrayLike, y: ArrayLike, x: ArrayLike, psf: bool = True
    ) -> NDArray[np.float32]:
        """Brightness at physical points that broadcast together."""
        t, z, y, x = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (t, z, y, x)))
        out = np.empty(t.shape, np.float32)
        for time in np.unique(t):
            at = t == time
            points = np.stack([z[at], y[at], x[at]], -1)
            out[at] = self._draw(points, float(time), psf)
        return out

    def frame(self, t: float, grid: Grid, psf: bool = True) -> NDArray[np.float32]:
        """The whole volume at a physical time on the spatial grid of ``grid``, ``(Z, Y, X)``."""
        z, y, x = (grid.coordinates(axis) for axis in (1, 2, 3))
        points, shape = as_points(z[:, None, None], y[:, None], x)
        return self._draw(points, t, psf).reshape(shape)

    def _draw(self, points: Array, t: float, psf: bool) -> NDArray[np.float32]:
        return self.structure.draw(points, t, self.variance if psf else np.zeros(3))


def as_points(z: ArrayLike, y: ArrayLike, x: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    """Coordinates that broadcast as points ``(P, 3)``, and the shape they broadcast to."""
    arrays = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (z, y, x)))
    return np.stack([a.reshape(-1) for a in arrays], -1), arrays[0].shape
