"""What the tests in tests/io_zarr share besides fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_spatimeinr.io.zarr import write as zarr_write
from napari_spatimeinr.volume import Volume

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")


VERSIONS = ("0.4", "0.5")


def ours(path: Path, version: str = "0.4", data: Any = DATA, **how: Any) -> Path:
    """A recording as this package writes it."""
    calibration = {"spacing": (2, 0.5, 0.2, 0.1), "units": ("s", "um"), **how}
    return zarr_write.write(Volume(data, **calibration), path, version=version)


def store(
    path: Path, axes: Any = "tzyx", data: Any = DATA, version: str = "0.4", **more: Any
) -> Path:
    """A store made by hand: ``axes`` (letters, or the metadata), ``steps`` of the level and what
    ``more`` says of the image.
    """
    kinds = {"t": "time", "c": "channel"}
    if isinstance(axes, str):
        axes = [{"name": letter, "type": kinds.get(letter, "space")} for letter in axes]
    steps = more.pop("steps", [{"type": "scale", "scale": [1.0] * data.ndim}])
    group = zarr.create_group(
        store=str(path), zarr_format=2 if version == "0.4" else 3, overwrite=True
    )
    array = group.create_array(
        "0", shape=data.shape, dtype=data.dtype, chunks=(1,) * (data.ndim - 2) + data.shape[-2:]
    )
    array[...] = data
    image = {
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": steps}],
        **more.pop("image", {}),
    }
    meta = {"multiscales": [image], **more}
    group.attrs.update(
        {"multiscales": [{"version": "0.4", **image}], **more}
        if version == "0.4"
        else {"ome": {"version": version, **meta}}
    )
    return path
