"""Several answers to where things go, blended at every point by how well they align the frames.

Which answer is right differs from place to place, and often nobody can tell: the mean of plausible
values has a smaller error than any one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .compiled import compiled, plain
from .motion import VelocityField

SIGMAS = (1.0, 2.5)
"""Smoothing of the frames that hypotheses are compared on, lateral voxels."""
LEAST_SIGMA = 0.3
"""The same along z where planes are far apart, as a share."""
KNOWN = 4 + 2 * len(SIGMAS)
"""What is known of a hypothesis at a point."""
NOISE = 0.003
"""Differences of smoothed frames below this say nothing."""
SHARPNESS = 3.0
LOWEST = -6.0
"""Logarithm of the smallest weight, against that of the best."""
ROWS = 8192
"""Points computed at once when nothing is learned, always: products of matrices of other sizes
round differently."""


class Seen(NamedTuple):
    """What a frame says at points along one hypothesis.

    values : ``(P,)``.
    latents : ``(F, P)``, where there is an encoder.
    context : the frame as it was acquired, smoothed with each of :data:`SIGMAS`, ``(S, P)``.
    """

    values: Tensor
    latents: Tensor | None = None
    context: Tensor | None = None


class Hypotheses(nn.Module):
    """Further velocity fields beside the motion, no motion as the last, and their weights.

    One small network sees of each hypothesis how much the two aligned frames differ, by itself and
    against the others, how far its value is from theirs, and how bright it is; the weights are the
    softmax of what it says. Untrained, those count most along which frames differ least.

    Parameters
    ----------
    fields : the further ones.
    width : of the network's two hidden layers.
    sigmas : smoothing of the context, voxels ``(S, 3)``; see :func:`context_sigmas`.
    """

    sigmas: Tensor

    def __init__(self, fields: Sequence[VelocityField], width: int, sigmas: Tensor) -> None:
        super().__init__()
        self.width = width
        self.fields = nn.ModuleList(fields)
        self.layers = nn.ModuleList(
            [nn.Linear(KNOWN, width), nn.Linear(width, width), nn.Linear(width, 1)]
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.prior = nn.Parameter(torch.zeros(len(fields) + 2))
        self.register_buffer("sigmas", sigmas)

    def of(self, fields: Sequence[VelocityField]) -> Hypotheses:
        """What blends other fields with the same weights, which both have together."""
        with torch.random.fork_rng(devices=[]):
            other = Hypotheses(fields, self.width, self.sigmas)
        other.layers, other.prior = self.layers, self.prior
        return other

    def blended(self, before: Sequence[Seen], after: Sequence[Seen]) -> tuple[Seen, Seen]:
        """What the frames before and after say, each a mean over all hypotheses."""
        with torch.no_grad():
            weights = self.weights(*(_contexts(side) for side in (before, after)))
        return _mean(before, weights), _mean(after, weights)

    def weights(self, before: Tensor, after: Tensor) -> Tensor:
        """Of each hypothesis, ``(K, P)``, from contexts ``(K, S, P)`` of two frames."""
        if torch.is_grad_enabled():
            return self._weights(before, after)
        found = compiled("blending", before.device)
        if found is not None:
            return self._compiled(found, before, after)
        count = before.shape[-1]
        padded = (F.pad(part, (0, -count % ROWS)).split(ROWS, -1) for part in (before, after))
        return torch.cat([self._weights(a, b) for a, b in zip(*padded, strict=True)], -1)[:, :count]

    def _compiled(self, kernels: ModuleType, before: Tensor, after: Tensor) -> Tensor:
        """The same by a kernel, which checks nothing."""
        count, points = len(self.prior), before.shape[-1]
        if before.shape != (count, len(SIGMAS), points) or after.shape != before.shape:
            raise ValueError(f"Weights are asked for {count} hypotheses with two contexts each.")
        out = np.empty((count, points), np.float32)
        kernels.weigh(plain(before), plain(after), *self.arguments(), out)
        return torch.from_numpy(out)

    def arguments(self) -> list[NDArray[np.float32]]:
        """What kernels take of it: priors, numbers, weights and biases."""
        numbers = np.array([NOISE, SHARPNESS, LOWEST], np.float32)
        layers = [plain(p) for layer in self.layers for p in (layer.weight, layer.bias)]
        return [plain(self.prior), numbers, *layers]

    def _weights(self, before: Tensor, after: Tensor) -> Tensor:
        differences = (before - after).abs()
        relative = differences / (differences.mean(0) + NOISE)
        value = (before[:, 0] + after[:, 0]) / 2
        away = value - value.mean(0)
        spread = away.abs().mean(0).expand_as(away)
        own = torch.stack([value, away, away.abs(), spread], 1)
        x = torch.cat([own, differences, relative], 1).transpose(1, 2).flatten(0, 1)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = F.relu(x)
        said = SHARPNESS * x.reshape(value.shape) + self.prior[:, None] - relative.mean(1)
        return torch.softmax((said - said.amax(0)).clamp(min=LOWEST), 0)


def spread_of(weights: Tensor, before: Tensor, after: Tensor, share: float) -> Tensor:
    """Standard deviation ``(P,)`` of what two frames say along all hypotheses: large where they
    disagree about where things go, and where the frames differ along them.

    Parameters
    ----------
    weights : of the hypotheses, ``(K, P)``.
    before, after : their contexts, ``(K, S, P)``; the least smoothed counts.
    share : of the interval that has passed: a frame counts the more the nearer it is.
    """
    mean = square = torch.zeros_like(weights[0])
    for weight, a, b in zip(weights, before[:, 0], after[:, 0], strict=True):
        mean = mean + weight * ((1 - share) * a + share * b)
    for weight, a, b in zip(weights, before[:, 0], after[:, 0], strict=True):
        away = (1 - share) * (a - mean).square() + share * (b - mean).square()
        square = square + weight * away
    return square.sqrt()


def context_sigmas(spacing: tuple[float, float, float]) -> Tensor:
    """:data:`SIGMAS` in voxels along z, y and x, ``(S, 3)``, for voxels of (dz, dy, dx)."""
    fine = min(spacing[1:])
    lateral = [min(1.0, max(LEAST_SIGMA, fine / s)) for s in spacing]
    return torch.tensor(SIGMAS)[:, None] * torch.tensor(lateral)


def _contexts(side: Sequence[Seen]) -> Tensor:
    contexts = [one.context for one in side if one.context is not None]
    return torch.stack(contexts)


def _mean(side: Sequence[Seen], weights: Tensor) -> Seen:
    """The weighted mean over hypotheses, added one by one."""
    values = sum(w * one.values for w, one in zip(weights, side, strict=True))
    assert isinstance(values, Tensor)
    latents = [one.latents for one in side if one.latents is not None]
    if not latents:
        return Seen(values)
    mixed = sum(w * some for w, some in zip(weights, latents, strict=True))
    assert isinstance(mixed, Tensor)
    return Seen(values, mixed)
