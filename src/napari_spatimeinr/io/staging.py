"""A folder written bit by bit into ``<name>.partial`` and then swapped in; what a killed process
left is picked up.

A folder cannot be replaced in one step. Between ``<name>`` going to ``<name>.old`` and
``<name>.partial`` taking its place there may be no ``<name>``: whoever opens or writes it next puts
the right one there (:func:`recover`). All of it is done by one process at a time (:mod:`.locks`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import SaveError, SpatimeINRError
from .atomic import (
    WAIT,
    HeldError,
    followed,
    in_a_sentence,
    remove_stale,
    replaced,
    swapping,
    synced,
)
from .locks import alone
from .names import check

MARKER = ".spatimeinr-partial.json"
"""In a folder being written: what it will be, and how much of it is there."""
SWAP_WAIT = 10.0
"""Seconds that a reader waits for the two renames of a swap."""
MARK_EVERY = 1.0
"""Seconds between two notes of how far a folder is; each waits for the disk."""


class Building:
    """A folder being written.

    Parameters
    ----------
    folder : where.
    identity : what is written, as JSON values; None if nobody can tell whether another writing
        would be of the same.
    done : frames that are complete already.
    """

    def __init__(self, folder: Path, identity: dict[str, Any] | None, done: int) -> None:
        self.folder, self.identity, self.done = folder, identity, done
        self._marked, self._fresh = time.monotonic(), done
        if done == 0:
            self._mark(False)

    def frame_done(self, files_of: Callable[[int], list[Path]]) -> None:
        """Count a frame; now and then wait until the files of all those counted are on the disk,
        and note their number.
        """
        self.done += 1
        if self.identity is not None and time.monotonic() - self._marked >= MARK_EVERY:
            for k in range(self._fresh, self.done):
                for file in files_of(k):
                    synced(file)
            self._mark(False)
            self._marked, self._fresh = time.monotonic(), self.done

    def discard(self) -> None:
        """Note that nothing of it is good, so that it is not gone on with."""
        self.done = 0
        self._mark(False)

    def complete(self) -> None:
        """Note that all of it is there."""
        self._mark(True)

    def _mark(self, complete: bool) -> None:
        note = {"identity": self.identity, "frames": self.done, "complete": complete}
        with swapping(self.folder / MARKER) as temporary:
            temporary.write_text(json.dumps(note), encoding="utf-8")


def places(path: Path) -> tuple[Path, Path, Path]:
    """The folder itself (a link is followed), ``.partial`` and ``.old`` beside it."""
    target = followed(path)
    return (
        target,
        target.with_name(f"{target.name}.partial"),
        target.with_name(f"{target.name}.old"),
    )


def recover(path: Path) -> Path:
    """Where the whole folder lies: put in its place if a killed process had not got to it, read
    where it is if that fails.
    """
    target, partial, old = places(path)
    if os.path.lexists(target) or _whole(partial, old) is None:
        return target
    try:
        with alone(target, SWAP_WAIT):
            return _recover(target, partial, old)
    except OSError:  # nothing may be written here, or a writer is at it
        return target if os.path.lexists(target) else _whole(partial, old) or target


def _recover(target: Path, partial: Path, old: Path) -> Path:
    """The same, while no other process is at it."""
    whole = None if os.path.lexists(target) else _whole(partial, old)
    if whole is None:
        return target
    try:
        os.replace(whole, target)
    except OSError:
        return whole
    return target


def _whole(partial: Path, old: Path) -> Path | None:
    """Which of the two is a whole folder, the newer one first."""
    if note_of(partial).get("complete") is True:
        return partial
    return old if old.is_dir() and not note_of(old).get("removed") else None


@contextlib.contextmanager
def building(
    path: Path, identity: dict[str, Any] | None, is_kind: Callable[[Path], bool]
) -> Iterator[Building]:
    """Yield a folder ``<name>.partial`` that takes the place of ``<name>`` only when the block
    succeeds.

    With an identity, what an earlier try of the same left is gone on with, and what this one leaves
    on an exception stays. Without one, it is removed. An earlier ``<name>`` stays until the new one
    is complete.

    Parameters
    ----------
    path : the folder to write; a link is followed.
    identity : see :class:`Building`.
    is_kind : whether an existing folder is of the kind written here; others are not replaced.

    Raises
    ------
    SaveError
        If another process writes it, something else is in the way, the folder around it is missing
        or read-only, or the disk is full.
    """
    with in_a_sentence(path):
        target, partial, old = places(check(followed(path)))
        with alone(target, named=path):
            _made_room(target, partial, old, is_kind)
            done = _done(partial, identity)
            if partial.exists() and done == 0:
                remove(partial)
            partial.mkdir(exist_ok=True)
            remove_stale(partial / MARKER)
            try:
                build = Building(partial, identity, done)
                yield build
                build.complete()
                _swap(target, partial, old)
            except BaseException as error:
                _leave(path, partial, identity, error)
                raise
            with contextlib.suppress(OSError):
                (target / MARKER).unlink()
            with contextlib.suppress(OSError):
                remove(old)


def swap_in(path: Path, made: Path, is_kind: Callable[[Path], bool], wait: float = WAIT) -> None:
    """Put a folder that is whole in the place of a name; what was there goes.

    Parameters
    ----------
    path, is_kind : see :func:`building`.
    made : the folder, on the same file system.
    wait : seconds to wait for another writer of the name.

    Raises
    ------
    SaveError
        If it cannot be replaced, see :func:`building`; what was made then stays where it is.
    """
    with in_a_sentence(path):
        target, partial, old = places(check(followed(path)))
        with alone(target, wait, path):
            _made_room(target, partial, old, is_kind)
            _swap(target, made, old)
            with contextlib.suppress(OSError):
                remove(old)


def check_kind(path: Path, is_kind: Callable[[Path], bool]) -> None:
    """Refuse a name where something else is in the way.

    Raises
    ------
    SaveError
        If what is there, or beside it under a name that writing takes, is of another kind.
    """
    target, partial, old = places(check(followed(path)))
    for place in (target, partial, old):
        # A process killed early leaves an unfinished marker, and nothing else.
        ours = place.is_dir() and (
            is_kind(place) or (place / MARKER).is_file() or _is_empty(place, place == partial)
        )
        if os.path.lexists(place) and not ours:
            raise SaveError(
                f"{place} is in the way and of another kind; move it away, or choose another name."
            )


def _made_room(target: Path, partial: Path, old: Path, is_kind: Callable[[Path], bool]) -> None:
    """Put right what a killed process left, once only such as may be replaced is there."""
    check_kind(target, is_kind)
    _recover(target, partial, old)
    if old.exists():
        remove(old)


def _done(partial: Path, identity: dict[str, Any] | None) -> int:
    """How many frames of the same an earlier try left."""
    note = note_of(partial)
    return (
        int(note.get("frames", 0))
        if identity is not None and note.get("identity") == identity
        else 0
    )


def _swap(target: Path, partial: Path, old: Path) -> None:
    if target.exists():
        replaced(target, old)
    try:
        replaced(partial, target)
    except BaseException:
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise


def _leave(
    path: Path, partial: Path, identity: dict[str, Any] | None, error: BaseException
) -> None:
    """Keep what the same writing can go on with, and say so; remove what it cannot."""
    note = note_of(partial)
    if isinstance(error, HeldError) and note.get("complete"):
        raise SaveError(f"{error} What was written is in {partial.name}.") from error
    if identity is None or note.get("frames", 0) == 0:
        with contextlib.suppress(OSError):
            remove(partial)
    elif isinstance(error, (OSError, SpatimeINRError)):
        raise SaveError(
            f"{_told(error, path)} What was written is in {partial.name}; saving the same again"
            " goes on there."
        ) from error


def remove(folder: Path) -> None:
    """Remove a folder, its marker last: what a process killed meanwhile leaves is known as ours,
    and as no image.
    """
    if not folder.exists():
        return
    with contextlib.suppress(OSError, SpatimeINRError), swapping(folder / MARKER) as temporary:
        temporary.write_text(json.dumps({"removed": True}), encoding="utf-8")
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name != MARKER:
            os.unlink(entry.path)
    shutil.rmtree(folder)


def _is_empty(folder: Path, but_hidden: bool) -> bool:
    return not any(not (but_hidden and entry.name.startswith(".")) for entry in folder.iterdir())


def _told(error: BaseException, path: Path) -> str:
    if isinstance(error, SpatimeINRError):
        return str(error)
    try:
        with in_a_sentence(path):
            raise error
    except SaveError as told:
        return str(told)


def note_of(folder: Path) -> dict[str, Any]:
    """What the marker in a folder says; {} where there is none."""
    try:
        note = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
