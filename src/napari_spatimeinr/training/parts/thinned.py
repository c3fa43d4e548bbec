"""Denoising learned from single frames, each thinned into two copies of independent noise.

With noise ``n`` of known variance ``s^2`` and more noise ``z`` of the same, ``y + a z`` and ``y - z
/ a`` have noise that is not correlated (Pang et al. 2021, 'Recorrupted-to-Recorrupted'; of photons,
the two shares of a binomial thinning are like that). So one predicts the other best, in the mean
square, where it is clean. Unlike with a blind spot, the voxel itself is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...config.options import Config
from ...model.frames import Box, Frames, grown, inside, random_box
from ...model.network import Network
from ...model.sampling import gaussian
from ...model.source import taken
from ..gate import Errors, blocks
from ..noise import Noise

SPLIT = 0.5
"""How much noise is added to the copy that is given; the other has ``1 / SPLIT``."""
SMOOTH = (0.7, 0.7, 0.7)
"""The brightness that noise goes by is that of a frame smoothed by this, voxels."""
BLURS = (0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4)
"""Widths of the Gaussians that denoising must beat, lateral voxels."""
BLUR_REACH = math.ceil(3 * max(BLURS))
DRAWS = 2
"""Times each block is thinned to judge by."""


class Judged(NamedTuple):
    """How much less squared error than the frame itself has, against what is not noise, dB.

    latents : of the denoised frame.
    blur : of the best Gaussian blur, chosen on the same voxels.
    """

    latents: float
    blur: float


def thinned(
    frames: Frames, k: int, box: Box, reach: int, noise: Noise, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Two copies of a block of frame ``k``: the one given, with ``reach`` voxels around it, ``(1,
    1, z, y, x)``, and the one to be predicted, ``(z, y, x)``; and the variance of its noise.
    """
    ranges, rows = inside(grown(box, reach), frames.shape)
    block = frames.block(k, ranges)
    variance = noise.variance(gaussian(block, SMOOTH))
    # What lies beyond the frame is its mirror image, noise and all.
    extra = variance.sqrt() * torch.randn(block.shape, generator=generator).to(block.device)
    z, y, x = (slice(a - low, b - low) for (a, b), (low, _) in zip(box, ranges, strict=True))
    wanted = (block - extra / SPLIT)[0, 0, z, y, x]
    return taken(block + SPLIT * extra, rows), wanted, variance[0, 0, z, y, x]


def train(
    network: Network,
    frames: Frames,
    noise: Noise,
    config: Config,
    steps: int,
    seed: int,
    mask: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Train the encoder in place to denoise each frame by itself; yields (step, loss).

    ``mask`` ``(1, 1, Z, Y, X)`` is 0 at voxels that must not be targets. The decoder stays as it
    is: it begins with the mean of aligned frames.
    """
    assert network.latents is not None
    options, encoder = config.latents, network.latents.encoder
    parameters = list(encoder.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 20)
            group["lr"] = options.learning_rate * warm * (0.02 + 0.98 * (1 - step / steps))
        loss = torch.zeros((), device=frames.device)
        for _ in range(options.blocks):
            k = int(torch.randint(0, frames.count, (1,), generator=generator))
            box = random_box(frames.shape, options.crop, generator)
            given, wanted, _ = thinned(frames, k, box, encoder.reach, noise, generator)
            squares = (encoder(given, network.precision)[0][0, 0] - wanted) ** 2
            weight = torch.ones_like(squares) if mask is None else _cut(mask, box)
            loss = loss + (squares * weight).sum() / weight.sum().clamp(min=1) / options.blocks
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        yield step + 1, float(loss.detach())


@torch.no_grad()
def judge(
    network: Network,
    frames: Frames,
    noise: Noise,
    hidden: Tensor,
    spacing: Sequence[float],
    seed: int,
) -> Judged:
    """How well denoising does where ``hidden`` ``(1, 1, Z, Y, X)`` is 1: one copy predicts another.

    ``spacing`` is (z, y, x): a blur is as wide along z as across it, in these units.
    """
    assert network.latents is not None
    encoder = network.latents.encoder
    reach = max(encoder.reach, BLUR_REACH)
    generator = torch.Generator().manual_seed(seed)
    errors, total = Errors(), 0.0
    along_z = min(1.0, min(spacing[1:]) / spacing[0])
    for k in range(frames.count):
        for box in blocks(frames.shape, seed + k, most=6) * DRAWS:
            where = _cut(hidden, box).bool()
            if not where.any():
                continue
            given, wanted, variance = thinned(frames, k, box, reach, noise, generator)
            made = {"raw": given, "latents": encoder(given, network.precision)[0]}
            made |= {str(s): gaussian(given, (s * along_z, s, s)) for s in BLURS}
            for name, values in made.items():
                errors.add(name, (_centre(values, wanted) - wanted)[where])
            total += float(variance[where].sum())
    if total <= 0:
        return Judged(0.0, 0.0)
    blurs = [_gain(errors, str(s), total) for s in BLURS]
    return Judged(_gain(errors, "latents", total), max(0.0, *blurs))


def _gain(errors: Errors, name: str, variance: float) -> float:
    """In dB, against the clean frame: the noise of the copy that is predicted is in all errors
    alike, and the frame's own error is the noise that it was given.
    """
    raw = (1 + SPLIT**2) * variance
    left = raw + errors.sums[name]["whole"] - errors.sums["raw"]["whole"]
    return 60.0 if left <= 1e-6 * raw else 10 * math.log10(raw / left)


def _cut(mask: Tensor, box: Box) -> Tensor:
    return mask[0, 0][tuple(slice(a, b) for a, b in box)]


def _centre(values: Tensor, like: Tensor) -> Tensor:
    """The middle of a block ``(1, 1, z, y, x)``, of the size of another, ``(z, y, x)``."""
    margins = [(n - m) // 2 for n, m in zip(values.shape[2:], like.shape, strict=True)]
    z, y, x = (slice(r, r + m) for r, m in zip(margins, like.shape, strict=True))
    return values[0, 0, z, y, x]
