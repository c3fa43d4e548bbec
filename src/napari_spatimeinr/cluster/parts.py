"""A share of a rendering: its pieces, and the image once all of them are there.

Any number of processes may be at it, with the same share or with others: a piece that another one
computes is left to it, and done again only if it is not there in the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SaveError
from ..io.atomic import in_a_sentence
from ..io.locks import MOMENT, alone
from ..io.pyramid import coarser
from ..io.staging import swap_in
from ..io.zarr import is_zarr
from .plan import Piece, Rendering, share
from .store import Store, discard, is_complete, opened

Seen = Callable[[str, int, int], None]
"""Told what is being done, how many pieces of it are done, and of how many."""


@dataclass
class Outcome:
    """What came of a share.

    pieces : in the share.
    rendered : of them (and of others that were lost), by this process.
    left : pieces of the whole image without a marker.
    complete : whether the image is there.
    """

    pieces: int
    rendered: int = 0
    left: int = 0
    complete: bool = False


def render_part(
    rendering: Rendering, index: int = 1, count: int = 1, seen: Seen | None = None
) -> Outcome:
    """Render what is missing of a share, and complete the image if nothing is missing of it then.

    Parameters
    ----------
    rendering : what is rendered.
    index, count : which share, from 1, of how many.
    seen : told of progress; what it raises ends the work, and what is done stays.

    Raises
    ------
    ConfigError
        If there is no such share.
    SaveError
        If the image was begun as another rendering or cannot be written.
    """
    mine = share(rendering.pieces, index, count)
    out = Outcome(len(mine))
    tell = seen or (lambda *_: None)
    with in_a_sentence(rendering.target):
        store = opened(rendering)
        if store is None:
            out.complete = True
            return out
        try:
            _work(store, mine, out, tell)
        except FileNotFoundError:
            # Another process may have completed the image, and removed all else.
            if not is_complete(rendering):
                raise
            out.complete, out.left = True, 0
    return out


def _work(store: Store, mine: Sequence[Piece], out: Outcome, tell: Seen) -> None:
    while True:
        for k, rendered in enumerate(_rendered(store, mine), start=1):
            out.rendered += rendered
            tell("rendering", min(k, len(mine)), len(mine))
        done = store.done()
        out.left = sum(piece.name not in done for piece in store.rendering.pieces)
        if out.left:
            return
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(alone(store.folder, MOMENT))
            except SaveError:  # another process is completing it
                return
            mine = _lost(store)
            if not mine:
                _complete(store, tell)
                out.complete = True
                return


def _rendered(store: Store, mine: Sequence[Piece]) -> Iterator[bool]:
    """Render what has no marker; for each piece whether it was done here."""
    others, done = [], store.done()
    for piece in mine:
        if piece.name in done:
            yield False
            continue
        with store.claimed(piece) as ours:
            if ours:
                yield _put(store, piece)
            else:
                others.append(piece)
    # What others were at, unless they have ended it by now: they may be dead.
    for piece in others:
        yield _put(store, piece)


def _put(store: Store, piece: Piece) -> bool:
    if store.is_done(piece):
        return False
    store.put(piece, store.rendering.computed(piece))
    return True


def _lost(store: Store) -> list[Piece]:
    """Pieces to render again, since their files are not there, whatever their markers say."""
    done = store.done()
    known = [Piece(0, place) for place in store.rendering.levels[0].places()]
    for pieces in store.rendering.levels[1:]:
        known += [Piece(pieces.level, place) for place in pieces.places()]
    gone = [piece for piece in known if piece.name in done and not store.is_stored(piece)]
    for piece in gone:
        store.forget(piece)
    return [piece for piece in gone if piece.level == 0]


def _complete(store: Store, tell: Seen) -> None:
    """Make the coarser levels, and put the image in its place; the lock of the folder is held."""
    for level in store.rendering.levels[1:]:
        pieces = [Piece(level.level, place) for place in level.places()]
        for k, piece in enumerate(pieces, start=1):
            if not store.is_done(piece):
                store.put(piece, _coarser(store, piece))
            tell("coarser levels", k, len(pieces))
    swap_in(store.rendering.target, store.image, is_zarr)
    discard(store.folder)


def _coarser(store: Store, piece: Piece) -> NDArray[Any]:
    """The voxels of a piece, from those of the level before."""
    import zarr

    image = store.rendering.image
    fine: Any = zarr.open_array(store=str(store.image / str(piece.level - 1)), mode="r")
    two = image.levels[piece.level], image.levels[piece.level - 1]
    steps = [a // b for a, b in zip(*two, strict=True)]
    t, *space = store.rendering.levels[piece.level].region(piece.place)
    inside = (slice(r.start * s, r.stop * s) for r, s in zip(space, steps, strict=True))
    return np.stack([coarser(frame, steps) for frame in fine[(t, *inside)]])
