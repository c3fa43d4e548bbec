"""Reading a folder that holds one TIFF for each time point."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, InputError
from ..volume import Volume
from . import TIFF, tiff
from .atomic import ending
from .calibration import How
from .layout import check_axes
from .lazy import PlanarArray, as_slice

OPEN_FILES = 4
"""So many files stay open (decoded, where a part of one cannot be read) while frames are read."""


def read(path: Path, how: How) -> Volume:
    """Read a folder of TIFFs, each a frame ``(Y, X)`` or ``(Z, Y, X)``, in the order of the number that changes.

    Frames are read when they are indexed. The first file states the voxel size; the frame interval
    is unknown unless it is given.

    Parameters
    ----------
    path : the folder.
    how : what the user says about it; ``axes`` name those of a file, a T before them is dropped.

    Returns
    -------
    A volume ``(T, Z, Y, X)``.

    Raises
    ------
    FormatError
        If there is no TIFF in it, or one is damaged.
    InputError
        If the names do not count without a gap, or the files differ in size or number type.
    GridError
        If the first file states an impossible spacing and none is given.
    """
    files = _in_order(path)
    axes = None if how.axes is None else check_axes(how.axes).replace("T", "")
    how = dataclasses.replace(how, axes=axes, part=True)
    first = _frame(files[0], how)
    metadata = {**first.metadata, "source": str(path), "format": "tiff-folder"}
    facts = [_facts(first), *(_facts(_frame(file, how)) for file in files[1:])]
    _check_equal(files, [(shape, dtype) for shape, dtype, _ in facts])
    other = next((file for file, fact in zip(files, facts, strict=True) if fact[2] != facts[0][2]), None)
    if other is not None:
        metadata["warnings"].append(
            f"{other.name} states another voxel size than {files[0].name}, whose was taken: is that right?"
        )
    data = FolderArray(files, how, first.shape[1:], np.dtype(metadata["source_dtype"]))
    return Volume(data, first.spacing, first.origin, first.units, first.orientation, metadata)


def _in_order(path: Path) -> list[Path]:
    """The TIFFs of a folder by the one number in their names that counts them."""
    files = sorted(file for file in path.iterdir() if ending(file) in TIFF and file.name[0] != "." and file.is_file())
    if not files:
        raise FormatError(f"{path} is a folder without TIFFs; give a recording, or a folder with one TIFF for each time point.")
    if len(files) == 1:
        return files
    parts = {file: re.split(r"([0-9]+)", file.name[: -len(ending(file))]) for file in files}
    words = Counter(tuple(part[::2]) for part in parts.values())
    usual, count = words.most_common(1)[0]
    odd = next((file for file in files if tuple(parts[file][::2]) != usual), None)
    if len(usual) < 2 or (odd is not None and count == 1):
        raise InputError(f"The TIFFs in {path} are not numbered; put the number of the time point into each name.")
    if odd is not None:
        series = next(file for file in files if file != odd and tuple(parts[file][::2]) == usual)
        raise InputError(f"{odd.name} in {path} does not belong to the series of {series.name}; move it into another folder.")
    numbers = _counting(path, files, [[int(n) for n in parts[file][1::2]] for file in files])
    ordered = sorted(zip(numbers, files, strict=True))
    _check_gapless(path, ordered)
    return [file for _, file in ordered]


def _check_gapless(path: Path, ordered: list[tuple[int, Path]]) -> None:
    for (n, one), (m, other) in zip(ordered, ordered[1:], strict=False):
        if n == m:
            raise InputError(f"{one.name} and {other.name} in {path} have the same number; move one of them away.")
    (first, one), (last, other) = ordered[0], ordered[-1]
    gap = last - first + 1 - len(ordered)
    if gap:
        there = {n for n, _ in ordered}
        absent = [n for n in range(first, first + len(there) + 3) if n not in there][: min(gap, 3)]
        more = f" and {gap - len(absent)} more" if gap > len(absent) else ""
        raise InputError(
            f"{path} lacks number {', '.join(map(str, absent))}{more} between {one.name} and {other.name}; "
            "add what is missing, or number the files without a gap."
        )


def _counting(path: Path, files: list[Path], rows: list[list[int]]) -> list[int]:
    """The numbers at the one place in the names where they count the time points."""
    columns = [[row[k] for row in rows] for k in range(len(rows[0]))]
    changing = [column for column in columns if len(set(column)) > 1]
    if len(changing) > 1:  # a clock beside the counter, say
        unique = [column for column in changing if len(set(column)) == len(column)]
        changing = unique if len(unique) == 1 else [c for c in unique if max(c) - min(c) + 1 == len(c)]
    if len(changing) == 1:
        return changing[0]
    if not any(len(set(column)) > 1 for column in columns):
        return columns[-1]
    raise InputError(
        f"Several numbers change in the names of {path} ({files[0].name} to {files[-1].name}), and one has to count the time "
        "points; put each channel or position into a folder of its own."
    )


def _frame(file: Path, how: How) -> Volume:
    if file.stat().st_size == 0:
        raise FormatError(f"{file} is empty (0 bytes); copy or export it again.")
    volume = tiff.read(file, how)
    if volume.shape[0] > 1:
        raise InputError(
            f"{file} holds {volume.shape[0]} time points where one was expected; open it alone, or say that they are planes "
            "with axes='ZYX' (--axes ZYX)."
        )
    return volume


def _facts(frame: Volume) -> tuple[Any, ...]:
    """What is compared between the files; the frame itself, and with it the open file, is let go."""
    return frame.shape[1:], frame.metadata["source_dtype"], frame.metadata["stated"]


def _check_equal(files: list[Path], kinds: list[tuple[Any, ...]]) -> None:
    usual = Counter(kinds).most_common(1)[0][0]
    for file, kind in zip(files, kinds, strict=True):
        if kind != usual:
            got, expected = (f"{' x '.join(map(str, shape))} {dtype}" for shape, dtype in (kind, usual))
            raise InputError(
                f"{file} holds {got} where the other files hold {expected} (z, y, x); export it again or move it away."
            )


class FolderArray(PlanarArray):
    """Frames of a folder of TIFFs, each read when indexed; safe to index from several threads.

    Parameters
    ----------
    files : one for each time point.
    how : how each is read.
    shape : (Z, Y, X) of each.
    dtype : of each.
    """

    def __init__(self, files: list[Path], how: How, shape: tuple[int, ...], dtype: Any) -> None:
        super().__init__((len(files), *shape), dtype)
        self._files, self._how = files, how
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def _planes(self, t: int, z: range) -> NDArray[Any]:
        with self._lock:
            frame = self._open.get(t)
            if frame is None:
                frame = self._open[t] = self._read(t)
            self._open.move_to_end(t)
            while len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        planes: NDArray[Any] = frame[0, as_slice(z)]
        return planes

    def _read(self, t: int) -> Any:
        file = self._files[t]
        try:
            frame = _frame(file, self._how)
        except FileNotFoundError as error:
            raise FormatError(f"{file} is gone since its folder was opened; put it back, or open the folder again.") from error
        if frame.shape[1:] != self.shape[1:] or frame.metadata["source_dtype"] != str(self.dtype):
            raise FormatError(f"{file} has changed since its folder was opened; open the folder again.")
        return frame.data
