"""What a preview shows before anything has been drawn: the recording itself."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...errors import FormatError
from ...io.lazy import LazyArray
from ...volume import Volume

SMALL = 2_000_000
"""Voxels the placeholder may have: it is made in the main thread, in some 10 ms."""
Rows = tuple[tuple[int, int, int], ...]
"""For t, z, y, x: first index, last index (or -1), step; what is drawn and kept under one key."""


class StandIn:
    """A recording at the nearest voxels of another grid, linear in time.

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    grid : where it is shown.
    """

    def __init__(self, volume: Volume, grid: Grid) -> None:
        self._volume = volume
        # The recording's indices of the grid's samples.
        self._index = [
            np.clip(volume.grid.to_index(grid.coordinates(a), a), 0, volume.shape[a] - 1)
            for a in range(4)
        ]

    def at(self, rows: Rows) -> NDArray[np.float32] | None:
        """What is to be seen at ``(t, z, y, x)``; None where that would take long or cannot be
        read.
        """
        at = [self._index[a][slice(*r)] for a, r in enumerate(rows)]
        shape = tuple(len(i) for i in at)
        if all(shape) and math.prod(shape) <= SMALL and self._is_quick(at):
            # A file that was changed or damaged is told by the drawing.
            with suppress(FormatError):
                return self._blended(at, shape)
        return None

    def _is_quick(self, at: list[NDArray[np.float64]]) -> bool:
        data = self._volume.data
        if isinstance(data, LazyArray):
            frames = {int(k) for t in at[0] for k in (np.floor(t), np.ceil(t))}
            return data.is_quick(frames, planes=len(at[0]) == len(at[1]) == 1)
        return isinstance(data, np.ndarray)

    def _blended(
        self, at: list[NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The recording at indices along t (linear between frames), z, y, x (the
        nearest voxels).
        """
        where = [np.rint(i).astype(int) for i in at[1:]]
        out = np.empty(shape, np.float32)
        for n, t in enumerate(at[0]):
            first = int(t)
            share = np.float32(t - first)
            out[n] = self._voxels(first, where)
            if share > 0:
                out[n] += share * (self._voxels(first + 1, where) - out[n])
        return out

    def _voxels(self, k: int, where: list[NDArray[np.intp]]) -> NDArray[np.float32]:
        """Voxels of frame k at indices along z, y, x; only the planes they lie in are read."""
        low, high = int(where[0][0]), int(where[0][-1]) + 1
        planes = np.asarray(self._volume.data[k, low:high], np.float32)
        return planes[np.ix_(where[0] - low, *where[1:])]
