"""Resolution-scaled error and Pearson correlation: a rendering, as the microscope would have
recorded it, against what it recorded (SQUIRREL, Culley et al. 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.grid import Grid


def degraded(frame: NDArray[Any], grid: Grid, onto: Grid) -> NDArray[np.float32]:
    """A frame ``(z, y, x)`` on a finer grid, as means over the voxels of another, ``(z', y', x')``.

    A voxel is the box around its centre; each finer one counts by how much of it lies inside.
    """
    out = np.asarray(frame, np.float64)
    for axis in range(3):
        weights = _shares(grid, onto, axis + 1)
        out = np.moveaxis(np.tensordot(weights, out, (1, axis)), 0, axis)
    return out.astype(np.float32)


def resolution_scaled(frame: NDArray[Any], acquired: NDArray[Any]) -> tuple[float, float]:
    """RSE and RSP of a frame against an acquired one of the same voxels.

    Returns
    -------
    The RMS difference after the frame was scaled and shifted to fit best, in the units of
    ``acquired``, and their correlation; NaN where one of both is constant.
    """
    a, b = (np.asarray(one, np.float64).ravel() for one in (frame, acquired))
    a, b = a - a.mean(), b - b.mean()
    energy, along = float(a @ a), float(a @ b)
    scale = along / energy if energy > 0 else 0.0
    error = float(np.sqrt(np.mean((b - scale * a) ** 2)))
    norm = float(np.sqrt(energy * (b @ b)))
    return error, along / norm if norm > 0 else float("nan")


def _shares(grid: Grid, onto: Grid, axis: int) -> NDArray[np.float64]:
    """How much each finer voxel counts in each of the others along an axis, ``(N', N)``."""
    fine, coarse = (one.coordinates(axis) for one in (grid, onto))
    half, halves = grid.spacing[axis] / 2, onto.spacing[axis] / 2
    low = np.maximum(fine - half, coarse[:, None] - halves)
    high = np.minimum(fine + half, coarse[:, None] + halves)
    overlap = np.maximum(high - low, 0)
    shares: NDArray[np.float64] = overlap / overlap.sum(1, keepdims=True)
    return shares
