"""Frames as a network sees them, in tiles that are kept while there is room."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..compute.device import takes_much
from ..data.recent import Recent
from ..model.encoding import encoded, kernels_of
from ..model.finer import Chain
from ..model.frames import Box, Frames, grown, inside
from ..model.latents import Latents
from ..model.network import Encoded, Network
from ..model.source import FrameSource, factors, taken

TILE = (8, 128, 128)
"""Voxels (z, y, x) encoded at once, at most; thin, because a plane is what is asked for most."""
THIN, THINNEST = 8, 4
"""Voxels along z of tiles, and of those of large planes and those that a kernel encodes."""
MUCH = (32, 512, 512)
"""The same where calls are what costs."""
CHANNELS = torch.channels_last_3d
"""The channels of a voxel side by side."""
LARGE = 2**19
"""Voxels of planes that are large."""


class Tile(NamedTuple):
    """What is kept of a tile under one key.

    latents : that denoised it, None where frames are taken as they are: networks may share what is
        kept.
    kind : "denoised", "latents", "finer", "spline", "smooth" or "context".
    k : the frame.
    box : of the tile, in finer voxels.
    finer : the parts that make voxels finer.
    """

    latents: Latents | None
    kind: str
    k: int
    box: Box
    finer: Chain = ()


Kept = Recent[Tile, Tensor]
"""What tiles are kept in."""


def kept(most: int) -> Kept:
    """Room for so many bytes of tiles."""
    return Recent(most, lambda values: values.nbytes)


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
        return self._assembled("denoised", k, box, partial(self._encoded_tile, "denoised", k))

    def latents(self, k: int, box: Box) -> Tensor:
        """Latents of frame ``k``, ``(1, F, z, y, x)``, of half precision."""
        return self._assembled("latents", k, box, partial(self._encoded_tile, "latents", k))

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
            "finer", k, box, lambda tile: made(k, tile, finer).contiguous(), finer
        )

    def coefficients(self, k: int, box: Box, finer: Chain = ()) -> Tensor:
        """Of cubic B-splines through the finer voxels, ``(1, 1, z, y, x)``."""
        made = super().coefficients
        return self._assembled("spline", k, box, lambda tile: made(k, tile, finer), finer)

    def smooth(self, k: int, box: Box) -> Tensor:
        """Denoised voxels smoothed with sigma 1, ``(1, 1, z, y, x)``."""
        made = super().smooth
        return self._assembled("smooth", k, box, lambda tile: made(k, tile).contiguous())

    def context(self, k: int, box: Box) -> Tensor:
        """Raw voxels smoothed in several ways, ``(1, S, z, y, x)``."""
        if self.network.hypotheses is None:
            return self.smooth(k, box)
        made = super().context
        return self._assembled(
            "context", k, box, lambda tile: made(k, tile).contiguous(memory_format=CHANNELS)
        )

    def touched(self, kind: str, k: int, box: Box, finer: Chain = ()) -> Iterator[Tile]:
        """The tiles of a kind that a box in finer voxels is put together from."""
        shape = self.fine_shape(finer)
        ranges, _ = inside(box, shape)
        size = self._size(kind, finer)
        axes = (
            _touched(a, b, n, step) for (a, b), n, step in zip(ranges, shape, size, strict=True)
        )
        for z, y, x in itertools.product(*axes):
            yield Tile(self.network.latents, kind, k, (z, y, x), finer)

    def _size(self, kind: str, finer: Chain) -> tuple[int, int, int]:
        """Size of a tile in finer voxels."""
        z, y, x = factors(finer)
        shape, device, latents = self.frames.shape, self.frames.device, self.network.latents
        if takes_much(device):
            return MUCH[0] * z, MUCH[1] * y, MUCH[2] * x
        # The larger the planes, the thinner: a plane and what it depends on is kept. What a kernel
        # encodes is thinner for a first plane's sake.
        thin = shape[1] * shape[2] > LARGE
        if kind in ("denoised", "latents") and latents is not None:
            thin = thin or kernels_of(latents.encoder, device) is not None
        least = (4 if kind in ("denoised", "latents", "finer") else 2) * z
        return max(min(THINNEST if thin else THIN, TILE[0]), least), TILE[1] * y, TILE[2] * x

    def _encoded_tile(self, kind: str, k: int, tile: Box) -> Tensor:
        """Denoised voxels or latents. What is made beside them is kept as well: torch makes both at
        once, and a kernel has denoised voxels nearly for nothing where it makes latents.
        """
        assert self.network.latents is not None
        encoder = self.network.latents.encoder
        found = kernels_of(encoder, self.frames.device)
        beside = Tile(self.network.latents, "denoised", k, tile)
        if found is None:
            denoised, latents = self._encoded(k, tile)
            made = {"denoised": denoised.contiguous(), "latents": latents}
        else:
            alone = kind == "denoised" or self.tiles.find(beside) is not None
            kinds = (kind,) if alone else ("denoised", "latents")
            made = encoded(found, encoder, self.raw(k, grown(tile, encoder.reach)), kinds)
        if "latents" in made:
            latents = made["latents"].half()
            made["latents"] = latents.contiguous(memory_format=CHANNELS)
        for other in made.keys() - {kind}:
            self.tiles.keep(beside._replace(kind=other), made[other])
        return made[kind]

    def _assembled(
        self,
        kind: str,
        k: int,
        box: Box,
        make: Callable[[Box], Tensor],
        finer: Chain = (),
    ) -> Tensor:
        """A box put together from tiles, of which ``make`` gives one."""
        shape = self.fine_shape(finer)
        ranges, rows = inside(box, shape)
        within = tuple((max(a, 0), min(b, n)) for (a, b), n in zip(box, shape, strict=True))
        # Where all that is mirrored lies in the box too, it is copied within it.
        whole = within == ranges
        keys = deque(self.touched(kind, k, box, finer))
        out: Tensor | None = None
        put_off = len(keys)
        while keys:
            key = keys.popleft()
            if put_off and self.tiles.is_made(key):
                # Another thread is about to have it: once through the others first.
                keys.append(key)
                put_off -= 1
                continue
            part = self.tiles.get(key, partial(make, key.box))
            if out is None:
                out = _empty(part, box if whole else ranges)
            _copy_overlap(part, key.box, out, box if whole else ranges)
        assert out is not None
        return _mirrored_within(out, rows, box, ranges) if whole else taken(out, rows)


def _empty(part: Tensor, box: Box) -> Tensor:
    """Room for a box of what a tile has; channels lie side by side."""
    sizes = (1, part.shape[1], *(b - a for a, b in box))
    order = CHANNELS if part.shape[1] > 1 else torch.contiguous_format
    return torch.empty(sizes, dtype=torch.float32, device=part.device, memory_format=order)


def _mirrored_within(
    out: Tensor, rows: Sequence[NDArray[np.intp] | None], box: Box, ranges: Box
) -> Tensor:
    """Fill what lies beyond the frame from what lies in it."""
    for axis, (index, (a, _), (low, _)) in enumerate(zip(rows, box, ranges, strict=True)):
        if index is not None:
            for i, source in enumerate((index + (low - a)).tolist()):
                if source != i:
                    out.select(2 + axis, i).copy_(out.select(2 + axis, source))
    return out


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
