"""What velocity is fitted to: the terms, their value and their gradient by torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .motion import VelocityField, roughness, unsteadiness
from .sampling import linear


class Mover(Protocol):
    """What moves points from a time to another, ``(B, P, 3)``."""

    def trajectory(self, points: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the points at time ``start`` are at time ``end``."""
        ...


class Pairs(NamedTuple):
    """Points whose trajectories end in two frames each.

    first, second : numbers of the two frames, ``(B,)``.
    at : time of the points, ``(B,)``, between the two frames.
    points : ``(B, P, 3)`` source voxels.
    weight : of their mean.
    """

    first: Tensor
    second: Tensor
    at: Tensor
    points: Tensor
    weight: float = 1.0


@dataclass(frozen=True)
class Terms:
    """The frames that velocity aligns, and how smooth it is to be.

    frames : ``(T, 1, Z, Y, X)``, smoothed and perhaps binned; sampled linearly.
    times : of the frames, ``(T,)``.
    bins : source voxels per voxel of the frames, ``(3,)``.
    width : of the Charbonnier difference.
    spacing : of the source, (dz, dy, dx).
    rough, unsteady : weights of :func:`.roughness` and :func:`.unsteadiness`.
    """

    frames: Tensor
    times: Tensor
    bins: Tensor
    width: float
    spacing: tuple[float, float, float]
    rough: float
    unsteady: float

    def by_torch(self, field: VelocityField, pairs: Sequence[Pairs]) -> tuple[float, Tensor]:
        """The value and its gradient to the nodes, ``(K, 3, z, y, x)``."""
        loss = self.rough * roughness(field.nodes, self.spacing)
        loss = loss + self.unsteady * unsteadiness(field.nodes)
        binned = Binned(field, self.bins)
        for some in pairs:
            each = alignment(binned, self.frames, self.times, *some[:4], self.width)
            loss = loss + some.weight * each.mean()
        (gradient,) = torch.autograd.grad(loss, field.nodes)
        return float(loss.detach()), gradient


class Binned:
    """A field whose trajectories end in voxels of binned frames."""

    def __init__(self, field: VelocityField, bins: Tensor) -> None:
        self.field, self.bins = field, bins

    def trajectory(self, points: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the points at time ``start`` (B,) are at time ``end`` (B,): ``(B, P, 3)``."""
        moved = self.field.trajectory(points, start, end)
        return (moved - (self.bins - 1) / 2) / self.bins


def charbonnier(difference: Tensor, width: float) -> Tensor:
    """Smooth absolute value, ``sqrt(d^2 + w^2) - w`` (Charbonnier et al. 1994)."""
    return torch.sqrt(difference**2 + width**2) - width


def alignment(
    field: Mover,
    frames: Tensor,
    times: Tensor,
    first: Tensor,
    second: Tensor,
    at: Tensor,
    points: Tensor,
    width: float,
) -> Tensor:
    """Difference of two frames along the trajectories through points, per point.

    Parameters
    ----------
    frames : ``(T, 1, Z, Y, X)``, smoothed; sampled linearly.
    times : of the frames, ``(T,)``.
    first, second : indices of the two frames, ``(B,)``.
    at : time of the points, ``(B,)``, between the two frames.
    points : ``(B, P, 3)`` voxels.

    Returns
    -------
    ``(B, P)``
    """
    a = field.trajectory(points, at, times[first])
    b = field.trajectory(points, at, times[second])
    return charbonnier(linear(frames[first], a)[:, 0] - linear(frames[second], b)[:, 0], width)
