"""The eggshell of a phantom embryo: an ellipsoid whose form changes slowly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Body:
    """An ellipsoid that sways about its middle and is pressed and stretched; its volume stays.

    Times are in frames, vectors (z, y, x) in um.

    Parameters
    ----------
    middle : of the ellipsoid.
    half : its half axes at rest.
    stretch : ``(2,)`` how much x and y grow and shrink, relative.
    sway : ``(3,)`` largest rotation vector, rad.
    rates, phases : ``(3,)`` of x, y and the sway, rad per frame and rad.
    """

    middle: Array
    half: Array
    stretch: Array
    sway: Array
    rates: Array
    phases: Array

    def forth(self, points: Array, frame: float) -> Array:
        """Places in a ball of radius 1 ``(n, 3)`` to where they are."""
        return self.middle + (points * self._axes(frame)) @ self._turn(frame).T

    def back(self, points: Array, frame: float) -> Array:
        """The inverse of :meth:`forth`."""
        return ((points - self.middle) @ self._turn(frame)) / self._axes(frame)

    def depth(self, points: Array, frame: float) -> tuple[Array, Array]:
        """About how far points are inside of the shell, ``(n,)`` in um (negative outside), and the
        normals of the shell there, ``(n, 3)``. Exact to first order at the shell.
        """
        axes = self._axes(frame)
        ball = self.back(points, frame)
        radius = np.maximum(np.linalg.norm(ball, axis=1), 1e-9)
        slope = ball / axes / radius[:, None]
        steep = np.maximum(np.linalg.norm(slope, axis=1), 1e-9)
        return (1 - radius) / steep, (slope / steep[:, None]) @ self._turn(frame).T

    def _swing(self, frame: float) -> Array:
        return np.sin(self.rates * frame + self.phases)

    def _axes(self, frame: float) -> Array:
        x, y = 1 + self.stretch * self._swing(frame)[:2]
        return self.half * np.array([1 / (x * y), y, x])

    def _turn(self, frame: float) -> Array:
        return Rotation.from_rotvec(self.sway * self._swing(frame)[2]).as_matrix()


def drawn(rng: np.random.Generator, extent: Array, voxel: Array, deform: float) -> Body:
    """A body that fills most of a recording's extent (3,) of such voxels, along its x axis.

    Parameters
    ----------
    rng : of the phantom.
    extent, voxel : (z, y, x), um.
    deform : how much its axes change, relative.
    """
    stretch = deform * rng.uniform(0.6, 1.0, 2) * rng.choice([-1, 1], 2)
    return Body(
        (extent - voxel) / 2,
        0.43 * extent,
        stretch,
        # About the long axis most.
        deform * rng.uniform(0.4, 0.8, 3) * np.array([0.3, 0.5, 1.0]),
        rng.uniform(0.3, 0.6, 3),
        rng.uniform(0, 2 * np.pi, 3),
    )
