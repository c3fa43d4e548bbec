"""Small networks on chunks of points: what the kernels that run one share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .vectors import LANES, dense

CHUNK = 64
"""Points that go through the layers together, always: what is left over is computed too and thrown
away."""
ONE, ZERO = np.float32(1), np.float32(0)
SIXTEENTH = np.float32(1 / 16)
TAYLOR = tuple(np.float32(1 / n) for n in (1, 2, 3, 4, 5, 6, 7))


@compiled()
def exp(x: Any) -> Any:
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
def layer(known: Any, count: int, weighing: Any, out: Any) -> None:
    """``out = weight known + bias``, of flat rows of ``CHUNK`` points."""
    weights, bias = weighing
    for o in range(0, bias.size, 4):
        for at in range(0, CHUNK, LANES):
            dense(known, count, CHUNK, at, weights, o * count, bias, o, out)


@compiled()
def kept(values: Any, count: int) -> None:
    """ReLU of rows of ``CHUNK`` points."""
    for i in range(count * CHUNK):
        values[i] = max(values[i], ZERO)
