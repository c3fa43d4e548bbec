"""What an OME-Zarr image is made of: levels, chunks and shards, and metadata that say so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...data.record import Record
from ...data.units import SPACE, TIME, parse_unit
from ...errors import SaveError
from ..provenance import KEY, lasting
from ..pyramid import factors

VERSIONS: dict[str, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
"""Versions of OME-Zarr that can be written, with the Zarr format of each."""
CHUNK = (1, 32, 256, 256)
EVERY_CHUNK = {"write_empty_chunks": True}
"""So that a chunk that is not there is one that was lost."""
TIME_NAMES = {"s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
SPACE_NAMES = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Tiling:
    """How the arrays of an image are cut: chunks, which are decoded as a whole, and shards, files
    that hold several of them; ``(t, z, y, x)``.

    Raises
    ------
    SaveError
        If a size is not positive, or a chunk would lie in two shards.
    """

    chunk: Sizes = CHUNK
    shard: Sizes | None = None

    def __post_init__(self) -> None:
        for name, sizes in (("chunk", self.chunk), ("shard", self.shard or self.chunk)):
            if len(sizes) != 4 or min(sizes) < 1:
                raise SaveError(
                    f"A {name} has 4 sizes of at least 1 voxel (t, z, y, x), got {tuple(sizes)}."
                )
        if self.shard and any(s % c for s, c in zip(self.shard, self.chunk, strict=True)):
            raise SaveError(
                f"Chunks of {_times(self.chunk)} would split a shard of {_times(self.shard)}"
                " (t, z, y, x); choose a shard of whole chunks along each axis."
            )

    def of(self, shape: Sequence[int]) -> Tiling:
        """The same for an array, no larger than it."""
        chunk = tuple(min(n, c) for n, c in zip(shape, self.chunk, strict=True))
        if self.shard is None:
            return Tiling(chunk)
        sizes = zip(shape, chunk, self.shard, self.chunk, strict=True)
        # As many chunks as before, or as there are.
        return Tiling(chunk, tuple(c * min(-(-n // c), s // whole) for n, c, s, whole in sizes))

    @property
    def unit(self) -> Sizes:
        """What is one file."""
        return self.shard or self.chunk


@dataclass(frozen=True)
class Image:
    """How an image is written.

    Parameters
    ----------
    levels : voxels (z, y, x) of the recording per voxel of each level.
    shape : (T, Z, Y, X) of the recording.
    dtype : stored number type.
    version : of OME-Zarr, a key of :data:`VERSIONS`.
    tiling : how arrays are cut.

    Raises
    ------
    SaveError
        If there is no such version, or it has no shards.
    """

    levels: list[tuple[int, int, int]]
    shape: Sizes
    dtype: np.dtype[Any]
    version: str = "0.4"
    tiling: Tiling = field(default_factory=Tiling)

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise SaveError(
                f"OME-Zarr is written as version {' or '.join(VERSIONS)}, got {self.version!r};"
                " choose one of these."
            )
        if self.tiling.shard and VERSIONS[self.version] == 2:
            raise SaveError(
                f"OME-Zarr {self.version} has no shards; choose version 0.5 (--zarr-version 0.5) or"
                " leave them out."
            )

    @classmethod
    def of(cls, record: Record, dtype: Any, version: str, tiling: Tiling | None = None) -> Image:
        """The image of a recording, with coarser levels while planes are large."""
        levels = factors(record.shape, record.spacing)
        return cls(levels, tuple(record.shape), np.dtype(dtype), version, tiling or Tiling())

    def shape_of(self, level: int) -> Sizes:
        """(T, Z, Y, X) of a level."""
        sizes = zip(self.shape[1:], self.levels[level], strict=True)
        return (self.shape[0], *(n // f for n, f in sizes))

    @property
    def nbytes(self) -> int:
        """Bytes of all levels, not compressed."""
        voxels = sum(math.prod(self.shape_of(i)) for i in range(len(self.levels)))
        return voxels * self.dtype.itemsize

    def create(self, folder: Path, record: Record) -> list[Any]:
        """The metadata of the image in a folder, and its arrays to fill."""
        import zarr

        group = zarr.open_group(
            store=str(folder),
            mode="a",
            zarr_format=VERSIONS[self.version],
            attributes=attributes(record, self.version, self.levels),
        )
        shapes = (self.shape_of(i) for i in range(len(self.levels)))
        return [self.array(group, str(i), shape) for i, shape in enumerate(shapes)]

    def array(self, group: Any, name: str, shape: Sizes) -> Any:
        """A new array in a group, stored as those of the image are."""
        number = VERSIONS[self.version]
        tiling = self.tiling.of(shape)
        return group.create_array(
            name,
            shape=shape,
            dtype=self.dtype,
            chunks=tiling.chunk,
            shards=tiling.shard,
            compressors=_compressor(number),
            chunk_key_encoding={"name": "v2" if number == 2 else "default", "separator": "/"},
            dimension_names=None if number == 2 else list("tzyx"),
            fill_value=0,
            config=EVERY_CHUNK,
        )


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _compressor(number: int) -> Any:
    if number == 2:
        from numcodecs import Blosc

        return Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE)
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")


def attributes(
    record: Record, version: str, levels: Sequence[tuple[int, int, int]]
) -> dict[str, Any]:
    """The attributes of the group of an image."""
    time, space = parse_unit(record.units[0], TIME), parse_unit(record.units[1], SPACE)
    axes = []
    unit_factors = []
    for letter, kind, unit in zip(
        "tzyx", ("time", *["space"] * 3), (time, *[space] * 3), strict=True
    ):
        axes.append(
            {"name": letter, "type": kind}
            | ({"unit": (TIME_NAMES | SPACE_NAMES)[unit[0]]} if unit else {})
        )
        unit_factors.append(unit[1] if unit else 1.0)
    datasets = []
    for i, factor in enumerate(levels):
        voxel = (1, *factor)
        scale = [s * f * v for s, f, v in zip(record.spacing, unit_factors, voxel, strict=True)]
        # A block's mean lies at its centre.
        place = [
            (o + s * (v - 1) / 2) * f
            for o, s, f, v in zip(record.origin, record.spacing, unit_factors, voxel, strict=True)
        ]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(place):
            steps.append({"type": "translation", "translation": place})
        datasets.append({"path": str(i), "coordinateTransformations": steps})
    multiscale = {"axes": axes, "datasets": datasets}
    out: dict[str, Any] = (
        {"multiscales": [{"version": version, **multiscale}]}
        if version == "0.4"
        else {"ome": {"version": version, "multiscales": [multiscale]}}
    )
    own: dict[str, Any] = lasting(record) or {}
    if record.grid.times is not None:
        own["times"] = (record.grid.coordinates(0) * unit_factors[0]).tolist()
    if record.orientation is not None:
        own["orientation"] = record.orientation.tolist()
    if record.metadata.get("channel"):
        own["channel"] = str(record.metadata["channel"])
    if own:
        out[KEY] = own
    return out
