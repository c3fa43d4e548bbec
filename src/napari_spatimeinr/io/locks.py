"""One writer at a time for a name, held by a lock of the operating system: it ends with its
process, however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from ..errors import SaveError
from .names import hidden

POLL = 0.05
MOMENT = 0.2
"""Seconds after which a writer is refused at the earliest: another process may only be looking
whether a name is free."""
FAR = 2**30
"""The byte that Windows locks, beyond the note, which others must be able to read."""
BELIEVED = 24 * 3600.0
"""Seconds for which a note from another host is believed, on file systems without locks."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def alone(target: Path, wait: float = MOMENT, named: Path | None = None) -> Iterator[bool]:
    """Be the only writer of a name, of all processes and threads.

    The lock is a hidden file beside the target, removed afterwards; what a killed process leaves of
    it hinders nobody. It also holds on network shares whose server knows locks. On file systems
    without locks the note in the file decides: its process is there, or, on another host, its file
    is not older than a day.

    Parameters
    ----------
    target : the file or folder; its own folder must exist.
    wait : seconds to wait for another writer.
    named : what the user calls it, if otherwise.

    Yields
    ------
    Whether it is certain that nobody else writes: what others left unfinished is then left for
    good.

    Raises
    ------
    SaveError
        If another writer is there, with its process number and since when.
    OSError
        If the folder is missing or read-only.
    """
    place, until = hidden(target, "lock"), time.monotonic() + wait
    while (got := _tried(place)) is None:
        if time.monotonic() >= until:
            raise SaveError(_who(named or target, _note(place)))
        time.sleep(POLL)
    descriptor, certain = got
    try:
        with contextlib.suppress(
            OSError
        ):  # a file of another user, whose process is gone, is locked but not written
            _write_note(descriptor)
        yield certain
    finally:
        _leave(descriptor, place)


def _tried(place: Path) -> tuple[int, bool] | None:
    """The lock's file, opened, and whether the system holds the lock; None where another writer has
    it.
    """
    while True:
        descriptor = _opened(place)
        try:
            state = _taken(descriptor)
            if state is False:
                return None
            # Whoever had it before removes the file on leaving: then this is not the one that
            # others find.
            if _is_at(descriptor, place):
                if state is None and _lives(_note(place)):
                    return None
                kept, descriptor = descriptor, -1
                return kept, state is True
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _is_at(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place))
    except FileNotFoundError:
        return False


def _opened(place: Path) -> int:
    try:
        return os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not place.exists():
            raise
        return os.open(place, os.O_RDONLY)


if sys.platform == "win32":
    import msvcrt

    def _taken(descriptor: int) -> bool | None:
        try:
            os.lseek(descriptor, FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return None if error.errno in NO_LOCKS else False
        return True

    def _leave(descriptor: int, place: Path) -> None:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # open in another process, which will remove it
            os.unlink(place)

else:
    import fcntl

    def _taken(descriptor: int) -> bool | None:
        """Whether the lock was free; None where the file system has none."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return None if error.errno in NO_LOCKS else False
        return True

    def _leave(descriptor: int, place: Path) -> None:
        with contextlib.suppress(OSError):
            os.unlink(place)
        os.close(descriptor)


def _write_note(descriptor: int) -> None:
    facts = {
        "process": os.getpid(),
        "started": psutil.Process().create_time(),
        "host": platform.node(),
        "since": time.time(),
    }
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(facts).encode())


def _note(place: Path) -> dict[str, Any]:
    try:
        note = json.loads(place.read_text(encoding="utf-8"))
        datetime.fromtimestamp(float(note["since"]))  # refuses what is no time
        return {
            "process": int(note["process"]),
            "started": float(note["started"]),
            "host": str(note["host"]),
            "since": float(note["since"]),
        }
    except (OSError, ValueError, OverflowError, TypeError, KeyError):
        return {}


def _lives(note: dict[str, Any]) -> bool:
    """Whether the process of a note is there, as far as can be told."""
    if not note:
        return False
    if note["host"] != platform.node():
        return time.time() - note["since"] < BELIEVED
    try:
        return abs(psutil.Process(note["process"]).create_time() - note["started"]) < 2
    except psutil.Error:
        return False


def _who(named: Path, note: dict[str, Any]) -> str:
    if not note:
        return (
            f"{named} is being written by another process; wait until it has ended, or choose"
            " another name."
        )
    since = datetime.fromtimestamp(note["since"]).strftime("%Y-%m-%d %H:%M:%S")
    here = note["host"] == platform.node()
    if here and note["process"] == os.getpid():
        return (
            f"{named} is being written already, since {since}; wait until that has ended, or choose"
            " another name."
        )
    where = "" if here else f" on {note['host']}"
    return (
        f"{named} is being written by process {note['process']}{where} since {since}; "
        "wait until it has ended, or choose another name."
    )
