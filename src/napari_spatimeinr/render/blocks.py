"""Rendering a time point block by block: what every method's renderer has in common."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..compute.pool import spread
from ..compute.threads import chosen
from ..model.frames import Frames

if TYPE_CHECKING:
    from .quantities import Quantity

Floats = NDArray[np.float64]
Slices = tuple[slice, slice, slice]
Cell = tuple[float, float, float, float]
"""Extent of an output cell in frames and source voxels, (t, z, y, x)."""
POINTS = 2**16
"""Points computed at once on a CPU."""


class Blocks(ABC):
    """What renders a time point on any regular grid, if it can render a block of it; several
    threads may call it.

    Attributes
    ----------
    frames : the recording, ``(t, z, y, x)``.
    """

    frames: Frames

    @property
    def beside(self) -> bool:
        """Whether several blocks are computed at once; else each on all threads."""
        return False

    @property
    def points(self) -> int:
        """Points computed at once."""
        return POINTS

    @property
    def room(self) -> int:
        """Bytes that what is kept to be faster the next time may still take."""
        return 0

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

    def volume(
        self,
        t: float,
        positions: Sequence[Floats],
        cell: Cell,
        watch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One time point on any regular grid, block by block: ``(z, y, x)`` float32.

        ``watch`` is told the voxels of each block after it, in the caller's thread; what it raises
        ends the rendering.
        """
        out = np.empty([len(p) for p in positions], np.float32)

        def computed(where: Slices) -> NDArray[np.float32]:
            return self.block(t, [p[w] for p, w in zip(positions, where, strict=True)], cell)

        def done(where: Slices, values: NDArray[np.float32]) -> None:
            out[where] = values
            if watch is not None:
                watch(values.size)

        # Fewer output voxels per block where a cell takes several samples.
        samples = [
            max(1.0, min(extent, n)) for extent, n in zip(cell[1:], self.frames.shape, strict=True)
        ]
        blocks = pieces(out.shape, max(1, int(self.points / math.prod(samples))))
        with chosen() as threads:
            spread(computed, blocks, threads if self.beside else 1, done)
        return out


def pieces(shape: Sequence[int], most: int) -> list[Slices]:
    """Blocks of at most ``most`` points that cover a grid, about as long as wide; a plane is never
    cut into lines.
    """
    size = [max(1, n) for n in shape]
    while math.prod(size) > most:
        longest = max(range(3), key=lambda axis: (size[axis], axis == 0))
        size[longest] = -(-size[longest] // 2)
    z, y, x = (even(n, s) for n, s in zip(shape, size, strict=True))
    return list(itertools.product(z, y, x))


def even(n: int, most: int) -> list[slice]:
    """Slices of about equal length, at most ``most``, that cover n."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]
