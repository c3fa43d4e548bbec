"""A layer's data that never computes: it shows what has been drawn so far and asks for the rest."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import DuckArray
from ...data.grid import Grid
from ...data.indexing import resolve
from ...data.recent import Recent
from ...errors import FormatError, InputError
from ...field import Field
from ...io.lazy import LazyArray
from ...render.array import RenderedArray
from ...volume import Volume

MOST_CACHED = 256 * 2**20
SMALL = 2_000_000
"""Voxels the placeholder may have: it is made in the main thread, in some 10 ms."""
MOST_FINE = 128_000_000
"""Voxels of a volume (or of a movie that is shown as one) that is drawn at all scales; a larger one
stays coarse."""
COARSE = 250_000
"""Voxels of the first pass over a volume."""
UPDATE_SHARE = 4.0
"""While a fit runs, a picture is renewed when this many times its cost have passed: the fit comes
first."""
SLAB = 1_000_000
"""Voxels drawn before asking whether something newer is wanted."""

Rows = tuple[tuple[int, int, int], ...]
"""For t, z, y, x: first index, last index (or -1), step; what is drawn and kept under one key."""


class Want(Protocol):
    """Asks the engine for a picture; with ``later``, after everything else that is wanted."""

    def __call__(self, picture: PreviewArray, key: Any, later: bool = False) -> None: ...


class PreviewArray(DuckArray):
    """A rendering of a Field as napari wants its data, without ever computing in ``__getitem__``.

    Parameters
    ----------
    volume : the recording that is previewed; shown (blended linearly) until something has been
        drawn.
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
        self.dtype = np.dtype(np.float32)
        self._field: Field | None = None
        self._array: RenderedArray | None = None
        self._generation = 0
        self._final = True
        self._drawn: Recent[Rows, tuple[int, NDArray[np.float32]]] = Recent(
            MOST_CACHED, lambda drawn: drawn[1].nbytes
        )
        self._last: dict[tuple[int, ...], Rows] = {}  # what was drawn last of a shape
        self._shown: Rows | None = None
        self._drawn_at, self._cost = -math.inf, 0.0
        # A volume being drawn: key, generation, voxels, planes of a slab, slabs still to do. The
        # engine's alone.
        self._begun: tuple[Rows, int, NDArray[np.float32], int, list[tuple[int, int]]] | None = None
        self._lock = threading.Lock()
        # The source's indices of the preview's samples, for the placeholder.
        self._index = [
            np.clip(volume.grid.to_index(grid.coordinates(a), a), 0, volume.shape[a] - 1)
            for a in range(4)
        ]

    @property
    def field(self) -> Field | None:
        """What is drawn, None before there is anything."""
        return self._field

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise InputError(
            "This layer is a preview that is computed while it is looked at; use 'Render to layer'"
            " or 'Save as...' in the SpatimeINR dock, and deselect it to save other layers."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> PreviewArray:
        """A duplicated layer shows the same, drawn by itself."""
        other = PreviewArray(self.volume, self.grid, self.axes, self._want, self._make)
        if self._field is not None:
            other.update(self._field, self._final)
        return other

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
            known = None if self._shown is None else self._drawn.find(self._shown)
            return known is not None and known[0] == self._generation

    # -- what napari calls --------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        rows, dropped = self._rows(key)
        with self._lock:
            self._shown = rows
            known = self._drawn.find(rows)
            fresh = known is not None and known[0] == self._generation
            ready = self._array is not None
        if not fresh and ready:
            self._want(self, rows)
        data = known[1] if known is not None else self._placeholder(rows)
        keep = tuple(0 if i not in self._kept or i in dropped else slice(None) for i in range(4))
        return data[keep]

    def _rows(self, key: Any) -> tuple[Rows, set[int]]:
        asked = resolve(key, self.shape)
        rows: list[tuple[int, int, int]] = [(0, 1, 1)] * 4
        for axis, r in zip(self._kept, asked.ranges, strict=True):
            rows[axis] = (r.start, r.stop, r.step)
        return tuple(rows), {self._kept[axis] for axis in asked.dropped}

    def _placeholder(self, rows: Rows) -> NDArray[np.float32]:
        """The recording itself at the nearest voxels, linear in time, where that is quickly done;
        else what was drawn last.
        """
        at = [self._index[a][slice(*r)] for a, r in enumerate(rows)]
        shape = tuple(len(i) for i in at)
        if all(shape) and math.prod(shape) <= SMALL and self._is_quick(at):
            # A file that was changed or damaged is told by the drawing.
            with suppress(FormatError):
                return self._blended(at, shape)
        with self._lock:
            last = self._last.get(shape)
            drawn = None if last is None else self._drawn.find(last)
        return np.zeros(shape, np.float32) if drawn is None else drawn[1]

    def _is_quick(self, at: list[NDArray[np.float64]]) -> bool:
        data = self.volume.data
        if isinstance(data, LazyArray):
            frames = {int(k) for t in at[0] for k in (np.floor(t), np.ceil(t))}
            return data.is_quick(frames, planes=len(at[0]) == len(at[1]) == 1)
        return isinstance(data, np.ndarray)

    def _blended(
        self, at: list[NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The recording at indices along t (linear between frames), z, y, x (the
        nearest voxels).
        """
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

    def draw(self, key: Rows, superseded: Callable[[], bool]) -> bool:
        """Compute what was asked for: planes at once; volumes coarsely first, then slab by slab.

        What gives way to something newer goes on where it was when its turn comes again.

        Returns
        -------
        Whether there is something new to show.
        """
        began = time.monotonic()
        new = self._draw(key, superseded)
        with self._lock:
            self._drawn_at = time.monotonic()
            self._cost = self._drawn_at - began
        return new

    def _draw(self, key: Rows, superseded: Callable[[], bool]) -> bool:
        with self._lock:
            array, generation, final = self._array, self._generation, self._final
            known = self._drawn.find(key)
        if array is None or (known is not None and known[0] == generation):
            return False
        shape = tuple(len(range(*r)) for r in key)
        size = math.prod(shape)
        if size <= COARSE or (final and shape[0] == 1 and 1 in shape[1:] and size <= SLAB):
            self._keep(key, generation, np.asarray(array[tuple(slice(*r) for r in key)]))
            return True
        fine = final and size <= MOST_FINE
        if known is None or not fine:
            # Kept as an older generation if the fine one follows: it is shown, and the fine one
            # still wanted.
            self._keep(key, generation - 1 if fine else generation, _thinned(array, key, shape))
            if fine:
                self._want(self, key, later=True)
            return True
        out = self._slab_by_slab(array, key, shape, generation, superseded)
        if out is None:
            self._want(self, key, later=True)
            return False
        self._keep(key, generation, out)
        return True

    def _slab_by_slab(
        self,
        array: Any,
        key: Rows,
        shape: tuple[int, ...],
        generation: int,
        superseded: Callable[[], bool],
    ) -> NDArray[np.float32] | None:
        """All of it, or None where something newer came in between."""
        if self._begun is None or self._begun[:2] != (key, generation):
            thick = max(1, SLAB // math.prod(shape[2:]))
            slabs = list(itertools.product(range(shape[0]), range(0, shape[1], thick)))
            self._begun = (key, generation, np.empty(shape, np.float32), thick, slabs)
        _, _, out, thick, slabs = self._begun
        while slabs:
            t, z = slabs.pop(0)
            first, _, step = key[1]
            part = slice(first + z * step, first + min(z + thick, shape[1]) * step, step)
            out[t, z : z + thick] = array[
                (key[0][0] + t * key[0][2], part, slice(*key[2]), slice(*key[3]))
            ]
            if slabs and superseded():
                return None
        self._begun = None
        return out

    def _keep(self, key: Rows, generation: int, data: NDArray[np.float32]) -> None:
        with self._lock:
            self._drawn.keep(key, (generation, data))
            self._last[data.shape] = key


def _thinned(array: Any, key: Rows, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Every few samples along each axis, repeated to the full size."""
    step = math.ceil((math.prod(shape) / COARSE) ** (1 / sum(n > 1 for n in shape)))
    thin = tuple(
        slice(r[0], r[1], r[2] * (1 if n == 1 else step)) for r, n in zip(key, shape, strict=True)
    )
    rough = np.asarray(array[thin])
    for axis, n in enumerate(shape):
        if n > 1:
            rough = np.repeat(rough, step, axis)[
                tuple(slice(n) if a == axis else slice(None) for a in range(4))
            ]
    return rough
