"""The files of an array of an image, each written by itself: what several processes do at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image import VERSIONS, Image, Sizes

Region = tuple[slice, ...]


class Pieces:
    """The whole chunks of one level, whole shards where it has some: each is one file.

    Parameters
    ----------
    image : how it is written.
    level : of the image.
    """

    def __init__(self, image: Image, level: int) -> None:
        self.image, self.level = image, level
        self.shape = image.shape_of(level)
        self.unit = image.tiling.of(self.shape).unit
        self.counts = tuple(-(-n // u) for n, u in zip(self.shape, self.unit, strict=True))
        self._scratch: tuple[dict[str, Any], Any] | None = None

    def places(self) -> Iterator[Sizes]:
        """Of all pieces, (t, z, y, x) counted in pieces."""
        return itertools.product(*map(range, self.counts))

    def region(self, place: Sizes) -> Region:
        """The voxels of a piece."""
        sizes = zip(place, self.unit, self.shape, strict=True)
        return tuple(slice(i * u, min((i + 1) * u, n)) for i, u, n in sizes)

    def file(self, place: Sizes) -> Path:
        """The file of a piece, in the folder of the image."""
        inside = () if VERSIONS[self.image.version] == 2 else ("c",)
        return Path(str(self.level), *inside, *map(str, place))

    def encoded(self, values: NDArray[Any]) -> bytes:
        """What the library writes for the voxels of a piece; beyond the edge of the array it is
        filled.
        """
        if self._scratch is None:
            self._scratch = self._made()
        files, array = self._scratch
        whole = np.zeros(self.unit, self.image.dtype)
        whole[tuple(slice(n) for n in values.shape)] = values
        array[...] = whole
        (name,) = (key for key in files if key.rpartition("/")[2].isdecimal())
        content: bytes = files[name].to_bytes()
        return content

    def _made(self) -> tuple[dict[str, Any], Any]:
        """An array of one piece, in memory, and its files by their names."""
        import zarr

        files: dict[str, Any] = {}
        group = zarr.create_group(
            store=zarr.storage.MemoryStore(files), zarr_format=VERSIONS[self.image.version]
        )
        return files, self.image.array(group, "0", self.unit)
