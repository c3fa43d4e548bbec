"""What a NIfTI-1, NIfTI-2 or Analyze header says of its voxels, once it is believable."""

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
from ..provenance import MOST_BYTES, from_text


def header_of(path: Path) -> tuple[Any, Path]:
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


def dtype_of(header: Any, path: Path) -> np.dtype[Any]:
    """The number type of the voxels, byte order included."""
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


def shape_of(header: Any, path: Path) -> tuple[int, ...]:
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


def scaling_of(header: Any) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where none is stated."""
    if not isinstance(header, nib.Nifti1Header):
        return 1.0, 0.0
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if math.isfinite(intercept) else 0.0


def offset_of(header: Any, path: Path) -> int:
    """Where the voxels begin, in bytes."""
    offset = float(header["vox_offset"])
    if not math.isfinite(offset) or offset < 0:
        raise FormatError(
            f"The NIfTI header of {path} is damaged (voxel offset {offset:g}); export the file"
            " again."
        )
    single = isinstance(header, nib.Nifti1Header) and bytes(header["magic"].item())[:2] == b"n+"
    least = 0 if not single else 540 if isinstance(header, nib.Nifti2Header) else 348
    return int(offset) if offset >= least else (544 if least == 540 else 352)


def comment_of(header: Any, path: Path, where: Path) -> dict[str, Any] | None:
    """What this package wrote into a header extension."""
    if path.suffix.lower() in (".hdr", ".img") or not isinstance(header, nib.Nifti1Header):
        return None
    start = 544 if isinstance(header, nib.Nifti2Header) else 352
    end = offset_of(header, path)
    if not start + 16 <= end <= start + MOST_BYTES:
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
            from_text(block[at + 8 : at + length].rstrip(b"\0").decode("latin-1"))
            if code == 6
            else None
        )
        if made is not None:
            return made
        at += length
    return None
