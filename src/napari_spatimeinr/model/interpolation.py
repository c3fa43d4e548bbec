"""Interpolation in time: what users have now, and what the gates fall back to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]
REACH = 16
"""Frames on each side that a spline is made of: what a frame weighs falls to 0.27 from one to the
next."""


def temporal_weights(t: float, times: Floats, kind: Literal["linear", "cubic"]) -> Floats:
    """Weight of each frame for the value at time ``t``, ``(T,)``, summing to one.

    "cubic" is the not-a-knot spline through the frames within ``REACH``; with fewer than four
    frames it is linear.
    """
    count = len(times)
    if count == 1:
        return np.ones(1)
    weights = np.zeros(count)
    if kind == "cubic" and count > 3:
        near = int(np.searchsorted(times, t))
        some = slice(max(0, near - REACH), near + REACH)
        weights[some] = CubicSpline(times[some], np.eye(len(times[some])), axis=0)(t)
        return weights
    low = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, count - 2))
    u = (t - times[low]) / (times[low + 1] - times[low])
    weights[low], weights[low + 1] = 1 - u, u
    return weights


def segment(t: float, count: int, linear: Collection[int]) -> range:
    """The frames that may be used for time ``t`` (frames): up to the next interval of ``linear`` on
    each side.

    Interval i lies between frames i and i + 1; a time within one of ``linear`` has its two frames.
    """
    interval = max(0, min(int(t), count - 2))
    if interval in linear and t != interval:
        return range(interval, interval + 2)
    first = max((i + 1 for i in linear if i + 1 <= t), default=0)
    last = min((i for i in linear if i >= t), default=count - 1)
    return range(first, last + 1)
