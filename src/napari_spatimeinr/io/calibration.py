"""What a file states about time and space, what the user adds, and what is left unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..data.grid import AXES, Floats, Grid
from ..data.record import Record
from ..data.units import UNKNOWN
from ..errors import GridError
from .options import ReadOptions
from .provenance import KEY

Four = tuple[float, float, float, float]


@dataclass
class Stated:
    """What a file says; None where it says nothing.

    Parameters
    ----------
    spacing : [dt, dz, dy, dx], as stated, in ``units``.
    units : [time, space], names of this package.
    sources : where dt and the voxel size come from, for example "NIfTI header".
    origin : [t, z, y, x] of the first voxel's centre.
    orientation : 3 x 3 in (x, y, z), or None.
    times : of the frames, in the unit of dt, where they are not evenly spaced.
    warnings : one-line questions.
    made : what this package wrote about how the values were made.
    """

    spacing: list[float | None] = field(default_factory=lambda: [None] * 4)
    units: list[str | None] = field(default_factory=lambda: [None, None])
    sources: dict[str, str | None] = field(default_factory=lambda: {"dt": None, "voxel": None})
    origin: list[float] = field(default_factory=lambda: [0.0] * 4)
    orientation: Floats | None = None
    times: tuple[float, ...] | None = None
    warnings: list[str] = field(default_factory=list)
    made: dict[str, Any] | None = None

    def forget_time(self) -> None:
        """A file that is one time point of several says nothing about time."""
        self.spacing[0], self.units[0], self.sources["dt"], self.origin[0] = None, None, None, 0.0
        self.times = None


@dataclass(frozen=True)
class Settled:
    """What a recording gets, and the part of its metadata that says why."""

    spacing: Four
    origin: Four
    units: tuple[str, str]
    orientation: Floats | None
    metadata: dict[str, Any]
    times: tuple[float, ...] | None

    def record(
        self, data: Any, facts: dict[str, Any], made: dict[str, Any] | None = None
    ) -> Record:
        """The recording, once everything about it is known.

        Parameters
        ----------
        data : ``(T, Z, Y, X)``.
        facts : metadata that the format states.
        made : how it was made, None where nothing is known.
        """
        grid = Grid(tuple(data.shape), self.spacing, self.origin, self.times)
        metadata = {**facts, **self.metadata, **({} if made is None else {KEY: made})}
        return Record(data, grid, self.units, self.orientation, metadata)


def settle(stated: Stated, how: ReadOptions, shape: tuple[int, ...]) -> Settled:
    """What the file states, under what the user gave, with 1.0 frame and voxel for the rest.

    ``units`` given by the user name the unit of the numbers; they convert nothing. An origin keeps
    its place in voxels when the spacing is given, and frames are then evenly spaced.

    Parameters
    ----------
    stated : what the file says.
    how : what the user says.
    shape : (T, Z, Y, X).

    Raises
    ------
    GridError
        If the file states an impossible spacing and none was given instead.
    """
    given = how.given_spacing
    warnings = list(stated.warnings)
    file = [_usable(v, axis, given[axis], warnings) for axis, v in enumerate(stated.spacing)]
    known = [g if g is not None else f for g, f in zip(given, file, strict=True)]
    spacing = _without_gaps(known)
    time, dt_by = _settled_unit("dt", stated, how, file, known)
    space, voxel_by = _settled_unit("voxel", stated, how, file, known)
    units = (time, space)
    if known[1] is None and shape[1] > 1 and known[3] is not None:
        warnings.append(
            f"The file does not state the z step; 1 {space} was assumed: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
    warnings += questions(known, units, shape)
    origin = [
        o * s / (f or 1.0) if g is not None else o
        for o, s, f, g in zip(stated.origin, spacing, file, given, strict=True)
    ]
    of_axis = (how.given_units[0], *[how.given_units[1]] * 3)
    metadata = {
        "calibrated_by": {"dt": dt_by, "voxel": voxel_by},
        "stated": {
            "spacing": [
                s if k is not None or unit is not None else None
                for s, k, unit in zip(spacing, known, of_axis, strict=True)
            ],
            "units": [None if unit in UNKNOWN else unit for unit in units],
        },
        "warnings": warnings,
    }
    times = stated.times if given[0] is None else None
    return Settled(_four(spacing), _four(origin), units, stated.orientation, metadata, times)


def _without_gaps(known: Sequence[float | None]) -> list[float]:
    """Spacing with 1.0 for what nobody says; y and x stand for each other."""
    spacing = [1.0 if k is None else k for k in known]
    for axis, other in ((2, 3), (3, 2)):
        if known[axis] is None and known[other] is not None:
            spacing[axis] = spacing[other]
    return spacing


def _settled_unit(
    part: str,
    stated: Stated,
    how: ReadOptions,
    file: Sequence[float | None],
    known: Sequence[float | None],
) -> tuple[str, str | None]:
    """The unit of time (``part`` "dt") or of space ("voxel"), and who says so."""
    of_time = part == "dt"
    k, axes = (0, [0]) if of_time else (1, [1, 2, 3])
    default, unknown = ("s", "frame") if of_time else ("um", "voxel")
    by_user = any(how.given_spacing[axis] is not None for axis in axes)
    by_file = any(file[axis] is not None for axis in axes)
    given, own = how.given_units[k], stated.units[k]
    if by_user or given is not None:
        source: str | None = "given"
    elif all(known[axis] is None for axis in axes):
        source = None
    else:
        source = stated.sources[part]
    if given:
        return given, source
    if own and (by_file or by_user):
        return own, source
    return default if by_user else unknown, source


def _four(values: Sequence[float]) -> Four:
    t, z, y, x = values
    return t, z, y, x


def _usable(
    value: float | None, axis: int, given: float | None, warnings: list[str]
) -> float | None:
    if value is None or given is not None:
        return None if value is None or not (math.isfinite(value) and value > 0) else float(value)
    if value == 0:
        what = "frame interval" if axis == 0 else f"spacing along {AXES[axis]}"
        warnings.append(
            f"The file states a {what} of 0, which was taken as unknown: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
        return None
    if not (math.isfinite(value) and value > 0):
        raise GridError(
            f"The file states an impossible spacing of {value:g} along {AXES[axis]}; give it with"
            " --spacing DT,DZ,DY,DX."
        )
    return float(value)


def questions(
    known: Sequence[float | None], units: Sequence[str], shape: Sequence[int]
) -> list[str]:
    """What is suspicious about a calibration, a line each.

    Parameters
    ----------
    known : (dt, dz, dy, dx), None where nobody says.
    units : of time and space.
    shape : (T, Z, Y, X).
    """
    out = []
    dz, dy, dx = known[1:]
    if (
        dz is not None
        and dx is not None
        and dy is not None
        and shape[1] > 1
        and dz < 0.999 * min(dy, dx)
    ):
        out.append(
            f"The z step ({dz:g} {units[1]}) is smaller than the pixel ({min(dy, dx):g}"
            f" {units[1]}): is that right?"
        )
    if all(v == 1.0 for v in known[1:]) and units[1] != "voxel":
        out.append(
            f"The voxel size is 1 {units[1]} on every axis: is that right, or was it never set?"
        )
    return out
