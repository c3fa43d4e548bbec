"""Samples of a box cut out of a frame, with the same bits whatever box the points were asked for with.

``torch``'s ``grid_sample`` takes places scaled to [-1, 1], and scaling rounds differently for every size. Here
places are whole multiples of 2^-16 of a voxel and boxes (seem to be) one more than a power of two voxels long, at most
257: then nothing is rounded on the way. Everything else is done by operations that round each number on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .frames import Box
from .network import needed_box
from .sampling import POINTS_AT_ONCE

FRACTIONS = 2.0**16
"""Places that are told apart along a voxel."""
MOST = 256
"""Voxels between the ends of a box."""

Sampler = Callable[[Tensor, Box], Tensor]


def whole_fractions(points: Tensor) -> Tensor:
    """The nearest places that are told apart."""
    return (points * FRACTIONS).round() / FRACTIONS


def in_boxes(points: Tensor, shape: tuple[int, int, int], sampled: Sampler) -> Tensor:
    """``sampled(points, box)`` of points ``(1, P, 3)`` in a frame, ``(..., P)``; in parts where their box is too large."""
    points, box = needed_box(whole_fractions(points), shape)
    count = points.shape[1]
    if count > 1 and max(b - a for a, b in box) > MOST:
        parts = points[:, : count // 2], points[:, count // 2 :]
        return torch.cat([in_boxes(some, shape, sampled) for some in parts], -1)
    return sampled(points, box)


def linear_in(values: Tensor, points: Tensor, box: Box) -> Tensor:
    """Trilinear samples ``(C, P)`` of the values ``(1, C, z, y, x)`` of a box."""
    return _sampled(_powers(values), points - points.new_tensor([a for a, _ in box]))


def cubic_in(coefficients: Tensor, points: Tensor, box: Box) -> Tensor:
    """Cubic B-spline samples ``(P,)`` of the coefficients ``(1, 1, z, y, x)`` of a box; see :func:`.sampling.cubic`."""
    start = points.new_tensor([a for a, _ in box])
    volume = _powers(coefficients)
    return torch.cat([_cubic(volume, some, start) for some in points.split(POINTS_AT_ONCE, 1)])


def _cubic(volume: Tensor, points: Tensor, start: Tensor) -> Tensor:
    base = points.floor()
    f = points - base
    low_weight = (1 - f) ** 3 / 6 + (4 - 6 * f**2 + 3 * f**3) / 6
    first = base - start - 1
    places = (
        first + whole_fractions((4 - 6 * f**2 + 3 * f**3) / 6 / low_weight),
        first + 2 + whole_fractions(f**3 / 6 / (1 - low_weight)),
    )
    axes = [place.unbind(-1) for place in places]
    weights = [weight[0].unbind(-1) for weight in (low_weight, 1 - low_weight)]
    total: Tensor | None = None
    for i, j in itertools.product((0, 1), repeat=2):
        lateral = weights[i][1] * weights[j][2]
        for k in (0, 1):
            at = torch.stack([axes[k][0], axes[i][1], axes[j][2]], -1)
            term = _sampled(volume, at)[0] * (lateral * weights[k][0])
            total = term if total is None else total + term
    assert total is not None
    return total


def _powers(values: Tensor) -> Tensor:
    """Values ``(1, C, z, y, x)`` as a view whose sizes are one more than powers of two; what is added is never looked at."""
    values = values.contiguous()
    sizes = [2 ** max(1, (n - 2).bit_length()) + 1 for n in values.shape[2:]]
    shape = (1, values.shape[1], *sizes)
    last = sum((n - 1) * stride for n, stride in zip(shape, values.stride(), strict=True))
    storage = F.pad(values.reshape(-1), (0, max(0, last + 1 - values.numel())))
    view = storage.as_strided(shape, values.stride())
    # Rows overlap in this view, which not every device is trusted with.
    return view if view.device.type in ("cpu", "cuda") else view.contiguous()


def _sampled(volume: Tensor, points: Tensor) -> Tensor:
    """``(C, P)`` at points ``(1, P, 3)`` counted from the first voxel of a volume as :func:`_powers` makes it."""
    half = points.new_tensor([(n - 1) / 2 for n in volume.shape[2:]])
    grid = (points / half - 1).flip(-1)
    # torch spreads this call over threads along the batch alone, so a lone batch is cut in pieces.
    count = grid.shape[1]
    parts = torch.get_num_threads() if count >= 4096 and not grid.is_cuda else 1
    grid = F.pad(grid, (0, 0, 0, -count % parts)).reshape(parts, 1, 1, -1, 3)
    values = volume.expand(parts, -1, -1, -1, -1)
    out = F.grid_sample(values, grid, padding_mode="border", align_corners=True)[:, :, 0, 0]
    return out.permute(1, 0, 2).reshape(volume.shape[1], -1)[:, :count]
