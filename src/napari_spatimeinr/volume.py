"""Volume: a 4D recording with its calibration, which opens and saves files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from . import io
from .data.grid import Grid
from .data.record import Record, as_recording
from .errors import InputError


class Volume(Record):
    """A recording ``(T, Z, Y, X)`` on a physical grid.

    Parameters
    ----------
    data : array-like with ``shape``, ``dtype`` and slicing; lazy and memory-mapped arrays stay so.
    spacing : (dt, dz, dy, dx), positive.
    origin : physical coordinates of the first voxel's centre, (t, z, y, x).
    units : of time and of space, for example ``("s", "um")``; ``("frame", "voxel")`` when unknown.
    orientation : 3 x 3 direction matrix in (x, y, z), identity when None.
    metadata : what the source said: header, affine, channel name, ``calibrated_by``.
    times : physical times of the frames, increasing, when they are not evenly spaced.

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
        data = as_recording(data)
        grid = Grid(tuple(data.shape), spacing, origin, times)
        super().__init__(data, grid, units, orientation, metadata or {})

    @classmethod
    def of(cls, record: Record) -> Self:
        """A recording that was read, with the same data and metadata."""
        grid = record.grid
        return cls(
            record.data,
            grid.spacing,
            grid.origin,
            record.units,
            record.orientation,
            record.metadata,
            grid.times,
        )

    @classmethod
    def open(cls, path: str | Path, **how: Any) -> Self:
        """Read a recording; see :func:`napari_spatimeinr.io.read` for the options."""
        return cls.of(io.read(path, **how))

    def save(self, path: str | Path, **how: Any) -> Path:
        """Write this recording; the ending decides the format, see
        :func:`napari_spatimeinr.io.write`.
        """
        return io.write(self, path, **how)


def as_volume(volume: Any, who: str) -> Volume:
    """A recording, whoever read it: what :func:`napari_spatimeinr.io.read` returns is one too.

    Raises
    ------
    InputError
        If it is something else, for example an array or the name of a file.
    """
    if isinstance(volume, Volume):
        return volume
    if isinstance(volume, Record):
        return Volume.of(volume)
    raise InputError(
        f"{who} needs a Volume, got {type(volume).__name__}; make one with Volume.open(path), "
        "or of an array (t, z, y, x) with Volume(array, spacing=(dt, dz, dy, dx))."
    )
