"""Frames as the encoder sees them, in tiles that are kept while there is room."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..model.frames import Box, Frames, grown, inside
from ..model.network import SMOOTH_REACH, Network
from ..model.sampling import gaussian, prefilter


class Finer(NamedTuple):
    """Which finer voxels a request wants: on the planes of ``planes``, and within them those of
    ``voxels``.
    """

    planes: bool = False
    lateral: bool = False


NO_FINER = Finer()
TILE = (16, 128, 128)
"""Voxels (z, y, x) encoded at once; thin, because a plane is what is asked for most."""
THIN = 8
"""Voxels along z of tiles of what is cheap to make of encoded ones, but reaches beyond them."""

Key = TypeVar("Key", bound=Hashable)


class Cache(Generic[Key]):
    """Tensors, least recently used thrown away first; safe for threads."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.items: OrderedDict[Key, tuple[Tensor, ...]] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The item, now the most recently used; made if it is not there, if need be instead of
        older ones.
        """
        with self.lock:
            if key in self.items:
                self.items.move_to_end(key)
                return self.items[key]
        value = make()
        with self.lock:
            if key not in self.items:
                self.items[key] = value
                self.bytes += _bytes(value)
            while self.bytes > self.most_bytes and len(self.items) > 1:
                self.bytes -= _bytes(self.items.popitem(last=False)[1])
        return value


def _bytes(value: tuple[Tensor, ...]) -> int:
    return sum(part.numel() * part.element_size() for part in value)


Tensors = Cache[tuple[bool, str, int, Box, Finer]]
"""What tiles are kept in; whether they come from an encoder tells apart the tiles of networks that
share it."""


class Tiles:
    """Cleaned voxels of any box of a frame, and what is made of them; the frame itself where there
    is no encoder.

    Boxes may reach beyond the frame, which is mirrored there. They are put together from tiles that
    lie where they lie whatever is asked for, so that a voxel has the same bits in every box.
    """

    def __init__(self, network: Network, frames: Frames, cache: Tensors) -> None:
        self.network = network
        self.frames = frames
        self.cache = cache

    def denoised(self, k: int, box: Box) -> Tensor:
        """``(1, 1, z, y, x)``."""
        if self.network.encoder is None:
            return self.frames.block(k, box)
        return self._assembled("encoded", k, box)

    def latents(self, k: int, box: Box) -> Tensor:
        """``(1, F, z, y, x)``."""
        return self._assembled("encoded", k, box, which=1)

    def fine(self, k: int, box: Box, finer: Finer) -> Tensor:
        """``(1, 1, z, y, x)`` of a box in finer voxels."""
        return self._assembled("finer", k, box, finer) if any(finer) else self.denoised(k, box)

    def coefficients(self, k: int, box: Box, finer: Finer) -> Tensor:
        """Of cubic B-splines through the finer voxels, ``(1, 1, z, y, x)``."""
        return self._assembled("spline", k, box, finer)

    def smooth(self, k: int, box: Box) -> Tensor:
        """Cleaned voxels smoothed with sigma 1, ``(1, 1, z, y, x)``."""
        return self._assembled("smooth", k, box)

    def factors(self, finer: Finer) -> tuple[int, int, int]:
        """Finer voxels per voxel (z, y, x)."""
        planes, lateral = self.network.planes, self.network.voxels
        across = lateral.factor if finer.lateral and lateral is not None else 1
        return planes.factor if finer.planes and planes is not None else 1, across, across

    def fine_shape(self, finer: Finer) -> tuple[int, int, int]:
        """Finer voxels (z, y, x) of a frame."""
        z, y, x = (
            (n - 1) * f + 1 for n, f in zip(self.frames.shape, self.factors(finer), strict=True)
        )
        return z, y, x

    def _assembled(
        self, kind: str, k: int, box: Box, finer: Finer = NO_FINER, which: int = 0
    ) -> Tensor:
        shape = self.fine_shape(finer)
        ranges, rows = inside(box, shape)
        out: Tensor | None = None
        size = self._tile(kind, finer)
        for tile in itertools.product(
            *(_tiles(a, b, n, t) for (a, b), n, t in zip(ranges, shape, size, strict=True))
        ):
            where = (tile[0], tile[1], tile[2])
            key = self.network.encoder is not None, kind, k, where, finer
            part = self.cache.get(key, partial(self._made, kind, k, where, finer))[which]
            if out is None:
                out = part.new_empty(
                    1, part.shape[1], *(b - a for a, b in ranges), dtype=torch.float32
                )
            # The overlap of tile and range, counted from the start of each.
            overlap = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(where, ranges, strict=True)]
            to = [slice(a - c, b - c) for (a, b), (c, _) in zip(overlap, ranges, strict=True)]
            of = [slice(a - c, b - c) for (a, b), (c, _) in zip(overlap, where, strict=True)]
            out[:, :, to[0], to[1], to[2]] = part[:, :, of[0], of[1], of[2]]
        assert out is not None
        for axis, index in enumerate(rows):
            if index is not None:
                out = out.index_select(2 + axis, torch.from_numpy(index).to(out.device))
        return out

    def _tile(self, kind: str, finer: Finer) -> tuple[int, int, int]:
        """Size of a tile in finer voxels."""
        z, y, x = self.factors(finer)
        thick = max(TILE[0], 4 * z) if kind in ("encoded", "finer") else max(THIN, 2 * z)
        return thick, TILE[1] * y, TILE[2] * x

    def _made(self, kind: str, k: int, where: Box, finer: Finer) -> tuple[Tensor, ...]:
        if kind == "encoded":
            denoised, latents = self.network.denoised(self.frames, k, where)
            return denoised.contiguous(), latents.half()
        if kind == "finer":
            return self._refined(k, where, finer)
        if kind == "spline":
            reach = self.network.reach
            return (prefilter(self.fine(k, grown(where, reach), finer), reach),)
        inner = (slice(SMOOTH_REACH, -SMOOTH_REACH),) * 3
        return (
            gaussian(self.denoised(k, grown(where, SMOOTH_REACH)), (1.0, 1.0, 1.0))[
                (..., *inner)
            ].contiguous(),
        )

    @torch.no_grad()
    def _refined(self, k: int, where: Box, finer: Finer) -> tuple[Tensor, ...]:
        planes = self.network.planes if finer.planes else None
        lateral = self.network.voxels if finer.lateral else None
        # The voxels that the finer ones lie between, and those around them that the networks see.
        coarse = [
            (a // f, -(-(b - 1) // f) + 1)
            for (a, b), f in zip(where, self.factors(finer), strict=True)
        ]
        reach = [
            sum(part.reach[axis] for part in (planes, lateral) if part is not None)
            for axis in range(3)
        ]
        z, y, x = ((a - r, b + r) for (a, b), r in zip(coarse, reach, strict=True))
        voxels = self.denoised(k, (z, y, x))
        if planes is not None:
            voxels = planes(voxels, self.network.precision)
        if lateral is not None:
            voxels = lateral(voxels, self.network.precision)
        starts = [
            a - c * f for (a, _), (c, _), f in zip(where, coarse, self.factors(finer), strict=True)
        ]
        s, t, u = (slice(start, start + b - a) for start, (a, b) in zip(starts, where, strict=True))
        return (voxels[:, :, s, t, u].contiguous(),)


def _tiles(a: int, b: int, n: int, size: int) -> list[tuple[int, int]]:
    """Tiles of an axis of n voxels that touch ``[a, b)``."""
    return [(t, min(t + size, n)) for t in range(a // size * size, b, size)]
