"""TIFF: units, sizes and times as ImageJ, OME and others write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_spatimeinr.io import describe, read


@pytest.mark.parametrize("unit", ["um", "µm", "μm", "\\u00B5m", "micron", "microns"])
def test_spellings_of_the_micrometre(tmp_path: Path, stack: np.ndarray, unit: str) -> None:
    """All of them are seen in the wild."""
    metadata = {"axes": "TZYX", "unit": "U" * len(unit.encode()), "spacing": 0.5, "finterval": 2.5}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(10, 5), metadata=metadata)
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(
        raw.replace(b"unit=" + b"U" * len(unit.encode()), b"unit=" + unit.encode())
    )
    volume = read(tmp_path / "a.tif")
    assert (volume.spacing, volume.units) == ((2.5, 0.5, 0.2, 0.1), ("s", "um"))
    assert volume.metadata["calibrated_by"] == {"dt": "ImageJ metadata", "voxel": "ImageJ metadata"}


def test_imagej_without_calibration(tmp_path: Path, stack: np.ndarray) -> None:
    """Nothing stated is nothing known."""
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TZYX"})
    told = describe(tmp_path / "a.tif")
    assert (told["spacing"], told["units"], told["shape"]) == (
        [None] * 4,
        [None, None],
        [3, 4, 5, 6],
    )
    tifffile.imwrite(
        tmp_path / "b.tif",
        stack,
        imagej=True,
        resolution=(1, 1),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 1, "finterval": 0},
    )
    warnings = " ".join(describe(tmp_path / "b.tif")["warnings"])
    assert "frame interval of 0" in warnings
    assert "1 um on every axis" in warnings
    tifffile.imwrite(
        tmp_path / "c.tif",
        stack,
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 0.1},
    )
    assert "smaller than the pixel" in " ".join(describe(tmp_path / "c.tif")["warnings"])


def test_ome_units_and_plane_times(tmp_path: Path, stack: np.ndarray) -> None:
    """Each axis has its own unit; plane times stand in for a missing increment."""

    def save(times: list[float], **more: Any) -> Path:
        plane = {"DeltaT": [t for t in times for _ in range(4)], "DeltaTUnit": ["s"] * 12}
        metadata = {
            "axes": "TZYX",
            "PhysicalSizeX": 100,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.1,
            "PhysicalSizeZ": 5e-4,
        }
        tifffile.imwrite(
            tmp_path / "a.ome.tif",
            stack,
            metadata=metadata | {"PhysicalSizeZUnit": "mm", "Plane": plane} | more,
        )
        return tmp_path / "a.ome.tif"

    volume = read(save([0, 10, 20]))
    assert (volume.spacing, volume.units) == ((10, 500, 100, 100), ("s", "nm"))
    assert volume.metadata["calibrated_by"]["dt"] == "OME-XML"
    assert read(save([0, 10, 20.05])).grid.times is None, "within 1 %"
    assert read(save([0, 10, 20.3])).grid.times == (0, 10, 20.3)
    assert "which is right" in " ".join(
        read(save([0, 10, 20], TimeIncrement=1000, TimeIncrementUnit="ms")).metadata["warnings"]
    )
    path = save([0, 10, 40])
    uneven = read(path)
    assert uneven.grid.times == (0, 10, 40)
    assert (uneven.spacing[0], uneven.units[0]) == (20, "s")
    minutes = {"TimeIncrement": 0.5, "TimeIncrementUnit": "min"}
    assert read(save([0, 30, 90], **minutes)).grid.times == pytest.approx((0, 0.5, 1.5))
    given = read(path, spacing=(20, None, None, None))
    assert (given.spacing[0], given.grid.times) == (20, None)
    assert read(save([0, 0, 0])).units[0] == "frame"
    backwards = read(save([0, 10, 5]))
    assert backwards.grid.times is None
    assert "do not increase" in backwards.metadata["warnings"][0]
    nothing = tmp_path / "b.ome.tif"
    tifffile.imwrite(nothing, stack, metadata={"axes": "TZYX"})
    assert describe(nothing)["spacing"] == [None] * 4


def test_ome_sizes_in_part(tmp_path: Path, stack: np.ndarray) -> None:
    """Each size meets its own unit, whichever are stated."""
    metadata = {
        "axes": "TZYX",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeZ": 500,
        "PhysicalSizeZUnit": "nm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata)
    volume = read(tmp_path / "a.ome.tif")
    assert (volume.spacing, volume.units) == ((1, 0.5, 0.1, 0.1), ("frame", "um"))
    assert describe(tmp_path / "a.ome.tif")["spacing"] == [None, 0.5, None, 0.1]
    metadata = {
        "axes": "TZYX",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeXUnit": "pixel",
        "PhysicalSizeY": 0.1,
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata)
    assert read(tmp_path / "a.ome.tif").units == ("frame", "voxel")


def test_resolution_tags_fine_enough_are_pixels(tmp_path: Path, stack: np.ndarray) -> None:
    """A print resolution is not a pixel size."""
    how: dict[str, Any] = {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(
        tmp_path / "a.tif", stack[0], resolution=(1e5, 1e5), resolutionunit="CENTIMETER", **how
    )
    volume = read(tmp_path / "a.tif")
    assert (volume.spacing, volume.units) == ((1, 1, 0.1, 0.1), ("frame", "um"))
    assert describe(tmp_path / "a.tif")["spacing"] == [None, None, 0.1, 0.1]
    assert "z step" in volume.metadata["warnings"][0]
    tifffile.imwrite(
        tmp_path / "b.tif", stack[0], resolution=(300, 300), resolutionunit="INCH", **how
    )
    assert read(tmp_path / "b.tif").units == ("frame", "voxel")
