"""Samples of frames on grids, by kernels or by torch."""

from __future__ import annotations

from torch import Tensor

from . import boxes, gridded
from .boxes import Read, Shape
from .compiled import compiled
from .places import Places


def cubic_at(places: Places, shape: Shape, factors: Shape, read: Read) -> Tensor:
    """Cubic B-spline samples ``(P,)``; see :func:`.boxes.cubic_at`."""
    found = compiled("rendering", places.device)
    if found is None:
        return boxes.cubic_at(places, shape, factors, read)
    return gridded.cubic_at(found, places, shape, factors, read)


def linear_at(places: Places, shape: Shape, factors: Shape, read: Read) -> Tensor:
    """Trilinear samples ``(C, P)``; see :func:`.boxes.linear_at`."""
    found = compiled("rendering", places.device)
    if found is None:
        return boxes.linear_at(places, shape, factors, read)
    return gridded.linear_at(found, places, shape, factors, read)
