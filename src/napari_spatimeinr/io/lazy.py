"""Arrays that read what is indexed: scaled voxels, pages of a TIFF, parts, and what the other
formats build on.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import IndexedArray
from ..data.indexing import Ranges, as_slice, within
from ..errors import FormatError, SpatimeINRError
from .options import ReadOptions


@dataclass(frozen=True)
class Source:
    """The file (or folder) an array was read from, how (None for a model), and what it looked like
    then.
    """

    path: Path
    how: ReadOptions | None
    stamp: tuple[Any, ...]

    @classmethod
    def of(cls, path: Path, how: ReadOptions | None) -> Source:
        """The source as it is now."""
        return cls(path.absolute(), how, stamp_of(path))

    def is_unchanged(self) -> bool:
        """Whether the file looks as it did."""
        try:
            return stamp_of(self.path) == self.stamp
        except OSError:
            return False

    def checked(self) -> Path:
        """The path, if what it leads to looks as it did.

        Raises
        ------
        FormatError
            If it is gone, or changed since.
        """
        if not self.is_unchanged():
            raise FormatError(
                f"{self.path} is gone or was changed since it was opened; open it again."
            )
        return self.path

    def facts(self) -> tuple[Any, ...]:
        """Plain values, equal for equal sources."""
        return str(self.path), repr(self.how), self.stamp


def stamp_of(path: Path) -> tuple[Any, ...]:
    """Size and time of change of a file (of both files of a pair), or those and the names of all
    files of a folder.
    """
    if not path.is_dir():
        both = (".hdr", ".img") if path.suffix.lower() in (".hdr", ".img") else (path.suffix,)
        states = [
            path.stat(),
            *(file.stat() for file in map(path.with_suffix, both) if file.is_file()),
        ]
        return tuple((state.st_size, state.st_mtime_ns) for state in states)
    files = []
    with os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # links that lead nowhere are no part of a recording
                state = entry.stat()
                if stat.S_ISREG(state.st_mode):
                    files.append((entry.name, state.st_size, state.st_mtime_ns))
    return tuple(sorted(files))


def _opened(source: Source) -> Any:
    """The array of a source, in another process or later; raises as :meth:`Source.checked`."""
    from .reading import reopened

    source.checked()
    return reopened(source)


class LazyArray(IndexedArray):
    """A recording ``(T, Z, Y, X)`` that is read when it is indexed.

    One that knows which file it was read from is pickled as a reference to it, any other by its
    values.

    Parameters
    ----------
    shape : (T, Z, Y, X).
    dtype : of the values.
    """

    source: Source | None = None
    in_a_stream = False
    """Whether whatever is read takes reading all that lies before it."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is None or not self.source.is_unchanged():
            return np.asarray, (self[...],)
        return _opened, (self.source,)

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyArray:
        return self  # it cannot be written to

    def __dask_tokenize__(self) -> Any:
        """What dask tells arrays apart by: equal for equal files read in an equal way, in any
        process.
        """
        from dask.base import normalize_token

        return normalize_token(
            self[...] if self.source is None else (type(self).__name__, *self.source.facts())
        )

    @property
    def whence(self) -> tuple[Source | None, Ranges | None]:
        """The file it was read from, if that is known, and the part of it, None for all."""
        return self.source, None

    def part(self, ranges: Ranges) -> LazyArray:
        """The part inside half-open index ranges, one for each axis; nothing is read."""
        return Part(self, ranges)

    def is_quick(self, frames: Iterable[int], planes: bool) -> bool:
        """Whether something of these frames is read in some milliseconds, now; asked without
        waiting.

        Parameters
        ----------
        frames : their numbers.
        planes : whether single planes of them are to be read, else any part.
        """
        return planes


class Part(LazyArray):
    """A box of another lazy array.

    Parameters
    ----------
    array : the other one.
    ranges : half-open index ranges, one for each axis.
    """

    def __init__(self, array: LazyArray, ranges: Ranges) -> None:
        super().__init__(tuple(b - a for a, b in ranges), array.dtype)
        self._array, self._ranges = array, ranges

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        moved = (
            range(r.start + a, r.stop + a, r.step)
            for r, (a, _) in zip(ranges, self._ranges, strict=True)
        )
        return self._array._block(tuple(moved))

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._array.source
        if source is None or not source.is_unchanged():
            return np.asarray, (self[...],)
        return Part, (self._array, self._ranges)

    @property
    def whence(self) -> tuple[Source | None, Ranges | None]:
        """The file of the other array, and the part of it that this is."""
        source, part = self._array.whence
        return source, within(part, self._ranges)

    def is_quick(self, frames: Iterable[int], planes: bool) -> bool:
        """Whether the other array's frames are."""
        return self._array.is_quick([k + self._ranges[0][0] for k in frames], planes)

    def __dask_tokenize__(self) -> Any:
        return "Part", self._array.__dask_tokenize__(), self._ranges


class Deferred(LazyArray):
    """A recording that has to be read as a whole, which it is when it is first indexed.

    Parameters
    ----------
    source : the file, and how it is read.
    shape : (T, Z, Y, X).
    dtype : of the values.
    """

    def __init__(self, source: Source, shape: tuple[int, ...], dtype: Any) -> None:
        super().__init__(shape, dtype)
        self.source: Source = source
        self._held: Any = None
        self._reading = threading.Lock()

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        with self._reading:
            if self._held is None:
                self._held = _opened(self.source)
        return np.array(self._held[tuple(as_slice(r) for r in ranges)])

    def is_quick(self, frames: Iterable[int], planes: bool) -> bool:
        """Once it was read."""
        return self._held is not None


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


class ScaledArray(PlanarArray):
    """``stored * slope + intercept`` as float32, computed when indexed.

    Parameters
    ----------
    stored : ``(T, Z, Y, X)``, usually lazy.
    slope, intercept : of the file's scaling.
    """

    def __init__(self, stored: Any, slope: float, intercept: float) -> None:
        super().__init__(stored.shape, np.float32)
        self._stored, self._slope, self._intercept = stored, slope, intercept
        self.in_a_stream = getattr(stored, "in_a_stream", False)

    def _planes(self, t: int, z: range) -> NDArray[Any]:
        planes = self._stored[t, as_slice(z)]
        with np.errstate(
            all="ignore"
        ):  # what float32 cannot hold becomes infinite, and that is said when it is used
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
        self,
        read_page: Callable[[int], NDArray[Any]],
        pages: NDArray[np.intp],
        plane: tuple[int, int],
        dtype: Any,
        path: Path,
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
                    f"{self._path} is damaged: plane {k} of frame {t} cannot be decoded; copy or"
                    " export it again."
                ) from error
        return out
