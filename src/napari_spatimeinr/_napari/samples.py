"""Sample data: layers as plain tuples, so that nothing here imports napari."""

from __future__ import annotations

from typing import Any

from ..embryo import layers
from ..embryo.phantom import made_embryo
from ..phantoms import phantom
from ..volume import Volume
from .layers.keys import SOURCE

AXES = ("t", "z", "y", "x")


def moving_membranes() -> list[tuple[Any, dict[str, Any], str]]:
    """The phantom of ``spatimeinr demo`` as one calibrated image layer, ``(T, Z, Y, X)``.

    Returns
    -------
    One ``(data, keyword arguments, "image")``; scale and translate in s and um.
    """
    volume, _ = phantom()
    return [_image(volume, "Moving membranes")]


def embryo() -> list[tuple[Any, dict[str, Any], str]]:
    """A phantom embryo that grows from 8 to 24 cells: its membranes, the tracks of its nuclei with
    their divisions, and the nuclei as points with names.

    Returns
    -------
    ``(data, keyword arguments, type)`` of an image, tracks and points; in s and um.
    """
    volume, truth = made_embryo()
    first = round(volume.origin[0] / volume.spacing[0])
    tracks, points = layers.tracks(truth.lineage, first), layers.points(truth.lineage, first=first)
    in_time = {
        "scale": (volume.spacing[0], 1, 1, 1),
        "translate": volume.origin,
        "units": _units(volume),
        "axis_labels": AXES,
    }
    lines = {"name": "Embryo tracks", "graph": tracks.graph, "properties": tracks.properties}
    spots = {
        "name": "Embryo nuclei",
        "size": 1.0,
        "properties": {"name": points.names},
        "text": {"string": "{name}", "size": 8, "color": "white", "anchor": "upper_left"},
    }
    return [
        _image(volume, "Embryo"),
        (tracks.data, {**lines, **in_time}, "tracks"),
        (points.data, {**spots, **in_time}, "points"),
    ]


def _image(volume: Volume, name: str) -> tuple[Any, dict[str, Any], str]:
    options = {
        "name": name,
        "scale": volume.spacing,
        "translate": volume.origin,
        "units": _units(volume),
        "axis_labels": AXES,
        "contrast_limits": (float(volume.data.min()), float(volume.data.max())),
        "metadata": {SOURCE: dict(volume.metadata)},
    }
    return volume.data, options, "image"


def _units(volume: Volume) -> tuple[str, ...]:
    return (volume.units[0], *[volume.units[1]] * 3)
