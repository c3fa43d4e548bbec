"""The gradient of the smoothness of velocity, and of everything else that was computed in parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled


@compiled()
def _pull(out: Any, weight: Any, here: Any, there: Any) -> None:
    """Add the gradient of the squared difference of two rows of nodes."""
    for i in range(len(out)):
        out[i] += weight[i] * (here[i] - there[i])


@compiled()
def _add(out: Any, more: Any) -> None:
    """Add a row to another."""
    for i in range(len(out)):
        out[i] += more[i]


@compiled()
def _add_product(out: Any, a: Any, b: Any) -> None:
    """Add the product of two rows to a third."""
    for i in range(len(out)):
        out[i] += a[i] * b[i]


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
    plane = ny * row
    ways = nz * plane, plane, row
    for z in range(nz):
        for y in range(ny):
            inner = z * plane + y * row
            at = k * nz * plane + inner
            here = nodes[at : at + row]
            gradient[:] = 0
            for axis, (index, n) in enumerate(((k, count), (z, nz), (y, ny))):
                way = ways[axis]
                if index > 0:
                    _pull(gradient, wide[axis], here, nodes[at - way : at - way + row])
                if index < n - 1:
                    _pull(gradient, wide[axis], here, nodes[at + way : at + way + row])
            _pull(gradient[3:], wide[3], here[3:], here[: row - 3])
            _pull(gradient[: row - 3], wide[3], here[: row - 3], here[3:])
            # What is a sum of squares is half of its gradient times where it is.
            _add_product(products, gradient, here)
            for p in range(len(parts)):
                if held[p, 0] <= k < held[p, 1]:
                    _add(gradient, parts[p, k - held[p, 0], inner : inner + row])
            for c in range(3):
                line = out[k, c, z, y]
                for x in range(nx):
                    line[x] = gradient[3 * x + c]
    total = 0.0
    for i in range(row):
        total += products[i]
    return total / 2
