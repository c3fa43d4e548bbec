"""Volume: a 4D recording with its calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .data.grid import ROI, Grid, check_roi
from .errors import InputError

TIME_UNITS = ("s", "ms", "us", "min", "h", "frame")
SPACE_UNITS = ("um", "nm", "mm", "m", "voxel")


class Volume:
    """A recording ``(T, Z, Y, X)`` on a physical grid.

    Parameters
    ----------
    data : array-like with ``shape``, ``dtype`` and slicing; lazy and memory-mapped arrays stay so.
    spacing : (dt, dz, dy, dx), positive.
    origin : physical coordinates of the first voxel's centre, (t, z, y, x).
    units : of time and of space, for example ``("s", "um")``; ``("frame", "voxel")`` when unknown.
    orientation : 3 x 3 direction matrix in (x, y, z), identity when None.
    metadata : what the source said: header, affine, channel name, ``calibrated_by``.

    Raises
    ------
    InputError
        If the data are not four-dimensional and real, or the units no pair of words.
    GridError
        If the spacing or the origin is impossible.
    """

    def __init__(
        self,
        data: Any,
        spacing: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0),
        origin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
        units: tuple[str, str] = ("s", "um"),
        orientation: Any = None,
        metadata: dict[str, Any] | None = None,
        times: tuple[float, ...] | None = None,
    ) -> None:
        if not hasattr(data, "shape") or not hasattr(data, "dtype"):
            data = np.asarray(data)
        if len(data.shape) != 4:
            raise InputError(
                f"A recording has four axes (t, z, y, x), got shape {tuple(data.shape)}; "
                "say which axes these are with axes='...' (--axes), for example 'ZYX' or 'TYX'."
            )
        dtype = np.dtype(data.dtype)
        if dtype.kind not in "biuf":
            raise InputError(
                f"Intensities must be real numbers, got {dtype}; convert the recording first."
            )
        self.data = data
        self.grid = Grid(tuple(data.shape), spacing, origin, times)
        if (
            isinstance(units, str)
            or len(units) != 2
            or not all(isinstance(u, str) and u and u.isprintable() for u in units)
        ):
            raise InputError(
                f"Units are a pair, of time and of space, for example ('s', 'um'); got {units!r}."
            )
        self.units = (str(units[0]), str(units[1]))
        self.orientation = (
            None if orientation is None else np.asarray(orientation, dtype=np.float64).reshape(3, 3)
        )
        self.metadata: dict[str, Any] = dict(metadata or {})

    shape = property(lambda self: self.grid.shape)
    dtype = property(lambda self: np.dtype(self.data.dtype))
    spacing = property(lambda self: self.grid.spacing)
    origin = property(lambda self: self.grid.origin)

    def __repr__(self) -> str:
        t, z, y, x = self.shape
        dt, dz, dy, dx = self.spacing
        return (
            f"<Volume {t} x {z} x {y} x {x} {self.dtype}, frame {dt:g} {self.units[0]}, voxel"
            f" {dz:g} x {dy:g} x {dx:g} {self.units[1]}>"
        )

    def frame(self, k: int, dtype: Any = np.float32) -> Any:
        """Frame ``k`` as an array ``(Z, Y, X)``."""
        return np.asarray(self.data[k], dtype=dtype)

    def crop(self, roi: Any) -> Volume:
        """The part inside half-open index ranges ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``; a
        view where possible.
        """
        ranges: ROI = check_roi(roi, self.shape)
        # Arrays that are read when they are indexed have parts of which nothing is read yet.
        part = getattr(self.data, "part", None)
        data = self.data[tuple(slice(a, b) for a, b in ranges)] if part is None else part(ranges)
        return self.like(data, self.grid.crop(ranges))

    def like(self, data: Any, grid: Grid, metadata: dict[str, Any] | None = None) -> Volume:
        """Other data on another grid, with the units, orientation and metadata of this
        recording.
        """
        return Volume(
            data,
            grid.spacing,
            grid.origin,
            self.units,
            self.orientation,
            {**self.metadata, **(metadata or {})},
            grid.times,
        )

    @classmethod
    def open(cls, path: str | Path, **how: Any) -> Volume:
        """Read a recording; see :func:`napari_spatimeinr.io.read` for the options."""
        from .io import read

        return read(path, **how)

    def save(self, path: str | Path, **how: Any) -> Path:
        """Write this recording; the ending decides the format, see
        :func:`napari_spatimeinr.io.write`.
        """
        from .io import write

        return write(self, path, **how)


def check_volume(volume: Any, who: str) -> None:
    """Refuse what is no recording.

    Raises
    ------
    InputError
        If it is something else, for example an array or the name of a file.
    """
    if not isinstance(volume, Volume):
        raise InputError(
            f"{who} needs a Volume, got {type(volume).__name__}; make one with Volume.open(path), "
            "or of an array (t, z, y, x) with Volume(array, spacing=(dt, dz, dy, dx))."
        )
