"""Samples of frames on regular grids that motion displaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .vectors import mixed4, taps64

CHUNK = 64
"""Points that go through each step together, always: what is left over is computed too and thrown
away."""
FRACTIONS = np.float32(2.0**16)
"""Places that are told apart along a voxel."""
ONE, SIX = np.float32(1), np.float32(6)
THREE, FOUR = np.float32(3), np.float32(4)

GRID = "f4[::1], f4[::1], f4[::1], f4[:,:,:,::1], f4[::1], f4[::1], i8[::1], i8[::1]"


@compiled()
def _between(at: Any, first: int, count: int) -> Any:
    """Number, counted from ``first``, and share of the node before a place."""
    inside: Any = at if at > np.float32(0) else np.float32(0)
    low: Any = min(max(np.int64(inside) - first, 0), max(count - 2, 0))
    # Not the place counted from the first node: the difference would be rounded by where that is.
    share = inside - np.float32(first + low)
    return low, (share if share < ONE else ONE) if count > 1 else np.float32(0)


@compiled()
def _line(z: Any, y: Any, nodes: Any, scale: Any, first: int, ends: Any, line: Any) -> None:
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
def _columns(x: Any, nodes: Any, scale: Any) -> Any:
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
def _placed(
    at: int,
    z: Any,
    y: Any,
    columns: Any,
    line: Any,
    factors: Any,
    shape: Any,
    start: Any,
    box: Any,
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
    x, before, after, along, _ = columns
    for i in range(CHUNK):
        offsets[i] = 0
    for axis in range(3):
        top = np.float32(shape[axis] - 1)
        size = box.shape[axis]
        base = z if axis == 0 else y
        for i in range(CHUNK):
            a, b = line[axis, before[at + i]], line[axis, after[at + i]]
            moved = a + (b - a) * along[at + i]
            place = (base + moved if axis < 2 else x[at + i] + moved) * factors[axis]
            place = np.rint(place * FRACTIONS) * (ONE / FRACTIONS)
            place = place if place > np.float32(0) else np.float32(0)
            place = place if place < top else top
            floor = np.floor(place)
            shares[axis, i] = place - floor
            n = np.int64(np.int32(floor)) - start[axis] - reach
            n = min(max(n, 0), size - 2 - 2 * reach)
            offsets[i] = offsets[i] * size + n


@compiled()
def _weights(shares: Any, weights: Any) -> None:
    """Of cubic B-splines: ``(12, CHUNK)``, four taps for each axis."""
    for axis in range(3):
        for i in range(CHUNK):
            f = shares[axis, i]
            g = ONE - f
            weights[4 * axis, i] = g * g * g / SIX
            weights[4 * axis + 1, i] = (FOUR - SIX * f * f + THREE * f * f * f) / SIX
            weights[4 * axis + 2, i] = (FOUR - SIX * g * g + THREE * g * g * g) / SIX
            weights[4 * axis + 3, i] = f * f * f / SIX


@compiled(f"void({GRID}, i8, f4[:,:,::1], f4[:,:,:])")
def cubic(
    z: Any,
    y: Any,
    x: Any,
    nodes: Any,
    scale: Any,
    factors: Any,
    shape: Any,
    start: Any,
    first: int,
    box: Any,
    out: Any,
) -> None:
    """Cubic B-spline samples of a box of coefficients.

    Parameters
    ----------
    z, y, x : places of planes, lines and columns, in voxels of the source.
    nodes : displacements ``(3, z, y, x)`` in these voxels, ``scale`` nodes per voxel along each
        axis; ``first`` is the number of the first along z.
    factors : finer voxels per voxel, along each axis.
    shape : finer voxels of the frame.
    start : the first voxel of the box, ``(z, y, x)``.
    box : coefficients, at least four along each axis.
    out : ``(z, y, x)``.
    """
    columns = _columns(x, nodes, scale)
    line = np.zeros((3, nodes.shape[3]), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    weights, values = np.empty((12, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    flat, known = box.reshape(-1), weights.reshape(-1)
    down, deep = box.shape[2], box.shape[1] * box.shape[2]
    for i in range(z.size):
        for j in range(y.size):
            _line(z[i], y[j], nodes, scale, first, columns[4], line)
            for at in range(0, columns[0].size, CHUNK):
                _placed(
                    at, z[i], y[j], columns, line, factors, shape, start, box, 1, offsets, shares
                )
                _weights(shares, weights)
                for k in range(CHUNK):
                    values[k] = taps64(flat, offsets[k], deep, down, known, k, CHUNK)
                for k in range(min(CHUNK, x.size - at)):
                    out[i, j, at + k] = values[k]


@compiled(f"void({GRID}, i8, f4[:,:,::1], f4[:,:,:])")
def linear(
    z: Any,
    y: Any,
    x: Any,
    nodes: Any,
    scale: Any,
    factors: Any,
    shape: Any,
    start: Any,
    first: int,
    box: Any,
    out: Any,
) -> None:
    """Trilinear samples of a box of values, at least two along each axis; see :func:`cubic`."""
    columns = _columns(x, nodes, scale)
    line = np.zeros((3, nodes.shape[3]), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    values = np.empty(CHUNK, np.float32)
    flat = box.reshape(-1)
    down, deep = box.shape[2], box.shape[1] * box.shape[2]
    for i in range(z.size):
        for j in range(y.size):
            _line(z[i], y[j], nodes, scale, first, columns[4], line)
            for at in range(0, columns[0].size, CHUNK):
                _placed(
                    at, z[i], y[j], columns, line, factors, shape, start, box, 0, offsets, shares
                )
                for k in range(CHUNK):
                    o, w, v, u = offsets[k], shares[0, k], shares[1, k], shares[2, k]
                    a = flat[o] + (flat[o + 1] - flat[o]) * u
                    o += down
                    b = flat[o] + (flat[o + 1] - flat[o]) * u
                    o += deep - down
                    c = flat[o] + (flat[o + 1] - flat[o]) * u
                    o += down
                    d = flat[o] + (flat[o + 1] - flat[o]) * u
                    a, c = a + (b - a) * v, c + (d - c) * v
                    values[k] = a + (c - a) * w
                for k in range(min(CHUNK, x.size - at)):
                    out[i, j, at + k] = values[k]


@compiled(f"void({GRID}, i8, f4[:,:,:,::1], f4[:,:,:,::1])")
def features(
    z: Any,
    y: Any,
    x: Any,
    nodes: Any,
    scale: Any,
    factors: Any,
    shape: Any,
    start: Any,
    first: int,
    box: Any,
    out: Any,
) -> None:
    """Trilinear samples of several channels, a multiple of four that lies side by side in ``box``
    ``(z, y, x, C)`` and ``out`` ``(z, y, x, C)``; see :func:`cubic`.
    """
    columns = _columns(x, nodes, scale)
    line = np.zeros((3, nodes.shape[3]), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    flat, known, made = box.reshape(-1), shares.reshape(-1), out.reshape(-1)
    count = box.shape[3]
    steps = box.shape[1] * box.shape[2] * count, box.shape[2] * count, count
    for i in range(z.size):
        for j in range(y.size):
            _line(z[i], y[j], nodes, scale, first, columns[4], line)
            row = (i * y.size + j) * x.size * count
            for at in range(0, columns[0].size, CHUNK):
                _placed(
                    at, z[i], y[j], columns, line, factors, shape, start, box, 0, offsets, shares
                )
                for k in range(min(CHUNK, x.size - at)):
                    for c in range(0, count, 4):
                        mixed4(
                            flat,
                            offsets[k] * count + c,
                            steps,
                            known,
                            k,
                            CHUNK,
                            made,
                            row + (at + k) * count + c,
                        )
