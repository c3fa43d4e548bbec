"""Writing NIfTI frame by frame."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np

from ..axes import Grid, nifti_affine
from ..errors import SaveError
from ..volume import Volume
from .atomic import replacing
from .calibration import SPACE, TIME, parse_unit
from .cast import convert_dtype, resolve_dtype
from .nifti_calibration import sidecar

SPACE_NAMES = {"m": ("meter", 1.0), "mm": ("mm", 1.0), "um": ("micron", 1.0), "nm": ("micron", 1e-3)}
TIME_NAMES = {"s": ("sec", 1.0), "ms": ("msec", 1.0), "us": ("usec", 1.0), "min": ("sec", 60.0), "h": ("sec", 3600.0)}
GZIP_LEVEL = 2
"""Noisy intensities hardly shrink further at higher levels, which take many times longer."""


def write(volume: Volume, path: Path, dtype: Any = None) -> Path:
    """Write ``.nii`` or ``.nii.gz``: three axes for one frame, four for more.

    Frames are taken from ``volume.data`` one at a time. Units NIfTI does not know are converted
    (nm to um, min and h to s). Frame times that are not evenly spaced go into ``<name>.json`` beside
    the file, in the unit of time of the header.

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
    stored = storable(resolve_dtype(dtype, volume.dtype if dtype is None else source_dtype(volume)))
    header, time_factor = _header(volume, stored)
    beside = sidecar(path)
    with ExitStack() as stack:
        temporary = stack.enter_context(replacing(path))
        _sidecar(stack, beside, volume.grid, time_factor)
        with open(temporary, "wb") as file:
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0) as packed:
                    _stream(packed, header, volume, stored)
            else:
                _stream(file, header, volume, stored)
            file.flush()
            os.fsync(file.fileno())
    return path


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
            f"Frame {k} has shape {frame.shape} where {volume.shape[1:]} was expected (z, y, x); check the data of the volume."
        )
    return np.ascontiguousarray(frame)


def _header(volume: Volume, dtype: np.dtype[Any]) -> tuple[Any, float]:
    t, z, y, x = volume.shape
    sizes = (x, y, z) if t == 1 else (x, y, z, t)
    kind: Any = nib.Nifti2Header if max(sizes) > 32767 else nib.Nifti1Header
    header = kind()
    time, space = parse_unit(volume.units[0], TIME), parse_unit(volume.units[1], SPACE)
    time_name, time_factor = TIME_NAMES[time[0]] if time else ("unknown", 1.0)
    space_name, space_factor = SPACE_NAMES[space[0]] if space else ("unknown", 1.0)
    time_factor *= time[1] if time else 1.0
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
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)  # a quaternion cannot hold shear, pixdim can
    header["pixdim"][4] = volume.spacing[0] * time_factor
    header["toffset"] = (volume.origin[0] if volume.grid.times is None else volume.grid.times[0]) * time_factor
    header.set_xyzt_units(xyz=space_name, t=time_name)
    header.set_slope_inter(1.0, 0.0)
    header["descrip"] = b"napari-spatimeinr"
    return header, time_factor


def _stream(file: IO[bytes] | gzip.GzipFile, header: Any, volume: Volume, dtype: np.dtype[Any]) -> None:
    single: Any = header.as_byteswapped("<")
    offset = 544 if isinstance(header, nib.Nifti2Header) else 352
    single["vox_offset"] = offset
    block = single.binaryblock
    file.write(block + bytes(offset - len(block)))
    little = dtype.newbyteorder("<")
    for k in range(volume.shape[0]):
        # (z, y, x) in C order is x fastest, NIfTI's order of (x, y, z).
        frame = frame_of(volume, k, dtype).astype(little, copy=False)
        file.write(frame.reshape(-1).view(np.uint8).data)


def _sidecar(stack: ExitStack, beside: Path, grid: Grid, factor: float) -> None:
    """Put the frame times into the sidecar, or take old ones out; what else it holds stays."""
    content: Any = {}
    if beside.is_file():
        try:
            content = json.loads(beside.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
    if grid.times is None:
        if not isinstance(content, dict) or "times" not in content:
            return
        del content["times"]
    elif not isinstance(content, dict):
        raise SaveError(f"The frame times belong into {beside}, which exists and is not a JSON object; move it away first.")
    else:
        content["times"] = [t * factor for t in grid.times]
    temporary = stack.enter_context(replacing(beside))
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
