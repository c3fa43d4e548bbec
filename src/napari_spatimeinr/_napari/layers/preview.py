"""A layer's data that never computes: it shows what has been drawn so far and asks for the rest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import DuckArray
from ...data.grid import Grid
from ...data.indexing import as_slice, resolve
from ...data.recent import Recent
from ...errors import InputError
from ...field import Field
from ...volume import Volume
from . import pieces
from .pieces import Drawable, Piece, part, rough, split
from .stand_in import Rows, StandIn

MOST_CACHED = 256 * 2**20
MOST_FINE = 128_000_000
"""Voxels of a volume (or of a movie that is shown as one) that is drawn finely; a larger one stays
rough."""
AT_ONCE = 0.15
"""Seconds that a picture may take without a rough one before it."""
UPDATE_SHARE = 4.0
"""While a fit runs, a picture is renewed when this many times its cost have passed: the fit comes
first."""


class Want(Protocol):
    """Asks the engine for a picture; with ``later``, after everything else that is wanted."""

    def __call__(self, picture: PreviewArray, key: Any, later: bool = False) -> None: ...


class _Newer(Exception):
    """Something newer is wanted than what is being drawn."""


class PreviewArray(DuckArray):
    """A rendering of a Field as napari wants its data, without ever computing in ``__getitem__``.

    Parameters
    ----------
    volume : the recording that is previewed; shown (blended linearly) until something has been
        drawn.
    grid : where the preview's voxels lie.
    axes : which of ``tzyx`` the layer has; the others have one sample.
    want : called with ``(self, key)`` when something has to be drawn; any thread.
    """

    def __init__(self, volume: Volume, grid: Grid, axes: str, want: Want) -> None:
        self.volume, self.grid, self.axes = volume, grid, axes
        self._want = want
        self._kept = ["tzyx".index(a) for a in axes]
        self.shape = tuple(grid.shape[i] for i in self._kept)
        self.dtype = np.dtype(np.float32)
        self._field: Field | None = None
        self._array: Drawable | None = None
        self._generation = 0
        self._final = True
        self._drawn: Recent[Rows, tuple[int, NDArray[np.float32]]] = Recent(
            MOST_CACHED, lambda drawn: drawn[1].nbytes
        )
        self._last: dict[tuple[int, ...], Rows] = {}  # what was drawn last of a shape
        self._shown: Rows | None = None
        self._drawn_at, self._cost = -math.inf, 0.0
        self._pace = 0.0  # seconds a voxel took of what everything was there for
        # What is being drawn: key, generation, voxels, pieces still to do. The engine's alone.
        self._begun: tuple[Rows, int, NDArray[np.float32], list[Piece]] | None = None
        self._drawing: Rows | None = None
        self._lock = threading.Lock()
        self._stand_in = StandIn(volume, grid)

    @property
    def field(self) -> Field | None:
        """What is drawn, None before there is anything and where it is more than one."""
        return self._field

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise InputError(
            "This layer is a preview that is computed while it is looked at; use 'Render to layer'"
            " or 'Save as...' in the SpatimeINR dock, and deselect it to save other layers."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> PreviewArray:
        """A duplicated layer shows the same, drawn by itself."""
        other = PreviewArray(self.volume, self.grid, self.axes, self._want)
        if self._field is not None:
            other.update(self._field, self._final)
        return other

    def update(self, field: Field, final: bool) -> None:
        """Draw this Field from now on; what was drawn before stays visible until it is replaced.

        ``final`` says that the field will not change again soon: volumes are drawn finely.
        """
        self._field = field
        self.show(field.picture(self.grid), final)

    def show(self, array: Drawable, final: bool) -> None:
        """The same with an array on this grid."""
        with self._lock:
            self._array, self._final = array, final
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
            ready = self._array is not None and self._drawing != rows
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
        """The recording itself where that is quickly shown; else what was drawn last."""
        shown = self._stand_in.at(rows)
        if shown is not None:
            return shown
        shape = tuple(len(range(*r)) for r in rows)
        with self._lock:
            last = self._last.get(shape)
            drawn = None if last is None else self._drawn.find(last)
        return np.zeros(shape, np.float32) if drawn is None else drawn[1]

    # -- what the engine calls ----------------------------------------------------------

    def draw(self, key: Rows, superseded: Callable[[], bool]) -> bool:
        """Compute what was asked for: what takes long roughly first, then piece by piece.

        What gives way to something newer goes on where it was when its turn comes again. What is
        not looked at any more is left out.

        Returns
        -------
        Whether there is something new to show.
        """
        began = time.monotonic()
        with self._lock:
            left_out = key != self._shown
            self._drawing = key
        try:
            return not left_out and self._draw(key, superseded)
        finally:
            with self._lock:
                self._drawing = None
                self._drawn_at = time.monotonic()
                self._cost = self._drawn_at - began

    def ahead(self) -> Iterator[None]:
        """Prepare what lies around what is looked at, piece by piece; ends when something else
        is.
        """
        with self._lock:
            key, array = self._shown, self._array
            if key is None or array is None or not self._final:
                return
        if not _is_plane(key):
            return
        for _ in array.ahead(_slices(key)):
            with self._lock:
                if self._shown != key or self._array is not array:
                    return
            yield

    def leave(self) -> None:
        """Nobody looks at it any more."""
        with self._lock:
            self._shown = None

    def _draw(self, key: Rows, superseded: Callable[[], bool]) -> bool:
        with self._lock:
            array, generation, final = self._array, self._generation, self._final
            known = self._drawn.find(key)
        if array is None or (known is not None and known[0] == generation):
            return False
        size = math.prod(_shape(key))
        fine = size <= (MOST_FINE if final else pieces.COARSE)
        at_once = known is not None or self._is_quick(array, key)
        if not (fine and at_once):
            # Kept as an older generation if the fine one follows: it is shown, and the fine one
            # still wanted.
            self._keep(key, generation - 1 if fine else generation, rough(array, key))
            if fine:
                self._want(self, key, later=True)
            return True
        out = self._piece_by_piece(array, key, generation, superseded)
        if out is None:
            self._want(self, key, later=True)
            return False
        self._keep(key, generation, out)
        return True

    def _is_quick(self, array: Drawable, key: Rows) -> bool:
        """Whether it is drawn so soon that a rough picture before it would only flicker."""
        size = math.prod(_shape(key))
        most = AT_ONCE / self._pace if self._pace else pieces.COARSE
        return size <= most and (size == 0 or array.is_warm(_slices(key)))

    def _piece_by_piece(
        self, array: Drawable, key: Rows, generation: int, superseded: Callable[[], bool]
    ) -> NDArray[np.float32] | None:
        """All of it, or None where something newer came in between."""
        if self._begun is None or self._begun[:2] != (key, generation):
            self._begun = (key, generation, np.empty(_shape(key), np.float32), split(key))
        _, _, out, left = self._begun

        def watch(_: int) -> None:
            if superseded():
                raise _Newer

        try:
            while left:
                piece = _slices(part(key, left[0]))
                # What is given up in the middle leaves the tiles it has made: next time it is
                # either quick, and done to its end, or has fewer of them to make.
                warm, began = array.is_warm(piece), time.monotonic()
                array.watch = None if warm else watch
                out[left[0]] = array[piece]
                if warm:
                    self._pace = (time.monotonic() - began) / out[left[0]].size
                del left[0]
                if left and superseded():
                    return None
        except _Newer:
            return None
        finally:
            array.watch = None
        self._begun = None
        return out

    def _keep(self, key: Rows, generation: int, data: NDArray[np.float32]) -> None:
        with self._lock:
            self._drawn.keep(key, (generation, data))
            self._last[data.shape] = key


def _shape(key: Rows) -> tuple[int, ...]:
    return tuple(len(range(*r)) for r in key)


def _slices(key: Rows) -> tuple[slice, ...]:
    return tuple(as_slice(range(*r)) for r in key)


def _is_plane(key: Rows) -> bool:
    shape = _shape(key)
    return shape[0] == 1 and 1 in shape[1:]
