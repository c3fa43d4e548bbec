"""Grids in time and space: index <-> physical <-> normalised coordinates.

Axis order is ``(t, z, y, x)`` everywhere; :mod:`.orders` knows those of other libraries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GridError
from . import times as _times

AXES = "tzyx"
MAX_VOXELS = 2**40
"""A rendered grid with more voxels than this is refused (4 TB as float32)."""

Floats = NDArray[np.float64]


def _floats(values: Any, n: int, what: str) -> tuple[float, ...]:
    try:
        out = tuple(float(v) for v in values)
    except (TypeError, ValueError) as error:
        raise GridError(f"{what} needs {n} numbers, got {values!r}.") from error
    if len(out) != n:
        raise GridError(f"{what} needs {n} numbers ({', '.join(AXES[-n:])}), got {len(out)}.")
    return out


@dataclass(frozen=True)
class Grid:
    """A grid of voxel centres, regular in physical space and, unless ``times`` are given, in time.

    Parameters
    ----------
    shape : (T, Z, Y, X), each at least 1.
    spacing : (dt, dz, dy, dx), positive, in ``units``.
    origin : centre of voxel (0, 0, 0, 0), in ``units``.
    times : physical times of the frames, increasing, when they are not evenly spaced. Their median
        interval is then the spacing along t, and the first the origin.

    Raises
    ------
    GridError
        If a size, a spacing, an origin or a time is impossible.
    """

    shape: tuple[int, int, int, int]
    spacing: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    origin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    times: tuple[float, ...] | None = field(default=None)

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 4:
            raise GridError(f"A grid needs 4 sizes (t, z, y, x), got {len(shape)}.")
        if min(shape) < 1:
            raise GridError(
                f"Every axis needs at least one sample, got shape {shape} (t, z, y, x)."
            )
        spacing = _floats(self.spacing, 4, "spacing")
        if not all(math.isfinite(s) and s > 0 for s in spacing):
            raise GridError(
                f"Spacing must be positive and finite on every axis, got {spacing} (t, z, y, x); "
                "give it with --spacing DT,DZ,DY,DX."
            )
        origin = _floats(self.origin, 4, "origin")
        if not all(math.isfinite(o) for o in origin):
            raise GridError(f"Origin must be finite on every axis, got {origin} (t, z, y, x).")
        if self.times is not None:
            times = _times.checked(self.times, shape[0])
            spacing = _times.interval(times) or spacing[0], *spacing[1:]
            origin = times[0], *origin[1:]
            object.__setattr__(self, "times", times)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "origin", origin)

    @property
    def voxels(self) -> int:
        """Number of samples in the whole grid."""
        return math.prod(self.shape)

    def coordinates(self, axis: int) -> Floats:
        """Physical coordinates of the samples along one axis, shape ``(N,)``."""
        if axis == 0 and self.times is not None:
            return np.asarray(self.times, dtype=np.float64)
        return self.origin[axis] + self.spacing[axis] * np.arange(
            self.shape[axis], dtype=np.float64
        )

    def to_index(self, physical: Floats, axis: int | None = None) -> Floats:
        """Physical coordinates to (fractional) indices.

        Parameters
        ----------
        physical : ``(..., 4)`` points in ``(t, z, y, x)``, or any shape with ``axis`` given.
        """
        at = np.asarray(physical, dtype=np.float64)
        origin, spacing = self._along(axis)
        return self._timed(_times.to_frames, at, (at - origin) / spacing, axis)

    def to_physical(self, index: Floats, axis: int | None = None) -> Floats:
        """Inverse of :meth:`to_index`."""
        at = np.asarray(index, dtype=np.float64)
        origin, spacing = self._along(axis)
        return self._timed(_times.to_physical, at, at * spacing + origin, axis)

    def _along(self, axis: int | None) -> tuple[Floats, Floats]:
        """Origin and spacing of an axis, or of all."""
        some = slice(None) if axis is None else axis
        return np.asarray(self.origin)[some], np.asarray(self.spacing)[some]

    def _timed(self, convert: Any, at: Floats, out: Floats, axis: int | None) -> Floats:
        """What was computed as if times were even, with the times as they are."""
        if self.times is None or axis not in (0, None):
            return out
        times = convert(self.times, self.spacing[0], at if axis == 0 else at[..., 0])
        return times if axis == 0 else np.concatenate([times[..., None], out[..., 1:]], -1)

    @property
    def clock(self) -> Floats:
        """Intervals from the first frame to each, ``(T,)``: 0, 1, 2, ... where they are even."""
        if self.times is None:
            return np.arange(self.shape[0], dtype=np.float64)
        return (np.asarray(self.times) - self.times[0]) / self.spacing[0]

    # -- derived grids ------------------------------------------------------------------

    def crop(self, roi: ROI) -> Grid:
        """The sub-grid of half-open index ranges ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``."""
        start = [a for a, _ in roi]
        origin = tuple(o + s * a for o, s, a in zip(self.origin, self.spacing, start, strict=True))
        times = None if self.times is None else self.times[roi[0][0] : roi[0][1]]
        return Grid(tuple(b - a for a, b in roi), self.spacing, origin, times)  # type: ignore[arg-type]

    def refine(
        self,
        time_scale: float = 1.0,
        scale: float | None = None,
        scale_z: float | None = None,
        scale_yx: float | None = None,
        voxel: float | tuple[float, float, float] | None = None,
        isotropic: bool = False,
        dt: float | None = None,
        times: Any = None,
    ) -> Grid:
        """The grid of a rendering, by the rules of ``docs/conventions.md``.

        ``time_scale`` F puts frames at ``t0 + i dt / F``, evenly into each interval, never past the
        last; a spatial scale F makes ``floor(N F + 0.5)`` voxels that cover exactly the same
        extent; ``voxel``, ``dt``, ``isotropic`` are exact spacings, centred; ``times`` physical.

        Raises
        ------
        GridError
            For scales that are not positive and finite, contradicting options, times outside the
            recording, or a grid of more than ``MAX_VOXELS``.
        """
        t = self._refine_time(time_scale, dt, times)
        scaled = scale is not None or scale_z is not None or scale_yx is not None
        if sum((voxel is not None, bool(isotropic), scaled)) > 1:
            raise GridError(
                "Give one of scale (or scale_z, scale_yx), voxel and isotropic, not several."
            )
        if scale is not None and (scale_z is not None or scale_yx is not None):
            raise GridError("Give either scale or scale_z and scale_yx, not both.")
        if isotropic:
            voxel = min(self.spacing[2:])
        if voxel is not None:
            sizes = _floats(voxel, 3, "voxel") if np.ndim(voxel) else (float(voxel),) * 3  # type: ignore[arg-type]
            space = [self._exact(axis + 1, v) for axis, v in enumerate(sizes)]
        else:
            z, yx = (
                1.0 if f is None else f
                for f in ((scale, scale) if scale is not None else (scale_z, scale_yx))
            )
            space = [self._scaled(axis + 1, f) for axis, f in enumerate((z, yx, yx))]
        shape = (t[0], *(n for n, _, _ in space))
        if math.prod(shape) > MAX_VOXELS:
            raise GridError(
                f"This rendering would have {' x '.join(map(str, shape))} voxels (t, z, y, x), "
                f"{math.prod(shape) * 4 / 1e12:.3g} TB as float32; choose smaller scales."
            )
        spacing = t[1], *(s for _, s, _ in space)
        origin = t[2], *(o for _, _, o in space)
        return Grid(shape, spacing, origin, t[3])  # type: ignore[arg-type]

    def _refine_time(
        self, factor: float, dt: float | None, times: Any
    ) -> tuple[int, float, float, tuple[float, ...] | None]:
        if sum((times is not None, dt is not None, factor != 1.0)) > 1:
            raise GridError("Give one of time_scale, dt and times, not several.")
        step, start = self.spacing[0], self.origin[0]
        if times is not None:
            wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
            last = float(self.to_physical(np.array(self.shape[0] - 1.0), 0))
            if wanted.size == 0 or not np.isfinite(wanted).all() or np.any(np.diff(wanted) <= 0):
                raise GridError("Times must be finite and increasing, and at least one.")
            if wanted[0] < start - 1e-6 * step or wanted[-1] > last + 1e-6 * step:
                raise GridError(
                    f"Times must lie within the recording, {start:g} to {last:g}; nothing is"
                    f" extrapolated. Got {wanted[0]:g} to {wanted[-1]:g}."
                )
            return _times.listed(wanted, step)
        span: float = self.shape[0] - 1
        if dt is not None:
            factor = step / _positive(dt, "dt")
            if self.times is not None:
                span = (self.times[-1] - start) / step
        _positive(factor, "time_scale")
        number = span * factor + 1e-6
        if number > MAX_VOXELS:
            raise GridError(
                f"A time scale of {factor:g} would make {number:.3g} frames; choose a smaller one."
            )
        count = math.floor(number) + 1
        if self.times is None or dt is not None:
            return count, step / factor, start, None
        return _times.listed(self.to_physical(np.arange(count) / factor, 0), step)

    def _scaled(self, axis: int, factor: float) -> tuple[int, float, float]:
        n, spacing, origin = self.shape[axis], self.spacing[axis], self.origin[axis]
        number = n * _positive(factor, "scale") + 0.5
        if number > MAX_VOXELS:
            raise GridError(
                f"A scale of {factor:g} would make {number:.3g} voxels along {AXES[axis]}; choose a"
                " smaller one."
            )
        new = max(1, math.floor(number))
        if new == n:
            return n, spacing, origin  # to the last bit: frames are copied where grids are equal
        fine = spacing * n / new
        return new, fine, origin + (fine - spacing) / 2

    def _exact(self, axis: int, voxel: float) -> tuple[int, float, float]:
        n, spacing, origin = self.shape[axis], self.spacing[axis], self.origin[axis]
        number = n * spacing / _positive(voxel, "voxel")
        if number > MAX_VOXELS:
            raise GridError(
                f"A voxel of {voxel:g} would make {number:.3g} voxels along {AXES[axis]}; choose a"
                " larger one."
            )
        # As many voxels as fit into the extent: covered to within half a voxel on each side.
        new = max(1, math.floor(number + 1e-6))
        if new == n and float(voxel) == spacing:
            return n, spacing, origin
        return new, float(voxel), origin + (n - 1) * spacing / 2 - (new - 1) * voxel / 2


ROI = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]


def _positive(value: float, what: str) -> float:
    value = float(value)
    if not math.isfinite(value) or value <= 0:
        raise GridError(f"{what} must be a positive finite number, got {value:g}.")
    return value


def check_roi(roi: Any, shape: tuple[int, ...]) -> ROI:
    """Half-open index ranges per axis, from ``((t0, t1), ...)``, slices or ``None`` (= everything).

    Raises
    ------
    GridError
        If a range is empty, outside the recording, or not one of the above.
    """
    parts = [None] * 4 if roi is None else list(roi)
    if len(parts) != 4:
        raise GridError(f"A region needs 4 ranges (t, z, y, x), got {len(parts)}.")
    out = []
    for axis, (part, n) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            if part.step not in (None, 1):
                raise GridError("A region cannot skip samples; use a scale below 1 when rendering.")
            part = (part.start, part.stop)
        a, b = (None, None) if part is None else part
        a, b = (0 if a is None else int(a)), (n if b is None else int(b))
        if not 0 <= a < b <= n:
            raise GridError(f"The region {a}:{b} along {AXES[axis]} is empty or outside 0:{n}.")
        out.append((a, b))
    return tuple(out)  # type: ignore[return-value]


def parse_roi(text: str) -> list[tuple[int | None, int | None]]:
    """``"t0:t1,z0:z1,y0:y1,x0:x1"`` (ends may be left out) to ranges for :func:`check_roi`."""
    out: list[tuple[int | None, int | None]] = []
    try:
        for part in text.split(","):
            a, b = part.split(":")
            out.append((int(a) if a.strip() else None, int(b) if b.strip() else None))
    except ValueError as error:
        raise GridError(f"A region looks like t0:t1,z0:z1,y0:y1,x0:x1, got {text!r}.") from error
    return out
