"""The landscape that cells are flooded in: high on membranes, and closed where they are weak.

Three parts are added: the smoothed membranes, which say where a border is; a ridge filter at the
membranes' width, which knows a weak sheet from noise; and, low beside both, the distance from the
nearest nucleus, which puts a border that nobody saw midway between two nuclei.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Triple = tuple[float, float, float]
Floats = NDArray[np.float32]

SMOOTH = 0.5
"""Smoothing of the membranes, in widths of a membrane."""
PULL = 0.12
"""Height of the border between two nuclei at the usual distance, in membranes."""
FINE = 0.6
"""Voxels of the grid that is worked on, in widths of a membrane."""
BLOCK = 200_000
"""Voxels whose curvature is computed at once."""


class Landscape(NamedTuple):
    """Heights on a grid of even voxels that covers the same extent; a usual membrane is 1.

    ``membranes`` without, ``heights`` with the distance from nuclei; ``far`` is that distance,
    ``usual`` that of neighbouring nuclei, um; ``unit`` the intensity of a usual membrane.
    """

    membranes: Floats
    heights: Floats
    far: Floats
    spacing: Triple
    usual: float
    unit: float


def landscape(
    frame: NDArray[Any], spacing: Triple, nuclei: NDArray[np.float64], width: float
) -> Landscape:
    """The landscape of a frame.

    Parameters
    ----------
    frame : ``(Z, Y, X)`` bright membranes.
    spacing : (dz, dy, dx), um.
    nuclei : ``(n, 3)`` from the first voxel's centre, um.
    width : standard deviation of a membrane as it is seen, um.
    """
    smooth = SMOOTH * width
    fine = FINE * width
    image = ndimage.gaussian_filter(np.asarray(frame, np.float32), smooth / np.asarray(spacing))
    shape = [max(1, round(n * s / fine)) for n, s in zip(frame.shape, spacing, strict=True)]
    even = tuple(n * s / m for n, s, m in zip(frame.shape, spacing, shape, strict=True))
    image = resampled(image, shape)
    ridges = _ridges(image, even, width, np.sqrt(width**2 - smooth**2))
    far = from_nuclei(image.shape, even, spacing, nuclei)
    usual = usual_distance(nuclei, far)
    near = far < usual
    image, unit = _relative(image, near)
    membranes: Floats = ((image + _relative(ridges, near)[0]) / 2).astype(np.float32)
    heights: Floats = membranes.copy()
    if len(nuclei) > 1:
        heights += np.minimum(far / usual, 1) * np.float32(PULL / 2)
    return Landscape(membranes, heights, far, even, usual, unit)


def resampled(image: Floats, shape: Sequence[int]) -> Floats:
    """An image on another number of voxels that cover the same extent."""
    zoom = [m / n for m, n in zip(shape, image.shape, strict=True)]
    return ndimage.zoom(image, zoom, order=3, mode="nearest", grid_mode=True)


def from_nuclei(
    shape: tuple[int, ...], even: Triple, spacing: Triple, nuclei: NDArray[np.float64]
) -> Floats:
    """Distance of each voxel from the nearest nucleus, um; infinite without any."""
    if not len(nuclei):
        return np.full(shape, np.inf, np.float32)
    # The first voxel's centre lies where the extents of both grids agree.
    axes = [(np.arange(n) + 0.5) * e - s / 2 for n, e, s in zip(shape, even, spacing, strict=True)]
    out = np.empty(shape, np.float32)
    tree = cKDTree(nuclei)
    plane = np.stack(np.meshgrid(axes[1], axes[2], indexing="ij"), -1).reshape(-1, 2)
    for k, z in enumerate(axes[0]):
        points = np.column_stack([np.full(len(plane), z), plane])
        out[k] = tree.query(points)[0].reshape(shape[1:])
    return out


def usual_distance(nuclei: NDArray[np.float64], far: Floats) -> float:
    """The median distance of neighbouring nuclei; of a single one, half of the way to a corner."""
    if len(nuclei) < 2:
        return float(far.max() / 2) if len(nuclei) else 1.0
    return float(np.median(cKDTree(nuclei).query(nuclei, k=2)[0][:, 1])) or 1.0


def _relative(image: Floats, near: NDArray[np.bool_]) -> tuple[Floats, float]:
    """An image in units of its bright parts around nuclei, above its dark ones; and the unit."""
    low, high = np.percentile(image[near], (20, 97)) if near.any() else (0.0, 0.0)
    if high <= low:
        return np.zeros_like(image), 1.0
    return ((image - low) / (high - low)).astype(np.float32), float(high - low)


def _ridges(image: Floats, spacing: Triple, width: float, smooth: float) -> Floats:
    """How much an image is curved across a sheet: minus the smallest eigenvalue of its second
    derivatives, 0 where it is positive.

    Parameters
    ----------
    width : what derivatives are scaled by, um.
    smooth : by how much to smooth yet, um.
    """
    step = np.asarray(spacing)
    second = {}
    for i in range(3):
        for j in range(i, 3):
            order = [0, 0, 0]
            order[i] += 1
            order[j] += 1
            second[i, j] = ndimage.gaussian_filter(image, smooth / step, order=order)
            second[i, j] *= np.float32(width**2 / (step[i] * step[j]))
    out = np.zeros(image.size, np.float32)
    trace = (second[0, 0] + second[1, 1] + second[2, 2]).ravel()
    curved = np.flatnonzero(trace < 0)  # a sheet is; most of what is not needs no eigenvalues
    for first in range(0, len(curved), BLOCK):
        some = curved[first : first + BLOCK]
        matrix = np.empty((len(some), 3, 3), np.float32)
        for (i, j), values in second.items():
            matrix[:, i, j] = matrix[:, j, i] = values.ravel()[some]
        out[some] = np.maximum(-np.linalg.eigvalsh(matrix)[:, 0], 0)
    return out.reshape(image.shape)
