"""Rendering a time point block by block: what every method's renderer has in common."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..compute.threads import chosen
from ..model.frames import Frames

if TYPE_CHECKING:
    from .quantities import Quantity

Floats = NDArray[np.float64]
Cell = tuple[float, float, float, float]
"""Extent of an output cell in frames and source voxels, (t, z, y, x)."""
BLOCK = (24, 128, 128)
"""Points (z, y, x) computed at once."""


class Blocks(ABC):
    """What renders a time point on any regular grid, if it can render a block of it; several
    threads may call it.

    Attributes
    ----------
    frames : the recording, ``(t, z, y, x)``.
    """

    frames: Frames

    @abstractmethod
    def block(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """Raw values at time ``t`` (frames) on the regular grid of voxel ``positions``, ``(z, y,
        x)``; ``cell`` is the extent of an output cell.
        """

    @abstractmethod
    def showing(self, quantity: Quantity) -> Blocks:
        """What renders another quantity, of the same frames."""

    @abstractmethod
    def rough(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """What :meth:`volume` gives, as it is to be had at once."""

    def is_warm(self, t: float, positions: Sequence[Floats], cell: Cell) -> bool:
        """Whether everything is there that :meth:`volume` would keep to be faster the next time."""
        return False

    def ahead(self, t: float, positions: Sequence[Floats], cell: Cell) -> Iterator[None]:
        """Prepare what lies around, the nearest first, while there is room: a small piece of work
        each step.
        """
        yield from ()

    @chosen()
    def volume(
        self,
        t: float,
        positions: Sequence[Floats],
        cell: Cell,
        watch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One time point on any regular grid, block by block: ``(z, y, x)`` float32.

        ``watch`` is told the voxels of each block after it; what it raises ends the rendering.
        """
        out = np.empty([len(p) for p in positions], np.float32)
        # Fewer output voxels per block where a cell takes several samples.
        size = [
            max(1, int(points / max(1.0, min(extent, n))))
            for points, extent, n in zip(BLOCK, cell[1:], self.frames.shape, strict=True)
        ]
        parts = (even(len(p), s) for p, s in zip(positions, size, strict=True))
        for where in itertools.product(*parts):
            values = self.block(t, [p[w] for p, w in zip(positions, where, strict=True)], cell)
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
