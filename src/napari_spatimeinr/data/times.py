"""Times of frames that need not be even: physical time <-> frames, and from frames to the time that
motion is measured in.

Everything that is computed counts in frames: frame k is at k, and what lies between two frames is
at the share of their own interval that has passed. Motion counts in median intervals, of which a
longer one takes more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GridError

Floats = NDArray[np.float64]
EVEN = 1e-6
"""Steps that differ from the first by less than this fraction are the same."""


def checked(times: Any, frames: int) -> tuple[float, ...]:
    """Times themselves, once they are an increasing one for each frame.

    Raises
    ------
    GridError
        If they are not.
    """
    out = tuple(float(t) for t in times)
    if len(out) != frames:
        raise GridError(f"{len(out)} times were given for {frames} frames.")
    if not np.isfinite(out).all() or np.any(np.diff(out) <= 0):
        raise GridError("Times must be finite and increasing.")
    return out


def interval(times: Sequence[float]) -> float | None:
    """The median interval, None of one frame."""
    return float(np.median(np.diff(times))) if len(times) > 1 else None


def to_frames(times: Sequence[float], step: float, physical: Floats) -> Floats:
    """Physical times as (fractional) frames; beyond the ends ``step`` is the interval."""
    at = np.asarray(physical, dtype=np.float64)
    beyond = np.minimum(at - times[0], 0) + np.maximum(at - times[-1], 0)
    return np.asarray(np.interp(at, times, np.arange(len(times))) + beyond / step)


def to_physical(times: Sequence[float], step: float, frames: Floats) -> Floats:
    """Inverse of :func:`to_frames`."""
    at = np.asarray(frames, dtype=np.float64)
    beyond = np.minimum(at, 0) + np.maximum(at - (len(times) - 1), 0)
    return np.asarray(np.interp(at, np.arange(len(times)), times) + beyond * step)


def listed(times: Floats, step: float) -> tuple[int, float, float, tuple[float, ...] | None]:
    """Number, interval and origin of frames at these times, and the times where they are not even;
    ``step`` is the interval of one frame alone.
    """
    steps = np.diff(times)
    if steps.size == 0 or np.allclose(steps, steps[0], rtol=EVEN, atol=0):
        return times.size, float(steps[0]) if steps.size else step, float(times[0]), None
    return times.size, float(np.median(steps)), float(times[0]), tuple(times.tolist())
