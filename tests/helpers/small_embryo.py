"""A small embryo at rest: cells that share an ellipsoid, their membranes, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
NAMES = [founder + turn for founder in ("ABa", "ABp", "MS", "E", "C", "D") for turn in "alpr"]


@dataclass(frozen=True)
class SmallEmbryo:
    """Each point of the ellipsoid belongs to the nearest nucleus; places are ``(z, y, x)`` in um."""

    places: Array
    half: tuple[float, float, float] = (8.0, 8.0, 12.0)
    margin: float = 3.0
    weak: tuple[int, int] | None = None
    """Two neighbours, numbered from 0, whose membrane is faint."""
    faint: float = 0.25
    """Its brightness, relative to others."""

    @classmethod
    def of(cls, cells: int, seed: int = 0, **how: object) -> SmallEmbryo:
        """Cells of about the same size, at random."""
        rng = np.random.default_rng(seed)
        half = np.asarray(how.get("half", cls.half))
        inside = rng.uniform(-1, 1, (40_000, 3))
        inside = inside[(inside**2).sum(1) < 1] * half
        places = inside[:cells]
        for _ in range(6):  # towards the middle of what is theirs
            nearest = cKDTree(places).query(inside)[1]
            places = np.stack([inside[nearest == n].mean(0) for n in range(cells)])
        return cls(places + half + how.get("margin", cls.margin), **how)  # type: ignore[arg-type]

    @property
    def nuclei(self) -> dict[str, tuple[float, float, float]]:
        return {name: tuple(place) for name, place in zip(NAMES, self.places, strict=False)}

    @property
    def numbers(self) -> dict[str, int]:
        return {name: 10 + 3 * n for n, name in enumerate(self.nuclei)}

    def coordinates(self, spacing: tuple[float, float, float]) -> list[Array]:
        """Of the voxels of a grid from 0 on that covers all of it, for each axis."""
        return [
            np.arange(round(2 * (half + self.margin) / step)) * step
            for half, step in zip(self.half, spacing, strict=True)
        ]

    def labels(self, spacing: tuple[float, float, float]) -> NDArray[np.uint16]:
        """True labels ``(Z, Y, X)``."""
        points, shape = self._points(spacing)
        nearest = cKDTree(self.places).query(points)[1]
        numbers = np.array(list(self.numbers.values()), np.uint16)[nearest]
        return np.where(self._depth(points) > 0, numbers, 0).reshape(shape).astype(np.uint16)

    def membranes(
        self,
        spacing: tuple[float, float, float],
        psf: tuple[float, float, float] = (0.6, 0.2, 0.2),
        photons: float = 100.0,
        seed: int = 0,
        wide: float = 0.16,
    ) -> NDArray[np.float32]:
        """Sheets between cells and around them, blurred, with the noise of so many photons."""
        fine = tuple(
            step / max(1, round(step / want))
            for step, want in zip(spacing, (psf[0], 0.2, 0.2), strict=True)
        )
        points, shape = self._points(fine)
        distance, index = cKDTree(self.places).query(points, k=2)
        apart = np.linalg.norm(self.places[index[:, 0]] - self.places[index[:, 1]], axis=1)
        depth = self._depth(points)
        between = np.where(
            depth > 0, (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart), np.inf
        )
        bright = np.ones(len(points))
        if self.weak is not None:
            bright[(np.sort(index, 1) == sorted(self.weak)).all(1)] = self.faint
        sheet = np.maximum(
            bright * np.exp(-((between / wide) ** 2) / 2), np.exp(-((depth / wide) ** 2) / 2)
        )
        blurred = gaussian_filter(sheet.reshape(shape), np.divide(psf, fine))
        every = tuple(slice(None, None, round(s / f)) for s, f in zip(spacing, fine, strict=True))
        clean = blurred[every] / blurred.max()
        noisy = np.random.default_rng(seed).poisson((clean + 0.05) * photons) / photons - 0.05
        return noisy.astype(np.float32)

    def _points(self, spacing: tuple[float, float, float]) -> tuple[Array, tuple[int, ...]]:
        grids = np.meshgrid(*self.coordinates(spacing), indexing="ij")
        return np.stack([g.ravel() for g in grids], -1), grids[0].shape

    def _depth(self, points: Array) -> Array:
        """How far inside the ellipsoid points are, um: exact on its surface, about so elsewhere."""
        half = np.asarray(self.half)
        scaled = (points - half - self.margin) / half
        radius = np.linalg.norm(scaled, axis=1)
        steep = np.maximum(np.linalg.norm(scaled / half, axis=1), 1e-9)
        return (1 - radius) * np.maximum(radius, 1e-9) / steep
