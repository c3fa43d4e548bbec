"""Sampling volumes at points: linear and cubic B-spline kernels, and matrices along axes.

Points are ``(B, P, 3)`` in ``(z, y, x)`` voxel indices of the sampled volume, 0 at the centre of
the first voxel. What is separable is done as one matrix product per axis, which runs at the speed
of the machine's matrix multiplication and has exact gradients.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.orders import to_torch_grid

POLE = math.sqrt(3.0) - 2.0
"""Pole of the cubic B-spline prefilter (Unser, Aldroubi and Eden 1993, 'B-spline signal
processing')."""
PREFILTER_REACH = 7
"""Voxels on each side that the truncated prefilter sees; the rest is 1e-4 of a voxel's contrast."""

POINTS_AT_ONCE = 32_768
"""Points sampled at once when nothing is learned: what is computed on the way stays in the
processor's cache."""


def along_axes(volume: Tensor, matrices: Sequence[Tensor | None]) -> Tensor:
    """Multiply each spatial axis of ``(B, C, Z, Y, X)`` by its matrix ``(new, old)``; None leaves
    it.
    """
    z, y, x = matrices
    out = volume
    if z is not None:
        out = torch.matmul(z, out.flatten(3)).unflatten(3, out.shape[3:])
    if y is not None:
        out = torch.matmul(y, out)
    if x is not None:
        out = torch.matmul(out, x.T)
    return out


def interpolation_matrix(positions: Tensor, n: int) -> Tensor:
    """Linear interpolation along one axis: ``(P, n)`` for positions ``(P,)``, clamped to [0, n -
    1].
    """
    x = positions.clamp(0, max(n - 1, 0))
    low = x.floor().long().clamp(max=max(n - 2, 0))
    f = x - low
    out = torch.zeros(len(x), n, dtype=positions.dtype, device=positions.device)
    rows = torch.arange(len(x), device=positions.device)
    out[rows, low] = 1 - f
    if n > 1:
        out[rows, low + 1] += f
    return out


def resample(volume: Tensor, positions: Sequence[Tensor]) -> Tensor:
    """Linear samples of ``(B, C, Z, Y, X)`` on the regular grid of per-axis index positions."""
    shape = volume.shape[2:]
    return along_axes(
        volume,
        [
            interpolation_matrix(p.to(volume.dtype), n)
            for p, n in zip(positions, shape, strict=True)
        ],
    )


def mirrored(index: Tensor, n: int) -> Tensor:
    """Indices of any size folded into [0, n - 1] by reflection about the outer voxel centres."""
    if n == 1:
        return torch.zeros_like(index)
    index = index.remainder(2 * n - 2)
    return torch.where(index >= n, 2 * n - 2 - index, index)


def _smoothing_matrix(n: int, sigma: float, like: Tensor) -> Tensor | None:
    if sigma <= 0 or n == 1:
        return None
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2).to(like.dtype)
    rows = torch.arange(n, device=like.device)[:, None].expand(-1, len(kernel))
    columns = mirrored(rows + offsets, n)
    matrix = torch.zeros(n, n, device=like.device, dtype=like.dtype)
    return matrix.index_put_(
        (rows, columns), (kernel / kernel.sum()).expand(n, -1), accumulate=True
    )


def gaussian(volume: Tensor, sigma: Sequence[float], cut: int = 0) -> Tensor:
    """Gaussian smoothing of ``(B, C, Z, Y, X)``, sigma in voxels (z, y, x), borders mirrored;
    without the outer ``cut`` voxels on every side.
    """
    matrices = [
        _smoothing_matrix(n, s, volume) for n, s in zip(volume.shape[2:], sigma, strict=True)
    ]
    out = along_axes(volume, [None if m is None else m[cut : len(m) - cut] for m in matrices])
    for axis, matrix in enumerate(matrices):
        if matrix is None:
            out = out.narrow(2 + axis, cut, volume.shape[2 + axis] - 2 * cut)
    return out


def prefilter_matrix(n: int, reach: int, like: Tensor) -> Tensor:
    """Samples of an axis to its cubic B-spline coefficients, ``reach`` fewer on each side: ``(n - 2
    reach, n)``.
    """
    # In float64 on the CPU: not every device has it.
    exact = POLE ** torch.arange(-reach, reach + 1).abs().to(torch.float64)
    taps = (exact / exact.sum()).to(like.dtype).to(like.device)
    out = n - 2 * reach
    rows = torch.arange(out, device=like.device)[:, None].expand(-1, len(taps))
    columns = rows + torch.arange(len(taps), device=like.device)
    matrix = torch.zeros(out, n, device=like.device, dtype=like.dtype)
    return matrix.index_put_((rows, columns), taps.expand(out, -1))


