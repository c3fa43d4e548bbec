"""What a plane is made of and what lies around it: whether it is there, and made before it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..compute.threads import chosen
from ..model.finer import Chain
from ..model.frames import SAME, Box, grown
from ..model.interpolation import segment
from ..model.network import around
from ..model.source import factors
from .sampler import Sampler
from .tiles import THIN, Tile, TiledSource

Floats = NDArray[np.float64]
ROOM = 0.9
"""Share of what can be kept that is filled."""
FRAMES = 4
"""Frames nearer to a time than this are prepared."""
NEAREST = 2
"""Frames nearer than this are, in the planes above and below as well."""


def is_warm(sampler: Sampler, t: float, positions: Sequence[Floats], finer: Chain) -> bool:
    """Whether the tiles that intensities at a time (in frames) and regular grid of voxel
    ``positions`` are made of are kept.
    """
    tiles = sampler.source.tiles
    return all(tiles.find(tile) is not None for tile in _needed(sampler, t, positions, finer))


def prepared(
    sampler: Sampler, t: float, positions: Sequence[Floats], finer: Chain
) -> Iterator[None]:
    """Make the tiles around, the nearest first, one a step; ends where what lies further away would
    take the place of them.
    """
    source = sampler.source
    left = ROOM * source.tiles.most
    for tile in _nearest_first(sampler, t, positions, finer):
        if source.tiles.find(tile) is None:
            _make(source, tile)
            yield
        kept = source.tiles.find(tile)
        left -= 0 if kept is None else kept.nbytes
        if left <= 0:
            return


@torch.no_grad()
@chosen()
def _make(source: TiledSource, tile: Tile) -> None:
    of_voxels = {
        "denoised": source.denoised,
        "latents": source.latents,
        "context": source.context,
    }
    if tile.kind in of_voxels:
        of_voxels[tile.kind](tile.k, tile.box)
    elif tile.kind == "finer":
        source.fine(tile.k, tile.box, tile.finer)
    else:
        source.coefficients(tile.k, tile.box, tile.finer)


def _needed(
    sampler: Sampler, t: float, positions: Sequence[Floats], finer: Chain
) -> Iterator[Tile]:
    """The tiles that :meth:`.Sampler.value` looks at, once each frame is followed."""
    count = sampler.frames.count
    t = min(max(t, 0.0), count - 1.0)
    nearest = round(t)
    if abs(t - nearest) < SAME:
        yield from sampler.source.touched(
            "spline", nearest, _scaled(_box(sampler, t, nearest, positions), finer), finer
        )
        return
    if int(t) in sampler.linear:
        sampler = sampler.plain
    source, learned = sampler.source, sampler.network.latents is not None
    near = around(t, segment(t, count, sampler.linear), sampler.network.outer)
    for k in (near.before, near.after):
        box = _box(sampler, t, k, positions)
        yield from source.touched("spline", k, _scaled(box, finer), finer)
        if learned:
            yield from source.touched("latents", k, grown(box, -1))
        if sampler.network.hypotheses is not None:
            yield from source.touched("context", k, grown(box, -1))
    for k in (*near.outer_before, *near.outer_after) if learned else ():
        box = _scaled(grown(_box(sampler, t, k, positions), -1), finer)
        yield from source.touched("finer" if finer else "denoised", k, box, finer)


def _nearest_first(
    sampler: Sampler, t: float, positions: Sequence[Floats], finer: Chain
) -> Iterator[Tile]:
    """What is needed, the frames around there, the planes above and below, frames further away."""
    yield from _needed(sampler, t, positions, finer)
    order = sorted(range(sampler.frames.count), key=lambda k: abs(k - t))
    near = [k for k in order if abs(k - t) < NEAREST]
    box = _box(sampler, t, order[0], positions)
    (low, high), *lateral = box
    y, x = lateral
    for k in near:
        yield from _made_of(sampler.source, k, box, finer)
    for z in ((high, high + THIN), (low - THIN, low)):
        beside = max(z[0], 0), min(z[1], sampler.frames.shape[0])
        for k in near if beside[0] < beside[1] else ():
            yield from _made_of(sampler.source, k, (beside, y, x), finer)
    for k in order:
        if NEAREST <= abs(k - t) < FRAMES:
            yield from _made_of(sampler.source, k, box, finer)


def _made_of(source: TiledSource, k: int, box: Box, finer: Chain) -> Iterator[Tile]:
    """Tiles of a box of frame ``k``, each after those that it is made of."""
    if source.network.latents is not None:
        yield from source.touched("latents", k, box)
        yield from source.touched("denoised", k, grown(box, source.network.reach))
    if source.network.hypotheses is not None:
        yield from source.touched("context", k, box)
    if finer:
        yield from source.touched("finer", k, _scaled(box, finer), finer)
    yield from source.touched("spline", k, _scaled(box, finer), finer)


@torch.no_grad()
def _box(sampler: Sampler, t: float, k: int, positions: Sequence[Floats]) -> Box:
    """The box of voxels of frame ``k`` that sampling it along the motion touches; as far as the
    velocity halfway says, which is known at once.
    """
    velocity = sampler.network.motion
    nodes = None
    if velocity is not None and abs(t - k) >= SAME:
        start, end = sampler.frames.time(t), sampler.frames.time(k)
        nodes = (end - start) * velocity.at_time(velocity.times.new_tensor([(start + end) / 2]))
    box = []
    for axis, (p, n) in enumerate(zip(positions, sampler.frames.shape, strict=True)):
        low, high = float(p.min()), float(p.max())
        if nodes is not None:
            low += float(nodes[:, axis].min())
            high += float(nodes[:, axis].max())
        low, high = (min(max(end, 0.0), n - 1.0) for end in (low, high))
        box.append((int(low) - 1, min(int(high) + 1, n) + 2))
    return box[0], box[1], box[2]


def _scaled(box: Box, finer: Chain) -> Box:
    """A box in finer voxels."""
    z, y, x = ((a * f, b * f) for (a, b), f in zip(box, factors(finer), strict=True))
    return z, y, x
