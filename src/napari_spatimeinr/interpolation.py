"""Interpolation in time: what users have now, and what the gates fall back to."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Floats = NDArray[np.float64]


def temporal_weights(t: float, times: Floats, kind: Literal["linear", "cubic"]) -> Floats:
    """Weight of each frame for the value at time ``t``, ``(T,)``, summing to one.

    "cubic" is the not-a-knot spline through all frames; with fewer than four frames it is linear.
    """
    count = len(times)
    if count == 1:
        return np.ones(1)
    if kind == "cubic" and count > 3:
        weights: Floats = CubicSpline(times, np.eye(count), axis=0)(t)
        return weights
    weights = np.zeros(count)
    low = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, count - 2))
    u = (t - times[low]) / (times[low + 1] - times[low])
    weights[low], weights[low + 1] = 1 - u, u
    return weights
