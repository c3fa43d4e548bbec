"""Record: a 4D recording in memory or read as it is indexed, without a word about files."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ..errors import GridError, InputError
from .grid import ROI, Floats, Grid, check_roi
from .indexing import within


@dataclass(eq=False, repr=False)
class Record:
    """A recording ``(T, Z, Y, X)`` on a physical grid; what readers return and writers take.

    Parameters
    ----------
    data : array-like with ``shape``, ``dtype`` and slicing; lazy and memory-mapped arrays stay so.
    grid : where and when its voxels lie; of the shape of ``data``.
    units : of time and of space, for example ``("s", "um")``; ``("frame", "voxel")`` when unknown.
    orientation : 3 x 3 direction matrix in (x, y, z), identity when None.
    metadata : what the source said: header, affine, channel name, ``calibrated_by``;
        ``source_part``, half-open ranges, where it is a part of that.

    Raises
    ------
    InputError
        If the data are not four-dimensional and real, or the units no pair of words.
    GridError
        If the grid is of another shape.
    """

    data: Any
    grid: Grid
    units: tuple[str, str] = ("s", "um")
    orientation: Floats | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = as_recording(self.data)
        if tuple(self.data.shape) != self.grid.shape:
            raise GridError(
                f"The data have shape {tuple(self.data.shape)} (t, z, y, x) and their grid"
                f" {self.grid.shape}; make a grid of the shape of the data."
            )
        self.units = checked_units(self.units)
        if self.orientation is not None:
            self.orientation = np.asarray(self.orientation, dtype=np.float64).reshape(3, 3)
        self.metadata = dict(self.metadata)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(T, Z, Y, X)."""
        return self.grid.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the data."""
        return np.dtype(self.data.dtype)

    @property
    def spacing(self) -> tuple[float, float, float, float]:
        """(dt, dz, dy, dx)."""
        return self.grid.spacing

    @property
    def origin(self) -> tuple[float, float, float, float]:
        """Physical coordinates of the first voxel's centre, (t, z, y, x)."""
        return self.grid.origin

    def __repr__(self) -> str:
        t, z, y, x = self.shape
        dt, dz, dy, dx = self.spacing
        return (
            f"<{type(self).__name__} {t} x {z} x {y} x {x} {self.dtype}, frame {dt:g}"
            f" {self.units[0]}, voxel {dz:g} x {dy:g} x {dx:g} {self.units[1]}>"
        )

    def frame(self, k: int, dtype: Any = np.float32) -> Any:
        """Frame ``k`` as an array ``(Z, Y, X)``."""
        return np.asarray(self.data[k], dtype=dtype)

    def crop(self, roi: Any) -> Self:
        """The part inside half-open index ranges ``((t0, t1), (z0, z1), (y0, y1), (x0, x1))``; a
        view where possible.
        """
        ranges: ROI = check_roi(roi, self.shape)
        # Arrays that are read when they are indexed have parts of which nothing is read yet.
        part = getattr(self.data, "part", None)
        data = self.data[tuple(slice(a, b) for a, b in ranges)] if part is None else part(ranges)
        cropped = self.like(data, self.grid.crop(ranges))
        if "source" in self.metadata:
            part = within(self.metadata.get("source_part"), ranges)
            cropped.metadata["source_part"] = [list(r) for r in part]
        return cropped

    def like(self, data: Any, grid: Grid, metadata: dict[str, Any] | None = None) -> Self:
        """Other data on another grid, with the units, orientation and metadata of this
        recording.
        """
        other = copy.copy(self)
        other.data, other.grid = data, grid
        other.metadata = {**self.metadata, **(metadata or {})}
        other.__post_init__()
        return other


def as_recording(data: Any) -> Any:
    """Data themselves, or an array of them, once they can be those of a recording.

    Raises
    ------
    InputError
        If they are not four-dimensional and real.
    """
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
    return data


def checked_units(units: Any) -> tuple[str, str]:
    """Units themselves, once they are a pair of words.

    Raises
    ------
    InputError
        If they are not.
    """
    if (
        isinstance(units, str)
        or len(units) != 2
        or not all(isinstance(unit, str) and unit and unit.isprintable() for unit in units)
    ):
        raise InputError(
            f"Units are a pair, of time and of space, for example ('s', 'um'); got {units!r}."
        )
    return str(units[0]), str(units[1])
