"""What ``spatimeinr info`` says about a file, read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ConfigError, FormatError
from .jobs import blaming

RARE = ("times", "template", "levels", "recording", "recording_missing")
"""What most recordings have not: uneven times, a template of names, levels of resolution; and what
most models have not: a recording they refer to, and why it is not there.
"""
APART = {"shape": " x ", "spacing": " x "}


def describe(path: Path, how: dict[str, Any], source: Path | None = None) -> dict[str, Any]:
    """Facts of a recording or a model, with the keys of ``spatimeinr info --json``.

    Parameters
    ----------
    path : of either.
    how : how a recording is read, as :func:`.io.describe` takes it; a model is what it is.
    source : where the recording is that a model refers to; None looks where it says.

    Raises
    ------
    ConfigError
        If it is a model, and something is said about how to read it; or none that refers to a
        recording, and a source is given.
    FormatError
        If the file is missing, damaged, or neither; or the source is another recording.
    """
    if is_model(path):
        from ..checkpoint import read_header

        said = [f"--{name}" for name, value in how.items() if value not in (None, 0)]
        if said:
            raise ConfigError(
                f"{path} is a model, which states all of that itself; leave out"
                f" {' and '.join(said)}."
            )
        header = read_header(path)
        return {**_model(path, header), **_recording(path, header, source)}
    if source is not None:
        raise ConfigError(f"{path} is no model; leave out --source.")
    from .. import io

    with blaming(how):
        return {**io.describe(path, **how), "kind": "recording"}


def is_model(path: Path) -> bool:
    """Whether a file is a model: by its name, or because it opens like a safetensors file (a
    length, then JSON).
    """
    if path.name.endswith(".spatimeinr"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(10)[8:] == b'{"'
    except OSError:
        return False


def text(facts: dict[str, Any]) -> str:
    """The facts for people, a line each; nested ones, empty lists and what is rarely there are left
    to ``--json``.
    """
    shown = {
        k: v
        for k, v in facts.items()
        if v != []
        and not (v is None and k in RARE)
        and not (isinstance(v, dict) and any(isinstance(n, dict) for n in v.values()))
    }
    width = max(map(len, shown))
    return "\n".join(
        f"{key.replace('_', ' '):{width}}  {_told(value, APART.get(key, ', '))}"
        for key, value in shown.items()
    )


def _model(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    grid, metadata, facts = header["grid"], header["metadata"], header["provenance"]
    stated = metadata.get("stated", {"spacing": grid["spacing"], "units": header["units"]})
    return {
        "kind": "model",
        "path": str(path),
        "format": header["format"],
        "shape": grid["shape"],
        "channels": 1,
        "spacing": stated["spacing"],
        "units": stated["units"],
        "origin": grid["origin"],
        "dtype": metadata.get("source_dtype"),
        "calibrated_by": metadata.get("calibrated_by"),
        "preset": header["config"]["preset"],
        "interpolation": header["interpolation"],
        **{
            key: facts.get(key)
            for key in ("version", "input", "seed", "device", "seconds", "steps", "chosen")
        },
        "gain_over_linear_db": (facts.get("hold_out") or {}).get("gain_over_linear_db"),
        "provenance": facts,
        "config": header["config"],
    }


def _recording(path: Path, header: dict[str, Any], source: Path | None) -> dict[str, Any]:
    """Where the recording is that a model refers to, or why it is not there."""
    if "recording" not in header:
        if source is not None:
            from ..checkpoint import holds_frames

            raise ConfigError(holds_frames(path))
        return {"recording": None, "recording_missing": None}
    from ..io.linked import frames_of

    said = header["recording"]
    try:
        found = frames_of(said, path, source)
    except FormatError as error:
        if source is not None:
            raise
        return {"recording": said["absolute"], "recording_missing": str(error)}
    return {"recording": str(found.link.path), "recording_missing": None}


def _told(value: Any, apart: str) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_told(v, apart)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return apart.join(_told(v, apart) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
