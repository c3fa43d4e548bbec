"""Values and latents at points, with gradients: by the kernels where they are compiled, else by
torch.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from . import sampling
from .compiled import compiled


def cubic(coefficients: Tensor, points: Tensor) -> Tensor:
    """As :func:`.sampling.cubic`, of one volume, without a gradient to the points."""
    return _sampled(_Cubic, sampling.cubic, coefficients, points, 4)


def linear(volume: Tensor, points: Tensor) -> Tensor:
    """As :func:`.sampling.linear`, of one volume, without a gradient to the points."""
    return _sampled(_Linear, sampling.linear, volume, points, 2)


def _sampled(
    by_kernel: type[torch.autograd.Function],
    by_torch: Callable[[Tensor, Tensor], Tensor],
    volume: Tensor,
    points: Tensor,
    least: int,
) -> Tensor:
    """By a kernel where the volume, with so many voxels at least along each axis, is one that it
    can read: kernels check nothing.
    """
    whole = len(volume) == len(points) == 1 and min(volume.shape[2:]) >= least
    usable = whole and volume.dtype == points.dtype == torch.float32
    module = compiled("sampling", volume.device) if usable else None
    if module is None:
        return by_torch(volume, points)
    result: Tensor = by_kernel.apply(volume, points, module)
    return result


class _Cubic(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, points: Tensor, module: ModuleType) -> Tensor:
        ctx.at, ctx.shape, ctx.module = points[0].detach().contiguous(), coefficients.shape, module
        out = torch.empty(points.shape[1])
        taken = coefficients.detach()[0, 0].contiguous()
        module.spline(taken.numpy(), ctx.at.numpy(), out.numpy())
        return out[None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        out = torch.zeros(ctx.shape)
        ctx.module.spline_back(ctx.at.numpy(), gradient[0].contiguous().numpy(), out[0, 0].numpy())
        return out, None, None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, volume: Tensor, points: Tensor, module: ModuleType) -> Tensor:
        ctx.at, ctx.shape, ctx.module = points[0].detach().contiguous(), volume.shape, module
        out = torch.empty(volume.shape[1], points.shape[1])
        last = volume.detach()[0].permute(1, 2, 3, 0)
        module.trilinear(last.numpy(), ctx.at.numpy(), out.numpy())
        return out[None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        # The channels of a voxel lie together: one place in memory is added to.
        _, channels, *shape = ctx.shape
        out = torch.zeros(*shape, channels)
        given = gradient[0].contiguous()
        ctx.module.trilinear_back(ctx.at.numpy(), given.numpy(), out.numpy())
        return out.permute(3, 0, 1, 2)[None], None, None
