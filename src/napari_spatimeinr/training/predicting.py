"""Frames predicted from others: by a whole network, or by each of its hypotheses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..model.displacements import Displacements
from ..model.frames import Box, Frames
from ..model.hypotheses import Seen
from ..model.network import Around, Network, needed_box, sample, sample_denoised
from ..model.sampling import linear
from ..model.source import FrameSource


@torch.no_grad()
def predict(
    network: Network, frames: Frames, displacements: Displacements, t: int, places: Around, box: Box
) -> Tensor:
    """Frame ``t`` on the voxels of a box from other frames: ``(z, y, x)``, normalised."""
    seen, outer = _looks(network, frames, displacements, t, box)
    return network.between(places, seen, outer).reshape([b - a for a, b in box])


@torch.no_grad()
def seen_along(
    network: Network,
    frames: Frames,
    displacements: Displacements,
    t: float,
    places: Around,
    box: Box,
) -> tuple[list[Seen], list[Seen]]:
    """What the frames before and after a time say on the voxels of a box, along each field of a
    network.
    """
    seen, _ = _looks(network, frames, displacements, t, box)
    number = range(len(network.fields))
    return [seen(places.before, i) for i in number], [seen(places.after, i) for i in number]


def _looks(
    network: Network, frames: Frames, displacements: Displacements, t: float, box: Box
) -> tuple[Callable[[int, int], Seen], Callable[[int], Tensor]]:
    """What :meth:`.Network.between` asks of frames, on the voxels of a box."""
    source = FrameSource(network, frames)
    z, y, x = (torch.arange(a, b, device=frames.device, dtype=torch.float32) for a, b in box)

    def at(k: int, number: int = 0) -> tuple[Tensor, Box]:
        displaced = displacements(float(t), float(k), number)
        return needed_box(network.moved((z, y, x), displaced, number), frames.shape)

    def inner(k: int, number: int) -> Seen:
        points, needed = at(k, number)
        values, latents = sample(source.encoded(k, needed), points, needed)
        if network.hypotheses is None:
            return Seen(values, latents)
        context = linear(source.context(k, needed), points - points.new_tensor(needed)[:, 0])[0]
        return Seen(values, latents, context)

    def outer(k: int) -> Tensor:
        points, needed = at(k)
        return sample_denoised(source.denoised(k, needed), points, needed)

    return inner, outer
