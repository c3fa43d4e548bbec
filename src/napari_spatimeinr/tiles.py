"""Frames as the encoder sees them, in tiles that are kept while there is room."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

import torch
from torch import Tensor

from .model.frames import Box, Frames, inside
from .model.network import Network

FINE = 2
"""Beside 0 for cleaned voxels and 1 for latents: voxels on finer planes."""
TILE = (16, 128, 128)
"""Voxels (z, y, x) encoded at once; thin, because a plane is what is asked for most."""

Key = TypeVar("Key", bound=Hashable)


class Cache(Generic[Key]):
    """Tensors, least recently used thrown away first; safe for threads."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.items: OrderedDict[Key, tuple[Tensor, ...]] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The item, now the most recently used; made if it is not there, if need be instead of older ones."""
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


class Tiles:
    """Cleaned voxels and latents of any box of a frame; the frame itself where there is no encoder.

    Boxes may reach beyond the frame, which is mirrored there.
    """

    def __init__(self, network: Network, frames: Frames, most_bytes: int) -> None:
        self.network = network
        self.frames = frames
        self.cache: Cache[tuple[int, Box, bool]] = Cache(most_bytes)

    def clean(self, k: int, box: Box) -> Tensor:
        """``(1, 1, z, y, x)``."""
        if self.network.encoder is None:
            return self.frames.block(k, box)
        return self._assembled(k, box, 0)

    def latents(self, k: int, box: Box) -> Tensor:
        """``(1, F, z, y, x)``."""
        return self._assembled(k, box, 1)

    def fine(self, k: int, box: Box) -> Tensor:
        """``(1, 1, z, y, x)`` of a box on the finer planes of the network's ``axial``."""
        return self._assembled(k, box, FINE)

    def fine_shape(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) of a frame on the finer planes."""
        assert self.network.axial is not None
        z, y, x = self.frames.shape
        return (z - 1) * self.network.axial.factor + 1, y, x

    def _assembled(self, k: int, box: Box, which: int) -> Tensor:
        shape = self.fine_shape() if which == FINE else self.frames.shape
        ranges, rows = inside(box, shape)
        out: Tensor | None = None
        size = (max(TILE[0], 4 * self.network.axial.factor), *TILE[1:]) if which == FINE and self.network.axial else TILE
        for tile in itertools.product(*(_tiles(a, b, n, t) for (a, b), n, t in zip(ranges, shape, size, strict=True))):
            where = (tile[0], tile[1], tile[2])
            make = self._refined if which == FINE else self._encoded
            part = self.cache.get((k, where, which == FINE), partial(make, k, where))[0 if which == FINE else which]
            if out is None:
                out = part.new_empty(1, part.shape[1], *(b - a for a, b in ranges), dtype=torch.float32)
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

    def _encoded(self, k: int, where: Box) -> tuple[Tensor, ...]:
        clean, latents = self.network.cleaned(self.frames, k, where)
        return clean.contiguous(), latents.half()

    @torch.no_grad()
    def _refined(self, k: int, where: Box) -> tuple[Tensor, ...]:
        axial = self.network.axial
        assert axial is not None
        (a, b), y, x = where
        first, last = a // axial.factor, -(-(b - 1) // axial.factor)
        (z0, z1), (y0, y1), (x0, x1) = (first, last + 1), y, x
        r, s, u = axial.reach
        planes = axial(self.clean(k, ((z0 - r, z1 + r), (y0 - s, y1 + s), (x0 - u, x1 + u))), self.network.precision)
        start = a - first * axial.factor
        return (planes[:, :, start : start + b - a].contiguous(),)


def _tiles(a: int, b: int, n: int, size: int) -> list[tuple[int, int]]:
    """Tiles of an axis of n voxels that touch ``[a, b)``."""
    return [(t, min(t + size, n)) for t in range(a // size * size, b, size)]
