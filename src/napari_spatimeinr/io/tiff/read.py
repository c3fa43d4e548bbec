"""Reading TIFF: ImageJ hyperstacks, OME-TIFF and plain stacks of pages."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ...data.record import Record
from ...errors import FormatError, InputError, SpatimeINRError
from ..calibration import Stated, settle
from ..layout import choose_channel, match_axes, name_axes, to_tzyx
from ..lazy import PagedArray
from ..options import ReadOptions
from ..sidecar import made_of
from ..stored import StoredArray
from .calibration import imagej, ome, tags
from .check import check_chain, check_promises, check_sizes

logging.getLogger("tifffile").addHandler(
    logging.NullHandler()
)  # what it logs on the way becomes our one sentence

LONG_XML = 2**18
"""Characters of OME-XML above which it is not carried along (it may describe every plane)."""


def read(path: Path, how: ReadOptions) -> Record:
    """Read ``.tif``, ``.tiff``, ``.ome.tif`` or ``.ome.tiff``; what it holds decides, not the
    ending.

    Uncompressed contiguous files are read where they are indexed, others page by page.

    Parameters
    ----------
    path : the file.
    how : what the user says about it; ``axes`` name the file's axes in stored order.

    Returns
    -------
    A record ``(T, Z, Y, X)``.

    Raises
    ------
    FormatError
        If the file is damaged, truncated or no TIFF.
    InputError
        If it holds colour, pages of several sizes, several channels and none is chosen, one plane
        only, axes that cannot be told, or frames at irregular times.
    GridError
        If it states an impossible spacing and none is given.
    """
    pages = check_chain(path)
    try:
        with tifffile.TiffFile(path) as file:
            check_promises(path, file.pages.first, pages)
            return _read(path, file, how)
    except SpatimeINRError:
        raise
    except MemoryError as error:
        raise FormatError(
            f"{path} does not fit into memory; save it uncompressed, which is read without"
            " loading it."
        ) from error
    except Exception as error:  # damaged files make the library raise whatever it likes
        raise FormatError(
            f"{path} cannot be read as a TIFF ({_brief(error)}); export it again."
        ) from error


def _read(path: Path, file: tifffile.TiffFile, how: ReadOptions) -> Record:
    series = _series(path, file, how)
    warnings: list[str] = []
    axes, shape = _axes(path, series, how, warnings)
    dtype = np.dtype(series.dtype)
    if dtype.kind not in "biuf":
        raise InputError(
            f"{path} holds {dtype} values, and intensities must be real numbers; convert the"
            " recording first."
        )
    channel, channels = choose_channel(axes, shape, how.channel, how.any_channel)
    data = _data(path, file, series, axes, shape, channel)

    stated, names = _stated(file, series, data.shape[0], how)
    if len(file.series) > 1:
        warnings.append(
            f"The file holds {len(file.series)} images and the first was read: is it the right one?"
        )
    stated.warnings[:0] = warnings
    facts = {
        "source": str(path),
        "format": {"ome": "ome-tiff", "imagej": "imagej-tiff"}.get(series.kind, "tiff"),
        "header": _header_of(file, series),
        "affine": None,
        "channel": names[channel] if channel < len(names) else None,
        "channel_index": channel if channels > 1 else None,
        "channels": channels,
        "source_dtype": str(data.dtype.newbyteorder("=")),
    }
    made = None if how.part else made_of(path, stated.made)
    return settle(stated, how, data.shape).record(data, facts, made)


def _stated(
    file: tifffile.TiffFile, series: Any, frames: int, how: ReadOptions
) -> tuple[Stated, list[str | None]]:
    """What the file states of time and space, wherever it does, and the names of channels."""
    names: list[str | None] = []
    first = file.pages.first
    if series.kind == "ome":
        stated, names = ome(file.ome_metadata or "", frames, how)
    elif series.kind == "imagej":
        stated = imagej(file.imagej_metadata or {}, first, "ImageJ metadata")
    elif {"spacing", "unit", "finterval"} & set(shaped := _shaped(file)):
        stated = imagej(shaped, first, "TIFF metadata")
    else:
        stated = tags(first)
    if how.part:
        stated.forget_time()
    return stated, names


def _series(path: Path, file: tifffile.TiffFile, how: ReadOptions) -> Any:
    check_sizes(path, file.pages.first)
    try:
        found = file.series
    except RuntimeError as error:
        raise InputError(
            f"{path} holds pages of different sizes or types; save the recording alone in one file."
        ) from error
    if not found:
        raise FormatError(f"{path} has no images; export it again.")
    series = found[0]
    says_ome = file.is_ome or "<OME" in file.pages.first.description[:1000]
    if says_ome and series.kind not in ("ome", "imagej") and how.axes is None:
        raise FormatError(
            f"The OME-XML of {path} does not fit its pages (a part of a set of files?); "
            "open the set's first file, or name the axes yourself with axes='...' (--axes)."
        )
    if file.is_imagej and series.kind not in ("imagej", "ome", "shaped"):
        raise FormatError(
            f"{path} is truncated: its ImageJ header promises more than is there; copy or export it"
            " again."
        )
    if len(found) > 1 and series.kind != "ome":
        raise InputError(
            f"{path} holds pages of different sizes or types; save the recording alone in one file."
        )
    pages: list[Any] = list(series.pages)
    if any(page is None for page in pages):
        raise FormatError(
            f"{path} lacks planes that its OME-XML promises (a part of a set of files?); export the"
            " recording into one file."
        )
    first = pages[0]
    for page in pages:
        check_sizes(path, page)
        if page.shape != first.shape or page.dtype != first.dtype:
            raise InputError(
                f"{path} holds pages of different sizes or types; save the recording alone in one"
                " file."
            )
    if series.dataoffset is None and len(pages) * math.prod(first.shape) != math.prod(series.shape):
        raise FormatError(
            f"{path} is truncated: it has {len(pages)} pages and promises"
            f" {' x '.join(map(str, series.shape))}; copy it again."
        )
    return series


def _axes(
    path: Path, series: Any, how: ReadOptions, warnings: list[str]
) -> tuple[str, tuple[int, ...]]:
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    pairs = [
        (letter, int(n)) for letter, n in zip(axes, shape, strict=True) if letter != "S" or n > 1
    ]
    if any(letter == "S" for letter, _ in pairs) or (
        series.keyframe.photometric in (2, 6) and series.keyframe.samplesperpixel > 1
    ):
        raise InputError(f"{path} holds colour (RGB) images; split it into single channels first.")
    axes, shape = "".join(letter for letter, _ in pairs), tuple(n for _, n in pairs)
    if how.axes is not None:
        named = [n for letter, n in pairs if n > 1 or letter in "YX"]
        return match_axes(
            how.axes, tuple(named), shape, tuple(n for letter, n in pairs if n > 1 or letter != "C")
        )
    if (
        not how.part
        and len(series.pages) == 1
        and series.kind not in ("ome", "imagej")
        and sum(n > 1 for n in shape) <= 2
        and not {"Z", "T"} & set(axes)
    ):
        raise InputError(
            f"{path} is a single plane and a recording needs several; stack them first, or say so"
            " with axes='YX' (--axes YX)."
        )
    named_axes, sizes, guesses = name_axes(axes, shape)
    if not how.part:
        warnings += guesses
    return named_axes, sizes


def _data(
    path: Path,
    file: tifffile.TiffFile,
    series: Any,
    axes: str,
    shape: tuple[int, ...],
    channel: int,
) -> Any:
    keyframe, offset = series.keyframe, series.dataoffset
    plain = keyframe.compression == 1 and keyframe.predictor == 1 and keyframe.fillorder == 1
    if (
        offset is not None
        and plain
        and keyframe.bitspersample == keyframe.dtype.itemsize * 8
        and not series.is_multifile
    ):
        dtype = np.dtype(keyframe.dtype).newbyteorder(file.byteorder)
        if offset + math.prod(shape) * dtype.itemsize > path.stat().st_size:
            raise FormatError(
                f"{path} is truncated: {' x '.join(map(str, shape))} is promised and less is there;"
                " copy or export it again."
            )
        return StoredArray(path, dtype, offset, shape, axes, channel)
    plane = tuple(n for n in keyframe.shape if n > 1)
    if (
        axes[-2:] != "YX"
        or tuple(n for n in shape[-2:] if n > 1) != plane
        or series.transform is not None
    ):
        return to_tzyx(series.asarray().reshape(shape), axes, channel)
    numbers = np.arange(math.prod(shape[:-2])).reshape(*shape[:-2], 1, 1)
    pages = list(series.pages)
    lookup = to_tzyx(numbers, axes, channel)[:, :, 0, 0]

    def read_page(k: int) -> NDArray[Any]:
        handle = pages[k].parent.filehandle
        handle.open()
        try:
            return np.asarray(pages[k].asarray())
        finally:
            handle.close()

    return PagedArray(
        read_page, lookup, (int(shape[-2]), int(shape[-1])), np.dtype(series.dtype), path
    )


def _header_of(file: tifffile.TiffFile, series: Any) -> dict[str, Any]:
    """Short header entries as JSON values."""
    if series.kind == "ome":
        xml = file.ome_metadata or ""
        return {"ome_xml": xml if len(xml) <= LONG_XML else None}
    found = file.imagej_metadata or _shaped(file)
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    }


def _shaped(file: tifffile.TiffFile) -> dict[str, Any]:
    """What tifffile itself wrote into the first description."""
    found: dict[str, Any] = (file.shaped_metadata or ({},))[0]
    return found


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:100] or type(error).__name__
