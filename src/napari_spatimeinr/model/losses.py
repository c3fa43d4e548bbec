"""Terms of the motion fit."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .sampling import linear


class Mover(Protocol):
    """What moves points from a time to another, ``(B, P, 3)``."""

    def trajectory(self, points: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """Where the points at time ``start`` are at time ``end``."""
        ...


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
