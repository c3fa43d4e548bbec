"""Names of earlier versions in configurations, model files and provenance, read as those of now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")

PARTS = {"axial": "planes", "in_plane": "voxels"}
"""What parts were called."""
ARRAYS = PARTS | {
    "velocity": "motion",
    "encoder": "latents.encoder",
    "decoder": "latents.decoder",
}
"""What the arrays of parts were called in model files."""
HEADER = {**PARTS, "levels": "normalisation"}
"""What headers of files call else than now."""
SHARED = ("channels", "layers", "steps", "learning_rate")
"""Options that finer voxels once took from finer planes."""


def configuration(values: Mapping[str, Any]) -> dict[str, Any]:
    """A nested configuration with the names of now, which go before those of then."""
    out = {key: value for key, value in values.items() if key not in PARTS}
    for old, name in PARTS.items():
        if old not in values:
            continue
        said, now = values[old], out.get(name, {})
        nested = isinstance(said, Mapping) and isinstance(now, Mapping)
        out[name] = {**said, **now} if nested else out.get(name, said)
    if isinstance(of_planes := values.get("axial"), Mapping):
        shared = {key: value for key, value in of_planes.items() if key in SHARED}
        voxels = out.get("voxels", {})
        if shared and isinstance(voxels, Mapping):
            out["voxels"] = {**shared, **voxels}
    return out


def keys(values: Mapping[str, Value]) -> dict[str, Value]:
    """A dictionary with parts as its keys, by the names of now."""
    return {PARTS.get(key, key): value for key, value in values.items()}


def arrays(weights: Mapping[str, Value]) -> dict[str, Value]:
    """Named arrays ``part.name`` of a model file by the names of now."""
    out = {}
    for name, array in weights.items():
        part, dot, rest = name.partition(".")
        out[ARRAYS.get(part, part) + dot + rest] = array
    return out


def provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance by the names of now."""
    out = keys(facts)
    for inner in ("chosen", "reasons"):
        if isinstance(out.get(inner), Mapping):
            out[inner] = keys(out[inner])
    if isinstance(out.get("confidence"), Mapping):
        out["confidence"] = confidence(out["confidence"])
    return out


def confidence(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of half-widths by the names of now.

    One level was calibrated, by the difference of the two aligned frames: halfway between them
    their spread is half of that.
    """
    if "level" not in table:
        return dict(table)
    gone = ("level", "disagreement", "share_of_disagreement")
    out = {key: value for key, value in table.items() if key not in gone}
    try:
        out["edges"] = [[edge / 2 for edge in table["edges"][0]], table["edges"][1]]
        return {**out, "levels": [table["level"]], "widths": [table["widths"]]}
    except (LookupError, TypeError):
        return dict(table)  # no table at all: it is refused


def header(said: Mapping[str, Any]) -> dict[str, Any]:
    """The header of a model file by the names of now."""
    out = {HEADER.get(key, key): value for key, value in said.items()}
    if "parts" not in out:  # they stood beside all else, null where they were missing
        told = {name: out.pop(name, None) for name in PARTS.values()}
        out["parts"] = {name: values for name, values in told.items() if values is not None}
    for name, translated in (("config", configuration), ("provenance", provenance)):
        if isinstance(out.get(name), Mapping):
            out[name] = translated(out[name])
    _unshuffle(out.get("config"))
    return out


def _unshuffle(config: Any) -> None:
    """An output in random order could once be asked for, and was not: such a model opens."""
    try:
        loader = config["published"]["dataloader"]["eval"]
        loader["shuffle"] = False
    except (LookupError, TypeError):
        pass
