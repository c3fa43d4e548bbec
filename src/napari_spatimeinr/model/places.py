"""Where the points of a regular grid are at another time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from .frames import Box
from .motion import Displaced, VelocityField

Positions = tuple[Tensor, Tensor, Tensor]
"""Where the planes, lines and columns of a regular grid lie (z, y, x), in source voxels."""
ROUNDED = 1e-2
"""Voxels by which a place may differ from what its bounds say, for all rounding."""


@dataclass(frozen=True)
class Places:
    """The points of a regular grid, followed to the time of a frame if anything moves.

    Attributes
    ----------
    positions : of the grid.
    motion, displaced : the velocity field, and displacements between the two times.
    beside : all that one box is read for, these among them: where the same points are by other
        fields.
    """

    positions: Positions
    motion: VelocityField | None = None
    displaced: Displaced | None = None
    beside: Sequence[Places] = ()

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Points along each axis of the grid."""
        z, y, x = (len(p) for p in self.positions)
        return z, y, x

    @property
    def device(self) -> torch.device:
        """Where the positions are."""
        return self.positions[0].device

    def points(self) -> Tensor:
        """All of them, ``(1, P, 3)``."""
        points = torch.stack(torch.meshgrid(*self.positions, indexing="ij"), -1).reshape(1, -1, 3)
        if self.displaced is None or self.motion is None:
            return points
        moved = self.motion.displacement(self.displaced, self.positions)
        return points + moved.flatten(2).transpose(1, 2)

    def box(self, factors: tuple[int, int, int], shape: tuple[int, int, int]) -> Box:
        """Voxels that splines through finer voxels depend on at these points and those beside: at
        least what :func:`.network.needed_box` says.

        Raises
        ------
        ValueError
            If a place is no finite number.
        """
        box = []
        bounds = [one._bounds for one in self.beside or (self,)]
        for limits, factor, n in zip(zip(*bounds, strict=True), factors, shape, strict=True):
            low, high = min(a for a, _ in limits), max(b for _, b in limits)
            a, b = (math.floor(min(max(at * factor, 0), n - 1)) for at in (low, high))
            box.append((a - 1, min(b + 1, n) + 2))
        return box[0], box[1], box[2]

    def halves(self) -> tuple[int, tuple[Places, Places]]:
        """The axis along which the grid is longest in voxels and has several points, and the two
        halves of it.
        """
        lengths = [float(p.max() - p.min()) if len(p) > 1 else -1.0 for p in self.positions]
        axis = int(np.argmax(lengths))
        middle = len(self.positions[axis]) // 2
        parts = []
        for some in (slice(None, middle), slice(middle, None)):
            z, y, x = (p[some] if i == axis else p for i, p in enumerate(self.positions))
            others = [replace(one, positions=(z, y, x), beside=()) for one in self.beside]
            parts.append(replace(self, positions=(z, y, x), beside=others))
        return axis, (parts[0], parts[1])

    @cached_property
    def _bounds(self) -> list[tuple[float, float]]:
        """The lowest and the highest place along each axis, in source voxels."""
        ends = [(float(p.min()), float(p.max())) for p in self.positions]
        if self.displaced is not None and self.motion is not None:
            ends = [
                (a + low - ROUNDED, b + high + ROUNDED)
                for (a, b), (low, high) in zip(ends, self._extremes(ends), strict=True)
            ]
        if not np.isfinite(ends).all():
            raise ValueError("Motion leads to places that are no finite numbers.")
        return ends

    def _extremes(self, ends: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """The lowest and the highest displacement of points between the ends."""
        assert self.displaced is not None and self.motion is not None
        nodes = self.displaced.nodes[0].numpy()
        some = []
        for (a, b), scale, first, n in zip(
            ends, self.motion.per_voxel, (self.displaced.first, 0, 0), nodes.shape[1:], strict=True
        ):
            low, high = (min(max(at * scale - first, 0), n - 1) for at in (a, b))
            some.append((max(0, math.floor(low - ROUNDED)), min(n, math.ceil(high + ROUNDED) + 1)))
        (a, b), (c, d), (e, f) = some
        of_axes = nodes[:, a:b, c:d, e:f]
        lows, highs = of_axes.min((1, 2, 3)).tolist(), of_axes.max((1, 2, 3)).tolist()
        return list(zip(lows, highs, strict=True))
