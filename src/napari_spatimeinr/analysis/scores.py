"""Scores and the methods users have now: PSNR, SSIM, NRMSE; linear, cubic, classical flow, and
peers that learn motion from the recording.

Intensities are scaled so that the 0.5 and 99.8 percentiles of the whole recording are 0 and 1;
PSNR has range 1 and is the mean of the frames' dB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity
from skimage.registration import optical_flow_ilk, optical_flow_tvl1

from ..model.frames import PERCENTILES
from ..model.interpolation import temporal_weights
from .peers import PEERS, aligned
from .resolution import resolution_scaled

Frame = NDArray[np.float32]
FLOWS = ("flow", "tvl1")
"""Classical flow by scikit-image: iterative Lucas-Kanade and TV-L1."""
WARPING = (*FLOWS, *PEERS)
"""Those that move frames, which is done in time alone."""
BASELINES = ("linear", "cubic", *WARPING)
BLURS = np.arange(0, 1.75, 0.25)
"""Standard deviations tried for the blurred baselines, voxels."""


def scaled(data: NDArray[Any]) -> tuple[NDArray[np.float32], float, float]:
    """Data with the percentiles mapped to 0 and 1, and their raw values; a constant maps to 0."""
    low, high = (float(v) for v in np.percentile(data, PERCENTILES))
    span = high - low if high > low else 1.0
    return ((data - np.float32(low)) / np.float32(span)).astype(np.float32), low, span


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB for range 1; 120 for equal arrays."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 120.0 if error < 1e-12 else float(10 * np.log10(1 / error))


def smooth(frame: NDArray[Any], sigma: float = 1.0) -> NDArray[Any]:
    """Gaussian smoothing in z, y, x."""
    return np.asarray(ndimage.gaussian_filter(frame, sigma))


def ssim(a: Frame, b: Frame) -> float:
    """Structural similarity in 3-D (2-D when one plane), Gaussian weights, range 1; NaN below 11
    voxels a side.
    """
    a, b = np.squeeze(a), np.squeeze(b)
    if a.ndim < 2 or min(a.shape) < 11:
        if a.ndim == 3 and min(a.shape[1:]) >= 11:
            return float(np.mean([ssim(p, q) for p, q in zip(a, b, strict=True)]))
        return float("nan")
    return float(
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )
    )


def flow_pair(a: Frame, b: Frame, kind: str = "flow") -> tuple[NDArray[Any], NDArray[Any]]:
    """Forward and backward flow on frames smoothed with sigma 1: iterative Lucas-Kanade of radius
    6, or TV-L1.
    """
    sa, sb = smooth(a), smooth(b)
    if kind == "tvl1":
        return np.stack(optical_flow_tvl1(sb, sa)), np.stack(optical_flow_tvl1(sa, sb))
    return np.stack(optical_flow_ilk(sb, sa, radius=6)), np.stack(
        optical_flow_ilk(sa, sb, radius=6)
    )


def _warped(frame: Frame, flow: NDArray[Any]) -> Frame:
    grid = np.meshgrid(*[np.arange(n) for n in frame.shape], indexing="ij")
    return np.asarray(
        ndimage.map_coordinates(
            frame, [i + d for i, d in zip(grid, flow, strict=True)], order=3, mode="nearest"
        )
    )


def baseline(
    name: str,
    given: NDArray[Any],
    gap: int,
    tick: Callable[[int, int], None] = lambda done, of: None,
    clock: NDArray[np.float64] | None = None,
) -> dict[int, Frame]:
    """Frames between the given ones, by number in the whole recording.

    Parameters
    ----------
    name : one of ``BASELINES``.
    given : every ``gap``-th frame, ``(T', Z, Y, X)``, scaled.
    tick : called with the pairs of frames done and all of them before each; what it raises ends the
        work.
    clock : :attr:`.Grid.clock` of the whole recording; None for evenly spaced frames.
    """
    when = np.arange((len(given) - 1) * gap + 1) / gap if clock is None else clock
    times = when[::gap][: len(given)]
    pairs = None
    if name in PEERS:
        pairs = aligned(name, np.stack([smooth(frame) for frame in given]), tick)
    out: dict[int, Frame] = {}
    for k in range(len(given) - 1):
        tick(k, len(given) - 1)
        flows = None if pairs is None else pairs[k]
        if name in FLOWS:
            flows = flow_pair(given[k], given[k + 1], name)
        for i in range(1, gap):
            t = float(when[k * gap + i])
            u = (t - times[k]) / (times[k + 1] - times[k])
            if flows is None:
                weights = temporal_weights(t, times, "cubic" if name == "cubic" else "linear")
                out[k * gap + i] = np.tensordot(weights.astype(np.float32), given, 1)
            else:
                forth, back = flows
                out[k * gap + i] = (1 - u) * _warped(given[k], u * forth) + u * _warped(
                    given[k + 1], (1 - u) * back
                )
    return out


def score(
    frames: Mapping[int, NDArray[Any]],
    truth: NDArray[Any],
    given: NDArray[Any],
    gap: int,
    degraded: Mapping[int, NDArray[Any]] | None = None,
) -> dict[str, float]:
    """Means over frames of every score; ``frames`` by number in ``truth`` (T, Z, Y, X), both
    scaled.

    ``degraded`` are the frames as :func:`.resolution.degraded` has them of finer voxels, where
    there are any.
    """
    rows: dict[str, list[float]] = {
        "psnr": [],
        "psnr_smoothed": [],
        "ssim": [],
        "nrmse": [],
        "psnr_foreground": [],
        "rse": [],
        "rsp": [],
    }
    for t, frame in sorted(frames.items()):
        target = truth[t]
        rows["psnr"].append(psnr(frame, target))
        rows["psnr_smoothed"].append(psnr(smooth(frame), smooth(target)))
        rows["ssim"].append(ssim(frame, target))
        energy = float(np.sqrt(np.mean(target.astype(np.float64) ** 2)))
        error = float(np.sqrt(np.mean((frame.astype(np.float64) - target) ** 2)))
        rows["nrmse"].append(
            error / energy if energy > 1e-6 else float("nan")
        )  # nothing is relative to a black plane
        rse, rsp = resolution_scaled((degraded or frames)[t], target)
        rows["rse"].append(rse)
        rows["rsp"].append(rsp)
        k = t // gap
        moving = np.abs(smooth(given[k]) - smooth(given[min(k + 1, len(given) - 1)])) > 0.1
        rows["psnr_foreground"].append(
            psnr(frame[moving], target[moving]) if moving.any() else float("nan")
        )
    return {name: _mean(values) for name, values in rows.items()}


def best_blur(frames: Mapping[int, NDArray[Any]], truth: NDArray[Any]) -> dict[str, float]:
    """PSNR raw and smoothed under the Gaussian blur that suits the scored frames best
    (an oracle).
    """
    raw, smoothed = [], []
    for sigma in BLURS:
        blurred = {t: smooth(f, sigma) if sigma else f for t, f in frames.items()}
        raw.append(float(np.mean([psnr(f, truth[t]) for t, f in blurred.items()])))
        smoothed.append(
            float(np.mean([psnr(smooth(f), smooth(truth[t])) for t, f in blurred.items()]))
        )
    return {"psnr": max(raw), "psnr_smoothed": max(smoothed)}


def _mean(values: list[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return float(np.mean(known)) if known else float("nan")
