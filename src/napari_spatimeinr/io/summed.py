"""Frames stored in a model file, with a sum for each: what is damaged is never given away."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .lazy import Source
from .stored import StoredArray


class ModelFrames(StoredArray):
    """Frames in a model file; each is compared with its sum before anything of it is given away.

    Attributes
    ----------
    sums : of the frames, in hexadecimal; None in files without.
    """

    def __init__(
        self, path: Path, dtype: Any, offset: int, shape: tuple[int, ...], sums: list[str] | None
    ) -> None:
        super().__init__(path, dtype, offset, shape, "TZYX")
        self.source = Source.of(path, None)
        self.sums = sums
        self._verified: set[int] = set()
        self._verifying = threading.Lock()

    def verify(self, frames: Iterable[int]) -> None:
        """Compare frames with their sums, once.

        Raises
        ------
        FormatError
            If one is damaged.
        """
        if self.sums is None:
            return
        for k in frames:
            with self._verifying:
                if k in self._verified:
                    continue
                if self._sum(k) != self.sums[k]:
                    raise FormatError(
                        f"Frame {k} in the model {self._file.path} is damaged; copy it again or fit"
                        " it again."
                    )
                self._verified.add(k)

    def is_quick(self, frames: Iterable[int], planes: bool) -> bool:
        """Not before these frames were compared with their sums, which takes reading
        all of them.
        """
        return self.sums is None or self._verified.issuperset(frames)

    def _sum(self, k: int) -> str:
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        digest, buffer = digest_of(), memoryview(bytearray(min(size, 2**22)))
        for start in range(0, size, 2**22):
            part = buffer[: min(2**22, size - start)]
            self._file.fill(part, self._offset + k * size + start)
            digest.update(part)
        return digest.hexdigest()

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        self.verify(ranges[0])
        return super()._block(ranges)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is None or not self.source.is_unchanged():
            return np.asarray, (self[...],)
        return _again, (self.source, self.dtype, self._offset, self.shape, self.sums)


def _again(
    source: Source, dtype: Any, offset: int, shape: tuple[int, ...], sums: list[str] | None
) -> ModelFrames:
    return ModelFrames(source.checked(), dtype, offset, shape, sums)


def frame_sums(data: Any) -> list[str]:
    """The sums of all frames ``(T, Z, Y, X)``; those of a model file are known."""
    known = data.sums if isinstance(data, ModelFrames) else None
    return known or [frame_sum(np.asarray(data[k])) for k in range(data.shape[0])]


def frame_sum(frame: NDArray[Any]) -> str:
    """The sum of a frame as it lies in a file."""
    return digest_of(
        np.ascontiguousarray(frame, np.dtype(frame.dtype).newbyteorder("<"))
        .reshape(-1)
        .view(np.uint8)
    ).hexdigest()


def digest_of(content: Any = b"") -> Any:
    """A BLAKE2 digest, begun with some content."""
    return hashlib.blake2b(content, digest_size=16)
