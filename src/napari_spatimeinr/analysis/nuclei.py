"""Nuclei found as bright spots of one size, and how many of the true ones they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from skimage.feature import peak_local_max

Array = NDArray[np.float64]

RADII = (2.0, 3.0, 4.0, 6.0, 8.0)
"""Radii that are tried, voxels of the plane."""
SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Least responses that are tried, of the strong ones of the given frames."""
PLAIN = 0.25
"""The least response where there are no points to choose it by."""
STRONG = 95
"""Percentile of the responses of spots that counts as strong."""


@dataclass(frozen=True)
class Finder:
    """Finds bright spots: peaks of the difference of two Gaussians.

    Parameters
    ----------
    radius : of a spot, physical.
    least : response of a peak, in the units of the frames.
    spacing : (dz, dy, dx).
    """

    radius: float
    least: float
    spacing: tuple[float, float, float]

    def __call__(self, frame: NDArray[Any]) -> Array:
        """Where spots are in a frame ``(Z, Y, X)``: ``(N, 3)``, physical from its first voxel."""
        at, strength = _peaks(frame, self.radius, self.spacing)
        return at[strength >= self.least] * np.asarray(self.spacing)


def finder(
    frames: Mapping[int, NDArray[Any]],
    spacing: tuple[float, float, float],
    points: Mapping[int, Array] | None = None,
) -> Finder:
    """The finder for the nuclei of some recorded frames.

    Parameters
    ----------
    frames : ``(Z, Y, X)`` each, by number.
    spacing : (dz, dy, dx).
    points : true places in these frames, ``(N, 3)`` physical from the first voxel; radius and least
        response are those that find them best. Without, the radius is the one whose spots stand
        out most.
    """
    voxel = float(np.mean(spacing[1:]))
    best, chosen = -np.inf, Finder(RADII[0] * voxel, 0.0, spacing)
    for radius in (voxel * r for r in RADII):
        peaks = {t: _peaks(frame, radius, spacing) for t, frame in frames.items()}
        strengths = np.concatenate([strength for _, strength in peaks.values()])
        if not len(strengths):
            continue
        strong = float(np.percentile(strengths, STRONG))
        for share in SHARES if points is not None else (PLAIN,):
            made = Finder(radius, share * strong, spacing)
            found = {
                t: at[strength >= made.least] * np.asarray(spacing)
                for t, (at, strength) in peaks.items()
            }
            worth = strong if points is None else compared(found, points)["f1"]
            if worth > best:
                best, chosen = worth, made
    return chosen


def compared(found: Mapping[int, Array], true: Mapping[int, Array]) -> dict[str, float]:
    """Precision, recall, their harmonic mean ``f1``, and the mean distance of pairs, physical.

    A pair is a found and a true point of a frame, closer than half the median distance of true
    neighbours; pairs are those that are closest together as a whole.

    Parameters
    ----------
    found, true : ``(N, 3)`` physical, by frame; frames of ``true`` count.
    """
    reach = _reach(list(true.values()))
    distances: list[float] = []
    for t, places in true.items():
        distances += _pairs(found[t], places, reach)
    hits = len(distances)
    of_found, of_true = (sum(len(side[t]) for t in true) for side in (found, true))
    precision, recall = (hits / n if n else np.nan for n in (of_found, of_true))
    total = of_found + of_true
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / total if total else np.nan,
        "distance": float(np.mean(distances)) if distances else np.nan,
    }


def _peaks(
    frame: NDArray[Any], radius: float, spacing: tuple[float, float, float]
) -> tuple[NDArray[np.intp], Array]:
    """Voxels ``(N, 3)`` and strengths of the spots of a radius: a Gaussian spot's response is
    largest at its standard deviation, a ball's at its radius by the root of 3.
    """
    image = np.asarray(frame, np.float32)
    sigma = radius / np.sqrt(3) / np.asarray(spacing)
    response = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 1.6 * sigma)
    reach = [
        min(int(r), n - 1) for r, n in zip(radius / np.asarray(spacing), image.shape, strict=True)
    ]
    grid = np.ogrid[tuple(slice(-n, n + 1) for n in reach)]
    ball = sum((g * s / radius) ** 2 for g, s in zip(grid, spacing, strict=True)) <= 1
    at = peak_local_max(response, footprint=ball, threshold_abs=0.0, exclude_border=False)
    return at, response[tuple(at.T)].astype(np.float64)


def _pairs(found: Array, true: Array, reach: float) -> list[float]:
    """Distances of pairs within reach, as many and as close as can be."""
    if not len(found) or not len(true):
        return []
    apart = cdist(found, true)
    rows, columns = linear_sum_assignment(np.minimum(apart, 2 * reach))
    return [float(d) for d in apart[rows, columns] if d <= reach]


def _reach(places: Sequence[Array]) -> float:
    nearest = [cKDTree(p).query(p, k=2)[0][:, 1] for p in places if len(p) > 1]
    return float(np.median(np.concatenate(nearest))) / 2 if nearest else np.inf
