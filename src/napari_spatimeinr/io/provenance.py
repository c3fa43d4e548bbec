"""How something was made: inside a file where its format has a place, and in the JSON file beside
it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import SaveError
from ..volume import Volume
from .atomic import ending, followed, swapping
from .names import same

KEY = "spatimeinr"
"""In a volume's metadata, in files and beside them."""
MOST_BYTES = 16_000_000
"""A longer text is nothing of ours."""
VARYING = ("seconds", "peak_memory_bytes", "threads")
"""What may differ between two equal runs: beside a file, not in it, so that equal results give
equal bytes."""


def sidecar(path: Path) -> Path:
    """The JSON file beside a file: ``a.nii.gz`` -> ``a.json``; of a link, beside what it leads to
    unless there is one beside it.
    """
    beside = _named(path)
    return beside if os.path.exists(beside) or not os.path.islink(path) else _named(followed(path))


def _named(path: Path) -> Path:
    return path.with_name(path.name[: len(path.name) - len(ending(path))] + ".json")


def provenance(volume: Volume) -> dict[str, Any] | None:
    """How a volume was made, as JSON values; None where nothing is known."""
    return plain(volume.metadata.get(KEY)) or None


def lasting(volume: Volume) -> dict[str, Any] | None:
    """What of :func:`provenance` goes into a file: all but what differs between two equal runs."""
    return without_varying(provenance(volume) or {}) or None


def without_varying(made: dict[str, Any]) -> dict[str, Any]:
    """Provenance without what may differ between two equal runs."""
    return {key: value for key, value in made.items() if key not in VARYING}


def plain(made: Any) -> dict[str, Any] | None:
    """A dictionary in JSON values, None where JSON has no such number; None for all else and what
    is nested too deeply.
    """
    if not isinstance(made, dict):
        return None
    with suppress(RecursionError):
        values: dict[str, Any] = _parsed(json.dumps(made, default=str))
        return values
    return None


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    value = float(text)  # 1e999 is infinite
    return value if math.isfinite(value) else None


def as_text(made: dict[str, Any]) -> str:
    """What is written into a file, ASCII on one line."""
    return json.dumps({KEY: made})


def from_text(text: Any) -> dict[str, Any] | None:
    """What :func:`as_text` wrote; None for any other text."""
    if (
        not isinstance(text, str)
        or not text.lstrip().startswith(f'{{"{KEY}"')
        or len(text) > MOST_BYTES
    ):
        return None
    try:
        made = _parsed(text)[KEY]
    except (ValueError, RecursionError, KeyError):
        return None
    return made if isinstance(made, dict) else None


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
        temporary.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
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


def _said(
    path: Path, old: dict[str, Any], made: dict[str, Any] | None, more: dict[str, Any] | None
) -> dict[str, Any]:
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
