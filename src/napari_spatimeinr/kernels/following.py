"""Trajectories of the nodes of a grid through a velocity field."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .neighbours import mixed4

CHUNK = 32
"""Nodes that are followed together, always: what is left over is computed too and thrown away."""
HALF, ZERO = np.float32(0.5), np.float32(0)


@compiled()
def _velocities(places: Any, grid: Any, scale: Any, offsets: Any, shares: Any, found: Any) -> None:
    """Velocities ``(CHUNK, 4)`` at places ``(3, CHUNK)``, linear in a grid ``(z, y, x, 4)``."""
    for i in range(CHUNK):
        offsets[i] = 0
    for axis in range(3):
        n = grid.shape[axis]
        top = np.float32(n - 1)
        for i in range(CHUNK):
            at = places[axis, i] * scale[axis]
            at = at if at > ZERO else ZERO
            at = at if at < top else top
            low = min(np.int64(at), max(n - 2, 0))
            shares[axis, i] = at - np.float32(low)
            offsets[i] = offsets[i] * n + low
    flat, known, out = grid.reshape(-1), shares.reshape(-1), found.reshape(-1)
    # Where there is one node alone, its neighbour is itself.
    across = 4 * min(grid.shape[2] - 1, 1)
    down = 4 * grid.shape[2] * min(grid.shape[1] - 1, 1)
    deep = 4 * grid.shape[2] * grid.shape[1] * min(grid.shape[0] - 1, 1)
    for i in range(CHUNK):
        mixed4(flat, 4 * offsets[i], (deep, down, across), known, i, CHUNK, out, 4 * i)


@compiled("void(f4[::1], f4[::1], f4[::1], f4[:,:,:,:,::1], f4[::1], f4, f4[:,:,:,::1])")
def follow(z: Any, y: Any, x: Any, grids: Any, scale: Any, step: Any, out: Any) -> None:
    """How far nodes move, by the midpoint rule.

    Parameters
    ----------
    z, y, x : places of the nodes' planes, lines and columns, in voxels.
    grids : velocities on control nodes ``(2 steps, z, y, x, 4)``, the last number unused: for each
        step those of its first and of its second half.
    scale : control nodes per voxel, along each axis.
    step : length of a step, in frames.
    out : ``(3, z, y, x)``, in voxels.
    """
    places, half = np.empty((3, CHUNK), np.float32), np.empty((3, CHUNK), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    found = np.empty((CHUNK, 4), np.float32)
    for i in range(z.size):
        for j in range(y.size):
            for at in range(0, x.size, CHUNK):
                for k in range(CHUNK):
                    column = x[min(at + k, x.size - 1)]
                    places[0, k], places[1, k], places[2, k] = z[i], y[j], column
                for n in range(0, grids.shape[0], 2):
                    _velocities(places, grids[n], scale, offsets, shares, found)
                    for axis in range(3):
                        for k in range(CHUNK):
                            half[axis, k] = places[axis, k] + HALF * step * found[k, axis]
                    _velocities(half, grids[n + 1], scale, offsets, shares, found)
                    for axis in range(3):
                        for k in range(CHUNK):
                            places[axis, k] += step * found[k, axis]
                for k in range(min(CHUNK, x.size - at)):
                    out[0, i, j, at + k] = places[0, k] - z[i]
                    out[1, i, j, at + k] = places[1, k] - y[j]
                    out[2, i, j, at + k] = places[2, k] - x[at + k]
