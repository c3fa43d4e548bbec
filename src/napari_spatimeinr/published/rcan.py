"""Residual channel attention in three dimensions, time points as channels.

Zhang et al. 2018, 'Image super-resolution using very deep residual channel attention networks'.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config.published import Rcan


class Attention(nn.Module):
    """Every channel times a factor between 0 and 1 that all channels' means decide."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv3d(channels, max(1, channels // reduction), 1)
        self.excite = nn.Conv3d(max(1, channels // reduction), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, z, y, x)`` to the same shape."""
        mean = x.mean((2, 3, 4), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class Block(nn.Module):
    """Two convolutions and attention, added to what went in."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(channels, channels, 3, padding=1, padding_mode="replicate")
        self.second = nn.Conv3d(channels, channels, 3, padding=1, padding_mode="replicate")
        self.attention = Attention(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, z, y, x)`` to the same shape."""
        out: Tensor = x + self.attention(self.second(F.relu(self.first(x))))
        return out


class Group(nn.Module):
    """Blocks and a convolution, added to what went in."""

    def __init__(self, channels: int, reduction: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(channels, reduction) for _ in range(blocks))
        self.last = nn.Conv3d(channels, channels, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, z, y, x)`` to the same shape."""
        h = x
        for block in self.blocks:
            h = block(h)
        out: Tensor = x + self.last(h)
        return out


class RCAN(nn.Module):
    """Frames ``(N, T, z, y, x)`` to features ``(N, n_feats, z, y, x)``."""

    def __init__(self, options: Rcan, frames: int) -> None:
        super().__init__()
        channels = options.n_feats
        self.first = nn.Conv3d(frames, channels, 3, padding=1, padding_mode="replicate")
        self.groups = nn.ModuleList(
            Group(channels, options.reduction, options.n_resblocks)
            for _ in range(options.n_resgroups)
        )
        self.last = nn.Conv3d(channels, channels, 3, padding=1, padding_mode="replicate")

    def forward(self, frames: Tensor) -> Tensor:
        """Features of frames."""
        start = self.first(frames)
        h = start
        for group in self.groups:
            h = group(h)
        out: Tensor = start + self.last(h)
        return out
