"""The gradient of the smoothness of velocity, and of everything else that was computed in parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled


@compiled()
def _pull(out: Any, weight: Any, nodes: Any, here: Any, there: Any) -> None:
    """Add the gradient of the squared difference of two rows of nodes."""
    for i in range(len(out)):
        out[i] += weight[i] * (nodes[here + i] - nodes[there + i])


@compiled(
    "float64(float32[::1], UniTuple(int64, 4), int64, float32[:, ::1], float32[:, :, ::1],"
    " int64[:, ::1], float32[:, :, :, :, ::1])"
)
def smoothness(
    nodes: Any, shape: Any, k: Any, weights: Any, parts: Any, held: Any, out: Any
) -> float:
    """The gradient of one knot; returns its share of the value of the smoothness.

    Parameters
    ----------
    nodes, shape : velocity ``(K, z, y, x, 3)``, flat, and these numbers but the last.
    k : the knot.
    weights : twice those of the squared differences of neighbours in time, along z, y and x, of
        each component, ``(4, 3)``.
    parts : gradients computed in parts, ``(N, most, z * y * x * 3)``.
    held : the first knot of each and the one after its last, ``(N, 2)``.
    out : the whole gradient, ``(K, 3, z, y, x)``.
    """
    count, nz, ny, nx = shape
    row = 3 * nx
    wide = np.empty((4, row), np.float32)
    for i in range(row):
        wide[:, i] = weights[:, i % 3]
    gradient = np.empty(row, np.float32)
    products = np.zeros(row, np.float32)
    ways = (count, row * ny * nz), (nz, row * ny), (ny, row)
    for z in range(nz):
        for y in range(ny):
            inner = (z * ny + y) * row
            at = k * nz * ny * row + inner
            gradient[:] = 0
            for axis in range(3):
                n, way = ways[axis]
                index = k if axis == 0 else z if axis == 1 else y
                if index > 0:
                    _pull(gradient, wide[axis], nodes, at, at - way)
                if index < n - 1:
                    _pull(gradient, wide[axis], nodes, at, at + way)
            _pull(gradient[3:], wide[3], nodes, at + 3, at)
            _pull(gradient[: row - 3], wide[3], nodes, at, at + 3)
            # What is a sum of squares is half of its gradient times where it is.
            for i in range(row):
                products[i] += gradient[i] * nodes[at + i]
            for p in range(len(parts)):
                if held[p, 0] <= k < held[p, 1]:
                    gradient += parts[p, k - held[p, 0], inner : inner + row]
            for x in range(nx):
                for c in range(3):
                    out[k, c, z, y, x] = gradient[3 * x + c]
    total = 0.0
    for i in range(row):
        total += products[i]
    return total / 2
