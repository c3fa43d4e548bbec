"""Cells that are packed, move, and divide: what a phantom is made of, drawn at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..data.grid import Grid
from .cells import Array, Cells
from .course import Course
from .filaments import Filaments, network
from .kinds import Kind
from .membranes import Membranes
from .nuclei import Nuclei
from .pace import paced
from .structure import Structure

CELL = 4.0
"""Mean distance of neighbouring cell centres where a kind has no other, um."""
LAYER = 8.0
"""Thickness of two layers of cells that slide in opposite directions, um."""


def embryo(
    grid: Grid, motion: float, kind: Kind, accelerate: float, divide: int, seed: int
) -> Structure:
    """What a phantom shows on a grid of evenly spaced frames; options of :func:`.phantom`."""
    rng = np.random.default_rng([seed, 0])
    cells = _cells(rng, grid, motion, kind, accelerate, divide)
    if kind.moves_whole or kind.slide or kind.appear:
        cells = _livened(np.random.default_rng([seed, 2]), cells, grid, motion, kind)
    cells = paced(cells, grid, motion, kind)
    if kind.looks == "membranes":
        return Membranes(cells)
    if kind.looks == "nuclei":
        return Nuclei(cells)
    return Filaments(cells, network(np.random.default_rng([seed, 4]), cells))


def _cells(
    rng: np.random.Generator,
    grid: Grid,
    motion: float,
    kind: Kind,
    accelerate: float,
    divide: int,
) -> Cells:
    """Cells in an ellipsoid, and around it, of which only swings and divisions move."""
    voxel = np.asarray(grid.spacing[1:])
    extent = np.asarray(grid.shape[1:]) * voxel
    reach = min(6.0 * motion * voxel.mean(), 2 * CELL) + CELL
    margin = np.full(3, reach)
    if kind.moves_whole:  # whatever comes into view as the body turns
        margin += (np.linalg.norm(extent) - extent) / 2
    start = _packed(rng, -margin, extent + margin, kind.spacing)
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
    shown = np.tile([-np.inf, np.inf], (len(start), 1))
    last = frames - 1
    return Cells(
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
        np.zeros_like(start),
        shown,
        last / 2 + 0.5 * accelerate * (last / 2) ** 2,
    )


def _livened(
    rng: np.random.Generator, cells: Cells, grid: Grid, motion: float, kind: Kind
) -> Cells:
    """Cells that also slide, appear and vanish, in a body that moves as a whole; speeds are to be
    scaled yet.
    """
    voxel = np.asarray(grid.spacing[1:])
    extent = np.asarray(grid.shape[1:]) * voxel
    middle = (extent - voxel) / 2
    slide = _slide(rng, cells.start - middle, max(extent.max(), 4 * CELL) / 2)
    slide[cells.daughters] = slide[cells.partner[cells.daughters]]
    shown = cells.shown.copy()
    last = grid.shape[0] - 1
    changing = rng.uniform(size=len(shown)) < kind.appear
    begins = rng.uniform(size=len(shown)) < 0.5
    when = rng.uniform(-1.0, last, len(shown))
    shown[changing & begins, 0] = when[changing & begins]
    shown[changing & ~begins, 1] = when[changing & ~begins]
    course = None
    if kind.moves_whole:
        # Where a jump lies within its interval nobody knows; there is one in three intervals.
        count = max(1, last // 3) if kind.jump and last > 0 else 0
        intervals = rng.permutation(last)[:count]
        length = kind.jump * motion
        course = Course(
            middle,
            _direction(rng, np.array([1.0, 0.0, 0.0]), 0.3),
            0.1 if kind.rotation else 0.0,
            _direction(rng) * voxel.mean() if kind.drift else np.zeros(3),
            cells.halfway,
            np.sort(intervals) + rng.uniform(0.2, 0.8, count),
            np.reshape([_direction(rng) * voxel * length for _ in range(count)], (count, 3)),
        )
    return replace(cells, slide=slide if kind.slide else cells.slide, shown=shown, course=course)


def _slide(rng: np.random.Generator, places: Array, radius: float) -> Array:
    """Velocities ``(cells, 3)`` across a normal: a shear, and layers that go to and fro."""
    normal = _direction(rng)
    along = np.cross(normal, _direction(rng))
    along /= np.linalg.norm(along)
    beside = np.cross(normal, along)
    height = places @ normal
    layers = np.sin(2 * np.pi * height / LAYER + rng.uniform(0, 2 * np.pi))
    across = np.sin(2 * np.pi * (places @ along) / LAYER + rng.uniform(0, 2 * np.pi))
    shear = height / radius
    return (shear + layers)[:, None] * along + (0.5 * across)[:, None] * beside


def _direction(rng: np.random.Generator, about: Array | None = None, tilt: float = 1.0) -> Array:
    """A vector of length 1, of any direction or about one."""
    vector = rng.standard_normal(3)
    if about is not None:
        vector = about + tilt * vector
    return vector / np.linalg.norm(vector)


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


def _packed(rng: np.random.Generator, low: Array, high: Array, spacing: float) -> Array:
    """Centres on a jittered body-centred lattice of about one per ``spacing`` cubed."""
    step = spacing * 2 ** (1 / 3)
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
    corner = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = np.concatenate([corner, corner + step / 2])
    return points + rng.uniform(-0.2, 0.2, points.shape) * spacing
