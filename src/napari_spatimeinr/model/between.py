"""Values between two frames by a compiled kernel, all paths in one pass; in torch it is
:meth:`.network.Network.between`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .boxes import Read, Shape
from .frames import Box, grown
from .gridded import MOST, check, nodes_of
from .network import Network
from .places import Places

NONE = np.zeros((2, 2, 2, 0), np.float32)
"""A box of no channels."""
NO_LAYER = np.zeros((0, 0), np.float32), np.zeros(0, np.float32)


@dataclass(frozen=True)
class Side:
    """One of the two frames.

    Attributes
    ----------
    paths : where the points of a grid are in it, along each of the network's fields.
    coefficients, context, latents : give the numbers of a box of it, the first of finer voxels.
    factors, fine : finer voxels per voxel, and of the frame.
    shape : its voxels.
    """

    paths: list[Places]
    coefficients: Read
    context: Read
    latents: Read
    factors: Shape
    fine: Shape
    shape: Shape

    @cached_property
    def box(self) -> Box:
        """What splines along all paths depend on, in finer voxels."""
        return self.paths[0].box(self.factors, self.fine)

    @cached_property
    def linear_box(self) -> Box:
        """What linear samples of voxels depend on: no neighbours but the nearest."""
        same = self.factors == (1, 1, 1)
        return grown(self.box if same else self.paths[0].box((1, 1, 1), self.shape), -1)

    @property
    def too_large(self) -> bool:
        """Whether the grid had better be sampled in parts."""
        return math.prod(b - a for a, b in self.box) > MOST and max(self.paths[0].sizes) > 1


def between(
    kernels: ModuleType,
    network: Network,
    sides: tuple[Side, Side],
    share: float,
    outer: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    """Values ``(P,)`` of the points of a grid.

    Parameters
    ----------
    share : of the interval that has passed.
    outer : means of the frames beyond those of ``sides``, ``(P,)``, None where there are none.

    Raises
    ------
    ValueError
        For boxes, displacements or outer values of other shapes or types than asked for: a kernel
        checks nothing.
    """
    # Latents first: denoised voxels come with them.
    latents = [_latents(network, side) for side in sides]
    contexts = [_context(network, side) for side in sides]
    coefficients = [
        _checked(side.coefficients(side.box), side.box, 4)[0, 0].contiguous().numpy()
        for side in sides
    ]
    starts = [[[a for a, _ in box] for box in (side.box, side.linear_box)] for side in sides]
    sizes = sides[0].paths[0].sizes
    blend, decoder = _networks(network, share)
    if len(blend[0]) != len(sides[0].paths):
        raise ValueError(f"{len(sides[0].paths)} paths are blended by {len(blend[0])} weights.")
    out = np.empty(math.prod(sizes), np.float32)
    positions = sides[0].paths[0].positions
    kernels.between(
        tuple(np.ascontiguousarray(p.numpy(), np.float32) for p in positions),
        _nodes([*sides[0].paths, *sides[1].paths]),
        (
            np.array([sides[0].factors, (1, 1, 1)], np.float32),
            np.array([sides[0].fine, sides[0].shape], np.int64),
            np.array(starts, np.int64),
        ),
        (tuple(coefficients), tuple(contexts), tuple(latents)),
        tuple(blend),
        tuple(_values(one, len(out)) for one in outer),
        tuple(decoder),
        out,
    )
    return torch.from_numpy(out)


def _context(network: Network, side: Side) -> NDArray[np.float32]:
    if network.hypotheses is None:
        return NONE
    values = _checked(side.context(side.linear_box), side.linear_box, 2)
    if values.shape[1] != len(network.hypotheses.sigmas):
        raise ValueError(f"A box came with {values.shape[1]} contexts.")
    return _beside(values)


def _latents(network: Network, side: Side) -> NDArray[np.float32]:
    if network.latents is None:
        return NONE
    values = _checked(side.latents(side.linear_box), side.linear_box, 2)
    missing = -values.shape[1] % 4
    return _beside(F.pad(values, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else values)


def _beside(values: Tensor) -> NDArray[np.float32]:
    """Channels side by side, ``(z, y, x, C)``."""
    made: NDArray[np.float32] = values[0].permute(1, 2, 3, 0).contiguous().numpy()
    return made


def _checked(values: Tensor, box: Box, least: int) -> Tensor:
    check(values, box, least)
    return values


def _values(values: Tensor | None, count: int) -> NDArray[np.float32]:
    """Of outer frames, as the kernel takes them."""
    if values is None:
        return np.zeros(0, np.float32)
    if values.shape != (count,):
        raise ValueError(f"Outer frames have {tuple(values.shape)} values of {count} points.")
    return np.ascontiguousarray(values.numpy(), np.float32)


def _nodes(
    paths: list[Places],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Displacements of paths one after the other, where those of each are, and nodes per voxel."""
    found = [nodes_of(path) for path in paths]
    grids, begin = [], 0
    for nodes, _, first in found:
        grids.append([begin, first, *nodes.shape[1:]])
        begin += nodes.size
    flat = np.concatenate([nodes.reshape(-1) for nodes, _, _ in found])
    return flat, np.array(grids, np.int64), np.array([s for _, s, _ in found], np.float32)


def _networks(
    network: Network, share: float
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """What the kernel takes of what weighs paths and of the decoder."""
    blend = [np.zeros(1, np.float32), np.zeros(3, np.float32), *(3 * NO_LAYER)]
    decoder = [np.array([share, 0, 0, 0], np.float32), *(3 * NO_LAYER)]
    if network.hypotheses is not None:
        blend = network.hypotheses.arguments()
    if network.latents is not None:
        decoder = network.latents.decoder.arguments(share)
    return blend, decoder
