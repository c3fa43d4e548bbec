"""``evaluate --downstream``: annotations, and what is measured with them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FormatError, InputError
from .output import Output

if TYPE_CHECKING:
    from ..analysis.downstream import Findings
    from ..analysis.report import Report
    from ..volume import Volume

PHYSICAL, VOXELS = ("t", "z", "y", "x"), ("axis-0", "axis-1", "axis-2", "axis-3")
"""Columns of points: as this program names them, and as napari saves them (in voxels)."""
In = Literal["units", "voxels"]


class Annotations:
    """What ``--downstream``, ``--labels``, ``--points`` and ``--points-in`` ask for.

    Raises
    ------
    ConfigError
        If options are missing that another needs.
    """

    def __init__(
        self,
        downstream: bool,
        labels: Path | None,
        points: Path | None,
        points_in: In | None,
        hold_out: str,
    ) -> None:
        self.labels, self.points, self.points_in = labels, points, points_in
        self.wanted = downstream or labels is not None or points is not None
        if points_in is not None and points is None:
            raise ConfigError("--points-in says what the columns of --points are; give that too.")
        if self.wanted and hold_out == "z" and labels is None:
            raise ConfigError(
                "Along z, cells of a watershed are compared with labels; add --labels FILE."
            )
        if points is not None and hold_out == "z":
            raise ConfigError("--points are for frames left out; leave out --hold-out z.")

    def measured(
        self, volume: Volume, axes: str | None, output: Output, **how: Any
    ) -> tuple[Report, Findings]:
        """The report of :func:`.evaluate` and the findings, for its options."""
        from ..analysis.downstream import downstream

        labels = None if self.labels is None else read_labels(self.labels, axes)
        points = None
        if self.points is not None:
            points, counted = read_points(self.points, self.points_in)
            if counted == "voxels":
                points = volume.grid.to_physical(points)
            given = "frames and voxels" if counted == "voxels" else "the recording's units"
            output.note(f"{self.points.name}: {len(points)} points in {given}.")
        return downstream(volume, labels=labels, points=points, **how)


def read_labels(path: Path, axes: str | None) -> NDArray[Any]:
    """Labels ``(T, Z, Y, X)`` of a file in any format of recordings; whole numbers.

    Raises
    ------
    InputError
        If there are others.
    """
    from ..volume import Volume

    data = np.asarray(Volume.open(path, axes=axes).data)
    if data.dtype.kind == "f":
        whole = np.rint(data)
        if not np.array_equal(whole, data):
            raise InputError(f"{path.name} holds no labels: not all of its values are whole.")
        data = whole.astype(np.int64)
    return data


def read_points(path: Path, counted: In | None = None) -> tuple[NDArray[np.float64], In]:
    """Points ``(N, 4)`` (t, z, y, x) of a csv file with these columns, or those of napari.

    Parameters
    ----------
    path : the file; other columns are ignored.
    counted : whether they are in the recording's units or in frames and voxels; None for units of
        columns t, z, y, x, and voxels of napari's axis-0 to axis-3.

    Raises
    ------
    FormatError
        If it cannot be read, has other columns, or something else than numbers in them.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            names = rows.fieldnames or ()
            columns = next((c for c in (PHYSICAL, VOXELS) if set(c) <= set(names)), None)
            if columns is None:
                raise FormatError(
                    f"{path.name} needs a first line with the columns t,z,y,x (or napari's axis-0"
                    f" to axis-3), it has {', '.join(map(repr, names)) or 'none'}."
                )
            points = [[float(row[name]) for name in columns] for row in rows]
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path.name} has something else than numbers for points.") from error
    usual: In = "units" if columns == PHYSICAL else "voxels"
    return np.asarray(points, np.float64).reshape(-1, 4), counted or usual
