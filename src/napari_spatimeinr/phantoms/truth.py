"""The noise-free image of moving cells, a closed formula of ``(t, z, y, x)``.

Cells' centres follow smooth curves; they are drawn as membranes (the sheets between neighbouring
cells) or as nuclei (Gaussian blobs). A Gaussian point-spread function acts on a plane sheet or a
Gaussian blob by adding variances, so the blurred image is a closed formula too, and exact between
voxels and between frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from ..data.grid import Grid

Array = NDArray[np.float64]

SPACING = (60.0, 0.5, 0.25, 0.25)
"""Frame interval in s and voxel size in um, (dt, dz, dy, dx)."""
CELL = 4.0
"""Mean distance of neighbouring cell centres, um."""
MEMBRANE = 0.16
"""Standard deviation of a membrane's profile before the PSF, um."""
NUCLEUS = 0.85
"""Standard deviation of a nucleus before the PSF, um."""
NEIGHBOURS = 6
BRIGHT = 1.6
"""Peak of an unblurred membrane; under the default PSF it comes to about 1."""


@dataclass(frozen=True)
class Truth:
    """The noise-free image, ``truth(t, z, y, x)`` with physical coordinates that broadcast.

    Values are relative brightness: 0 is empty, about 1 is structure. ``psf=False`` leaves the
    point-spread function out.
    """

    kind: str
    start: Array  # (cells, 3), um
    waves: Array  # (modes, cells, 3), um
    rates: Array  # (modes,), rad per frame
    phases: Array  # (modes,)
    accelerate: float
    partner: NDArray[np.int64]  # (cells,), the cell it splits from, or itself
    split: Array  # (cells, 3), final half distance of the two daughters, um
    split_time: Array  # (cells,), frames
    inside: NDArray[np.bool_]
    brightness: Array  # (cells,)
    variance: Array  # (3,), of the PSF, um^2
    bleach: float

    def centres(self, t: float) -> Array:
        """Centres of the cells at a physical time, ``(cells, 3)`` in um, ``(z, y, x)``."""
        frame = t / SPACING[0]
        clock = frame + 0.5 * self.accelerate * frame**2
        swing = np.sin(self.rates * clock + self.phases) - np.sin(self.phases)
        grown = smoothstep((frame - self.split_time) / 2.0)
        return self.start + np.tensordot(swing, self.waves, 1) + grown[:, None] * self.split

    def displacement(self, t0: float, t1: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> Array:
        """Motion from ``t0`` to ``t1`` of what is at (z, y, x) at ``t0``: ``(..., 3)``, um."""
        points, shape = as_points(z, y, x)
        a, b = self.centres(t0), self.centres(t1)
        nearest = cKDTree(a).query(points, workers=-1)[1]
        return (b - a)[nearest].reshape(*shape, 3)

    def labels(self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.int32]:
        """Number (from 1) of the cell at a place, 0 outside the embryo."""
        points, shape = as_points(z, y, x)
        nearest = cKDTree(self.centres(t)).query(points, workers=-1)[1]
        return np.where(self.inside[nearest], nearest + 1, 0).astype(np.int32).reshape(shape)

    def __call__(
        self, t: ArrayLike, z: ArrayLike, y: ArrayLike, x: ArrayLike, psf: bool = True
    ) -> NDArray[np.float32]:
        """Brightness at physical points that broadcast together."""
        t, z, y, x = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (t, z, y, x)))
        out = np.empty(t.shape, np.float32)
        draw = self._membranes if self.kind == "membranes" else self._nuclei
        for time in np.unique(t):
            at = t == time
            points = np.stack([z[at], y[at], x[at]], -1)
            out[at] = draw(points, float(time), self.variance if psf else np.zeros(3))
        return out

    def frame(self, t: float, grid: Grid, psf: bool = True) -> NDArray[np.float32]:
        """The whole volume at a physical time on the spatial grid of ``grid``, ``(Z, Y, X)``."""
        z, y, x = (grid.coordinates(axis) for axis in (1, 2, 3))
        points, shape = as_points(z[:, None, None], y[:, None], x)
        draw = self._membranes if self.kind == "membranes" else self._nuclei
        return draw(points, t, self.variance if psf else np.zeros(3)).reshape(shape)

    def _membranes(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        centres = self.centres(t)
        exists = np.ones(len(centres), bool)
        frame = t / SPACING[0]
        grown = smoothstep((frame - self.split_time) / 2.0)
        exists[(self.partner != np.arange(len(centres))) & (grown <= 0)] = False
        alive = np.flatnonzero(exists)
        k = min(NEIGHBOURS, len(alive))
        distance, index = cKDTree(centres[alive]).query(points, k=k, workers=-1)
        index = alive[index]
        total = np.zeros(len(points), np.float32)
        first = index[:, 0]
        for n in range(1, k):
            other = index[:, n]
            # A sheet in the bisecting plane of two centres, normal to the line between them.
            apart = centres[other] - centres[first]
            length2 = np.einsum("ij,ij->i", apart, apart)
            sheet = (distance[:, n] ** 2 - distance[:, 0] ** 2) / (2 * np.sqrt(length2))
            wide = MEMBRANE**2 + (apart**2 @ variance) / length2
            value = BRIGHT * MEMBRANE / np.sqrt(wide) * np.exp(-(sheet**2) / (2 * wide))
            value *= (self.inside[first] | self.inside[other]) * np.sqrt(
                self.brightness[first] * self.brightness[other]
            )
            sisters = (self.partner[first] == self.partner[other]).astype(float)
            value *= 1 - sisters * (1 - np.maximum(grown[first], grown[other]))
            np.maximum(total, value, out=total, casting="same_kind")
        return total

    def _nuclei(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        centres = self.centres(t)
        shown = np.flatnonzero(self.inside)
        wide = NUCLEUS**2 + variance
        peak = np.sqrt(NUCLEUS**6 / wide.prod())
        # A daughter takes over half of its mother's brightness while they part.
        weight = self.brightness.copy()
        daughters = np.flatnonzero(self.partner != np.arange(len(centres)))
        grown = smoothstep((t / SPACING[0] - self.split_time) / 2.0)
        weight[daughters] *= 0.5 * grown[daughters]
        weight[self.partner[daughters]] -= weight[daughters]
        scaled, middles = points / np.sqrt(wide), centres[shown] / np.sqrt(wide)
        k = min(8, len(shown))
        distance, index = cKDTree(middles).query(scaled, k=k, workers=-1, distance_upper_bound=6.0)
        if k == 1:
            distance, index = distance[:, None], index[:, None]
        power = np.append(weight[shown], 0.0) * peak
        return (power[index] * np.exp(-0.5 * distance**2)).sum(1).astype(np.float32)


def smoothstep(u: Array) -> Array:
    """From 0 at 0 to 1 at 1, level at both ends; what is not a number counts as 0."""
    u = np.clip(np.nan_to_num(u, nan=0.0, neginf=0.0), 0.0, 1.0)
    return u * u * (3 - 2 * u)


def as_points(z: ArrayLike, y: ArrayLike, x: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    """Coordinates that broadcast as points ``(P, 3)``, and the shape they broadcast to."""
    arrays = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (z, y, x)))
    return np.stack([a.reshape(-1) for a in arrays], -1), arrays[0].shape
