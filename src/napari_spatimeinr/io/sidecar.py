"""The JSON file beside a recording: what is said in it, of one file or of a series, and how it is
written with the file.

It holds ``times`` (of frames, where they are not evenly spaced, in the unit of the file),
``spatimeinr`` (how the file was made) or ``series`` (what holds for all files of one). What else is
in it stays.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..data.record import Record
from ..data.units import TIME, parse_unit
from ..errors import SaveError
from .atomic import followed, swapping
from .names import ending, same
from .provenance import KEY, MOST_BYTES, VARYING, plain, provenance


def sidecar(path: Path) -> Path:
    """The JSON file beside a file: ``a.nii.gz`` -> ``a.json``; of a link, beside what it leads to
    unless there is one beside it.
    """
    beside = _named(path)
    return beside if os.path.exists(beside) or not os.path.islink(path) else _named(followed(path))


def _named(path: Path) -> Path:
    return path.with_name(path.name[: len(path.name) - len(ending(path))] + ".json")


# -- reading ----------------------------------------------------------------------------------


def content(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file beside a file; an empty one where there is none, None where it is
    something else.
    """
    beside = sidecar(path)
    try:
        if not beside.is_file() or beside.stat().st_size > MOST_BYTES:
            return None if beside.is_file() else {}
        found = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def made_of(path: Path, inside: dict[str, Any] | None) -> dict[str, Any] | None:
    """How a file was made, by what it holds itself or else by the file beside it, if that is about
    this file.
    """
    said = plain((content(path) or {}).get(KEY))
    if said is None or not _is_about(said, path):
        return inside
    if inside is not None:
        return inside | {key: said[key] for key in VARYING if key in said}
    return {key: value for key, value in said.items() if key != "file"}


def _is_about(said: dict[str, Any], path: Path) -> bool:
    """Whether a JSON file is about a file, by its name or that of a link to it; case may have
    changed on the way.
    """
    return str(said.get("file")).casefold() in (
        path.name.casefold(),
        followed(path).name.casefold(),
    )


def times_of(path: Path, frames: int, warnings: list[str]) -> tuple[float, ...] | None:
    """Frame times, where they fit; a question is added to ``warnings`` where not."""
    said = content(path) or {}
    if "times" not in said:
        return None
    try:
        times = tuple(float(t) for t in said["times"])
    except (TypeError, ValueError, OverflowError):
        times = ()
    if not are_times(times, frames):
        warnings.append(
            f"The times in {sidecar(path).name} are not {frames} increasing numbers and"
            " were ignored: is the file current?"
        )
        return None
    return times


def series_of(note: Path, frames: int) -> dict[str, Any]:
    """What the file beside a series says of all of its files.

    Parameters
    ----------
    note : the JSON file.
    frames : how many files there are; what is said of another number is nothing.

    Returns
    -------
    ``name`` of the JSON file, ``dt``, ``unit``, ``origin``, ``times`` and provenance; {} where they
    are not known.
    """
    try:
        said = json.loads(note.read_text(encoding="utf-8"))["series"]
        dt, origin = float(said["dt"]), float(said["origin"])
        times = tuple(float(t) for t in said["times"]) if said.get("times") else None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}
    known = parse_unit(said.get("unit"), TIME)
    if not (math.isfinite(dt) and dt > 0 and math.isfinite(origin)):
        return {}
    if said.get("frames") != frames or not (times is None or are_times(times, frames)):
        return {}
    return {
        "name": note.name,
        "dt": dt,
        "unit": None if known is None else known[0],
        "origin": origin,
        "times": times,
        KEY: plain(said.get(KEY)),
    }


def are_times(times: tuple[float, ...], frames: int) -> bool:
    """Whether these can be the times of so many frames."""
    return (
        len(times) == frames
        and all(map(math.isfinite, times))
        and all(a < b for a, b in pairwise(times))
    )


# -- planning ---------------------------------------------------------------------------------


def series_facts(record: Record, template: str) -> dict[str, Any]:
    """What is said of a series: what one file of it cannot hold."""
    times = record.grid.times
    facts: dict[str, Any] = {
        "template": template,
        "frames": record.shape[0],
        "dt": record.spacing[0],
        "unit": None if parse_unit(record.units[0], TIME) is None else record.units[0],
        "origin": record.origin[0],
        "times": None if times is None else list(times),
    }
    made = provenance(record)
    return {"series": facts if made is None else {**facts, KEY: made}}


def series_said(note: Path, facts: dict[str, Any]) -> str:
    """The text of the file beside a series: the facts, and what else it holds already.

    Raises
    ------
    SaveError
        If it is there, and another kind of file.
    """
    old = {} if not note.exists() else content(note)
    if old is None:
        raise SaveError(
            f"What is to be said of the series belongs into {note}, which is not a JSON object;"
            " move it away first."
        )
    return _text({**old, **facts})


def _said(
    path: Path, old: dict[str, Any], made: dict[str, Any] | None, more: dict[str, Any] | None
) -> dict[str, Any]:
    """The object beside a file, made of what it was."""
    new = dict(old)
    said = new.get(KEY)
    if made is not None:
        new[KEY] = {"file": followed(path).name, **made}
    elif isinstance(said, dict) and _is_about(said, path):
        del new[KEY]
    for key, value in (more or {}).items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = value
    return new


def _text(said: dict[str, Any]) -> str:
    return json.dumps(said, indent=1) + "\n"


# -- writing ----------------------------------------------------------------------------------


def words(
    path: Path, made: dict[str, Any] | None, more: dict[str, Any] | None = None
) -> AbstractContextManager[None]:
    """What is known of a file, for the JSON file beside it; what else that holds stays.

    Without anything to say, what an earlier file of this name left there is taken out. It is
    written when the context is entered, just before the file takes its place, and put back if the
    file cannot. A process killed in between leaves new words beside the old file: these name the
    file, what the file holds itself goes before them, and the numbers of times are compared with
    its frames.

    Parameters
    ----------
    path : the file.
    made : provenance.
    more : further keys; one of None is taken out.

    Raises
    ------
    SaveError
        At once, if there is something to say, and another kind of file in its place, or frame times
        of another file in it.
    """
    place = sidecar(path)
    old = content(path)
    if _said(path, old or {}, made, more) != (old or {}):
        if old is None or os.path.isdir(place):
            raise SaveError(
                f"What is to be said of {path.name} belongs into {place}, which exists and is not a"
                " JSON object; move it away first."
            )
        _check_times(path, place, old, more or {})
    return _put(path, place, made, more)


@contextmanager
def _put(
    path: Path, place: Path, made: dict[str, Any] | None, more: dict[str, Any] | None
) -> Iterator[None]:
    old = content(path) or {}
    new = _said(path, old, made, more)
    if new == old:
        yield
        return
    before = place.read_bytes() if place.exists() else None
    with swapping(place, followed(path)) as temporary:
        temporary.write_text(_text(new), encoding="utf-8")
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if before is None:
                place.unlink()
            else:
                with swapping(place, followed(path)) as temporary:
                    temporary.write_bytes(before)
        raise


def _check_times(path: Path, place: Path, old: dict[str, Any], more: dict[str, Any]) -> None:
    """Refuse to change the frame times of ``a.nii`` for ``a.nii.gz``."""
    if "times" not in more or "times" not in old or old["times"] == more["times"]:
        return
    for kind in (".nii", ".nii.gz"):
        other = place.with_name(place.name.removesuffix(".json") + kind)
        if other.exists() and not same(other, path):
            raise SaveError(
                f"{place.name} holds the frame times of {other}, and saving {path.name} would"
                " change them; choose another name."
            )
