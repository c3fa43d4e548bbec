"""An image that is written in parts, by many processes: where it lies until all of it is there.

Beside ``OUT.ome.zarr``, in ``OUT.ome.zarr.parts``: the plan, the image, a marker for each piece of
it that is done, and files for the moment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...errors import FormatError
from ..atomic import followed

ENDING = ".parts"
PLAN, IMAGE, DONE = "plan.json", "image", "done"
RENDERED = Path("0", ".spatimeinr-rendered.json")
"""In a finished image: what it is a rendering of. The library warns of what it does not know in a
group, and looks for chunks alone in an array."""


def folder_of(path: Path) -> Path:
    """Where an image lies while it is written in parts; a link is followed."""
    target = followed(path)
    return target.with_name(target.name + ENDING)


def noted(file: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where there is none."""
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def refuse_unfinished(path: Path) -> None:
    """Say that an image is not there yet, where that is so.

    Parameters
    ----------
    path : of the image, or of what there is of it.

    Raises
    ------
    FormatError
        If it is being written in parts and there is no earlier one.
    """
    inside = [folder for folder in (path, path.parent) if folder.name.endswith(ENDING)]
    beside = [] if os.path.lexists(path) else [folder_of(path)]
    for folder in inside + beside:
        of = noted(folder / PLAN).get("chunks")
        if of is not None:
            name = folder.with_name(folder.name.removesuffix(ENDING))
            raise FormatError(
                f"{name} is being rendered in parts and is not complete ({_done(folder)} of"
                f" {of} chunks are there); call render --part again until all are."
            )


def _done(folder: Path) -> int:
    """How many pieces of the finest level are there."""
    try:
        return sum(entry.name.startswith("0.") for entry in os.scandir(folder / DONE))
    except OSError:
        return 0
