"""A first velocity, coarse to fine: local least squares on smoothed frames.

Pairs of neighbouring frames are both warped half way (a symmetric form of Lucas and Kanade 1981, in
the pyramid of Bouguet 2001), so the displacement found is the velocity in the middle of the
interval.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .sampling import gaussian, linear, resample

MOST_VOXELS = 1_500_000
"""Dense updates run on levels of at most this many voxels in all frames."""
VOXELS_AT_ONCE = 300_000


def pyramid(frames: Tensor, spacing: tuple[float, float, float], levels: int) -> list[Tensor]:
    """Frames ``(T, 1, Z, Y, X)`` at falling resolution, finest first, kept near isotropic."""
    out = [frames]
    current = list(spacing)
    for _ in range(levels - 1):
        shape = out[-1].shape[2:]
        finest = (
            min(s for s, n in zip(current, shape, strict=True) if n > 1) if max(shape) > 1 else 1.0
        )
        factors = [
            2 if n >= 10 and s < 2 * finest else 1 for s, n in zip(current, shape, strict=True)
        ]
        if max(factors) == 1:
            break
        sigma = [0.8 if f == 2 else 0.0 for f in factors]
        smooth = gaussian(out[-1], sigma)
        out.append(F.avg_pool3d(smooth, tuple(factors), ceil_mode=True, count_include_pad=False))
        current = [s * f for s, f in zip(current, factors, strict=True)]
    return out


def _centres(n: int, m: int, like: Tensor) -> Tensor:
    """Index positions in an axis of n samples of the m samples of another grid over the same
    extent.
    """
    return ((torch.arange(m, device=like.device, dtype=like.dtype) + 0.5) * (n / m) - 0.5).clamp(
        0, n - 1
    )


def to_grid(velocity: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Velocities ``(K, 3, z, y, x)`` on another grid over the same extent, in its voxels."""
    old = velocity.shape[2:]
    positions = [_centres(n, m, velocity) for n, m in zip(old, shape, strict=True)]
    ratio = velocity.new_tensor([m / n for n, m in zip(old, shape, strict=True)])
    return resample(velocity, positions) * ratio.view(1, 3, 1, 1, 1)


def start_velocity(levels: list[Tensor], warps: int, window: float = 2.0) -> Tensor:
    """Displacement per interval between neighbouring frames.

    Parameters
    ----------
    levels : pyramid, finest first, each ``(T, 1, z, y, x)``.
    warps : updates on each level.
    window : standard deviation of the least-squares window, voxels of each level.

    Returns
    -------
    ``(T - 1, 3, z, y, x)`` in voxels of the finest level but computed on the coarser ``z, y, x`` of
    the first level that has at most ``MOST_VOXELS`` in all frames, half resolution at best.
    """
    pairs = len(levels[0]) - 1
    last = min(1, len(levels) - 1)
    while last < len(levels) - 1 and levels[last].numel() > MOST_VOXELS:
        last += 1
    velocity = levels[-1].new_zeros(pairs, 3, *levels[-1].shape[2:])
    for level in range(len(levels) - 1, last - 1, -1):
        frames = levels[level]
        if velocity.shape[2:] != frames.shape[2:]:
            velocity = to_grid(velocity, tuple(frames.shape[2:]))
        # A few pairs at a time: an update takes some 40 times the memory of its frames.
        pairs_at_once = max(1, VOXELS_AT_ONCE // frames[0].numel())
        for some in torch.arange(pairs, device=frames.device).split(pairs_at_once):
            part = velocity[some]
            for _ in range(warps):
                part = _update(frames[some], frames[some + 1], part, window)
            velocity[some] = part
    ratio = velocity.new_tensor(
        [m / n for n, m in zip(velocity.shape[2:], levels[0].shape[2:], strict=True)]
    )
    return velocity * ratio.view(1, 3, 1, 1, 1)


def _update(a: Tensor, b: Tensor, velocity: Tensor, window: float) -> Tensor:
    shape = a.shape[2:]
    axes = [torch.arange(n, device=a.device, dtype=a.dtype) for n in shape]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(1, -1, 3)
    move = velocity.flatten(2).transpose(1, 2)
    before = linear(a, points - 0.5 * move).reshape(a.shape)
    after = linear(b, points + 0.5 * move).reshape(a.shape)
    mean, error = (before + after) / 2, before - after
    slopes = torch.cat([_slope(mean, axis) for axis in (2, 3, 4)], 1)
    # Robust: large differences (things that appear or were misled) count less.
    scale = error.abs().flatten(1).mean(1).clamp(min=1e-6).view(-1, 1, 1, 1, 1) * 2
    weight = 1 / (1 + (error / scale) ** 2)
    products = [
        weight * slopes[:, i : i + 1] * slopes[:, j : j + 1]
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    ]
    right = weight * slopes * error
    sums = gaussian(torch.cat([*products, right], 1), (window,) * 3)
    xx, xy, xz, yy, yz, zz = (sums[:, i] for i in range(6))
    trace = xx + yy + zz
    ridge = 0.02 * trace + 0.05 * trace.flatten(1).mean(1).view(-1, 1, 1, 1) + 1e-9
    matrix = torch.stack(
        [xx + ridge, xy, xz, xy, yy + ridge, yz, xz, yz, zz + ridge], -1
    ).unflatten(-1, (3, 3))
    vector = sums[:, 6:].movedim(1, -1)
    step = torch.linalg.solve(matrix, vector.unsqueeze(-1)).squeeze(-1).movedim(-1, 1).clamp(-1, 1)
    return gaussian(velocity + step, (1.0, 1.0, 1.0))


def _slope(volume: Tensor, axis: int) -> Tensor:
    if volume.shape[axis] == 1:
        return torch.zeros_like(volume)
    return torch.gradient(volume, dim=axis)[0]
