"""Where between the frames of a recording the largest error is to be expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.grid import Grid
from ..field import Field
from .sentences import amount

Array = NDArray[np.float64]

LEAST, MOST_PARTS = 4, 4
"""Samples of a region along an axis, where there are so many, and regions along an axis."""
MOST_SAMPLES = (16, 48, 48)
"""Places (z, y, x) of a frame that are looked at, at most."""


@dataclass(frozen=True)
class Spot:
    """The interval and the region with the largest expected error.

    Parameters
    ----------
    frames : the numbers of the frames on both sides.
    times : theirs.
    region : physical (low, high) along z, y, x.
    error : expected RMS error there halfway between the frames, noise apart, in the recording's
        intensities.
    relative : the same as a multiple of that of all intervals and places.
    calibrated : whether it comes of errors on held-out frames; else it is how far the two frames
        disagree where motion is undone.
    """

    frames: tuple[int, int]
    times: tuple[float, float]
    region: tuple[tuple[float, float], ...]
    error: float
    relative: float
    calibrated: bool

    def sentence(self, units: tuple[str, str]) -> str:
        """For people; units of time and space."""
        where = ", ".join(
            f"{axis} {amount(low)} to {amount(high)}"
            for axis, (low, high) in zip("zyx", self.region, strict=True)
        )
        what = "expected error" if self.calibrated else "disagreement of the two frames"
        return (
            f"One more frame would help most between frames {self.frames[0]} and {self.frames[1]}"
            f" ({amount(self.times[0])} to {amount(self.times[1])} {units[0]}), there most at"
            f" {where} {units[1]}, where the {what} is {self.relative:.1f} x that of the"
            " whole recording."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "frames": list(self.frames),
            "times": list(self.times),
            "region": {axis: list(ends) for axis, ends in zip("zyx", self.region, strict=True)},
            "error": self.error,
            "relative": round(self.relative, 3),
            "calibrated": self.calibrated,
        }


def largest_error(
    field: Field, tick: Callable[[int, int], None] = lambda done, of: None
) -> Spot | None:
    """Where one more frame would help a fit of all frames most.

    The mean square of the errors to be expected halfway between frames, noise apart, is compared,
    first of intervals, then of regions in the interval found.

    Parameters
    ----------
    field : fitted to the whole recording.
    tick : called with intervals done and all of them before each; what it raises ends the work.

    Returns
    -------
    None for a single frame, or where no error is expected anywhere.
    """
    times = field.grid.coordinates(0)
    if len(times) < 2:
        return None
    grid = _coarse(field.grid, (times[1:] + times[:-1]) / 2)
    parts = [_parts(n) for n in grid.shape[1:]]
    squares = _squares(field, grid, parts, tick)
    whole = float(squares.mean())
    if not whole > 0:
        return None
    k = int(squares.mean((1, 2, 3)).argmax())
    at = np.unravel_index(int(squares[k].argmax()), squares[k].shape)
    region = tuple(
        _extent(grid, axis + 1, part[i])
        for axis, (part, i) in enumerate(zip(parts, at, strict=True))
    )
    worst = float(squares[k][at])
    return Spot(
        (k, k + 1),
        (float(times[k]), float(times[k + 1])),
        region,
        float(np.sqrt(worst)),
        float(np.sqrt(worst / whole)),
        field.provenance.confidence is not None,
    )


def _coarse(grid: Grid, times: Array) -> Grid:
    """A grid of some places of each frame at other times."""
    steps = [
        spacing * max(1, n // most)
        for n, spacing, most in zip(grid.shape[1:], grid.spacing[1:], MOST_SAMPLES, strict=True)
    ]
    return grid.refine(voxel=(steps[0], steps[1], steps[2]), times=times)


def _parts(n: int) -> list[NDArray[np.intp]]:
    return np.array_split(np.arange(n), max(1, min(MOST_PARTS, n // LEAST)))


def _extent(grid: Grid, axis: int, index: NDArray[np.intp]) -> tuple[float, float]:
    ends = grid.coordinates(axis)[index[[0, -1]]]
    half = grid.spacing[axis] / 2
    return float(ends[0] - half), float(ends[1] + half)


def _squares(
    field: Field,
    grid: Grid,
    parts: list[list[NDArray[np.intp]]],
    tick: Callable[[int, int], None],
) -> Array:
    """Mean squared expected errors of regions, ``(T, Z, Y, X)``, raw intensities."""
    calibrated = field.provenance.confidence is not None
    error = field.on_grid(grid, what="error" if calibrated else "disagreement")
    out = np.empty((grid.shape[0], *map(len, parts)))
    for n in range(grid.shape[0]):
        tick(n, grid.shape[0])
        squares = np.asarray(error[n], np.float64) ** 2
        for at in np.ndindex(out.shape[1:]):
            index = np.ix_(*(part[i] for part, i in zip(parts, at, strict=True)))
            out[n][at] = squares[index].mean()
    return out
