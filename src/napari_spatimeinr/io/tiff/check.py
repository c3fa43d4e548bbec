"""What is looked at before tifffile is trusted with a file: lengths, offsets and promises."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any

import tifffile

from ...errors import FormatError, InputError

TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
HUGE_PLANE = 2**30
"""Bytes of a compressed plane above which its compression must be believable."""
MANY_PLANES = 2**18
"""Planes above which OME-XML must be believable: tifffile looks for each of them."""


def check_chain(path: Path) -> int:
    """Follow the chain of page directories, which breaks off in a truncated file; the number of
    pages.

    tifffile only logs such a break and returns fewer pages.
    """
    size = path.stat().st_size
    broken = (
        f"{path} is truncated or damaged (its chain of pages breaks off); copy or export it again."
    )
    with open(path, "rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 8 else 0
        if version not in (42, 43):
            raise FormatError(
                f"{path} is not a TIFF although its name says so; export it again or correct its"
                " ending."
            )
        if version == 43 and len(head) < 16:
            raise FormatError(broken)
        count, entry, pointer, at = (
            ("H", 12, "I", head[4:8]) if version == 42 else ("Q", 20, "Q", head[8:16])
        )
        wide = struct.calcsize(pointer)
        offset, seen = struct.unpack(f"{order}{pointer}", at)[0], set()
        if offset == 0:
            raise FormatError(f"{path} has no pages; export it again.")
        while offset:
            if offset in seen or offset >= size:
                raise FormatError(broken)
            seen.add(offset)
            file.seek(offset)
            block = file.read(struct.calcsize(count))
            if len(block) < struct.calcsize(count):
                raise FormatError(broken)
            length = struct.unpack(f"{order}{count}", block)[0] * entry
            block = file.read(min(length + wide, size))
            if len(block) < length + wide or not _tags_inside(block[:length], order, pointer, size):
                raise FormatError(broken)
            offset = struct.unpack(f"{order}{pointer}", block[length:])[0]
    return len(seen)


def check_promises(path: Path, first: Any, pages: int) -> None:
    """OME-XML that promises absurdly many planes would keep tifffile busy for hours, and a pipe
    among its files for ever.
    """
    xml = first.description
    if "<OME" not in xml[:1000]:
        return
    plane = math.prod(first.shape) or 1
    tags = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    promised = [
        math.prod(map(float, re.findall(r"""\bSize[XYZCT]\s*=\s*["'](\d+)""", tag))) / plane
        for tag in tags
    ]
    promised += map(float, re.findall(r"""\b(?:PlaneCount|NumPlanes)\s*=\s*["'](\d+)""", xml))
    most = max(promised, default=0.0)
    # One file of a set may hold few of the planes, but not this few.
    if most > max(MANY_PLANES, 1000 * pages):
        raise FormatError(
            f"The OME-XML of {path} promises {most:g} planes, and {pages} are there; export the"
            " recording again."
        )
    for name in set(re.findall(r"""\bFileName\s*=\s*["']([^"']+)""", xml)):
        if (path.parent / name).exists() and not (path.parent / name).is_file():
            raise FormatError(
                f"The OME-XML of {path} names {name} as a part of it, which is no file; export the"
                " recording again."
            )


def _tags_inside(block: bytes, order: str, pointer: str, size: int) -> bool:
    """Whether the values of all standard tags of a page lie within the file (private ones have
    rules of their own).
    """
    wide = struct.calcsize(pointer)
    for code, kind, count, at in struct.iter_unpack(f"{order}HH{pointer}{pointer}", block):
        length = count * TYPE_BYTES.get(kind, 0)
        if code < 0x8000 and length > wide and at + length > size:
            return False
    return True


def check_sizes(path: Path, page: Any) -> None:
    """Strips and tiles must lie within the file; tifffile fills missing ones with zeros."""
    keyframe = page.keyframe
    if keyframe.dtype is None or 0 in keyframe.shape or not keyframe.shape:
        raise InputError(
            f"{path} has a page without pixels or of an unknown type; export the recording again."
        )
    if keyframe.compression not in tifffile.TIFF.DECOMPRESSORS:
        kind = str(keyframe.compression)[:40]  # a damaged tag may hold thousands of numbers
        raise FormatError(
            f"{path} is compressed in a way that cannot be read ({kind}); save it uncompressed."
        )
    size = page.parent.filehandle.size
    offsets, counts = list(page.dataoffsets), list(page.databytecounts)
    inside = bool(offsets) and len(offsets) <= len(counts)
    inside = inside and all(
        n > 0 and o > 0 and o + n <= size for o, n in zip(offsets, counts, strict=False)
    )
    stored = sum(counts[: len(offsets)])
    bits = math.prod(keyframe.shape) * keyframe.bitspersample
    if keyframe.compression == 1:
        inside = inside and stored * 8 >= bits
    elif keyframe.nbytes > HUGE_PLANE:
        inside = inside and keyframe.nbytes < 20_000 * stored
    if not inside:
        raise FormatError(
            f"{path} is truncated: page {page.index} promises data beyond the end of the file; copy"
            " or export it again."
        )
