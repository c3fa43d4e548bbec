"""TIFF: ImageJ, OME and plain stacks come back; channels, axes, pages, and what a TIFF cannot hold."""

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
