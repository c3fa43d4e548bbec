"""4D rendering: samples inside a small box around a point of time and space, and how they are
summed.

Boxes are ``[-1, 1]^4`` here, axes (t, z, y, x); whoever samples scales them to the cell.
"""

from __future__ import annotations

import torch
from torch import Tensor

AXES = 4


def jittered(boxes: int, samples: int, generator: torch.Generator) -> Tensor:
    """Random samples ``(boxes, samples, 4)``, stratified along every axis (a Latin hypercube).

    Along each axis every one of ``samples`` equal intervals of [-1, 1] holds one sample, uniformly:
    the mean is 0 and the whole box is covered.
    """
    order = torch.rand(boxes, samples, AXES, generator=generator).argsort(1)
    return (order + torch.rand(boxes, samples, AXES, generator=generator)) / samples * 2 - 1


def fixed(samples: int) -> Tensor:
    """The samples ``(samples, 4)`` that outputs are rendered with: stratified, their mean 0, their
    radii distinct.
    """
    if samples == 1:
        return torch.zeros(1, AXES)
    generator = torch.Generator().manual_seed(samples)
    points = jittered(1, samples, generator)[0]
    points = points - points.mean(0)
    return points / points.abs().max().clamp(min=1)


def shells(radius: Tensor) -> Tensor:
    """Edges ``(P, n + 1)`` of the shells that samples at rising radii ``(P, n)`` stand for: halfway
    between neighbours.

    Intervals from one radius to the next would give the innermost sample, before which there is
    nothing, half of all weight.
    """
    if radius.shape[1] == 1:
        return torch.cat([torch.zeros_like(radius), 2 * radius.clamp(min=0.5)], 1)
    middle = (radius[:, 1:] + radius[:, :-1]) / 2
    first = (2 * radius[:, :1] - middle[:, :1]).clamp(min=0)
    return torch.cat([first, middle, 2 * radius[:, -1:] - middle[:, -1:]], 1)


def weights(offsets: Tensor, density: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of samples, from the innermost outwards, as light is absorbed along a ray (Max 1995),
    scaled to sum to one.

    Parameters
    ----------
    offsets : ``(P, n, 4)`` in the box.
    density : ``(P, n)``, not negative.

    Returns
    -------
    The order of the samples by radius ``(P, n)``, and their weights in that order.
    """
    radius, order = offsets.norm(dim=-1).sort(1)
    absorbed = density.gather(1, order) * shells(radius).diff(dim=1).clamp(min=1e-4)
    passed = torch.exp(-(torch.cumsum(absorbed, 1) - absorbed))
    # Not -expm1(-x): its gradient is the same, and bfloat16 has no kernel for it everywhere.
    weight = passed * (1 - torch.exp(-absorbed)) + 1e-6
    return order, weight / weight.sum(1, keepdim=True)


def important(offsets: Tensor, order: Tensor, weight: Tensor, quantiles: Tensor) -> Tensor:
    """New samples ``(P, m, 4)`` at radii where the weights are, in the directions of the old ones.

    Parameters
    ----------
    offsets, order, weight : the old samples, and what :func:`weights` gave for them.
    quantiles : ``(P, m)`` in [0, 1): of the weights' distribution over the radius.
    """
    count, old, _ = offsets.shape
    radius = offsets.norm(dim=-1).gather(1, order)
    edges = shells(radius)
    reached = torch.cat([torch.zeros_like(weight[:, :1]), weight.cumsum(1)], 1)
    bin_ = torch.searchsorted(reached.contiguous(), quantiles.contiguous(), right=True).clamp(
        1, old
    )
    low, high = reached.gather(1, bin_ - 1), reached.gather(1, bin_)
    share = ((quantiles - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
    new_radius = torch.lerp(edges.gather(1, bin_ - 1), edges.gather(1, bin_), share)
    # Directions in turn, so that no two new samples share one unless there are more of them than
    # old ones.
    turn = torch.arange(quantiles.shape[1], device=offsets.device).remainder(old).expand(count, -1)
    direction = offsets.gather(1, turn[..., None].expand(-1, -1, AXES))
    unit = direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    points = unit * new_radius[..., None]
    return points / points.abs().amax(-1, keepdim=True).clamp(min=1)
