"""Two renderings in one picture, and motion as arrows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...field import Field
from ...render.array import RenderedArray

MOST_ARROWS = 20_000
"""Arrows per frame."""
LEAST_VOXELS = 0.25
"""Shorter arrows are left out."""

STRUCTURE = 0.15
"""Arrows start where it is brighter than this share of the recording's range."""


class Swipe:
    """Makes arrays that show the fit left of a line and a baseline right of it.

    share : where the line is, 0 (all baseline) to 1 (all fit) of the x axis.
    """

    def __init__(self, baseline: str, share: float = 0.5) -> None:
        self.baseline, self.share = baseline, share
        self._made: tuple[Field, Grid, _Swiped] | None = None

    def __call__(self, field: Field, grid: Grid) -> _Swiped:
        """The array of a Field on a grid; kept, so that moving the line computes nothing twice."""
        if self._made is None or self._made[0] is not field or self._made[1] != grid:
            pair = (field.picture(grid), field.interpolated(self.baseline).picture(grid))
            self._made = (field, grid, _Swiped(*pair, self))
        return self._made[2]


class _Swiped:
    def __init__(self, left: RenderedArray, right: RenderedArray, swipe: Swipe) -> None:
        self._left, self._right, self._swipe = left, right, swipe

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.float32]:
        return self._beside(key, self._left.__getitem__, self._right.__getitem__)

    def rough(self, key: tuple[slice, ...]) -> NDArray[np.float32]:
        """See :meth:`.RenderedArray.rough`."""
        return self._beside(key, self._left.rough, self._right.rough)

    def is_warm(self, key: tuple[slice, ...]) -> bool:
        """See :meth:`.RenderedArray.is_warm`."""
        return self._left.is_warm(key) and self._right.is_warm(key)

    def ahead(self, key: tuple[slice, ...]) -> Iterator[None]:
        """See :meth:`.RenderedArray.ahead`."""
        yield from self._left.ahead(key)

    @property
    def watch(self) -> Callable[[int], None] | None:
        """See :class:`.RenderedArray`."""
        return self._left.watch

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
        left = np.arange(n)[key[3]] < self._swipe.share * n
        if left.all():
            return np.asarray(of_left(key))
        if not left.any():
            return np.asarray(of_right(key))
        return np.where(left, of_left(key), of_right(key))


def arrows(field: Field, axes: str) -> Callable[[Callable[[Any], None]], NDArray[np.float64]]:
    """A job: where structure goes from each frame to the next, as napari's Vectors on the
    recording's own grid.

    Returns
    -------
    A function of ``tick`` that gives ``(N, 2, D)``: positions and displacements in voxels, axes as
    in ``axes``.
    """

    def work(tick: Callable[[Any], None]) -> NDArray[np.float64]:
        grid = field.grid
        frames, *size = grid.shape
        # Every plane has some: napari shows the arrows of the plane that is looked at.
        step = max(4.0, (np.prod(size) / MOST_ARROWS) ** 0.5)
        steps = (1.0, *(step if n > step else 1.0 for n in size[1:]))
        at = np.meshgrid(
            *(np.arange((s - 1) / 2, n, s) for n, s in zip(size, steps, strict=True)), indexing="ij"
        )
        index = np.stack(at, -1).reshape(-1, 3)
        nearest = np.minimum(np.rint(index).astype(int), np.array(size) - 1)
        spacing = np.asarray(grid.spacing[1:])
        points = index * spacing + np.asarray(grid.origin[1:])
        times = grid.coordinates(0)
        # Where nothing is to be seen, motion is only the smoothness of its neighbours'.
        background = field.normalisation.offset + STRUCTURE * field.normalisation.scale
        found = []
        for k in range(frames - 1):
            tick(None)
            moved = field.motion(points, float(times[k]), float(times[k + 1])) / spacing
            frame = np.asarray(field.volume.data[k], np.float32)
            bright = frame[tuple(nearest.T)] > background
            far = bright & (np.linalg.norm(moved, axis=1) > LEAST_VOXELS)
            start = np.column_stack([np.full(far.sum(), k), index[far]])
            found.append(np.stack([start, np.column_stack([np.zeros(far.sum()), moved[far]])], 1))
        every = np.concatenate(found) if found else np.zeros((0, 2, 4))
        return every[:, :, ["tzyx".index(a) for a in axes]]

    return work
