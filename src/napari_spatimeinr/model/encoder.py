"""Latents from frames: a small convolutional network run on blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOXELS_AT_ONCE = 800_000


class Encoder(nn.Module):
    """Normalised frames to a denoised frame and latent features.

    Convolutions have no padding: a block with ``reach`` voxels around it gives the same values as
    the whole frame. The denoised frame is the frame plus a correction that starts at zero.

    Parameters
    ----------
    channels : of the hidden layers.
    layers : number of 3 x 3 x 3 convolutions.
    features : latent channels besides the denoised frame.
    """

    def __init__(self, channels: int, layers: int, features: int) -> None:
        super().__init__()
        self.reach = layers
        widths = [1] + [channels] * (layers - 1) + [1 + features]
        self.convolutions = nn.ModuleList(
            nn.Conv3d(a, b, 3) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        last = self.convolutions[-1]
        assert isinstance(last, nn.Conv3d) and last.bias is not None
        with torch.no_grad():
            last.weight[0] = 0
            last.bias[0] = 0

    def forward(
        self, frames: Tensor, precision: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """``(1, 1, Z, Y, X)`` to the denoised frame ``(1, 1, ...)`` and features ``(1, F, ...)``,
        ``reach`` smaller on each side.
        """
        r = self.reach
        depth = frames.shape[2] - 2 * r
        if torch.is_grad_enabled():
            x = self._convolved(frames, precision)
        else:
            # In slabs: buffers of more than some 30 MB are taken from the system and cleared each
            # time.
            slab = max(4, VOXELS_AT_ONCE // (frames.shape[3] * frames.shape[4]) - 2 * r)
            parts = [
                self._convolved(frames[:, :, z : min(z + slab, depth) + 2 * r], precision)
                for z in range(0, depth, slab)
            ]
            x = parts[0] if len(parts) == 1 else torch.cat(parts, 2)
        centre = frames[:, :, r : r + depth, r : frames.shape[3] - r, r : frames.shape[4] - r]
        return centre + x[:, :1], x[:, 1:]

    def _convolved(self, frames: Tensor, precision: torch.dtype) -> Tensor:
        x = frames
        for i, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, nn.Conv3d) and convolution.bias is not None
            # The first one, of a single channel, gains nothing from bfloat16.
            used = torch.float32 if i == 0 else precision
            x = convolved(x, convolution.weight, convolution.bias, used)
            if i < len(self.convolutions) - 1:
                x = F.leaky_relu(x, 0.1, inplace=not torch.is_grad_enabled())
        return x


def convolved(volume: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype) -> Tensor:
    """A volume ``(1, A, Z, Y, X)`` convolved by ``(B, A, 3, 3, 3)``: ``(1, B, Z - 2, Y - 2, X -
    2)``.

    As convolutions of planes, with three planes as channels of what is given or of what is made,
    whichever are fewer. Convolutions of volumes take two to ten times as long on a CPU: few
    channels leave most of a vector empty, and below some sizes torch does not use its fast ones.
    """
    made, given = weight.shape[:2]
    depth = volume.shape[2] - 2
    planes, weight = volume[0].transpose(0, 1).to(precision), weight.to(precision)
    if given < made:
        around = torch.cat([planes[z : z + depth] for z in range(3)], 1)
        kernel = weight.transpose(1, 2).flatten(1, 2)
        out = F.conv2d(_channels_last(around), _channels_last(kernel)).float()
    else:
        kernel = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
        parts = F.conv2d(_channels_last(planes), _channels_last(kernel)).float()
        first, second, third = (parts[z : z + depth, z * made : (z + 1) * made] for z in range(3))
        out = first + second + third
    return (out + bias.view(-1, 1, 1)).transpose(0, 1)[None]


def _channels_last(planes: Tensor) -> Tensor:
    return planes.contiguous(memory_format=torch.channels_last)
