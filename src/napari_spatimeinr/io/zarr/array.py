"""An OME-Zarr as an array that reads the chunks that are touched."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.indexing import as_slice
from ...errors import FormatError, SpatimeINRError
from ..layout import to_tzyx
from ..lazy import LazyArray
from . import METADATA


class ZarrArray(LazyArray):
    """One channel of a Zarr array as ``(T, Z, Y, X)``; only the chunks touched are read.

    Parameters
    ----------
    array : the Zarr array.
    axes : its axes, out of ``TCZYX``.
    channel : which one to read.
    path : its folder.
    """

    def __init__(self, array: Any, axes: str, channel: int, path: Path) -> None:
        sizes = dict(zip(axes, array.shape, strict=True))
        super().__init__(
            tuple(sizes.get(letter, 1) for letter in "TZYX"),
            np.dtype(array.dtype).newbyteorder("="),
        )
        self._array, self._axes, self._channel, self._path = array, axes, channel, path.absolute()
        self._made = self._stamp()

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        if (
            self._stamp() != self._made
        ):  # missing chunks are legal, so the library would read nothing but zeros
            raise FormatError(
                f"{self._path} is gone or was replaced since it was opened; open it again."
            )
        rising = [r if r.step > 0 else r[::-1] for r in ranges]
        where = {letter: as_slice(r) for letter, r in zip("TZYX", rising, strict=True)}
        try:
            self._check_lengths(dict(zip("TZYX", rising, strict=True)))
            got = self._array[
                tuple(self._channel if letter == "C" else where[letter] for letter in self._axes)
            ]
        except SpatimeINRError:
            raise
        except MemoryError as error:
            if self._array.shards is None:
                raise
            raise FormatError(  # the index of a shard states lengths, which the library trusts
                f"{self._path} is damaged, or memory is short: a shard of frames {rising[0][0]} to"
                f" {rising[0][-1]} states more bytes than there is memory for; copy or export it"
                " again."
            ) from error
        except Exception as error:  # decoders of damaged chunks raise whatever they like
            raise FormatError(
                f"{self._path} is damaged: a chunk of frames {rising[0][0]} to {rising[0][-1]}"
                " cannot be decoded; copy or export it again."
            ) from error
        out = to_tzyx(np.asarray(got, dtype=self.dtype), self._axes.replace("C", ""))
        turned: NDArray[Any] = out[
            tuple(slice(None, None, 1 if r.step > 0 else -1) for r in ranges)
        ]
        return turned

    def _check_lengths(self, ranges: dict[str, range]) -> None:
        """Blosc chunks state their length, and the library trusts it: a truncated one would decode
        to whatever lies behind it.
        """
        array = self._array
        if array.shards is not None or "Blosc" not in {
            type(codec).__name__.removesuffix("Codec") for codec in array.compressors
        }:
            return
        touched = [
            sorted({i // size for i in ranges.get(letter, (self._channel,))})
            for letter, size in zip(self._axes, array.chunks, strict=True)
        ]
        for place in itertools.product(*touched):
            file = self._path / array.metadata.encode_chunk_key(place)
            if file.is_file():
                with open(file, "rb") as opened:
                    head = opened.read(16)
                if len(head) < 16 or file.stat().st_size < int.from_bytes(head[12:], "little"):
                    raise FormatError(
                        f"{self._path} is damaged: its chunk {file.relative_to(self._path)} is"
                        " truncated; copy or export it again."
                    )

    def _stamp(self) -> list[tuple[int, int]]:
        """What tells the array's metadata from those of another one in its place."""
        files = [self._path / name for name in METADATA if (self._path / name).is_file()]
        return [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]
