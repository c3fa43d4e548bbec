"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from ..errors import SaveError, SpatimeINRError

COMPOUND = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
"""Endings of two parts that a library must see whole."""


def ending(path: str | os.PathLike[str]) -> str:
    """The ending of a path in lower case, with both parts of the compound ones (``.nii.gz``)."""
    name = Path(path).name.lower()
    for compound in COMPOUND:
        if name.endswith(compound):
            return compound
    return Path(name).suffix


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place only when the block succeeds.

    The temporary file exists (empty) when the block starts, so a folder that cannot be written to
    is found before any work is done. Its name starts with a dot and ends like the target's. On any
    exception, ``KeyboardInterrupt`` included, it is removed and an earlier file stays as it was.

    Parameters
    ----------
    path : the file to write; a link is followed.

    Yields
    ------
    The temporary path, in the same folder.

    Raises
    ------
    SaveError
        If the target is a folder, its folder is missing or read-only, or the disk is full.
    """
    with in_a_sentence(path):
        target = followed(path)
        if target.is_dir():
            raise SaveError(f"{path} is a folder; give the name of a file to write.")
        temporary = target.with_name(f".{uuid.uuid4().hex[:12]}{ending(target)}")
        try:
            temporary.touch(exist_ok=False)
            yield temporary
            synced(temporary)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        synced(target.parent)


def followed(path: str | os.PathLike[str]) -> Path:
    """What a link leads to; any other path itself."""
    return Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)


@contextlib.contextmanager
def in_a_sentence(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make errors of the file system a :class:`SaveError`."""
    try:
        yield
    except SpatimeINRError:
        raise
    except OSError as error:
        raise SaveError(_sentence(path, error)) from error


def synced(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(path: str | os.PathLike[str], error: OSError) -> str:
    folder = Path(path).parent
    if error.errno == errno.ENOENT:
        return f"{path} cannot be written because the folder {folder} does not exist; create it first."
    if error.errno == errno.ENOTDIR:
        return f"{path} cannot be written because {folder} is not a folder; choose another place."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} cannot be written because the folder {folder} is read-only for you; choose another place."
    # numpy's tofile gives no number, only "N requested and M written".
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or (error.errno is None and "requested and" in str(error)):
        return (
            f"{path} cannot be written because the disk is full or a quota is reached; free some space or choose another place."
        )
    if error.errno == errno.ENAMETOOLONG:
        return f"{path} cannot be written because its name is too long; choose a shorter one."
    return f"{path} could not be written ({error.strerror or error}); choose another place or free some space."
