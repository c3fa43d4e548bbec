"""Several hypotheses of where things go, blended point by point."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .layers import CHUNK, ONE, ZERO, exp, kept, layer, packed

HALF = np.float32(0.5)
SCALES = 2
"""Contexts of a frame."""
KNOWN = 4 + 2 * SCALES
MATRIX = "f4[:,::1], f4[::1]"


@compiled()
def _compared(
    at: int, count: int, before: Any, after: Any, noise: Any, known: Any, relative: Any
) -> None:
    """What the network sees of each hypothesis at a chunk of points, ``known`` ``(K, KNOWN,
    CHUNK)``, and the mean of the relative differences, ``relative`` ``(K, CHUNK)``; see
    :meth:`.model.hypotheses.Hypotheses._weights`.
    """
    last = before.shape[2] - 1
    share = ONE / np.float32(count)
    for k in range(CHUNK):
        p = min(at + k, last)
        mean, spread = ZERO, ZERO
        for h in range(count):
            known[h, 0, k] = (before[h, 0, p] + after[h, 0, p]) * HALF
            mean += known[h, 0, k]
            relative[h, k] = ZERO
        mean *= share
        for h in range(count):
            away = known[h, 0, k] - mean
            known[h, 1, k], known[h, 2, k] = away, abs(away)
            spread += abs(away)
        spread *= share
        for s in range(SCALES):
            total = ZERO
            for h in range(count):
                known[h, 4 + s, k] = abs(before[h, s, p] - after[h, s, p])
                total += known[h, 4 + s, k]
            scale = ONE / (total * share + noise)
            for h in range(count):
                known[h, 3, k] = spread
                known[h, 4 + SCALES + s, k] = known[h, 4 + s, k] * scale
                relative[h, k] += known[h, 4 + SCALES + s, k] / np.float32(SCALES)


@compiled()
def _softmax(count: int, lowest: Any, said: Any) -> None:
    """Weights of a chunk of points from logarithms ``(K, CHUNK)``, in place, none smaller than
    ``exp(lowest)`` of the largest.
    """
    for k in range(CHUNK):
        most = said[0, k]
        for h in range(1, count):
            most = max(most, said[h, k])
        total = ZERO
        for h in range(count):
            said[h, k] = exp(max(said[h, k] - most, lowest))
            total += said[h, k]
        for h in range(count):
            said[h, k] /= total


@compiled(
    f"void(f4[:,:,::1], f4[:,:,::1], f4[::1], f4[::1], {MATRIX}, {MATRIX}, {MATRIX}, f4[:,::1])"
)
def weigh(
    before: Any,
    after: Any,
    prior: Any,
    numbers: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    w3: Any,
    b3: Any,
    out: Any,
) -> None:
    """Weights of hypotheses at points; see :class:`.model.hypotheses.Hypotheses`.

    Parameters
    ----------
    before, after : contexts of two frames along each hypothesis, ``(K, SCALES, P)``.
    prior : ``(K,)``.
    numbers : what differences say nothing below; how sharply the network weighs; the logarithm of
        the smallest weight.
    w1, b1, w2, b2, w3, b3 : the three layers, ``(out, in)`` and ``(out,)``.
    out : ``(K, P)``.
    """
    count, points = out.shape
    noise, sharpness, lowest = numbers[0], numbers[1], numbers[2]
    one, two, three = packed(w1, b1), packed(w2, b2), packed(w3, b3)
    known = np.empty((count, KNOWN, CHUNK), np.float32)
    first = np.empty(one[1].size * CHUNK, np.float32)
    second = np.empty(two[1].size * CHUNK, np.float32)
    last = np.empty((4, CHUNK), np.float32)
    said = np.empty((count, CHUNK), np.float32)
    for at in range(0, points, CHUNK):
        _compared(at, count, before, after, noise, known, said)
        for h in range(count):
            layer(known[h].reshape(-1), KNOWN, one, first)
            kept(first, w1.shape[0])
            layer(first, w2.shape[1], two, second)
            kept(second, w2.shape[0])
            layer(second, w3.shape[1], three, last.reshape(-1))
            for k in range(CHUNK):
                said[h, k] = sharpness * last[0, k] + prior[h] - said[h, k]
        _softmax(count, lowest, said)
        for h in range(count):
            for k in range(min(CHUNK, points - at)):
                out[h, at + k] = said[h, k]
