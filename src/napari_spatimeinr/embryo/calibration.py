"""How large a raw voxel is, and how long a frame: as given, by the run file, or as published."""

from __future__ import annotations

from dataclasses import dataclass

from ..data.grid import Grid
from ..errors import InputError
from .runfile import RunFile

PUBLISHED = (90.0, 0.42, 0.09)
"""Frame interval (s), distance of slices and pixel (um) of the published recordings."""


@dataclass(frozen=True)
class Calibration:
    """Of the raw recording.

    Parameters
    ----------
    spacing : (dt, dz, dy, dx) in s and um.
    sentences : where each comes from.
    """

    spacing: tuple[float, float, float, float]
    sentences: tuple[str, ...]


def calibrated(
    run: RunFile | None = None,
    xy: float | None = None,
    z: float | None = None,
    dt: float | None = None,
) -> Calibration:
    """The calibration of a raw recording, and in a sentence each where it comes from.

    What is given counts first, then what the run file states. Else the pixel is the published one;
    the distance of slices follows from the ratio of ``ori_shape`` and ``data_shape``, whose voxels
    are cubes, where a run file has both.

    Parameters
    ----------
    run : the run file.
    xy, z : pixel and distance of slices, um.
    dt : frame interval, s.

    Raises
    ------
    InputError
        If one is not positive.
    """
    told: list[str] = []
    said = (None,) * 3 if run is None else (run.xy, run.z, run.dt)
    pixel = _stated("pixel", "um", "--xy", xy, said[0], told)
    if pixel is None:
        pixel = PUBLISHED[2]
        told.append(
            f"The pixel is taken as {pixel:g} um, that of the published recordings, since nothing"
            " says otherwise; is that right (--xy)?"
        )
    slices = _stated("distance of slices", "um", "--z", z, said[1], told)
    if slices is None:
        slices = _by_ratio(run, pixel, told)
    frame = _stated("frame interval", "s", "--dt", dt, said[2], told)
    if frame is None:
        frame = PUBLISHED[0]
        told.append(
            f"The frame interval is taken as {frame:g} s, that of the published recordings, since"
            " nothing says otherwise; is that right (--dt)?"
        )
    return Calibration((frame, slices, pixel, pixel), tuple(told))


def data_grid(raw: Grid, data_shape: tuple[int, int, int] | None) -> Grid:
    """The grid of ``data_shape`` (Y, X, Z) that covers exactly the extent of the raw recording.

    Without a ``data_shape`` voxels are cubes of about the pixel.
    """
    extent = [n * s for n, s in zip(raw.shape[1:], raw.spacing[1:], strict=True)]
    if data_shape is None:
        pixel = min(raw.spacing[2:])
        shape = [max(1, round(length / pixel)) for length in extent]
    else:
        y, x, z = data_shape
        shape = [z, y, x]
    fine = [length / n for length, n in zip(extent, shape, strict=True)]
    first = [o + (f - s) / 2 for o, f, s in zip(raw.origin[1:], fine, raw.spacing[1:], strict=True)]
    return Grid(
        (raw.shape[0], *shape),  # type: ignore[arg-type]
        (raw.spacing[0], *fine),  # type: ignore[arg-type]
        (raw.origin[0], *first),  # type: ignore[arg-type]
        raw.times,
    )


def _stated(
    what: str, unit: str, option: str, given: float | None, said: float | None, told: list[str]
) -> float | None:
    """What was given or is in the run file, told in a sentence."""
    if given is not None:
        if not 0 < given < float("inf"):
            raise InputError(f"The {what} ({option}) must be positive, got {given:g}.")
        told.append(f"The {what} is {given:g} {unit}, as given.")
        return given
    if said is not None:
        told.append(f"The {what} is {said:g} {unit}, as the run file says.")
    return said


def _by_ratio(run: RunFile | None, pixel: float, told: list[str]) -> float:
    if run is None or run.ori_shape is None or run.data_shape is None:
        told.append(
            f"The distance of slices is taken as {PUBLISHED[1]:g} um, that of the published"
            " recordings, since nothing says otherwise; is that right (--z)?"
        )
        return PUBLISHED[1]
    y, _, z = run.ori_shape
    fine_y, _, fine_z = run.data_shape
    slices = pixel * y / fine_y * fine_z / z
    told.append(
        f"The distance of slices is taken as {slices:.4g} um, by ori_shape {run.ori_shape} and"
        f" data_shape {run.data_shape} of the run file at a pixel of {pixel:g} um; is that right"
        " (--z)?"
    )
    return slices
