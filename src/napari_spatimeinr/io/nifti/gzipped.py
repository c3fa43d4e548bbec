"""Voxels of a gzip-compressed file, read where they are indexed: for a look at few of them."""

from __future__ import annotations

import gzip
import threading
import weakref
import zlib
from pathlib import Path

from ...errors import FormatError
from ..stored import StoredArray, StoredFile


class GzippedFile(StoredFile):
    """What a gzip file holds; a look further back inflates it from its beginning again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._inflated = gzip.GzipFile(path, "rb")
        weakref.finalize(self, self._inflated.close)
        self._turn = threading.Lock()

    def _read(self, view: memoryview, offset: int) -> int:
        try:
            with self._turn:
                self._inflated.seek(offset)
                return self._inflated.readinto(view[: 2**24])
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(
                f"{self.path} is truncated or damaged (its gzip stream breaks off); copy or"
                " download it again."
            ) from error


class GzippedArray(StoredArray):
    """The same as :class:`.StoredArray`, of a gzip file."""

    in_a_stream = True

    def _opened(self, path: Path) -> StoredFile:
        return GzippedFile(path)
