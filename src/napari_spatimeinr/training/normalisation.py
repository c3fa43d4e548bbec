"""Intensity levels of a recording: offset and scale, gains of frames (bleaching,
flicker), a hash.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..model.frames import PERCENTILES, Normalisation

MOST_SAMPLES = 2_000_000
MOST_HASHED = 2**30


def estimate_normalisation(data: Any) -> tuple[Normalisation, list[str], bool]:
    """Offset and scale from percentiles of a regular sample of every frame, ranges, what was
    noticed, and whether all is equal.

    Raises
    ------
    InputError
        If no voxel is finite.
    """
    count = int(data.shape[0])
    per_frame = max(1, MOST_SAMPLES // count)
    samples, ranges, missing, total = [], [], 0, 0
    for k in range(count):
        frame = np.asarray(data[k]).reshape(-1)
        part = frame[:: max(1, frame.size // per_frame)].astype(np.float32)
        if frame.dtype.kind == "f":
            bad = frame.size - int(np.count_nonzero(np.isfinite(frame)))
            missing += bad
            part = part[np.isfinite(part)]
            total += bad
            frame = frame[np.isfinite(frame)] if bad else frame
        total += frame.size
        samples.append(part)
        ranges.append((float(frame.min()), float(frame.max())) if frame.size else None)
    values = np.concatenate(samples)
    if values.size == 0:
        raise InputError(
            "The recording holds no finite intensity (all are NaN or infinite); check the file."
        )
    notes = []
    if missing:
        notes.append(
            f"{missing} of {total} voxels are not finite; they are filled with the background"
            " level."
        )
    low, high = (float(v) for v in np.percentile(_held(samples), PERCENTILES))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    constant = high <= low
    if constant:
        notes.append(
            "All intensities are equal; there is nothing to fit and the result is constant."
        )
        high = low + 1.0
    else:
        top = float(values.max())
        share = float(np.mean(values == top))
        if share > 0.01 and np.dtype(data.dtype).kind in "iu":
            notes.append(
                f"{100 * share:.0f} % of the voxels share the highest value {top:g}; the recording"
                " may be saturated."
            )
    known = [r for r in ranges if r is not None]
    whole = min(a for a, _ in known), max(b for _, b in known)
    return (
        Normalisation(low, high - low, (1.0,) * count, tuple(r or whole for r in ranges)),
        notes,
        constant,
    )


def _held(samples: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The samples of the frames that hold something: many empty ones would make noise of them the
    brightest there is.

    Frames that span less than a quarter of what the third-widest spans are empty beside it; one or
    two wider ones may be flashes.
    """
    spans = np.array(
        [np.ptp(np.percentile(part, PERCENTILES)) if part.size else 0.0 for part in samples]
    )
    least = np.sort(spans)[-min(3, len(spans))] / 4
    return np.concatenate(
        [part for part, span in zip(samples, spans, strict=True) if span >= least]
    )


def estimate_gains(coarse: Tensor) -> tuple[float, ...]:
    """Relative brightness of each frame from smoothed coarse frames ``(T, 1, z, y, x)``.

    The median ratio of neighbouring frames over voxels bright in both, per region of the frame.
    Bleaching and lamp flicker change all regions alike; a change below 1 %, or one the regions
    disagree on, is left alone.
    """
    frames = coarse[:, 0].cpu().double()  # few voxels, and not every device has float64
    regions = [
        (z, y, x)
        for z in _halves(frames.shape[1])
        for y in _halves(frames.shape[2])
        for x in _halves(frames.shape[3])
    ]
    gains = [1.0]
    for a, b in zip(frames[:-1], frames[1:], strict=True):
        mean = ((a + b) / 2).flatten()
        bright = float(mean[:: max(1, mean.numel() // 500_000)].quantile(0.7))
        logs = []
        for part in regions:
            p, q = a[part], b[part]
            used = ((p + q) / 2 >= bright) & (p > 0.05) & (q > 0.05)
            if int(used.sum()) >= 16:
                logs.append(float((q[used].median() / p[used].median()).clamp(0.5, 2.0).log()))
        middle = float(np.median(logs)) if logs else 0.0
        spread = float(np.median(np.abs(np.asarray(logs) - middle))) if len(logs) >= 3 else np.inf
        gains.append(
            gains[-1] * (float(np.exp(middle)) if abs(middle) > max(0.01, 2 * spread) else 1.0)
        )
    mean_gain = float(np.exp(np.mean(np.log(gains))))
    return tuple(g / mean_gain for g in gains)


def _halves(n: int) -> list[slice]:
    return [slice(0, n // 2), slice(n // 2, n)] if n >= 4 else [slice(0, n)]


def fingerprint(data: Any) -> str:
    """SHA-256 of shape, type and voxels; of the first, middle and last frame only above 1 GB (then
    prefixed 'partial:').
    """
    shape = tuple(int(n) for n in data.shape)
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(data.dtype).itemsize
    frames = range(shape[0]) if size <= MOST_HASHED else sorted({0, shape[0] // 2, shape[0] - 1})
    digest = hashlib.sha256(f"{shape} {np.dtype(data.dtype).str}".encode())
    for k in frames:
        digest.update(np.ascontiguousarray(data[k]).tobytes())
    return ("" if size <= MOST_HASHED else "partial:") + digest.hexdigest()
