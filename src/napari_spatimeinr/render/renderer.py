"""Rendering a network on a grid: cells are integrated, blocks of points computed at a time."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..compute.device import free_memory, takes_much, to_host
from ..config.options import RenderOptions
from ..model.finer import Chain
from ..model.frames import Frames
from ..model.network import Network
from ..model.rendering import quadrature
from . import ahead, blocks
from .blocks import Blocks, Cell, Floats, pieces
from .quantities import Intensity, Quantity
from .rough import Rough
from .sampler import Sampler
from .tiles import TiledSource, kept

SMALLEST_CACHE = 640 * 2**20
"""Bytes of encoded boxes kept at least: what planes of 512 x 512 voxels need between two frames."""
MUCH = 2**21
"""Points computed at once where calls are what costs."""
PLANE = 900
"""Bytes for each voxel of a plane that what it depends on takes: some 16 planes of four frames."""


class Renderer(Blocks):
    """Values of a network anywhere; several threads may call it.

    Parameters
    ----------
    network : what was fitted.
    frames : the recording.
    options : how cells are integrated.
    interpolation : "linear" or "cubic" in time, used where the network has no parts.
    linear : intervals between frames in which the frames are interpolated linearly whatever there
        is.
    """

    def __init__(
        self,
        network: Network,
        frames: Frames,
        options: RenderOptions,
        interpolation: str = "linear",
        linear: Collection[int] = (),
    ) -> None:
        self.network = network
        self.frames = frames
        self.options = options
        z, y, x = frames.shape
        whole = max(SMALLEST_CACHE, min(4 * frames.count * z * y * x, 2 * 2**30))
        whole = max(whole, min(PLANE * y * x, free_memory(frames.device) // 3))
        tiles = TiledSource(network, frames, kept(options.cache_bytes or whole))
        self.sampler = Sampler(tiles, interpolation, linear)
        self._rough = Rough(self.sampler)
        self.quantity: Quantity = Intensity()

    @property
    def beside(self) -> bool:
        """On the CPU; another device takes one block after the other."""
        return not takes_much(self.frames.device)

    @property
    def points(self) -> int:
        """Points computed at once."""
        return MUCH if takes_much(self.frames.device) else blocks.POINTS

    @property
    def room(self) -> int:
        """What encoded tiles may still take."""
        tiles = self.sampler.source.tiles
        return tiles.most - tiles.bytes

    def showing(self, quantity: Quantity) -> Renderer:
        """A view of another quantity, of the same source: nothing is encoded twice for it."""
        other = copy.copy(self)
        other.quantity = quantity
        return other

    def rough(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """Intensities as :class:`.Rough` has them; other quantities are computed."""
        if isinstance(self.quantity, Intensity):
            return self._rough.volume(t, positions)
        return self.volume(t, positions, cell)

    def is_warm(self, t: float, positions: Sequence[Floats], cell: Cell) -> bool:
        """Whether what intensities are made of is in tiles that are kept."""
        return ahead.is_warm(self.sampler, t, positions, self._finer(cell))

    def ahead(self, t: float, positions: Sequence[Floats], cell: Cell) -> Iterator[None]:
        """See :func:`.ahead.prepared`."""
        return ahead.prepared(self.sampler, t, positions, self._finer(cell))

    def _finer(self, cell: Cell) -> Chain:
        """The parts that an output cell gains by."""
        return tuple(part for part in self.network.finer if part.wanted(cell))

    @torch.no_grad()
    def block(self, t: float, positions: Sequence[Floats], cell: Cell) -> NDArray[np.float32]:
        """Raw values at time ``t`` (frames) on the regular grid of voxel ``positions``, ``(z,
        y, x)``.

        ``cell`` is the extent of an output cell in frames and source voxels, (t, z, y, x). Cells
        larger than a voxel are integrated by quadrature, over the part of them that lies in the
        recording; of a quantity without means it is the one at their centres.
        """
        finer = self._finer(cell)
        averaged = self.quantity.averaged
        times = self._times(t, cell[0]) if averaged else [t]
        extents = cell[1:] if averaged and self.options.hypercube else (1.0, 1.0, 1.0)
        fine = [
            quadrature(p, c, n)
            for p, c, n in zip(positions, extents, self.frames.shape, strict=True)
        ]
        total: Tensor | None = None
        for time in times:
            value = self._points(time, [p.ravel() for p in fine], finer)
            total = value if total is None else total + value
        assert total is not None
        for axis, samples in enumerate(fine):
            total = _means(total, axis, samples.shape[1])
        return to_host(total / len(times))

    def _times(self, t: float, extent: float) -> list[float]:
        """The times that a cell around ``t`` is the mean of: as many as asked for, at least one for
        each frame in it.
        """
        exposed = self.options.exposure * extent
        if exposed == 0:
            return [t]
        count = self.frames.count
        times = quadrature(np.array([t]), exposed, count, self.options.samples)[0]
        inside: list[float] = times.clip(0, count - 1).tolist()
        return inside

    def _points(self, t: float, fine: Sequence[Floats], finer: Chain) -> Tensor:
        """Raw values at one time, of points not too many at once."""
        device = self.frames.device
        positions = [
            torch.from_numpy(p.astype(np.float32)).to(device).clamp(0, n - 1)
            for p, n in zip(fine, self.frames.shape, strict=True)
        ]
        out = torch.empty([len(p) for p in positions], device=device)
        for where in pieces(out.shape, self.points):
            z, y, x = (p[w] for p, w in zip(positions, where, strict=True))
            value = self.quantity.value(self.sampler, t, (z, y, x), finer)
            out[where] = value.reshape(len(z), len(y), len(x))
        return self.quantity.raw(self.sampler, out, t)


def _means(values: Tensor, axis: int, count: int) -> Tensor:
    """Means of ``count`` neighbours along an axis, added one by one: the order does not depend on
    what else is computed.
    """
    if count == 1:
        return values
    parts = values.unflatten(axis, (-1, count)).unbind(axis + 1)
    return sum(parts[1:], parts[0]) / count
