"""The velocity field: where things go.

Velocity is in source voxels per frame interval (the median one), on a coarse control grid over
space and with one knot in the middle of each interval between given frames; linear between nodes.
Between knots it is either linear too, so that motion may curve and accelerate, or it stays the same
from frame to frame: recordings that jitter are described better by straight paths. Trajectories are
integrated by the midpoint rule. Times are in intervals since the first frame (:meth:`.Frames.time`;
where frames are evenly spaced, frame k is at time k), points ``(B, P, 3)`` in (z, y, x) voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .compiled import compiled
from .sampling import linear, resample

Floats = NDArray[np.float64]
MOST_NODES = 40_000
"""Control nodes per knot; more could not be told apart by the dense start nor by the points
drawn."""


REFINE = 2
"""Nodes of a displacement per control node: trajectories curve a little more than the velocity they
follow."""


class Displaced(NamedTuple):
    """Displacement on refined control nodes, ``(1, 3, z, y, x)`` in voxels; ``first`` is the number
    of the first along z.
    """

    nodes: Tensor
    first: int = 0


class VelocityField(nn.Module):
    """Velocity on a control grid.

    Parameters
    ----------
    times : of the given frames, increasing, ``(T,)``, in intervals; the knots lie in the middle
        between them.
    shape : (Z, Y, X) of the source in voxels.
    nodes : number of control nodes along each axis; they span the source from edge to edge.
    curved : whether velocity changes within an interval or only at the frames.
    """

    times: Tensor
    knots: Tensor
    size: Tensor
    curved: Tensor

    def __init__(
        self,
        times: Tensor,
        shape: tuple[int, int, int],
        nodes: tuple[int, int, int],
        curved: bool = True,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.nodes = nn.Parameter(torch.zeros(len(times) - 1, 3, *nodes))
        self.register_buffer("times", times.float())
        self.register_buffer("knots", (self.times[1:] + self.times[:-1]) / 2, persistent=False)
        self.register_buffer("curved", torch.tensor(curved))
        self.register_buffer("size", torch.tensor([s / REFINE for s in self.per_voxel]))

    def between_knots(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The knots before and after times ``(B,)``, and the share of the later one: ``(B,)``."""
        k = len(self.knots)
        if k == 1 or not self.curved:
            index = torch.searchsorted(self.times[1:-1], t)
            return index, index, torch.zeros_like(t)
        low = (torch.searchsorted(self.knots, t, right=True) - 1).clamp(0, k - 2)
        u = ((t - self.knots[low]) / (self.knots[low + 1] - self.knots[low])).clamp(0, 1)
        return low, low + 1, u

    def at_time(self, t: Tensor) -> Tensor:
        """The control grids at times ``(B,)``: ``(B, 3, z, y, x)``, constant beyond the
        end knots.
        """
        if len(self.knots) == 1:
            return self.nodes.expand(len(t), -1, -1, -1, -1)
        low, high, u = self.between_knots(t)
        if not self.curved:
            return self.nodes[low]
        return torch.lerp(self.nodes[low], self.nodes[high], u.view(-1, 1, 1, 1, 1))

    def forward(self, t: Tensor, points: Tensor) -> Tensor:
        """Velocity at times ``(B,)`` and points ``(B, P, 3)``: ``(B, P, 3)``."""
        return linear(self.at_time(t), points * self.size).transpose(1, 2)

    def on_grid(self, t: float, positions: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Velocity at one time on the regular grid of voxel positions: ``(3, z, y, x)``, in voxels
        per frame.
        """
        out = self.at_time(self.times.new_tensor([t]))
        size = self.size.tolist()
        for axis in (2, 1, 0):  # what grows most comes last
            out = _between_nodes(out, positions[axis] * size[axis], 2 + axis)
        return out[0]

    def course(self, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """How trajectories from times ``start`` to ``end`` (B,) are followed: the frame intervals
        of a step, ``(B,)``, and when velocity is read in each, first and half way, ``(S, 2, B)``.
        """
        steps = _steps(float((end - start).abs().max()))
        h = (end - start) / steps
        # Not at t itself: where velocity changes at a frame, the side that is entered counts.
        read = [
            torch.stack([start + i * h + 0.25 * h, start + i * h + 0.5 * h]) for i in range(steps)
        ]
        return h, torch.stack(read)

    def trajectory(self, points: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the points at time ``start`` (B,) are at time ``end`` (B,): ``(B, P, 3)``."""
        h, read = self.course(start, end)
        for first, middle in read:
            half = points + (0.5 * h).view(-1, 1, 1) * self(first, points)
            points = points + h.view(-1, 1, 1) * self(middle, half)
        return points

    @torch.no_grad()
    def displaced(self, points: Floats, start: float, end: float) -> Floats:
        """How far points ``(..., 3)`` move from time ``start`` to ``end``: ``(..., 3)``, in
        voxels.
        """
        device = self.nodes.device
        flat = torch.from_numpy(points.reshape(1, -1, 3).astype(np.float32)).to(device)
        first, last = (torch.tensor([t], dtype=torch.float32, device=device) for t in (start, end))
        moved = (self.trajectory(flat, first, last) - flat)[0].cpu().numpy()
        return np.asarray(moved, np.float64).reshape(points.shape)

    def displacement_nodes(
        self, start: float, end: float, z: tuple[float, float] | None = None
    ) -> Displaced:
        """Displacement from ``start`` to ``end`` on the control grid refined ``REFINE`` times.

        Interpolating it is what makes rendering cheap: trajectories are smooth. ``z`` limits it to
        the nodes that voxels from ``z[0]`` to ``z[1]`` need, which does not change them.
        """
        device = self.nodes.device
        axes = []
        for n, m in zip(self.shape, self._refined, strict=True):
            axes.append(
                torch.linspace(0, n - 1, m, device=device)
                if n > 1
                else torch.zeros(1, device=device)
            )
        first = 0
        if z is not None:
            per_voxel = self.per_voxel[0]
            first = max(0, min(math.floor(z[0] * per_voxel), len(axes[0]) - 2))
            axes[0] = axes[0][first : math.ceil(z[1] * per_voxel) + 1 if z[1] > z[0] else first + 2]
        found = None if torch.is_grad_enabled() else compiled("following", device)
        if found is not None:
            return Displaced(self._followed(found, start, end, axes), first)
        points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(1, -1, 3)
        t0, t1 = (torch.tensor([t], device=device, dtype=torch.float32) for t in (start, end))
        moved = self.trajectory(points, t0, t1) - points
        return Displaced(moved.transpose(1, 2).reshape(1, 3, *(len(a) for a in axes)), first)

    def _followed(
        self, kernels: ModuleType, start: float, end: float, axes: Sequence[Tensor]
    ) -> Tensor:
        """:meth:`trajectory` for the nodes of a grid, by a kernel: ``(1, 3, z, y, x)``."""
        steps = _steps(abs(end - start))
        h = (end - start) / steps
        halves = torch.arange(2 * steps) * (h / 2) + (start + h / 4)
        # The middle of each step, and of its first half.
        halves[1::2] -= h / 4
        grids = F.pad(self.at_time(halves.float()).permute(0, 2, 3, 4, 1), (0, 1)).contiguous()
        z, y, x = (a.float().contiguous().numpy() for a in axes)
        out = np.empty((3, len(z), len(y), len(x)), np.float32)
        kernels.follow(z, y, x, grids.numpy(), self.size.numpy(), np.float32(h), out)
        return torch.from_numpy(out)[None]

    def displacement(
        self, displaced: Displaced, positions: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """Displacement on the regular grid of voxel positions: ``(1, 3, z, y, x)``."""
        z, y, x = (p * s for p, s in zip(positions, self.per_voxel, strict=True))
        out = displaced.nodes
        for axis, at in ((4, x), (3, y), (2, z - displaced.first)):  # what grows most comes last
            out = _between_nodes(out, at, axis)
        return out

    def displacement_at(self, displaced: Displaced, points: Tensor) -> Tensor:
        """Displacement at points ``(1, P, 3)``: ``(1, P, 3)``."""
        at = points * points.new_tensor(self.per_voxel) - points.new_tensor([displaced.first, 0, 0])
        return linear(displaced.nodes, at).transpose(1, 2)

    @property
    def _refined(self) -> list[int]:
        return [(m - 1) * REFINE + 1 for m in self.nodes.shape[2:]]

    @property
    def per_voxel(self) -> list[float]:
        """Refined nodes per voxel along each axis."""
        return [
            (m - 1) / (n - 1) if n > 1 else 0.0
            for m, n in zip(self._refined, self.shape, strict=True)
        ]

    @torch.no_grad()
    def set_from_dense(self, dense: Tensor) -> None:
        """Knots from velocities ``(K, 3, z, y, x)`` in source voxels, on any grid of blocks over
        the source.
        """
        positions = []
        for n_dense, n, m in zip(dense.shape[2:], self.shape, self.nodes.shape[2:], strict=True):
            voxel = torch.linspace(0, n - 1, m, device=dense.device)
            positions.append(((voxel + 0.5) * (n_dense / n) - 0.5).clamp(0, n_dense - 1))
        self.nodes.copy_(resample(dense, positions))


def _steps(longest: float, per_frame: float = 2.0) -> int:
    """Steps of a trajectory so many frames long."""
    return max(1, math.ceil(longest * per_frame - 1e-6))


def _between_nodes(nodes: Tensor, positions: Tensor, axis: int) -> Tensor:
    """Linear interpolation along one axis; each value is computed on its own, so its bits do not
    depend on the others.
    """
    n = nodes.shape[axis]
    at = positions.clamp(0, n - 1)
    low = at.floor().long().clamp(max=max(n - 2, 0))
    shape = [-1 if k == axis else 1 for k in range(5)]
    share = (at - low).view(shape)
    before, after = (nodes.index_select(axis, index) for index in (low, (low + 1).clamp(max=n - 1)))
    return (after - before).mul_(share).add_(before)


def node_counts(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], node_voxels: float
) -> tuple[int, int, int]:
    """Nodes per axis: about every ``node_voxels`` lateral voxels, at most every 2 voxels along z,
    at most ``MOST_NODES`` in all.
    """
    distance = node_voxels * min(spacing[1:])
    while True:
        counts = []
        for n, s in zip(shape, spacing, strict=True):
            every = max(distance / s, 2.0)
            counts.append(max(2, math.ceil((n - 1) / every) + 1) if n > 1 else 1)
        if math.prod(counts) <= MOST_NODES:
            return counts[0], counts[1], counts[2]
        distance *= 1.05


def roughness(nodes: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Mean squared spatial gradient of velocity, per node distance, weighted for anisotropy."""
    total = nodes.new_zeros(())
    weight = nodes.new_tensor(spacing) / min(spacing[1:])
    for axis in (2, 3, 4):
        if nodes.shape[axis] > 1:
            # In lateral voxels, so that z counts by its physical size.
            total = total + ((nodes.diff(dim=axis) * weight.view(1, 3, 1, 1, 1)) ** 2).sum(1).mean()
    return total


def unsteadiness(nodes: Tensor) -> Tensor:
    """Mean squared change of velocity from knot to knot."""
    return (nodes.diff(dim=0) ** 2).sum(1).mean() if len(nodes) > 1 else nodes.new_zeros(())
