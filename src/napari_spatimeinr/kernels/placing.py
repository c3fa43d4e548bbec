"""Where the points of a regular grid are that motion displaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled

CHUNK = 64
"""Points that go through each step together, always: what is left over is computed too and thrown
away."""
FRACTIONS = np.float32(2.0**16)
"""Places that are told apart along a voxel."""
ONE, HALF = np.float32(1), np.float32(0.5)
SIXTH, TWO_THIRDS = np.float32(1 / 6), np.float32(2 / 3)


@compiled()
def _between(at: Any, first: int, count: int) -> Any:
    """Number, counted from ``first``, and share of the node before a place."""
    inside: Any = at if at > np.float32(0) else np.float32(0)
    low: Any = min(max(np.int64(inside) - first, 0), max(count - 2, 0))
    # Not the place counted from the first node: the difference would be rounded by where that is.
    share = inside - np.float32(first + low)
    return low, (share if share < ONE else ONE) if count > 1 else np.float32(0)


@compiled()
def displaced_line(
    z: Any, y: Any, nodes: Any, scale: Any, first: int, ends: Any, line: Any
) -> None:
    """Displacements at the nodes of a line of the grid, ``line`` ``(3, nodes)``."""
    i, u = _between(z * scale[0], first, nodes.shape[1])
    j, v = _between(y * scale[1], 0, nodes.shape[2])
    k, m = min(i + 1, nodes.shape[1] - 1), min(j + 1, nodes.shape[2] - 1)
    for axis in range(3):
        for n in range(ends[0], ends[1]):
            above = nodes[axis, i, j, n] + (nodes[axis, i, m, n] - nodes[axis, i, j, n]) * v
            below = nodes[axis, k, j, n] + (nodes[axis, k, m, n] - nodes[axis, k, j, n]) * v
            line[axis, n] = above + (below - above) * u


@compiled()
def columns_of(x: Any, nodes: Any, scale: Any) -> Any:
    """Places along x in whole chunks, and the nodes they lie between."""
    count = -(-x.size // CHUNK) * CHUNK
    places, shares = np.empty(count, np.float32), np.empty(count, np.float32)
    before, after = np.empty(count, np.uint64), np.empty(count, np.uint64)
    last = nodes.shape[3] - 1
    ends = last, 0
    for i in range(count):
        places[i] = x[min(i, x.size - 1)]
        low, shares[i] = _between(places[i] * scale[2], 0, nodes.shape[3])
        high = min(low + 1, last)
        before[i], after[i] = low, high
        ends = (min(ends[0], low), max(ends[1], high + 1))
    return places, before, after, shares, ends


@compiled()
def followed(at: int, z: Any, y: Any, columns: Any, line: Any, places: Any) -> None:
    """A chunk of points after their motion, ``(3, CHUNK)``, in voxels of the source."""
    x, before, after, along, _ = columns
    for axis in range(3):
        base = z if axis == 0 else y
        for i in range(CHUNK):
            a, b = line[axis, before[at + i]], line[axis, after[at + i]]
            moved = a + (b - a) * along[at + i]
            places[axis, i] = base + moved if axis < 2 else x[at + i] + moved


@compiled()
def located(
    places: Any,
    factors: Any,
    shape: Any,
    start: Any,
    sizes: Any,
    reach: int,
    offsets: Any,
    shares: Any,
) -> None:
    """Where a chunk of points lies in a box: offsets of the first neighbours, and shares of a voxel
    ``(3, CHUNK)``.

    Places are rounded and kept within the frame as :func:`.model.boxes.whole_fractions` does, and
    neighbours (from ``reach`` before a place to as many after the next) within the box whatever
    the numbers are.
    """
    for i in range(CHUNK):
        offsets[i] = 0
    for axis in range(3):
        top = np.float32(shape[axis] - 1)
        first, last = start[axis] + reach, sizes[axis] - 2 - 2 * reach
        for i in range(CHUNK):
            place = places[axis, i] * factors[axis]
            place = np.rint(place * FRACTIONS) * (ONE / FRACTIONS)
            place = place if place > np.float32(0) else np.float32(0)
            place = place if place < top else top
            floor = np.floor(place)
            shares[axis, i] = place - floor
            n = np.int64(np.int32(floor)) - first
            offsets[i] = offsets[i] * sizes[axis] + min(max(n, 0), last)


@compiled()
def spline_weights(shares: Any, weights: Any) -> None:
    """Of cubic B-splines: ``(12, CHUNK)``, four taps for each axis."""
    for axis in range(3):
        for i in range(CHUNK):
            f = shares[axis, i]
            g = ONE - f
            weights[4 * axis, i] = g * g * g * SIXTH
            weights[4 * axis + 1, i] = TWO_THIRDS + f * f * (HALF * f - ONE)
            weights[4 * axis + 2, i] = TWO_THIRDS + g * g * (HALF * g - ONE)
            weights[4 * axis + 3, i] = f * f * f * SIXTH
