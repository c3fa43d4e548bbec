"""An embryo's layers: its recording, tracks, nuclei with names, cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.grid import Grid
from ...embryo.layers import TracksData
from ...volume import Volume
from .contrast import limits
from .keys import RENDERED
from .placement import from_volume
from .scales import PREVIEW_STEPS
from .source import Source

NUCLEUS = 3.0
"""Diameter at which a nucleus is drawn, um; it is seen in the planes that it reaches."""


def add_recording(viewer: Any, volume: Volume, name: str) -> Any:
    """The membranes as a calibrated image layer."""
    how = {"name": name, "contrast_limits": limits(volume), "multiscale": False, "rgb": False}
    return viewer.add_image(volume.data, **from_volume(volume), **how)


def add_tracks(viewer: Any, source: Source, tracks: TracksData, name: str) -> Any:
    """Tracks whose time is counted in frames of the recording, daughters linked to mothers."""
    return viewer.add_tracks(
        tracks.data,
        name=name,
        graph=tracks.graph,
        properties=tracks.properties,
        metadata=_ours("tracks"),
        **_in_time(source),
    )


def add_nuclei(viewer: Any, source: Source, name: str) -> Any:
    """A points layer for the nuclei of the time that is shown, with their names; empty."""
    return viewer.add_points(
        np.empty((0, 4)),
        ndim=4,
        name=name,
        size=NUCLEUS,
        features={"name": np.array([], np.str_)},
        text={"string": "{name}", "size": 8, "color": "white", "anchor": "upper_left"},
        face_color="#ffa50060",
        border_color="orange",
        projection_mode="rescale_spherical",
        metadata=_ours("nuclei"),
        **_in_time(source),
    )


def show_nuclei(layer: Any, frame: float, places: Mapping[str, NDArray[np.float64]]) -> None:
    """Put nuclei where they are at a (fractional) frame; ``(3,)`` each, (z, y, x) in um."""
    data = np.array([[frame, *place] for place in places.values()]).reshape(-1, 4)
    layer.data = data
    layer.features = {"name": list(places)}
    layer.selected_data = set()


def add_cells(
    viewer: Any,
    source: Source,
    grid: Grid,
    labels: NDArray[Any],
    names: Mapping[str, int],
    name: str,
) -> Any:
    """Labels of one time as a layer that shows there; the status line tells names.

    Parameters
    ----------
    grid : ``(1, Z, Y, X)``.
    labels : ``(Z, Y, X)``.
    names : name -> label.
    """
    placed = source.placed(grid)
    # Seen at its own time alone, not half a frame before and after.
    fine = (float(source.layer.scale[0]) / PREVIEW_STEPS, *placed["scale"][1:])
    return viewer.add_labels(
        np.array(labels)[None],
        name=name,
        opacity=0.5,
        multiscale=False,
        features=named(names),
        metadata=_ours("cells"),
        **{**placed, "scale": fine},
    )


def named(names: Mapping[str, int]) -> dict[str, list[Any]]:
    """Features of a Labels layer that name its labels."""
    return {"index": [0, *names.values()], "name": ["", *names]}


def _in_time(source: Source) -> dict[str, Any]:
    """Time counted in frames of the recording, space in um."""
    layer = source.layer
    origin = source.volume.origin
    return {
        "scale": (float(layer.scale[0]), 1.0, 1.0, 1.0),
        "translate": (float(layer.translate[0]), *np.subtract(layer.translate[1:], origin[1:])),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def _ours(what: str) -> dict[str, Any]:
    return {RENDERED: {"embryo": what}}
