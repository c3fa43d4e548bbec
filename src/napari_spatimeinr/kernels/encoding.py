"""The encoder: two convolutions of a block, the second of those outputs that are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import compiled
from .layers import packed
from .vectors import LANES, four_taps, one_tap

ROWS = 16
"""Lines of a plane that go through both layers together: three planes of what the first gives
stay in the processor's cache."""
WIDE = 4 * LANES
"""Voxels of a line of which a single output is computed at once."""
ONE = np.float32(1)


@compiled()
def _packed(weight: Any, bias: Any) -> Any:
    """A layer's weights ``(out, in)`` and bias: of one output as they are, of more in fours."""
    if weight.shape[0] == 1:
        return weight.copy().reshape(-1), bias.copy()
    return packed(weight, bias)


@compiled()
def _line(
    values: Any, at: int, offsets: Any, layer: Any, slope: Any, out: Any, to: Any, count: int
) -> None:
    """A layer's outputs for ``count`` voxels of a line and some more: ``out`` has those of output
    ``o`` from ``to[0] + o to[1]`` on.
    """
    weights, bias = layer
    if bias.size == 1:
        for x in range(0, count, WIDE):
            one_tap(values, at + x, offsets, weights, 0, bias, 0, slope, out, to[0] + x, to[1])
        return
    for o in range(0, bias.size, 4):
        first, place = o * offsets.size, to[0] + o * to[1]
        for x in range(0, count, LANES):
            four_taps(
                values, at + x, offsets, weights, first, bias, o, slope, out, place + x, to[1]
            )


@compiled()
def _offsets(channels: int, planes: Any, of_channel: int, line: int) -> Any:
    """Of the 3 x 3 x 3 neighbours of a voxel in each channel; ``planes`` says where three planes
    begin.
    """
    offsets = np.empty(channels * 27, np.int64)
    for i in range(offsets.size):
        c, tap = i // 27, i % 27
        offsets[i] = c * of_channel + planes[tap // 9] + tap // 3 % 3 * line + tap % 3
    return offsets


MATRIX, OUT = "f4[:,::1], f4[::1]", "f4[:,:,:,::1]"


@compiled()
def _copied(made: Any, line: int, out: Any, z: int, y: int) -> None:
    """Lines of outputs to where they belong, without what vectors made beyond."""
    for o in range(out.shape[0]):
        out[o, z, y] = made[o * line : o * line + out.shape[3]]


@compiled(f"void(f4[:,:,::1], {MATRIX}, {MATRIX}, {MATRIX}, f4, {OUT}, {OUT})")
def encode(
    frame: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    w3: Any,
    b3: Any,
    slope: Any,
    corrections: Any,
    latents: Any,
) -> None:
    """Outputs of the second layer for all voxels of a block.

    Each voxel is computed on its own in one order, so its bits do not depend on the block.

    Parameters
    ----------
    frame : normalised voxels ``(z + 4, y + 4, x + 4)``.
    w1, b1, w2, b2, w3, b3 : weights of 3 x 3 x 3 neighbours and biases: of the first layer ``(C,
        27)``, of the corrections ``(outputs, C 27)`` and of the latents.
    slope : of what is negative after the first layer.
    corrections, latents : ``(outputs, z, y, x)``; either may have no outputs.
    """
    one, two, three = _packed(w1, b1), _packed(w2, b2), _packed(w3, b3)
    _, depth, height, width = latents.shape
    channels, hidden = w1.shape[0], one[1].size
    # What the first layer takes, and what it makes, in lines that vectors may read beyond.
    line = -(-width // WIDE) * WIDE + LANES
    given = line + LANES
    of_given, lines = (height + 4) * given, ROWS + 2
    known = np.zeros((depth + 4) * of_given + given, np.float32)
    for z in range(depth + 4):
        for y in range(height + 4):
            start = z * of_given + y * given
            known[start : start + width + 4] = frame[z, y]
    of_channel = lines * line
    of_plane = hidden * of_channel
    between = np.zeros(3 * of_plane + line, np.float32)
    made = np.empty(max(two[1].size, three[1].size) * line, np.float32)
    first = _offsets(1, (0, of_given, 2 * of_given), 0, given)
    second = (
        _offsets(channels, (0, of_plane, 2 * of_plane), of_channel, line),
        _offsets(channels, (of_plane, 2 * of_plane, 0), of_channel, line),
        _offsets(channels, (2 * of_plane, 0, of_plane), of_channel, line),
    )
    for top in range(0, height, ROWS):
        count = min(ROWS, height - top)
        for z in range(depth + 2):
            slot = z % 3 * of_plane
            for y in range(count + 2):
                at = z * of_given + (top + y) * given
                to = slot + y * line, of_channel
                _line(known, at, first, one, slope, between, to, width + 2)
            if z < 2:
                continue
            taps = second[(z - 2) % 3]
            for y in range(count):
                _line(between, y * line, taps, two, ONE, made, (0, line), width)
                _copied(made, line, corrections, z - 2, top + y)
                _line(between, y * line, taps, three, ONE, made, (0, line), width)
                _copied(made, line, latents, z - 2, top + y)
