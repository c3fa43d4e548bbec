"""TIFF: ImageJ, OME and plain stacks, round trips and what others write."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.errors import InputError, SaveError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.lazy import PagedArray
from napari_spatimeinr.io.stored import StoredArray
from napari_spatimeinr.io.tiff import write as tiff_write
from napari_spatimeinr.volume import Volume

shapes = st.tuples(*[st.integers(1, 5)] * 4)
steps = st.floats(1e-2, 1e2)
places = st.floats(-1e3, 1e3)
UNITS = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "m": 1e6}
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


@pytest.fixture
def stack() -> np.ndarray:
    """A recording (3, 4, 5, 6) whose values are all different."""
    return np.arange(3 * 4 * 5 * 6, dtype="u2").reshape(3, 4, 5, 6)


@settings(max_examples=30, deadline=None)
@given(
    shapes,
    st.sampled_from(["u1", "u2", "f4", ">u2"]),
    st.tuples(*[steps] * 4),
    st.tuples(*[places] * 3),
    st.sampled_from(sorted(SECONDS)),
    st.sampled_from(["nm", "um", "mm"]),
)
def test_imagej_round_trip(
    shape: Any, dtype: str, spacing: Any, origin: Any, time: str, space: str
) -> None:
    """ImageJ keeps seconds and micrometres, and tifffile sees the hyperstack."""
    data = (np.arange(np.prod(shape)) % 250).astype(dtype).reshape(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Volume(data, spacing, (0, *origin), (time, space)), Path(folder) / "a.tif")
        again = read(path)
        assert np.array_equal(again.data, data)
        assert again.units == ("s", "um")
        expected = (spacing[0] * SECONDS[time], *(s * UNITS[space] for s in spacing[1:]))
        assert again.spacing == pytest.approx(expected, rel=1e-5)
        assert again.origin[1:] == pytest.approx([o * UNITS[space] for o in origin], rel=1e-5)
        assert json.loads(json.dumps(again.metadata, allow_nan=False)) == again.metadata
        assert np.array_equal(tifffile.imread(path).reshape(shape), data)
        with tifffile.TiffFile(path) as file:
            assert file.is_imagej
            assert file.imagej_metadata["spacing"] == pytest.approx(expected[1])
            assert file.imagej_metadata["finterval"] == pytest.approx(expected[0])


@settings(max_examples=30, deadline=None)
@given(
    shapes,
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", ">i2"]),
    st.tuples(*[steps] * 4),
    st.tuples(*[places] * 4),
    st.sampled_from([*SECONDS, "frame"]),
    st.sampled_from([*UNITS, "voxel"]),
    st.booleans(),
)
def test_ome_round_trip(
    shape: Any, dtype: str, spacing: Any, origin: Any, time: str, space: str, turned: bool
) -> None:
    """OME-TIFF keeps everything, units, origin and orientation included."""
    data = (np.arange(np.prod(shape)) % 120).astype(dtype).reshape(shape)
    turn = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]) if turned else None
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(data, spacing, origin, (time, space), turn, {"channel": "GFP <&> µ"})
        path = write(volume, Path(folder) / "a.ome.tif")
        again = read(path)
        assert np.array_equal(again.data, data)
        assert again.units == (time, space)
        assert again.spacing == pytest.approx(spacing, rel=1e-8)
        assert again.origin == pytest.approx(origin)
        assert again.metadata["channel"] == "GFP <&> µ"
        assert (again.orientation is None) == (turn is None)
        assert turn is None or np.allclose(again.orientation, turn)
        json.dumps(again.metadata, allow_nan=False)
        assert np.array_equal(tifffile.imread(path).reshape(shape), data)
        with tifffile.TiffFile(path) as file:
            assert file.is_ome
            assert ("PhysicalSizeX=" in file.ome_metadata) == (
                space != "voxel" or spacing[1:] != (1, 1, 1)
            )


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


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
def test_channels_are_chosen(
    tmp_path: Path, stack: np.ndarray, kind: str, compression: str | None
) -> None:
    """Several channels need a choice; one of them is then read lazily."""
    both = np.stack([stack, stack + 500], axis=2)
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    how = {"imagej": True} if kind == "imagej" else {}
    metadata: dict[str, Any] = {"axes": "TZCYX"} | (
        {"Channel": {"Name": ["red", "green"]}} if kind == "ome" else {}
    )
    tifffile.imwrite(
        path, both, photometric="minisblack", compression=compression, metadata=metadata, **how
    )
    with pytest.raises(InputError, match=r"2 channels.*--channel"):
        read(path)
    volume = read(path, channel=1)
    assert isinstance(volume.data, PagedArray if compression else StoredArray)
    assert np.array_equal(volume.data[:], stack + 500)
    assert (volume.metadata["channel_index"], volume.metadata["channels"]) == (1, 2)
    assert volume.metadata["channel"] == ("green" if kind == "ome" else None)
    assert describe(path)["channels"] == 2
    with pytest.raises(InputError, match="no channel 2"):
        read(path, channel=2)


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX", "TYX", "ZYX"])
def test_stored_axes_in_any_order(tmp_path: Path, stack: np.ndarray, axes: str) -> None:
    """The library's own metadata name the axes."""
    stored = stack[: None if len(axes) == 4 else 1][0] if len(axes) == 3 else stack
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata={"axes": axes})
    expected = {
        "TZYX": lambda: stored,
        "ZTYX": lambda: stored.swapaxes(0, 1),
        "TYX": lambda: stored[:, None],
        "ZYX": lambda: stored[None],
    }
    volume = read(tmp_path / "a.tif")
    assert np.array_equal(volume.data, expected[axes]())
    assert volume.metadata["warnings"] == []