def prefilter(volume: Tensor, reach: int = PREFILTER_REACH) -> Tensor:
    """Cubic B-spline coefficients of ``(B, C, Z, Y, X)``, ``reach`` voxels smaller on every side.

    The recursive filter's response ``6 p / (p^2 - 1) p^|k|`` is cut and scaled to sum to one: a
    constant stays constant, and what a voxel gets does not depend on the block it is computed in.
    """
    return along_axes(volume, [prefilter_matrix(n, reach, volume) for n in volume.shape[2:]])


def cubic_matrix(positions: Tensor, n: int) -> Tensor:
    """Cubic B-spline coefficients of an axis to values: ``(P, n)`` for positions ``(P,)`` in [1, n
    - 2].
    """
    base = positions.floor().clamp(1, n - 3)
    f = positions - base
    weights = (
        torch.stack(
            [(1 - f) ** 3, 4 - 6 * f**2 + 3 * f**3, 1 + 3 * f + 3 * f**2 - 3 * f**3, f**3], -1
        )
        / 6
    )
    columns = base.long()[:, None] + torch.arange(-1, 3, device=positions.device)
    return torch.zeros(len(positions), n, dtype=positions.dtype, device=positions.device).scatter_(
        1, columns, weights
    )


def linear(volume: Tensor, points: Tensor) -> Tensor:
    """Trilinear samples: ``(B, C, Z, Y, X)`` at ``(B, P, 3)`` gives ``(B, C, P)``; the border is
    repeated.
    """
    return _grid_sample(
        volume,
        to_torch_grid(points, (volume.shape[2], volume.shape[3], volume.shape[4])).to(volume.dtype),
    )


def _grid_sample(volume: Tensor, grid: Tensor) -> Tensor:
    # torch spreads this call over threads along the batch alone, so a lone batch is cut in pieces.
    batch, count = grid.shape[:2]
    parts = torch.get_num_threads() if batch == 1 and count >= 4096 and not grid.is_cuda else 1
    if parts > 1 and not volume.requires_grad:
        missing = -count % parts
        whole = torch.cat([grid, grid[:, :missing]], 1) if missing else grid
        pieces = whole.reshape(parts, 1, 1, -1, 3)
        out = F.grid_sample(
            volume.expand(parts, -1, -1, -1, -1), pieces, padding_mode="border", align_corners=True
        )
        return out[:, :, 0, 0].permute(1, 0, 2).reshape(1, volume.shape[1], -1)[:, :, :count]
    return F.grid_sample(volume, grid[:, None, None], padding_mode="border", align_corners=True)[
        :, :, 0, 0
    ]


def cubic(coefficients: Tensor, points: Tensor) -> Tensor:
    """Cubic B-spline samples of coefficients ``(B, 1, Z, Y, X)`` at ``(B, P, 3)``: ``(B, P)``.

    The points must lie at least one voxel inside the coefficients. The 64 weights are gathered as 8
    trilinear samples at shifted places (Sigg and Hadwiger 2005, 'Fast third-order texture
    filtering').
    """
    if points.shape[1] > POINTS_AT_ONCE and not torch.is_grad_enabled():
        return torch.cat([cubic(coefficients, some) for some in points.split(POINTS_AT_ONCE, 1)], 1)
    base = points.floor()
    f = points - base
    left = (1 - f) ** 3 / 6
    next_to_left = (4 - 6 * f**2 + 3 * f**3) / 6
    right = f**3 / 6
    low_weight = left + next_to_left
    shape = coefficients.shape[2], coefficients.shape[3], coefficients.shape[4]
    places = (base - 1 + next_to_left / low_weight, base + 1 + right / (1 - low_weight))
    grids = [to_torch_grid(place, shape).to(coefficients.dtype).unbind(-1) for place in places]
    weights = [weight.unbind(-1) for weight in (low_weight, 1 - low_weight)]
    total: Tensor | None = None
    for i, j in itertools.product((0, 1), repeat=2):
        lateral = weights[i][1] * weights[j][2]
        for k in (0, 1):
            at = torch.stack([grids[j][0], grids[i][1], grids[k][2]], -1)
            term = _grid_sample(coefficients, at)[:, 0] * (lateral * weights[k][0])
            total = term if total is None else total + term
    assert total is not None
    return total
