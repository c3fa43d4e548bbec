"""Reading NIfTI-1, NIfTI-2 and Analyze files, calibration and orientation included."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ...errors import FormatError, InputError
from ...volume import Volume
from .. import provenance
from ..calibration import ReadOptions, settle
from ..layout import choose_channel, match_axes, to_tzyx
from ..lazy import ScaledArray
from ..stored import StoredArray
from .calibration import plain_fields, sidecar_times, stated_by

MAX_DEFLATE = 1100
"""No gzip stream expands by more than about 1032 times."""


def read(path: Path, how: ReadOptions) -> Volume:
    """Read ``.nii``, ``.nii.gz`` or a ``.hdr``/``.img`` pair.

    Uncompressed files are read where they are indexed (scaled ones scaled, as float32).

    Parameters
    ----------
    path : the file; either half of a pair.
    how : what the user says about it. ``axes`` are in the order T, Z, Y, X, which is the reverse
        of the file's own.

    Returns
    -------
    A volume ``(T, Z, Y, X)`` whose space is in the file's units.

    Raises
    ------
    FormatError
        If the file is damaged or no NIfTI.
    InputError
        If it holds colour, complex numbers, one plane only, or several channels and none is chosen.
    GridError
        If it states an impossible spacing and none is given.
    """
    header, where = _header(path)
    dtype = _dtype(header, path)
    shape = _shape(header, path)
    axes, shape = match_axes(how.axes, shape) if how.axes else (_default_axes(shape), shape)
    channel, channels = choose_channel(axes, shape, how.channel, how.any_channel)
    slope, intercept = _scaling(header)
    data = _stored(where, shape, dtype, _offset(header, path), axes, channel, how.load)
    if (slope, intercept) != (1.0, 0.0):
        data = ScaledArray(data, slope, intercept)
    if data.dtype.kind == "f" and data.dtype.itemsize > 8:
        data = np.asarray(data, dtype=np.float64)

    stated, affine = stated_by(header, axes, how)
    if how.part:
        stated.forget_time()
    settled = settle(stated, how, data.shape)
    metadata = {
        "source": str(path),
        "format": "nifti",
        "header": plain_fields(header),
        "affine": affine,
        "channel": None,
        "channel_index": channel if channels > 1 else None,
        "channels": channels,
        "source_dtype": str(data.dtype.newbyteorder("=")),
        **settled.metadata,
    }
    made = None if how.part else provenance.made_of(path, _comment(header, path, where))
    if made is not None:
        metadata[provenance.KEY] = made
    times = None if how.part else sidecar_times(path, data.shape[0], metadata["warnings"])
    origin = settled.origin if times is None else (times[0], *settled.origin[1:])
    return Volume(
        data, settled.spacing, origin, settled.units, settled.orientation, metadata, times
    )


def _header(path: Path) -> tuple[Any, Path]:
    """The header, and the file that holds the voxels."""
    ending = path.suffix.lower()
    of_header, of_voxels = path, path
    if ending in (".hdr", ".img"):
        of_header, of_voxels = _sibling(path, ".hdr"), _sibling(path, ".img")
    try:
        with _open(of_header) as file:
            block = file.read(540)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(
            f"{path} is not a complete gzip file; copy or download it again."
        ) from error
    sizes = (
        {struct.unpack(order + "i", block[:4])[0]: order for order in "<>"}
        if len(block) >= 348
        else {}
    )
    magic = block[344:348]
    kind: Any
    try:
        if 540 in sizes and len(block) == 540 and block[4:7] in (b"n+2", b"ni2"):
            pair, kind, length = block[4:7] == b"ni2", nib.Nifti2Header, 540
        elif 348 in sizes and magic[:3] in (b"n+1", b"ni1"):
            pair, kind, length = magic[:3] == b"ni1", nib.Nifti1Header, 348
        elif 348 in sizes and ending in (".hdr", ".img"):
            pair, kind, length = True, nib.AnalyzeHeader, 348
        else:
            raise FormatError(
                f"{path} is not a NIfTI file although its name says so; export it again or correct"
                " its ending."
            )
        header = kind(block[:length], endianness=sizes[length], check=False)
    except (HeaderDataError, ValueError) as error:
        raise FormatError(
            f"The NIfTI header of {path} is damaged; export the file again."
        ) from error
    if pair and of_header == of_voxels:
        raise FormatError(f"{path} is the header of a NIfTI pair; name it .hdr, beside its .img.")
    return header, of_voxels


def _comment(header: Any, path: Path, where: Path) -> dict[str, Any] | None:
    """What this package wrote into a header extension."""
    if path.suffix.lower() in (".hdr", ".img") or not isinstance(header, nib.Nifti1Header):
        return None
    start = 544 if isinstance(header, nib.Nifti2Header) else 352
    end = _offset(header, path)
    if not start + 16 <= end <= start + provenance.MOST_BYTES:
        return None
    order = header.endianness
    with _open(where) as file:
        file.seek(start - 4)
        block = file.read(end - start + 4)
    if len(block) < end - start + 4 or block[0] == 0:
        return None
    at = 4
    while at + 16 <= len(block):
        length, code = struct.unpack_from(f"{order}ii", block, at)
        if length < 16 or length % 16 or at + length > len(block):
            return None
        made = (
            provenance.from_text(block[at + 8 : at + length].rstrip(b"\0").decode("latin-1"))
            if code == 6
            else None
        )
        if made is not None:
            return made
        at += length
    return None


def _sibling(path: Path, ending: str) -> Path:
    for candidate in (path.with_suffix(ending), path.with_suffix(ending.upper())):
        if candidate.is_file():
            return candidate
    raise FormatError(
        f"{path} is half of a pair, and {path.with_suffix(ending).name} is missing beside it; put"
        " both into one folder."
    )


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb")  # type: ignore[return-value]


def _dtype(header: Any, path: Path) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
        name = header.get_value_label("datatype")
    except (HeaderDataError, KeyError):
        name = "none"
    if name == "none":
        raise FormatError(
            f"The NIfTI header of {path} names an unknown data type; export the file again."
        )
    if dtype.fields is not None:
        raise InputError(f"{path} holds colour (RGB) voxels; split it into single channels first.")
    if (
        dtype.kind not in "biuf"
    ):  # types without a number type here, such as single bits, are "void"
        raise InputError(
            f"{path} holds {name} values, which are not supported; convert the recording to real"
            " numbers first."
        )
    return dtype


def _shape(header: Any, path: Path) -> tuple[int, ...]:
    """Sizes in reversed order, ``(T, Z, Y, X)``, without extra axes of size 1."""
    count = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : 1 + max(count, 0)]]
    if not 1 <= count <= 7:
        raise FormatError(
            f"The NIfTI header of {path} states {count} axes, and there are 1 to 7; export the file"
            " again."
        )
    if min(sizes) < 0:
        raise FormatError(
            f"The NIfTI header of {path} states impossible sizes ({', '.join(map(str, sizes))});"
            " export the file again."
        )
    if 0 in sizes:
        raise InputError(
            f"{path} is empty: it has {' x '.join(map(str, sizes))} voxels (x, y, z, t); export the"
            " recording again."
        )
    sizes = sizes[:4] + [n for n in sizes[4:] if n > 1]
    if len(sizes) > 5:
        raise InputError(
            f"{path} has {len(sizes)} axes ({' x '.join(map(str, sizes))}) and a recording has four"
            " (x, y, z, t); split it first."
        )
    return tuple(reversed(sizes))


def _default_axes(shape: tuple[int, ...]) -> str:
    if len(shape) < 3:
        raise InputError(
            f"The file has {len(shape)} axes, and a recording has three (x, y, z) or four (x, y, z,"
            " t); stack its planes first, or say that it is one plane with axes='YX' (--axes YX)."
        )
    return "CTZYX"[-len(shape) :]


def _scaling(header: Any) -> tuple[float, float]:
    if not isinstance(header, nib.Nifti1Header):
        return 1.0, 0.0
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if math.isfinite(intercept) else 0.0


def _offset(header: Any, path: Path) -> int:
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or offset < 0:
        raise FormatError(
            f"The NIfTI header of {path} is damaged (voxel offset {offset:g}); export the file"
            " again."
        )
    single = isinstance(header, nib.Nifti1Header) and bytes(header["magic"].item())[:2] == b"n+"
    least = 0 if not single else 540 if isinstance(header, nib.Nifti2Header) else 348
    return int(offset) if offset >= least else (544 if least == 540 else 352)


def _stored(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    offset: int,
    axes: str,
    channel: int,
    load: bool,
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
    try:
        with gzip.open(path, "rb") as file:
            skipped = _skip(file, offset)
            if load:
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
