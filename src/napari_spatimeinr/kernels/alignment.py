"""The difference of two frames along trajectories, and its gradient to the nodes of velocity.

Nodes are ``(K, z, y, x, 3)`` here, one set per knot, flat, and everything is float32. Derivatives
are those of linear interpolation: none at the border and beyond it. Each function goes through a
block of points, so that the processor computes several of them at once. Indices are unsigned: what
is signed might count from the end, which takes time to find out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .jit import compiled
from .smoothness import smoothness

__all__ = ["alignment", "smoothness"]

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
U0, U1, U2, U3 = np.uintp(0), np.uintp(1), np.uintp(2), np.uintp(3)
AT_ONCE = 256
"""Points of a block; what is computed of them stays in the fastest cache."""


@compiled()
def _low(x: Any, n: Any) -> Any:
    """The sample below a place, how far it is from there, and 1 inside or 0 where clamped."""
    inside, last = ONE, np.float32(n - 1)
    if not x > ZERO:  # also what is not a number
        x, inside = ZERO, ZERO
    elif x >= last:
        x, inside = last, ZERO
    low = min(int(x), max(n - 2, 0))
    return low, x - np.float32(low), inside


@compiled()
def _cell(shape: Any, z: Any, y: Any, x: Any) -> Any:
    """The first of 8 samples around a place, the ways to the others, how far between, if inside."""
    nz, ny, nx = shape
    iz, fz, gz = _low(z, nz)
    iy, fy, gy = _low(y, ny)
    ix, fx, gx = _low(x, nx)
    dz = ny * nx if nz > 1 else 0
    dy = nx if ny > 1 else 0
    dx = 1 if nx > 1 else 0
    way = np.uintp(dz), np.uintp(dy), np.uintp(dx)
    return np.uintp((iz * ny + iy) * nx + ix), way, (fz, fy, fx), (gz, gy, gx)


@compiled()
def _eight(first: Any, way: Any, stride: Any) -> Any:
    """Indices of the 8 samples of a cell, x fastest."""
    dz, dy, dx = stride * way[0], stride * way[1], stride * way[2]
    other = first + dz
    return (
        (first, first + dx, first + dy, first + dy + dx),
        (other, other + dx, other + dy, other + dy + dx),
    )


@compiled()
def _weights(share: Any) -> Any:
    """Of the 8 samples around a place."""
    fz, fy, fx = share
    ez, ey, ex = ONE - fz, ONE - fy, ONE - fx
    a, b, c, d = ez * ey, ez * fy, fz * ey, fz * fy
    return (a * ex, a * fx, b * ex, b * fx), (c * ex, c * fx, d * ex, d * fx)


@compiled()
def _slope(low: Any, high: Any, share: Any, inside: Any) -> Any:
    """Derivatives along z, y and x of the linear interpolation of 8 values."""
    fz, fy, fx = share
    a, b = low[0] + fx * (low[1] - low[0]), low[2] + fx * (low[3] - low[2])
    c, d = high[0] + fx * (high[1] - high[0]), high[2] + fx * (high[3] - high[2])
    z = c + fy * (d - c) - (a + fy * (b - a))
    y = b - a + fz * (d - c - b + a)
    p = low[1] - low[0] + fy * (low[3] - low[2] - low[1] + low[0])
    q = high[1] - high[0] + fy * (high[3] - high[2] - high[1] + high[0])
    return inside[0] * z, inside[1] * y, inside[2] * (p + fz * (q - p))


@compiled()
def _four(values: Any, at: Any, c: Any, w: Any) -> Any:
    """A weighted sum of four samples, ``c`` further on."""
    low = w[0] * values[at[0] + c] + w[1] * values[at[1] + c]
    return low + (w[2] * values[at[2] + c] + w[3] * values[at[3] + c])


@compiled()
def _read(nodes: Any, first: Any, way: Any, w: Any, part: Any, total: Any) -> Any:
    """A knot's velocity in a cell, a part of it, added to a total."""
    low, high = _eight(first, way, U3)
    a = _four(nodes, low, U0, w[0]) + _four(nodes, high, U0, w[1])
    b = _four(nodes, low, U1, w[0]) + _four(nodes, high, U1, w[1])
    c = _four(nodes, low, U2, w[0]) + _four(nodes, high, U2, w[1])
    return total[0] + part * a, total[1] + part * b, total[2] + part * c


