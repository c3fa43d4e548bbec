"""Filaments: thin bent threads between points that move, as of a cytoskeleton or of vessels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import erf

from .cells import Array, Cells
from .structure import Structure

FILAMENT = 0.12
"""Standard deviation of a thread's profile before the PSF, um."""
LIGHT = 0.5
"""Brightness times um^2 of a thread's cross-section; under the default PSF its peak is about 0.6,
and bundles are brighter."""
BEND = 0.4
"""How far a thread bends towards a third point."""
PIECES = 6
"""Straight pieces a thread is drawn with."""
REACH = 5.0
"""How far a thread is seen, standard deviations."""


@dataclass(frozen=True)
class Filaments(Structure):
    """Threads: quadratic Bezier curves from one moving point to another, bent towards a third.

    With ends A and B and the third point C, the control point is ``Q = M + BEND (C - M)``,
    ``M = (A + B) / 2``. Of a straight piece from a to b, blurred by variances s^2 per axis
    (thread and PSF together), a point sees a line integral in closed form: with
    ``q = (p - a) / s``, ``d = (b - a) / s``, ``u = q . d / |d|^2``,

        L |b - a| / ((2 pi)^(3/2) s_z s_y s_x) exp(-(|q|^2 - u^2 |d|^2) / 2)
        sqrt(pi / 2) / |d| (erf(|d| (1 - u) / sqrt 2) + erf(|d| u / sqrt 2))
    """

    threads: NDArray[np.intp]  # (threads, 3), the cells at A, B and C

    def draw(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        """Brightness at points."""
        a, b, thread = self._pieces(t)
        sigma = np.sqrt(FILAMENT**2 + variance)
        a, b, p = a / sigma, b / sigma, points / sigma
        along = b - a
        length = np.linalg.norm(along, axis=1)
        tree = cKDTree(p)
        found = tree.query_ball_point((a + b) / 2, REACH + length / 2, workers=-1)
        counts = np.array([len(f) for f in found], int)
        total = np.zeros(len(points))
        if counts.sum() == 0:
            return total.astype(np.float32)
        at = np.concatenate([np.asarray(f, int) for f in found])
        piece = np.repeat(np.arange(len(a)), counts)
        q, d, n = p[at] - a[piece], along[piece], length[piece]
        u = np.einsum("ij,ij->i", q, d) / n**2
        across = np.einsum("ij,ij->i", q, q) - (u * n) ** 2
        ends = erf(n * (1 - u) / np.sqrt(2)) + erf(n * u / np.sqrt(2))
        metres = np.linalg.norm(along * sigma, axis=1)
        power = LIGHT * self._light(t)[thread] * metres / length / (4 * np.pi * sigma.prod())
        value = power[piece] * np.exp(-0.5 * across) * ends
        return np.bincount(at, value, len(points)).astype(np.float32)

    def labels(self, points: Array, t: float) -> NDArray[np.int32]:
        """Number of the thread within two of its standard deviations."""
        distance, thread, _ = self._nearest(points, t)
        seen = (distance < 2 * FILAMENT) & (self._light(t)[thread] > 0)
        return np.where(seen, thread + 1, 0).astype(np.int32)

    def shares(self, points: Array, t: float) -> tuple[NDArray[np.intp], Array]:
        """Of the three cells of the nearest thread."""
        _, thread, s = self._nearest(points, t)
        return self.threads[thread], _weights(s)

    def _light(self, t: float) -> Array:
        ends = self.cells.bright(t)[self.threads[:, :2]]
        return np.sqrt(ends.prod(1))

    def _pieces(self, t: float) -> tuple[Array, Array, NDArray[np.intp]]:
        """Ends of the straight pieces ``(pieces, 3)`` and the thread of each."""
        corners = _weights(np.linspace(0, 1, PIECES + 1)) @ self.cells.centres(t)[self.threads]
        pairs = list(pairwise(range(PIECES + 1)))
        a, b = (np.concatenate([corners[:, pair[end]] for pair in pairs]) for end in (0, 1))
        return a, b, np.tile(np.arange(len(self.threads)), PIECES)

    def _nearest(self, points: Array, t: float) -> tuple[Array, NDArray[np.intp], Array]:
        """Distance, thread, and the place along it, of the nearest piece."""
        a, b, thread = self._pieces(t)
        k = min(12, len(a))
        _, near = cKDTree((a + b) / 2).query(points, k=k, workers=-1)
        near = near.reshape(len(points), k)
        along = b - a
        q, d = points[:, None] - a[near], along[near]
        u = np.clip(np.einsum("pki,pki->pk", q, d) / (d**2).sum(-1), 0, 1)
        distance = np.linalg.norm(q - u[..., None] * d, axis=-1)
        best = distance.argmin(1)
        rows = np.arange(len(points))
        piece = near[rows, best]
        s = (piece // len(self.threads) + u[rows, best]) / PIECES
        return distance[rows, best], thread[piece], s


def network(rng: np.random.Generator, cells: Cells) -> NDArray[np.intp]:
    """Threads between each cell inside and its nearest three, each bent towards a fourth,
    ``(threads, 3)``; at least one.
    """
    tree = cKDTree(cells.start)
    pairs: set[tuple[int, int]] = set()
    for cell in np.flatnonzero(cells.inside):
        near = tree.query(cells.start[cell], k=4)[1][1:]
        near = [n for n in near if cells.inside[n]] or near[:1]
        pairs |= {(min(cell, n), max(cell, n)) for n in near}
    threads = []
    for a, b in sorted(pairs):
        near = tree.query((cells.start[a] + cells.start[b]) / 2, k=6)[1]
        threads.append((a, b, rng.choice([n for n in near if n not in (a, b)])))
    return np.array(threads, dtype=np.intp)


def _weights(s: Array) -> Array:
    """Shares of A, B and C at places along a thread, ``(..., 3)``."""
    bent = 2 * s * (1 - s)
    return np.stack(
        [
            (1 - s) ** 2 + bent * (1 - BEND) / 2,
            s**2 + bent * (1 - BEND) / 2,
            bent * BEND,
        ],
        -1,
    )
