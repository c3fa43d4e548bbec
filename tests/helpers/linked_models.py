"""What the tests in tests/linked share besides fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fits import PLAIN
from napari_spatimeinr import Field, Volume, fit, load
from napari_spatimeinr.errors import FormatError

SHAPE = 4, 6, 70, 80
KINDS = (
    *("a.nii", "a.nii.gz", "a.tif", "a.ome.tif", "a.ome.zarr", "e_{t:03}.nii.gz"),
    *("tiffs", "slices"),
)
"""Names of recordings of every kind: files, an OME-Zarr, folders of files."""


def voxels(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, shape).astype("u2")


def recording(folder: Path, kind: str, data: np.ndarray | None = None, dz: float = 1.0) -> Path:
    """A recording of a kind in a folder of its own; what is there is replaced."""
    import tifffile

    data = voxels() if data is None else data
    folder.mkdir(parents=True, exist_ok=True)
    if kind in ("tiffs", "slices"):
        (folder / kind).mkdir(exist_ok=True)
        for t, frame in enumerate(data, 1):
            if kind == "tiffs":
                tifffile.imwrite(folder / kind / f"e_t{t:02}.tif", frame, compression="zlib")
                continue
            for z, plane in enumerate(frame, 1):
                tifffile.imwrite(folder / kind / f"e_{t:03}_p{z:02}.tif", plane)
        return folder / kind
    volume = Volume(data, (2.0, dz, 0.5, 0.5), (0.0, 0.0, 0.0, 0.0), ("s", "um"))
    return volume.save(folder / kind)


def fitted(path: Path | Volume, roi: Any = None, **how: Any) -> Field:
    """A model that interpolates: what it renders is its recording."""
    volume = path if isinstance(path, Volume) else Volume.open(path, **how)
    return fit(volume, config=PLAIN, device="cpu", roi=roi)


def frames(model: Path, source: Any = None) -> np.ndarray:
    return np.asarray(load(model, "cpu", source).volume.data)


def refused(model: Path, *words: str, source: Any = None) -> str:
    """Check that a model is refused in one sentence that has these words."""
    with pytest.raises(FormatError) as caught:
        load(model, "cpu", source)
    said = str(caught.value)
    assert "\n" not in said
    for word in (str(model), *words):
        assert word in said, said
    return said
