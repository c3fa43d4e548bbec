"""Levels of resolution: which there are, and how a frame becomes the next coarser one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cast import convert_dtype

SMALL = 256
"""A plane of at most so many voxels along y and x needs no coarser level."""


def factors(shape: Sequence[int], spacing: Sequence[float]) -> list[tuple[int, int, int]]:
    """Voxels (z, y, x) of the recording per voxel of each level, the finest first.

    Planes are halved along y and x together (an axis of 1 stays); z too, as long as its voxels are
    not longer than those of x.

    Parameters
    ----------
    shape : (T, Z, Y, X).
    spacing : (dt, dz, dy, dx).
    """
    out = [(1, 1, 1)]
    while True:
        fz, fy, fx = out[-1]
        z, y, x = (n // f for n, f in zip(shape[1:], (fz, fy, fx), strict=True))
        if max(y, x) <= SMALL:
            return out
        deep = z > 1 and fz * spacing[1] <= fx * spacing[3] * (1 + 1e-6)
        halved = (deep, y > 1, x > 1)
        fz, fy, fx = (f * 2 if half else f for f, half in zip(out[-1], halved, strict=True))
        out.append((fz, fy, fx))


def coarser(frame: NDArray[Any], steps: Sequence[int]) -> NDArray[Any]:
    """Means over blocks of ``steps`` (1 or 2 along z, y, x) voxels, of the frame's type; what is
    left over at the end is dropped.
    """
    z, y, x = (n // s for n, s in zip(frame.shape, steps, strict=True))
    out = np.empty((z, y, x), frame.dtype)
    for k in range(z):  # a plane or two at a time: a frame may be large
        block = frame[k * steps[0] : (k + 1) * steps[0], : y * steps[1], : x * steps[2]]
        mean = block.reshape(steps[0], y, steps[1], x, steps[2]).mean((0, 2, 4), dtype=np.float64)
        out[k] = convert_dtype(mean, frame.dtype)
    return out
