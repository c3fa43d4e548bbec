"""A recording as a model refers to it: where it lies, how it is read, and how it is known again.

A model file says where its recording lies relative to itself (with ``/``, whatever the system) and
absolutely, how it was read, what it was like, and sums of a few small blocks of its voxels. Those
are compared when the model is opened, unless all files look as they did when it was saved.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.indexing import Ranges
from ..data.record import Record
from ..errors import InputError
from .atomic import followed
from .lazy import LazyArray, Part, stamp_of
from .options import ReadOptions
from .summed import digest_of, frame_sum

BLOCKS, SIDE = 8, 64
"""So many blocks are compared, each a square of a plane, of so many voxels along y and x."""
GOLDEN = 0.6180339887498949
"""Its multiples, modulo 1, lie evenly however many there are."""


@dataclass(frozen=True)
class Link:
    """A recording as a model refers to it.

    Parameters
    ----------
    path : the file or folder, absolute.
    how : how it is read.
    part : half-open ranges of it that were fitted; None for all.
    shape, dtype, spacing, units, times : of all of it, as it is read.
    stamp : changes with its files; None where those do not tell.
    sums : of blocks of the part.
    """

    path: Path
    how: ReadOptions
    part: Ranges | None
    shape: tuple[int, ...]
    dtype: str
    spacing: tuple[float, ...]
    units: tuple[str, ...]
    times: tuple[float, ...] | None
    stamp: str | None
    sums: tuple[str, ...]

    def beside(self, model: Path) -> dict[str, Any]:
        """What a model file of this name says of it, as JSON values."""
        # Links above either would make of ".." another folder.
        folder = os.path.realpath(followed(model).absolute().parent)
        place = os.path.join(os.path.realpath(self.path.parent), self.path.name)
        try:
            relative = Path(os.path.relpath(place, folder)).as_posix()
        except ValueError:  # another drive of Windows
            relative = None
        return {
            "path": relative,
            "absolute": str(self.path),
            "read_as": self.how.said,
            "part": None if self.part is None else [list(r) for r in self.part],
            "shape": list(self.shape),
            "dtype": self.dtype,
            "spacing": list(self.spacing),
            "units": list(self.units),
            "times": None if self.times is None else list(self.times),
            "stamp": self.stamp,
            "sums": list(self.sums),
        }

    @classmethod
    def parsed(cls, said: dict[str, Any]) -> Link:
        """What a model file says; raises what comes of values that are none of ours."""
        part, times, stamp = said["part"], said["times"], said["stamp"]
        return cls(
            Path(said["absolute"]),
            ReadOptions.of(said["read_as"]),
            None if part is None else tuple((int(a), int(b)) for a, b in part),
            tuple(int(n) for n in said["shape"]),
            str(np.dtype(said["dtype"])),
            tuple(float(v) for v in said["spacing"]),
            tuple(str(u) for u in said["units"]),
            None if times is None else tuple(float(t) for t in times),
            None if stamp is None else str(stamp),
            tuple(str(s) for s in said["sums"]),
        )

    def differences(self, record: Record) -> list[str]:
        """In what a recording is not the one referred to, but for its voxels."""
        out = []
        if tuple(record.shape) != self.shape:
            was, now = (" x ".join(map(str, shape)) for shape in (self.shape, record.shape))
            out.append(f"its shape is {now} instead of {was} (t, z, y, x)")
        if native(record) != self.dtype:
            out.append(f"its number type is {native(record)} instead of {self.dtype}")
        times = record.grid.times
        same_times = (times is None) == (self.times is None) and (
            times is None or (len(times) == len(self.times or ()) and _close(times, self.times))
        )
        if record.units != self.units or not _close(record.spacing, self.spacing) or not same_times:
            now, was = (
                f"{_numbers(spacing)} {units[0]}, {units[1]}"
                for spacing, units in ((record.spacing, record.units), (self.spacing, self.units))
            )
            out.append(
                f"its calibration is {now} instead of {was} (dt, dz, dy, dx)"
                if now != was
                else "its frames lie at other times"
            )
        return out


def part_of(data: Any, part: Ranges | None) -> Any:
    """The part of an array ``(T, Z, Y, X)``; nothing of a lazy one is read.

    Raises
    ------
    InputError
        If it is smaller than that.
    """
    if part is None:
        return data
    inside = all(0 <= a < b <= n for (a, b), n in zip(part, data.shape, strict=True))
    if not inside:
        raise InputError("its file is smaller than the part that was fitted")
    if isinstance(data, LazyArray):
        return Part(data, part)
    return data[tuple(slice(a, b) for a, b in part)]


def sums_of(data: Any) -> list[str]:
    """Of blocks ``(1, 1, y, x)`` spread over frames and planes, the first ones first, as they are
    read best from a stream.
    """
    t, *rest = (int(n) for n in data.shape)
    places = []
    for k in range(BLOCKS):
        start = [slice(k * (t - 1) // (BLOCKS - 1), k * (t - 1) // (BLOCKS - 1) + 1)]
        for axis, n in enumerate(rest):
            size = 1 if axis == 0 else min(SIDE, n)
            # Outer parts of a recording are often dark.
            share = 0.125 + 0.75 * math.modf((k + 1) * GOLDEN ** (axis + 1))[0]
            first = int((n - size) * share)
            start.append(slice(first, first + size))
        places.append(tuple(start))
    places.sort(key=lambda place: [s.start for s in place])
    return [frame_sum(np.asarray(data[place])) for place in places]


def stamp(path: Path) -> str | None:
    """Changes with the files of a recording; None where folders in a folder hide theirs."""
    if path.is_dir() and any(entry.is_dir() for entry in path.iterdir()):
        return None
    return str(digest_of(repr(stamp_of(path)).encode()).hexdigest())


def native(record: Record) -> str:
    """Its number type, whatever the order of bytes."""
    return str(record.dtype.newbyteorder("="))


def _close(a: Any, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=1e-5, atol=0))


def _numbers(values: Any) -> str:
    return " x ".join(f"{v:g}" for v in values)
