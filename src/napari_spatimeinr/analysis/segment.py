"""Cells as a plain watershed finds them, and how well labels agree with true ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import find_boundaries, watershed

Labels = NDArray[Any]

SIGMAS = (1.0, 2.0, 3.0, 4.0)
"""Standard deviations of the smoothing that are tried, voxels of the plane."""


def agreement(guess: Labels, true: Labels) -> dict[str, float]:
    """How well labels are the true ones, by number.

    Returns
    -------
    ``iou``, intersection over union, the mean over all true labels but 0; ``wrong``, the share of
    voxels with another label.
    """
    ids, sizes = np.unique(true, return_counts=True)
    found = dict(zip(*np.unique(guess, return_counts=True), strict=True))
    same = dict(zip(*np.unique(true[guess == true], return_counts=True), strict=True))
    shares = [
        same.get(label, 0) / (size + found.get(label, 0) - same.get(label, 0))
        for label, size in zip(ids, sizes, strict=True)
        if label
    ]
    return {
        "iou": float(np.mean(shares)) if shares else np.nan,
        "wrong": float((guess != true).mean()),
    }


def overlap(guess: Labels, true: Labels) -> float:
    """Mean intersection over union of the true cells, each with the found cell that is its own.

    Numbers do not matter: pairs are those with the largest overlaps as a whole. A cell that has no
    partner counts as 0; NaN without true cells.
    """
    guesses, g = np.unique(guess, return_inverse=True)
    trues, t = np.unique(true, return_inverse=True)
    common = np.zeros((len(trues), len(guesses)))
    np.add.at(common, (t.ravel(), g.ravel()), 1)
    union = common.sum(1, keepdims=True) + common.sum(0, keepdims=True) - common
    shares = (common / union)[trues != 0]
    shares[:, guesses == 0] = 0
    if not len(shares):
        return float("nan")
    rows, columns = linear_sum_assignment(shares, maximize=True)
    return float(shares[rows, columns].sum() / len(shares))


def has_bright_borders(frame: NDArray[Any], labels: Labels) -> bool:
    """Whether cells are shown by what lies between them (membranes), not by themselves (nuclei)."""
    border = find_boundaries(labels, mode="inner")
    inside = (labels != 0) & ~border
    if not border.any() or not inside.any():
        return False
    return float(frame[border].mean()) > float(frame[inside].mean())


def cells(
    frame: NDArray[Any], spacing: tuple[float, float, float], sigma: float, borders: bool
) -> Labels:
    """A plain watershed of a frame ``(Z, Y, X)`` from its smoothed extrema.

    Parameters
    ----------
    spacing : (dz, dy, dx).
    sigma : of the smoothing, physical; seeds are twice as far apart at least.
    borders : whether borders are bright; else cells are, and what is darker than Otsu's threshold
        is 0.
    """
    wide = sigma / np.asarray(spacing)
    image = ndimage.gaussian_filter(np.asarray(frame, np.float32), wide)
    basins = image if borders else -image
    reach = [max(1, round(2 * w)) for w in wide]
    seeds = peak_local_max(
        -basins, footprint=np.ones([2 * n + 1 for n in reach], bool), exclude_border=False
    )
    markers = np.zeros(image.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    mask = None if borders else image > threshold_otsu(image)
    return np.asarray(watershed(basins, markers, mask=mask))


def best_overlap(
    frame: NDArray[Any], true: Labels, spacing: tuple[float, float, float], borders: bool
) -> float:
    """:func:`overlap` of the watershed under the smoothing that suits the frame best (an oracle,
    for every method alike).
    """
    voxel = float(np.mean(spacing[1:]))
    return max(overlap(cells(frame, spacing, s * voxel, borders), true) for s in SIGMAS)
