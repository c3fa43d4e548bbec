"""How strong the noise of a recording is, from the recording itself: a line of variance against
brightness (Foi et al. 2008, 'Practical Poissonian-Gaussian noise modeling').
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.frames import Frames
from ..model.sampling import gaussian
from .gate import blocks

WEIGHTS = ((1.0, -2.0, 1.0), (1.0, -4.0, 6.0, -4.0, 1.0))
"""Of second and fourth differences."""
WHITE = 0.85
"""Share of the variance by second differences that fourth ones must say too. Of photon and Gaussian
noise 0.93 to 1.07; of fMRI, whose structure is as fine as its voxels, 0.7; of noise with a
correlation length of half a voxel 0.8."""
LEAST_VOXELS = 200
"""Voxels of about one brightness that say how strong the noise is there."""
BINS = 24
SHARE, WITHIN = 0.7, 1.0364
"""Share of what is normally distributed that is smaller than so many standard deviations; a larger
one is surer, a smaller one less misled by structure."""
SMOOTH = (1.0, 1.5, 1.5)
"""Voxels are sorted by their brightness after this, which hardly depends on their own noise."""
ROUNDS = 30
"""Of a fit that minimises absolute errors, by squares that are weighted again each time."""
NARROW = 0.02
"""Errors, and variances against the largest one, below this share count alike."""
LEAST_NOISE = 1e-3
"""Standard deviation below which noise is not worth removing, normalised intensities."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Variance of noise as a line over brightness, normalised intensities.

    gain : variance per brightness; of photons, what one adds to the intensity.
    floor : variance at brightness 0.
    darkest : below this brightness the line is not followed any further.
    """

    gain: float
    floor: float
    darkest: float = 0.0

    def variance(self, brightness: Tensor) -> Tensor:
        """Of voxels of such a brightness, the same shape."""
        return (self.gain * brightness.clamp(min=self.darkest) + self.floor).clamp(min=0)

    @property
    def offset(self) -> float | None:
        """The brightness at which there would be no noise: what a camera shows without light, if
        it has no reading noise. None where noise does not depend on brightness.
        """
        return -self.floor / self.gain if self.gain > 0 else None

    @property
    def read(self) -> float:
        """Standard deviation where the recording is darkest: reading noise, and that of whatever
        light there is everywhere; one frame cannot tell these apart.
        """
        return math.sqrt(max(0.0, self.gain * self.darkest + self.floor))


NONE = Noise(0.0, 0.0)
"""No noise at all."""


def estimate(frames: Frames, seed: int) -> Noise | None:
    """The noise of some blocks of all frames; None where it is not white.

    Second differences along all axes hold little of a structure that spans more than a voxel,
    fourth ones less. Of noise that is independent from voxel to voxel both say the same; where
    fourth ones say less, what is left is structure, or noise that cannot be told from it.
    """
    lines = []
    for weights in WEIGHTS:
        samples = [
            _samples(frames.block(k, box), weights)
            for k in range(frames.count)
            for box in blocks(frames.shape, seed + k)
        ]
        brightness, mean, residual = (
            np.concatenate([one[i] for one in samples]).astype(np.float64) for i in range(3)
        )
        if not len(residual):
            return None
        lines.append((_line(brightness, mean, residual), torch.from_numpy(brightness)))
    at = lines[0][1]
    second, fourth = (float(noise.variance(at).mean()) for noise, _ in lines)
    return lines[0][0] if fourth >= WHITE * second else None


def nothing_to_remove(noise: Noise | None) -> str | None:
    """Why there is no noise that can be told from structure; None where there is some."""
    if noise is None:
        return "what differs from voxel to voxel cannot be told from structure"
    brightest = float(noise.variance(torch.tensor([0.0, 1.0])).amax())
    return "hardly any noise was found" if brightest < LEAST_NOISE**2 else None


def _samples(block: Tensor, weights: tuple[float, ...]) -> list[NDArray[np.float32]]:
    """Smoothed brightness, mean and differences of the voxels of a block ``(1, 1, z, y, x)`` that
    have neighbours along all axes; axes with too few voxels for the longest differences are left
    out.
    """
    squares = [w**2 for w in weights]
    scale = math.sqrt(sum(squares))
    parts = [gaussian(block, SMOOTH), block, block]
    middle = [0.0] * (len(weights) // 2)
    sums = (
        [*middle, 1.0, *middle],
        [square / scale**2 for square in squares],
        [weight / scale for weight in weights],
    )
    used = [axis for axis in (2, 3, 4) if block.shape[axis] >= len(WEIGHTS[-1])]
    if not used:
        return [np.empty(0, np.float32)] * 3
    for axis in used:
        count = block.shape[axis] - len(weights) + 1
        parts = [
            torch.stack([w * part.narrow(axis, i, count) for i, w in enumerate(some)]).sum(0)
            for part, some in zip(parts, sums, strict=True)
        ]
    return [part.flatten().cpu().numpy() for part in parts]


def _line(brightness: Floats, mean: Floats, residual: Floats) -> Noise:
    """The line through what bins of brightness say."""
    low, high = np.percentile(brightness, (0.1, 99.9))
    edges = np.linspace(low, high, BINS + 1)
    index = np.clip(np.searchsorted(edges, brightness, side="right") - 1, 0, BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    used = [b for b in range(BINS) if counts[b] >= LEAST_VOXELS]
    darkest = float(np.percentile(brightness, 0.5))
    if len(used) < 3:
        return Noise(0.0, _variance(residual), darkest)
    at = np.array([mean[index == b].mean() for b in used])
    variance = np.array([_variance(residual[index == b]) for b in used])
    gain, floor = _robust(at, variance, np.sqrt(np.minimum(counts[used], 20_000)))
    if gain <= 0:
        gain, floor = 0.0, float(np.average(variance, weights=counts[used]))
    return Noise(gain, floor, darkest)


def _variance(residual: Floats) -> float:
    return float((np.quantile(np.abs(residual), SHARE) / WITHIN) ** 2)


def _robust(x: Floats, y: Floats, trust: Floats) -> tuple[float, float]:
    """Slope and intercept of a line, by absolute errors relative to its own values."""
    matrix = np.stack([x, np.ones_like(x)], 1)
    size: Floats = np.maximum(y, NARROW * max(float(y.max()), 1e-30))
    weights: Floats = np.ones_like(x)
    answer: NDArray[Any] = np.zeros(2)
    for _ in range(ROUNDS):
        scaled = trust * weights / size
        answer = np.linalg.lstsq(matrix * scaled[:, None], y * scaled, rcond=None)[0]
        line = matrix @ answer
        size = np.maximum(line, NARROW * max(float(line.max()), 1e-30))
        weights = 1 / np.sqrt(np.maximum(np.abs(y - line) / size, NARROW))
    return float(answer[0]), float(answer[1])
