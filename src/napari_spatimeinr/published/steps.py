"""Training steps of the published model: of its latents, and of its MLP, cell by cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..config.options import Config
from ..config.published import PublishedOptions
from ..model.frames import Frames
from .hypercube import jittered
from .model import Published

CROP = (16, 48, 48)
"""Degraded voxels (z, y, x) of a step of the latents, at most."""
CYCLE_SHARE = 16
"""One of so many cells also goes through the cycles, each of which renders several smaller ones for
it."""
POOL = 4_000_000
"""Voxels held at a time to draw cells from; of a larger recording others are read when these are
used up."""


def train_latents(
    model: Published, frames: Frames, coarse: Tensor, seed: int
) -> Iterator[tuple[int, float]]:
    """Train RCAN in place to undo the degradation ``coarse`` ``(1, T, z, y, x)`` of frames; yields
    (step, loss).
    """
    options = model.options
    optimiser = _optimiser(model, [*model.rcan.parameters(), model.heads, *model.up.parameters()])
    generator = torch.Generator().manual_seed(seed)
    for step in range(options.rcan_max_iter):
        sizes = [min(n, c) for n, c in zip(coarse.shape[2:], CROP, strict=True)]
        starts = [
            int(torch.randint(0, n - c + 1, (1,), generator=generator))
            for n, c in zip(coarse.shape[2:], sizes, strict=True)
        ]
        z, y, x = (slice(a, a + c) for a, c in zip(starts, sizes, strict=True))
        part = coarse[:, :, z, y, x]
        box = [
            (a * f, min((a + c) * f, n))
            for a, c, f, n in zip(starts, sizes, model.factors, frames.shape, strict=True)
        ]
        target = torch.cat(
            [frames.block(k, (box[0], box[1], box[2])) for k in range(frames.count)], 1
        )
        loss = (model.reconstructed(part, target.shape[2:]) - target).square().mean()
        yield step + 1, _descend(optimiser, [loss], model)


def train_mlp(
    model: Published,
    frames: Frames,
    config: Config,
    seed: int,
    progress: Callable[[int], float] | None = None,
    done: int = 0,
    size: int = 0,
) -> Iterator[tuple[int, float]]:
    """Train the MLP and the latents' heads in place, from step ``done``, ``size`` cells a step;
    yields (step, loss).
    """
    options, part = model.options, model.options.dataset.train
    size = size or part.bsize * options.dataloader.train.batch_size
    parameters = [*model.mlp.parameters(), model.heads]
    optimiser = _optimiser(model, parameters)
    generator = torch.Generator().manual_seed(seed + done)
    batches = cells(frames, size, options.dataloader.train.shuffle, generator)
    for step in range(done, options.max_iter):
        share = step / options.max_iter if progress is None else progress(step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(options, share)
        points, target = next(batches)
        few = slice(0, max(1, size // CYCLE_SHARE))
        losses = [_losses(model, points, target, (part.scaleT, part.scale), generator)]
        for weight, split in ((config.cycle.temporal, (2, 1)), (config.cycle.spatial, (1, 2))):
            if weight > 0:
                losses.append(_losses(model, points[few], target[few], split, generator, weight))
        yield step + 1, _descend(optimiser, itertools.chain(*losses), model)


def learning_rate(options: PublishedOptions, share: float) -> float:
    """Sine warm-up and log-linear decay; ``share`` in [0, 1] of ``max_iter`` steps are over."""
    decay, step = options.lr_decay, share * options.max_iter
    warm = 1.0
    if decay.lr_delay_steps > 0:
        rising = math.sin(0.5 * math.pi * min(1.0, step / decay.lr_delay_steps))
        warm = decay.lr_delay_mult + (1 - decay.lr_delay_mult) * rising
    along = min(1.0, step / decay.max_iter)
    return warm * math.exp((1 - along) * math.log(decay.lr_init) + along * math.log(decay.lr_final))


def _losses(
    model: Published,
    points: Tensor,
    target: Tensor,
    split: tuple[float, float],
    generator: torch.Generator,
    weight: float = 1.0,
) -> Iterator[Tensor]:
    """The loss of cells in parts that are computed at a time; their sum counts ``weight``."""
    size = max(1, model.at_once() // round(split[0] * split[1] ** 3))
    for some, values in zip(points.split(size), target.split(size), strict=True):
        yield weight * len(some) / len(points) * _loss(model, some, values, split, generator)


def _loss(
    model: Published,
    points: Tensor,
    target: Tensor,
    split: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Coarse and fine value of cells against the recording; ``split`` in time and space, their mean
    is compared.

    Rendered finer and degraded, predicted around a frame and averaged: that is the cycle. Adaptive:
    the coarse value counts as much as the fine one, however different their errors are.
    """
    per_frame, per_voxel = (round(n) for n in split)
    device = points.device
    pieces = (per_frame, per_voxel, per_voxel, per_voxel)
    centres = torch.tensor(
        list(itertools.product(*([(i + 0.5) / n - 0.5 for i in range(n)] for n in pieces))),
        device=device,
    )
    half = model.options.dataset.train.radius / torch.tensor(
        pieces, dtype=torch.float32, device=device
    )
    count = len(centres)
    places = (points[:, None] + centres).reshape(-1, 4)
    offsets = jittered(len(places), model.options.n_samples, generator).to(device)
    m = model.options.n_imps
    quantiles = (
        (torch.arange(m) + torch.rand(len(places), m, generator=generator)) / max(m, 1)
    ).to(device)
    coarse, fine = model.cells(places, half, offsets, quantiles)
    errors = [(value.view(-1, count).mean(1) - target).square().mean() for value in (coarse, fine)]
    if m == 0:
        return errors[1]
    adapted = (errors[1].detach() / errors[0].detach().clamp(min=1e-12)).clamp(max=1.0)
    return errors[1] + adapted * errors[0]


