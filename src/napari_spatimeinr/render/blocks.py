"""Rendering a time point block by block: what every method's renderer has in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..model.frames import Frames

if TYPE_CHECKING:
    from .quantities import Quantity

Floats = NDArray[np.float64]
Cell = tuple[float, float, float, float]
"""Extent of an output cell in frames and source voxels, (t, z, y, x)."""
BLOCK = (24, 128, 128)
"""Points (z, y, x) computed at once."""


class Renders(Protocol):
    """What a rendering is made by: a renderer of any method."""

    frames: Frames

    def volume(
        self,
        t: float,
        positions: Sequence[Floats],
        cell: Cell,
        watch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One time point ``(z, y, x)`` on any regular grid of voxel ``positions``; see
        :func:`in_blocks`.
        """
        ...

    def showing(self, quantity: Quantity) -> Renders:
        """What renders another quantity, of the same frames."""
        ...


def in_blocks(
    block: Callable[[Sequence[Floats]], NDArray[np.float32]],
    positions: Sequence[Floats],
    cell: Cell,
    shape: tuple[int, int, int],
    most: tuple[int, int, int] = BLOCK,
    watch: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Values ``(z, y, x)`` on a regular grid of voxel ``positions``, block by block.

    Parameters
    ----------
    block : gives the values at some of the positions.
    cell : of the output.
    shape : (z, y, x) of a frame in voxels.
    most : points (z, y, x) of a block; fewer output voxels where a cell takes several of them.
    watch : told the voxels of each block after it; what it raises ends the rendering.
    """
    out = np.empty([len(p) for p in positions], np.float32)
    size = [
        max(1, int(points / max(1.0, min(extent, n))))
        for points, extent, n in zip(most, cell[1:], shape, strict=True)
    ]
    parts = (even(len(p), s) for p, s in zip(positions, size, strict=True))
    for where in itertools.product(*parts):
        values = block([p[w] for p, w in zip(positions, where, strict=True)])
        out[where] = values
        if watch is not None:
            watch(values.size)
    return out


def even(n: int, most: int) -> list[slice]:
    """Slices of about equal length, at most ``most``, that cover n."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def runs(positions: Floats, most: int, span: float) -> list[slice]:
    """Slices that cover the positions, of at most ``most`` that lie no further apart than
    ``span``.
    """
    edges = [0]
    for i, p in enumerate(positions):
        if i - edges[-1] == most or abs(p - positions[edges[-1]]) > span:
            edges.append(i)
    return [slice(a, b) for a, b in pairwise([*edges, len(positions)])]
