"""What ``spatimeinr info`` says about a file, read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def describe(path: Path, axes: str | None = None) -> dict[str, Any]:
    """Facts of a recording or a model, with the keys of ``spatimeinr info --json``.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or neither.
    """
    if is_model(path):
        from .checkpoint import read_header

        return {"kind": "model", **read_header(path)}
    from . import io

    return {"kind": "recording", **io.describe(path, axes=axes)}


def is_model(path: Path) -> bool:
    """Whether a file is a model: by its name, or because it opens like a safetensors file (8 bytes of length, then JSON)."""
    if path.name.endswith(".spatimeinr"):
        return True
    try:
        with path.open("rb") as file:
            start = file.read(10)
    except OSError:
        return False
    return len(start) == 10 and start[8:] in (b'{"', b"{ ")
