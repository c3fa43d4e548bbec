"""Voxels of a block that a prediction is compared with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ...model.differentiable import cubic
from ...model.frames import Box, Frames, grown
from ...model.network import needed_box
from ...model.sampling import PREFILTER_REACH, prefilter

POINTS = 4096
"""Voxels of a block that are compared in one step."""


class Drawn(NamedTuple):
    """Voxels of a block that are compared, the first ``number`` of the places; others lie around
    some of them.
    """

    places: Tensor
    target: Tensor
    weight: Tensor
    number: int

    def error(self, values: Tensor) -> Tensor:
        """The mean error of values at the voxels, robust."""
        return mean_error(robust(values[: self.number] - self.target[: self.number]), self.weight)

    def cells(self, values: Tensor) -> Tensor:
        """Means over the cells around the first quarter of the voxels."""
        count, quarter = self.number, self.number // 4
        here = values[count : count + quarter]
        there = values[count + quarter : count + 2 * quarter]
        return (2 * values[:quarter] + here + there) / 4


def drawn_voxels(
    frames: Frames, k: int, box: Box, spatial: bool, mask: Tensor | None, generator: torch.Generator
) -> Drawn:
    """Voxels of a block of frame ``k``; with ``spatial``, a quarter of them also at two places in
    their cells.
    """
    device = frames.device
    (z0, z1), (y0, y1), (x0, x1) = box
    total = (z1 - z0) * (y1 - y0) * (x1 - x0)
    pick = (
        torch.randperm(total, generator=generator)[:POINTS].to(device)
        if total > POINTS
        else torch.arange(total, device=device)
    )
    ny, nx = y1 - y0, x1 - x0
    offsets = torch.stack([pick // (ny * nx), pick // nx % ny, pick % nx], -1).float()
    at = offsets + offsets.new_tensor([z0, y0, x0])
    places = at
    if spatial:
        # The cell around a voxel, sampled at two opposite random places (the same for the whole
        # block).
        shift = (torch.rand(3, generator=generator) - 0.5).to(device)
        places = torch.cat([at, at[: len(at) // 4] + shift, at[: len(at) // 4] - shift])
    weight = torch.ones(len(at), device=device)
    if mask is not None:
        z, y, x = at.long().unbind(-1)
        weight = mask[0, 0, z, y, x]
    return Drawn(places, _target(frames, k, places, len(at)), weight, len(at))


def robust(error: Tensor) -> Tensor:
    """Square of an error, growing only linearly beyond the noise: what cannot be aligned must not
    teach blur.
    """
    scale = 3 * error.detach().abs().median().clamp(min=1e-6)
    return 2 * scale**2 * (torch.sqrt(1 + (error / scale) ** 2) - 1)


def mean_error(values: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean."""
    return (values * weight).sum() / weight.sum().clamp(min=1)


@torch.no_grad()
def _target(frames: Frames, k: int, places: Tensor, whole: int) -> Tensor:
    """Frame k at voxels (the first ``whole`` places) and, by its spline, between them."""
    points, needed = needed_box(places[None], frames.shape)
    block = frames.block(k, grown(needed, PREFILTER_REACH))
    low = places.new_tensor([a for a, _ in needed])
    index = (places[:whole] - low + PREFILTER_REACH).long()
    values = block[0, 0, index[:, 0], index[:, 1], index[:, 2]]
    if len(places) == whole:
        return values
    between = cubic(prefilter(block), points[:, whole:] - low)[0]
    return torch.cat([values, between])
