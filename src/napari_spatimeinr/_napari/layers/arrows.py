"""Motion as arrows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...field import Field

MOST_ARROWS = 20_000
"""Arrows per frame."""
LEAST_VOXELS = 0.25
"""Shorter arrows are left out."""

STRUCTURE = 0.15
"""Arrows start where it is brighter than this share of the recording's range."""


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
