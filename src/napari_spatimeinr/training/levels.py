"""Intensity levels of a recording: offset and scale, gains of frames (bleaching, flicker), a hash."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..model.frames import Levels
from ..scores import PERCENTILES

MOST_SAMPLES = 2_000_000
MOST_HASHED = 2**30


def estimate_levels(data: Any) -> tuple[Levels, list[str]]:
    """Offset and scale from percentiles of a regular sample of every frame, and what was noticed.

    Raises
    ------
    InputError
        If no voxel is finite.
    """
    count = int(data.shape[0])
    per_frame = max(1, MOST_SAMPLES // count)
    samples, missing, total = [], 0, 0
    for k in range(count):
        frame = np.asarray(data[k]).reshape(-1)
        part = frame[:: max(1, frame.size // per_frame)].astype(np.float32)
        if frame.dtype.kind == "f":
            bad = frame.size - int(np.count_nonzero(np.isfinite(frame)))
            missing += bad
            part = part[np.isfinite(part)]
        total += frame.size
        samples.append(part)
    values = np.concatenate(samples)
    if values.size == 0:
        raise InputError("The recording holds no finite intensity (all are NaN or infinite); check the file.")
    notes = []
    if missing:
        notes.append(f"{missing} of {total} voxels are not finite; they are filled with the background level.")
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        notes.append("All intensities are equal; there is nothing to fit and the result is constant.")
        high = low + 1.0
    else:
        top = float(values.max())
        share = float(np.mean(values == top))
        if share > 0.01 and np.dtype(data.dtype).kind in "iu":
            notes.append(f"{100 * share:.0f} % of the voxels share the highest value {top:g}; the recording may be saturated.")
    return Levels(low, high - low, (1.0,) * count), notes


def estimate_gains(coarse: Tensor) -> tuple[float, ...]:
    """Relative brightness of each frame from smoothed coarse frames ``(T, 1, z, y, x)``.

    The median ratio of neighbouring frames over voxels bright in both, accumulated; below 1 % it is noise and left at 1.
    """
    frames = coarse.flatten(1).double()
    gains = [1.0]
    for a, b in zip(frames[:-1], frames[1:], strict=True):
        mean = (a + b) / 2
        bright = mean >= mean.quantile(0.8) if mean.numel() <= 1_000_000 else mean >= mean[:: mean.numel() // 500_000].quantile(0.8)
        bright &= (a > 0.05) & (b > 0.05)
        ratio = float((b[bright].median() / a[bright].median()).clamp(0.5, 2.0)) if int(bright.sum()) >= 32 else 1.0
        gains.append(gains[-1] * (ratio if abs(ratio - 1) > 0.01 else 1.0))
    mean_gain = float(np.exp(np.mean(np.log(gains))))
    return tuple(g / mean_gain for g in gains)


def with_gains(levels: Levels, gains: tuple[float, ...]) -> Levels:
    """The same levels with gains of frames."""
    return Levels(levels.offset, levels.scale, gains)


def fingerprint(data: Any) -> str:
    """SHA-256 of shape, type and voxels; of the first, middle and last frame only above 1 GB (then prefixed 'partial:')."""
    shape = tuple(int(n) for n in data.shape)
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(data.dtype).itemsize
    frames = range(shape[0]) if size <= MOST_HASHED else sorted({0, shape[0] // 2, shape[0] - 1})
    digest = hashlib.sha256(f"{shape} {np.dtype(data.dtype).str}".encode())
    for k in frames:
        digest.update(np.ascontiguousarray(data[k]).tobytes())
    return ("" if size <= MOST_HASHED else "partial:") + digest.hexdigest()
