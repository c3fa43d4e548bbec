"""A rough picture at once: the frames as they are, followed along the motion, nothing encoded.

Where samples lie several voxels apart, they are taken of frames binned as coarsely: few values, and
no noise of single voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..compute.threads import chosen
from ..data.recent import Recent
from ..model.frames import SAME
from ..model.network import around
from ..model.places import Positions
from ..model.sampling import linear
from .quantities import raw_intensities
from .sampler import Sampler

Floats = NDArray[np.float64]
Bins = tuple[int, int, int]
"""Voxels (z, y, x) of a bin."""
MOST_BINNED = 64 * 2**20
"""Bytes of binned planes kept."""


class Rough:
    """Intensities sampled linearly of binned frames, along straight paths; several threads may ask.

    Parameters
    ----------
    sampler : knows the frames and where things move.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler, self._frames = sampler, sampler.frames
        self._binned: Recent[tuple[int, int, Bins], Tensor] = Recent(
            MOST_BINNED, lambda plane: plane.nbytes
        )

    @torch.no_grad()
    @chosen(anew=False)
    def volume(self, t: float, positions: Sequence[Floats]) -> NDArray[np.float32]:
        """Raw values ``(z, y, x)`` at time ``t`` (frames) on the regular grid of voxel
        ``positions``.
        """
        frames = self._frames
        bins = _bins(positions)
        t = min(max(t, 0.0), frames.count - 1.0)
        z, y, x = (
            torch.from_numpy(p.astype(np.float32)).to(frames.device).clamp(0, n - 1)
            for p, n in zip(positions, frames.shape, strict=True)
        )
        places = torch.stack(torch.meshgrid(z, y, x, indexing="ij"))
        k = round(t)
        if abs(t - k) < SAME:
            value = self._sampled(k, places, bins)
        else:
            value = self._between(t, places, self._velocity(t, (z, y, x)), bins)
        return raw_intensities(frames, value, t).reshape(places.shape[1:]).cpu().numpy()

    def _velocity(self, t: float, positions: Positions) -> Tensor | None:
        """Where things go at a time, in voxels per interval; None where nothing is followed."""
        motion = self._sampler.network.motion
        still = motion is None or int(t) in self._sampler.linear
        return None if still or motion is None else motion.on_grid(self._frames.time(t), positions)

    def _between(self, t: float, places: Tensor, velocity: Tensor | None, bins: Bins) -> Tensor:
        """Linear between the frames beside a time, ``(P,)``."""
        near, when = around(t, range(self._frames.count), 0), self._frames.time
        before, after = (
            self._sampled(
                k, places if velocity is None else places + (when(k) - when(t)) * velocity, bins
            )
            for k in (near.before, near.after)
        )
        return torch.lerp(before, after, near.share)

    def _sampled(self, k: int, places: Tensor, bins: Bins) -> Tensor:
        """Frame ``k`` at places ``(3, ...)`` in voxels, ``(P,)``."""
        points = torch.stack(
            [(p.ravel() - (b - 1) / 2) / b for p, b in zip(places, bins, strict=True)], -1
        )
        low, high = torch.aminmax(points[:, 0])
        last = -(-self._frames.shape[0] // bins[0]) - 1
        first = min(max(math.floor(low), 0), last)
        planes = range(first, min(max(math.ceil(high), first), last) + 1)
        values = torch.stack([self._plane(k, z, bins) for z in planes])[None, None]
        return linear(values, (points - points.new_tensor([first, 0, 0]))[None])[0, 0]

    def _plane(self, k: int, z: int, bins: Bins) -> Tensor:
        """A plane of bins of frame ``k``: means of normalised voxels, ``(y, x)``."""
        return self._binned.get((k, z, bins), lambda: self._made(k, z, bins))

    def _made(self, k: int, z: int, bins: Bins) -> Tensor:
        """It is binned as it is read, since the frame's own voxels are many."""
        depth, first = self._frames.shape[0], z * bins[0]
        planes = np.asarray(self._frames.data[k, first : min(first + bins[0], depth)])
        if planes.dtype.kind == "f" and not np.isfinite(planes).all():
            offset = planes.dtype.type(self._frames.normalisation.offset)
            planes = np.where(np.isfinite(planes), planes, offset)
        means = [_means(_means(plane, 0, bins[1]), 1, bins[2]) for plane in planes]
        mean = sum(means[1:], means[0]) / np.float32(len(means))
        return self._frames.normalised(mean, k)


def _bins(positions: Sequence[Floats]) -> Bins:
    """How many voxels lie between two samples along each axis."""
    steps = [abs(float(p[-1] - p[0])) / max(1, len(p) - 1) for p in positions]
    z, y, x = (max(1, math.floor(step + 1e-6)) for step in steps)
    return z, y, x


def _means(plane: NDArray[Any], axis: int, count: int) -> NDArray[np.float32]:
    """Means of ``count`` neighbours along an axis; of fewer at its end."""
    rows = plane if axis == 0 else plane.T
    total = rows[::count].astype(np.float32)
    for i in range(1, count):
        part = rows[i::count]
        total[: len(part)] += part
    total[: len(rows) // count] /= count
    if left := len(rows) % count:
        total[-1] /= left
    return total if axis == 0 else total.T