def test_unnamed_axes_are_guessed_aloud(tmp_path: Path, stack: np.ndarray) -> None:
    """A guess is a question in ``warnings``; a word from the user settles it."""
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page in stack[0]:
            file.write(page, metadata=None)
    volume = read(tmp_path / "pages.tif")
    assert volume.shape == (1, 4, 5, 6)
    assert "ZYX was assumed" in volume.metadata["warnings"][0]
    movie = read(tmp_path / "pages.tif", axes="tyx")
    assert movie.shape == (4, 1, 5, 6)
    assert movie.metadata["warnings"] == []
    assert np.array_equal(read(tmp_path / "pages.tif", axes="ZXY").data[0], stack[0].swapaxes(1, 2))
    tifffile.imwrite(tmp_path / "four.tif", stack, photometric="minisblack")
    assert "TZYX was assumed" in read(tmp_path / "four.tif").metadata["warnings"][0]
    tifffile.imwrite(tmp_path / "five.tif", stack[None].repeat(2, 0), photometric="minisblack")
    with pytest.raises(InputError, match="--axes"):
        read(tmp_path / "five.tif")
    assert read(tmp_path / "five.tif", axes="CTZYX", channel=1).shape == stack.shape
    for axes in ("TZYX", "TZ", "ZZYX", "SYX"):
        with pytest.raises(InputError):
            read(tmp_path / "pages.tif", axes=axes)


def test_paged_arrays_index_like_arrays_from_many_threads(
    tmp_path: Path, stack: np.ndarray
) -> None:
    """Compressed pages are read when asked for."""
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack,
        photometric="minisblack",
        compression="zlib",
        metadata={"axes": "TZYX"},
    )
    data = read(tmp_path / "a.tif").data
    assert isinstance(data, PagedArray)
    keys: list[Any] = [
        0,
        -1,
        (1, 2),
        (..., 0),
        (slice(None, None, -1), 1),
        (slice(0, 2), slice(1, 3), slice(4, None, -2), 3),
        slice(2, 2),
    ]
    for key in keys:
        assert np.array_equal(data[key], stack[key])
    assert (len(data), data.ndim, data.size, data.nbytes) == (3, 4, stack.size, stack.nbytes)
    assert np.array_equal(np.asarray(data, dtype="f4"), stack)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda i: np.array_equal(data[i % 3], stack[i % 3]), range(24)))
    for bad in (3, (0, 4), (0,) * 5):
        with pytest.raises(IndexError):
            data[bad]


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
    assert read(save([0, 10, 20.3])).metadata["warnings"]
    assert "which is right" in " ".join(
        read(save([0, 10, 20], TimeIncrement=1000, TimeIncrementUnit="ms")).metadata["warnings"]
    )
    path = save([0, 10, 40])
    with pytest.raises(InputError, match=r"irregular times.*--spacing"):
        read(path)
    assert read(path, spacing=(20, None, None, None)).spacing[0] == 20
    assert read(save([0, 0, 0])).units[0] == "frame"
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


def test_imagej_stacks_without_dimensions(tmp_path: Path, stack: np.ndarray) -> None:
    """Old ImageJ counts images only; axes may be named with or without those of size 1."""
    tifffile.imwrite(
        tmp_path / "a.tif",
        stack[0],
        photometric="minisblack",
        description="ImageJ=1.53c\nimages=4\nunit=um\n",
        metadata=None,
    )
    volume = read(tmp_path / "a.tif")
    assert volume.shape == (1, 4, 5, 6)
    assert "ZYX was assumed" in volume.metadata["warnings"][0]
    tifffile.imwrite(tmp_path / "b.tif", stack[:1], imagej=True, metadata={"axes": "TZYX"})
    for axes, shape in (
        ("TZYX", (1, 4, 5, 6)),
        ("ZYX", (1, 4, 5, 6)),
        ("TYX", (4, 1, 5, 6)),
        ("TZCYX", (1, 4, 5, 6)),
    ):
        assert read(tmp_path / "b.tif", axes=axes).shape == shape


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


def test_what_a_tiff_cannot_hold(tmp_path: Path) -> None:
    """Refused in one sentence that names what can."""
    with pytest.raises(SaveError, match="NIfTI"):
        write(Volume(np.zeros((3, 1, 2, 2), "u1"), times=(0, 1, 5)), tmp_path / "a.tif")
    for dtype in ("i2", "f8", "u4"):
        with pytest.raises(SaveError, match="--dtype"):
            write(Volume(np.zeros((1, 1, 2, 2), dtype)), tmp_path / "a.tif")
    with pytest.raises(SaveError, match="--dtype"):
        write(Volume(np.zeros((1, 1, 2, 2), "i8")), tmp_path / "a.ome.tif")
    with pytest.raises(SaveError, match="pixel"):
        write(Volume(np.zeros((1, 1, 2, 2), "u1"), (1, 1, 1e-12, 1e-12)), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []
    assert read(write(Volume(np.ones((1, 1, 2, 2), bool)), tmp_path / "a.tif")).dtype == np.uint8
    assert (
        read(write(Volume(np.ones((1, 1, 2, 2), "f8")), tmp_path / "a.tif", dtype="float32")).dtype
        == np.float32
    )


def test_beyond_four_gigabytes(
    tmp_path: Path, stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OME becomes a BigTIFF, ImageJ one page header before all planes; shown with a lower limit."""
    monkeypatch.setattr(tiff_write, "CLASSIC_BYTES", 100)
    for name in ("a.tif", "a.ome.tif"):
        assert np.array_equal(read(write(Volume(stack), tmp_path / name)).data, stack)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert file.is_bigtiff
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert (len(file.pages), file.is_bigtiff) == (1, False)
