"""The decoder: from what frames say about points to their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .vectors import LANES, dense

CHUNK = 64
"""Points that go through the layers together, always: what is left over is computed too and thrown
away."""
ONE, HALF, ZERO = np.float32(1), np.float32(0.5), np.float32(0)
MOST = np.float32(5)
SIXTEENTH = np.float32(1 / 16)
TAYLOR = tuple(np.float32(1 / n) for n in (1, 2, 3, 4, 5, 6, 7))


@compiled()
def _exp(x: Any) -> Any:
    """Of numbers within [-6, 6], to 1e-6 of the result: the 16th power of a series that is short
    because its argument is small.
    """
    a = x * SIXTEENTH
    b = ONE + a * TAYLOR[5] * (ONE + a * TAYLOR[6])
    b = ONE + a * TAYLOR[3] * (ONE + a * TAYLOR[4] * b)
    b = ONE + a * (ONE + a * TAYLOR[1] * (ONE + a * TAYLOR[2] * b))
    b = b * b
    b = b * b
    b = b * b
    return b * b


@compiled()
def packed(weight: Any, bias: Any) -> Any:
    """A layer's weights ``(out, in)`` as four outputs side by side for each input, and its bias;
    what is missing to a multiple of four outputs is 0.
    """
    many = -(-weight.shape[0] // 4)
    fours = np.zeros((many, weight.shape[1], 4), np.float32)
    added = np.zeros(4 * many, np.float32)
    for o in range(weight.shape[0]):
        added[o] = bias[o]
        for i in range(weight.shape[1]):
            fours[o // 4, i, o % 4] = weight[o, i]
    return fours.reshape(-1), added


@compiled()
def _layer(known: Any, count: int, layer: Any, out: Any) -> None:
    """``out = weight known + bias``, of flat rows of ``CHUNK`` points."""
    weights, bias = layer
    for o in range(0, bias.size, 4):
        for at in range(0, CHUNK, LANES):
            dense(known, count, CHUNK, at, weights, o * count, bias, o, out)


@compiled()
def _kept(values: Any, count: int) -> None:
    """ReLU of rows of ``CHUNK`` points."""
    for i in range(count * CHUNK):
        values[i] = max(values[i], ZERO)


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
        _layer(known.reshape(-1), w1.shape[1], one, first)
        _kept(first, w1.shape[0])
        _layer(first, w2.shape[1], two, second)
        _kept(second, w2.shape[0])
        _layer(second, w3.shape[1], three, last.reshape(-1))
        for k in range(CHUNK):
            p = min(at + k, out.size - 1)
            a = (ONE - u) * _exp(min(max(last[0, k], -MOST), MOST))
            before = fade * _exp(min(max(last[1, k], -MOST), MOST) + start)
            after = fade * _exp(min(max(last[2, k], -MOST), MOST) + start)
            total = a * inner[0][p] + u * inner[1][p]
            total += before * outer[0][p] + after * outer[1][p]
            made[k] = total / (a + u + before + after) + fade * last[3, k]
        for k in range(min(CHUNK, out.size - at)):
            out[at + k] = made[k]
