"""Frames predicted from others: by a whole network, or by each of its hypotheses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

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
def spread(
    network: Network,
    frames: Frames,
    displacements: Displacements,
    t: float,
    places: Around,
    box: Box,
) -> Tensor:
    """How far what the frames around a time say on the voxels of a box is spread, ``(P,)``."""
    source, numbers = FrameSource(network, frames), range(len(network.fields))
    moved_to = _ways(network, frames, displacements, t, box)

    def along(k: int) -> Tensor:
        """All fields at once: what they see is smoothed once."""
        points, needed = moved_to(k, numbers)
        contexts = linear(source.context(k, needed), _within(points, needed))[0]
        return torch.stack(contexts.chunk(len(numbers), 1))

    return network.spread(places.share, along(places.before), along(places.after))


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
    source, numbers = FrameSource(network, frames), range(len(network.fields))
    moved_to = _ways(network, frames, displacements, t, box)

    @functools.cache
    def looks(k: int) -> list[Seen]:
        """Along all fields at once: what they see is encoded once."""
        points, needed = moved_to(k, numbers)
        values, latents = sample(source.encoded(k, needed), points, needed)
        parts: list[Sequence[Tensor | None]] = [values.chunk(len(numbers))]
        parts.append([None] * len(numbers) if latents is None else latents.chunk(len(numbers), 1))
        if network.hypotheses is not None:
            context = linear(source.context(k, needed), _within(points, needed))[0]
            parts.append(context.chunk(len(numbers), 1))
        return [Seen(*some) for some in zip(*parts, strict=True)]

    def outer(k: int) -> Tensor:
        points, needed = moved_to(k, (0,))
        return sample_denoised(source.denoised(k, needed), points, needed)

    return lambda k, i: looks(k)[i], outer


def _ways(
    network: Network, frames: Frames, displacements: Displacements, t: float, box: Box
) -> Callable[[int, Sequence[int]], tuple[Tensor, Box]]:
    """Tells where the voxels of a box at a time are in frame ``k`` along some fields, one after the
    other, ``(1, P, 3)``, and the box of voxels that sampling them touches.
    """
    z, y, x = (torch.arange(a, b, device=frames.device, dtype=torch.float32) for a, b in box)

    def moved_to(k: int, some: Sequence[int]) -> tuple[Tensor, Box]:
        moved = [network.moved((z, y, x), displacements(float(t), float(k), i), i) for i in some]
        return needed_box(torch.cat(moved, 1), frames.shape)

    return moved_to


def _within(points: Tensor, box: Box) -> Tensor:
    """Points by the voxels of a box."""
    return points - points.new_tensor([a for a, _ in box])
