"""Convolutions of planes and their gradients, with the channels of a voxel together in memory.

Left to itself torch puts values in order several times on the way back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SLOPE = 0.1
"""Of what is negative after a hidden layer."""


def channels_last(planes: Tensor) -> Tensor:
    """``(N, C, Y, X)`` with the channels of a voxel together in memory."""
    return planes.contiguous(memory_format=torch.channels_last)


def gradients(
    gradient: Tensor, planes: Tensor, kernel: Tensor, to_planes: bool
) -> tuple[Tensor | None, Tensor]:
    """From the gradient of a convolution without padding, ``(N, B, Y - 2, X - 2)``, those of its
    planes ``(N, A, Y, X)``, where wanted, and of its kernel ``(B, A, 3, 3)``.
    """
    of_planes, of_kernel, _ = torch.ops.aten.convolution_backward(
        *(gradient, planes, kernel, None),
        *((1, 1), (0, 0), (1, 1), False, (0, 0), 1),
        [to_planes, True, False],
    )
    return of_planes, of_kernel


def convolved_planes(
    planes: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: float = 1.0,
    added: bool = False,
) -> Tensor:
    """Planes ``(N, A, Y, X)`` convolved by ``(B, A, 3, 3)``: ``(N, B, Y - 2, X - 2)``; what is
    negative is multiplied by ``slope``, and then the planes themselves are ``added`` (of as many
    channels).
    """
    made: Tensor = _Convolved.apply(planes, weight, bias, slope, added)
    return made


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, planes: Tensor, weight: Tensor, bias: Tensor, slope: float, added: bool
    ) -> Tensor:
        planes, kernel = channels_last(planes), channels_last(weight)
        out = F.conv2d(planes, kernel, bias)
        if slope != 1:
            F.leaky_relu(out, slope, inplace=True)
        ctx.save_for_backward(planes, kernel, out)
        ctx.slope, ctx.added = slope, added
        return out + planes[:, :, 1:-1, 1:-1] if added else out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        planes, kernel, out = ctx.saved_tensors
        whole = gradient = channels_last(gradient)
        if ctx.slope != 1:
            gradient = torch.ops.aten.leaky_relu_backward(gradient, out, ctx.slope, True)
        to_planes, to_kernel = gradients(gradient, planes, kernel, ctx.needs_input_grad[0])
        if to_planes is not None and ctx.added:
            to_planes[:, :, 1:-1, 1:-1] += whole
        return to_planes, to_kernel, gradient.sum((0, 2, 3)), None, None
