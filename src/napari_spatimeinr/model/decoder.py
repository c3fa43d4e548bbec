"""From what the neighbouring frames say about a point to its value."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .compiled import compiled, plain

Pair = tuple[Tensor, Tensor]
ROWS = 8192
"""Points computed at once when nothing is learned, always: products of matrices of other sizes
round differently."""
FIRST_SHARE = 0.25
"""Shares of the interval the decoder is trained on begin here; nearer to a frame it is asked for
this one."""
OUTER_START = -0.5
"""Logarithm of the weight the two outer frames start with, relative to the inner ones."""


class Decoder(nn.Module):
    """A small MLP that blends two inner and two outer frames and adds a residual.

    ``value = sum(w_i v_i) / sum(w_i) + fade r``. With ``u`` the share of the interval that has
    passed, the inner weights start as ``1 - u`` and ``u``; the outer ones and ``fade`` go to 0 at
    the frames, so an acquired frame is made of that frame alone.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(2 * features + 8, width), nn.Linear(width, width), nn.Linear(width, 4)]
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self,
        inner: Pair,
        outer: Pair,
        latents: Pair,
        u: float,
        precision: torch.dtype,
    ) -> Tensor:
        """Values at points.

        Parameters
        ----------
        inner : values ``(P,)`` of the frames before and after.
        outer : mean values ``(P,)`` of the frames before and after those, or the inner ones again
            at the ends.
        latents : ``(F, P)`` of the inner frames.
        u : share of the interval, in [0, 1].
        precision : arithmetic of the layers while they learn; float32 afterwards.
        """
        if torch.is_grad_enabled():
            return self._blended(inner, outer, latents, u, precision)
        found = compiled("decoding", inner[0].device)
        if found is not None:
            return self._compiled(found, inner, outer, latents, u)
        count = len(inner[0])
        known = [F.pad(part, (0, -count % ROWS)) for part in (*inner, *outer, *latents)]
        pieces = zip(*(part.split(ROWS, -1) for part in known), strict=True)
        values = [self._blended(p[:2], p[2:4], p[4:], u, torch.float32) for p in pieces]
        return torch.cat(values)[:count]

    def _compiled(
        self, kernels: ModuleType, inner: Pair, outer: Pair, latents: Pair, u: float
    ) -> Tensor:
        """The same by a kernel, which checks nothing."""
        count = len(inner[0])
        first = self.layers[0]
        assert isinstance(first, nn.Linear)
        features = (first.in_features - 8) // 2
        flat, known = (count,), (features, count)
        if any(p.shape != flat for p in (*inner, *outer)) or any(p.shape != known for p in latents):
            raise ValueError(f"The decoder takes {features} latents of {count} points.")
        of_inner, of_outer = (tuple(plain(p) for p in pair) for pair in (inner, outer))
        of_latents = tuple(p.float().numpy() for p in latents)
        out = np.empty(count, np.float32)
        kernels.decode(of_inner, of_outer, of_latents, *self.arguments(u), out)
        return torch.from_numpy(out)

    def arguments(self, u: float) -> list[NDArray[np.float32]]:
        """What kernels take of it at a share ``u`` of the interval: shares, weights and biases."""
        shares = np.array([u, 2 * _asked(u) - 1, _fade(u), OUTER_START], np.float32)
        return [shares, *(plain(p) for one in self.layers for p in (one.weight, one.bias))]

    def _blended(
        self,
        inner: Pair,
        outer: Pair,
        latents: Pair,
        u: float,
        precision: torch.dtype,
    ) -> Tensor:
        a, b = inner
        mean, difference = (a + b) / 2, a - b
        before, after = outer[0] - mean, outer[1] - mean
        known = [
            mean,
            difference,
            difference.abs(),
            torch.full_like(a, 2 * _asked(u) - 1),
            before,
            after,
            before.abs(),
            after.abs(),
        ]
        x = torch.cat([*latents, torch.stack(known)]).T.to(precision)
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            x = F.linear(x, layer.weight.to(precision), layer.bias.to(precision))
            if i < len(self.layers) - 1:
                x = F.relu(x)
        out = x.float().T
        fade = _fade(u)
        odds = torch.exp(
            out[:3].clamp(-5, 5) + out.new_tensor([0.0, OUTER_START, OUTER_START])[:, None]
        )
        w_a, w_before, w_after = (1 - u) * odds[0], fade * odds[1], fade * odds[2]
        total = w_a * a + u * b + w_before * outer[0] + w_after * outer[1]
        return total / (w_a + u + w_before + w_after) + fade * out[3]


def _asked(u: float) -> float:
    """The share of the interval that the decoder is told."""
    return min(max(u, FIRST_SHARE), 1 - FIRST_SHARE)


def _fade(u: float) -> float:
    """How much outer frames and the residual count."""
    return min(1.0, min(u, 1 - u) / FIRST_SHARE)
