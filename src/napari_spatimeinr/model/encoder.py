"""Latents from frames: a small convolutional network run on blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .convolution import SLOPE, channels_last, gradients

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
        correction, features = x.split([1, x.shape[1] - 1], 1)
        return centre + correction, features

    def _convolved(self, frames: Tensor, precision: torch.dtype) -> Tensor:
        planes = frames[0].transpose(0, 1)
        last = len(self.convolutions) - 1
        for i, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, nn.Conv3d) and convolution.bias is not None
            # The first one, of a single channel, gains nothing from bfloat16.
            used = torch.float32 if i == 0 else precision
            slope = SLOPE if i < last else 1.0
            planes = convolved(planes, convolution.weight, convolution.bias, used, slope)
        return planes.transpose(0, 1)[None]


def convolved(
    planes: Tensor, weight: Tensor, bias: Tensor, precision: torch.dtype, slope: float = 1.0
) -> Tensor:
    """Planes of a volume ``(Z, A, Y, X)`` convolved by ``(B, A, 3, 3, 3)``: ``(Z - 2, B, Y - 2, X -
    2)``; what is negative is multiplied by ``slope``.

    As convolutions of planes, with three planes as channels of what is given or of what is made,
    whichever are fewer. Convolutions of volumes take two to ten times as long on a CPU: few
    channels leave most of a vector empty, and below some sizes torch does not use its fast ones.
    """
    made: Tensor = _Convolved.apply(planes, weight, bias, precision, slope)
    return made


class _Convolved(torch.autograd.Function):
    """With a gradient of our own: all of it has the channels of a voxel together in memory. That of
    torch would be put in order several times, which takes longer than the convolutions.
    """

    @staticmethod
    def forward(
        ctx: Any,
        planes: Tensor,
        weight: Tensor,
        bias: Tensor,
        precision: torch.dtype,
        slope: float,
    ) -> Tensor:
        made, given = weight.shape[:2]
        depth = len(planes) - 2
        planes, weight = planes.to(precision), weight.to(precision)
        if given < made:
            planes = torch.cat([planes[z : z + depth] for z in range(3)], 1)
            kernel = weight.transpose(1, 2).flatten(1, 2)
        else:
            kernel = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
        planes, kernel = channels_last(planes), channels_last(kernel)
        # Of three parts that are added, the first has the bias.
        shift = bias if given < made else F.pad(bias, (0, 2 * made))
        out = F.conv2d(planes, kernel, shift.to(precision)).float()
        if given >= made:
            first, second, third = (out[z : z + depth, z * made : (z + 1) * made] for z in range(3))
            out = (first + second).add_(third)
        if slope != 1:
            F.leaky_relu(out, slope, inplace=True)
        ctx.save_for_backward(planes, kernel, out)
        ctx.slope, ctx.given = slope, given
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        planes, kernel, out = ctx.saved_tensors
        gradient = channels_last(gradient)
        if ctx.slope != 1:
            gradient = torch.ops.aten.leaky_relu_backward(gradient, out, ctx.slope, True)
        depth, made, *plane = gradient.shape
        stacked = ctx.given < made
        parts = gradient
        if not stacked:
            parts = gradient.new_zeros(depth + 2, *plane, 3 * made).permute(0, 3, 1, 2)
            for z in range(3):
                parts[z : z + depth, z * made : (z + 1) * made] = gradient
        to_planes, to_kernel = gradients(
            parts.to(planes.dtype), planes, kernel, ctx.needs_input_grad[0]
        )
        if stacked:
            to_weight = to_kernel.unflatten(1, (3, -1)).transpose(1, 2)
            if to_planes is not None:
                between = to_planes.float().unflatten(1, (3, -1))
                to_planes = between.new_zeros(depth + 2, *between.shape[2:])
                for z in range(3):
                    to_planes[z : z + depth] += between[:, z]
        else:
            to_weight = to_kernel.unflatten(0, (3, -1)).permute(1, 2, 0, 3, 4)
        if to_planes is not None:
            to_planes = to_planes.float()
        return to_planes, to_weight.float(), gradient.sum((0, 2, 3)), None, None
