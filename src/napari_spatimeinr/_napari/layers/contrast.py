"""Contrast limits of a recording, without reading all of it."""

from __future__ import annotations

import numpy as np

from ...volume import Volume


def limits(volume: Volume) -> tuple[float, float]:
    """From planes in the middle: nothing else is read."""
    t, z, _, _ = volume.shape
    planes = [np.asarray(volume.data[k, z // 2], np.float32) for k in sorted({0, t // 2, t - 1})]
    values = np.concatenate([p[np.isfinite(p)].ravel() for p in planes])
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(np.percentile(values, 99.95))
    return (low, high) if high > low else (low, low + 1.0)
