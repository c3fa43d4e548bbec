"""RenderedArray: looks like an array, computes what is indexed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compute.device import free_memory
from ..data.arrays import IndexedArray
from ..data.grid import Grid
from ..data.indexing import resolve
from ..data.recent import Recent
from ..errors import OutOfMemoryError
from ..io.cast import convert_dtype, resolve_dtype
from ..model.compiled import wait_for_rendering
from ..model.frames import SAME
from .blocks import Blocks

MOST_CACHED = 64 * 2**20


class RenderedArray(IndexedArray):
    """A rendering on a grid as a lazy ``(T, Z, Y, X)`` array.

    Only what is indexed is computed; recent results are kept. Several threads may index it. On a
    CPU a voxel has the same bits whatever it is indexed with.

    Attributes
    ----------
    grid : where its voxels lie.
    patient : whether the kernels are waited for, so that voxels have the same bits from the first
        one on; a picture that is looked at is drawn by what there is.
    acquired : for each frame the number of the acquired frame at that time, or None.
    watch : called with the number of voxels after each block computed, for progress; what it
        raises ends the computation.
    """

    def __init__(
        self,
        renderer: Blocks,
        source: Grid,
        grid: Grid,
        dtype: str = "float32",
        source_dtype: Any = None,
        keep_acquired: bool = False,
        remake: tuple[Callable[..., RenderedArray], tuple[Any, ...]] | None = None,
    ) -> None:
        self._renderer = renderer
        self._remake = remake
        self._source_dtype = np.dtype(source_dtype)
        self._keep = keep_acquired
        self.grid = grid
        self.patient = True
        self.shape: tuple[int, int, int, int] = grid.shape
        self.dtype = resolve_dtype(dtype, self._source_dtype)
        # Index positions of the output samples in the source, per axis.
        self._times = source.to_index(grid.coordinates(0), 0)
        self._positions = [source.to_index(grid.coordinates(axis), axis) for axis in (1, 2, 3)]
        t, z, y, x = (a / b for a, b in zip(grid.spacing, source.spacing, strict=True))
        self._cell = (t, z, y, x)
        nearest = np.rint(self._times).astype(int)
        self.acquired = [
            int(k) if abs(t - k) < SAME else None for t, k in zip(self._times, nearest, strict=True)
        ]
        self._pieces: Recent[tuple[int, tuple[range, ...]], NDArray[Any]] = Recent(
            MOST_CACHED, lambda piece: piece.nbytes
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """What makes it again, of which the Field refers to its file: no values, no caches."""
        if self._remake is None:
            raise TypeError(
                "This RenderedArray was made without a Field, which is what could be pickled."
            )
        return self._remake

    def __deepcopy__(self, memo: dict[int, Any]) -> RenderedArray:
        make, how = self.__reduce__()
        copied: RenderedArray = make(*how)
        return copied

    def __dask_tokenize__(self) -> Any:
        """What dask tells renderings apart by: equal for equal models, grids and types, in any
        process.
        """
        make, how = self.__reduce__()
        return type(self).__name__, make.__self__.__dask_tokenize__(), repr(how), str(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A RenderedArray is computed, so an array of it is always a copy.")
        try:
            return super().__array__(dtype)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"This rendering takes {self.nbytes / 1e9:.3g} GB; render a region (roi), a smaller"
                " scale, or save it to a file directly."
            ) from error

    @property
    def room(self) -> int:
        """Bytes that what is kept between two indexings may still take."""
        return self._renderer.room + MOST_CACHED - self._pieces.bytes

    def check_memory(self) -> None:
        """Refuse to be computed as a whole where that does not fit.

        Raises
        ------
        OutOfMemoryError
            If it is larger than the free memory; the message names what would fit.
        """
        free = free_memory()
        if self.nbytes > 0.9 * free:
            raise OutOfMemoryError(
                f"This rendering ({' x '.join(map(str, self.shape))}) takes"
                f" {self.nbytes / 1e9:.3g} GB and {free / 1e9:.3g} GB are free; render a region"
                " (roi) or a smaller scale, or stream it to a file with 'spatimeinr render'."
            )

    def rough(self, key: Any) -> NDArray[np.float32]:
        """What is indexed as the frames themselves, followed along the motion, have it: in
        milliseconds where samples lie far apart. Nothing is encoded.
        """
        asked = resolve(key, self.shape)
        places = self._places(asked.ranges[1:])
        times = self._times[np.asarray(asked.ranges[0], int)]
        return np.stack([self._renderer.rough(float(t), places, self._cell) for t in times])[
            asked.kept
        ]

    def is_warm(self, key: Any) -> bool:
        """Whether all that is learned of the frames around is there for what is indexed."""
        asked = resolve(key, self.shape)
        places = self._places(asked.ranges[1:])
        times = self._times[np.asarray(asked.ranges[0], int)]
        return all(self._renderer.is_warm(float(t), places, self._cell) for t in times)

    def ahead(self, key: Any) -> Iterator[None]:
        """Prepare what lies around an index, the nearest first, as far as there is room: each step
        is a small piece of work.
        """
        asked = resolve(key, self.shape)
        time = float(self._times[asked.ranges[0][0]])
        yield from self._renderer.ahead(time, self._places(asked.ranges[1:]), self._cell)

    def _watched_block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        return self._block(ranges)  # which tells of each piece

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        out = np.empty([len(r) for r in ranges], self.dtype)
        for i, t in enumerate(ranges[0]):
            out[i] = self._piece(t, ranges[1:])
        return out

    def _piece(self, t: int, ranges: tuple[range, ...]) -> NDArray[Any]:
        """What lies in ranges (z, y, x) of a frame."""
        piece = self._pieces.find((t, ranges))
        told = False
        if piece is None:
            copied = self._keep and self.acquired[t] is not None
            piece = self._acquired(t, ranges) if copied else self._computed(t, ranges)
            told = not copied
            self._pieces.keep((t, ranges), piece)
        if not told:
            self._tell(piece.size)
        return piece

    def _acquired(self, t: int, ranges: tuple[range, ...]) -> NDArray[Any]:
        # The same voxel grid, possibly a region of it: whole numbers up to rounding.
        where = [np.rint(p).astype(int) for p in self._places(ranges)]
        box = tuple(slice(int(w.min()), int(w.max()) + 1) for w in where)
        frame = np.asarray(self._renderer.frames.data[(self.acquired[t], *box)])
        return convert_dtype(frame[np.ix_(*[w - w.min() for w in where])], self.dtype)

    def _computed(self, t: int, ranges: tuple[range, ...]) -> NDArray[Any]:
        if self.patient:
            wait_for_rendering(self._renderer.frames.device)
        values = self._renderer.volume(
            float(self._times[t]), self._places(ranges), self._cell, self._tell
        )  # which tells of each block
        return convert_dtype(values, self.dtype)

    def _places(self, ranges: tuple[range, ...]) -> list[NDArray[np.float64]]:
        """Positions (z, y, x) of samples in the source, in its voxels."""
        return [p[np.asarray(r)] for p, r in zip(self._positions, ranges, strict=True)]
