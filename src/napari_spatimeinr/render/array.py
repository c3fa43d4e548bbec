"""RenderedArray: looks like an array, computes what is indexed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compute.device import free_memory
from ..data.arrays import DuckArray
from ..data.grid import Grid
from ..errors import OutOfMemoryError
from ..io.cast import convert_dtype, resolve_dtype
from ..model.frames import SAME
from .blocks import Blocks

MOST_CACHED = 64 * 2**20


class RenderedArray(DuckArray):
    """A rendering on a grid as a lazy ``(T, Z, Y, X)`` array.

    Only what is indexed is computed; recent results are kept. Several threads may index it. On a
    CPU a voxel has the same bits whatever it is indexed with.

    Attributes
    ----------
    grid : where its voxels lie.
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
        self.shape: tuple[int, int, int, int] = grid.shape
        self.dtype = resolve_dtype(dtype, self._source_dtype)
        # Index positions of the output samples in the source, per axis.
        self._times = source.to_index(grid.coordinates(0), 0)
        self._positions = [source.to_index(grid.coordinates(axis), axis) for axis in (1, 2, 3)]
        self._cell = tuple(a / b for a, b in zip(grid.spacing, source.spacing, strict=True))
        nearest = np.rint(self._times).astype(int)
        self.acquired = [
            int(k) if abs(t - k) < SAME else None for t, k in zip(self._times, nearest, strict=True)
        ]
        self._cache: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self.watch: Callable[[int], None] | None = None

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
            out = self[...]
        except MemoryError as error:
            raise OutOfMemoryError(
                f"This rendering takes {self.nbytes / 1e9:.3g} GB; render a region (roi), a smaller"
                " scale, or save it to a file directly."
            ) from error
        return out if dtype is None else out.astype(dtype)

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

    def __getitem__(self, key: Any) -> Any:
        rows, squeezed = _resolve(key, self.shape)
        out = np.empty(tuple(len(r) for r in rows), self.dtype)
        if out.size:
            for i, t in enumerate(rows[0]):
                out[i] = self._volume(int(t), rows[1:])
        result = out[tuple(0 if s else slice(None) for s in squeezed)]
        return result

    def _volume(self, t: int, rows: list[NDArray[np.intp]]) -> NDArray[Any]:
        key = (t, *((int(r[0]), int(r[-1]), len(r)) for r in rows))
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        out = self._computed(t, rows)
        with self._lock:
            self._cache[key] = out
            while (
                sum(a.nbytes for a in self._cache.values()) > MOST_CACHED and len(self._cache) > 1
            ):
                self._cache.popitem(last=False)
        return out

    def _computed(self, t: int, rows: list[NDArray[np.intp]]) -> NDArray[Any]:
        k = self.acquired[t]
        if self._keep and k is not None:
            # The same voxel grid, possibly a region of it: whole numbers up to rounding.
            where = [np.rint(p[r]).astype(int) for p, r in zip(self._positions, rows, strict=True)]
            box = tuple(slice(int(w.min()), int(w.max()) + 1) for w in where)
            frame = np.asarray(self._renderer.frames.data[(k, *box)])
            frame = frame[np.ix_(*[w - w.min() for w in where])]
            return convert_dtype(frame, self.dtype)
        positions = [p[r] for p, r in zip(self._positions, rows, strict=True)]
        values = self._renderer.volume(float(self._times[t]), positions, self._cell, self.watch)  # type: ignore[arg-type]
        return convert_dtype(values, self.dtype)


def _resolve(key: Any, shape: tuple[int, ...]) -> tuple[list[NDArray[np.intp]], list[bool]]:
    """Index rows per axis and whether the axis is dropped, for integers, slices and an ellipsis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError("An index can have one ellipsis only.")
    if dots:
        keys[dots[0] : dots[0] + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    if len(keys) > len(shape):
        raise IndexError(f"Too many indices: the array has {len(shape)} axes, got {len(keys)}.")
    keys += [slice(None)] * (len(shape) - len(keys))
    rows, squeezed = [], []
    for axis, (k, n) in enumerate(zip(keys, shape, strict=True)):
        if isinstance(k, slice):
            rows.append(np.arange(n, dtype=np.intp)[k])
            squeezed.append(False)
        elif isinstance(k, (int, np.integer)):
            i = int(k)
            if not -n <= i < n:
                raise IndexError(f"Index {i} is out of range for axis {axis} of size {n}.")
            rows.append(np.array([i % n], dtype=np.intp))
            squeezed.append(True)
        else:
            raise IndexError("A RenderedArray takes integers, slices and an ellipsis.")
    return rows, squeezed
