"""A folder written bit by bit into ``<name>.partial`` and then swapped in; what a killed process left is picked up.

A folder cannot be replaced in one step. Between ``<name>`` going to ``<name>.old`` and ``<name>.partial`` taking its
place there may be no ``<name>``: whoever opens or writes it next puts the right one there (:func:`recover`).
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
from .atomic import followed, in_a_sentence, replacing, synced

MARKER = ".spatimeinr-partial.json"
"""In a folder being written: what it will be, and how much of it is there."""
MARK_EVERY = 1.0
"""Seconds between two notes of how far a folder is; each waits for the disk."""


class Building:
    """A folder being written.

    Parameters
    ----------
    folder : where.
    identity : what is written, as JSON values; None if nobody can tell whether another writing would be of the same.
    done : frames that are complete already.
    """

    def __init__(self, folder: Path, identity: dict[str, Any] | None, done: int) -> None:
        self.folder, self.identity, self.done = folder, identity, done
        self._marked, self._fresh = time.monotonic(), done
        if done == 0:
            self._mark(False)

    def frame_done(self, files_of: Callable[[int], list[Path]]) -> None:
        """Count a frame; now and then wait until the files of all those counted are on the disk, and note their number."""
        self.done += 1
        if self.identity is not None and time.monotonic() - self._marked >= MARK_EVERY:
            for k in range(self._fresh, self.done):
                for file in files_of(k):
                    synced(file)
            self._mark(False)
            self._marked, self._fresh = time.monotonic(), self.done

    def complete(self) -> None:
        """Note that all of it is there."""
        self._mark(True)

    def _mark(self, complete: bool) -> None:
        note = {"identity": self.identity, "frames": self.done, "complete": complete}
        with replacing(self.folder / MARKER) as temporary:
            temporary.write_text(json.dumps(note), encoding="utf-8")


def places(path: Path) -> tuple[Path, Path, Path]:
    """The folder itself (a link is followed), ``.partial`` and ``.old`` beside it."""
    target = followed(path)
    return target, target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.old")


def recover(path: Path) -> Path:
    """Where the whole folder lies: put in its place if a killed process had not got to it, read where it is if that fails."""
    target, partial, old = places(path)
    if os.path.lexists(target):
        return target
    if _note(partial).get("complete") is True:
        whole = partial
    elif old.is_dir() and not _note(old).get("removed"):
        whole = old
    else:
        return target
    try:
        os.rename(whole, target)
    except OSError:
        return whole
    return target


@contextlib.contextmanager
def building(path: Path, identity: dict[str, Any] | None, is_kind: Callable[[Path], bool]) -> Iterator[Building]:
    """Yield a folder ``<name>.partial`` that takes the place of ``<name>`` only when the block succeeds.

    With an identity, what an earlier try of the same left is gone on with, and what this one leaves on an exception stays.
    Without one, it is removed. An earlier ``<name>`` stays until the new one is complete.

    Parameters
    ----------
    path : the folder to write; a link is followed.
    identity : see :class:`Building`.
    is_kind : whether an existing folder is of the kind written here; others are not replaced.

    Raises
    ------
    SaveError
        If something else is in the way, the folder around it is missing or read-only, or the disk is full.
    """
    with in_a_sentence(path):
        target, partial, old = places(path)
        for place in (target, partial, old):
            # A process killed early leaves an unfinished marker, and nothing else.
            ours = place.is_dir() and (is_kind(place) or (place / MARKER).is_file() or _is_empty(place, place == partial))
            if os.path.lexists(place) and not ours:
                raise SaveError(f"{place} is in the way and of another kind; move it away, or choose another name.")
        recover(path)
        if old.exists():
            _remove(old)
        done = 0
        if partial.exists():
            note = _note(partial)
            if identity is not None and note.get("identity") == identity and not note.get("complete"):
                done = int(note.get("frames", 0))
            if done == 0:
                _remove(partial)
        partial.mkdir(exist_ok=True)
        try:
            build = Building(partial, identity, done)
            yield build
            build.complete()
            if target.exists():
                os.rename(target, old)
            os.rename(partial, target)
        except BaseException as error:
            if old.exists() and not target.exists():
                os.rename(old, target)
            kept = identity is not None and _note(partial).get("frames", 0) > 0
            if not kept:
                with contextlib.suppress(OSError):
                    _remove(partial)
            if kept and isinstance(error, (OSError, SpatimeINRError)):
                raise SaveError(
                    f"{_told(error, path)} What was written is in {partial.name}; saving the same again goes on there."
                ) from error
            raise
        with contextlib.suppress(OSError):
            (target / MARKER).unlink()
        with contextlib.suppress(OSError):
            _remove(old)


def _remove(folder: Path) -> None:
    """Remove a folder, its marker last: what a process killed meanwhile leaves is known as ours, and as no image."""
    if not folder.exists():
        return
    with contextlib.suppress(OSError, SpatimeINRError), replacing(folder / MARKER) as temporary:
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


def _note(folder: Path) -> dict[str, Any]:
    try:
        note = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
