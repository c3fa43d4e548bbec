"""A picture roughly, and the pieces in which it is drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ...data.indexing import as_slice
from .stand_in import Rows

COARSE = 2**18
"""Voxels of a rough picture; until it is known how fast pictures are drawn, what has no more is
drawn at once where everything is there for it."""
SLAB = 2**20
"""Voxels of a piece of a volume: thick ones are faster."""
ROWS = 128
"""Rows of a piece of a plane: what is computed at once, and lost where something newer is
wanted."""

Piece = tuple[slice, slice, slice, slice]
"""Part of a picture (t, z, y, x)."""


class Drawable(Protocol):
    """What pictures are drawn from: see :class:`.RenderedArray`."""

    watch: Callable[[int], None] | None

    def __getitem__(self, key: Any) -> NDArray[Any]: ...

    def rough(self, key: Any) -> NDArray[np.float32]:
        """The same at once, roughly."""

    def is_warm(self, key: Any) -> bool:
        """Whether everything is there that takes long to make."""

    def ahead(self, key: Any) -> Iterator[None]:
        """Make what lies around, piece by piece."""


def split(key: Rows) -> list[Piece]:
    """The pieces of a picture, in order: slabs of volumes, rows of planes."""
    t, z, y, x = (len(range(*r)) for r in key)
    plane = t == 1 and 1 in (z, y, x)
    thick = max(1, SLAB // max(1, y * x))
    rows = ROWS if plane else max(1, y)
    return [
        (slice(i, i + 1), slice(j, min(j + thick, z)), slice(k, min(k + rows, y)), slice(0, x))
        for i, j, k in itertools.product(range(t), range(0, z, thick), range(0, y, rows))
    ]


def part(key: Rows, piece: Piece) -> Rows:
    """What a piece of a picture has of what the picture was asked for with."""
    taken = (range(*r)[p] for r, p in zip(key, piece, strict=True))
    return tuple((r.start, r.stop, r.step) for r in taken)


def rough(array: Drawable, key: Rows) -> NDArray[np.float32]:
    """Every few samples along each axis, enlarged linearly in space to the full size."""
    shape = tuple(len(range(*r)) for r in key)
    long = sum(n > 1 for n in shape)
    step = math.ceil((math.prod(shape) / COARSE) ** (1 / max(1, long)) - 1e-6)
    thin = array.rough(tuple(as_slice(range(*r)[::step]) for r in key))
    if step == 1:
        return np.asarray(thin, np.float32)
    out = torch.from_numpy(np.ascontiguousarray(thin, np.float32))
    out = out.repeat_interleave(step, 0)[: shape[0]]
    # Sample n of the rough picture is sample n * step of the fine one; the last one is repeated.
    size = [min(n, (m - 1) * step + 1) for n, m in zip(shape[1:], thin.shape[1:], strict=True)]
    large = F.interpolate(out[:, None], size=size, mode="trilinear", align_corners=True)[
        :, 0
    ].numpy()
    return np.pad(large, [(0, n - m) for n, m in zip(shape, large.shape, strict=True)], "edge")
