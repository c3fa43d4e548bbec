"""Moving-cell phantoms whose noise-free truth is known at any time and place.

The object is a closed formula of ``(t, z, y, x)``: cells whose centres follow smooth curves, drawn
as membranes (the sheets between neighbouring cells) or as nuclei (Gaussian blobs). A Gaussian
point-spread function acts on a plane sheet or a Gaussian blob by adding variances, so the blurred
image is a closed formula too, and exact between voxels and between frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from .axes import Grid
from .errors import InputError
from .volume import Volume

Array = NDArray[np.float64]

SPACING = (60.0, 0.5, 0.25, 0.25)
"""Frame interval in s and voxel size in um, (dt, dz, dy, dx)."""
CELL = 4.0
"""Mean distance of neighbouring cell centres, um."""
MEMBRANE = 0.16
"""Standard deviation of a membrane's profile before the PSF, um."""
NUCLEUS = 0.85
"""Standard deviation of a nucleus before the PSF, um."""
NEIGHBOURS = 6
BRIGHT = 1.6
"""Peak of an unblurred membrane; under the default PSF it comes to about 1."""


@dataclass(frozen=True)
class Truth:
    """The noise-free image, ``truth(t, z, y, x)`` with physical coordinates that broadcast.

    Values are relative brightness: 0 is empty, about 1 is structure. ``psf=False`` leaves the
    point-spread function out.
    """

    kind: str
    start: Array  # (cells, 3), um
    waves: Array  # (modes, cells, 3), um
    rates: Array  # (modes,), rad per frame
    phases: Array  # (modes,)
    accelerate: float
    partner: NDArray[np.int64]  # (cells,), the cell it splits from, or itself
    split: Array  # (cells, 3), final half distance of the two daughters, um
    split_time: Array  # (cells,), frames
    inside: NDArray[np.bool_]
    brightness: Array  # (cells,)
    variance: Array  # (3,), of the PSF, um^2
    bleach: float

    def centres(self, t: float) -> Array:
        """Centres of the cells at a physical time, ``(cells, 3)`` in um, ``(z, y, x)``."""
        frame = t / SPACING[0]
        clock = frame + 0.5 * self.accelerate * frame**2
        swing = np.sin(self.rates * clock + self.phases) - np.sin(self.phases)
        grown = _smoothstep((frame - self.split_time) / 2.0)
        return self.start + np.tensordot(swing, self.waves, 1) + grown[:, None] * self.split

    def displacement(self, t0: float, t1: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> Array:
        """Motion from ``t0`` to ``t1`` of what is at (z, y, x) at ``t0``: ``(..., 3)``, um."""
        points, shape = _points(z, y, x)
        a, b = self.centres(t0), self.centres(t1)
        nearest = cKDTree(a).query(points, workers=-1)[1]
        return (b - a)[nearest].reshape(*shape, 3)

    def labels(self, t: float, z: ArrayLike, y: ArrayLike, x: ArrayLike) -> NDArray[np.int32]:
        """Number (from 1) of the cell at a place, 0 outside the embryo."""
        points, shape = _points(z, y, x)
        nearest = cKDTree(self.centres(t)).query(points, workers=-1)[1]
        return np.where(self.inside[nearest], nearest + 1, 0).astype(np.int32).reshape(shape)

    def __call__(self, t: ArrayLike, z: ArrayLike, y: ArrayLike, x: ArrayLike, psf: bool = True) -> NDArray[np.float32]:
        """Brightness at physical points that broadcast together."""
        t, z, y, x = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (t, z, y, x)))
        out = np.empty(t.shape, np.float32)
        draw = self._membranes if self.kind == "membranes" else self._nuclei
        for time in np.unique(t):
            at = t == time
            points = np.stack([z[at], y[at], x[at]], -1)
            out[at] = draw(points, float(time), self.variance if psf else np.zeros(3))
        return out

    def frame(self, t: float, grid: Grid, psf: bool = True) -> NDArray[np.float32]:
        """The whole volume at a physical time on the spatial grid of ``grid``, ``(Z, Y, X)``."""
        z, y, x = (grid.coordinates(axis) for axis in (1, 2, 3))
        points, shape = _points(z[:, None, None], y[:, None], x)
        draw = self._membranes if self.kind == "membranes" else self._nuclei
        return draw(points, t, self.variance if psf else np.zeros(3)).reshape(shape)

    def _membranes(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        centres = self.centres(t)
        exists = np.ones(len(centres), bool)
        frame = t / SPACING[0]
        grown = _smoothstep((frame - self.split_time) / 2.0)
        exists[(self.partner != np.arange(len(centres))) & (grown <= 0)] = False
        alive = np.flatnonzero(exists)
        k = min(NEIGHBOURS, len(alive))
        distance, index = cKDTree(centres[alive]).query(points, k=k, workers=-1)
        index = alive[index]
        total = np.zeros(len(points), np.float32)
        first = index[:, 0]
        for n in range(1, k):
            other = index[:, n]
            # A sheet in the bisecting plane of two centres, normal to the line between them.
            apart = centres[other] - centres[first]
            length2 = np.einsum("ij,ij->i", apart, apart)
            sheet = (distance[:, n] ** 2 - distance[:, 0] ** 2) / (2 * np.sqrt(length2))
            wide = MEMBRANE**2 + (apart**2 @ variance) / length2
            value = BRIGHT * MEMBRANE / np.sqrt(wide) * np.exp(-(sheet**2) / (2 * wide))
            value *= (self.inside[first] | self.inside[other]) * np.sqrt(self.brightness[first] * self.brightness[other])
            sisters = (self.partner[first] == self.partner[other]).astype(float)
            value *= 1 - sisters * (1 - np.maximum(grown[first], grown[other]))
            np.maximum(total, value, out=total, casting="same_kind")
        return total

    def _nuclei(self, points: Array, t: float, variance: Array) -> NDArray[np.float32]:
        centres = self.centres(t)
        shown = np.flatnonzero(self.inside)
        wide = NUCLEUS**2 + variance
        peak = np.sqrt(NUCLEUS**6 / wide.prod())
        # A daughter takes over half of its mother's brightness while they part.
        weight = self.brightness.copy()
        daughters = np.flatnonzero(self.partner != np.arange(len(centres)))
        grown = _smoothstep((t / SPACING[0] - self.split_time) / 2.0)
        weight[daughters] *= 0.5 * grown[daughters]
        weight[self.partner[daughters]] -= weight[daughters]
        scaled, middles = points / np.sqrt(wide), centres[shown] / np.sqrt(wide)
        k = min(8, len(shown))
        distance, index = cKDTree(middles).query(scaled, k=k, workers=-1, distance_upper_bound=6.0)
        if k == 1:
            distance, index = distance[:, None], index[:, None]
        power = np.append(weight[shown], 0.0) * peak
        return (power[index] * np.exp(-0.5 * distance**2)).sum(1).astype(np.float32)


def phantom(
    shape: tuple[int, int, int, int] = (7, 32, 64, 64),
    motion: float = 4.5,
    kind: Literal["membranes", "nuclei"] = "membranes",
    accelerate: float = 0.0,
    divide: int = 0,
    seed: int = 0,
    photons: float = 150,
    background: float = 8,
    read: float = 0.01,
    psf: tuple[float, float, float] = (0.5, 0.2, 0.2),
    bleach: float = 0.0,
) -> tuple[Volume, Truth]:
    """An embryo of moving cells, recorded with photon noise, and the truth behind it.

    Parameters
    ----------
    shape : (T, Z, Y, X) of the recording; the voxel is 0.5 x 0.25 x 0.25 um, a frame 60 s.
    motion : 95th percentile of the displacement of moving structure, voxels per frame.
    kind : "membranes" (sheets between cells) or "nuclei" (blobs).
    accelerate : relative speeding-up per frame.
    divide : number of cells that divide during the recording.
    seed : the same seed gives the same recording.
    photons, background : expected photons at brightness 1 and everywhere.
    read : standard deviation of the reading noise, relative to brightness 1; 0 photons is noise-free.
    psf : standard deviations (sz, sy, sx) of the point-spread function, um.
    bleach : share of the brightness lost from one frame to the next.

    Returns
    -------
    Volume
        float32 in units of brightness plus background, ``(T, Z, Y, X)``.
    Truth
        ``truth(t, z, y, x, psf=True)`` in physical coordinates; it includes the background
        level and bleaching is left out (it belongs to the recording, not to the object).
    """
    if kind not in ("membranes", "nuclei"):
        raise InputError(f"kind is 'membranes' or 'nuclei', got {kind!r}.")
    if not 0 <= bleach < 1 or min(photons, background, read, motion) < 0 or min(psf) < 0:
        raise InputError("bleach must lie in [0, 1), and motion, photons, background, read and psf must not be negative.")
    grid = Grid(shape, SPACING)
    truth = _embryo(grid, motion, kind, accelerate, divide, seed, psf, bleach)
    rng = np.random.default_rng([seed, 1])
    data = np.empty(grid.shape, np.float32)
    for k, t in enumerate(grid.coordinates(0)):
        clean = truth.frame(float(t), grid) * (1 - bleach) ** k
        if photons > 0:
            counted = rng.poisson(np.maximum(clean * photons + background, 0)).astype(np.float32)
            clean = (counted - background) / photons
        data[k] = clean + read * rng.standard_normal(clean.shape, dtype=np.float32)
    metadata: dict[str, Any] = {"name": f"phantom {kind}", "channel": kind, "calibrated_by": "phantom"}
    return Volume(data, grid.spacing, units=("s", "um"), metadata=metadata), truth


def _embryo(
    grid: Grid,
    motion: float,
    kind: str,
    accelerate: float,
    divide: int,
    seed: int,
    psf: tuple[float, float, float],
    bleach: float,
) -> Truth:
    rng = np.random.default_rng([seed, 0])
    voxel = np.asarray(grid.spacing[1:])
    extent = np.asarray(grid.shape[1:]) * voxel
    reach = min(6.0 * motion * voxel.mean(), 2 * CELL) + CELL
    start = _packed(rng, -reach * np.ones(3), extent + reach)
    middle, half = (extent - voxel) / 2, np.maximum(0.46 * extent, 0.75 * CELL)
    inside = (((start - middle) / half) ** 2).sum(1) < 1.0
    if not inside.any():
        inside[np.argmin(((start - middle) ** 2).sum(1))] = True
    partner = np.arange(len(start))
    split, split_time = np.zeros_like(start), np.full(len(start), np.inf)
    frames = grid.shape[0]
    mothers = rng.permutation(np.flatnonzero(inside))[: max(0, divide)]
    for mother in mothers:
        direction = rng.standard_normal(3)
        direction *= 0.3 * CELL / np.linalg.norm(direction)
        when = rng.uniform(0.1, 0.6) * max(frames - 1, 1)
        # The daughter starts a hair beside its mother so that the plane between them is defined.
        start = np.vstack([start, start[mother] - 0.02 * direction])
        partner, inside = np.append(partner, mother), np.append(inside, True)
        split, split_time = np.vstack([split, -direction]), np.append(split_time, when)
        split[mother], split_time[mother] = direction, when
    # Neighbours move alike: displacements are long waves over space, swinging slowly in time.
    rates, phases = rng.uniform(0.25, 0.5, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = np.zeros((3, len(start), 3))
    for m in range(3):
        for _ in range(3):
            k = rng.standard_normal(3)
            k *= 2 * np.pi / (rng.uniform(0.8, 1.6) * max(extent.max(), 4 * CELL)) / np.linalg.norm(k)
            waves[m] += np.sin(start @ k + rng.uniform(0, 2 * np.pi))[:, None] * rng.standard_normal(3)
        waves[m] += 0.25 * rng.standard_normal(start.shape)
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
    # Scale the waves so that the 95th percentile of motion on structure is what was asked for.
    z, y, x = (grid.coordinates(axis)[:: max(1, grid.shape[axis] // 24)] for axis in (1, 2, 3))
    points, _ = _points(z[:, None, None], y[:, None], x)
    speeds = []
    for frame in range(frames - 1):
        t0, t1 = frame * SPACING[0], (frame + 1) * SPACING[0]
        a, b = truth.centres(t0), truth.centres(t1)
        nearest = cKDTree(truth.start).query(points)[1]
        nearest = nearest[inside[nearest]]
        speeds.append(np.linalg.norm((b - a - _growth(truth, frame))[nearest] / voxel, axis=-1))
    now = np.percentile(np.concatenate(speeds), 95)
    return _scaled_motion(truth, motion / now)


def _growth(truth: Truth, k: int) -> Array:
    """Displacement by division alone from frame k to k + 1, ``(cells, 3)``, um."""
    a, b = (_smoothstep((f - truth.split_time) / 2.0) for f in (k, k + 1))
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


def _smoothstep(u: Array) -> Array:
    u = np.clip(np.nan_to_num(u, nan=0.0, neginf=0.0), 0.0, 1.0)
    return u * u * (3 - 2 * u)


def _points(z: ArrayLike, y: ArrayLike, x: ArrayLike) -> tuple[Array, tuple[int, ...]]:
    arrays = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (z, y, x)))
    return np.stack([a.reshape(-1) for a in arrays], -1), arrays[0].shape
