"""Writing recordings, and what can be told of a name before anything is written to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..data.record import Record
from ..errors import FormatError, SaveError
from . import atomic, formats, names
from .format import Format
from .frames import stored_dtype
from .options import WriteOptions
from .sidecar import sidecar


def write(
    record: Record, path: str | os.PathLike[str], *, dtype: Any = None, zarr_version: str = "0.4"
) -> Path:
    """Write a recording frame by frame, completely or not at all.

    Parameters
    ----------
    record : the recording, a volume or what :func:`.read` returned; its data may be lazy, only one
        frame is held at a time.
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
    format, stored = checked(record, target, dtype)
    return format.write(record, target, WriteOptions(stored, zarr_version))


def checked(record: Record, path: Path, dtype: Any = None) -> tuple[Format, Any]:
    """The format that a recording is written in, and the type of its numbers there, once the format
    can hold it; see :func:`write` for parameters and errors.
    """
    format = formats.writing(path)
    if format is None:
        known = ", ".join(formats.WRITABLE)
        raise FormatError(f"{path} cannot be written: its ending must be one of {known}.")
    stored = stored_dtype(record, dtype)
    if record.grid.times is not None and not format.holds.uneven_times:
        raise SaveError(
            f"{format.name} cannot hold frames at irregular times; save as OME-TIFF (.ome.tif),"
            " OME-Zarr (.zarr) or NIfTI (.nii or .nii.gz, which keeps them beside the file)."
        )
    if f"{stored.kind}{stored.itemsize}" not in format.holds.dtypes:
        raise SaveError(format.refusal.format(name=format.name, dtype=stored))
    return format, stored


def destination(path: Path) -> Path:
    """What is there, and is read back, once :func:`write` has written to a name: the file, or the
    folder of a series.
    """
    format = formats.writing(path)
    return path if format is None else format.destination(path)


def check_free(path: Path) -> None:
    """Raise the SaveError that writing a recording or a model would end in, as far as that can be
    told before.
    """
    format = formats.writing(path)
    if format is None:  # a model, which is written in a moment and waited for
        atomic.check_free(path, atomic.WAIT)
    else:
        format.check_free(path)


def clash(one: Path, other: Path) -> str | None:
    """Why two names cannot both be written to, in words: they lead to one file or folder, or to one
    JSON file beside them.
    """
    if names.same(destination(one), destination(other)):
        return "leads to the same place as"
    beside = [sidecar(path) for path in (one, other) if _has_sidecar(path)]
    if len(beside) == 2 and names.same(*beside):
        return "would share its JSON file with"
    return None


def _has_sidecar(path: Path) -> bool:
    format = formats.writing(path)
    return format is None or format.has_sidecar


def present(path: Path) -> list[Path]:
    """What is there already under a name that is written to; of a series the files with
    any number.
    """
    format = formats.writing(path)
    if format is None:
        return [path] if path.exists() else []
    return format.present(path)
