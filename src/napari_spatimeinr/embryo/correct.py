"""What somebody corrected in the labels of one time, carried to other times along the motion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.propagate import SLAB
from ..analysis.votes import Voter, voted
from ..errors import InputError
from .lineage import Carry

Triple = tuple[float, float, float]
MARGIN = 2
"""Voxels around what was corrected that are looked at."""


def carried(
    labels: NDArray[Any],
    before: NDArray[Any],
    after: NDArray[Any],
    spacing: Triple,
    carry: Carry,
    corrected: float,
    time: float,
    origin: Triple = (0.0, 0.0, 0.0),
) -> NDArray[Any]:
    """Labels of another time with a correction carried to it.

    A voxel changes where both old and corrected labels are carried to it and differ, and it still
    has the old one or that of another cell that was corrected. Cells that are not there at that
    time, mothers after their division say, do not come back.

    Parameters
    ----------
    labels : ``(Z, Y, X)`` at ``time``.
    before, after : of the same grid, at ``corrected``, without and with the correction.
    spacing, origin : (z, y, x), um.
    carry : carries points ``(n, 3)`` in um from one time to another.
    corrected, time : in whatever unit ``carry`` takes.

    Returns
    -------
    A new array; where nothing was corrected, equal to ``labels``.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    if not labels.shape == before.shape == after.shape:
        raise InputError(
            f"Labels before and after a correction and at another time are of one grid, got shapes"
            f" {before.shape}, {after.shape} and {labels.shape} (z, y, x)."
        )
    out = np.array(labels)
    changed = before != after
    if not changed.any():
        return out
    step, first = np.asarray(spacing), np.asarray(origin)
    places = (carry(np.argwhere(changed) * step + first, corrected, time) - first) / step
    touched = np.union1d(before[changed], after[changed])
    there = np.append(np.unique(labels), 0)
    for box in _boxes(places, labels.shape):
        voxels = np.indices([s.stop - s.start for s in box]).reshape(3, -1).T + [
            s.start for s in box
        ]
        ends = (carry(voxels * step + first, time, corrected) - first) / step
        old, new = (
            voted(Voter(frame, ends.astype(np.float32), 1.0), None) for frame in (before, after)
        )
        here = out[box].ravel()
        at = (old != new) & np.isin(new, there) & ((here == old) | np.isin(here, touched))
        out[box] = np.where(at, new, here).reshape(out[box].shape)
    return out


def _boxes(places: NDArray[np.float64], shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """What lies around places, in voxels, in slabs of planes; nothing where they have left."""
    low = np.clip(np.floor(places.min(0)).astype(int) - MARGIN, 0, None)
    high = np.minimum(np.ceil(places.max(0)).astype(int) + MARGIN + 1, shape)
    if (low >= high).any():
        return
    thick = max(1, SLAB // int(np.prod((high - low)[1:])))
    for z in range(low[0], high[0], thick):
        yield (slice(z, min(z + thick, high[0])), slice(low[1], high[1]), slice(low[2], high[2]))
