"""Samples of frames on regular grids that motion displaces."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .neighbours import taps64
from .placing import CHUNK, columns_of, displaced_line, followed, located, spline_weights

GRID = "f4[::1], f4[::1], f4[::1], f4[:,:,:,::1], f4[::1], f4[::1], i8[::1], i8[::1]"


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
    columns = columns_of(x, nodes, scale)
    line = np.zeros((3, nodes.shape[3]), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    places = np.empty((3, CHUNK), np.float32)
    weights, values = np.empty((12, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    flat, known = box.reshape(-1), weights.reshape(-1)
    down, deep = box.shape[2], box.shape[1] * box.shape[2]
    for i in range(z.size):
        for j in range(y.size):
            displaced_line(z[i], y[j], nodes, scale, first, columns[4], line)
            for at in range(0, columns[0].size, CHUNK):
                followed(at, z[i], y[j], columns, line, places)
                located(places, factors, shape, start, box.shape, 1, offsets, shares)
                spline_weights(shares, weights)
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
    columns = columns_of(x, nodes, scale)
    line = np.zeros((3, nodes.shape[3]), np.float32)
    offsets, shares = np.empty(CHUNK, np.int64), np.empty((3, CHUNK), np.float32)
    places = np.empty((3, CHUNK), np.float32)
    values = np.empty(CHUNK, np.float32)
    flat = box.reshape(-1)
    down, deep = box.shape[2], box.shape[1] * box.shape[2]
    for i in range(z.size):
        for j in range(y.size):
            displaced_line(z[i], y[j], nodes, scale, first, columns[4], line)
            for at in range(0, columns[0].size, CHUNK):
                followed(at, z[i], y[j], columns, line, places)
                located(places, factors, shape, start, box.shape, 0, offsets, shares)
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