@compiled()
def _move(
    nodes: Any, shape: Any, size: Any, knot: Any, at: Any, start: Any, h: Any, end: Any
) -> None:
    """Move points from ``start`` to ``end`` by velocity times ``h``, read ``at`` places."""
    low, high, share = knot
    one = 3 * shape[0] * shape[1] * shape[2]
    first, second = np.uintp(low * one), np.uintp(high * one)
    for i in range(len(at)):
        cell, way, inner, _ = _cell(
            shape, at[i, 0] * size[0], at[i, 1] * size[1], at[i, 2] * size[2]
        )
        w = _weights(inner)
        v = ZERO, ZERO, ZERO
        if share < ONE:
            v = _read(nodes, first + U3 * cell, way, w, ONE - share, v)
        if share > ZERO:
            v = _read(nodes, second + U3 * cell, way, w, share, v)
        end[i, 0] = start[i, 0] + h * v[0]
        end[i, 1] = start[i, 1] + h * v[1]
        end[i, 2] = start[i, 2] + h * v[2]


@compiled()
def _scatter(out: Any, first: Any, way: Any, w: Any, g: Any) -> None:
    """Add a gradient of velocity to that of the 8 nodes around, of one knot."""
    low, high = _eight(first, way, U3)
    for c in range(3):
        k = np.uintp(c)
        for i in range(4):
            out[low[i] + k] += w[0][i] * g[c]
            out[high[i] + k] += w[1][i] * g[c]


@compiled()
def _along(nodes: Any, at: Any, g: Any) -> Any:
    """Four nodes, each times a vector."""
    a, b, c = g
    p, q, r, s = at
    return (
        a * nodes[p] + b * nodes[p + U1] + c * nodes[p + U2],
        a * nodes[q] + b * nodes[q + U1] + c * nodes[q + U2],
        a * nodes[r] + b * nodes[r + U1] + c * nodes[r + U2],
        a * nodes[s] + b * nodes[s + U1] + c * nodes[s + U2],
    )


@compiled()
def _carry(
    nodes: Any,
    shape: Any,
    size: Any,
    knot: Any,
    at: Any,
    source: Any,
    h: Any,
    g: Any,
    m: Any,
    out: Any,
    base: Any,
    fixed: Any,
) -> None:
    """Carry the gradient ``h`` times ``source`` of velocity ``at`` places back.

    To the nodes, ``out``, whose first knot is ``base``; and to the places, as ``m``, which is added
    to ``g``, unless they are fixed.
    """
    one = 3 * shape[0] * shape[1] * shape[2]
    for i in range(len(at)):
        cell, way, inner, inside = _cell(
            shape, at[i, 0] * size[0], at[i, 1] * size[1], at[i, 2] * size[2]
        )
        w = _weights(inner)
        z = y = x = ZERO
        for k in range(2):
            part, index = (knot[2], knot[1]) if k else (ONE - knot[2], knot[0])
            if part == ZERO:
                continue
            v = part * h * source[i, 0], part * h * source[i, 1], part * h * source[i, 2]
            _scatter(out, np.uintp((index - base) * one) + U3 * cell, way, w, v)
            if not fixed:
                low, high = _eight(np.uintp(index * one) + U3 * cell, way, U3)
                slope = _slope(_along(nodes, low, v), _along(nodes, high, v), inner, inside)
                z, y, x = z + slope[0], y + slope[1], x + slope[2]
        if not fixed:
            m[i, 0], m[i, 1], m[i, 2] = z * size[0], y * size[1], x * size[2]
            g[i, 0] += m[i, 0]
            g[i, 1] += m[i, 1]
            g[i, 2] += m[i, 2]


@compiled()
def _sample(
    frames: Any, first: Any, shape: Any, scale: Any, at: Any, values: Any, slopes: Any
) -> None:
    """A frame at places in source voxels, and its derivatives there."""
    for i in range(len(at)):
        cell, way, inner, inside = _cell(
            shape,
            (at[i, 0] - scale[2, 0]) * scale[1, 0],
            (at[i, 1] - scale[2, 1]) * scale[1, 1],
            (at[i, 2] - scale[2, 2]) * scale[1, 2],
        )
        a, b = _eight(np.uintp(first) + cell, way, U1)
        low = frames[a[0]], frames[a[1]], frames[a[2]], frames[a[3]]
        high = frames[b[0]], frames[b[1]], frames[b[2]], frames[b[3]]
        w = _weights(inner)
        values[i] = _four(frames, a, U0, w[0]) + _four(frames, b, U0, w[1])
        slope = _slope(low, high, inner, inside)
        slopes[i, 0] = slope[0] * scale[1, 0]
        slopes[i, 1] = slope[1] * scale[1, 1]
        slopes[i, 2] = slope[2] * scale[1, 2]


