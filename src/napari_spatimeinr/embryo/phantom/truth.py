"""What a phantom embryo is at any time and place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ...data.grid import Grid
from ...phantoms.membranes import BRIGHT, MEMBRANE
from ...phantoms.smooth import smoothstep
from ...phantoms.truth import as_points
from .. import names as _names
from ..lineage import Life, Lineage
from .body import Body
from .course import Course
from .schedule import Event

Array = NDArray[np.float64]

SHEETS = 4
"""So many neighbours of a cell are drawn at a place."""
WEAK = 0.1
"""Brightness of the membrane between sisters when they part, relative to later."""
RIPEN = 1.5
"""Frames until it is as bright as others."""
HAZE = 0.05
"""Brightness inside of cells."""
SLAB = 100_000
"""Points drawn at once."""


@dataclass(frozen=True, eq=False)
class EmbryoTruth:
    """Cells, membranes and divisions at any time of the recording; exact, and without noise.

    Times are physical, in s: the time point ``n`` of the files is at ``n dt``. Places are
    ``(z, y, x)`` in um from the centre of the first voxel.

    Parameters
    ----------
    body : the shell.
    courses : of the cells, by name.
    events : the divisions, times in frames from the first one.
    numbers : label of each cell, by name.
    bright : brightness of each cell's membranes.
    grid : of the recording.
    variance : (3,) of the point-spread function, um^2.
    """

    body: Body
    courses: dict[str, Course]
    events: tuple[Event, ...]
    numbers: dict[str, int]
    bright: dict[str, float]
    grid: Grid
    variance: Array

    def frame_of(self, t: float) -> float:
        """Frames from the first one to a physical time."""
        return (t - self.grid.origin[0]) / self.grid.spacing[0]

    @property
    def divisions(self) -> dict[str, float]:
        """When each mother divides, in s, in the order of time."""
        dt, first = self.grid.spacing[0], self.grid.origin[0]
        return {event.mother: first + event.when * dt for event in self.events}

    def names_at(self, t: float) -> tuple[str, ...]:
        """The cells that are there, in the order of lineage; daughters from the division on."""
        frame = self.frame_of(t)
        ends = {event.mother for event in self.events}
        return tuple(
            _names.in_order(
                name
                for name, course in self.courses.items()
                if course.begin <= frame and not (name in ends and frame >= course.end)
            )
        )

    def centres(self, t: float) -> dict[str, Array]:
        """The centre of each cell's nucleus, ``(3,)`` in um."""
        names, places, _ = self._states(t)
        return dict(zip(names, places, strict=True))

    def labels(self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.int32]:
        """The number of the cell at each place, by ``numbers``; 0 outside of the embryo."""
        points, shape = as_points(z, y, x)
        names, places, weights = self._states(t)
        number = np.array([self.numbers[name] for name in names], dtype=np.int32)
        out = np.zeros(len(points), dtype=np.int32)
        for k in range(0, len(points), SLAB):
            part = points[k : k + SLAB]
            inside = self.body.depth(part, self.frame_of(t))[0] > 0
            nearest = np.argmin(_power(part[inside], places, weights), axis=1)
            out[k : k + SLAB][inside] = number[nearest]
        return out.reshape(shape)

    def label_frame(self, t: float, grid: Grid | None = None) -> NDArray[np.int32]:
        """Labels of a whole volume on the spatial grid of ``grid``, the recording's if None,
        ``(Z, Y, X)``.
        """
        z, y, x = (self._on(grid).coordinates(axis) for axis in (1, 2, 3))
        return self.labels(t, z[:, None, None], y[:, None], x)

    def volumes(self, t: float, voxel: float | None = None) -> dict[str, float]:
        """The volume of each cell, um3, counted in cubes of an edge of ``voxel`` um, by default the
        recording's pixel.
        """
        edge = min(self.grid.spacing[2:]) if voxel is None else voxel
        labels = self.label_frame(t, self.grid.refine(voxel=edge))
        counts = np.bincount(labels.reshape(-1), minlength=max(self.numbers.values()) + 1)
        return {name: float(counts[self.numbers[name]]) * edge**3 for name in self.names_at(t)}

    @cached_property
    def lineage(self) -> Lineage:
        """Places of all nuclei at the recorded time points, without an error of tracing."""
        rows: dict[str, list[tuple[int, Array]]] = {}
        dt = self.grid.spacing[0]
        for t in self.grid.coordinates(0):
            for name, place in self.centres(float(t)).items():
                rows.setdefault(name, []).append((round(float(t) / dt), place))
        return Lineage.of(
            Life(name, np.array([n for n, _ in of]), np.stack([place for _, place in of]))
            for name, of in rows.items()
        )

    def __call__(
        self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike, psf: bool = True
    ) -> NDArray[np.float32]:
        """Brightness of membranes at places that broadcast together; about 1 on them."""
        points, shape = as_points(z, y, x)
        variance = self.variance if psf else np.zeros(3)
        parts = [self._draw(points[k : k + SLAB], t, variance) for k in range(0, len(points), SLAB)]
        return np.concatenate(parts).reshape(shape)

    def frame(self, t: float, grid: Grid | None = None, psf: bool = True) -> NDArray[np.float32]:
        """Brightness of a whole volume on the spatial grid of ``grid``, ``(Z, Y, X)``."""
        z, y, x = (self._on(grid).coordinates(axis) for axis in (1, 2, 3))
        return self(t, z[:, None, None], y[:, None], x, psf)

    def _on(self, grid: Grid | None) -> Grid:
        return self.grid if grid is None else grid

    def _states(self, t: float) -> tuple[tuple[str, ...], Array, Array]:
        """Names, centres ``(n, 3)`` and weights ``(n,)`` of the cells that are there."""
        names, frame = self.names_at(t), self.frame_of(t)
        states = np.stack([self.courses[name].at(frame) for name in names])
        return names, self.body.forth(states[:, :3], frame), states[:, 3]

    def _draw(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        """The brightest of the shell and the sheets between a cell and its neighbours.

        A Gaussian PSF of variances s^2 widens a sheet of normal n by n^2 . s^2.
        """
        frame = self.frame_of(t)
        names, places, weights = self._states(t)
        depth, normal = self.body.depth(points, frame)
        wide = MEMBRANE**2 + normal**2 @ variance
        inside = ndtr(depth / np.sqrt(wide))
        out = np.maximum(_sheet(depth, wide), HAZE * inside)
        power = _power(points, places, weights)
        k = min(SHEETS + 1, len(names))
        nearest = np.argsort(power, axis=1)[:, :k]
        bright = self._between(names, frame)
        first, rows = nearest[:, 0], np.arange(len(points))
        for n in range(1, k):
            other = nearest[:, n]
            apart = places[other] - places[first]
            length2 = np.maximum(np.einsum("ij,ij->i", apart, apart), 1e-12)
            away = (power[rows, other] - power[rows, first]) / (2 * np.sqrt(length2))
            wide = MEMBRANE**2 + (apart**2 @ variance) / length2
            out = np.maximum(out, _sheet(away, wide) * inside * bright[first, other])
        return out.astype(np.float32)

    def _between(self, names: tuple[str, ...], frame: float) -> Array:
        """Brightness of the membrane between each two cells, ``(n, n)``."""
        own = np.array([self._brightness(name, frame) for name in names])
        out = np.sqrt(own[:, None] * own[None])
        for k, name in enumerate(names):
            course = self.courses[name]
            if course.sister in names:
                ripe = float(smoothstep(np.asarray((frame - course.begin) / RIPEN)))
                out[k, names.index(course.sister)] *= WEAK + (1 - WEAK) * ripe
        return out

    def _brightness(self, name: str, frame: float) -> float:
        """A cell's own brightness; a daughter begins with her mother's."""
        mother = _names.mother(name)
        before = self.bright[name if mother is None else mother]
        share = float(smoothstep(np.asarray((frame - self.courses[name].begin) / RIPEN)))
        return before + share * (self.bright[name] - before)


def _power(points: Array, places: Array, weights: Array) -> Array:
    """Squared distances less the weights, ``(points, cells)``."""
    squares = (points**2).sum(1)[:, None] + (places**2).sum(1) - 2 * points @ places.T
    return np.asarray(squares - weights)


def _sheet(away: Array, wide: Array) -> Array:
    """A membrane's profile of variance ``wide`` at a distance."""
    return np.asarray(BRIGHT * MEMBRANE / np.sqrt(wide) * np.exp(-(away**2) / (2 * wide)))
