"""Frames as a network sees them, in tiles that are kept while there is room."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.recent import Recent
from ..model.finer import Chain
from ..model.frames import Box, Frames, inside
from ..model.latents import Latents
from ..model.network import Encoded, Network
from ..model.source import FrameSource, factors, taken

TILE = (16, 128, 128)
"""Voxels (z, y, x) encoded at once; thin, because a plane is what is asked for most."""
THIN = 8
"""Voxels along z of tiles of what is cheap to make of encoded ones, but reaches beyond them."""


class Tile(NamedTuple):
    """What is kept of a tile under one key.

    latents : that denoised it, None where frames are taken as they are: networks may share what is
        kept.
    kind : "encoded" (denoised voxels and latents), "finer", "spline" or "smooth".
    k : the frame.
    box : of the tile, in finer voxels.
    finer : the parts that make voxels finer.
    """

    latents: Latents | None
    kind: str
    k: int
    box: Box
    finer: Chain = ()


Kept = Recent[Tile, tuple[Tensor, ...]]
"""What tiles are kept in."""


def kept(most: int) -> Kept:
    """Room for so many bytes of tiles."""
    return Recent(most, lambda parts: sum(part.nbytes for part in parts))


class TiledSource(FrameSource):
    """What a network makes of frames, each tile of it once.

    A box is put together from tiles that lie where they lie whatever is asked for, so that a voxel
    has the same bits in every box. A tile of each kind is made of tiles of the kind before.

    Parameters
    ----------
    network, frames : see :class:`.FrameSource`.
    tiles : where they are kept; networks that share latents or finer parts may share it.
    """

    def __init__(self, network: Network, frames: Frames, tiles: Kept) -> None:
        super().__init__(network, frames)
        self.tiles = tiles

    def of(self, network: Network) -> TiledSource:
        """What another network makes of the frames, in the same memory."""
        return TiledSource(network, self.frames, self.tiles)

    def denoised(self, k: int, box: Box) -> Tensor:
        """Denoised voxels of frame ``k``, ``(1, 1, z, y, x)``; raw ones are not kept."""
        if self.network.latents is None:
            return self.raw(k, box)
        return self._assembled("encoded", k, box, partial(self._encoded_tile, k))

    def latents(self, k: int, box: Box) -> Tensor:
        """Latents of frame ``k``, ``(1, F, z, y, x)``, of half precision."""
        return self._assembled("encoded", k, box, partial(self._encoded_tile, k), which=1)

    def encoded(self, k: int, box: Box) -> Encoded:
        """Coefficients of splines and latents of a box; see :class:`.FrameSource`."""
        latents = None if self.network.latents is None else self.latents(k, box)
        return Encoded(self.coefficients(k, box), latents)

    def fine(self, k: int, box: Box, finer: Chain) -> Tensor:
        """Finer voxels of a box in finer voxels, ``(1, 1, z, y, x)``."""
        if not finer:
            return self.denoised(k, box)
        made = super().fine
        return self._assembled(
            "finer", k, box, lambda tile: (made(k, tile, finer).contiguous(),), finer
        )

    def coefficients(self, k: int, box: Box, finer: Chain = ()) -> Tensor:
        """Of cubic B-splines through the finer voxels, ``(1, 1, z, y, x)``."""
        made = super().coefficients
        return self._assembled("spline", k, box, lambda tile: (made(k, tile, finer),), finer)

    def smooth(self, k: int, box: Box) -> Tensor:
        """Denoised voxels smoothed with sigma 1, ``(1, 1, z, y, x)``."""
        made = super().smooth
        return self._assembled("smooth", k, box, lambda tile: (made(k, tile).contiguous(),))

    def touched(self, kind: str, k: int, box: Box, finer: Chain = ()) -> Iterator[Tile]:
        """The tiles of a kind that a box in finer voxels is put together from."""
        shape = self.fine_shape(finer)
        ranges, _ = inside(box, shape)
        size = _size(kind, finer)
        axes = (
            _touched(a, b, n, step) for (a, b), n, step in zip(ranges, shape, size, strict=True)
        )
        for z, y, x in itertools.product(*axes):
            yield Tile(self.network.latents, kind, k, (z, y, x), finer)

    def _encoded_tile(self, k: int, tile: Box) -> tuple[Tensor, ...]:
        denoised, latents = self._encoded(k, tile)
        return denoised.contiguous(), latents.half()

    def _assembled(
        self,
        kind: str,
        k: int,
        box: Box,
        make: Callable[[Box], tuple[Tensor, ...]],
        finer: Chain = (),
        which: int = 0,
    ) -> Tensor:
        """A box of one of the parts that ``make`` gives of a tile, put together from tiles."""
        ranges, rows = inside(box, self.fine_shape(finer))
        out: Tensor | None = None
        for key in self.touched(kind, k, box, finer):
            tile = key.box
            part = self.tiles.get(key, partial(make, tile))[which]
            if out is None:
                sizes = [b - a for a, b in ranges]
                out = part.new_empty(1, part.shape[1], *sizes, dtype=torch.float32)
            _copy_overlap(part, tile, out, ranges)
        assert out is not None
        return taken(out, rows)


def _size(kind: str, finer: Chain) -> tuple[int, int, int]:
    """Size of a tile in finer voxels."""
    z, y, x = factors(finer)
    thick = max(TILE[0], 4 * z) if kind in ("encoded", "finer") else max(THIN, 2 * z)
    return thick, TILE[1] * y, TILE[2] * x


def _touched(a: int, b: int, n: int, size: int) -> list[tuple[int, int]]:
    """Tiles of an axis of n voxels that touch ``[a, b)``."""
    return [(start, min(start + size, n)) for start in range(a // size * size, b, size)]


def _copy_overlap(part: Tensor, tile: Box, out: Tensor, box: Box) -> None:
    """Copy into a box what a tile has of it."""
    overlap = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(tile, box, strict=True)]
    z, y, x = _counted_from(box, overlap)
    of_z, of_y, of_x = _counted_from(tile, overlap)
    out[:, :, z, y, x] = part[:, :, of_z, of_y, of_x]


def _counted_from(box: Box, part: list[tuple[int, int]]) -> tuple[slice, ...]:
    """Where a part lies in a box, counted from its first voxel."""
    return tuple(slice(a - start, b - start) for (a, b), (start, _) in zip(part, box, strict=True))
