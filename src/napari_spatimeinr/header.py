"""A model as plain values and arrays, and back: what its file holds, and what tells it from
another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config.facts import Provenance
from .config.options import Config
from .data.plain import plain
from .io.provenance import without_varying
from .model.frames import Normalisation
from .render.method import Method
from .volume import Volume


def header_of(
    volume: Volume,
    method: Method,
    normalisation: Normalisation,
    config: Config,
    interpolation: str,
    provenance: Provenance,
) -> dict[str, Any]:
    """All of a model but its weights and frames, as JSON values."""
    grid = volume.grid
    return {
        "grid": {
            "shape": list(grid.shape),
            "spacing": list(grid.spacing),
            "origin": list(grid.origin),
        },
        "units": list(volume.units),
        "orientation": None if volume.orientation is None else volume.orientation.tolist(),
        "metadata": plain(volume.metadata, finite=False),
        "normalisation": asdict(normalisation),
        "interpolation": interpolation,
        "method": method.name,
        **method.header(),
        "config": config.model_dump(mode="json"),
        "provenance": provenance.to_dict(),
    }


def volume_of(header: dict[str, Any], frames: Any) -> Volume:
    """The recording a header tells of; raises what comes of a header that is none."""
    grid = header["grid"]
    spacing, origin = tuple(grid["spacing"]), tuple(grid["origin"])
    return Volume(
        frames, spacing, origin, header["units"], header["orientation"], header["metadata"]
    )


def normalisation_of(header: dict[str, Any], count: int) -> Normalisation:
    """The normalisation of ``count`` frames a header tells of; raises what comes of a header
    that is none.
    """
    raw = header["normalisation"]
    ranges = tuple((float(low), float(high)) for low, high in raw.get("ranges", ()))
    normalisation = Normalisation(
        float(raw["offset"]), float(raw["scale"]), tuple(float(g) for g in raw["gains"]), ranges
    )
    if (
        len(normalisation.gains) != count
        or len(ranges) not in (0, count)
        or not min(normalisation.scale, *normalisation.gains) > 0
    ):
        raise ValueError("its intensity normalisation does not fit its frames")
    return normalisation


def token(header: dict[str, Any], weights: dict[str, NDArray[Any]], sums: Sequence[str]) -> str:
    """Equal for equal models, whatever file they are in and how long they took; ``sums`` are those
    of the frames.
    """
    return state_of({**header, "provenance": without_varying(header["provenance"])}, weights, sums)


def state_of(
    header: dict[str, Any], weights: dict[str, NDArray[Any]], sums: Sequence[str] = ()
) -> str:
    """Equal as long as nothing of a model changes."""
    digest = hashlib.sha256(json.dumps([header, list(sums)], sort_keys=True).encode())
    for name, array in weights.items():
        digest.update(
            f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()
