"""Cells that are packed, move, and divide: what a phantom is made of, drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..data.grid import Grid
from .truth import CELL, SPACING, Array, Truth, as_points, smoothstep


def embryo(
    grid: Grid,
    motion: float,
    kind: str,
    accelerate: float,
    divide: int,
    seed: int,
    psf: tuple[float, float, float],
    bleach: float,
) -> Truth:
    """The truth of a phantom on a grid; the options are those of :func:`.phantom`."""
    rng = np.random.default_rng([seed, 0])
    voxel = np.asarray(grid.spacing[1:])
    extent = np.asarray(grid.shape[1:]) * voxel
    reach = min(6.0 * motion * voxel.mean(), 2 * CELL) + CELL
    start = _packed(rng, -reach * np.ones(3), extent + reach)
    middle, half = (extent - voxel) / 2, np.maximum(0.46 * extent, 0.75 * CELL)
    inside = (((start - middle) / half) ** 2).sum(1) < 1.0
    if not inside.any():
        inside[np.argmin(((start - middle) ** 2).sum(1))] = True
    frames = grid.shape[0]
    start, inside, partner, split, split_time = _divided(rng, start, inside, divide, frames)
    # Neighbours move alike: displacements are long waves over space, swinging slowly in time.
    rates, phases = rng.uniform(0.25, 0.5, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = _waves(rng, start, max(extent.max(), 4 * CELL))
    daughters = partner != np.arange(len(start))
    waves[:, daughters] = waves[:, partner[daughters]]
    bright = rng.uniform(0.75, 1.25, len(start))
    bright[daughters] = bright[partner[daughters]]
    truth = Truth(
        kind,
        start,
        waves,
        rates,
        phases,
        accelerate,
        partner,
        split,
        split_time,
        inside,
        bright,
        np.asarray(psf, float) ** 2,
        bleach,
    )
    if motion == 0 or frames == 1:
        return _scaled_motion(truth, 0.0)
    return _scaled_motion(truth, motion / _present_motion(truth, grid))


def _divided(
    rng: np.random.Generator, start: Array, inside: NDArray[np.bool_], divide: int, frames: int
) -> tuple[Array, NDArray[np.bool_], NDArray[np.intp], Array, Array]:
    """Cells with the daughters of ``divide`` of them: places, which are inside, partners, direction
    and time of splitting.
    """
    partner = np.arange(len(start))
    split, split_time = np.zeros_like(start), np.full(len(start), np.inf)
    for mother in rng.permutation(np.flatnonzero(inside))[: max(0, divide)]:
        direction = rng.standard_normal(3)
        direction *= 0.3 * CELL / np.linalg.norm(direction)
        when = rng.uniform(0.1, 0.6) * max(frames - 1, 1)
        # The daughter starts a hair beside its mother so that the plane between them is defined.
        start = np.vstack([start, start[mother] - 0.02 * direction])
        partner, inside = np.append(partner, mother), np.append(inside, True)
        split, split_time = np.vstack([split, -direction]), np.append(split_time, when)
        split[mother], split_time[mother] = direction, when
    return start, inside, partner, split, split_time


def _waves(rng: np.random.Generator, start: Array, length: float) -> Array:
    """Amplitudes ``(3, cells, 3)`` of three swings: sums of long waves over space, and a little of
    each cell's own.
    """
    waves = np.zeros((3, len(start), 3))
    for m in range(3):
        for _ in range(3):
            k = rng.standard_normal(3)
            k *= 2 * np.pi / (rng.uniform(0.8, 1.6) * length) / np.linalg.norm(k)
            waves[m] += np.sin(start @ k + rng.uniform(0, 2 * np.pi))[
                :, None
            ] * rng.standard_normal(3)
        waves[m] += 0.25 * rng.standard_normal(start.shape)
    return waves


def _present_motion(truth: Truth, grid: Grid) -> float:
    """The 95th percentile of displacement of structure from frame to frame, voxels;
    division apart.
    """
    voxel = np.asarray(grid.spacing[1:])
    z, y, x = (grid.coordinates(axis)[:: max(1, grid.shape[axis] // 24)] for axis in (1, 2, 3))
    points, _ = as_points(z[:, None, None], y[:, None], x)
    speeds = []
    for frame in range(grid.shape[0] - 1):
        t0, t1 = frame * SPACING[0], (frame + 1) * SPACING[0]
        a, b = truth.centres(t0), truth.centres(t1)
        nearest = cKDTree(truth.start).query(points)[1]
        nearest = nearest[truth.inside[nearest]]
        speeds.append(np.linalg.norm((b - a - _growth(truth, frame))[nearest] / voxel, axis=-1))
    return float(np.percentile(np.concatenate(speeds), 95))


def _growth(truth: Truth, k: int) -> Array:
    """Displacement by division alone from frame k to k + 1, ``(cells, 3)``, um."""
    a, b = (smoothstep((f - truth.split_time) / 2.0) for f in (k, k + 1))
    return (b - a)[:, None] * truth.split


def _scaled_motion(truth: Truth, factor: float) -> Truth:
    values = dict(vars(truth))
    values["waves"] = truth.waves * factor
    return Truth(**values)


def _packed(rng: np.random.Generator, low: Array, high: Array) -> Array:
    """Centres on a jittered body-centred lattice of about one per ``CELL`` cubed."""
    step = CELL * 2 ** (1 / 3)
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
    corner = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = np.concatenate([corner, corner + step / 2])
    return points + rng.uniform(-0.2, 0.2, points.shape) * CELL
