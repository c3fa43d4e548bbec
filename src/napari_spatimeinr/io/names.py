"""Names of files: endings, what a system refuses, when two are one, and hidden ones beside a
target.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from ..errors import SaveError

COMPOUND = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
"""Endings of two parts that a library must see whole."""
LONGEST = 255
"""Bytes of a name; more is refused by nearly every file system."""
DEVICES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9\u00b9\u00b2\u00b3]) *(\.|$)", re.IGNORECASE
)
REFUSED = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def ending(path: str | os.PathLike[str]) -> str:
    """The ending of a path in lower case, with both parts of the compound ones (``.nii.gz``)."""
    name = Path(path).name.lower()
    for compound in COMPOUND:
        if name.endswith(compound):
            return compound
    return Path(name).suffix


def is_template(path: Path) -> bool:
    """Whether a name stands for several files: it has braces."""
    return "{" in path.name or "}" in path.name


def check(path: Path) -> Path:
    """The path itself, once its name is one that this system can give to a file.

    Raises
    ------
    SaveError
        On Windows, for a name of a device (``nul.nii.gz``), a character or an end that it refuses.
    """
    why = _refused_by_windows(path.name) if os.name == "nt" else None
    if why is not None:
        raise SaveError(
            f"{path} cannot be written because Windows allows no file name {why}; choose another"
            " name."
        )
    return path


def _refused_by_windows(name: str) -> str | None:
    if DEVICES.match(name):
        return f"that begins with {name.split('.')[0].strip()}, which is a device"
    found = REFUSED.search(name)
    if found:
        return f"with {found.group()!r} in it"
    return "that ends in a dot or a blank" if name.endswith((".", " ")) else None


def same(a: Path, b: Path) -> bool:
    """Whether two paths lead to one file, or will once it is written; where case does not count,
    also ``A`` and ``a``.
    """
    if a.exists() and b.exists():
        return a.samefile(b)
    one, other = Path(os.path.realpath(a)), Path(os.path.realpath(b))
    if one == other or one.name.casefold() != other.name.casefold():
        return one == other
    if (
        not one.parent.exists()
        or not other.parent.exists()
        or not one.parent.samefile(other.parent)
    ):
        return False
    return one.name == other.name or _ignores_case(one.parent)


def _ignores_case(folder: Path) -> bool:
    """Whether a file system takes ``A`` for ``a``, tried on the names above a folder."""
    for place in (folder, *folder.parents):
        swapped = place.with_name(place.name.swapcase()) if place.name else place
        if swapped.name != place.name:
            return swapped.exists() and swapped.samefile(place)
    return os.name == "nt"


def hidden(target: Path, tail: str) -> Path:
    """A name beside a target that starts with a dot, then the target's name, short enough for any
    file system.
    """
    name = target.name
    room = LONGEST - len(os.fsencode(tail)) - 2
    if len(os.fsencode(name)) > room:
        kept = os.fsencode(name)[: room - 14].decode("utf-8", "ignore")
        name = f"{kept}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
    return target.with_name(f".{name}.{tail}")
