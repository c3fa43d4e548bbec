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
from ...errors import SaveError
from ...volume import Volume
from ..atomic import replacing
from ..calibration import SPACE, TIME, parse_unit
from ..cast import convert_dtype, resolve_dtype
from ..locks import MOMENT
from ..provenance import as_text, lasting, provenance, words

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


def write(volume: Volume, path: Path, dtype: Any = None) -> Path:
    """Write ``.nii`` or ``.nii.gz``: three axes for one frame, four for more.

    Frames are taken from ``volume.data`` one at a time. Units NIfTI does not know are converted
    (nm to um, min and h to s). How the volume was made goes into a header extension, and with frame
    times that are not evenly spaced, in the unit of time of the header, into ``<name>.json`` beside
    the file.

    Parameters
    ----------
    volume : the recording, ``(T, Z, Y, X)``.
    path : the file.
    dtype : see :func:`napari_spatimeinr.io.write`.

    Raises
    ------
    SaveError
        If it cannot be written; an earlier file stays as it was.
    """
    times = volume.grid.times
    beside = words(
        path,
        provenance(volume),
        {"times": None if times is None else [t * time_factor(volume) for t in times]},
    )
    with replacing(path, beside, wait=MOMENT) as temporary:
        put(volume, temporary, dtype)
    return path


def put(volume: Volume, file: Path, dtype: Any = None) -> None:
    """Write a file as it is, under any name that ends like the one it will have."""
    stored = storable(resolve_dtype(dtype, volume.dtype if dtype is None else source_dtype(volume)))
    header = _header(volume, stored)
    made = lasting(volume)
    inside = b"" if made is None else _extension(as_text(made))
    with open(file, "wb") as opened:
        if file.suffix.lower() == ".gz":
            with gzip.GzipFile(
                filename="", fileobj=opened, mode="wb", compresslevel=GZIP_LEVEL, mtime=0
            ) as packed:
                _stream(packed, header, inside, volume, stored)
        else:
            _stream(opened, header, inside, volume, stored)
        opened.flush()
        os.fsync(opened.fileno())


def time_factor(volume: Volume) -> float:
    """What times in a volume's unit are multiplied with to be in the header's."""
    time = parse_unit(volume.units[0], TIME)
    return TIME_NAMES[time[0]][1] * time[1] if time else 1.0


def source_dtype(volume: Volume) -> np.dtype[Any]:
    """The number type of the recording a volume comes from."""
    dtype: np.dtype[Any] = np.dtype(volume.metadata.get("source_dtype") or volume.dtype)
    return dtype


def storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The nearest type files know: bool as uint8, float16 as float32, long double as float64."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return dtype


def frame_of(volume: Volume, k: int, dtype: np.dtype[Any]) -> Any:
    """Frame ``k`` in a stored type, ``(Z, Y, X)``, C order; rounded and clipped where needed.

    Raises
    ------
    SaveError
        If the data are not as large as they say.
    """
    frame = convert_dtype(np.asarray(volume.data[k]), dtype)
    if frame.shape != volume.shape[1:]:
        raise SaveError(
            f"Frame {k} has shape {frame.shape} where {volume.shape[1:]} was expected (z, y, x);"
            " check the data of the volume."
        )
    return np.ascontiguousarray(frame)


def _header(volume: Volume, dtype: np.dtype[Any]) -> Any:
    t, z, y, x = volume.shape
    sizes = (x, y, z) if t == 1 else (x, y, z, t)
    kind: Any = nib.Nifti2Header if max(sizes) > 32767 else nib.Nifti1Header
    header = kind()
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
    time_name = TIME_NAMES[time[0]][0] if time else "unknown"
    in_header = time_factor(volume)
    space_name, space_factor = SPACE_NAMES[space[0]] if space else ("unknown", 1.0)
    space_factor *= space[1] if space else 1.0
    header.set_data_dtype(dtype)
    header.set_data_shape(sizes)
    grid = Grid(
        volume.shape,
        (volume.spacing[0], *(s * space_factor for s in volume.spacing[1:])),
        (volume.origin[0], *(o * space_factor for o in volume.origin[1:])),
    )
    affine = nifti_affine(grid, volume.orientation)
    header.set_sform(affine, code=1)
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    rigid = np.allclose(direction.T @ direction, np.eye(3), atol=1e-4)
    if rigid:
        header.set_qform(affine, code=1)
    header["pixdim"][1:4] = np.linalg.norm(
        affine[:3, :3], axis=0
    )  # a quaternion cannot hold shear, pixdim can
    header["pixdim"][4] = volume.spacing[0] * in_header
    header["toffset"] = (
        volume.origin[0] if volume.grid.times is None else volume.grid.times[0]
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
    volume: Volume,
    dtype: np.dtype[Any],
) -> None:
    single: Any = header.as_byteswapped("<")
    offset = (544 if isinstance(header, nib.Nifti2Header) else 352) + len(extension)
    single["vox_offset"] = offset
    block = single.binaryblock
    # Four bytes after the header say whether there is an extension.
    file.write(block + bytes([1 if extension else 0, 0, 0, 0]) + extension)
    little = dtype.newbyteorder("<")
    for k in range(volume.shape[0]):
        # (z, y, x) in C order is x fastest, NIfTI's order of (x, y, z).
        frame = frame_of(volume, k, dtype).astype(little, copy=False)
        file.write(frame.reshape(-1).view(np.uint8).data)
