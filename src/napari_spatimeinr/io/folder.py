"""Reading a folder of files: one for each time point, or one for each plane of each time point."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ..data.indexing import as_slice
from ..errors import FormatError, InputError
from ..volume import Volume
from . import NIFTI, TIFF, nifti, nifti_series, provenance, tiff
from .atomic import ending
from .calibration import ReadOptions
from .layout import check_axes
from .lazy import PlanarArray, stamp_of
from .series import Series, in_order

OPEN_FILES = 4
"""So many files stay open (decoded, where a part of one cannot be read) while frames are read."""
MOST_CHECKED = 500
"""So many files are looked into when a folder is opened; in larger ones those whose size in bytes
differs."""


def read(path: Path, how: ReadOptions) -> Volume:
    """Read a folder of TIFFs or of NIfTIs, in the order of the numbers that change in their names.

    Each is a time point ``(Z, Y, X)`` or ``(Y, X)``; or, of 2-D TIFFs with two numbers that count,
    each is one plane of one (``Emb1_030_p05.tif``). Planes come by rising number. Files are read
    when they are indexed. The first one states the voxel size; the frame interval is unknown unless
    it is given, or the files were written by this package, which leaves it in a file beside them.

    Parameters
    ----------
    path : the folder.
    how : what the user says about it; ``axes`` name those of a file, a T before them is dropped.

    Returns
    -------
    A volume ``(T, Z, Y, X)``; its header holds ``template``, ``first`` and ``last`` numbers (t, z).

    Raises
    ------
    FormatError
        If there is no such file in it, or one is damaged.
    InputError
        If the names do not count without a gap, or the files differ in kind, size or number type.
    GridError
        If the first file states an impossible spacing and none is given.
    """
    nifti_series.recover(path)
    files = _files(path)
    axes = None if how.axes is None else check_axes(how.axes).replace("T", "")
    how = dataclasses.replace(how, axes=axes, part=True)
    if len(files) > 1 and axes is None and ending(files[0]) in TIFF and _is_plane(files[0], how):
        how = dataclasses.replace(how, axes="YX")
    single = how.axes == "YX"
    series = in_order(path, files, single)
    flat = list(chain.from_iterable(series.files))
    first = _frame(flat[0], how)
    metadata: dict[str, Any] = {
        **first.metadata,
        "source": str(path),
        "format": f"{_kind(files)}-folder",
    }
    _check_files(flat, how, first, metadata["warnings"])
    count, depth = len(series.files), len(series.files[0]) if series.is_sliced else first.shape[1]
    metadata["header"] = {
        **metadata["header"],
        "template": series.template,
        "first": [*series.first],
        "last": [*series.last],
    }
    metadata["warnings"] += _questions(series, depth, metadata)
    data = FolderArray(
        series, how, (count, depth, *first.shape[2:]), np.dtype(metadata["source_dtype"])
    )
    volume = Volume(data, first.spacing, first.origin, first.units, first.orientation, metadata)
    return (
        _timed(volume, nifti_series.shared(path, series.template, count), how)
        if _kind(files) == "nifti"
        else volume
    )


def _timed(volume: Volume, said: dict[str, Any], how: ReadOptions) -> Volume:
    """With the times that the file beside a series states, unless the user gave others, and how it
    was made.
    """
    if not said:
        return volume
    metadata = {
        **volume.metadata,
        **({provenance.KEY: said[provenance.KEY]} if said[provenance.KEY] else {}),
    }
    given_dt, given_unit = (how.spacing or (None,))[0], (how.units or (None,))[0]
    dt, origin, times, unit = said["dt"], said["origin"], said["times"], given_unit or said["unit"]
    if given_dt is not None:
        dt, origin, times = given_dt, origin * given_dt / dt, None
    else:
        stated = metadata["stated"]
        known = unit is not None or dt != 1.0
        metadata["stated"] = {
            "spacing": [dt if known else None, *stated["spacing"][1:]],
            "units": [unit, stated["units"][1]],
        }
        metadata["calibrated_by"] = {
            **metadata["calibrated_by"],
            "dt": "given" if given_unit else said["name"] if known else None,
        }
    spacing, units = (dt, *volume.spacing[1:]), (unit or volume.units[0], volume.units[1])
    return Volume(
        volume.data,
        spacing,
        (origin, *volume.origin[1:]),
        units,
        volume.orientation,
        metadata,
        times,
    )


def _files(path: Path) -> list[Path]:
    found = sorted(
        f
        for f in path.iterdir()
        if ending(f) in (*TIFF, *NIFTI) and f.name[0] != "." and f.is_file()
    )
    files = [
        f for f in found if ending(f) != ".img" or not f.with_suffix(".hdr").is_file()
    ]  # half of a pair
    if not files:
        what = "a folder without TIFFs and NIfTIs" if any(path.iterdir()) else "an empty folder"
        raise FormatError(
            f"{path} is {what}; give a recording, or a folder with one TIFF or NIfTI for each time"
            " point."
        )
    if len({ending(f) in TIFF for f in files}) > 1:
        raise InputError(
            f"{path} holds TIFFs and NIfTIs; put the files of one recording into a folder of their"
            " own."
        )
    return files


def _kind(files: list[Path]) -> str:
    return "tiff" if ending(files[0]) in TIFF else "nifti"


def _is_plane(file: Path, how: ReadOptions) -> bool:
    """Whether a TIFF holds a single plane; one that is damaged is told about later."""
    try:
        return _frame(file, dataclasses.replace(how, axes="YX")).shape[:2] == (1, 1)
    except (FormatError, InputError):
        return False


def _questions(series: Series, depth: int, metadata: dict[str, Any]) -> list[str]:
    if not series.is_sliced:
        return []
    count = len(series.files)
    out = [
        f"The names were read as {series.template}: {count} time points of {depth} planes; is that"
        " right?"
    ]
    if (
        metadata["stated"]["spacing"][1] is None
        and metadata["stated"]["spacing"][3] is not None
        and depth > 1
    ):
        unit = metadata["stated"]["units"][1]
        out.append(
            f"The files do not state the z step; 1 {unit} was assumed: what is it (--spacing"
            " DT,DZ,DY,DX)?"
        )
    return out


def _frame(file: Path, how: ReadOptions) -> Volume:
    if file.stat().st_size == 0:
        raise FormatError(f"{file} is empty (0 bytes); copy or export it again.")
    volume = (tiff if ending(file) in TIFF else nifti).read(file, how)
    if volume.shape[0] > 1:
        raise InputError(
            f"{file} holds {volume.shape[0]} time points where one was expected; open it alone, or"
            " say that they are planes with axes='ZYX' (--axes ZYX)."
        )
    return volume


def _check_files(files: list[Path], how: ReadOptions, first: Volume, warnings: list[str]) -> None:
    """Refuse files unlike the others, and ask about another calibration."""
    looked = files
    if len(files) > MOST_CHECKED:
        size = files[0].stat().st_size
        looked = [files[0], *[f for f in files[1:] if f.stat().st_size != size][: MOST_CHECKED - 1]]
    facts = [_facts(first), *(_facts(_frame(file, how)) for file in looked[1:])]
    kinds = [(shape, dtype) for shape, dtype, _ in facts]
    usual = Counter(kinds).most_common(1)[0][0]
    for file, kind in zip(looked, kinds, strict=True):
        if kind != usual:
            got, expected = (
                f"{' x '.join(map(str, shape))} {dtype}" for shape, dtype in (kind, usual)
            )
            raise InputError(
                f"{file} holds {got} where the other files hold {expected} (z, y, x); export it"
                " again or move it away."
            )
    other = next(
        (file for file, fact in zip(looked, facts, strict=True) if fact[2] != facts[0][2]), None
    )
    if other is not None:
        warnings.append(
            f"{other.name} states another voxel size than {files[0].name}, whose was taken: is that"
            " right?"
        )


def _facts(frame: Volume) -> tuple[Any, ...]:
    """What is compared between the files; the frame itself, and with it the open file,
    is let go.
    """
    return frame.shape[1:], frame.metadata["source_dtype"], frame.metadata["stated"]


class FolderArray(PlanarArray):
    """Frames of a folder of files, each read when indexed; safe to index from several threads.

    Parameters
    ----------
    series : the files.
    how : how each is read.
    shape : (T, Z, Y, X) of them all.
    dtype : of each.
    """

    def __init__(
        self, series: Series, how: ReadOptions, shape: tuple[int, ...], dtype: Any
    ) -> None:
        super().__init__(shape, dtype)
        self._series, self._how = series, how
        self._made = {file: stamp_of(file) for file in chain.from_iterable(series.files)}
        self._open: LRUCache[tuple[int, int], Any] = LRUCache(OPEN_FILES)
        self._lock = threading.Lock()

    def _planes(self, t: int, z: range) -> NDArray[Any]:
        planes: NDArray[Any]
        if not self._series.is_sliced:
            planes = self._opened(t, 0)[0, as_slice(z)]
            return planes
        planes = np.empty((len(z), *self.shape[2:]), dtype=self.dtype)
        for i, k in enumerate(z):
            planes[i] = self._opened(t, k)[0, 0]
        return planes

    def _opened(self, t: int, z: int) -> Any:
        with self._lock:
            frame = self._open.get((t, z))
            if frame is None:
                frame = self._open[t, z] = self._read(self._series.files[t][z])
        return frame

    def _read(self, file: Path) -> Any:
        try:
            if stamp_of(file) != self._made[file]:  # frames of two recordings would be mixed
                raise FormatError(
                    f"{file} has changed since its folder was opened; open the folder again."
                )
            frame = _frame(file, self._how)
        except FileNotFoundError as error:
            raise FormatError(
                f"{file} is gone since its folder was opened; put it back, or open the folder"
                " again."
            ) from error
        depth = 1 if self._series.is_sliced else self.shape[1]
        if frame.shape[1:] != (depth, *self.shape[2:]) or frame.metadata["source_dtype"] != str(
            self.dtype
        ):
            raise FormatError(
                f"{file} is unlike the files before it, or has changed since its folder was opened;"
                " export it again."
            )
        return frame.data
