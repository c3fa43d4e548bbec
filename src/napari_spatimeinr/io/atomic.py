"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import SaveError, SpatimeINRError
from . import names
from .locks import alone
from .names import ending

WAIT = 60.0
"""Seconds for which a short writing, of a model, waits for another one of the same name."""
TRIES = (0.1, 0.3, 0.6, 1.0)
"""Waits in seconds between tries where a program, often a virus scanner, holds a file for a
moment."""


class HeldError(SaveError):
    """What would be replaced is open elsewhere."""


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str],
    before: AbstractContextManager[object] | None = None,
    wait: float = WAIT,
) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place only when the block succeeds.

    The temporary file exists (empty) when the block starts, so a folder that cannot be written to
    is found before any work is done. Its name starts with a dot and the target's name and ends like
    the target's. On any exception, ``KeyboardInterrupt`` included, it is removed and an earlier
    file stays as it was; what a killed process left is removed by the next writing of the same
    target. Only where an earlier file is held open by a program, what was written stays under a
    name of its own, which is told.

    Parameters
    ----------
    path : the file to write; a link is followed.
    before : entered just before the temporary file takes its place, left just after, with the
        exception if it cannot.
    wait : seconds to wait for another writer of the same file.

    Yields
    ------
    The temporary path, in the same folder.

    Raises
    ------
    SaveError
        If the target is a folder or being written, its folder is missing or read-only, or the disk
        is full.
    """
    with in_a_sentence(path):
        target = names.check(followed(path))
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(target).st_mode):
                raise SaveError(f"{path} is a folder; give the name of a file to write.")
        with alone(target, wait, Path(path)) as certain:
            if certain:
                remove_stale(target)
            with swapping(target, before=before, keep=True) as temporary:
                yield temporary
    _sync_folder(target.parent)


def check_free(path: Path, wait: float = WAIT) -> None:
    """Find out whether a file or folder could be written now, without writing it.

    Raises
    ------
    SaveError
        As writing it would: its folder is missing or read-only, its name impossible, or another
        process writes it.
    """
    with in_a_sentence(path), alone(names.check(followed(path)), wait, path):
        pass


@contextlib.contextmanager
def swapping(
    file: Path,
    of: Path | None = None,
    before: AbstractContextManager[object] | None = None,
    keep: bool = False,
) -> Iterator[Path]:
    """The same as :func:`replacing`, without a lock, for a file that belongs to a target whose lock
    is held.

    Parameters
    ----------
    file : to write.
    of : the target, the file itself if None; whoever writes it next removes what a killed process
        left.
    before : see :func:`replacing`.
    keep : whether what was written stays under another name where the file is held open.
    """
    temporary = names.hidden(
        file.with_name((of or file).name), f"{uuid.uuid4().hex[:12]}{ending(file)}"
    )
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        synced(temporary)
        with before or contextlib.nullcontext():
            replaced(temporary, file)
    except BaseException as error:
        kept = _kept(temporary, file) if keep and isinstance(error, HeldError) else None
        with contextlib.suppress(OSError):
            temporary.unlink()
        if kept is not None:
            raise SaveError(f"{error} What was written is in {kept.name}.") from error
        raise


def _kept(temporary: Path, file: Path) -> Path | None:
    """Give a temporary file a name of its own beside the file it could not replace:
    ``a.new.nii.gz``.
    """
    end = len(file.name) - len(ending(file))
    for k in range(1, 100):
        place = file.with_name(f"{file.name[:end]}.new{'' if k == 1 else k}{file.name[end:]}")
        if not os.path.lexists(place):
            with contextlib.suppress(OSError):
                os.rename(temporary, place)
                return place
    return None


def replaced(source: Path, target: Path) -> None:
    """Rename a file or folder, over a file of that name; a few times where something holds it.

    Raises
    ------
    SaveError
        If it is protected, or (:class:`HeldError`) something holds it, although its folder can be
        written to.
    """
    for wait in (*TRIES, None):
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if not os.access(target.parent, os.W_OK):
                raise
            if error.errno == errno.EPERM or (target.is_file() and not os.access(target, os.W_OK)):
                raise SaveError(
                    f"{target} may not be replaced: it is protected or belongs to someone else;"
                    " choose another name."
                ) from error
            if wait is None:
                raise HeldError(
                    f"{target} cannot be replaced because another program, or a recording opened"
                    " from it, holds it open; close that and save again, or choose another name."
                ) from error
            time.sleep(wait)


def followed(path: str | os.PathLike[str]) -> Path:
    """What a link leads to; any other path itself.

    Raises
    ------
    SaveError
        If links lead in a circle.
    """
    if not os.path.islink(path):
        return Path(path)
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise SaveError(f"{path} is a link that leads back to itself; choose another name.")
    return place


@contextlib.contextmanager
def in_a_sentence(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make errors of the file system a :class:`SaveError`."""
    try:
        yield
    except SpatimeINRError:
        raise
    except OSError as error:
        raise SaveError(_sentence(path, error)) from error


def synced(file: Path) -> None:
    """Wait until a file is on the disk; Windows does so only for one that is open for writing."""
    _sync(file, os.O_RDWR)


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can."""
    with contextlib.suppress(OSError):  # Windows opens no folder
        _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_stale(target: Path) -> None:
    """Remove what killed processes left of a target; the lock of the target must be held."""
    sample = names.hidden(target, "0" * 12 + ending(target)).name
    stem = sample[: -12 - len(ending(target))]
    ours = re.compile(re.escape(stem) + "[0-9a-f]{12}(" + re.escape(ending(target)) + r"|\.json)")
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(target.parent)):
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _sentence(path: str | os.PathLike[str], error: OSError) -> str:
    folder = followed(path).parent
    if error.errno == errno.ENOENT and not os.path.isdir(folder):
        return (
            f"{path} cannot be written because the folder {folder} does not exist; create it first."
        )
    if error.errno == errno.EEXIST:
        return (
            f"{path} is in the way, and not of the kind that would be written; move it away, or"
            " choose another name."
        )
    if error.errno == errno.ENOTDIR:
        return f"{path} cannot be written because {folder} is not a folder; choose another place."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{path} cannot be written because the folder {folder} is read-only for you; choose"
            " another place."
        )
    # numpy's tofile gives no number, only "N requested and M written".
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or (
        error.errno is None and "requested and" in str(error)
    ):
        return (
            f"{path} cannot be written because the disk is full or a quota is reached; free some"
            " space or choose another place."
        )
    if error.errno == errno.ENAMETOOLONG:
        return f"{path} cannot be written because its name is too long; choose a shorter one."
    return (
        f"{path} could not be written ({error.strerror or error}); choose another place or free"
        " some space."
    )
