"""Labels between voxels: the eight around a point vote, of one frame or of two."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Voter(NamedTuple):
    """A labelled frame ``(Z, Y, X)``, where points lie in it ``(P, 3)`` (fractional voxels), and
    what its votes count.
    """

    frame: NDArray[Any]
    ends: NDArray[np.float32]
    weight: float


def voted(near: Voter, far: Voter | None) -> NDArray[Any]:
    """Labels of points ``(P,)``: of those around a point in the near frame the one with most votes.

    A voxel votes with its share of a trilinear interpolation, so that borders lie between voxels.
    Voxels of the far frame vote as well, where all labels to choose from exist in it: labels that
    were numbered anew there, or not drawn at all, change nothing.
    """
    labels, shares = _around(near.frame, near.ends)
    out = labels[0].copy()
    mixed = np.flatnonzero((labels != labels[0]).any(0))
    labels, shares = labels[:, mixed], shares[:, mixed] * np.float32(near.weight)
    votes = _votes(labels, labels, shares)
    if far is not None:
        others, more = _around(far.frame, far.ends[mixed])
        known = (np.isin(labels, np.unique(far.frame)) | (labels == 0)).all(0)
        votes += _votes(labels, others, more * np.float32(far.weight)) * known
    out[mixed] = np.take_along_axis(labels, votes.argmax(0)[None], 0)[0]
    return out


def _around(
    frame: NDArray[Any], ends: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The eight labels around points, and their shares, ``(8, P)``; at the edges voxels repeat."""
    lower = np.floor(ends)
    share = ends - lower
    index = lower.astype(np.intp)
    sides = [
        [np.clip(index[:, axis] + step, 0, n - 1) for step in (0, 1)]
        for axis, n in enumerate(frame.shape)
    ]
    labels = np.empty((8, len(ends)), frame.dtype)
    shares = np.ones((8, len(ends)), np.float32)
    for n, corner in enumerate(itertools.product((0, 1), repeat=3)):
        labels[n] = frame[tuple(sides[axis][step] for axis, step in enumerate(corner))]
        for axis, step in enumerate(corner):
            shares[n] *= share[:, axis] if step else 1 - share[:, axis]
    return labels, shares


def _votes(
    candidates: NDArray[Any], labels: NDArray[Any], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Votes for each candidate, ``(8, P)``."""
    rows: Sequence[NDArray[np.float32]] = [
        np.where(labels == one, shares, 0).sum(0, dtype=np.float32) for one in candidates
    ]
    return np.stack(rows)
