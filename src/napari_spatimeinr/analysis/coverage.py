"""Whether intervals of confidence hold what they state, on frames that were used for nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..field import Field
from .scores import scaled, smooth

BLOCK = 16
"""Voxels along y and x of the blocks that are drawn again and again; what lies closer together errs
together."""
DRAWS = 200
MOST_VOXELS = 4_000_000
"""Of all frames together; of more, some planes are looked at."""
CHANGE = 0.1
"""The moving foreground: the smoothed frames around differ by more than this share of the range."""


@dataclass(frozen=True)
class Coverage:
    """What an interval of confidence holds.

    Parameters
    ----------
    level : share it should hold.
    whole, moving : share of the recorded voxels it holds, of all and of those between which the
        frames around differ; NaN where there are none.
    whole_error, moving_error : their standard errors, by drawing blocks of voxels again.
    width, moving_width : its mean half-width, as a share of the recording's range.
    """

    level: float
    whole: float
    whole_error: float
    width: float
    moving: float
    moving_error: float
    moving_width: float

    def to_json(self) -> dict[str, float | None]:
        """Plain values; what could not be computed is null."""
        return {
            key: round(value, 4) if math.isfinite(value) else None
            for key, value in vars(self).items()
        }

    def __str__(self) -> str:
        said = f"{100 * self.whole:.1f} +- {100 * self.whole_error:.1f} %"
        if math.isfinite(self.moving):
            said += f", {100 * self.moving:.1f} +- {100 * self.moving_error:.1f} % where it moves"
        return (
            f"{100 * self.level:.0f} % interval: {said}; half-width {self.width:.4f} of the range"
        )


def coverage(
    field: Field,
    how: dict[str, Any],
    raw: NDArray[Any],
    gap: int,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> list[Coverage]:
    """Coverage of the intervals of a fit of every ``gap``-th frame, of the frames left out.

    Parameters
    ----------
    field : the fit.
    how : options of :meth:`.Field.lazy` by which it is rendered at the times of all frames.
    raw : all frames, ``(T, Z, Y, X)``.
    tick : called with the frames done and all of them before each; what it raises ends the work.

    Returns
    -------
    One for each level it is calibrated for; none where it is not.
    """
    table = field.provenance.confidence
    if table is None:
        return []
    range_of = scaled(raw)[2]
    values = field.lazy(**how)
    wide = [field.lazy(**how, what="confidence", level=level) for level in table.levels]
    frames = [t for t in range(len(values)) if t % gap]
    step = -(-len(frames) * math.prod(values.shape[1:]) // MOST_VOXELS)
    counted = [_Counts() for _ in wide]
    for number, t in enumerate(frames):
        tick(number, len(frames))
        k = t // gap * gap
        around = (smooth(raw[n].astype(np.float32)) for n in (k, min(k + gap, len(raw) - 1)))
        before, after = (one[::step] for one in around)
        moving = np.abs(before - after) > CHANGE * range_of
        error = np.abs(np.asarray(values[t, ::step]) - raw[t, ::step])
        for counts, widths in zip(counted, wide, strict=True):
            half = np.asarray(widths[t, ::step])
            counts.add(error <= half, half / range_of, moving)
    return [
        Coverage(float(level), *counts.of("whole"), *counts.of("moving"))
        for level, counts in zip(table.levels, counted, strict=True)
    ]


class _Counts:
    """Voxels inside an interval, all voxels, and the sum of widths, of each block."""

    def __init__(self) -> None:
        self.sums: dict[str, list[NDArray[np.float64]]] = {"whole": [], "moving": []}

    def add(self, inside: NDArray[Any], half: NDArray[Any], moving: NDArray[Any]) -> None:
        """Count a frame, ``(z, y, x)``."""
        for where, some in (("whole", np.ones_like(moving)), ("moving", moving)):
            sums = [_blocks(part * some) for part in (inside, np.ones_like(half), half)]
            self.sums[where].append(np.stack(sums, 1))

    def of(self, where: str) -> tuple[float, float, float]:
        """The share inside, its standard error, and the mean half-width."""
        blocks = np.concatenate(self.sums[where])
        blocks = blocks[blocks[:, 1] > 0]
        if not len(blocks):
            return math.nan, math.nan, math.nan
        inside, number, half = blocks.sum(0)
        drawn = np.random.default_rng(0).multinomial(
            len(blocks), np.full(len(blocks), 1 / len(blocks)), DRAWS
        )
        sums = drawn @ blocks[:, :2]
        error = float(np.std(sums[:, 0] / sums[:, 1])) if len(blocks) > 1 else math.nan
        return float(inside / number), error, float(half / number)


def _blocks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Sums over blocks of a frame, in one row."""
    sums = np.asarray(values, np.float64)
    for axis in (1, 2):
        sums = np.add.reduceat(sums, np.arange(0, sums.shape[axis], BLOCK), axis)
    return sums.ravel()