@compiled()
def _charbonnier(values: Any, gradients: Any, n: Any, width: Any, weight: Any) -> float:
    """The sum of the smooth absolute differences; slopes become gradients."""
    total = 0.0
    for i in range(n):
        d = values[0, i] - values[1, i]
        root = np.float32(math.sqrt(d * d + width * width))
        total += root - width
        k = weight * d / root
        for c in range(3):
            gradients[0, i, c] *= k
            gradients[1, i, c] *= -k
    return total


@compiled(
    "float64(float32[::1], UniTuple(int64, 3), float32[::1], UniTuple(int64, 3), int64[:, ::1],"
    " float32[:, :, ::1], int64[:, :, :, ::1], float32[:, :, ::1], float32[:, ::1], int64[::1],"
    " float32[:, ::1], float32, float32, UniTuple(int64, 4), float32[::1])"
)
def alignment(
    nodes: Any,
    grid: Any,
    frames: Any,
    shape: Any,
    pairs: Any,
    points: Any,
    knots: Any,
    shares: Any,
    hs: Any,
    steps: Any,
    scale: Any,
    width: Any,
    weight: Any,
    part: Any,
    out: Any,
) -> float:
    """The sum over points of the Charbonnier difference of two frames where trajectories end.

    Parameters
    ----------
    nodes, grid : velocity, flat, and the numbers of its nodes (z, y, x).
    frames, shape : all of them, flat, and the voxels of one.
    pairs : the two frames of each set of points, ``(B, 2)``.
    points : ``(B, P, 3)`` in source voxels.
    knots, shares : the two knots between which velocity is read and the share of the second, of
        each set, end and half step, ``(B, 2, 2 S, 2)`` and ``(B, 2, 2 S)``.
    hs, steps : frame intervals of a step, ``(B, 2)``, and steps to each end, ``(2,)``.
    scale : nodes per source voxel, voxels of a frame per source voxel, and the place of the first
        voxel in source voxels, ``(3, 3)``.
    width : of the Charbonnier difference.
    weight : of a point in the gradient.
    part : the set, from which and to which point, and the first knot in ``out``.
    out : the gradient is added to it, flat, as many knots as are needed.
    """
    b, begin, stop, base = part
    size = scale[0, 0], scale[0, 1], scale[0, 2]
    places = np.empty((2, 2 * max(steps[0], steps[1]) + 1, AT_ONCE, 3), np.float32)
    values = np.empty((2, AT_ONCE), np.float32)
    gradients = np.empty((2, AT_ONCE, 3), np.float32)
    m = np.empty((AT_ONCE, 3), np.float32)
    voxels = shape[0] * shape[1] * shape[2]
    total = 0.0
    for first in range(begin, stop, AT_ONCE):
        n = min(AT_ONCE, stop - first)
        for e in range(2):
            places[e, 0, :n] = points[b, first : first + n]
            for s in range(2 * steps[e]):
                start, at, end = places[e, s - s % 2], places[e, s], places[e, s + 1]
                knot = knots[b, e, s, 0], knots[b, e, s, 1], shares[b, e, s]
                h = hs[b, e] if s % 2 else HALF * hs[b, e]
                _move(nodes, grid, size, knot, at[:n], start, h, end)
            at = places[e, 2 * steps[e], :n]
            _sample(frames, voxels * pairs[b, e], shape, scale, at, values[e], gradients[e])
        total += _charbonnier(values, gradients, n, width, weight)
        for e in range(2):
            g = gradients[e]
            for s in range(2 * steps[e] - 1, -1, -1):
                knot = knots[b, e, s, 0], knots[b, e, s, 1], shares[b, e, s]
                source, h = (g, hs[b, e]) if s % 2 else (m, HALF * hs[b, e])
                at = places[e, s, :n]
                _carry(nodes, grid, size, knot, at, source, h, g, m, out, base, s == 0)
    return total
