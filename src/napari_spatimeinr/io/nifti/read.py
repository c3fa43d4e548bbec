"""Reading NIfTI-1, NIfTI-2 and Analyze files, calibration and orientation included."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...data.record import Record
from ...errors import FormatError, InputError
from ..calibration import settle
from ..layout import choose_channel, match_axes, to_tzyx
from ..lazy import ScaledArray
from ..options import ReadOptions
from ..sidecar import made_of, times_of
from ..stored import StoredArray
from .calibration import plain_fields, stated_by
from .gzipped import GzippedArray
from .header import comment_of, dtype_of, header_of, offset_of, scaling_of, shape_of

MAX_DEFLATE = 1100
"""No gzip stream expands by more than about 1032 times."""


def read(path: Path, how: ReadOptions) -> Record:
    """Read ``.nii``, ``.nii.gz`` or a ``.hdr``/``.img`` pair.

    Uncompressed files are read where they are indexed (scaled ones scaled, as float32).

    Parameters
    ----------
    path : the file; either half of a pair.
    how : what the user says about it. ``axes`` are in the order T, Z, Y, X, which is the reverse
        of the file's own.

    Returns
    -------
    A record ``(T, Z, Y, X)`` whose space is in the file's units.

    Raises
    ------
    FormatError
        If the file is damaged or no NIfTI.
    InputError
        If it holds colour, complex numbers, one plane only, or several channels and none is chosen.
    GridError
        If it states an impossible spacing and none is given.
    """
    header, where = header_of(path)
    dtype = dtype_of(header, path)
    shape = shape_of(header, path)
    axes, shape = match_axes(how.axes, shape) if how.axes else (_default_axes(shape), shape)
    channel, channels = choose_channel(axes, shape, how.channel, how.any_channel)
    slope, intercept = scaling_of(header)
    data = _stored(where, shape, dtype, offset_of(header, path), axes, channel, how)
    if (slope, intercept) != (1.0, 0.0):
        data = ScaledArray(data, slope, intercept)
    if data.dtype.kind == "f" and data.dtype.itemsize > 8:
        data = np.asarray(data, dtype=np.float64)

    stated, affine = stated_by(header, axes, how)
    if how.part:
        stated.forget_time()
    else:
        stated.times = times_of(path, data.shape[0], stated.warnings)
    settled = settle(stated, how, data.shape)
    facts = {
        "source": str(path),
        "format": "nifti",
        "header": plain_fields(header),
        "affine": affine,
        "channel": None,
        "channel_index": channel if channels > 1 else None,
        "channels": channels,
        "source_dtype": str(data.dtype.newbyteorder("=")),
    }
    if how.part:
        return settled.record(data, facts)
    made = made_of(path, comment_of(header, path, where))
    return settled.record(data, facts, made)


def _default_axes(shape: tuple[int, ...]) -> str:
    if len(shape) < 3:
        raise InputError(
            f"The file has {len(shape)} axes, and a recording has three (x, y, z) or four (x, y, z,"
            " t); stack its planes first, or say that it is one plane with axes='YX' (--axes YX)."
        )
    return "CTZYX"[-len(shape) :]


def _stored(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    offset: int,
    axes: str,
    channel: int,
    how: ReadOptions,
) -> Any:
    """One channel as (t, z, y, x); x fastest in the file is C order of the reversed shape."""
    needed = math.prod(shape) * dtype.itemsize
    there = path.stat().st_size
    what = (
        f"{path} is truncated: its header promises {' x '.join(map(str, shape[::-1]))} voxels"
        f" ({needed} bytes)"
    )
    if path.suffix.lower() != ".gz":
        if offset + needed > there:
            raise FormatError(
                f"{what} and {max(there - offset, 0)} are there; copy or export it again."
            )
        return StoredArray(path, dtype, offset, shape, axes, channel)
    if needed > there * MAX_DEFLATE:
        raise FormatError(
            f"{what}, more than a file of {there} bytes can hold; copy or export it again."
        )
    if how.glance:
        return GzippedArray(path, dtype, offset, shape, axes, channel)
    try:
        with gzip.open(path, "rb") as file:
            skipped = _skip(file, offset)
            if how.load:
                data = np.empty(shape, dtype=dtype)
                got = _fill(file, data.reshape(-1).view(np.uint8).data)
            else:
                data = np.broadcast_to(np.zeros((), dtype=dtype), shape)
                got = _skip(file, needed)
            file.read(1)  # reaching the end checks the sum when nothing follows
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(
            f"{path} is truncated or damaged (its gzip stream breaks off); copy or download it"
            " again."
        ) from error
    except MemoryError as error:
        raise FormatError(
            f"{path} needs {needed / 1e9:.3g} GB of memory; decompress it to .nii, which is read"
            " without loading it."
        ) from error
    if skipped < offset or got < needed:
        raise FormatError(f"{what} and {got} are there; copy or export it again.")
    return to_tzyx(data, axes, channel)


def _fill(file: Any, view: memoryview) -> int:
    got = 0
    while got < len(view):
        n = file.readinto(view[got : got + 2**24])
        if not n:
            break
        got += n
    return got


def _skip(file: Any, count: int) -> int:
    got = 0
    while got < count:
        n = len(file.read(min(count - got, 2**22)))
        if not n:
            break
        got += n
    return got
