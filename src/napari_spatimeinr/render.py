"""Rendering a network on a grid: blocks of voxel positions at a time, latents cached."""

from __future__ import annotations

import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .config import RenderOptions
from .interpolation import temporal_weights
from .model.confidence import widths
from .model.frames import Box, Frames, grown
from .model.motion import Displaced
from .model.network import Encoded, Network, around, disagreement, needed_box, sample, sample_clean
from .model.rendering import cell_offsets
from .model.sampling import linear, prefilter
from .threads import chosen
from .tiles import Cache, Finer, Tiles

BLOCK = (24, 128, 128)
"""Output voxels (z, y, x) computed at once."""
ROUND = (4, 16, 16)
"""Encoded boxes are rounded outwards to multiples of this, so that neighbouring blocks share them."""
SMALLEST_CACHE = 640 * 2**20
"""Bytes of encoded boxes kept at least: what planes of 512 x 512 voxels need between two frames."""
SAME = 1e-6
"""Times closer to a frame than this (in frames) are that frame."""


class Renderer:
    """Values of a network anywhere; several threads may call it.

    Parameters
    ----------
    network : what was fitted.
    frames : the recording.
    options : how cells are integrated.
    interpolation : "linear" or "cubic" in time, used where the network has no parts.
    """

    def __init__(self, network: Network, frames: Frames, options: RenderOptions, interpolation: str = "linear") -> None:
        self.network = network
        self.frames = frames
        self.options = options
        self.interpolation = interpolation
        z, y, x = frames.shape
        chosen = options.cache_bytes or max(SMALLEST_CACHE, min(4 * frames.count * z * y * x, 2 * 2**30))
        self._tiles = Tiles(network, frames, chosen * 4 // 5)
        self._splines: Cache[tuple[int, Box, Finer]] = Cache(chosen // 5)
        self._displaced: OrderedDict[tuple[float, int, float, float], Displaced] = OrderedDict()
        self._lock = threading.Lock()

    # -- one block ---------------------------------------------------------------------

    @torch.no_grad()
    def block(
        self, t: float, positions: Sequence[NDArray[np.float64]], cell: tuple[float, float, float, float]
    ) -> NDArray[np.float32]:
        """Raw intensities at time ``t`` (frames) on the regular grid of voxel ``positions``, ``(z, y, x)``.

        ``cell`` is the extent of an output cell in frames and source voxels, (t, z, y, x). Cells
        larger than a voxel are integrated by quadrature over the hypercube.
        """
        axial = self.network.axial
        finer = Finer(
            axial is not None and (axial.sharpen or cell[1] < 1 - SAME),
            self.network.in_plane is not None and min(cell[2:]) < 1 - SAME,
        )
        times, time_weights = self._times(t, cell[0])
        subs = [cell_offsets(c) if self.options.hypercube else ([0.0], [1.0]) for c in cell[1:]]
        fine = [(p[:, None] + np.asarray(o)[None, :]).ravel() for p, (o, _) in zip(positions, subs, strict=True)]
        total: Tensor | None = None
        for time, share in zip(times, time_weights, strict=True):
            value = self._points(time, fine, finer) * share
            total = value if total is None else total + value
        assert total is not None
        factors = tuple(len(o) for o, _ in subs)
        if max(factors) > 1:
            total = F.avg_pool3d(total[None, None], factors)[0, 0]
        return total.cpu().numpy()

    def _times(self, t: float, extent: float) -> tuple[list[float], list[float]]:
        if self.options.exposure == 0 or extent == 0:
            return [t], [1.0]
        n = self.options.samples
        offsets = ((np.arange(n) + 0.5) / n - 0.5) * self.options.exposure * extent
        inside = np.clip(t + offsets, 0, self.frames.count - 1)
        return inside.tolist(), [1 / n] * n

    def _points(self, t: float, fine: list[NDArray[np.float64]], finer: Finer) -> Tensor:
        positions = tuple(
            torch.from_numpy(p.astype(np.float32)).to(self.frames.device).clamp(0, n - 1)
            for p, n in zip(fine, self.frames.shape, strict=True)
        )
        shape = tuple(len(p) for p in positions)
        value = self._value(t, (positions[0], positions[1], positions[2]), finer).reshape(shape)
        return self._raw(value, t)

    def _raw(self, value: Tensor, t: float) -> Tensor:
        levels = self.frames.levels
        return value * (levels.scale * levels.gain(t)) + levels.offset

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        count = self.frames.count
        t = min(max(t, 0.0), count - 1.0)
        nearest = round(t)
        if abs(t - nearest) < SAME:
            return self._one(nearest, None, positions, finer)[0]
        network = self.network
        if network.velocity is None and network.encoder is None and self.interpolation == "cubic":
            weights = temporal_weights(t, np.arange(count, dtype=np.float64), "cubic")
            terms = [float(w) * self._one(k, None, positions, finer)[0] for k, w in enumerate(weights) if abs(w) > 1e-3]
            return torch.stack(terms).sum(0) / float(weights[np.abs(weights) > 1e-3].sum())
        return network.between(
            around(t, range(count), network.outer),
            lambda k: self._one(k, self._displacement(t, k, positions), positions, finer),
            lambda k: self._outer(k, self._displacement(t, k, positions), positions, finer),
        )

    def _one(
        self, k: int, displaced: Displaced | None, positions: tuple[Tensor, Tensor, Tensor], finer: Finer
    ) -> tuple[Tensor, Tensor | None]:
        moved, reach = self.network.moved(positions, displaced), self.network.reach
        points, box = self._in_voxels(moved, finer, ROUND)
        (coefficients,) = self._splines.get(
            (k, box, finer), lambda: (prefilter(self._tiles.fine(k, grown(box, reach), finer), reach),)
        )
        values, _ = sample(Encoded(coefficients), points, box)
        if self.network.encoder is None:
            return values, None
        points, tight = needed_box(moved, self.frames.shape)
        return values, linear(self._tiles.latents(k, tight), points - points.new_tensor([a for a, _ in tight]))[0]

    def _outer(self, k: int, displaced: Displaced | None, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        points, box = self._in_voxels(self.network.moved(positions, displaced), finer)
        return sample_clean(self._tiles.fine(k, box, finer), points, box)

    def _in_voxels(self, points: Tensor, finer: Finer, multiple: tuple[int, int, int] = (1, 1, 1)) -> tuple[Tensor, Box]:
        """Points and the box they need, in acquired voxels or in finer ones."""
        factors = self._tiles.factors(finer)
        return needed_box(points * points.new_tensor(factors), self._tiles.fine_shape(finer), multiple)

    def _displacement(self, t: float, k: int, positions: tuple[Tensor, Tensor, Tensor]) -> Displaced | None:
        if self.network.velocity is None:
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

    # -- larger pieces ------------------------------------------------------------------

    @chosen()
    def volume(
        self,
        t: float,
        positions: Sequence[NDArray[np.float64]],
        cell: tuple[float, float, float, float],
        watch: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """One time point on any regular grid, block by block: ``(z, y, x)`` float32.

        ``watch`` is told the voxels of each block after it; what it raises ends the rendering.
        """
        shape = tuple(len(p) for p in positions)
        out = np.empty(shape, np.float32)
        # Fewer output voxels per block where a cell takes several samples.
        size = [max(1, int(b / max(1.0, c))) for b, c in zip(BLOCK, cell[1:], strict=True)]
        for where in itertools.product(*(_even(n, s) for n, s in zip(shape, size, strict=True))):
            block = self.block(t, [p[w] for p, w in zip(positions, where, strict=True)], cell)
            out[where] = block
            if watch is not None:
                watch(block.size)
        return out


class Disagreement(Renderer):
    """How far the given frames before and after a time, followed along their trajectories, differ; raw intensities.

    At an acquired time it is the frames on both sides of that one that are compared, at the ends of the
    recording the outermost pair. A single frame agrees with itself.
    """

    def _raw(self, value: Tensor, t: float) -> Tensor:
        levels = self.frames.levels
        return value * (levels.scale * levels.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        count = self.frames.count
        if count == 1:
            return torch.zeros(math.prod(len(p) for p in positions), device=self.frames.device)
        t = min(max(t, 0.0), count - 1.0)
        inside = min(max(t, SAME), count - 1 - SAME)
        places = around(inside, range(count), 0)
        before, after = (
            self._one(k, self._displacement(t, k, positions), positions, finer)[0] for k in (places.before, places.after)
        )
        return (before - after).abs()


class Confidence(Renderer):
    """Half-width of the interval that holds 90 % of the noisy voxels a recording would have had there; raw intensities.

    Calibrated on held-out frames, at twice the interval between frames: see :func:`.training.confidence.calibrate`.
    """

    def __init__(
        self, network: Network, frames: Frames, options: RenderOptions, interpolation: str, table: dict[str, Any]
    ) -> None:
        super().__init__(network, frames, options, interpolation)
        self.table = table

    def _raw(self, value: Tensor, t: float) -> Tensor:
        levels = self.frames.levels
        return value * (levels.scale * levels.gain(t))

    def _value(self, t: float, positions: tuple[Tensor, Tensor, Tensor], finer: Finer) -> Tensor:
        value = super()._value(t, positions, finer)
        count = self.frames.count
        inside = min(max(t, SAME), count - 1 - SAME)
        difference = disagreement(
            around(inside, range(count), 0),
            self._tiles.clean,
            lambda k: self.network.moved(positions, self._displacement(t, k, positions)),
            self.frames.shape,
        )
        return widths(self.table, difference, value)


def _even(n: int, most: int) -> list[slice]:
    """Slices of about equal length, at most ``most``, that cover n."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]
