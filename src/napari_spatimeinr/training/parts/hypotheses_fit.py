"""Learn how to blend what frames say along several velocity fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...config.parts import HypothesesOptions
from ...model.displacements import Displacements
from ...model.frames import Frames
from ...model.hypotheses import Hypotheses, Seen
from ...model.network import Network, around
from ..gate import FOREGROUND, blocks
from ..predicting import seen_along

BLOCK = (8, 32, 32)
"""Voxels (z, y, x) of a block that is learned from."""
MOST_BLOCKS = 16
"""Of these, of all frames of one network together, at least one each."""
BATCH = 8000
"""Points of a training step."""
WEIGHT_DECAY = 1e-3


class Sample(NamedTuple):
    """A block of a frame, and what its neighbours say along each hypothesis.

    values : of the frames before and after, by their share of the interval, ``(K, P)``.
    before, after : contexts of the two, ``(K, S, P)``.
    truth : the block, ``(P,)``.
    """

    values: Tensor
    before: Tensor
    after: Tensor
    truth: Tensor


@torch.no_grad()
def samples_of(
    network: Network,
    frames: Frames,
    given: Sequence[int],
    predicted: Sequence[int],
    seed: int,
    mask: Tensor | None = None,
) -> list[Sample]:
    """Frames ``predicted`` from their neighbours among those ``given``, in random blocks; only
    voxels where ``mask`` ``(1, 1, Z, Y, X)`` is 1.
    """
    moves = Displacements(network, frames)
    each = max(1, MOST_BLOCKS // max(1, len(predicted)))
    samples = []
    for k in predicted:
        places = around(k, [n for n in given if n != k], 0, frames.time)
        for box in blocks(frames.shape, seed + k, each, BLOCK):
            before, after = seen_along(network, frames, moves, k, places, box)
            early, late = _values(before), _values(after)
            values = (1 - places.share) * early + places.share * late
            sample = Sample(
                values, _contexts(before), _contexts(after), frames.block(k, box).flatten()
            )
            if mask is not None:
                inside = mask[0, 0][tuple(slice(a, b) for a, b in box)].flatten() > 0
                sample = Sample(*(part[..., inside] for part in sample))
            if len(sample.truth):
                samples.append(sample)
    return samples


def learn(
    module: Hypotheses,
    samples: Sequence[Sequence[Sample]],
    options: HypothesesOptions,
    seed: int,
) -> Iterator[tuple[int, float]]:
    """Train the weights in place, on one of several sets of samples after the other; yields (step,
    loss).
    """
    parameters = [module.prior, *module.layers.parameters()]
    optimiser = torch.optim.AdamW(parameters, options.learning_rate, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * (1 - step / options.steps) ** 0.5
        some = samples[step % len(samples)]
        number = int(torch.randint(0, len(some), (1,), generator=generator))
        values, before, after, truth = some[number]
        pick = torch.randint(0, len(truth), (BATCH,), generator=generator).to(truth.device)
        weights = module.weights(before[..., pick], after[..., pick])
        error = (weights * values[:, pick]).sum(0) - truth[pick]
        loss = error.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield step + 1, float(loss.detach())


class Shares(NamedTuple):
    """Mean weights of hypotheses: everywhere, and where something moves; NaN where nothing does."""

    whole: list[float]
    moving: list[float]


@torch.no_grad()
def shares(network: Network, frames: Frames, seed: int) -> Shares:
    """How much each hypothesis counts halfway between frames, in some blocks."""
    assert network.hypotheses is not None
    moves = Displacements(network, frames)
    total = torch.zeros(2, len(network.fields), device=frames.device)
    number = torch.zeros(2, device=frames.device)
    for k in sorted({round(i * (frames.count - 2) / 3) for i in range(4)}):
        places = around(k + 0.5, range(frames.count), 0)
        for box in blocks(frames.shape, seed + k, 4, BLOCK):
            sides = seen_along(network, frames, moves, k + 0.5, places, box)
            before, after = (_contexts(side) for side in sides)
            weights = network.hypotheses.weights(before, after)
            # Without motion, and smoothed as those that the gates compare.
            moving = (before[-1, 0] - after[-1, 0]).abs() > FOREGROUND
            some = torch.stack([torch.ones_like(moving), moving]).to(weights.dtype)
            total += some @ weights.T
            number += some.sum(1)
    whole, foreground = (total / number[:, None]).tolist()
    return Shares(whole, foreground)


def _values(side: Sequence[Seen]) -> Tensor:
    return torch.stack([one.values for one in side])


def _contexts(side: Sequence[Seen]) -> Tensor:
    return torch.stack([one.context for one in side if one.context is not None])
