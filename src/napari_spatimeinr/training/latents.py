"""Train encoder and decoder on frames the prediction did not see.

A block of frame k is predicted from an earlier and a later frame along the trajectories. The noise of
frame k is independent of theirs, so the mean-square optimum is the clean image (Lehtinen et al.
2018, 'Noise2Noise').
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import Config
from ..model.frames import Box, Frames
from ..model.network import Network, needed_box, sample
from ..model.sampling import PREFILTER_REACH, cubic, linear, prefilter

POINTS = 4096
"""Voxels of a block that are compared in one step."""
TRAINING_REACH = 4
"""Reach of the spline prefilter in training, voxels."""
ALONE = 0.3
"""Weight of predicting a frame from one neighbour alone, at the recording's own gap."""


@dataclass(frozen=True)
class Triple:
    """Predict ``target`` from ``before`` and ``after`` (frame numbers); one of them None: from the other alone."""

    before: int | None
    target: int
    after: int | None

    @property
    def share(self) -> float:
        """Share of the interval that has passed at the target."""
        if self.before is None or self.after is None:
            return 0.5
        return (self.target - self.before) / (self.after - self.before)


def triples(given: list[int]) -> list[Triple]:
    """Training tasks from the given frame numbers; neighbours first, then one frame further away."""
    out = [Triple(a, k, b) for a, k, b in zip(given, given[1:], given[2:], strict=False)]
    if not out and len(given) == 2:
        out = [Triple(given[0], given[1], None), Triple(None, given[0], given[1])]
    return out


class Displacements:
    """Displacement nodes between frame times, computed once; None when nothing moves."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.known: dict[tuple[float, float], Tensor] = {}

    @torch.no_grad()
    def __call__(self, start: float, end: float) -> Tensor | None:
        if self.network.velocity is None or start == end:
            return None
        if (start, end) not in self.known:
            self.known[start, end] = self.network.velocity.displacement_nodes(start, end)
        return self.known[start, end]


def random_box(shape: tuple[int, int, int], size: tuple[int, int, int], generator: torch.Generator) -> Box:
    """A block of at most ``size`` anywhere in a frame."""
    box = []
    for n, s in zip(shape, size, strict=True):
        s = min(n, s)
        a = int(torch.randint(0, n - s + 1, (1,), generator=generator))
        box.append((a, a + s))
    return box[0], box[1], box[2]


def train(
    network: Network, frames: Frames, given: list[int], config: Config, steps: int, seed: int, mask: Tensor | None = None
) -> Iterator[tuple[int, float]]:
    """Train encoder and decoder in place; yields (step, loss).

    ``given`` are the frames that may be used; ``mask`` ``(1, 1, Z, Y, X)`` is 0 at voxels that must not be targets.
    """
    assert network.encoder is not None and network.decoder is not None
    options = config.latents
    tasks = triples(given)
    generator = torch.Generator().manual_seed(seed)
    parameters = [*network.encoder.parameters(), *network.decoder.parameters()]
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
            loss = loss + _block_loss(network, frames, task, box, displacements, config, generator, mask) / options.blocks
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        yield step + 1, float(loss.detach())


def _block_loss(
    network: Network,
    frames: Frames,
    task: Triple,
    box: Box,
    displacements: Displacements,
    config: Config,
    generator: torch.Generator,
    mask: Tensor | None,
) -> Tensor:
    device = frames.device
    (z0, z1), (y0, y1), (x0, x1) = box
    total = (z1 - z0) * (y1 - y0) * (x1 - x0)
    pick = torch.randperm(total, generator=generator)[:POINTS].to(device) if total > POINTS else torch.arange(total, device=device)
    nz, ny, nx = z1 - z0, y1 - y0, x1 - x0
    offsets = torch.stack([pick // (ny * nx), pick // nx % ny, pick % nx], -1).float()
    low = offsets.new_tensor([z0, y0, x0])
    at = offsets + low
    shift = torch.zeros(3, device=device)
    spatial = config.cycle.spatial > 0
    if spatial:
        # The cell around a voxel, sampled at two opposite random places (the same for the whole block).
        shift = (torch.rand(3, generator=generator) - 0.5).to(device)
    places = torch.cat([at, at[: len(at) // 4] + shift, at[: len(at) // 4] - shift]) if spatial else at
    target = _target(frames, task.target, places, len(at))
    weight = torch.ones(len(at), device=device)
    if mask is not None:
        z, y, x = at.long().unbind(-1)
        weight = mask[0, 0, z, y, x]
    values = {}
    for k in (task.before, task.after):
        if k is not None:
            points = _moved(network, displacements(task.target, k), places)
            points, needed = needed_box(points[None], frames.shape)
            values[k] = sample(network.encode(frames, k, needed, TRAINING_REACH), points, needed)
    loss = torch.zeros((), device=device)
    for value, _ in values.values():
        loss = loss + ALONE * _mean((value[: len(at)] - target[: len(at)]) ** 2, weight)
    if task.before is None or task.after is None:
        return loss
    (a, la), (b, lb) = values[task.before], values[task.after]
    assert la is not None and lb is not None and network.decoder is not None

    def predicted(u: float) -> Tensor:
        assert la is not None and lb is not None and network.decoder is not None
        # Time runs backwards half of the time: the decoder has no preferred direction.
        if flip:
            result: Tensor = network.decoder(b, a, lb, la, 1 - u, network.precision)
        else:
            result = network.decoder(a, b, la, lb, u, network.precision)
        return result

    flip = bool(torch.rand(1, generator=generator) < 0.5)
    out = predicted(task.share)
    loss = loss + _mean((out[: len(at)] - target[: len(at)]) ** 2, weight)
    if spatial:
        q = len(at) // 4
        here, there = slice(len(at), len(at) + q), slice(len(at) + q, len(at) + 2 * q)
        cell = (2 * out[:q] + out[here] + out[there]) / 4 - (2 * target[:q] + target[here] + target[there]) / 4
        loss = loss + config.cycle.spatial * _mean(cell**2, weight[:q])
    if config.cycle.temporal > 0:
        # Predict at two times between, and from these the frame back.
        step = min(0.25, task.share, 1 - task.share)
        back = (predicted(task.share - step) + predicted(task.share + step)) / 2
        loss = loss + config.cycle.temporal * _mean((back[: len(at)] - target[: len(at)]) ** 2, weight)
    return loss


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)


@torch.no_grad()
def _target(frames: Frames, k: int, places: Tensor, whole: int) -> Tensor:
    """Frame k at voxels (the first ``whole`` places) and, by its spline, between them."""
    points, needed = needed_box(places[None], frames.shape)
    margin = PREFILTER_REACH
    (a, b), (c, d), (e, f) = needed
    block = frames.block(k, ((a - margin, b + margin), (c - margin, d + margin), (e - margin, f + margin)))
    index = (places[:whole] - places.new_tensor([a - margin, c - margin, e - margin])).long()
    values = block[0, 0, index[:, 0], index[:, 1], index[:, 2]]
    if len(places) == whole:
        return values
    between = cubic(prefilter(block), points[:, whole:] - points.new_tensor([a, c, e]))[0]
    return torch.cat([values, between])


def _moved(network: Network, nodes: Tensor | None, points: Tensor) -> Tensor:
    if nodes is None or network.velocity is None:
        return points
    scale = points.new_tensor([(m - 1) / (n - 1) if n > 1 else 0.0 for m, n in zip(nodes.shape[2:], network.velocity.shape, strict=True)])
    return points + linear(nodes, (points * scale)[None])[0].T
