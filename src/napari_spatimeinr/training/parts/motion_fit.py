"""Fit the velocity field: a coarse-to-fine start, then random points on continuous trajectories."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...config.parts import MotionOptions
from ...model.frames import Frames
from ...model.losses import Binned, Pairs, Terms
from ...model.motion import VelocityField, node_counts
from ...model.objective import Objective
from ...model.sampling import gaussian, linear
from ...model.start import pyramid, start_velocity
from .motion_points import PointDrawer

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
    times : of the frames, ``(T,)``, in (median) frame intervals.
    """

    levels: list[Tensor]
    binning: tuple[int, int, int]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    times: Tensor

    @property
    def bins(self) -> Tensor:
        """``binning`` as a tensor, ``(3,)``."""
        return self.levels[0].new_tensor(self.binning)

    def subset(self, frames: list[int]) -> MotionData:
        """The same for some of the frames."""
        levels = [level[frames] for level in self.levels]
        return MotionData(levels, self.binning, self.shape, self.spacing, self.times[frames])


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
    times = torch.tensor(frames.clock, device=frames.device, dtype=torch.float32)
    return MotionData(levels, (binning[0], binning[1], binning[2]), frames.shape, spacing, times)


@dataclass(frozen=True)
class Candidate:
    """How trajectories are fitted: the weight of their smoothness in space, and whether they may
    curve in time.
    """

    smoothness: float
    curved: bool

    @property
    def name(self) -> str:
        """In the report of the hold-out."""
        return f"motion {self.smoothness:g} {'curved' if self.curved else 'straight'}"

    def apply(self, field: VelocityField) -> None:
        """Make a field one of this kind."""
        field.curved.fill_(self.curved)


def untried(options: MotionOptions) -> Candidate:
    """What is taken where nothing can be held out: the middle weight, straight paths."""
    weights = sorted(options.smoothness)
    return Candidate(weights[len(weights) // 2], False)


def most_candidates(options: MotionOptions) -> int:
    """How many :func:`candidates` gives at most."""
    n = len(options.smoothness)
    return min(n, (n + 1) // 2 + 1) + 1


def candidates(options: MotionOptions) -> Generator[Candidate, Candidate, None]:
    """What is worth comparing, one after the other; after each, it is told the best so far.

    Straight or curved with the middle weight; then from there towards the better weights.
    """
    weights = sorted(options.smoothness)
    low = high = len(weights) // 2
    yield Candidate(weights[low], False)
    best = yield Candidate(weights[low], True)
    curved = best.curved
    while best.smoothness == weights[low] and low > 0:
        low -= 1
        best = yield Candidate(weights[low], curved)
    while best.smoothness == weights[high] and high + 1 < len(weights):
        high += 1
        best = yield Candidate(weights[high], curved)


def start(
    data: MotionData,
    options: MotionOptions,
    candidate: Candidate,
    mask: Tensor | None = None,
) -> VelocityField:
    """A velocity field of a kind from the coarse-to-fine start, from voxels where ``mask`` is 1."""
    nodes = node_counts(data.shape, data.spacing, options.node_voxels)
    field = VelocityField(data.times, data.shape, nodes, candidate.curved)
    field = field.to(data.levels[0].device)
    with torch.no_grad():
        dense = start_velocity(data.levels, options.warps, mask)
        dense = (
            dense
            * dense.new_tensor(data.binning).view(1, 3, 1, 1, 1)
            / data.times.diff().view(-1, 1, 1, 1, 1)
        )
        field.set_from_dense(dense)
    return field


def refine(
    field: VelocityField,
    data: MotionData,
    options: MotionOptions,
    candidate: Candidate,
    steps: int,
    seed: int,
    mask: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Optimise the field in place, as one of a kind; yields (step, loss) after each step."""
    times = data.times
    intervals = len(times) - 1
    generator = torch.Generator().manual_seed(seed)
    drawer = PointDrawer(data, mask, generator)
    number = max(256, options.points // intervals)
    objective = Objective(
        Terms(
            data.levels[0],
            times,
            data.bins,
            WIDTH,
            data.spacing,
            candidate.smoothness,
            options.acceleration * 0.01,
        )
    )
    optimiser = torch.optim.Adam([field.nodes], lr=0.05, betas=(0.9, 0.99))
    first = torch.arange(intervals, device=times.device)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / steps) ** 0.5
        points = drawer.draw(number) * data.bins + (data.bins - 1) / 2
        share = torch.rand(intervals, generator=generator).to(times.device)
        at = torch.lerp(times[:-1], times[1:], share)
        pairs = [Pairs(first, first + 1, at, points)]
        if options.two_interval and intervals > 1 and step % 2:
            few = points[:-1, : number // 2]
            pairs.append(Pairs(first[:-1], first[:-1] + 2, times[1:-1], few, options.two_interval))
        loss, field.nodes.grad = objective(field, pairs)
        optimiser.step()
        yield step + 1, loss
    field.nodes.grad = None


@torch.no_grad()
def misalignments(
    field: VelocityField | None,
    data: MotionData,
    mask: Tensor,
    seed: int,
    number: int = 40_000,
) -> Tensor:
    """Mean squared difference of the two frames of each interval along trajectories, where ``mask``
    is 1: ``(T - 1,)``.

    The points are the voxels of one frame, alternately the earlier and the later; ``field`` None
    means nothing moves.
    """
    frames, times = data.levels[0], data.times
    drawer = PointDrawer(data, mask, torch.Generator().manual_seed(seed))
    points = drawer.draw(max(256, number // (len(times) - 1)))
    bins = data.bins
    total = points.new_zeros(len(points))
    for here, there in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        end = points
        if field is not None:
            source = points * bins + (bins - 1) / 2
            end = Binned(field, bins).trajectory(source, times[here], times[there])
        total += ((linear(frames[here], points) - linear(frames[there], end)) ** 2).mean((1, 2))
    return total / 2
