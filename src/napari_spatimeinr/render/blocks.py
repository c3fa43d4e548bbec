"""Any grid, block by block: what renderers of all methods share."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..compute.threads import chosen
from ..model.frames import Frames

BLOCK = (24, 128, 128)
"""Points (z, y, x) computed at once."""


class Blocks(ABC):
    """What renders a time point on any regular grid, if it can render a block of it.

    Attributes
    ----------
    frames : the recording, ``(t, z, y, x)``.
    """

    frames: Frames

    @abstractmethod
    def block(
        self,
        t: float,
        positions: Sequence[NDArray[np.float64]],
        cell: tuple[float, float, float, float],
    ) -> NDArray[np.float32]:
        """Raw intensities at time ``t`` (frames) on the regular grid of voxel ``positions``, ``(z,
        y, x)``.

        ``cell`` is the extent of an output cell in frames and source voxels, (t, z, y, x).
        """

    @chosen()
    def volume(
        self,
        t: float,
        positions: Sequence[NDArray[np.float64]],
        cell: tuple[float, float, float, float],
        watch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One time point on any regular grid, block by block: ``(z, y, x)`` float32.

        ``watch`` is told the voxels of each block after it; what it raises ends the rendering.
        """
        shape = tuple(len(p) for p in positions)
        out = np.empty(shape, np.float32)
        # Fewer output voxels per block where a cell takes several samples.
        size = [
            max(1, int(b / max(1.0, min(c, n))))
            for b, c, n in zip(BLOCK, cell[1:], self.frames.shape, strict=True)
        ]
        for where in itertools.product(*(_even(n, s) for n, s in zip(shape, size, strict=True))):
            block = self.block(t, [p[w] for p, w in zip(positions, where, strict=True)], cell)
            out[where] = block
            if watch is not None:
                watch(block.size)
        return out


def intensities(value: Tensor, frames: Frames, t: float, brighter: bool = False) -> Tensor:
    """Raw intensities of normalised values at time ``t`` (frames), within what the source's type
    can hold.

    Unless ``brighter`` ones are allowed, also within what the frames around say: splines
    overshoot at edges; only where blur is undone something is brighter than there.
    """
    normalisation = frames.normalisation
    low, high = _limits(np.dtype(frames.data.dtype))
    if not brighter:
        lowest, highest = normalisation.limits(t)
        low, high = max(low, lowest), min(high, highest)
    return (value * (normalisation.scale * normalisation.gain(t)) + normalisation.offset).clamp(
        low, high
    )


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The lowest and highest value of a type."""
    if dtype.kind == "b":
        return 0.0, 1.0
    return (
        (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
        if dtype.kind in "iu"
        else (-math.inf, math.inf)
    )


def _even(n: int, most: int) -> list[slice]:
    """Slices of about equal length, at most ``most``, that cover n."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]
