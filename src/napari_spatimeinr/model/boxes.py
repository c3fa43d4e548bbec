"""Samples of a box cut out of a frame, with the same bits whatever box the points were asked for
with.

``torch``'s ``grid_sample`` takes places scaled to [-1, 1], and scaling rounds differently for every
size. Here places are whole multiples of 2^-16 of a voxel and boxes (seem to be) one more than a
power of two voxels long, at most 257: then nothing is rounded on the way. Everything else is done
by operations that round each number on its own. Only a CPU is promised that: where calls are what
costs, boxes are as large as they come.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..compute.device import takes_much
from .frames import Box
from .network import needed_box
from .places import Places
from .sampling import POINTS_AT_ONCE

FRACTIONS = 2.0**16
"""Places that are told apart along a voxel."""
MOST = 256
"""Voxels between the ends of a box."""

Sampler = Callable[[Tensor, Box], Tensor]
Shape = tuple[int, int, int]
Read = Callable[[Box], Tensor]
"""What gives the numbers ``(1, C, z, y, x)`` of a box."""


def cubic_at(places: Places, shape: Shape, factors: Shape, read: Read) -> Tensor:
    """Cubic B-spline samples ``(P,)`` of a frame at places.

    Parameters
    ----------
    places : in source voxels.
    shape : finer voxels (z, y, x) of the frame, ``factors`` of them per voxel along each axis.
    read : gives the coefficients of a box of finer voxels.
    """
    points = places.points()
    scaled = points * points.new_tensor(factors)
    return in_boxes(scaled, shape, lambda some, box: cubic_in(read(box), some, box))


def linear_at(places: Places, shape: Shape, factors: Shape, read: Read) -> Tensor:
    """Trilinear samples ``(C, P)`` of a frame at places; see :func:`cubic_at`."""
    points = places.points()
    scaled = points * points.new_tensor(factors)
    return in_boxes(scaled, shape, lambda some, box: linear_in(read(box), some, box))


def whole_fractions(points: Tensor) -> Tensor:
    """The nearest places that are told apart."""
    return (points * FRACTIONS).round_().div_(FRACTIONS)


def in_boxes(points: Tensor, shape: tuple[int, int, int], sampled: Sampler) -> Tensor:
    """``sampled(points, box)`` of points ``(1, P, 3)`` in a frame, ``(..., P)``; in parts where
    their box is too large.
    """
    points, box = needed_box(whole_fractions(points), shape)
    count = points.shape[1]
    if count > 1 and max(b - a for a, b in box) > MOST and not takes_much(points.device):
        parts = points[:, : count // 2], points[:, count // 2 :]
        return torch.cat([in_boxes(some, shape, sampled) for some in parts], -1)
    return sampled(points, box)


def linear_in(values: Tensor, points: Tensor, box: Box) -> Tensor:
    """Trilinear samples ``(C, P)`` of the values ``(1, C, z, y, x)`` of a box."""
    volume = _powers(values)
    z, y, x = _scaled(points[0] - points.new_tensor([a for a, _ in box]), volume)
    return _sampled(volume, torch.stack([x, y, z], -1))


def cubic_in(coefficients: Tensor, points: Tensor, box: Box) -> Tensor:
    """Cubic B-spline samples ``(P,)`` of the coefficients ``(1, 1, z, y, x)`` of a box; see
    :func:`.sampling.cubic`.
    """
    start = points.new_tensor([a for a, _ in box])
    volume = _powers(coefficients)
    at_once = len(points[0]) if takes_much(points.device) else POINTS_AT_ONCE
    return torch.cat([_cubic(volume, some, start) for some in points[0].split(at_once)])


def _cubic(volume: Tensor, points: Tensor, start: Tensor) -> Tensor:
    base = points.floor()
    f = points - base
    next_to_left, right = (4 - 6 * f**2 + 3 * f**3) / 6, f**3 / 6
    low_weight = (1 - f) ** 3 / 6 + next_to_left
    high_weight = 1 - low_weight
    first = base - start - 1
    low = _scaled(first + whole_fractions(next_to_left / low_weight), volume)
    high = _scaled(first + 2 + whole_fractions(right / high_weight), volume)
    places = tuple(zip(low, high, strict=True))
    weights = tuple(zip(low_weight.unbind(-1), high_weight.unbind(-1), strict=True))
    total: Tensor | None = None
    for i, j in itertools.product((0, 1), repeat=2):
        lateral = weights[1][i] * weights[2][j]
        for k in (0, 1):
            grid = torch.stack([places[2][j], places[1][i], places[0][k]], -1)
            term = _sampled(volume, grid)[0].mul_(lateral * weights[0][k])
            total = term if total is None else total.add_(term)
    assert total is not None
    return total


def _powers(values: Tensor) -> Tensor:
    """Values ``(1, C, z, y, x)`` as a view whose sizes are one more than powers of two; what is
    added is never looked at.
    """
    values = values.contiguous()
    sizes = [2 ** max(1, (n - 2).bit_length()) + 1 for n in values.shape[2:]]
    shape = (1, values.shape[1], *sizes)
    last = sum((n - 1) * stride for n, stride in zip(shape, values.stride(), strict=True))
    storage = F.pad(values.reshape(-1), (0, max(0, last + 1 - values.numel())))
    view = storage.as_strided(shape, values.stride())
    # Rows overlap in this view, which not every device is trusted with.
    return view if view.device.type in ("cpu", "cuda") else view.contiguous()


def _scaled(points: Tensor, volume: Tensor) -> tuple[Tensor, ...]:
    """Points ``(..., 3)`` counted from the first voxel, in the units of ``grid_sample``: ``(...)``
    for each axis.
    """
    half = points.new_tensor([(n - 1) / 2 for n in volume.shape[2:]])
    return (points / half).sub_(1).unbind(-1)


def _sampled(volume: Tensor, grid: Tensor) -> Tensor:
    """``(C, P)`` at scaled points ``(P, 3)``, (x, y, z), of a volume as :func:`_powers`
    makes it.
    """
    # torch spreads this call over threads along the batch alone, so a lone batch is cut in pieces.
    count = grid.shape[0]
    parts = torch.get_num_threads() if count >= 4096 and not grid.is_cuda else 1
    missing = -count % parts
    grid = (F.pad(grid, (0, 0, 0, missing)) if missing else grid).reshape(parts, 1, 1, -1, 3)
    values = volume.expand(parts, -1, -1, -1, -1)
    out = F.grid_sample(values, grid, padding_mode="border", align_corners=True)[:, :, 0, 0]
    return out.permute(1, 0, 2).reshape(volume.shape[1], -1)[:, :count]
