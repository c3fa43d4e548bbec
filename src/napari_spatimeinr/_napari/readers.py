"""Readers: files and folders to calibrated layers, model files to their recording (and its preview
in the dock).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import io
from ..errors import FormatError, SpatimeINRError
from ..volume import Volume
from .layers.keys import MODEL

MODEL_ENDING = ".spatimeinr"
LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """The reader of a file or folder, None where it is nothing of ours.

    Several files at once are left to napari.
    """
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    if str(path).lower().endswith(MODEL_ENDING):
        return _model
    if os.path.isdir(path) and _has_cells(path):
        return _cells
    return _recording if io.readable(path) else None


def _recording(path: str | list[str]) -> list[LayerData]:
    name = path[0] if isinstance(path, list) else path
    try:
        channels = int(io.describe(name)["channels"] or 1)
        if channels == 1:
            return [_layer(Volume.open(name), _stem(name))]
        volumes = [Volume.open(name, channel=c) for c in range(channels)]
        return [
            _layer(
                v,
                f"{_stem(name)} {v.metadata.get('channel') or f'channel {c}'}",
                {"blending": "additive", "colormap": COLOURS[c % len(COLOURS)]},
            )
            for c, v in enumerate(volumes)
        ]
    except SpatimeINRError as error:
        # napari hides a ValueError of a reader behind words of its own.
        raise FormatError(str(error)) from error


def _has_cells(path: str) -> bool:
    from .layers.cell_folders import has_cells

    return has_cells(Path(path))


def _cells(path: str | list[str]) -> list[LayerData]:
    from .layers.cell_folders import cells_of

    try:
        return cells_of(Path(path[0] if isinstance(path, list) else path))
    except SpatimeINRError as error:
        raise FormatError(str(error)) from error


COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue")


def _model(path: str | list[str]) -> list[LayerData]:
    from ..fitting import load

    name = path[0] if isinstance(path, list) else path
    try:
        volume = load(name, "cpu").volume
    except SpatimeINRError as error:
        raise FormatError(str(error)) from error
    _open_dock()
    return [
        _layer(
            volume,
            str(volume.metadata.get("name") or _stem(name)),
            {},
            {MODEL: str(Path(name).resolve())},
        )
    ]


def _layer(
    volume: Volume,
    name: str,
    options: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> LayerData:
    from .layers.contrast import limits
    from .layers.placement import from_volume

    keywords = from_volume(volume)
    keywords["metadata"] |= metadata or {}
    keywords |= {
        "name": name,
        "contrast_limits": limits(volume),
        "multiscale": False,
        "rgb": False,
        **(options or {}),
    }
    return volume.data, keywords, "image"


def _open_dock() -> None:
    """Show the dock, which then loads the model's preview; without a viewer there is only the
    recording.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is not None:
        from .commands import dock

        dock(viewer)


def _stem(path: str | os.PathLike[str]) -> str:
    name = Path(path).name
    for ending in (
        ".nii.gz",
        ".ome.tif",
        ".ome.tiff",
        ".ome.zarr",
        ".nii",
        ".hdr",
        ".img",
        ".tif",
        ".tiff",
        ".zarr",
        MODEL_ENDING,
    ):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
