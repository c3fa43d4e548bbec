"""Frames of a recording as a network sees them: the one place that rendering, gates and confidence
read them from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .finer import Chain
from .frames import Box, Frames, grown, inside
from .network import SMOOTH_REACH, Encoded, Network
from .sampling import gaussian, prefilter

Shape = tuple[int, int, int]
CONTEXT_REACH = 3
"""Standard deviations around a box that smoothing it sees."""


class FrameSource:
    """Voxels of any box of a frame, raw or denoised, and what is made of them; computed each time.

    Boxes may reach beyond the frame, which is mirrored there. Where there is no encoder, denoised
    frames are the frames themselves.

    Parameters
    ----------
    network : with the encoder and what makes voxels finer.
    frames : the recording.
    """

    def __init__(self, network: Network, frames: Frames) -> None:
        self.network = network
        self.frames = frames

    def raw(self, k: int, box: Box) -> Tensor:
        """Normalised voxels of frame ``k``, ``(1, 1, z, y, x)``."""
        return self.frames.block(k, box)

    def denoised(self, k: int, box: Box) -> Tensor:
        """Denoised voxels of frame ``k``, ``(1, 1, z, y, x)``."""
        return self.raw(k, box) if self.network.latents is None else self._encoded(k, box)[0]

    def latents(self, k: int, box: Box) -> Tensor:
        """Latents of frame ``k``, ``(1, F, z, y, x)``; only where there is an encoder."""
        return self._encoded(k, box)[1]

    def encoded(self, k: int, box: Box) -> Encoded:
        """Coefficients of splines through the denoised voxels of a box and, with an encoder, its
        latents, at once.
        """
        r = self.network.reach
        if self.network.latents is None:
            return Encoded(prefilter(self.raw(k, grown(box, r)), r))
        denoised, latents = self._encoded(k, grown(box, r))
        z, y, x = (slice(r, n - r) for n in denoised.shape[2:])
        return Encoded(prefilter(denoised, r), latents[:, :, z, y, x])

    def fine(self, k: int, box: Box, finer: Chain) -> Tensor:
        """Denoised voxels made finer by the parts ``finer``, of a box in finer voxels: ``(1, 1, z,
        y, x)``.
        """
        if not finer:
            return self.denoised(k, box)
        ranges, rows = inside(box, self.fine_shape(finer))
        return taken(self._refined(k, ranges, finer), rows)

    def coefficients(self, k: int, box: Box, finer: Chain = ()) -> Tensor:
        """Of cubic B-splines through the finer voxels, ``(1, 1, z, y, x)``."""
        reach = self.network.reach
        return prefilter(self.fine(k, grown(box, reach), finer), reach)

    def context(self, k: int, box: Box) -> Tensor:
        """Raw voxels smoothed in each of the ways that hypotheses are compared by, ``(1, S, z, y,
        x)``; denoised ones smoothed with sigma 1 where there are none, ``(1, 1, z, y, x)``.
        """
        if self.network.hypotheses is None:
            return self.smooth(k, box)
        sigmas: list[list[float]] = self.network.hypotheses.sigmas.tolist()
        reach = math.ceil(CONTEXT_REACH * max(max(sigma) for sigma in sigmas))
        raw = self.raw(k, grown(box, reach))
        return torch.cat([gaussian(raw, sigma, reach) for sigma in sigmas], 1)

    def smooth(self, k: int, box: Box) -> Tensor:
        """Denoised voxels smoothed with sigma 1, ``(1, 1, z, y, x)``."""
        denoised = self.denoised(k, grown(box, SMOOTH_REACH))
        return gaussian(denoised, (1.0, 1.0, 1.0), SMOOTH_REACH)

    def fine_shape(self, finer: Chain) -> Shape:
        """Finer voxels (z, y, x) of a frame."""
        z, y, x = ((n - 1) * f + 1 for n, f in zip(self.frames.shape, factors(finer), strict=True))
        return z, y, x

    def _encoded(self, k: int, box: Box) -> tuple[Tensor, Tensor]:
        """Denoised voxels and latents of a box."""
        assert self.network.latents is not None
        encoder = self.network.latents.encoder
        denoised, latents = encoder(self.raw(k, grown(box, encoder.reach)), self.network.precision)
        return denoised, latents

    @torch.no_grad()
    def _refined(self, k: int, box: Box, finer: Chain) -> Tensor:
        """What the parts make, one after the other, of the voxels that a box depends on."""
        needed = box
        for part in reversed(finer):
            z, y, x = (
                (a // f - r, -(-(b - 1) // f) + 1 + r)
                for (a, b), f, r in zip(needed, part.factors, part.reach, strict=True)
            )
            needed = (z, y, x)
        voxels = self.denoised(k, needed)
        starts = [a for a, _ in needed]
        for part in finer:
            voxels = part(voxels, self.network.precision)
            starts = [(a + r) * f for a, f, r in zip(starts, part.factors, part.reach, strict=True)]
        planes, rows, columns = (slice(a - s, b - s) for (a, b), s in zip(box, starts, strict=True))
        return voxels[:, :, planes, rows, columns]


def taken(voxels: Tensor, rows: Sequence[NDArray[np.intp] | None]) -> Tensor:
    """Rows along each axis of voxels ``(1, C, z, y, x)``, as :func:`.frames.inside` gives them."""
    for axis, index in enumerate(rows):
        if index is not None:
            voxels = voxels.index_select(2 + axis, torch.from_numpy(index).to(voxels.device))
    return voxels


def factors(finer: Chain) -> Shape:
    """Finer voxels per voxel (z, y, x) that parts make together."""
    z, y, x = (math.prod(part.factors[axis] for part in finer) for axis in range(3))
    return z, y, x
