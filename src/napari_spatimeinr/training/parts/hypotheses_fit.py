"""Learn how to blend what frames say along several velocity fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...config.parts import HypothesesOptions
from ...model.displacements import Displacements
from ...model.frames import Frames
from ...model.hypotheses import Hypotheses, Seen
from ...model.network import Network, around
from ..gate import blocks
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
    network: Network, frames: Frames, given: Sequence[int], predicted: Sequence[int], seed: int
) -> list[Sample]:
    """Frames ``predicted`` from their neighbours among those ``given``, in random blocks."""
    moves = Displacements(network, frames)
    each = max(1, MOST_BLOCKS // max(1, len(predicted)))
    samples = []
    for k in predicted:
        places = around(k, [n for n in given if n != k], 0, frames.time)
        for box in blocks(frames.shape, seed + k, each, BLOCK):
            before, after = seen_along(network, frames, moves, k, places, box)
            early, late = _values(before), _values(after)
            values = (1 - places.share) * early + places.share * late
            truth = frames.block(k, box).flatten()
            samples.append(Sample(values, _contexts(before), _contexts(after), truth))
    return samples


@torch.no_grad()
def share_of_wider(module: Hypotheses, near: Sequence[Sample], far: Sequence[Sample]) -> float:
    """How much of what is learned comes from frames predicted at twice the interval, along fields
    that have not seen them.

    All of it where motion can be followed there at least half as well, by the gain over no motion
    in dB, as along fields that have seen the frame; the less the worse it can be followed, since
    what is learned then is not to trust motion, which is wrong at the real interval.
    """
    if not near or not far:
        return float(bool(far))
    seen, unseen = (max(0.0, _gain(module, samples)) for samples in (near, far))
    return min(1.0, 2 * unseen / seen) if seen > 0 else 1.0


def _gain(module: Hypotheses, samples: Sequence[Sample]) -> float:
    """Gain in dB of what is blended over no motion, the last hypothesis."""
    still, blended = 0.0, 0.0
    for values, before, after, truth in samples:
        still += float((values[-1] - truth).square().sum())
        mean = (module.weights(before, after) * values).sum(0)
        blended += float((mean - truth).square().sum())
    return 10 * math.log10(max(still, 1e-12) / max(blended, 1e-12))


def learn(
    module: Hypotheses,
    near: Sequence[Sample],
    far: Sequence[Sample],
    share: float,
    options: HypothesesOptions,
    seed: int,
) -> Iterator[tuple[int, float]]:
    """Train the weights in place, on ``far`` in a ``share`` of the steps; yields (step, loss)."""
    parameters = [module.prior, *module.layers.parameters()]
    optimiser = torch.optim.AdamW(parameters, options.learning_rate, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * (1 - step / options.steps) ** 0.5
        samples = far if float(torch.rand(1, generator=generator)) < share else near
        number = int(torch.randint(0, len(samples), (1,), generator=generator))
        values, before, after, truth = samples[number]
        pick = torch.randint(0, len(truth), (BATCH,), generator=generator).to(truth.device)
        weights = module.weights(before[..., pick], after[..., pick])
        error = (weights * values[:, pick]).sum(0) - truth[pick]
        loss = error.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield step + 1, float(loss.detach())


@torch.no_grad()
def shares(network: Network, frames: Frames, seed: int) -> list[float]:
    """The mean weight of each hypothesis halfway between frames, in some blocks."""
    assert network.hypotheses is not None
    moves = Displacements(network, frames)
    total = torch.zeros(len(network.fields), device=frames.device)
    number = 0
    for k in sorted({round(i * (frames.count - 2) / 3) for i in range(4)}):
        places = around(k + 0.5, range(frames.count), 0)
        for box in blocks(frames.shape, seed + k, 4, BLOCK):
            sides = seen_along(network, frames, moves, k + 0.5, places, box)
            weights = network.hypotheses.weights(*(_contexts(side) for side in sides))
            total += weights.sum(1)
            number += weights.shape[1]
    return [float(share) for share in total / number]


def _values(side: Sequence[Seen]) -> Tensor:
    return torch.stack([one.values for one in side])


def _contexts(side: Sequence[Seen]) -> Tensor:
    return torch.stack([one.context for one in side if one.context is not None])
