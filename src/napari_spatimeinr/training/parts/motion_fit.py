"""Fit the velocity field: a coarse-to-fine start, then random points on continuous trajectories."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...compute.pool import spread
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
RATE = 0.05
"""Voxels that a node moves by in a step, at most about."""
MOST_APART = 3
"""Threads up to which each fits a field of its own."""
SLICE = 0.05
"""Seconds after which what is fitted at once tells how far it is."""
BLUR = 0.8
"""Smoothing of the frames motion is estimated on, lateral voxels; without it noise pulls towards
half voxels."""

Lane = Iterator[tuple[int, float]]
"""Steps of optimisation, each with its number and its loss."""


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

    def coarser(self, levels: int) -> MotionData:
        """The same without so many of the finest levels."""
        binning = list(self.binning)
        for fine, coarse in zip(self.levels[:levels], self.levels[1:], strict=False):
            for axis, (n, m) in enumerate(zip(fine.shape[2:], coarse.shape[2:], strict=True)):
                binning[axis] *= 2 if m < n else 1
        left = self.levels[levels:]
        return replace(self, levels=left, binning=(binning[0], binning[1], binning[2]))

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
class Kind:
    """How a velocity field is fitted.

    smoothness : the weight of its smoothness in space.
    curved : whether trajectories may curve between two frames.
    gradual : whether it is fitted to ever finer frames, from rest, instead of being refined from
        the coarse-to-fine start.
    """

    smoothness: float
    curved: bool
    gradual: bool = False


def kinds(options: MotionOptions, several: bool = True) -> list[Kind]:
    """The fields that are fitted: one with each weight, curved where that is small, and a gradual
    one; or, where they are not blended, one straight field with the middle weight.
    """
    weights = sorted(options.smoothness)
    if not several:
        return [Kind(weights[len(weights) // 2], False)]
    found = [Kind(weight, i < len(weights) / 2) for i, weight in enumerate(weights)]
    return [*found, Kind(weights[0], True, True)] if options.gradual else found


def steps_of(options: MotionOptions, kind: Kind) -> int:
    """Optimisation steps of a field of a kind, at most."""
    return options.steps + (options.levels - 1) * _coarse_steps(options) * kind.gradual


def _coarse_steps(options: MotionOptions) -> int:
    return -(-options.steps // 2)


def at_rest(data: MotionData, options: MotionOptions) -> VelocityField:
    """A velocity field of which nothing is known yet."""
    nodes = node_counts(data.shape, data.spacing, options.node_voxels)
    return VelocityField(data.times, data.shape, nodes).to(data.levels[0].device)


def start(data: MotionData, options: MotionOptions) -> VelocityField:
    """A velocity field from the coarse-to-fine start."""
    field = at_rest(data, options)
    with torch.no_grad():
        dense = start_velocity(data.levels, options.warps)
        dense = (
            dense
            * dense.new_tensor(data.binning).view(1, 3, 1, 1, 1)
            / data.times.diff().view(-1, 1, 1, 1, 1)
        )
        field.set_from_dense(dense)
    return field


def descents(
    field: VelocityField, data: MotionData, options: MotionOptions, kind: Kind, seed: int
) -> list[Iterator[tuple[int, float]]]:
    """What makes a field one of a kind: optimisations in place, one after the other."""
    field.curved.fill_(kind.curved)
    coarser = range(len(data.levels) - 1, 0, -1) if kind.gradual else ()
    some = _coarse_steps(options)
    return [
        *(refine(field, data.coarser(n), options, kind, some, seed + n, 2**n) for n in coarser),
        refine(field, data, options, kind, options.steps, seed),
    ]


def refine(
    field: VelocityField,
    data: MotionData,
    options: MotionOptions,
    kind: Kind,
    steps: int,
    seed: int,
    scale: int = 1,
) -> Iterator[tuple[int, float]]:
    """Optimise the field in place; yields (step, loss) after each step.

    ``scale`` is how much coarser the frames are: so much longer are the steps.
    """
    times = data.times
    intervals = len(times) - 1
    generator = torch.Generator().manual_seed(seed)
    drawer = PointDrawer(data, generator)
    number = max(256, options.points // intervals)
    objective = Objective(
        Terms(
            data.levels[0],
            times,
            data.bins,
            WIDTH,
            data.spacing,
            kind.smoothness,
            options.acceleration * 0.01,
        )
    )
    optimiser = torch.optim.Adam([field.nodes], lr=RATE, betas=(0.9, 0.99))
    first = torch.arange(intervals, device=times.device)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * scale * (1 - step / steps) ** 0.5
        points = drawer.draw(number) * data.bins + (data.bins - 1) / 2
        share = torch.rand(intervals, generator=generator).to(times.device)
        at = torch.lerp(times[:-1], times[1:], share)
        pairs = [Pairs(first, first + 1, at, points)]
        if options.two_interval and intervals > 1 and step % 2:
            few = points[:-1, ::2]
            pairs.append(Pairs(first[:-1], first[:-1] + 2, times[1:-1], few, options.two_interval))
        loss, field.nodes.grad = objective(field, pairs)
        optimiser.step()
        yield step + 1, loss
    field.nodes.grad = None


def together(lanes: Sequence[Lane], device: torch.device) -> Lane:
    """The steps of optimisations that do not depend on each other, several at once.

    Points of a step can be shared out too, and are where there are more threads than
    :data:`MOST_APART`; a quarter of a step is done by one thread then.
    """
    left = list(lanes)
    found: dict[int, tuple[list[tuple[int, float]], bool]] = {}

    def note(lane: Lane, result: tuple[list[tuple[int, float]], bool]) -> None:
        found[id(lane)] = result

    while left:
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        spread(_some_steps, left, threads if threads <= MOST_APART else 1, note)
        for lane in left:
            yield from found[id(lane)][0]
        left = [lane for lane in left if not found[id(lane)][1]]


def _some_steps(lane: Lane) -> tuple[list[tuple[int, float]], bool]:
    """What some steps of an optimisation say, and whether it has ended."""
    said: list[tuple[int, float]] = []
    ends = time.monotonic() + SLICE
    while not said or time.monotonic() < ends:
        state = next(lane, None)
        if state is None:
            return said, True
        said.append(state)
    return said, False


@torch.no_grad()
def misalignments(
    field: VelocityField | None,
    data: MotionData,
    seed: int,
    number: int,
) -> Tensor:
    """Mean squared difference of the two frames of each interval along trajectories, ``(T - 1,)``.

    The points are the voxels of one frame, alternately the earlier and the later; ``field`` None
    means nothing moves.
    """
    frames, times = data.levels[0], data.times
    drawer = PointDrawer(data, torch.Generator().manual_seed(seed))
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
