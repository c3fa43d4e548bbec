"""Rendering a network on a grid: blocks of voxel positions at a time, latents cached."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config.options import RenderOptions
from ..model.boxes import cubic_in, in_boxes, linear_in
from ..model.frames import SAME, Box, Frames
from ..model.interpolation import segment, temporal_weights
from ..model.motion import Displaced
from ..model.network import Network, around
from ..model.rendering import quadrature
from . import blocks
from .blocks import Blocks, intensities
from .tiles import Cache, Finer, Tensors, Tiles

SPAN = 160
"""Voxels along an axis that points computed at once may lie apart."""
SMALLEST_CACHE = 640 * 2**20
"""Bytes of encoded boxes kept at least: what planes of 512 x 512 voxels need between two frames."""


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
    cache : where encoded boxes are kept; None for a cache of its own.
    """

    def __init__(
        self,
        network: Network,
        frames: Frames,
        options: RenderOptions,
        interpolation: str = "linear",
        linear: Collection[int] = (),
        cache: Tensors | None = None,
    ) -> None:
        self.network = network
        self.frames = frames
        self.options = options
        self.interpolation = interpolation
        self.linear = frozenset(linear)
        if cache is None:
            z, y, x = frames.shape
            cache = Cache(
                options.cache_bytes
                or max(SMALLEST_CACHE, min(4 * frames.count * z * y * x, 2 * 2**30))
            )
        self._tiles = Tiles(network, frames, cache)
        # What is interpolated there: the frames as they are, which a learned part may have spoiled.
        # In the same memory.
        plain = Network(precision=network.precision, planes=network.planes, voxels=network.voxels)
        self._plain = Renderer(plain, frames, options, cache=cache) if linear else self
        self._displaced: OrderedDict[tuple[float, int, float, float], Displaced] = OrderedDict()
        self._lock = threading.Lock()

    # -- one block ---------------------------------------------------------------------

    @torch.no_grad()
    def block(
        self,
        t: float,
        positions: Sequence[NDArray[np.float64]],
        cell: tuple[float, float, float, float],
    ) -> NDArray[np.float32]:
        """Raw intensities at time ``t`` (frames) on the regular grid of voxel ``positions``, ``(z,
        y, x)``.

        ``cell`` is the extent of an output cell in frames and source voxels, (t, z, y, x). Cells
        larger than a voxel are integrated by quadrature, over the part of them that lies in the
        recording.
        """
        planes = self.network.planes
        finer = Finer(
            planes is not None and (planes.sharpen or cell[1] < 1 - SAME),
            self.network.voxels is not None and min(cell[2:]) < 1 - SAME,
        )
        times = self._times(t, cell[0])
        extents = cell[1:] if self.options.hypercube else (1.0, 1.0, 1.0)
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
        return (total / len(times)).cpu().numpy()

    def _times(self, t: float, extent: float) -> list[float]:
        """The times that a cell around ``t`` is the mean of: as many as asked for, at least one for
        each frame in it.
        """
        exposed = self.options.exposure * extent
        if exposed == 0:
            return [t]
        count = self.frames.count
        times: list[float] = (
            quadrature(np.array([t]), exposed, count, self.options.samples)[0]
            .clip(0, count - 1)
            .tolist()
        )
        return times

    def _points(self, t: float, fine: list[NDArray[np.float64]], finer: Finer) -> Tensor:
        positions = [
            torch.from_numpy(p.astype(np.float32)).to(self.frames.device).clamp(0, n - 1)
            for p, n in zip(fine, self.frames.shape, strict=True)
        ]
        out = torch.empty([len(p) for p in positions], device=self.frames.device)
        spans = [SPAN / factor for factor in self._tiles.factors(finer)]
        for where in itertools.product(
            *(_runs(p, most, span) for p, most, span in zip(fine, blocks.BLOCK, spans, strict=True))
        ):
            z, y, x = (p[w] for p, w in zip(positions, where, strict=True))
            out[where] = self._value(t, (z, y, x), finer).reshape(len(z), len(y), len(x))
        return self._raw(out, t)

    def _raw(self, value: Tensor, t: float) -> Tensor:
        planes = self.network.planes
        sharpened = planes is not None and planes.sharpen
        return intensities(value, self.frames, t, brighter=sharpened)

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        count = self.frames.count
        t = min(max(t, 0.0), count - 1.0)
        nearest = round(t)
        at_frame = abs(t - nearest) < SAME
        beside = [i for i in (nearest - 1, nearest) if 0 <= i < count - 1] if at_frame else [int(t)]
        if self.linear and self.linear.issuperset(beside):
            return self._plain._value(t, positions, finer)
        if at_frame:
            return self._one(nearest, None, positions, finer)[0]
        network, numbers = self.network, segment(t, count, self.linear)
        if network.velocity is None and network.encoder is None and self.interpolation == "cubic":
            return self._cubic(t, numbers, positions, finer)
        return network.between(
            around(t, numbers, network.outer),
            lambda k: self._one(k, self._displacement(t, k, positions), positions, finer),
            lambda k: self._outer(k, self._displacement(t, k, positions), positions, finer),
        )

    def _cubic(
        self, t: float, numbers: range, positions: tuple[Tensor, Tensor, Tensor], finer: Finer
    ) -> Tensor:
        """The spline through frames ``numbers``, kept within what the two frames on
        each side say.
        """
        weights = temporal_weights(t, np.asarray(numbers, dtype=np.float64), "cubic")
        used = {k: float(w) for k, w in zip(numbers, weights, strict=True) if abs(w) > 1e-3}
        terms = {k: self._one(k, None, positions, finer)[0] for k in used}
        parts = [w / sum(used.values()) * terms[k] for k, w in used.items()]
        value = sum(parts[1:], parts[0])
        near = torch.stack([term for k, term in terms.items() if abs(k - t) < 2])
        return torch.minimum(torch.maximum(value, near.amin(0)), near.amax(0))

    def _one(
        self,
        k: int,
        displaced: Displaced | None,
        positions: tuple[Tensor, Tensor, Tensor],
        finer: Finer,
    ) -> tuple[Tensor, Tensor | None]:
        def values(points: Tensor, box: Box) -> Tensor:
            return cubic_in(self._tiles.coefficients(k, box, finer), points, box)

        def latents(points: Tensor, box: Box) -> Tensor:
            return linear_in(self._tiles.latents(k, box), points, box)

        moved = self.network.moved(positions, displaced)
        sampled = self._in_finer(moved, finer, values)
        return sampled, (
            None if self.network.encoder is None else in_boxes(moved, self.frames.shape, latents)
        )

    def _outer(
        self,
        k: int,
        displaced: Displaced | None,
        positions: tuple[Tensor, Tensor, Tensor],
        finer: Finer,
    ) -> Tensor:
        def values(points: Tensor, box: Box) -> Tensor:
            return linear_in(self._tiles.fine(k, box, finer), points, box)[0]

        return self._in_finer(self.network.moved(positions, displaced), finer, values)

    def _in_finer(
        self, points: Tensor, finer: Finer, sampled: Callable[[Tensor, Box], Tensor]
    ) -> Tensor:
        """Samples at points ``(1, P, 3)`` in acquired voxels of what has finer ones."""
        factors = self._tiles.factors(finer)
        return in_boxes(points * points.new_tensor(factors), self._tiles.fine_shape(finer), sampled)

    def _displacement(
        self, t: float, k: int, positions: tuple[Tensor, Tensor, Tensor]
    ) -> Displaced | None:
        # Nothing is followed across an interval that is left to linear interpolation.
        if self.network.velocity is None or any(
            min(t, k) < i + 1 and i < max(t, k) for i in self.linear
        ):
            return None
        z = float(positions[0].min()), float(positions[0].max())
        key = (t, k, *z)
        with self._lock:
            known = self._displaced.get(key)
        if known is None:
            known = self.network.velocity.displacement_nodes(t, float(k), z)
            with self._lock:
                self._displaced[key] = known
                while len(self._displaced) > 16:
                    self._displaced.popitem(last=False)
        return known


def _means(values: Tensor, axis: int, count: int) -> Tensor:
    """Means of ``count`` neighbours along an axis, added one by one: the order does not depend on
    what else is computed.
    """
    if count == 1:
        return values
    parts = values.unflatten(axis, (-1, count)).unbind(axis + 1)
    return sum(parts[1:], parts[0]) / count


def _runs(positions: NDArray[np.float64], most: int, span: float) -> list[slice]:
    """Slices that cover the positions, of at most ``most`` that lie no further apart
    than ``span``.
    """
    edges = [0]
    for i, p in enumerate(positions):
        if i - edges[-1] == most or abs(p - positions[edges[-1]]) > span:
            edges.append(i)
    return [slice(a, b) for a, b in pairwise([*edges, len(positions)])]
