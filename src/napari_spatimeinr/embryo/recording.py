"""An embryo opened: its slices, its lineage in them, and all that was taken for granted."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..data.grid import Grid
from ..data.record import Record
from ..errors import InputError
from .calibration import Calibration, calibrated, data_grid
from .flip import FlipView, flip_view
from .lineage import Lineage
from .placing import Raw, lineage_of
from .runfile import RunFile, read_runfile
from .slices import read_slices
from .tracing import Tracing, read_tracing


@dataclass(frozen=True, eq=False)
class Embryo:
    """What a run file leads to.

    Parameters
    ----------
    run : the run file.
    record : the raw recording ``(T, Z, Y, X)``; the time point n is at n dt.
    calibration : of it.
    raw : how the tracing sees it.
    tracing : as it was read.
    lineage : in um of the recording.
    warnings : a sentence for each thing that was odd; those of the calibration are there.
    """

    run: RunFile
    record: Record
    calibration: Calibration
    raw: Raw
    tracing: Tracing
    lineage: Lineage
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the embryo: the rootname without what parts it from the number."""
        return self.run.rootname.rstrip("_")

    @property
    def dt(self) -> float:
        """Seconds per time point, also where some are left out."""
        return self.calibration.spacing[0]

    @property
    def data_grid(self) -> Grid:
        """The grid of what is made of it: ``data_shape``, isotropic without one."""
        return data_grid(self.record.grid, self.run.data_shape)

    def flip(self) -> FlipView:
        """The last frame and its nuclei both ways round, as the tracing counts slices first."""
        number = self.raw.frames[-1]
        places = self.lineage.positions_at(number)
        if not places:
            raise InputError(f"No nucleus is traced at time point {number}; nothing can be shown.")
        if self.raw.z_flip:
            deep = (self.raw.shape[0] - 1) * self.raw.spacing[0]
            places = {name: place * (-1, 1, 1) + (deep, 0, 0) for name, place in places.items()}
        return flip_view(self.record.frame(-1), self.raw.spacing, places)


def open_embryo(
    run_file: str | os.PathLike[str],
    xy: float | None = None,
    z: float | None = None,
    dt: float | None = None,
    z_flip: bool = False,
    z_first: int = 1,
) -> Embryo:
    """Open what a run file names.

    Parameters
    ----------
    run_file : its path.
    xy, z, dt : pixel and distance of slices (um) and frame interval (s), see
        :func:`.calibration.calibrated`.
    z_flip : whether the tracing counts slices from the other end; :meth:`Embryo.flip` shows it.
    z_first : what the tracing calls the first slice, 1 or 0.

    Raises
    ------
    FormatError
        If a file is missing, damaged or not what it should be.
    InputError
        If slices are missing, or the tracing is of another embryo.
    """
    if z_first not in (0, 1):
        raise InputError(f"Slices are counted from 0 or from 1 (--z-first), got {z_first}.")
    run = read_runfile(run_file)
    calibration = calibrated(run, xy, z, dt)
    tracing = read_tracing(run.tracing())
    depth = None if run.ori_shape is None else run.ori_shape[2]
    record = read_slices(run.slices(), run.rootname, calibration, run.time_points, depth)
    told = _sizes(run, record)
    raw = Raw(record.shape[1:], calibration.spacing[1:], run.time_points, z_first, z_flip)
    lineage, odd = lineage_of(tracing, raw, run.rootname)
    warnings = (*told, *record.metadata["warnings"], *tracing.warnings, *odd)
    return Embryo(run, record, calibration, raw, tracing, lineage, warnings)


def _sizes(run: RunFile, record: Record) -> list[str]:
    """Whether the slices are of the size that the run file says."""
    z, y, x = record.shape[1:]
    if run.ori_shape in (None, (y, x, z)):
        return []
    return [
        f"The slices are {y} x {x}, {z} of them, while ori_shape in {run.path} is {run.ori_shape}"
        " (y, x, z); the slices count."
    ]
