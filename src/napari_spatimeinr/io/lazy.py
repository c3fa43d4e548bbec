"""Arrays that read what is indexed: scaled memory maps, pages of a TIFF, and what the other formats build on."""

from __future__ import annotations

import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..duck import DuckArray
from ..errors import FormatError, SpatimeINRError


class LazyArray(DuckArray, ABC):
    """A read-only duck array ``(T, Z, Y, X)`` that reads when indexed.

    Integers and slices (any step) are understood on each axis; the result is a numpy array.

    Parameters
    ----------
    shape : (T, Z, Y, X).
    dtype : of the values.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @abstractmethod
    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        """What lies in non-empty ranges of indices, one for each axis; their steps may be negative."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        parts = list(key) if isinstance(key, tuple) else [key]
        if any(part is Ellipsis for part in parts):
            at = next(i for i, part in enumerate(parts) if part is Ellipsis)
            parts[at : at + 1] = [slice(None)] * (5 - len(parts))
        if len(parts) > 4:
            raise IndexError(f"Too many indices for an array of 4 axes: {len(parts)}.")
        parts += [slice(None)] * (4 - len(parts))
        ranges: list[range] = []
        whole: list[slice | int] = []
        for part, n in zip(parts, self.shape, strict=True):
            if isinstance(part, slice):
                ranges.append(range(n)[part])
                whole.append(slice(None))
                continue
            index = operator.index(part)
            if not -n <= index < n:
                raise IndexError(f"Index {index} is outside an axis of size {n}.")
            ranges.append(range(index % n, index % n + 1))
            whole.append(0)
        out = self._block(tuple(ranges)) if all(map(len, ranges)) else np.empty([len(r) for r in ranges], dtype=self.dtype)
        return out[tuple(whole)]


class PlanarArray(LazyArray):
    """A lazy array that can read nothing smaller than a plane ``(Y, X)``."""

    @abstractmethod
    def _planes(self, t: int, z: range) -> NDArray[Any]:
        """Planes ``(len(z), Y, X)`` of frame ``t``."""

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        out = np.empty([len(r) for r in ranges], dtype=self.dtype)
        rows, columns = (as_slice(r) for r in ranges[2:])
        for i, t in enumerate(ranges[0]):
            out[i] = self._planes(t, ranges[1])[:, rows, columns]
        return out


def as_slice(r: range) -> slice:
    """The slice that takes the indices of a range."""
    stop = r.stop if r.stop >= 0 else None
    return slice(r.start, stop, r.step)


class ScaledArray(PlanarArray):
    """``stored * slope + intercept`` as float32, computed when indexed.

    Parameters
    ----------
    stored : ``(T, Z, Y, X)``, usually a memory map.
    slope, intercept : of the file's scaling.
    """

    def __init__(self, stored: NDArray[Any], slope: float, intercept: float) -> None:
        super().__init__(stored.shape, np.float32)
        self._stored, self._slope, self._intercept = stored, slope, intercept

    def _planes(self, t: int, z: range) -> NDArray[Any]:
        planes = self._stored[t, as_slice(z)]
        with np.errstate(all="ignore"):  # what float32 cannot hold becomes infinite, and that is said when it is used
            return np.asarray(planes * np.float64(self._slope) + self._intercept, dtype=np.float32)


class PagedArray(PlanarArray):
    """Pages of a file, read one by one when indexed; safe to index from several threads.

    Parameters
    ----------
    read_page : page number -> ``(Y, X)``.
    pages : page numbers, ``(T, Z)``.
    plane : (Y, X).
    dtype : of the pages.
    path : for messages.
    """

    def __init__(
        self, read_page: Callable[[int], NDArray[Any]], pages: NDArray[np.intp], plane: tuple[int, int], dtype: Any, path: Path
    ) -> None:
        super().__init__((*pages.shape, *plane), dtype)
        self._read_page, self._pages, self._path = read_page, pages, path
        self._lock = threading.Lock()

    def _planes(self, t: int, z: range) -> NDArray[Any]:
        out = np.empty((len(z), *self.shape[2:]), dtype=self.dtype)
        for i, k in enumerate(z):
            try:
                with self._lock:
                    out[i] = self._read_page(int(self._pages[t, k])).reshape(self.shape[2:])
            except SpatimeINRError:
                raise
            except Exception as error:  # decoders of damaged pages raise whatever they like
                raise FormatError(
                    f"{self._path} is damaged: plane {k} of frame {t} cannot be decoded; copy or export it again."
                ) from error
        return out
