"""The decoder: from what frames say about points to their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .layers import CHUNK, exp, kept, layer, packed

HALF, ONE, MOST = np.float32(0.5), np.float32(1), np.float32(5)


@compiled()
def _gathered(inner: Any, outer: Any, latents: Any, asked: Any, known: Any) -> None:
    """What the first layer takes of a chunk of points, ``known`` ``(2 F + 8, CHUNK)``; see
    :meth:`.model.decoder.Decoder.forward`.
    """
    count = latents.shape[1]
    for side in range(2):
        for c in range(count):
            known[side * count + c] = latents[side, c]
    rest = known[2 * count :]
    for k in range(CHUNK):
        a, b = inner[0, k], inner[1, k]
        mean, difference = (a + b) * HALF, a - b
        before, after = outer[0, k] - mean, outer[1, k] - mean
        rest[0, k], rest[1, k], rest[2, k], rest[3, k] = mean, difference, abs(difference), asked
        rest[4, k], rest[5, k], rest[6, k], rest[7, k] = before, after, abs(before), abs(after)


@compiled()
def decoder_of(w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
    """The layers as :func:`decoded` takes them, and room for what it computes on the way."""
    one, two, three = packed(w1, b1), packed(w2, b2), packed(w3, b3)
    known = np.empty((w1.shape[1], CHUNK), np.float32)
    first = np.empty(one[1].size * CHUNK, np.float32)
    second = np.empty(two[1].size * CHUNK, np.float32)
    last = np.empty((4, CHUNK), np.float32)
    return one, two, three, known, first, second, last


@compiled()
def decoded(inner: Any, outer: Any, latents: Any, shares: Any, network: Any, made: Any) -> None:
    """Values of a chunk of points from those of two frames each, ``(2, CHUNK)``, and latents ``(2,
    F, CHUNK)``; see :func:`decode`.
    """
    one, two, three, known, first, second, last = network
    u, asked, fade, start = shares[0], shares[1], shares[2], shares[3]
    _gathered(inner, outer, latents, asked, known)
    layer(known.reshape(-1), known.shape[0], one, first)
    kept(first, one[1].size)
    layer(first, two[0].size // two[1].size, two, second)
    kept(second, two[1].size)
    layer(second, three[0].size // three[1].size, three, last.reshape(-1))
    for k in range(CHUNK):
        a = (ONE - u) * exp(min(max(last[0, k], -MOST), MOST))
        before = fade * exp(min(max(last[1, k], -MOST), MOST) + start)
        after = fade * exp(min(max(last[2, k], -MOST), MOST) + start)
        total = a * inner[0, k] + u * inner[1, k]
        total += before * outer[0, k] + after * outer[1, k]
        made[k] = total / (a + u + before + after) + fade * last[3, k]


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
    network = decoder_of(w1, b1, w2, b2, w3, b3)
    of_inner, of_outer = np.empty((2, CHUNK), np.float32), np.empty((2, CHUNK), np.float32)
    count, last = latents[0].shape[0], out.size - 1
    of_latents, made = np.empty((2, count, CHUNK), np.float32), np.empty(CHUNK, np.float32)
    for at in range(0, out.size, CHUNK):
        for side in range(2):
            for k in range(CHUNK):
                p = min(at + k, last)
                of_inner[side, k], of_outer[side, k] = inner[side][p], outer[side][p]
                for c in range(count):
                    of_latents[side, c, k] = latents[side][c, p]
        decoded(of_inner, of_outer, of_latents, shares, network, made)
        for k in range(min(CHUNK, out.size - at)):
            out[at + k] = made[k]
