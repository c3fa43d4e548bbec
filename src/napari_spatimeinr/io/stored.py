"""Uncompressed voxels that stay in their file: read when they are indexed, never mapped.

A mapped file that another program truncates kills the process that looks at it; a read that comes
back short is an error.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from ..data.indexing import as_slice
from ..errors import FormatError
from .lazy import LazyArray

MOST_AT_ONCE = 2**30
"""Bytes of one read: macOS refuses 2**31 and more, Linux reads fewer."""


class StoredFile:
    """A file held open for reading, until it is let go; safe for threads and for processes that
    were forked.

    What was opened stays readable when another file takes its name, or none does. Once it is
    changed itself nothing of it can be trusted.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        )
        weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        self._made = self._stamp()

    def fill(self, view: memoryview, offset: int) -> None:
        """Read into all of ``view`` (bytes) what is at ``offset``.

        Raises
        ------
        FormatError
            If the file was truncated or written to since it was opened, or cannot be read.
        """
        changed = f"{self.path} was changed or truncated since it was opened; open it again."
        try:
            got = 0
            while got < len(view):
                n = self._read(view[got:], offset + got)
                if n == 0:
                    raise FormatError(changed)
                got += n
            if self._stamp() != self._made:
                raise FormatError(changed)
        except FormatError:
            raise
        except OSError as error:
            raise FormatError(
                f"{self.path} cannot be read ({error.strerror or error}); open it again."
            ) from error

    def _read(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [view[:MOST_AT_ONCE]], offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            block = os.read(self._descriptor, min(len(view), 2**24))
        view[: len(block)] = block
        return len(block)

    def _stamp(self) -> tuple[int, int]:
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns


METHODS = frozenset(name for name in dir(np.ndarray) if not name.startswith("_")) - {
    "data",
    "base",
    "ctypes",
    "flat",
    "strides",
}
"""What arrays can do; most of it takes the values of all voxels."""


class StoredArray(NDArrayOperatorsMixin, LazyArray):
    """One channel of uncompressed voxels that lie together in a file, as ``(T, Z, Y, X)``.

    It can be calculated with as an array can, which reads all of it.

    Parameters
    ----------
    path : the file.
    dtype : of the voxels, byte order included.
    offset : of the first voxel, in bytes.
    shape : as stored, the last axis fastest.
    axes : of ``shape``, out of ``TCZYX``; T, C and Z may be missing.
    channel : which one to read.
    """

    def __init__(
        self,
        path: Path,
        dtype: Any,
        offset: int,
        shape: tuple[int, ...],
        axes: str,
        channel: int = 0,
    ) -> None:
        sizes = dict(zip(axes, shape, strict=True))
        super().__init__(tuple(sizes.get(letter, 1) for letter in "TZYX"), dtype)
        self._file, self._offset, self._stored, self._axes, self._channel = (
            self._opened(path),
            offset,
            shape,
            axes,
            channel,
        )

    def _opened(self, path: Path) -> StoredFile:
        return StoredFile(path)

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self[...], name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **how: Any) -> Any:
        arrays = (value[...] if isinstance(value, StoredArray) else value for value in inputs)
        return getattr(ufunc, method)(*arrays, **how)

    def is_quick(self, frames: Iterable[int], planes: bool) -> bool:
        """Any part is: it lies in the file as it is."""
        return True

    def _block(self, ranges: tuple[range, ...]) -> NDArray[Any]:
        rising = {
            letter: r if r.step > 0 else r[::-1] for letter, r in zip("TZYX", ranges, strict=True)
        }
        wanted = [
            rising.get(letter, range(self._channel, self._channel + 1)) for letter in self._axes
        ]
        out = np.empty([len(r) for r in wanted], self.dtype)
        at_once = self._at_once(wanted)
        for place in itertools.product(*(range(len(r)) for r in wanted[:at_once])):
            start = [r[i] for r, i in zip(wanted, place, strict=False)]
            self._fill(out[place], start, wanted[at_once:])
        # The axes that are asked for, in their order and direction.
        axes = self._axes.replace("C", "")
        if "C" in self._axes:
            out = out[(slice(None),) * self._axes.index("C") + (0,)]
        out = out.transpose([axes.index(letter) for letter in "TZYX" if letter in axes])
        turned = out.reshape([len(r) for r in ranges])[
            tuple(slice(None, None, 1 if r.step > 0 else -1) for r in ranges)
        ]
        return np.ascontiguousarray(turned)

    def _at_once(self, wanted: list[range]) -> int:
        """The first of the axes that are read at once: rows, and what lies around them as long as
        all of it is wanted.
        """
        first = max(len(wanted) - 2, 0)
        while first > 0 and all(
            len(r) == n for r, n in zip(wanted[first:], self._stored[first:], strict=True)
        ):
            first -= 1
        skips = wanted[first].step > 1 and len(wanted[first]) > 1
        return first + 1 if skips and first < len(wanted) - 2 else first

    def _fill(self, out: NDArray[Any], start: list[int], wanted: list[range]) -> None:
        """Read the wanted part of all that lies at the indices ``start`` of the first axes."""
        shape = self._stored[len(start) :]
        low, high = wanted[0][0], wanted[0][-1] + 1
        strides = [math.prod(self._stored[axis + 1 :]) for axis in range(len(self._stored))]
        first = sum(i * stride for i, stride in zip([*start, low], strides, strict=False))
        block = (high - low, *shape[1:])
        whole = out.shape == block and out.flags.c_contiguous
        read = out if whole else np.empty(block, self.dtype)
        self._file.fill(
            read.reshape(-1).view(np.uint8).data, self._offset + first * self.dtype.itemsize
        )
        if not whole:
            out[...] = read[
                (as_slice(range(0, high - low, wanted[0].step)), *(as_slice(r) for r in wanted[1:]))
            ]
