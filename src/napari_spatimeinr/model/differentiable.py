"""Values and latents at points, with gradients, by the kernels where they are compiled, else by
torch; and pieces of a computation, with gradients, on several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..compute.pool import spread
from . import sampling
from .compiled import compiled


def cubic(coefficients: Tensor, points: Tensor) -> Tensor:
    """As :func:`.sampling.cubic`, of one volume, without a gradient to the points."""
    return _sampled(_Cubic, sampling.cubic, coefficients, points, 4)


def linear(volume: Tensor, points: Tensor) -> Tensor:
    """As :func:`.sampling.linear`, of one volume, without a gradient to the points."""
    return _sampled(_Linear, sampling.linear, volume, points, 2)


Item = TypeVar("Item")
Made = tuple[Tensor, ...]


def apart(
    work: Callable[[Item], Made], items: Sequence[Item], parameters: Iterable[Tensor]
) -> list[Made]:
    """What ``work`` makes of each item, with gradients to ``parameters`` alone; the items at once,
    on threads of our own, with torch on one thread in each.

    Threads that share one operation wait for each other after each; on two cores that gains a fifth
    where this nearly doubles the speed. Gradients are added in the order of items, so that the bits
    do not depend on the number of threads. ``work`` may draw no random numbers.
    """
    leaves = [p for p in parameters if p.requires_grad]
    if not leaves or leaves[0].device.type != "cpu" or not torch.is_grad_enabled():
        return [work(item) for item in items]
    pieces = _Pieces(work, items)
    flat = iter(_Apart.apply(pieces, *leaves))
    return [tuple(next(flat) for _ in made) for made in pieces.made]


class _Pieces:
    """The items, and the graph of each."""

    def __init__(self, work: Callable[[Any], Made], items: Sequence[Any]) -> None:
        self.work, self.items = work, items
        self.made: list[Made] = [() for _ in items]

    def forward(self, i: int) -> None:
        """Compute a piece, and how."""
        with torch.enable_grad():
            self.made[i] = self.work(self.items[i])

    def backward(
        self, i: int, given: Sequence[Tensor], leaves: Sequence[Tensor]
    ) -> tuple[Tensor | None, ...]:
        """Carry the gradients of what a piece has made back to the parameters."""
        pairs = [(m, g) for m, g in zip(self.made[i], given, strict=True) if m.requires_grad]
        made, gradients = zip(*pairs, strict=True) if pairs else ((), ())
        if not made:
            return (None,) * len(leaves)
        return torch.autograd.grad(made, leaves, gradients, allow_unused=True)


class _Apart(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pieces: _Pieces, *leaves: Tensor) -> Made:
        ctx.pieces, ctx.leaves = pieces, leaves
        spread(pieces.forward, range(len(pieces.items)), torch.get_num_threads())
        flat = [(part.detach(), part.requires_grad) for made in pieces.made for part in made]
        ctx.mark_non_differentiable(*(part for part, learns in flat if not learns))
        return tuple(part for part, _ in flat)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        pieces, leaves = ctx.pieces, ctx.leaves
        flat = iter(given)
        each = [[next(flat) for _ in made] for made in pieces.made]
        found: list[tuple[Tensor | None, ...]] = [() for _ in each]

        def carry(i: int) -> None:
            found[i] = pieces.backward(i, each[i], leaves)

        spread(carry, range(len(each)), torch.get_num_threads())
        return None, *(_total(some) for some in zip(*found, strict=True))


def _total(parts: Iterable[Tensor | None]) -> Tensor | None:
    """The sum, in order, of what there is."""
    known = [part for part in parts if part is not None]
    return sum(known[1:], known[0]) if known else None


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
