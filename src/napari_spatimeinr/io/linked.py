"""The recordings of models that refer to theirs (:mod:`.link`): looked at when a model is saved,
found again when it is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from ..data.indexing import Ranges
from ..data.record import Record
from ..errors import FormatError, InputError, SpatimeINRError
from .atomic import followed
from .lazy import Deferred, LazyArray, Source
from .link import Link, native, part_of, stamp, sums_of
from .options import ReadOptions
from .reading import glanced

LINKED_ABOVE = 2 * 10**9
"""Bytes of frames above which a model refers to them where it can."""


class Frames(NamedTuple):
    """The frames ``(T, Z, Y, X)`` of a linked model, read when indexed, and where they are."""

    data: Any
    link: Link


def link_of(record: Record) -> Link:
    """How a model of a recording refers to it.

    Raises
    ------
    InputError
        If it is in no file, or not as it is here: the sentence says why.
    """
    try:
        return _link_of(record)
    except (SpatimeINRError, OSError) as error:
        raise InputError(
            "A model holds the frames of this recording and cannot refer to it, because"
            f" {str(error).rstrip('.')}."
        ) from error


def _link_of(record: Record) -> Link:
    source, part = record.data.whence if isinstance(record.data, LazyArray) else (None, None)
    how = None if source is None else source.how
    if source is not None and how is not None:
        path = source.checked()
    else:
        path, known, part = _said(record)
    found = glanced(path, how or known)
    of_file = part_of(found.data, part)
    alike = tuple(of_file.shape) == tuple(record.shape) and native(found) == native(record)
    sums = sums_of(of_file) if alike else []
    if not alike or (how is None and sums != sums_of(record.data)):
        raise InputError(f"{path} does not hold these voxels")
    shape, dtype = tuple(found.shape), native(found)
    calibration = tuple(found.spacing), tuple(found.units), found.grid.times
    return Link(path, how or known, part, shape, dtype, *calibration, stamp(path), tuple(sums))


def _said(record: Record) -> tuple[Path, ReadOptions, Ranges | None]:
    """Which file a recording that is in memory says it was read from, how, and which part."""
    said = record.metadata
    if not isinstance(said.get("source"), str) or not said["source"]:
        raise InputError("it is in memory and in no file")
    path = Path(said["source"]).absolute()
    if not path.exists():
        raise InputError(f"it is in memory, and there is no file {path}")
    part = said.get("source_part")
    try:
        how = ReadOptions.of(said.get("read_as") or {})
        return path, how, None if part is None else tuple((int(a), int(b)) for a, b in part)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError("its metadata do not say how its file is read") from error


# -- back -------------------------------------------------------------------------------------


def frames_of(said: dict[str, Any], model: Path, source: Any = None) -> Frames:
    """The frames of a linked model.

    Parameters
    ----------
    said : what the model file says of its recording.
    model : the model file.
    source : where the recording is now, or the recording itself (what was fitted of it); None
        looks where the model says.

    Raises
    ------
    FormatError
        If it is not there, or another: the sentence says in what.
    """
    try:
        link, places = Link.parsed(said), list(_places(said, model))
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"The model {model} is damaged in what it says of its recording; fit it again."
        ) from error
    if isinstance(source, Record):
        shape = link.shape if link.part is None else tuple(b - a for a, b in link.part)
        if tuple(source.shape) != shape or tuple(sums_of(source.data)) != link.sums:
            raise FormatError(_changed("This recording", model, ["its voxels are others"]))
        return Frames(source.data, link)
    if source is not None:
        places = [Path(source).absolute()]
    errors = []
    for place in filter(Path.exists, places):
        try:
            data = _opened(link, place, model)
        except FormatError as error:
            errors.append(error)
        else:
            return Frames(data, replace(link, path=place, stamp=stamp(place)))
    if errors:
        raise errors[0]
    if source is not None:
        raise FormatError(f"{source} does not exist; say where the recording of {model} is.")
    tried = " or ".join(dict.fromkeys(map(str, places)))
    raise FormatError(
        f"The recording that the model {model} refers to was moved, renamed or deleted: it is not"
        f" at {tried}; say where it is with source=PATH (--source PATH)."
    )


def _places(said: dict[str, Any], model: Path) -> Iterator[Path]:
    """Where the recording may lie: relative to the model, to what a link to that leads to, and
    where it lay.
    """
    if said["path"] is not None:
        for folder in (followed(model).absolute().parent, model.absolute().parent):
            where = os.path.realpath(folder)
            # Whoever edits a model on Windows may have used its separators.
            for relative in (said["path"], PureWindowsPath(said["path"]).as_posix()):
                yield Path(os.path.normpath(os.path.join(where, relative)))
    yield Path(said["absolute"])


def _opened(link: Link, place: Path, model: Path) -> Any:
    """The fitted part of a recording, once it is the one referred to."""
    try:
        record = glanced(place, link.how)
        data = record.data
        differences = link.differences(record)
        unchanged = link.stamp is not None and stamp(place) == link.stamp
        if not differences and not unchanged:
            same = tuple(sums_of(part_of(data, link.part))) == link.sums
            differences = [] if same else ["its voxels are others"]
    except (SpatimeINRError, OSError) as error:
        raise FormatError(f"The recording of the model {model} cannot be read: {error}") from error
    if differences:
        raise FormatError(_changed(place, model, differences))
    if getattr(data, "in_a_stream", False):
        data = Deferred(Source.of(place, link.how), data.shape, data.dtype)
    return part_of(data, link.part)


def _changed(what: Any, model: Path, differences: list[str]) -> str:
    return (
        f"{what} is not the recording that the model {model} was fitted to:"
        f" {', and '.join(differences)}; give that one with source=PATH (--source PATH), or fit"
        " anew."
    )