def cells(
    frames: Frames, size: int, shuffle: bool, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Voxels of a recording, ``size`` at a time and without end: centres ``(P, 4)`` in frames and
    voxels, and values ``(P,)``.

    All voxels in turn, in random order or as they are stored.
    """
    plane = math.prod(frames.shape)
    share = max(1, POOL // frames.count)  # voxels of each frame in a pool
    while True:
        orders = [
            torch.randperm(plane, generator=generator) if shuffle else torch.arange(plane)
            for _ in range(frames.count)
        ]
        for start in range(0, plane, share):
            chosen = [order[start : start + share] for order in orders]
            values = [
                frames.whole(k).flatten()[index.to(frames.device)] for k, index in enumerate(chosen)
            ]
            numbers = torch.cat([index + k * plane for k, index in enumerate(chosen)])
            known = torch.cat(values)
            order = (
                torch.randperm(len(numbers), generator=generator)
                if shuffle
                else torch.arange(len(numbers))
            )
            for some in order.split(size):
                yield (
                    _centres(numbers[some], frames.shape).to(frames.device),
                    known[some.to(frames.device)],
                )


def _centres(numbers: Tensor, shape: tuple[int, int, int]) -> Tensor:
    z, y, x = shape
    return torch.stack(
        [numbers // (z * y * x), numbers // (y * x) % z, numbers // x % y, numbers % x], -1
    ).float()


def _optimiser(model: Published, parameters: list[Any]) -> torch.optim.Optimizer:
    options = model.options.optim
    kind = torch.optim.Adam if options.name == "Adam" else torch.optim.AdamW
    return kind(parameters, lr=options.lr, betas=options.betas, eps=options.eps)


def _descend(optimiser: torch.optim.Optimizer, losses: Iterable[Tensor], model: Published) -> float:
    """One step down the sum of losses, each of which is let go before the next is computed; the
    sum.
    """
    optimiser.zero_grad()
    total = 0.0
    for loss in losses:
        loss.backward()
        total += float(loss.detach())
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_value_(parameters, model.options.clip_grad.max_val)
    torch.nn.utils.clip_grad_norm_(parameters, model.options.clip_grad.max_norm)
    optimiser.step()
    return total
