"""Values between two frames in one pass: where points were and will be, what both frames say there
along several paths, how these are weighed, and what is decoded of them.

What goes from step to step is a chunk of points, which stays in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blending import SCALES, blend_of, weighed
from .decoding import decoded, decoder_of
from .jit import compiled
from .neighbours import rows2, rows4, taps64
from .placing import CHUNK, columns_of, displaced_line, followed, located, spline_weights

ONE, ZERO = np.float32(1), np.float32(0)
MATRIX = "f4[:,::1], f4[::1]"


@compiled()
def _nodes(flat: Any, grid: Any) -> Any:
    """Displacements ``(3, z, y, x)`` of one path."""
    count = 3 * grid[2] * grid[3] * grid[4]
    return flat[grid[0] : grid[0] + count].reshape((3, grid[2], grid[3], grid[4]))


@compiled()
def _contexts(context: Any, latents: Any, offsets: Any, shares: Any, out: Any, made: Any) -> None:
    """Linear samples of a chunk of points, ``out`` ``(SCALES, CHUNK)`` and ``made`` ``(F,
    CHUNK)``; either box may have no channels.
    """
    known, said, learned = shares.reshape(-1), out.reshape(-1), made.reshape(-1)
    down, deep = context.shape[2], context.shape[1] * context.shape[2]
    count = context.shape[3]
    steps, flat = (deep * count, down * count, count), context.reshape(-1)
    for c in range(0, count, 2):
        for k in range(CHUNK):
            rows2(flat, offsets[k] * count + c, steps, known, k, CHUNK, said, c * CHUNK + k)
    down, deep = latents.shape[2], latents.shape[1] * latents.shape[2]
    count = latents.shape[3]
    steps, flat = (deep * count, down * count, count), latents.reshape(-1)
    for c in range(0, count, 4):
        for k in range(CHUNK):
            rows4(flat, offsets[k] * count + c, steps, known, k, CHUNK, learned, c * CHUNK + k)


@compiled()
def _added(box: Any, offsets: Any, taps: Any, weights: Any, total: Any) -> None:
    """Add cubic samples of a chunk of points, each times its weight."""
    flat, known = box.reshape(-1), taps.reshape(-1)
    down, deep = box.shape[2], box.shape[1] * box.shape[2]
    for k in range(CHUNK):
        total[k] += weights[k] * taps64(flat, offsets[k], deep, down, known, k, CHUNK)


@compiled()
def _mean(seen: Any, weights: Any, out: Any) -> None:
    """Means over paths of ``seen`` ``(K, F, CHUNK)``, ``(F, CHUNK)``, added one by one."""
    for c in range(out.shape[0]):
        out[c] = ZERO
        for h in range(weights.shape[0]):
            for k in range(CHUNK):
                out[c, k] += weights[h, k] * seen[h, c, k]


@compiled()
def _beside(at: int, outer: Any, inner: Any, out: Any) -> None:
    """What the outer frames say of a chunk of points; nearest ones where there are none."""
    for side in range(2):
        last = outer[side].size - 1
        for k in range(CHUNK):
            out[side, k] = inner[side, k] if last < 0 else outer[side][min(at + k, last)]


@compiled()
def _lerped(inner: Any, share: Any, made: Any) -> None:
    """Linear between the frames."""
    for k in range(CHUNK):
        made[k] = inner[0, k] * (ONE - share) + inner[1, k] * share


@compiled()
def _looked(p: int, where: Any, contexts: Any, latents: Any, room: Any) -> None:
    """Contexts and latents of a chunk of points along path ``p``, where there are any."""
    factors, shapes, starts = where
    places, offsets, placed, _, seen, learned = room
    count = seen.shape[1]
    side, h = p // count, p % count
    sizes = contexts[side].shape if count > 1 else latents[side].shape
    if sizes[3] == 0:
        return
    located(places[p], factors[1], shapes[1], starts[side, 1], sizes, 0, offsets, placed)
    _contexts(contexts[side], latents[side], offsets, placed, seen[side, h], learned[side, h])


@compiled()
def _values(where: Any, coefficients: Any, weights: Any, room: Any, out: Any) -> None:
    """What both frames say of a chunk of points, ``(2, CHUNK)``: means over paths."""
    factors, shapes, starts = where
    places, offsets, placed, taps, _, _ = room
    count = weights.shape[0]
    out[:] = ZERO
    for p in range(2 * count):
        side, h = p // count, p % count
        box = coefficients[side]
        located(places[p], factors[0], shapes[0], starts[side, 0], box.shape, 1, offsets, placed)
        spline_weights(placed, taps)
        _added(box, offsets, taps, weights[h], out[side])


LAYERS = f"f4[::1], {MATRIX}, {MATRIX}, {MATRIX}"
BOXES = "UniTuple(f4[:,:,::1], 2), UniTuple(f4[:,:,:,::1], 2), UniTuple(f4[:,:,:,::1], 2)"


@compiled(
    "void(UniTuple(f4[::1], 3), Tuple((f4[::1], i8[:,::1], f4[:,::1])),"
    f" Tuple((f4[:,::1], i8[:,::1], i8[:,:,::1])), Tuple(({BOXES})),"
    f" Tuple((f4[::1], {LAYERS})), UniTuple(f4[::1], 2), Tuple(({LAYERS})), f4[::1])"
)
def between(
    grid: Any, paths: Any, where: Any, boxes: Any, blend: Any, outer: Any, decoder: Any, out: Any
) -> None:
    """Values of the points of a regular grid.

    Parameters
    ----------
    grid : places of planes, lines and columns, in voxels of the source.
    paths : displacements of all ``2 K`` paths, one after the other, those to the frame before
        first; of each path where its nodes begin, the number of the first along z, and how many
        there are along each axis, ``(2 K, 5)``; nodes per voxel, ``(2 K, 3)``.
    where : of the coefficients and of all else finer voxels per voxel and of the frame, ``(2, 3)``
        each; of each frame the first voxels of these boxes, ``(2, 2, 3)``.
    boxes : coefficients, contexts and latents of both frames; channels lie side by side, those of
        latents a multiple of four. One path has no contexts; without latents nothing is decoded.
    blend, outer, decoder : what :func:`.blending.weigh` and :func:`.decoding.decode` take.
    out : ``(P,)``.
    """
    (z, y, x), (nodes, grids, scales), (coefficients, contexts, latents) = grid, paths, boxes
    prior, numbers, w1, b1, w2, b2, w3, b3 = blend
    shares, d1, c1, d2, c2, d3, c3 = decoder
    count, features = prior.size, (d1.shape[1] - 8) // 2 if d1.size > 0 else 0
    weighing, last = blend_of(count, w1, b1, w2, b2, w3, b3), decoder_of(d1, c1, d2, c2, d3, c3)
    columns = [columns_of(x, _nodes(nodes, grids[p]), scales[p]) for p in range(2 * count)]
    lines = np.zeros((2 * count, 3, np.max(grids[:, 4])), np.float32)
    places, placed = np.empty((2 * count, 3, CHUNK), np.float32), np.empty((3, CHUNK), np.float32)
    offsets, taps = np.empty(CHUNK, np.int64), np.empty((12, CHUNK), np.float32)
    seen = np.zeros((2, count, SCALES, CHUNK), np.float32)
    learned = np.zeros((2, count, latents[0].shape[3], CHUNK), np.float32)
    room = places, offsets, placed, taps, seen, learned
    mixed, weights = np.empty((2, features, CHUNK), np.float32), np.ones((count, CHUNK), np.float32)
    inner, beside = np.empty((2, CHUNK), np.float32), np.empty((2, CHUNK), np.float32)
    made = np.empty(CHUNK, np.float32)
    for i in range(z.size * y.size):
        at_z, at_y = z[i // y.size], y[i % y.size]
        for p in range(2 * count):
            known, first = _nodes(nodes, grids[p]), grids[p, 1]
            displaced_line(at_z, at_y, known, scales[p], first, columns[p][4], lines[p])
        for at in range(0, columns[0][0].size, CHUNK):
            for p in range(2 * count):
                followed(at, at_z, at_y, columns[p], lines[p], places[p])
                _looked(p, where, contexts, latents, room)
            if count > 1:
                weighed(seen[0], seen[1], prior, numbers, weighing, weights)
            _values(where, coefficients, weights, room, inner)
            if features > 0:
                _mean(learned[0], weights, mixed[0])
                _mean(learned[1], weights, mixed[1])
                _beside(i * x.size + at, outer, inner, beside)
                decoded(inner, beside, mixed, shares, last, made)
            else:
                _lerped(inner, shares[0], made)
            for k in range(min(CHUNK, x.size - at)):
                out[i * x.size + at + k] = made[k]
