"""Folders of segmented cells as layers: that of ITK-SNAP-CVE, and the masks of a time point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...embryo.guidata import embryos, open_folder
from ...embryo.guidata.layout import is_embryo
from ...embryo.masks import is_masks, read_masks
from ...embryo.names import is_lineage
from ...embryo.volumes import Triple
from ...volume import Volume
from .contrast import limits
from .embryo import named
from .placement import from_volume

IN_MEMORY = 1e9
"""Labels of so many bytes are read, so that they can be painted in; larger ones as they are looked
at."""
LayerData = tuple[Any, dict[str, Any], str]


def has_cells(folder: Path) -> bool:
    """Whether a folder is one of these; masks, which others may call theirs so too, are told by a
    name of the lineage.
    """
    try:
        if is_embryo(folder) or embryos(folder):
            return True
        begin = f"{folder.name}_"
        names = [file.name.removeprefix(begin).split(".")[0] for file in folder.glob(f"{begin}*")]
    except OSError:
        return False
    return is_masks(folder) and any(map(is_lineage, names))


def cells_of(folder: Path) -> list[LayerData]:
    """The layers of a folder: Labels whose features name the cells, over their membranes.

    Time is counted in files, since these folders do not say how long a frame takes.

    Raises
    ------
    FormatError
        See :func:`.guidata.open_folder` and :func:`.read_masks`.
    """
    if not is_embryo(folder) and not embryos(folder):
        stored, names = read_masks(folder)
        return [_labels(stored.data[None], stored.spacing, stored.origin, folder.name, names)]
    opened = open_folder(folder)
    numbers, name = {n: label for label, n in opened.names.items()}, opened.embryo
    labels, origin = opened.labels, opened.labels.origin
    data = np.asarray(labels) if labels.nbytes <= IN_MEMORY else labels
    out = []
    if opened.membranes is not None:
        volume = _volume(opened.membranes, opened.spacing, origin)
        how = {"name": f"{name} membranes", "contrast_limits": limits(volume)}
        out.append((volume.data, {**from_volume(volume), **how, "multiscale": False}, "image"))
    return [*out, _labels(data, opened.spacing, origin, f"{name} cells", numbers)]


def _labels(
    data: Any, spacing: Triple, origin: Triple, name: str, names: dict[str, int]
) -> LayerData:
    how = {"name": name, "opacity": 0.5, "features": named(names), "multiscale": False}
    return data, {**from_volume(_volume(data, spacing, origin)), **how}, "labels"


def _volume(data: Any, spacing: Triple, origin: Triple) -> Volume:
    return Volume(data, (1.0, *spacing), (0.0, *origin), ("frame", "um"))
