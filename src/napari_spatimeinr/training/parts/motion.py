"""Fit the velocity field: a coarse-to-fine start, then random points on continuous trajectories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...config.options import MotionOptions
from ...model.frames import Frames
from ...model.losses import alignment
from ...model.motion import VelocityField, node_counts, roughness, unsteadiness
from ...model.sampling import gaussian, linear
from ...model.start import pyramid, start_velocity

WIDTH = 0.02
"""Differences below this (of the normalised range) count as noise rather than misalignment."""
BLUR = 0.8
"""Smoothing of the frames motion is estimated on, lateral voxels; without it noise pulls towards
half voxels."""


@dataclass
class MotionData:
    """Smoothed frames motion is estimated on.

    levels : pyramid, finest first, each ``(T, 1, z, y, x)``; the finest may be binned.
    binning : source voxels per voxel of the finest level, (z, y, x).
    spacing : of the source, (dz, dy, dx).
    """

    levels: list[Tensor]
    binning: tuple[int, int, int]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    def subset(self, frames: list[int]) -> MotionData:
        """The same for some of the frames."""
        return MotionData(
            [level[frames] for level in self.levels], self.binning, self.shape, self.spacing
        )


def motion_data(
    frames: Frames, spacing: tuple[float, float, float], options: MotionOptions
) -> MotionData:
    """Read every frame once, smooth it, bin it until all frames have at most ``max_voxels``."""
    binning = [1, 1, 1]
    current = list(spacing)
    shape = list(frames.shape)
    while frames.count * shape[0] * shape[1] * shape[2] > options.max_voxels and max(shape) > 16:
        finest = min(s for s, n in zip(current, shape, strict=True) if n > 8)
        for axis in range(3):
            if shape[axis] > 8 and current[axis] < 2 * finest:
                binning[axis] *= 2
                current[axis] *= 2
                shape[axis] = -(-shape[axis] // 2)
    fine = min(spacing[1:])
    collected = []
    for k in range(frames.count):
        whole = frames.whole(k)
        if max(binning) > 1:
            whole = F.avg_pool3d(whole, tuple(binning), ceil_mode=True, count_include_pad=False)
        sigma = [
            BLUR * min(1.0, max(fine / s, 0.5)) if b == 1 else 0.4
            for s, b in zip(spacing, binning, strict=True)
        ]
        collected.append(gaussian(whole, sigma))
    levels = pyramid(torch.cat(collected), (current[0], current[1], current[2]), options.levels)
    return MotionData(levels, (binning[0], binning[1], binning[2]), frames.shape, spacing)


def start(
    data: MotionData,
    times: Tensor,
    options: MotionOptions,
    mask: Tensor | None = None,
    curved: bool = False,
) -> VelocityField:
    """A velocity field from the coarse-to-fine start; ``times`` of the frames ``(T,)`` in frame
    intervals.
    """
    field = VelocityField(
        times, data.shape, node_counts(data.shape, data.spacing, options.node_voxels), curved
    )
    field = field.to(data.levels[0].device)
    with torch.no_grad():
        dense = start_velocity(data.levels, options.warps, mask)
        dense = (
            dense
            * dense.new_tensor(data.binning).view(1, 3, 1, 1, 1)
            / times.diff().view(-1, 1, 1, 1, 1)
        )
        field.set_from_dense(dense)
    return field


class PointDrawer:
    """Random points, half of them uniform and half where something is or changes."""

    def __init__(self, data: MotionData, mask: Tensor | None, generator: torch.Generator) -> None:
        finest = data.levels[0].shape[2:]
        # Half resolution is enough to know where something is.
        frames = data.levels[min(1, len(data.levels) - 1)]
        self.shape = frames.shape[2:]
        self.generator = generator
        self.stretch = frames.new_tensor([n / m for n, m in zip(finest, self.shape, strict=True)])
        self.last = frames.new_tensor([n - 1 for n in finest])
        used = (
            None
            if mask is None
            else F.adaptive_avg_pool3d(mask, (self.shape[0], self.shape[1], self.shape[2]))
            .floor()
            .flatten(1)
        )
        level = frames.flatten()[:: max(1, frames.numel() // 100_000)].median()
        tables = []
        for a, b in zip(frames[:-1], frames[1:], strict=True):
            active = ((b - a).abs() + 0.5 * ((a + b) / 2 - level).abs()).flatten(1)
            uniform = torch.ones_like(active)
            if used is not None:
                active, uniform = active * used, uniform * used
            density = active / active.sum().clamp(min=1e-9) + uniform / uniform.sum().clamp(
                min=1e-9
            )
            # Millions of small terms: float64, which not every device has.
            table = density.cpu().cumsum(1, dtype=torch.float64)
            tables.append((table / table[:, -1:].clamp(min=1e-9)).float().to(frames.device))
        self.table = torch.cat(tables)

    def draw(self, number: int) -> Tensor:
        """``(K, number, 3)`` points in voxels of the finest level, one set per interval."""
        k = len(self.table)
        device = self.table.device
        pick = torch.rand(k, number, generator=self.generator).to(device)
        index = torch.searchsorted(self.table, pick).clamp(max=self.table.shape[1] - 1)
        _, y, x = self.shape
        points = torch.stack([index // (y * x), index // x % y, index % x], -1).float()
        points += torch.rand(k, number, 3, generator=self.generator).to(device)
        return torch.minimum((points * self.stretch - 0.5).clamp(min=0), self.last)


def refine(
    field: VelocityField,
    data: MotionData,
    times: Tensor,
    options: MotionOptions,
    smoothness: float,
    steps: int,
    seed: int,
    mask: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Optimise the field in place; yields (step, loss) after each step."""
    frames = data.levels[0]
    device = frames.device
    intervals = len(times) - 1
    generator = torch.Generator().manual_seed(seed)
    drawer = PointDrawer(data, mask, generator)
    number = max(256, options.points // intervals)
    bins = frames.new_tensor(data.binning)
    optimiser = torch.optim.Adam([field.nodes], lr=0.05, betas=(0.9, 0.99))
    binned = _Binned(field, bins)
    first = torch.arange(intervals, device=device)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / steps) ** 0.5
        points = drawer.draw(number) * bins + (bins - 1) / 2
        share = torch.rand(intervals, generator=generator).to(device)
        at = torch.lerp(times[:-1], times[1:], share)
        loss = alignment(binned, frames, times, first, first + 1, at, points, WIDTH).mean()
        if options.two_interval and intervals > 1 and step % 2:
            wide = alignment(
                binned,
                frames,
                times,
                first[:-1],
                first[:-1] + 2,
                times[1:-1],
                points[:-1, : number // 2],
                WIDTH,
            )
            loss = loss + options.two_interval * wide.mean()
        loss = (
            loss
            + smoothness * roughness(field.nodes, data.spacing)
            + options.acceleration * 0.01 * unsteadiness(field.nodes)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield step + 1, float(loss.detach())


class _Binned:
    """A field whose trajectories end in voxels of binned frames."""

    def __init__(self, field: VelocityField, bins: Tensor) -> None:
        self.field, self.bins = field, bins

    def trajectory(self, points: Tensor, start: Tensor, end: Tensor) -> Tensor:
        moved = self.field.trajectory(points, start, end)
        return (moved - (self.bins - 1) / 2) / self.bins


@torch.no_grad()
def misalignments(
    field: VelocityField | None,
    data: MotionData,
    times: Tensor,
    mask: Tensor,
    seed: int,
    number: int = 40_000,
) -> Tensor:
    """Mean squared difference of the two frames of each interval along trajectories, where ``mask``
    is 1: ``(T - 1,)``.

    The points are the voxels of one frame, alternately the earlier and the later; ``field`` None
    means nothing moves.
    """
    frames = data.levels[0]
    drawer = PointDrawer(data, mask, torch.Generator().manual_seed(seed))
    points = drawer.draw(max(256, number // (len(times) - 1)))
    bins = frames.new_tensor(data.binning)
    total = points.new_zeros(len(points))
    for here, there in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        end = points
        if field is not None:
            source = points * bins + (bins - 1) / 2
            end = _Binned(field, bins).trajectory(source, times[here], times[there])
        total += ((linear(frames[here], points) - linear(frames[there], end)) ** 2).mean((1, 2))
    return total / 2


def block_mask(shape: tuple[int, int, int], seed: int, share: float = 0.2) -> Tensor:
    """Random blocks of about a tenth of each axis: ``(1, 1, z, y, x)``, 1 in ``share`` of them."""
    generator = torch.Generator().manual_seed(seed)
    counts = [max(1, min(10, n // 6)) for n in shape]
    coarse = (torch.rand(1, 1, *counts, generator=generator) < share).float()
    if coarse.sum() in (0, coarse.numel()):
        coarse.flatten()[0] = 1 - coarse.flatten()[0]
    return F.interpolate(coarse, size=shape, mode="nearest")
