"""Two pictures in one: another's voxels on a grid, and a line between both."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import IndexedArray, Wrapped
from ...data.grid import Grid
from ...data.indexing import as_slice, resolve
from ...volume import Volume
from .pieces import Drawable
from .preview import PreviewArray, Want

Floats = NDArray[np.float64]
Ranges = tuple[range, ...]
HALF = 0.5 + 1e-6
"""Half a voxel: halfway between two it is the later one, however numbers were rounded."""


class Plain(Wrapped):
    """An array ``(T, Z, Y, X)`` as something to draw from: it is there already."""

    def rough(self, key: Any) -> NDArray[np.float32]:
        """The same."""
        return np.asarray(self[key], np.float32)

    def is_warm(self, key: Any) -> bool:
        """Nothing has to be made."""
        return True

    def ahead(self, key: Any) -> Iterator[None]:
        """Nothing has to be made."""
        yield from ()


class Resampled(IndexedArray):
    """The nearest voxels of another array on a grid; 0 beyond its edge.

    Parameters
    ----------
    array : ``(T, Z, Y, X)``.
    shape : of the grid.
    matrix : ``(4, 5)``, from an index (t, z, y, x, 1) of the grid to one of the array.
    """

    def __init__(self, array: Any, shape: tuple[int, ...], matrix: Floats) -> None:
        self._array, self._matrix = array, matrix
        self.shape, self.dtype = shape, np.dtype(np.float32)

    @property
    def watch(self) -> Callable[[int], None] | None:
        """That of the array."""
        watch: Callable[[int], None] | None = self._array.watch
        return watch

    @watch.setter
    def watch(self, watch: Callable[[int], None] | None) -> None:
        self._array.watch = watch

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        return self._taken(key, self._array.__getitem__)

    def _block(self, ranges: Ranges) -> NDArray[np.float32]:
        return self[tuple(map(as_slice, ranges))]

    def rough(self, key: Any) -> NDArray[np.float32]:
        """See :meth:`.RenderedArray.rough`."""
        return self._taken(key, self._array.rough)

    def is_warm(self, key: Any) -> bool:
        """See :meth:`.RenderedArray.is_warm`."""
        index, inside = self._index(resolve(key, self.shape).ranges)
        return not inside.any() or bool(self._array.is_warm(_box(index)))

    def ahead(self, key: Any) -> Iterator[None]:
        """See :meth:`.RenderedArray.ahead`."""
        index, inside = self._index(resolve(key, self.shape).ranges)
        if inside.any():
            yield from self._array.ahead(_box(index))

    def _taken(
        self, key: Any, read: Callable[[tuple[slice, ...]], NDArray[Any]]
    ) -> NDArray[np.float32]:
        asked = resolve(key, self.shape)
        out = np.zeros([len(r) for r in asked.ranges], np.float32)
        index, inside = self._index(asked.ranges)
        if inside.any():
            box = _box(index)
            block = read(box)
            local = tuple(i - b.start for i, b in zip(index, box, strict=True))
            np.copyto(out, block[local], where=inside, casting="unsafe")
        return out[asked.kept]

    def _index(self, ranges: Ranges) -> tuple[list[NDArray[np.intp]], NDArray[np.bool_]]:
        """Indices of the nearest voxels, and whether these are there; as small as they are
        different.
        """
        places = np.ix_(*(np.asarray(r, float) for r in ranges))
        index, inside = [], np.ones((1, 1, 1, 1), bool)
        for row, n in zip(self._matrix, self._array.shape, strict=True):
            moved = [m * place for m, place in zip(row, places, strict=False) if m != 0]
            at = sum(moved, np.full((1, 1, 1, 1), row[4]))
            nearest = np.floor(at + HALF).astype(np.intp)
            inside = inside & (nearest >= 0) & (nearest < n)
            index.append(np.clip(nearest, 0, n - 1))
        return index, inside


def _box(index: list[NDArray[np.intp]]) -> tuple[slice, ...]:
    """The part of an array that indices lie in."""
    return tuple(slice(int(i.min()), int(i.max()) + 1) for i in index)


class Swiped:
    """One array left of a line and another, of the same shape, right of it; to draw from.

    Parameters
    ----------
    left, right : arrays ``(T, Z, Y, X)``.
    share : where the line is, 0 (all right) to 1 (all left) of the x axis.
    mirrored : whether x runs from right to left on the screen.
    """

    def __init__(self, left: Any, right: Any, share: float = 0.5, mirrored: bool = False) -> None:
        self._left, self._right = left, right
        self.share, self.mirrored = share, mirrored

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.float32]:
        return self._beside(key, self._left.__getitem__, self._right.__getitem__)

    def rough(self, key: tuple[slice, ...]) -> NDArray[np.float32]:
        """See :meth:`.RenderedArray.rough`."""
        return self._beside(key, self._left.rough, self._right.rough)

    def is_warm(self, key: tuple[slice, ...]) -> bool:
        """See :meth:`.RenderedArray.is_warm`."""
        return bool(self._left.is_warm(key) and self._right.is_warm(key))

    def ahead(self, key: tuple[slice, ...]) -> Iterator[None]:
        """See :meth:`.RenderedArray.ahead`."""
        yield from self._left.ahead(key)
        yield from self._right.ahead(key)

    @property
    def watch(self) -> Callable[[int], None] | None:
        """See :class:`.RenderedArray`."""
        watch: Callable[[int], None] | None = self._left.watch
        return watch

    @watch.setter
    def watch(self, watch: Callable[[int], None] | None) -> None:
        self._left.watch = self._right.watch = watch

    def _beside(
        self,
        key: tuple[slice, ...],
        of_left: Callable[[Any], NDArray[Any]],
        of_right: Callable[[Any], NDArray[Any]],
    ) -> NDArray[np.float32]:
        n = self._left.shape[3]
        columns = np.arange(n)[::-1] if self.mirrored else np.arange(n)
        left = columns[key[3]] < self.share * n
        if left.all():
            return np.asarray(of_left(key), np.float32)
        if not left.any():
            return np.asarray(of_right(key), np.float32)
        return np.where(left, of_left(key), of_right(key)).astype(np.float32, copy=False)


class SwipeArray(PreviewArray):
    """A preview of two pictures with a line between them.

    Parameters
    ----------
    volume, grid, axes, want : see :class:`.PreviewArray`.
    swiped : both, on that grid.
    """

    def __init__(self, volume: Volume, grid: Grid, axes: str, want: Want, swiped: Swiped) -> None:
        super().__init__(volume, grid, axes, want)
        self._swiped: Swiped = swiped
        drawn: Drawable = swiped
        self.show(drawn, True)

    def move(self, share: float) -> None:
        """Put the line elsewhere; nothing is computed twice for it."""
        self._swiped.share = share
        self.show(self._swiped, True)

    def __deepcopy__(self, memo: dict[int, Any]) -> SwipeArray:
        swiped = copy.copy(self._swiped)
        return SwipeArray(self.volume, self.grid, self.axes, self._want, swiped)
