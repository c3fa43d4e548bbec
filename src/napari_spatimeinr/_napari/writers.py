"""Writers of File > Save: a layer with its calibration as NIfTI, TIFF or OME-Zarr."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import io
from ..errors import SaveError, SpatimeINRError
from ..io.names import ending
from .layers.keys import RENDERED, SOURCE
from .layers.placement import Placement, to_volume
from .layers.preview import PreviewArray


def write_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one Image layer, ``(t, z, y, x)``, ``(z, y, x)`` or ``(t, y, x)``; the ending decides
    the format.

    Raises
    ------
    SaveError
        With the reason; napari would hide a ValueError behind words of its own.
    """
    name = f"'{meta.get('name', 'This layer')}'"
    if isinstance(data, PreviewArray):
        raise SaveError(
            f"{name} is a preview that is computed while it is looked at; use 'Save as...' or"
            " 'Render to layer' in the SpatimeINR dock."
        )
    if meta.get("multiscale"):
        data = data[0]
    if meta.get("rgb"):
        raise SaveError(
            f"{name} is an RGB picture, these formats hold intensities; split it into its channels"
            " first."
        )
    ndim = len(data.shape)
    if ndim not in (3, 4):
        raise SaveError(
            f"{name} has {ndim} axes; what can be written has (t, z, y, x), (z, y, x) or (t, y, x)."
        )
    placement = Placement.of_metadata(meta, ndim)
    axes = (
        "tzyx"
        if ndim == 4
        else "tyx"
        if str(placement.axis_labels[0]).lower().startswith("t")
        else "zyx"
    )
    own = dict(meta.get("metadata") or {})
    metadata = {**dict(own.get(SOURCE, {})), "name": str(meta.get("name", ""))}
    if own.get(RENDERED):
        metadata[RENDERED] = own[RENDERED]
    try:
        return [
            str(
                io.write(
                    to_volume(
                        data if hasattr(data, "dtype") else np.asarray(data),
                        axes,
                        placement,
                        metadata,
                    ),
                    _ended(path),
                )
            )
        ]
    except SpatimeINRError as error:
        raise SaveError(str(error)) from error


def _ended(path: str) -> str:
    return path if ending(path) else f"{path}.nii.gz"
