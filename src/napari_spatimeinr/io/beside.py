"""How something was made: inside a file where its format has a place, and in the JSON file beside it."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from ..errors import SaveError
from ..volume import Volume
from .atomic import ending, replacing

KEY = "spatimeinr"
"""In a volume's metadata, in files and beside them."""
MOST_BYTES = 16_000_000
"""A longer text is nothing of ours."""


def sidecar(path: Path) -> Path:
    """The JSON file beside a file: ``a.nii.gz`` -> ``a.json``."""
    name = path.name
    return path.with_name(name[: len(name) - len(ending(path))] + ".json")


def provenance(volume: Volume) -> dict[str, Any] | None:
    """How a volume was made, as JSON values; None where nothing is known."""
    return plain(volume.metadata.get(KEY)) or None


def plain(made: Any) -> dict[str, Any] | None:
    """A dictionary in JSON values, None where JSON has no such number; None for all else and what is nested too deeply."""
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
    if not isinstance(text, str) or not text.lstrip().startswith(f'{{"{KEY}"') or len(text) > MOST_BYTES:
        return None
    try:
        made = _parsed(text)[KEY]
    except (ValueError, RecursionError, KeyError):
        return None
    return made if isinstance(made, dict) else None


def content(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file beside a file; an empty one where there is none, None where it is something else."""
    beside = sidecar(path)
    try:
        if not beside.is_file() or beside.stat().st_size > MOST_BYTES:
            return None if beside.is_file() else {}
        found = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def made_of(path: Path, inside: dict[str, Any] | None) -> dict[str, Any] | None:
    """How a file was made, by what it holds itself or else by the file beside it, if that is about this file."""
    if inside is not None:
        return inside
    said = plain((content(path) or {}).get(KEY))
    if said is None or said.get("file") != path.name:
        return None
    return {key: value for key, value in said.items() if key != "file"}


def put_beside(stack: ExitStack, path: Path, made: dict[str, Any] | None, more: dict[str, Any] | None = None) -> None:
    """Write, when ``stack`` closes, what is known of a file into the JSON file beside it; what else that holds stays.

    Without anything to say, what an earlier file of this name left there is taken out. The stack must have been given the
    file itself before: it closes in reverse order, so a process killed in between leaves new words beside the old file. These
    name the file, and what the file holds itself goes before them; the numbers of times are compared with its frames.

    Parameters
    ----------
    made : provenance.
    more : further keys; one of None is taken out.

    Raises
    ------
    SaveError
        If there is something to say, and another kind of file in its place.
    """
    beside = sidecar(path)
    old = content(path)
    new = dict(old or {})
    said = new.get(KEY)
    if made is not None:
        new[KEY] = {"file": path.name, **made}
    elif isinstance(said, dict) and said.get("file") == path.name:
        del new[KEY]
    for key, value in (more or {}).items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = value
    if new == (old or {}):
        return
    if old is None:
        raise SaveError(
            f"What is to be said of {path.name} belongs into {beside}, which exists and is not a JSON object; move it away first."
        )
    temporary = stack.enter_context(replacing(beside))
    temporary.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
