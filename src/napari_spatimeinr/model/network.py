"""The parts of a fitted model in one place, and the value they give for points between two frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .decoder import Decoder
from .encoder import Encoder
from .frames import Box, Frames, grown
from .motion import VelocityField
from .sampling import PREFILTER_REACH, cubic, linear, prefilter


@dataclass
class Network:
    """Velocity field, encoder and decoder; any of them may be missing (switched off or rejected)."""

    velocity: VelocityField | None = None
    encoder: Encoder | None = None
    decoder: Decoder | None = None
    precision: torch.dtype = torch.float32

    def without_latents(self) -> Network:
        """The same motion, frames sampled as they are."""
        return Network(self.velocity)

    def without_motion(self) -> Network:
        """The same latents, nothing moves."""
        return Network(None, self.encoder, self.decoder, self.precision)

    def encode(self, frames: Frames, k: int, box: Box, r: int = PREFILTER_REACH) -> tuple[Tensor, Tensor | None]:
        """Spline coefficients ``(1, 1, z, y, x)`` and latents ``(1, F, z, y, x)`` or None of a box of frame k.

        ``r`` is the reach of the prefilter; training takes a shorter one to spend less on borders.
        """
        if self.encoder is None:
            return prefilter(frames.block(k, grown(box, r)), r), None
        clean, latents = self.encoder(frames.block(k, grown(box, r + self.encoder.reach)), self.precision)
        latents = latents[:, :, r : latents.shape[2] - r, r : latents.shape[3] - r, r : latents.shape[4] - r]
        return prefilter(clean, r), latents

    def moved(self, positions: tuple[Tensor, Tensor, Tensor], nodes: Tensor | None) -> Tensor:
        """Points ``(1, P, 3)`` of a regular grid of voxel positions, displaced by ``nodes`` if there are any."""
        points = torch.stack(torch.meshgrid(*positions, indexing="ij"), -1).reshape(1, -1, 3)
        if nodes is None or self.velocity is None:
            return points
        return points + self.velocity.displacement(nodes, positions).flatten(2).transpose(1, 2)


def needed_box(points: Tensor, shape: tuple[int, int, int], multiple: tuple[int, int, int] = (1, 1, 1)) -> tuple[Tensor, Box]:
    """Points clamped to the frame, and the box of voxels that sampling them touches.

    ``multiple`` rounds the box outwards, so that neighbouring requests share it.
    """
    top = points.new_tensor([n - 1 for n in shape])
    points = torch.minimum(points.clamp(min=0), top)
    low, high = points.amin((0, 1)).floor().tolist(), points.amax((0, 1)).floor().tolist()
    box = []
    for a, b, m, n in zip(low, high, multiple, shape, strict=True):
        start = int(a) // m * m - 1
        end = min(-(-(int(b) + 1) // m) * m, n) + 2
        box.append((start, end))
    return points, (box[0], box[1], box[2])


def sample(encoded: tuple[Tensor, Tensor | None], points: Tensor, box: Box) -> tuple[Tensor, Tensor | None]:
    """Values ``(P,)`` and latents ``(F, P)`` at points ``(1, P, 3)`` of the frame a box was encoded from."""
    coefficients, latents = encoded
    local = points - points.new_tensor([a for a, _ in box])
    values = cubic(coefficients, local)[0]
    return values, None if latents is None else linear(latents, local)[0]
