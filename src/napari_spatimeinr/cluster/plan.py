"""A rendering as a list of pieces: whole chunks of the image, whole shards where it has some."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import ConfigError
from ..field import Field
from ..header import state_of
from ..io.cast import convert_dtype
from ..io.frames import stored_dtype
from ..io.zarr.image import Image, Sizes, Tiling
from ..io.zarr.pieces import Pieces
from ..model.frames import SAME
from ..render.array import RenderedArray
from ..volume import Volume


class Piece(NamedTuple):
    """One file of the image: its level, and its place in pieces (t, z, y, x)."""

    level: int
    place: Sizes

    @property
    def name(self) -> str:
        """Of its marker."""
        return ".".join(map(str, (self.level, *self.place)))


class Rendering:
    """What is rendered, into which image.

    Parameters
    ----------
    field : the model.
    array : a rendering of it.
    target : the folder of the OME-Zarr image.
    version : of OME-Zarr, "0.4" or "0.5".
    tiling : its chunks and shards.

    Raises
    ------
    SaveError
        If there is no such version, or it has no shards.
    """

    def __init__(
        self,
        field: Field,
        array: RenderedArray,
        target: Path,
        version: str = "0.4",
        tiling: Tiling | None = None,
    ) -> None:
        self.field, self.array, self.target = field, array, target
        self.record: Volume = field.wrap(array, array)
        self.image = Image.of(self.record, stored_dtype(self.record), version, tiling)
        self.levels = [Pieces(self.image, i) for i in range(len(self.image.levels))]

    @cached_property
    def pieces(self) -> list[Piece]:
        """Those to render, in the order in which they are: see :func:`ordered`."""
        times = self.field.grid.to_index(self.array.grid.coordinates(0), 0)
        return [Piece(0, place) for place in ordered(self.levels[0], times)]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All that the voxels and their files depend on, as JSON values."""
        what, grid, _, keep_acquired, level = self.array.__reduce__()[1]
        tiling = self.image.tiling.of(self.image.shape)
        facts: dict[str, Any] = {
            "model": _fingerprint(self.field),
            "quantity": what,
            "level": level,
            "keep_acquired": keep_acquired,
            "shape": grid.shape,
            "spacing": grid.spacing,
            "origin": grid.origin,
            "times": grid.times,
            "dtype": str(self.image.dtype),
            "zarr_version": self.image.version,
            "chunk": tiling.chunk,
            "shard": tiling.shard,
            "device": f"{self.field.device.type} {self.field.method.precision}",
            "program": __version__,
        }
        # As they are read back.
        plain: dict[str, Any] = json.loads(json.dumps(facts))
        return plain

    def computed(self, piece: Piece) -> NDArray[Any]:
        """The voxels of a piece of the finest level, as they are stored."""
        values = self.array[self.levels[0].region(piece.place)]
        return convert_dtype(values, self.image.dtype)


def _fingerprint(field: Field) -> str:
    """Of a model: weights, header, and the sums of the frames it holds. Where its recording lies
    may differ from machine to machine.
    """
    header = field.describe()
    header["metadata"] = {k: v for k, v in header["metadata"].items() if k != "source"}
    sums = getattr(field.volume.data, "sums", None) or ()
    return state_of(header, field.method.weights(), sums)[:32]


def ordered(pieces: Pieces, times: NDArray[np.float64]) -> list[Sizes]:
    """Places of pieces so that what follows each other shares encoded tiles.

    All times between two frames of the recording, of one region after the other; regions back and
    forth, so that the next one is a neighbour, also from one interval to the next.

    Parameters
    ----------
    pieces : of the finest level.
    times : of the rendering's frames, in frames of the recording.
    """
    _, deep, down, across = pieces.counts
    starts = np.floor(times[:: pieces.unit[0]] + SAME)
    # Numbered one by one, whichever intervals there are.
    intervals = np.unique(starts, return_inverse=True)[1].tolist()

    def key(place: Sizes) -> tuple[int, ...]:
        t, z, y, x = place
        interval = intervals[t]
        z = _turned(z, deep, interval)
        y = _turned(y, down, interval * deep + z)
        x = _turned(x, across, (interval * deep + z) * down + y)
        return interval, z, y, x, t

    return sorted(pieces.places(), key=key)


def _turned(i: int, n: int, line: int) -> int:
    return n - 1 - i if line % 2 else i


def share(pieces: list[Piece], index: int, count: int) -> list[Piece]:
    """The ``index``-th of ``count`` shares, from 1, of about equal length; each piece is in one.

    Raises
    ------
    ConfigError
        If there is no such share.
    """
    if not 1 <= index <= count:
        raise ConfigError(f"A part is I/N with I from 1 to N, like 1/4, got {index}/{count}.")
    n = len(pieces)
    return pieces[(index - 1) * n // count : index * n // count]
