"""The decoder: from what frames say about points to their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .layers import CHUNK, exp, kept, layer, packed

HALF, ONE, MOST = np.float32(0.5), np.float32(1), np.float32(5)


@compiled()
def _gathered(at: int, inner: Any, outer: Any, latents: Any, asked: Any, known: Any) -> None:
    """What the first layer takes of a chunk of points, ``known`` ``(2 F + 8, CHUNK)``; see
    :meth:`.model.decoder.Decoder.forward`.
    """
    last, count = inner[0].size - 1, latents[0].shape[0]
    for c in range(count):
        for k in range(CHUNK):
            point = min(at + k, last)
            known[c, k], known[count + c, k] = latents[0][c, point], latents[1][c, point]
    rest = known[2 * count :]
    for k in range(CHUNK):
        point = min(at + k, last)
        a, b = inner[0][point], inner[1][point]
        mean, difference = (a + b) * HALF, a - b
        before, after = outer[0][point] - mean, outer[1][point] - mean
        rest[0, k], rest[1, k], rest[2, k], rest[3, k] = mean, difference, abs(difference), asked
        rest[4, k], rest[5, k], rest[6, k], rest[7, k] = before, after, abs(before), abs(after)


PAIR, MATRIX = "UniTuple(f4[::1], 2)", "f4[:,::1], f4[::1]"


@compiled(
    f"void({PAIR}, {PAIR}, UniTuple(f4[:,:], 2), f4[::1], {MATRIX}, {MATRIX}, {MATRIX}, f4[::1])"
)
def decode(
    inner: Any,
    outer: Any,
    latents: Any,
    shares: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    w3: Any,
    b3: Any,
    out: Any,
) -> None:
    """Values of points between two frames; see :meth:`.model.decoder.Decoder.forward`.

    Parameters
    ----------
    inner, outer : values of two frames each, ``(P,)``.
    latents : of the inner frames, ``(F, P)``.
    shares : of the interval that has passed; the one that the decoder is told, as its input; how
        much outer frames and the residual count; the logarithm that outer frames' weights start at.
    w1, b1, w2, b2, w3, b3 : the three layers, ``(out, in)`` and ``(out,)``.
    out : ``(P,)``.
    """
    one, two, three = packed(w1, b1), packed(w2, b2), packed(w3, b3)
    known = np.empty((w1.shape[1], CHUNK), np.float32)
    first = np.empty(one[1].size * CHUNK, np.float32)
    second = np.empty(two[1].size * CHUNK, np.float32)
    last, made = np.empty((4, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    u, asked, fade, start = shares[0], shares[1], shares[2], shares[3]
    for at in range(0, out.size, CHUNK):
        _gathered(at, inner, outer, latents, asked, known)
        layer(known.reshape(-1), w1.shape[1], one, first)
        kept(first, w1.shape[0])
        layer(first, w2.shape[1], two, second)
        kept(second, w2.shape[0])
        layer(second, w3.shape[1], three, last.reshape(-1))
        for k in range(CHUNK):
            p = min(at + k, out.size - 1)
            a = (ONE - u) * exp(min(max(last[0, k], -MOST), MOST))
            before = fade * exp(min(max(last[1, k], -MOST), MOST) + start)
            after = fade * exp(min(max(last[2, k], -MOST), MOST) + start)
            total = a * inner[0][p] + u * inner[1][p]
            total += before * outer[0][p] + after * outer[1][p]
            made[k] = total / (a + u + before + after) + fade * last[3, k]
        for k in range(min(CHUNK, out.size - at)):
            out[at + k] = made[k]
