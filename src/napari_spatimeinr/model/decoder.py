"""From what two frames say about a point to its value."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FIRST_SHARE = 0.25
"""Shares of the interval the decoder is trained on begin here; nearer to a frame it is asked for this one."""


class Decoder(nn.Module):
    """A small MLP: blend weight of the two neighbouring frames and a residual.

    ``value = w a + (1 - w) b + fade r`` where ``w`` starts as ``1 - u`` (u: share of the interval
    that has passed) and is exactly 1 and 0 at the frames, and ``fade`` goes to 0 there.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2 * features + 4, width), nn.Linear(width, width), nn.Linear(width, 2)])
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, a: Tensor, b: Tensor, latent_a: Tensor, latent_b: Tensor, u: float, precision: torch.dtype = torch.float32) -> Tensor:
        """Values ``(P,)`` from the frames' values ``(P,)`` and latents ``(F, P)`` at share ``u`` in [0, 1]."""
        asked = min(max(u, FIRST_SHARE), 1 - FIRST_SHARE)
        mean, difference = (a + b) / 2, a - b
        known = torch.stack([mean, difference, difference.abs(), torch.full_like(a, 2 * asked - 1)])
        x = torch.cat([latent_a, latent_b, known]).T.to(precision)
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            x = F.linear(x, layer.weight.to(precision), layer.bias.to(precision))
            if i < len(self.layers) - 1:
                x = F.relu(x)
        out = x.float()
        odds = torch.exp(out[:, 0].clamp(-4, 4))
        w = (1 - u) * odds / ((1 - u) * odds + u)
        fade = min(1.0, min(u, 1 - u) / FIRST_SHARE)
        return torch.lerp(b, a, w) + fade * out[:, 1]
