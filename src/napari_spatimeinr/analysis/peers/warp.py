"""Frames displaced, differentiably, and how alike two of them are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def values(frame: Tensor, places: Tensor) -> Tensor:
    """A frame ``(Z, Y, X)`` at places ``(..., 3)`` in voxels, linear in between; ``(...)``."""
    size = torch.tensor(frame.shape, dtype=places.dtype, device=places.device)
    # From voxel numbers to -1 .. 1 at the first and the last voxel; one voxel alone is 0.
    unit = 2 * places / (size - 1).clamp(min=1) - 1
    unit = torch.where(size > 1, unit, torch.zeros_like(unit)).flip(-1)
    found = grid_sample(
        frame[None, None],
        unit.reshape(1, -1, 1, 1, 3),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    return found.reshape(places.shape[:-1])


def voxels(shape: tuple[int, ...] | torch.Size) -> Tensor:
    """The number of every voxel along each axis, ``(Z, Y, X, 3)``."""
    axes = [torch.arange(n, dtype=torch.float32) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def warped(frame: Tensor, displacement: Tensor) -> Tensor:
    """``frame(x + displacement(x))``; displacement ``(3, Z, Y, X)`` in voxels."""
    return values(frame, voxels(frame.shape) + displacement.movedim(0, -1))


def unlike(a: Tensor, b: Tensor) -> Tensor:
    """1 less the normalised cross-correlation of two sets of values."""
    a, b = a - a.mean(), b - b.mean()
    return 1 - (a * b).mean() / torch.sqrt((a**2).mean() * (b**2).mean() + 1e-8)
