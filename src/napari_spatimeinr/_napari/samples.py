"""Sample data: layers as plain tuples, so that nothing here imports napari."""

from __future__ import annotations

from typing import Any

from ..phantoms import phantom
from .layers.keys import SOURCE


def moving_membranes() -> list[tuple[Any, dict[str, Any], str]]:
    """The phantom of ``spatimeinr demo`` as one calibrated image layer, ``(T, Z, Y, X)``.

    Returns
    -------
    One ``(data, keyword arguments, "image")``; scale and translate in s and um.
    """
    volume, _ = phantom()
    options = {
        "name": "Moving membranes",
        "scale": volume.spacing,
        "translate": volume.origin,
        "units": (volume.units[0], *[volume.units[1]] * 3),
        "axis_labels": ("t", "z", "y", "x"),
        "contrast_limits": (float(volume.data.min()), float(volume.data.max())),
        "metadata": {SOURCE: dict(volume.metadata)},
    }
    return [(volume.data, options, "image")]
