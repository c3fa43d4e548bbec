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
    count: int, before: Any, after: Any, noise: Any, known: Any, relative: Any, some: Any
) -> None:
    """What the network sees of each hypothesis at a chunk of points, ``known`` ``(K, KNOWN,
    CHUNK)``, and the mean of the relative differences, ``relative`` ``(K, CHUNK)``; see
    :meth:`.model.hypotheses.Hypotheses._weights`. ``some`` ``(2, CHUNK)`` is for sums.
    """
    share = ONE / np.float32(count)
    mean, total = some[0], some[1]
    mean[:] = ZERO
    for h in range(count):
        relative[h] = ZERO
        for k in range(CHUNK):
            known[h, 0, k] = (before[h, 0, k] + after[h, 0, k]) * HALF
            mean[k] += known[h, 0, k]
    total[:] = ZERO
    for h in range(count):
        for k in range(CHUNK):
            away = known[h, 0, k] - mean[k] * share
            known[h, 1, k], known[h, 2, k] = away, abs(away)
            total[k] += abs(away)
    for h in range(count):
        for k in range(CHUNK):
            known[h, 3, k] = total[k] * share
    for s in range(SCALES):
        total[:] = ZERO
        for h in range(count):
            for k in range(CHUNK):
                known[h, 4 + s, k] = abs(before[h, s, k] - after[h, s, k])
                total[k] += known[h, 4 + s, k]
        for k in range(CHUNK):
            total[k] = ONE / (total[k] * share + noise)
        for h in range(count):
            for k in range(CHUNK):
                known[h, 4 + SCALES + s, k] = known[h, 4 + s, k] * total[k]
                relative[h, k] += known[h, 4 + SCALES + s, k] * (ONE / np.float32(SCALES))


@compiled()
def _softmax(count: int, lowest: Any, said: Any, some: Any) -> None:
    """Weights of a chunk of points from logarithms ``(K, CHUNK)``, in place, none smaller than
    ``exp(lowest)`` of the largest.
    """
    most, total = some[0], some[1]
    most[:], total[:] = said[0], ZERO
    for h in range(1, count):
        for k in range(CHUNK):
            most[k] = max(most[k], said[h, k])
    for h in range(count):
        for k in range(CHUNK):
            said[h, k] = exp(max(said[h, k] - most[k], lowest))
            total[k] += said[h, k]
    for k in range(CHUNK):
        total[k] = ONE / total[k]
    for h in range(count):
        for k in range(CHUNK):
            said[h, k] *= total[k]


@compiled()
def blend_of(count: int, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
    """The layers as :func:`weighed` takes them, and room for what it computes on the way."""
    one, two, three = packed(w1, b1), packed(w2, b2), packed(w3, b3)
    known = np.empty((count, KNOWN, CHUNK), np.float32)
    first = np.empty(one[1].size * CHUNK, np.float32)
    second = np.empty(two[1].size * CHUNK, np.float32)
    last, some = np.empty((4, CHUNK), np.float32), np.empty((2, CHUNK), np.float32)
    return one, two, three, known, first, second, last, some


@compiled()
def weighed(before: Any, after: Any, prior: Any, numbers: Any, network: Any, said: Any) -> None:
    """Weights of a chunk of points, ``said`` ``(K, CHUNK)``, from contexts ``(K, SCALES, CHUNK)``;
    see :func:`weigh`.
    """
    one, two, three, known, first, second, last, some = network
    noise, sharpness, lowest = numbers[0], numbers[1], numbers[2]
    count = prior.size
    _compared(count, before, after, noise, known, said, some)
    for h in range(count):
        layer(known[h].reshape(-1), KNOWN, one, first)
        kept(first, one[1].size)
        layer(first, two[0].size // two[1].size, two, second)
        kept(second, two[1].size)
        layer(second, three[0].size // three[1].size, three, last.reshape(-1))
        for k in range(CHUNK):
            said[h, k] = sharpness * last[0, k] + prior[h] - said[h, k]
    _softmax(count, lowest, said, some)


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
    network = blend_of(count, w1, b1, w2, b2, w3, b3)
    of_before = np.empty((count, SCALES, CHUNK), np.float32)
    of_after = np.empty((count, SCALES, CHUNK), np.float32)
    said = np.empty((count, CHUNK), np.float32)
    for at in range(0, points, CHUNK):
        for h in range(count):
            for s in range(SCALES):
                for k in range(CHUNK):
                    p = min(at + k, points - 1)
                    of_before[h, s, k], of_after[h, s, k] = before[h, s, p], after[h, s, p]
        weighed(of_before, of_after, prior, numbers, network, said)
        for h in range(count):
            for k in range(min(CHUNK, points - at)):
                out[h, at + k] = said[h, k]
