"""Volumes and masks as the embryo tools keep them: a NIfTI a time point, its axes (y, x, z)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import io
from ..data.arrays import IndexedArray
from ..data.grid import Grid
from ..data.record import Record
from ..errors import FormatError
from .sentences import listed

Triple = tuple[float, float, float]
ENDING = ".nii.gz"
NUMBERED = re.compile(r"(?P<stem>.+)_(?P<number>\d{3,})\.nii(\.gz)?", re.IGNORECASE)
"""Files of one embryo: the last number of three or more digits is the time point's."""


class Stored(NamedTuple):
    """A volume ``(Z, Y, X)``; spacing and origin ``(z, y, x)`` in um, 1 and 0 where a file has the
    identity as its affine.
    """

    data: NDArray[Any]
    spacing: Triple
    origin: Triple


def digits(last: int) -> int:
    """How many digits numbers of time points have in all files: three, or as many as the last."""
    return max(3, len(str(last)))


def write_volume(
    path: Path, data: NDArray[Any], spacing: Triple, origin: Triple = (0.0, 0.0, 0.0)
) -> Path:
    """Write a volume, whole or not at all.

    In the file the axes are (y, x, z), as other embryo tools have them, and so are those of the
    affine: its diagonal is (dy, dx, dz) in um, its translation the first voxel's centre.

    Parameters
    ----------
    data : ``(Z, Y, X)``.
    spacing, origin : (z, y, x), um.

    Raises
    ------
    SaveError
        If it cannot be written; an earlier file stays as it was.
    """
    (dz, dy, dx), (z, y, x) = spacing, origin
    turned = np.asarray(data).transpose(0, 2, 1)[None]
    grid = Grid(turned.shape, (1.0, dz, dx, dy), (0.0, z, x, y))
    return io.write(Record(turned, grid, ("s", "um")), path)


def read_volume(path: Path) -> Stored:
    """Read what :func:`write_volume` wrote, or another tool.

    Raises
    ------
    FormatError
        If it is missing, damaged or no single volume.
    """
    if not path.is_file():
        raise FormatError(f"{path} is missing; give the folder that has it.")
    record = io.read(path)
    if record.shape[0] != 1:
        raise FormatError(f"{path} holds {record.shape[0]} time points, and one was expected.")
    (_, dz, dx, dy), (_, z, x, y) = record.spacing, record.origin
    return Stored(np.asarray(record.data[0]).transpose(0, 2, 1), (dz, dy, dx), (z, y, x))


class Series(IndexedArray):
    """Volumes of several time points ``(T, Z, Y, X)``, each read when it is indexed.

    Parameters
    ----------
    files : of the time points, in order; all are of the shape and type of the first.
    dtype : to give them, None for the first one's own.
    """

    def __init__(self, files: list[Path], dtype: Any = None) -> None:
        first = read_volume(files[0])
        self.files, self.spacing, self.origin = files, first.spacing, first.origin
        self.shape = (len(files), *first.data.shape)
        self.dtype = np.dtype(dtype or first.data.dtype)

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        out = np.empty([len(r) for r in ranges], self.dtype)
        for n, k in enumerate(ranges[0]):
            data = read_volume(self.files[k]).data
            if data.shape != self.shape[1:]:
                raise FormatError(
                    f"{self.files[k]} has {data.shape} voxels (z, y, x) where"
                    f" {self.files[0].name} has {self.shape[1:]}; they belong to two embryos."
                )
            out[n] = data[np.ix_(*ranges[1:])]
        return out


def numbered(folder: Path) -> dict[int, Path]:
    """The volumes of a folder by the number of their time point, in order.

    Raises
    ------
    FormatError
        If there are none, those of two embryos, or two of one number.
    """
    out: dict[int, Path] = {}
    stems = set()
    for file in sorted(folder.glob("*.nii*")):
        found = NUMBERED.fullmatch(file.name)
        if found is None:
            continue
        stems.add(found["stem"])
        if out.setdefault(int(found["number"]), file) != file:
            raise FormatError(f"{folder} has two files of the time point {int(found['number'])}.")
    if not out:
        raise FormatError(f"{folder} has no files like Emb1_001{ENDING}.")
    if len(stems) > 1:
        raise FormatError(
            f"{folder} has the time points of several embryos, {listed(sorted(stems))}; put"
            " each into a folder of its own."
        )
    return dict(sorted(out.items()))
