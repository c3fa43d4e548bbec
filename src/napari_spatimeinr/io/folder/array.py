"""The files of a folder as one array."""

from __future__ import annotations

import threading
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ...data.indexing import as_slice
from ...errors import FormatError
from ..lazy import PlanarArray, stamp_of
from ..options import ReadOptions
from .frame import read_frame
from .order import Series

OPEN_FILES = 4
"""So many files stay open (decoded, where a part of one cannot be read) while frames are read."""


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
            frame = read_frame(file, self._how)
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
