"""Train encoder and decoder on frames the prediction did not see.

A block of frame k is predicted from an earlier and a later frame along the trajectories. The noise
of frame k is independent of theirs, so the mean-square optimum is the clean image (Lehtinen et al.
2018, 'Noise2Noise').
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...config.options import Config, CycleOptions
from ...model.displacements import Displacements
from ...model.frames import Box, Frames, grown, random_box
from ...model.motion import Displaced
from ...model.network import Around, Network, around, needed_box, sample, sample_denoised
from ...model.sampling import PREFILTER_REACH, cubic, prefilter

POINTS = 4096
"""Voxels of a block that are compared in one step."""
ALONE = 0.03
"""Weight of predicting a frame from one neighbour alone; more would blur what moved too far to be
aligned."""


@dataclass(frozen=True)
class Task:
    """Predict frame ``target`` from the frames around it, or (with ``around`` None)
    from ``alone``.
    """

    target: int
    around: Around | None
    alone: int | None = None


def tasks_for(given: list[int], outer: int) -> list[Task]:
    """Training tasks from the given frame numbers: each frame from its neighbours; of two frames,
    each from the other.
    """
    out = [Task(k, around(k, [n for n in given if n != k], outer)) for k in given[1:-1]]
    if not out and len(given) == 2:
        out = [Task(given[1], None, given[0]), Task(given[0], None, given[1])]
    return out


def train(
    network: Network,
    frames: Frames,
    given: list[int],
    config: Config,
    steps: int,
    seed: int,
    mask: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Train encoder and decoder in place; yields (step, loss).

    ``given`` are the frames that may be used; ``mask`` ``(1, 1, Z, Y, X)`` is 0 at voxels that must
    not be targets.
    """
    assert network.latents is not None
    options = config.latents
    tasks = tasks_for(given, network.outer)
    generator = torch.Generator().manual_seed(seed)
    parameters = list(network.latents.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=1e-4)
    displacements = Displacements(network)
    for step in range(steps):
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 20)
            group["lr"] = options.learning_rate * warm * (0.02 + 0.98 * (1 - step / steps))
        loss = torch.zeros((), device=frames.device)
        for _ in range(options.blocks):
            task = tasks[int(torch.randint(0, len(tasks), (1,), generator=generator))]
            box = random_box(frames.shape, options.crop, generator)
            loss = (
                loss
                + _block_loss(network, frames, task, box, displacements, config, generator, mask)
                / options.blocks
            )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        yield step + 1, float(loss.detach())


class _Drawn(NamedTuple):
    """Voxels of a block that are compared, the first ``number`` of the places; others lie around
    some of them.
    """

    places: Tensor
    target: Tensor
    weight: Tensor
    number: int

    def error(self, values: Tensor) -> Tensor:
        """The mean error of values at the voxels, robust."""
        return _mean(_robust(values[: self.number] - self.target[: self.number]), self.weight)


def _drawn(
    frames: Frames, k: int, box: Box, spatial: bool, mask: Tensor | None, generator: torch.Generator
) -> _Drawn:
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
    return _Drawn(places, _target(frames, k, places, len(at)), weight, len(at))


def _block_loss(
    network: Network,
    frames: Frames,
    task: Task,
    box: Box,
    displacements: Displacements,
    config: Config,
    generator: torch.Generator,
    mask: Tensor | None,
) -> Tensor:
    drawn = _drawn(frames, task.target, box, config.cycle.spatial > 0, mask, generator)

    def needed(k: int) -> tuple[Tensor, Box]:
        return needed_box(
            _moved(network, displacements(task.target, k), drawn.places)[None], frames.shape
        )

    def sampled(k: int) -> tuple[Tensor, Tensor | None]:
        points, part = needed(k)
        return sample(network.encode(frames, k, part), points, part)

    @torch.no_grad()
    def denoised(k: int) -> Tensor:
        points, part = needed(k)
        return sample_denoised(network.denoised(frames, k, part)[0], points, part)

    if task.around is None:
        assert task.alone is not None
        return drawn.error(sampled(task.alone)[0])
    near = task.around
    inner = [sampled(k) for k in (near.before, near.after)]
    # The outer frames only help to average: the encoder does not learn from them.
    outer = []
    for side, beyond in enumerate((near.outer_before, near.outer_after)):
        # One side is left out now and then, as it is at both ends of the recording.
        if not beyond or float(torch.rand(1, generator=generator)) < 0.15:
            outer.append(inner[side][0])
        else:
            outer.append(torch.stack([denoised(k) for k in beyond]).mean(0))
    # Time runs backwards half of the time: the decoder has no preferred direction.
    order = (1, 0) if bool(torch.rand(1, generator=generator) < 0.5) else (0, 1)

    def predicted(u: float) -> Tensor:
        (a, la), (b, lb) = (inner[i] for i in order)
        assert network.latents is not None and la is not None and lb is not None
        share = u if order == (0, 1) else 1 - u
        result: Tensor = network.latents.decoder(
            (a, b), (outer[order[0]], outer[order[1]]), (la, lb), share, network.precision
        )
        return result

    loss = torch.zeros((), device=frames.device)
    for value, _ in inner:
        loss = loss + ALONE * drawn.error(value)
    return loss + _blended_loss(predicted, near.share, drawn, config.cycle)


def _blended_loss(
    predicted: Callable[[float], Tensor], share: float, drawn: _Drawn, cycle: CycleOptions
) -> Tensor:
    """The error of what the decoder makes of both sides at ``share`` of the interval, and what the
    cycles add.
    """
    out = predicted(share)
    loss = drawn.error(out)
    if cycle.spatial > 0:
        count, target, q = drawn.number, drawn.target, drawn.number // 4
        here, there = slice(count, count + q), slice(count + q, count + 2 * q)
        cell = (2 * out[:q] + out[here] + out[there]) / 4 - (
            2 * target[:q] + target[here] + target[there]
        ) / 4
        loss = loss + cycle.spatial * _mean(cell**2, drawn.weight[:q])
    if cycle.temporal > 0:
        # Predict at two times between, and from these the frame back.
        step = min(0.25, share, 1 - share)
        loss = loss + cycle.temporal * drawn.error(
            (predicted(share - step) + predicted(share + step)) / 2
        )
    return loss


def _robust(error: Tensor) -> Tensor:
    """Square of an error, growing only linearly beyond the noise: what cannot be aligned must not
    teach blur.
    """
    scale = 3 * error.detach().abs().median().clamp(min=1e-6)
    return 2 * scale**2 * (torch.sqrt(1 + (error / scale) ** 2) - 1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
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


def _moved(network: Network, displaced: Displaced | None, points: Tensor) -> Tensor:
    if displaced is None or network.motion is None:
        return points
    return points + network.motion.displacement_at(displaced, points[None])[0]
