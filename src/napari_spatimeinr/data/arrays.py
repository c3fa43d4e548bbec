"""Arrays whose values are read or computed when they are indexed, and the progress of that."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .indexing import as_slice, resolve


class DuckArray:
    """Sizes by the names of numpy, from ``shape`` and ``dtype``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, were it in memory."""
        return self.size * int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' x '.join(map(str, self.shape))} {self.dtype}>"


class IndexedArray(DuckArray, ABC):
    """A read-only duck array that reads or computes what is indexed.

    Integers and slices (any step) are understood on each axis; the result is a numpy array.

    Attributes
    ----------
    watch : called with the number of voxels after each piece that was read or computed; what it
        raises ends the work.
    """

    watch: Callable[[int], None] | None = None

    @abstractmethod
    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        """What lies in non-empty ranges of indices, one for each axis; their steps may
        be negative.
        """

    def _watched_block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        """The same, and ``watch`` is told; an array that takes long tells it of smaller pieces."""
        out = self._block(ranges)
        self._tell(out.size)
        return out

    def _tell(self, voxels: int) -> None:
        if self.watch is not None:
            self.watch(voxels)

    def __getitem__(self, key: Any) -> Any:
        asked = resolve(key, self.shape)
        if all(map(len, asked.ranges)):
            out = self._watched_block(asked.ranges)
        else:
            out = np.empty([len(r) for r in asked.ranges], dtype=self.dtype)
        return out[asked.kept]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


class Wrapped(IndexedArray):
    """Any other array, so that it can be watched; everything else is the array's own.

    Parameters
    ----------
    array : array-like with ``shape``, ``dtype`` and slicing.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype = tuple(array.shape), array.dtype

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # NumPy would take the array past this one, and a copy has no array yet.
            raise AttributeError(name)
        return getattr(self._array, name)

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        return np.asarray(self._array[tuple(as_slice(r) for r in ranges)])


def watched(array: Any, seen: Callable[[int, int], None]) -> IndexedArray:
    """The array, so that a job over it has progress and can be stopped.

    Parameters
    ----------
    array : array-like; a plain one is wrapped.
    seen : called with the voxels read or computed so far and all voxels, after each piece; what it
        raises ends the work.
    """
    out = array if isinstance(array, IndexedArray) else Wrapped(array)
    done = 0

    def tell(voxels: int) -> None:
        nonlocal done
        done = min(done + voxels, out.size)
        seen(done, out.size)

    out.watch = tell
    return out
