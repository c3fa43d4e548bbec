"""A layer's data that never computes: it shows what has been drawn so far and asks for the rest."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..axes import Grid
from ..errors import InputError
from ..field import Field
from ..io.lazy import LazyArray
from ..rendered import RenderedArray
from ..volume import Volume

MOST_CACHED = 256 * 2**20
SMALL = 2_000_000
"""Voxels the placeholder may have: it is made in the main thread, in some 10 ms."""
COARSE = 250_000
"""Voxels of the first pass over a volume."""
UPDATE_SHARE = 4.0
"""While a fit runs, a picture is renewed when this many times its cost have passed: the fit comes first."""
SLAB = 1_000_000
"""Voxels drawn before asking whether something newer is wanted."""

Rows = tuple[tuple[int, int, int], ...]
"""For t, z, y, x: first index, last index (or -1), step; what is drawn and kept under one key."""


class Want(Protocol):
    """Asks the engine for a picture; with ``later``, after everything else that is wanted."""

    def __call__(self, picture: PreviewArray, key: Any, later: bool = False) -> None: ...


class PreviewArray:
    """A rendering of a Field as napari wants its data, without ever computing in ``__getitem__``.

    Parameters
    ----------
    volume : the recording that is previewed; shown (blended linearly) until something has been drawn.
    grid : where the preview's voxels lie.
    axes : which of ``tzyx`` the layer has; the others have one sample.
    want : called with ``(self, key)`` when something has to be drawn; any thread.
    make : the array to draw from, of a Field and the grid.
    """

    def __init__(
        self,
        volume: Volume,
        grid: Grid,
        axes: str,
        want: Want,
        make: Callable[[Field, Grid], Any] = Field.on_grid,
    ) -> None:
        self.volume, self.grid, self.axes = volume, grid, axes
        self._want, self._make = want, make
        self._kept = ["tzyx".index(a) for a in axes]
        self.shape = tuple(grid.shape[i] for i in self._kept)
        self.ndim = len(axes)
        self.dtype = np.dtype(np.float32)
        self._field: Field | None = None
        self._array: RenderedArray | None = None
        self._generation = 0
        self._final = True
        self._drawn: OrderedDict[Rows, tuple[int, NDArray[np.float32]]] = OrderedDict()
        self._shown: Rows | None = None
        self._drawn_at, self._cost = -math.inf, 0.0
        self._lock = threading.Lock()
        # The source's indices of the preview's samples, for the placeholder.
        self._index = [np.clip(volume.grid.to_index(grid.coordinates(a), a), 0, volume.shape[a] - 1) for a in range(4)]

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes it would take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def field(self) -> Field | None:
        """What is drawn, None before there is anything."""
        return self._field

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise InputError(
            "This layer is a preview that is computed while it is looked at; use 'Render to layer' or 'Save as...' in the SpatimeINR dock."
        )

    def update(self, field: Field, final: bool) -> None:
        """Draw this Field from now on; what was drawn before stays visible until it is replaced.

        ``final`` says that the field will not change again soon: volumes are drawn finely.
        """
        array = self._make(field, self.grid)
        with self._lock:
            self._field, self._array, self._final = field, array, final
            self._generation += 1
            shown = self._shown
            often = time.monotonic() - self._drawn_at < UPDATE_SHARE * self._cost
        if shown is not None and (final or not often):
            self._want(self, shown)

    def is_fresh(self) -> bool:
        """Whether what is looked at shows the newest Field."""
        with self._lock:
            known = None if self._shown is None else self._drawn.get(self._shown)
            return known is not None and known[0] == self._generation

    # -- what napari calls --------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        rows, dropped = self._rows(key)
        with self._lock:
            self._shown = rows
            known = self._drawn.get(rows)
            if known is not None:
                self._drawn.move_to_end(rows)
            fresh = known is not None and known[0] == self._generation
            ready = self._array is not None
        if not fresh and ready:
            self._want(self, rows)
        data = known[1] if known is not None else self._placeholder(rows)
        keep = tuple(0 if i not in self._kept or i in dropped else slice(None) for i in range(4))
        return data[keep]

    def _rows(self, key: Any) -> tuple[Rows, set[int]]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            dots = keys.index(Ellipsis)
            keys[dots : dots + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        rows: list[tuple[int, int, int]] = [(0, 1, 1)] * 4
        dropped: set[int] = set()
        for axis, k in zip(self._kept, keys, strict=True):
            n = self.grid.shape[axis]
            if isinstance(k, slice):
                rows[axis] = k.indices(n)
            else:
                i = int(k)
                if not -n <= i < n:
                    raise IndexError(f"Index {i} is out of range for an axis of size {n}.")
                rows[axis] = (i % n, i % n + 1, 1)
                dropped.add(axis)
        return tuple(rows), dropped

    def _placeholder(self, rows: Rows) -> NDArray[np.float32]:
        """The recording itself at the nearest voxels, linear in time, where that is quickly done; else what was drawn last."""
        at = [self._index[a][slice(*r)] for a, r in enumerate(rows)]
        shape = tuple(len(i) for i in at)
        few = len(at[0]) == 1 and len(at[1]) == 1
        quick = isinstance(self.volume.data, np.ndarray) or (isinstance(self.volume.data, LazyArray) and few)
        if not quick or math.prod(shape) > SMALL or not all(shape):
            with self._lock:
                last = next((data for _, data in reversed(self._drawn.values()) if data.shape == shape), None)
            return np.zeros(shape, np.float32) if last is None else last
        where = [np.rint(i).astype(int) for i in at[1:]]
        out = np.empty(shape, np.float32)
        for n, t in enumerate(at[0]):
            first = int(t)
            share = np.float32(t - first)
            out[n] = self._voxels(first, where)
            if share > 0:
                out[n] += share * (self._voxels(first + 1, where) - out[n])
        return out

    def _voxels(self, k: int, where: list[NDArray[np.intp]]) -> NDArray[np.float32]:
        """Voxels of frame k at indices along z, y, x; only the planes they lie in are read."""
        low, high = int(where[0][0]), int(where[0][-1]) + 1
        planes = np.asarray(self.volume.data[k, low:high], np.float32)
        return planes[np.ix_(where[0] - low, *where[1:])]

    # -- what the engine calls ----------------------------------------------------------

    def draw(self, key: Rows, superseded: Callable[[], bool]) -> None:
        """Compute what was asked for: planes at once; volumes coarsely first, then slab by slab."""
        began = time.monotonic()
        self._draw(key, superseded)
        with self._lock:
            self._drawn_at = time.monotonic()
            self._cost = self._drawn_at - began

    def _draw(self, key: Rows, superseded: Callable[[], bool]) -> None:
        with self._lock:
            array, generation, final = self._array, self._generation, self._final
            known = self._drawn.get(key)
        if array is None or (known is not None and known[0] == generation):
            return
        slices = tuple(slice(*r) for r in key)
        shape = tuple(len(range(*r)) for r in key)
        if math.prod(shape) <= COARSE or (final and 1 in shape[1:]):
            self._keep(key, generation, np.asarray(array[slices]))
            return
        if known is None or not final:
            step = math.ceil((math.prod(shape) / COARSE) ** (1 / 3))
            thin = tuple(slice(r[0], r[1], r[2] * (1 if n == 1 else step)) for r, n in zip(key, shape, strict=True))
            rough = np.asarray(array[thin])
            for axis, n in enumerate(shape):
                if n > 1:
                    rough = np.repeat(rough, step, axis).take(range(n), axis) if axis else rough.repeat(step, 0)[:n]
            # Kept as an older generation: it is shown, and the fine one is still wanted.
            self._keep(key, generation if not final else generation - 1, rough)
            if final:
                self._want(self, key, later=True)
            return
        out = np.empty(shape, np.float32)
        thick = max(1, SLAB // math.prod(shape[2:]))
        for t, z in itertools.product(range(shape[0]), range(0, shape[1], thick)):
            if superseded():
                self._want(self, key, later=True)
                return
            first, _, step = key[1]
            part = slice(first + z * step, first + min(z + thick, shape[1]) * step, step)
            out[t, z : z + thick] = array[(key[0][0] + t * key[0][2], part, *slices[2:])]
        self._keep(key, generation, out)

    def _keep(self, key: Rows, generation: int, data: NDArray[np.float32]) -> None:
        with self._lock:
            self._drawn[key] = (generation, data)
            self._drawn.move_to_end(key)
            while sum(a.nbytes for _, a in self._drawn.values()) > MOST_CACHED and len(self._drawn) > 1:
                self._drawn.popitem(last=False)
