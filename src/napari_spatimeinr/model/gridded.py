"""Samples of frames on grids by compiled kernels; :mod:`.boxes` is the same in torch."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .boxes import Read, Shape
from .frames import Box, grown
from .places import Places

MOST = 2**24
"""Numbers in a box; grids that need a larger one are sampled in parts."""


def cubic_at(
    kernels: ModuleType, places: Places, shape: Shape, factors: Shape, read: Read
) -> Tensor:
    """Cubic B-spline samples ``(P,)``; see :func:`.boxes.cubic_at`."""
    return _sampled(kernels, places, shape, factors, read, cubic=True)[:, 0]


def linear_at(
    kernels: ModuleType, places: Places, shape: Shape, factors: Shape, read: Read
) -> Tensor:
    """Trilinear samples ``(C, P)``; see :func:`.boxes.linear_at`."""
    return _sampled(kernels, places, shape, factors, read).T


def _sampled(
    kernels: ModuleType,
    places: Places,
    shape: Shape,
    factors: Shape,
    read: Read,
    cubic: bool = False,
) -> Tensor:
    """``(P, C)``."""
    # Linear samples have no neighbours but the nearest.
    box = places.box(factors, shape) if cubic else grown(places.box(factors, shape), -1)
    if math.prod(b - a for a, b in box) > MOST and max(places.sizes) > 1:
        axis, parts = places.halves()
        halves = [
            _sampled(kernels, part, shape, factors, read, cubic).unflatten(0, part.sizes)
            for part in parts
        ]
        return torch.cat(halves, axis).flatten(0, 2)
    values = read(box)
    check(values, box, 4 if cubic else 2)
    where = _where(places, shape, factors, box)
    kernel = kernels.cubic if cubic else kernels.linear
    out = np.empty((values.shape[1], *places.sizes), np.float32)
    for channel, made in zip(values[0], out, strict=True):
        kernel(*where, channel.contiguous().numpy(), made)
    return torch.from_numpy(out).flatten(1).T


def _where(places: Places, shape: Shape, factors: Shape, box: Box) -> tuple[object, ...]:
    """What all kernels take of a grid and a box."""
    positions = [np.ascontiguousarray(p.numpy(), np.float32) for p in places.positions]
    nodes, scale, first = nodes_of(places)
    start = np.array([a for a, _ in box], np.int64)
    known = np.array(scale, np.float32), np.array(factors, np.float32), np.array(shape, np.int64)
    return (*positions, nodes, *known, start, first)


def nodes_of(places: Places) -> tuple[NDArray[np.float32], list[float], int]:
    """Displacements ``(3, z, y, x)`` as kernels take them, one of 0 where nothing moves; nodes per
    voxel along each axis, and the number of the first along z.
    """
    nodes, scale, first = np.zeros((3, 1, 1, 1), np.float32), [0.0, 0.0, 0.0], 0
    if places.displaced is not None and places.motion is not None:
        nodes = np.ascontiguousarray(places.displaced.nodes[0].numpy(), np.float32)
        scale, first = places.motion.per_voxel, places.displaced.first
    if nodes.ndim != 4 or nodes.shape[0] != 3 or nodes.size == 0:
        raise ValueError(f"Displacements have a shape of (3, z, y, x), not {nodes.shape}.")
    return nodes, scale, first


def check(values: Tensor, box: Box, least: int) -> None:
    """A kernel checks nothing."""
    sizes = tuple(b - a for a, b in box)
    if tuple(values.shape[2:]) != sizes or values.dtype != torch.float32 or min(sizes) < least:
        raise ValueError(f"A box of {sizes} voxels came as {tuple(values.shape)}, {values.dtype}.")
