"""Looks of layers, and adding what was rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from ...volume import Volume
from .clock import along, clock_of
from .keys import RENDERED, SOURCE
from .source import Source


def appearance(layer: Any) -> dict[str, Any]:
    """Keyword arguments that make an Image layer look like another."""
    colormap = layer.colormap
    name = str(colormap.name)
    if name not in AVAILABLE_COLORMAPS:
        colormap = Colormap(
            np.asarray(colormap.colors), controls=np.asarray(colormap.controls), name=name
        )
    return {
        "contrast_limits": tuple(float(v) for v in layer.contrast_limits),
        "colormap": name if name in AVAILABLE_COLORMAPS else colormap,
        "gamma": float(layer.gamma),
        "blending": str(layer.blending),
        "rendering": str(layer.rendering),
    }


def refresh_showing(viewer: Any, picture: Any) -> None:
    """Draw the layers anew whose data a picture is."""
    for layer in viewer.layers:
        if getattr(layer, "data", None) is picture:
            layer.refresh(thumbnail=False, highlight=False, extent=False)


def reads_from(viewer: Any, path: Path) -> str | None:
    """The name of a layer whose voxels are read from a file or folder while they are looked at,
    None if there is none.
    """
    for layer in viewer.layers:
        said = {**dict(layer.metadata.get(SOURCE, {})), **dict(layer.metadata.get(RENDERED, {}))}
        for key in ("source", "file"):
            if (
                said.get(key)
                and Path(str(said[key])).absolute() == path.absolute()
                and type(layer.data) is not np.ndarray
            ):
                return str(layer.name)
    return None


def add_labels(
    viewer: Any, source: Source, volume: Volume, name: str, features: dict[str, Any]
) -> Any:
    """Add labels rendered of a recording as a layer that lies as the source's; ``features`` say
    what each means.
    """
    return viewer.add_labels(
        _kept(source, volume),
        name=name,
        features=features,
        opacity=0.5,
        multiscale=False,
        metadata=_said(source, volume),
        **source.placed(volume.grid),
    )


def add_rendered(
    viewer: Any, source: Source, volume: Volume, name: str, own_contrast: bool = False
) -> Any:
    """Add a rendering of a recording as a layer that lies, looks and is called as the source's.

    ``own_contrast`` takes contrast and colours that suit other quantities than intensity.
    """
    style = appearance(source.layer)
    if own_contrast:
        plane = np.asarray(volume.data[volume.shape[0] // 2, volume.shape[1] // 2])
        style |= {
            "contrast_limits": (0.0, max(float(plane.max()), 1e-6)),
            "colormap": "inferno",
            "blending": "additive",
        }
    return viewer.add_image(
        _kept(source, volume),
        name=name,
        metadata=_said(source, volume),
        multiscale=False,
        rgb=False,
        **style,
        **source.placed(volume.grid),
    )


def _kept(source: Source, volume: Volume) -> Any:
    """The voxels along the axes that the source's layer has."""
    keep = tuple(slice(None) if a in source.axes else 0 for a in "tzyx")
    return volume.data[keep] if len(source.axes) < 4 else volume.data


def _said(source: Source, volume: Volume) -> dict[str, Any]:
    """Metadata of its layer: how it was made, and when its frames were where they are uneven."""
    step, _ = along(source.volume.grid, volume.grid)
    clock = clock_of(volume.grid, step * source.volume.spacing[0])
    return {RENDERED: volume.metadata.get(RENDERED, {}), **({SOURCE: clock} if clock else {})}
