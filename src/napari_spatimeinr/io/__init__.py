"""Reading and writing recordings; the ending of a file, or what is in a folder, decides
the format.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FormatError, InputError
from .atomic import ending, replacing
from .cast import convert_dtype

if TYPE_CHECKING:
    from ..volume import Volume
    from .lazy import Source

__all__ = [
    "WRITABLE",
    "check_free",
    "clash",
    "convert_dtype",
    "describe",
    "destination",
    "ending",
    "is_template",
    "present",
    "read",
    "readable",
    "replacing",
    "write",
]

NIFTI = (".nii", ".nii.gz", ".hdr", ".img")
TIFF = (".tif", ".tiff", ".ome.tif", ".ome.tiff")
ZARR = (".zarr", ".ome.zarr")
WRITABLE = (".nii", ".nii.gz", *TIFF, *ZARR)


def read(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    spacing: tuple[float | None, ...] | None = None,
    units: tuple[str | None, str | None] | None = None,
    channel: int | None = None,
    level: int = 0,
) -> Volume:
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
    A volume ``(T, Z, Y, X)``. Time and space that neither the file nor the caller states have
    spacing 1.0 and the unit "frame" or "voxel". ``metadata`` (JSON values) holds ``source``,
    ``format``, ``header``, ``affine``, ``channel``, ``channel_index``, ``channels``,
    ``source_dtype``, ``calibrated_by``, ``stated`` and ``warnings`` (questions to ask the user).

    Raises
    ------
    FormatError
        If the file is missing, damaged, or not what its ending says.
    InputError
        If what it holds is no recording, or the axes, units or channel do not fit.
    GridError
        If the spacing is impossible.
    """
    from .calibration import ReadOptions
    from .lazy import LazyArray, Source

    how = ReadOptions(axes, spacing, units, channel, level)
    volume = _read(path, how)
    if isinstance(volume.data, LazyArray):
        volume.data.source = Source.of(Path(volume.metadata["source"]), how)
    return volume


def reopened(source: Source) -> Any:
    """The array of a recording that was read before, of which only its file and how it was read are
    known.
    """
    from .lazy import LazyArray

    data = _read(source.path, source.how).data
    if isinstance(data, LazyArray):
        data.source = source
    return data


