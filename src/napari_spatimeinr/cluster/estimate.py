"""What a rendering in pieces takes, measured on some of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ..compute.device import peak_memory
from ..compute.threads import chosen
from ..io.zarr.unfinished import folder_of
from ..model.compiled import wait_for_rendering
from .plan import Piece, Rendering
from .store import Store, is_complete

PATIENCE = 30.0
"""Seconds after which no further piece is tried."""
PART = 3600.0
"""Seconds that a part is to take, so that it is soon begun and one that is lost costs little."""
MOST_PARTS = 1000
"""SLURM's usual limit of an array is 1001."""


@dataclass(frozen=True)
class Estimate:
    """What a rendering takes.

    chunks : pieces of the finest level, each one file.
    done : of them, by what was begun.
    seconds : of one, on this machine.
    memory : bytes that a process takes at most.
    bytes : of the image, not compressed.
    stored : the same on the disk, if all compress as what was tried.
    threads : that it was measured with.
    """

    chunks: int
    done: int
    seconds: float
    memory: int
    bytes: int
    stored: int
    threads: int

    @property
    def left(self) -> float:
        """Seconds for what is missing, by one process."""
        return (self.chunks - self.done) * self.seconds

    @property
    def parts(self) -> int:
        """A number of parts of about an hour each."""
        return max(1, min(-(-int(self.left) // int(PART)), self.chunks, MOST_PARTS))


def estimate(rendering: Rendering, patience: float = PATIENCE) -> Estimate:
    """Render a few pieces, and tell from them what all take; nothing is written.

    Pieces of one region between two frames are rendered, which share what is encoded, then those of
    the next region, which are timed unless the first ones took long.

    Parameters
    ----------
    rendering : what is rendered.
    patience : seconds after which no further piece is tried.
    """
    wait_for_rendering(rendering.field.device)
    groups = _groups(rendering)
    middle = len(groups) // 2
    tried, seconds, stored, raw = 0, 0.0, 0, 0
    for pieces in groups[middle : middle + 2]:
        if seconds > patience:
            break
        tried, began = 0, time.monotonic()
        for piece in pieces:
            values = rendering.computed(piece)
            stored += len(rendering.levels[0].encoded(values))
            raw += values.nbytes
            tried += 1
            seconds = time.monotonic() - began
            if seconds > patience:
                break
    with chosen() as threads:
        used = threads
    whole = rendering.image.nbytes
    return Estimate(
        chunks=len(rendering.pieces),
        done=_done(rendering),
        seconds=seconds / tried,
        memory=peak_memory() + rendering.array.room,
        bytes=whole,
        stored=round(whole * stored / raw),
        threads=used,
    )


def _groups(rendering: Rendering) -> list[list[Piece]]:
    """Pieces of one region between two frames."""
    times = rendering.field.grid.to_index(rendering.array.grid.coordinates(0), 0)
    unit = rendering.levels[0].unit[0]

    def shared(piece: Piece) -> tuple[int, ...]:
        return (int(times[piece.place[0] * unit]), *piece.place[1:])

    groups: Iterable[tuple[object, Iterable[Piece]]] = itertools.groupby(rendering.pieces, shared)
    return [list(pieces) for _, pieces in groups]


def _done(rendering: Rendering) -> int:
    """Pieces that are there already."""
    if is_complete(rendering):
        return len(rendering.pieces)
    if not folder_of(rendering.target).is_dir():
        return 0
    done = Store(rendering).done()
    return sum(piece.name in done for piece in rendering.pieces)
