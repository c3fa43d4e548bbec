"""Reading recordings: the ending of a file, or what is in a folder, decides the format."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.record import Record
from ..errors import FormatError, InputError
from . import formats
from .format import Format
from .lazy import LazyArray, Source
from .options import ReadOptions


def read(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    spacing: tuple[float | None, ...] | None = None,
    units: tuple[str | None, str | None] | None = None,
    channel: int | None = None,
    level: int = 0,
) -> Record:
    """Read a recording; uncompressed files and folders are read as they are indexed.

    Parameters
    ----------
    path : a NIfTI (.nii, .nii.gz, .hdr/.img) or TIFF (.tif, .tiff, .ome.tif) file, the folder of an
        OME-Zarr image (.zarr, .ome.zarr), or a folder with one numbered TIFF or NIfTI for each time
        point, or one TIFF for each plane of each time point.
    axes : letters of TZCYX that name the file's axes, when it does not or is wrong; in a folder of
        TIFFs those of a file.
    spacing : (dt, dz, dy, dx); an entry of None keeps what the file states.
    units : of time and of space, for example ``("s", "um")``. They name the unit of the numbers,
        given or stated, and convert nothing; an entry of None keeps the file's.
    channel : which one to read, from 0, when there are several.
    level : of resolution, 0 the finest; only OME-Zarr has others.

    Returns
    -------
    A record ``(T, Z, Y, X)``, of which :meth:`.volume.Volume.open` makes a volume. Time and space
    that neither the file nor the caller states have spacing 1.0 and the unit "frame" or "voxel".
    ``metadata`` (JSON values) holds ``source``, ``format``, ``header``, ``affine``, ``channel``,
    ``channel_index``, ``channels``, ``source_dtype``, ``calibrated_by``, ``stated``, ``warnings``
    (questions to ask the user) and, where something was said, ``read_as``.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or not what its ending says.
    InputError
        If what it holds is no recording, or the axes, units or channel do not fit.
    GridError
        If the spacing is impossible.
    """
    how = ReadOptions(axes, spacing, units, channel, level)
    record = _read(path, how)
    if isinstance(record.data, LazyArray):
        record.data.source = Source.of(Path(record.metadata["source"]), how)
    if how.said:
        record.metadata["read_as"] = how.said
    return record


def glanced(path: Path, how: ReadOptions) -> Record:
    """A recording of which few voxels are looked at, so that none is read as a whole; the errors
    are those of :func:`read`.
    """
    record = _read(path, replace(how, glance=True))
    if isinstance(record.data, LazyArray):
        record.data.source = Source.of(path, how)
    return record


def reopened(source: Source) -> Any:
    """The array of a recording that was read before, of which only its file and how it was read are
    known.
    """
    data = _read(source.path, source.how or ReadOptions()).data
    if isinstance(data, LazyArray):
        data.source = source
    return data


def describe(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    spacing: tuple[float | None, ...] | None = None,
    units: tuple[str | None, str | None] | None = None,
    channel: int | None = None,
    level: int = 0,
) -> dict[str, Any]:
    """What a recording is, as JSON values; the parameters and errors are those of :func:`read`.

    Returns
    -------
    ``kind`` ("recording"), ``path``, ``format``, ``shape`` [T, Z, Y, X], ``channels``, ``spacing``
    [dt, dz, dy, dx] and ``units`` [time, space] with None for what nobody states, ``origin``,
    ``times`` (None when evenly spaced), ``dtype``, ``calibrated_by`` {"dt", "voxel"} and
    ``warnings``. Several channels are counted, not asked about.
    """
    how = ReadOptions(axes, spacing, units, channel, level, any_channel=True, load=False)
    record = _read(path, how)
    metadata = record.metadata
    return {
        "kind": "recording",
        "path": str(path),
        "format": metadata["format"],
        "shape": list(record.shape),
        "channels": metadata["channels"],
        "spacing": metadata["stated"]["spacing"],
        "units": metadata["stated"]["units"],
        "origin": list(record.origin),
        "times": None if record.grid.times is None else list(record.grid.times),
        "dtype": metadata["source_dtype"],
        "calibrated_by": metadata["calibrated_by"],
        "levels": metadata["header"].get("levels"),
        "template": metadata["header"].get("template"),
        "warnings": metadata["warnings"],
    }


def readable(path: str | os.PathLike[str]) -> bool:
    """Whether a path is for :func:`read`, by its ending or, for a folder, by a look at the names in
    it; an empty one is told so.
    """
    return formats.claiming(Path(path)) is not None


def _read(path: str | os.PathLike[str], how: ReadOptions) -> Record:
    source = Path(path)
    try:
        source = formats.recovered(source)
        format = _sniffed(source, how)
        return format.read(source, how)
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(
            f"{source} cannot be read ({error.strerror or error}); check the file and its"
            " permissions."
        ) from error


def _sniffed(source: Path, how: ReadOptions) -> Format:
    """The format of what is there, once that is something, and has the resolution asked for."""
    if not source.exists():
        raise FormatError(f"{source} does not exist; check the name and the folder.")
    format = formats.sniffed(source)
    if how.level != 0 and (format is None or not format.holds.levels):
        raise InputError(
            f"{source} has one level of resolution, only OME-Zarr has more; leave out level"
            " (--level)."
        )
    if format is None:
        known = ", ".join(formats.ENDINGS)
        raise FormatError(f"{source} is of an unknown kind; recordings end in one of {known}.")
    if not format.is_folder and source.stat().st_size == 0:
        raise FormatError(f"{source} is empty (0 bytes); copy or export it again.")
    return format