def write(
    volume: Volume, path: str | os.PathLike[str], *, dtype: Any = None, zarr_version: str = "0.4"
) -> Path:
    """Write a recording frame by frame, completely or not at all.

    Parameters
    ----------
    volume : the recording; its data may be lazy, only one frame is held at a time.
    path : .nii, .nii.gz, .ome.tif(f) (OME-TIFF), .tif(f) (ImageJ hyperstack), .zarr or .ome.zarr
        (OME-Zarr); a name like ``frames/Emb1_{t:03}.nii.gz`` makes one NIfTI for each time point,
        numbered from 1.
    dtype : "source" (the type of the recording the volume comes from), "float32", "uint16" or
        "uint8", rounded and clipped; None keeps the volume's.
    zarr_version : of OME-Zarr, "0.4" or "0.5".

    Returns
    -------
    The path written, which can be read; of a series of NIfTIs their folder.

    Raises
    ------
    SaveError
        If it cannot be written; an earlier file stays as it was.
    FormatError
        If the name is not like one of the above.
    InputError
        If the type is unknown.
    """
    target = Path(path)
    kind = ending(target)
    if is_template(target):
        from .nifti import series as nifti_series

        return nifti_series.write(volume, target, dtype)
    if kind not in WRITABLE:
        raise FormatError(
            f"{target} cannot be written: its ending must be one of {', '.join(WRITABLE)}."
        )
    if kind in TIFF:
        from .tiff import write as tiff_write

        return tiff_write.write(volume, target, dtype)
    if kind in ZARR:
        from .zarr import write as zarr_write

        return zarr_write.write(volume, target, dtype, zarr_version)
    from .nifti import write as nifti_write

    return nifti_write.write(volume, target, dtype)


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
    from .calibration import ReadOptions

    volume = _read(
        path, ReadOptions(axes, spacing, units, channel, level, any_channel=True, load=False)
    )
    metadata = volume.metadata
    return {
        "kind": "recording",
        "path": str(path),
        "format": metadata["format"],
        "shape": list(volume.shape),
        "channels": metadata["channels"],
        "spacing": metadata["stated"]["spacing"],
        "units": metadata["stated"]["units"],
        "origin": list(volume.origin),
        "times": None if volume.grid.times is None else list(volume.grid.times),
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
    source = Path(path)
    kind = ending(source)
    if kind in (*NIFTI, *TIFF, *ZARR):
        return True
    if not source.is_dir():
        return False
    endings = [ending(entry) for entry in source.iterdir() if not entry.name.startswith(".")]
    return not endings or any(kind in (*TIFF, *NIFTI) for kind in endings)


def is_template(path: Path) -> bool:
    """Whether a name stands for several files: it has braces."""
    return "{" in path.name or "}" in path.name


def destination(path: Path) -> Path:
    """What is there, and is read back, once :func:`write` has written to a name: the file, or the
    folder of a series.
    """
    return path.parent if is_template(path) else path


def check_free(path: Path) -> None:
    """Raise the SaveError that writing a recording or a model would end in, as far as that can be
    told before.
    """
    from . import atomic, locks
    from .nifti import series as nifti_series

    if is_template(path):
        nifti_series.check_free(path)
    else:
        atomic.check_free(path, atomic.WAIT if ending(path) not in WRITABLE else locks.MOMENT)


def clash(one: Path, other: Path) -> str | None:
    """Why two names cannot both be written to, in words: they lead to one file or folder, or to one
    JSON file beside them.
    """
    from . import names, provenance

    if names.same(destination(one), destination(other)):
        return "leads to the same place as"
    if is_template(one) or is_template(other) or ending(one) in ZARR or ending(other) in ZARR:
        return None
    return (
        "would share its JSON file with"
        if names.same(provenance.sidecar(one), provenance.sidecar(other))
        else None
    )


def present(path: Path) -> list[Path]:
    """What is there already under a name that is written to; of a series the files with
    any number.
    """
    if not is_template(path):
        return [path] if path.exists() else []
    from .nifti import series as nifti_series

    return nifti_series.present(path)


def _read(path: str | os.PathLike[str], how: Any) -> Volume:
    source = Path(path)
    kind = ending(source)
    try:
        if kind in ZARR:
            from .staging import recover

            source = recover(source)
        if not source.exists():
            raise FormatError(f"{source} does not exist; check the name and the folder.")
        if kind in ZARR or source.is_dir():
            from .folder import read as folder
            from .zarr import read as zarr

            if kind in ZARR or zarr.is_zarr(source):
                return zarr.read(source, how)
            _no_levels(source, how)
            return folder.read(source, how)
        _no_levels(source, how)
        if kind not in (*NIFTI, *TIFF):
            known = ", ".join((*NIFTI, *TIFF, *ZARR))
            raise FormatError(f"{source} is of an unknown kind; recordings end in one of {known}.")
        if source.stat().st_size == 0:
            raise FormatError(f"{source} is empty (0 bytes); copy or export it again.")
        if kind in TIFF:
            from .tiff import read as tiff

            return tiff.read(source, how)
        from .nifti import read as nifti

        return nifti.read(source, how)
    except FormatError:
        raise
    except OSError as error:
        raise FormatError(
            f"{source} cannot be read ({error.strerror or error}); check the file and its"
            " permissions."
        ) from error


def _no_levels(source: Path, how: Any) -> None:
    if how.level != 0:
        raise InputError(
            f"{source} has one level of resolution, only OME-Zarr has more; leave out level"
            " (--level)."
        )
