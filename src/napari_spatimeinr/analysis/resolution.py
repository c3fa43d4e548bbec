"""Resolution-scaled error and Pearson correlation: a rendering, as the microscope would have
recorded it, against what it recorded (SQUIRREL, Culley et al. 2018). Fourier shell correlation of
two halves: down to which detail they show the same (Saxton and Baumeister 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.grid import Grid

THRESHOLD = 1 / 7
"""Correlation of halves below which the whole shows no more than noise (Rosenthal and Henderson
2003; in light microscopy Nieuwenhuizen et al. 2013, Koho et al. 2019)."""
LEAST_SAMPLES = 8
"""Along an axis, to tell details of several sizes apart."""


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


def resolved(
    first: NDArray[Any], second: NDArray[Any], axes: Sequence[int], spacing: Sequence[float]
) -> float:
    """The finest detail that two halves ``(t, z, y, x)`` both show, in the units of ``spacing``.

    Parameters
    ----------
    axes : along which; the correlation is that of shells of spatial frequencies along them, over
        all frames and the other axes.
    spacing : of each of these axes.

    Returns
    -------
    The period at which the correlation falls below ``THRESHOLD``, not below two voxels; infinite
    where that is more than half of the image, NaN along axes that are too short.
    """
    long = [(axis, s) for axis, s in zip(axes, spacing, strict=True) if first.shape[axis] > 1]
    if max((first.shape[axis] for axis, _ in long), default=0) < LEAST_SAMPLES:
        return float("nan")
    width = max(1 / (first.shape[axis] * s) for axis, s in long)
    shells = _shells([(first.shape[axis], s) for axis, s in long], width)
    count = math.floor(min(1 / (2 * s) for _, s in long) / width + 1e-9)
    sums = np.zeros((3, count + 1))
    for one, other in zip(first, second, strict=True):
        a, b = (_spectrum(frame, [axis - 1 for axis, _ in long]) for frame in (one, other))
        for row, power in enumerate(((a * b.conj()).real, abs(a) ** 2, abs(b) ** 2)):
            flat = power.reshape(-1, shells.size).sum(0)
            sums[row] += np.bincount(shells, flat, minlength=count + 1)[: count + 1]
    norm = np.sqrt(sums[1] * sums[2])
    found = np.divide(sums[0], norm, out=np.zeros_like(norm), where=norm > 0)[1:]
    return _crossing(found, width)


def _spectrum(frame: NDArray[Any], axes: list[int]) -> NDArray[np.complex128]:
    """Spectrum of a frame ``(z, y, x)`` along some axes, which come last, with soft edges."""
    values = np.asarray(frame, np.float64)
    values = np.moveaxis(values - values.mean(), axes, range(-len(axes), 0))
    for axis in range(-len(axes), 0):
        n = values.shape[axis]
        values = values * np.hanning(n + 2)[1:-1].reshape((n,) + (1,) * (-1 - axis))
    out: NDArray[np.complex128] = np.fft.fftn(values, axes=range(-len(axes), 0))
    return out


def _shells(sizes: list[tuple[int, float]], width: float) -> NDArray[np.intp]:
    """The shell of each frequency of axes of so many samples and such a spacing, flat."""
    parts = np.meshgrid(*(np.fft.fftfreq(n, s) for n, s in sizes), indexing="ij")
    radius: NDArray[np.float64] = np.sqrt(sum(part**2 for part in parts))
    return np.rint(radius / width).astype(np.intp).ravel()


def _crossing(correlation: NDArray[np.float64], width: float) -> float:
    """The period at which the correlation of shells 1, 2, ... first falls below the threshold."""
    below = np.flatnonzero(correlation < THRESHOLD)
    if not below.size:
        return 1 / (width * len(correlation))
    at = int(below[0])
    if at <= 1:  # So few waves of noise may be alike.
        return math.inf
    high, low = correlation[at - 1], correlation[at]
    return float(1 / (width * (at + (high - THRESHOLD) / (high - low))))
