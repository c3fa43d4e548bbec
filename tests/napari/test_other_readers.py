"""Layers that other plugins opened keep their calibration through fit, rendering and file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
import zarr

from napari_spatimeinr import Volume

from .conftest import Wait

SHAPE = (4, 6, 20, 24)


@pytest.fixture
def recording(small: Volume) -> np.ndarray[Any, Any]:
    data = np.asarray(small.data)
    return (1000 * (data - data.min())).astype(np.uint16)


def saved(
    viewer: Any, dock: Any, wait: Wait, layer: Any, tmp_path: Path
) -> tuple[Any, Volume, Any]:
    """Fit a layer, render it twice as fine in time, save that: the rendered layer, the file read
    back, and by nibabel.
    """
    dock.source_panel.select(layer)
    dock.start_fit()
    wait(lambda: not dock.fitter.running and dock.output_panel.to_layer.isEnabled())
    before = set(viewer.layers)
    dock.output_panel.to_layer.click()
    wait(lambda: not dock.results.running)
    (rendered,) = [new for new in viewer.layers if new not in before]
    path = tmp_path / "out.nii"
    assert rendered.save(str(path), plugin="napari-spatimeinr") == [str(path)]
    return rendered, Volume.open(path), nib.load(path)


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_napari_tiff(
    viewer: Any, dock: Any, wait: Wait, recording: Any, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / ("a.tif" if kind == "imagej" else "a.ome.tif")
    if kind == "imagej":
        metadata: dict[str, Any] = {"axes": "TZYX", "spacing": 0.5, "unit": "um", "finterval": 30.0}
        tifffile.imwrite(
            path, recording, imagej=True, resolution=(1 / 0.2, 1 / 0.25), metadata=metadata
        )
    else:
        metadata = {
            "axes": "TZYX",
            "PhysicalSizeX": 200.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 250.0,
        }
        metadata |= {"PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 500.0, "PhysicalSizeZUnit": "nm"}
        metadata |= {"TimeIncrement": 0.5, "TimeIncrementUnit": "min"}
        tifffile.imwrite(path, recording, ome=True, metadata=metadata)
    (layer,) = viewer.open(str(path), plugin="napari-tiff")
    rendered, volume, image = saved(viewer, dock, wait, layer, tmp_path)
    assert rendered.scale == pytest.approx([15, *layer.scale[1:]])
    assert rendered.units == layer.units
    assert volume.spacing == pytest.approx((15, 0.5, 0.25, 0.2))
    assert volume.units == ("s", "um")
    assert volume.shape == (7, *SHAPE[1:])
    assert image.header.get_zooms() == pytest.approx((0.2, 0.25, 0.5, 15))
    assert image.header.get_xyzt_units() == ("micron", "sec")


def test_napari_ome_zarr(
    viewer: Any, dock: Any, wait: Wait, recording: Any, tmp_path: Path
) -> None:
    """Several levels and another unit of time; an origin its reader (0.10) leaves out."""
    units = ("millisecond", *["micrometer"] * 3)
    axes = [
        {"name": n, "type": "time" if n == "t" else "space", "unit": u}
        for n, u in zip("tzyx", units, strict=True)
    ]
    datasets = []
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    for level, step in enumerate((1, 2)):
        group.create_array(
            str(level),
            data=recording[:, :, ::step, ::step],
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        scale = {"type": "scale", "scale": [500.0, 0.5, 0.25 * step, 0.2 * step]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    (layer,) = viewer.open(str(tmp_path / "a.zarr"), plugin="napari-ome-zarr")
    assert layer.multiscale
    assert layer.ndim == 4
    rendered, volume, image = saved(viewer, dock, wait, layer, tmp_path)
    assert rendered.data_to_world((2, 1, 2, 3)) == pytest.approx(layer.data_to_world((1, 1, 2, 3)))
    assert rendered.units == layer.units
    assert volume.units == ("ms", "um")
    assert volume.spacing == pytest.approx((250, 0.5, 0.25, 0.2))
    assert image.header.get_xyzt_units() == ("micron", "msec")
