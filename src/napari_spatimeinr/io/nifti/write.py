"""Writing NIfTI frame by frame."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np

from ...data.grid import Grid
from ...data.orders import nifti_affine
from ...data.record import Record
from ...data.units import SPACE, TIME, parse_unit
from ..atomic import replacing
from ..frames import frame_of, stored_dtype
from ..locks import MOMENT
from ..provenance import as_text, lasting, provenance
from ..sidecar import words

SPACE_NAMES = {
    "m": ("meter", 1.0),
    "mm": ("mm", 1.0),
    "um": ("micron", 1.0),
    "nm": ("micron", 1e-3),
}
TIME_NAMES = {
    "s": ("sec", 1.0),
    "ms": ("msec", 1.0),
    "us": ("usec", 1.0),
    "min": ("sec", 60.0),
    "h": ("sec", 3600.0),
}
GZIP_LEVEL = 2
"""Noisy intensities hardly shrink further at higher levels, which take many times longer."""


def write(record: Record, path: Path, dtype: Any = None) -> Path:
    """Write ``.nii`` or ``.nii.gz``: three axes for one frame, four for more.

    Frames are taken from ``record.data`` one at a time. Units NIfTI does not know are converted
    (nm to um, min and h to s). How the record was made goes into a header extension, and with frame
    times that are not evenly spaced, in the unit of time of the header, into ``<name>.json`` beside
    the file.

    Parameters
    ----------
    record : the recording, ``(T, Z, Y, X)``.
    path : the file.
    dtype : see :func:`napari_spatimeinr.io.write`.

    Raises
    ------
    SaveError
        If it cannot be written; an earlier file stays as it was.
    """
    times = record.grid.times
    beside = words(
        path,
        provenance(record),
        {"times": None if times is None else [t * time_factor(record) for t in times]},
    )
    with replacing(path, beside, wait=MOMENT) as temporary:
        put(record, temporary, dtype)
    return path


def put(record: Record, file: Path, dtype: Any = None) -> None:
    """Write a file as it is, under any name that ends like the one it will have."""
    stored = stored_dtype(record, dtype)
    header = _header(record, stored)
    made = lasting(record)
    inside = b"" if made is None else _extension(as_text(made))
    with open(file, "wb") as opened:
        if file.suffix.lower() == ".gz":
            with gzip.GzipFile(
                filename="", fileobj=opened, mode="wb", compresslevel=GZIP_LEVEL, mtime=0
            ) as packed:
                _stream(packed, header, inside, record, stored)
        else:
            _stream(opened, header, inside, record, stored)
        opened.flush()
        os.fsync(opened.fileno())


def time_factor(record: Record) -> float:
    """What times in a record's unit are multiplied with to be in the header's."""
    time = parse_unit(record.units[0], TIME)
    return TIME_NAMES[time[0]][1] * time[1] if time else 1.0


def _header(record: Record, dtype: np.dtype[Any]) -> Any:
    t, z, y, x = record.shape
    sizes = (x, y, z) if t == 1 else (x, y, z, t)
    kind: Any = nib.Nifti2Header if max(sizes) > 32767 else nib.Nifti1Header
    header = kind()
    time, space = parse_unit(record.units[0], TIME), parse_unit(record.units[1], SPACE)
    time_name = TIME_NAMES[time[0]][0] if time else "unknown"
    in_header = time_factor(record)
    space_name, space_factor = SPACE_NAMES[space[0]] if space else ("unknown", 1.0)
    space_factor *= space[1] if space else 1.0
    header.set_data_dtype(dtype)
    header.set_data_shape(sizes)
    (dt, dz, dy, dx), (t0, z0, y0, x0) = record.spacing, record.origin
    f = space_factor
    grid = Grid(record.shape, (dt, dz * f, dy * f, dx * f), (t0, z0 * f, y0 * f, x0 * f))
    affine = nifti_affine(grid, record.orientation)
    header.set_sform(affine, code=1)
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    rigid = np.allclose(direction.T @ direction, np.eye(3), atol=1e-4)
    if rigid:
        header.set_qform(affine, code=1)
    header["pixdim"][1:4] = np.linalg.norm(
        affine[:3, :3], axis=0
    )  # a quaternion cannot hold shear, pixdim can
    header["pixdim"][4] = record.spacing[0] * in_header
    header["toffset"] = (
        record.origin[0] if record.grid.times is None else record.grid.times[0]
    ) * in_header
    header.set_xyzt_units(xyz=space_name, t=time_name)
    header.set_slope_inter(1.0, 0.0)
    header["descrip"] = b"napari-spatimeinr"
    return header


def _extension(text: str) -> bytes:
    """A header extension of code 6, a comment: its length, a multiple of 16, its code, and the
    text.
    """
    body = text.encode("ascii")
    length = -(-(len(body) + 8) // 16) * 16
    return struct.pack("<ii", length, 6) + body.ljust(length - 8, b"\0")


def _stream(
    file: IO[bytes] | gzip.GzipFile,
    header: Any,
    extension: bytes,
    record: Record,
    dtype: np.dtype[Any],
) -> None:
    single: Any = header.as_byteswapped("<")
    offset = (544 if isinstance(header, nib.Nifti2Header) else 352) + len(extension)
    single["vox_offset"] = offset
    block = single.binaryblock
    # Four bytes after the header say whether there is an extension.
    file.write(block + bytes([1 if extension else 0, 0, 0, 0]) + extension)
    little = dtype.newbyteorder("<")
    for k in range(record.shape[0]):
        # (z, y, x) in C order is x fastest, NIfTI's order of (x, y, z).
        frame = frame_of(record, k, dtype).astype(little, copy=False)
        file.write(frame.reshape(-1).view(np.uint8).data)
