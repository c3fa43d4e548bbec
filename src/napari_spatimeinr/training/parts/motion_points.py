"""Where motion is looked at: random points, and blocks that are left out to judge it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from .motion_fit import MotionData


class PointDrawer:
    """Random points, half of them uniform and half where something is or changes."""

    def __init__(self, data: MotionData, generator: torch.Generator) -> None:
        finest = data.levels[0].shape[2:]
        # Half resolution is enough to know where something is.
        frames = data.levels[min(1, len(data.levels) - 1)]
        self.shape = frames.shape[2:]
        self.generator = generator
        self.stretch = frames.new_tensor([n / m for n, m in zip(finest, self.shape, strict=True)])
        self.last = frames.new_tensor([n - 1 for n in finest])
        level = frames.flatten()[:: max(1, frames.numel() // 100_000)].median()
        tables = []
        for a, b in zip(frames[:-1], frames[1:], strict=True):
            active = ((b - a).abs() + 0.5 * ((a + b) / 2 - level).abs()).flatten(1)
            uniform = torch.ones_like(active)
            density = active / active.sum().clamp(min=1e-9) + uniform / uniform.sum().clamp(
                min=1e-9
            )
            # Millions of small terms: float64, which not every device has.
            table = density.cpu().cumsum(1, dtype=torch.float64)
            tables.append((table / table[:, -1:].clamp(min=1e-9)).float().to(frames.device))
        self.table = torch.cat(tables)

    def draw(self, number: int) -> Tensor:
        """``(K, number, 3)`` points in voxels of the finest level, one set per interval.

        Each has its own share of what is drawn from, in order: they are spread more evenly than
        independent ones, and neighbours read the same memory.
        """
        k = len(self.table)
        device = self.table.device
        pick = torch.rand(k, number, generator=self.generator)
        pick = ((pick + torch.arange(number)) / number).to(device)
        index = torch.searchsorted(self.table, pick).clamp(max=self.table.shape[1] - 1)
        _, y, x = self.shape
        points = torch.stack([index // (y * x), index // x % y, index % x], -1).float()
        points += torch.rand(k, number, 3, generator=self.generator).to(device)
        return torch.minimum((points * self.stretch - 0.5).clamp(min=0), self.last)


def block_mask(shape: tuple[int, int, int], seed: int, share: float = 0.2) -> Tensor:
    """Random blocks of about a tenth of each axis: ``(1, 1, z, y, x)``, 1 in ``share`` of them."""
    generator = torch.Generator().manual_seed(seed)
    counts = [max(1, min(10, n // 6)) for n in shape]
    coarse = (torch.rand(1, 1, *counts, generator=generator) < share).float()
    if coarse.sum() in (0, coarse.numel()):
        coarse.flatten()[0] = 1 - coarse.flatten()[0]
    return F.interpolate(coarse, size=shape, mode="nearest")
