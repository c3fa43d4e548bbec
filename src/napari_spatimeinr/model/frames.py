"""Frames of a recording as normalised blocks, read where they are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..compute.device import to_device

Floats = NDArray[np.float64]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Half-open voxel ranges (z, y, x); they may reach beyond the frame, which is mirrored there."""


PERCENTILES = (0.5, 99.8)
"""Intensities of a recording that are mapped to 0 and 1, in fits and in scores."""
SAME = 1e-6
"""Times closer to a frame than this (in frames) are that frame."""


@dataclass(frozen=True)
class Normalisation:
    """How intensities become numbers near 0..1, frame by frame.

    ``normalised = (raw - offset) / (scale * gain[k])``

    ranges : the lowest and the highest raw value of each frame; empty where they are not known
        (files of earlier versions).
    """

    offset: float
    scale: float
    gains: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...] = ()

    def gain(self, t: float) -> float:
        """Gain at a time in frames, linear between frames."""
        return float(np.interp(t, np.arange(len(self.gains)), self.gains))

    def limits(self, t: float) -> tuple[float, float]:
        """The lowest and the highest raw value of the frames around a time in frames; infinite
        where they are not known.
        """
        last = len(self.ranges) - 1
        near = self.ranges[max(0, math.floor(t + SAME)) : min(last, math.ceil(t - SAME)) + 1]
        return min((low for low, _ in near), default=-math.inf), max(
            (high for _, high in near), default=math.inf
        )


def grown(box: Box, margin: int) -> Box:
    """The box with a margin on every side."""
    (a, b), (c, d), (e, f) = box
    m = margin
    return (a - m, b + m), (c - m, d + m), (e - m, f + m)


def random_box(
    shape: tuple[int, int, int], size: tuple[int, int, int], generator: torch.Generator
) -> Box:
    """A block of at most ``size`` anywhere in a frame."""
    box = []
    for n, s in zip(shape, size, strict=True):
        s = min(n, s)
        a = int(torch.randint(0, n - s + 1, (1,), generator=generator))
        box.append((a, a + s))
    return box[0], box[1], box[2]


def _mirror(index: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    if n == 1:
        return np.zeros_like(index)
    index = index % (2 * n - 2)
    return np.where(index >= n, 2 * n - 2 - index, index)


def inside(box: Box, shape: tuple[int, int, int]) -> tuple[Box, list[np.ndarray[Any, Any] | None]]:
    """The part of a frame a box is made of, and per axis the rows to take of it (None: all, in
    order).
    """
    part, rows = [], []
    for (a, b), n in zip(box, shape, strict=True):
        index = _mirror(np.arange(a, b), n)
        low, high = int(index.min()), int(index.max()) + 1
        part.append((low, high))
        rows.append(None if a == low and b == high else index - low)
    return (part[0], part[1], part[2]), rows


class Frames:
    """Access to ``(T, Z, Y, X)`` data of any array-like, as float32 tensors, missing values filled.

    Parameters
    ----------
    data : array-like; only the asked-for part is read.
    normalisation : the normalisation.
    clock : :attr:`.Grid.clock`, ``(T,)``; None for evenly spaced frames.
    """

    def __init__(
        self,
        data: Any,
        normalisation: Normalisation,
        device: torch.device,
        clock: Floats | None = None,
    ) -> None:
        self.data = data
        self.normalisation = normalisation
        self.device = device
        self.shape: tuple[int, int, int] = tuple(data.shape[1:])
        self.count = int(data.shape[0])
        self.clock = np.arange(self.count, dtype=np.float64) if clock is None else clock

    def time(self, t: float) -> float:
        """The time that motion counts in, median intervals, at a time in frames: between two frames
        their interval passes evenly, however long it is.
        """
        return float(np.interp(t, np.arange(self.count), self.clock))

    def block(self, k: int, box: Box) -> Tensor:
        """Normalised voxels of frame ``k`` in a box: ``(1, 1, z, y, x)``."""
        ranges, rows = inside(box, self.shape)
        part = np.asarray(self.data[(k, *(slice(a, b) for a, b in ranges))])
        for axis, index in enumerate(rows):
            if index is not None:
                part = part.take(index, axis=axis)
        out = part.astype(np.float32)
        if self.data.dtype.kind == "f" and not np.isfinite(out).all():
            out = np.where(np.isfinite(out), out, np.float32(self.normalisation.offset))
        return self.normalised(out, k)[None, None]

    def normalised(self, values: np.ndarray[Any, Any], k: int) -> Tensor:
        """Raw float32 values of frame ``k``, changed in place, as normalised ones."""
        values -= np.float32(self.normalisation.offset)
        values *= np.float32(1 / (self.normalisation.scale * self.normalisation.gains[k]))
        return to_device(values, self.device)

    def whole(self, k: int) -> Tensor:
        """The whole normalised frame ``(1, 1, Z, Y, X)``."""
        z, y, x = self.shape
        return self.block(k, ((0, z), (0, y), (0, x)))
