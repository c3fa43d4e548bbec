"""OME-Zarr: what is written comes back, here and in other libraries; calibration and channels."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.errors import InputError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.zarr import write as zarr_write
from napari_spatimeinr.volume import Volume
from other_packages import needed
from zarr_stores import DATA, VERSIONS, ours, store

TIMES = ("us", "ms", "s", "min", "h", "frame")


SPACES = ("nm", "um", "mm", "m", "voxel")


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 5)] * 4),
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i8", "f4", "f8", ">i2", ">f4"]),
    st.tuples(*[st.floats(1e-2, 1e2)] * 4),
    st.tuples(*[st.floats(-1e3, 1e3)] * 4),
    st.sampled_from(TIMES),
    st.sampled_from(SPACES),
    st.booleans(),
    st.sampled_from(VERSIONS),
)
def test_round_trip(
    shape: Any,
    dtype: str,
    spacing: Any,
    origin: Any,
    time: str,
    space: str,
    turned: bool,
    version: str,
) -> None:
    """Both versions keep everything, to the last bit."""
    data = (np.arange(np.prod(shape)) % 120).astype(dtype).reshape(shape)
    turn = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]) if turned else None
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(
            data,
            spacing,
            origin,
            (time, space),
            turn,
            {"channel": "GFP <&> µ", "spatimeinr": {"seed": 3}},
        )
        path = zarr_write.write(volume, Path(folder) / "a.ome.zarr", version=version)
        again = read(path)
        assert np.array_equal(again.data[:], data)
        assert (again.dtype, again.spacing, again.origin) == (
            np.dtype(dtype).newbyteorder("="),
            spacing,
            origin,
        )
        assert again.units == (time, space)
        assert again.metadata["channel"] == "GFP <&> µ"
        assert again.metadata["header"]["spatimeinr"]["seed"] == 3
        assert (again.orientation is None) == (turn is None)
        assert turn is None or np.array_equal(again.orientation, turn)
        json.dumps(again.metadata, allow_nan=False)
        assert np.array_equal(zarr.open_group(str(path), mode="r")["0"][:], data)


def test_nothing_known_stays_unknown(tmp_path: Path) -> None:
    """Frames and voxels of 1 are written as numbers without units, and read as unknown."""
    told = describe(ours(tmp_path / "a.zarr", spacing=(1, 1, 1, 1), units=("frame", "voxel")))
    assert (told["spacing"], told["units"]) == ([None] * 4, [None, None])
    assert told["calibrated_by"] == {"dt": None, "voxel": None}
    known = read(tmp_path / "a.zarr", spacing=(2, None, 0.5, 0.5), units=("min", "nm"))
    assert (known.spacing, known.units) == ((2, 1, 0.5, 0.5), ("min", "nm"))


def test_number_types(tmp_path: Path) -> None:
    """Types are converted as for the other formats; bool becomes a byte."""
    volume = Volume(DATA.astype("f4") - 100.6, metadata={"source_dtype": "uint8"})
    for dtype, expected in ((None, "f4"), ("uint16", "u2"), ("source", "u1")):
        assert read(write(volume, tmp_path / "a.zarr", dtype=dtype)).dtype == expected
    assert read(tmp_path / "a.zarr").data[:].max() == 255
    assert read(write(Volume(DATA > 5), tmp_path / "a.zarr")).dtype == np.uint8
    assert (
        read(write(Volume(np.full((1, 1, 2, 2), 0.5, "f2")), tmp_path / "a.zarr")).data[0, 0, 0, 0]
        == 0.5
    )
    with pytest.raises(InputError, match="uint8"):
        write(volume, tmp_path / "a.zarr", dtype="uint7")


@pytest.mark.beside
@pytest.mark.parametrize("version", VERSIONS)
def test_ome_zarr_reads_ours(tmp_path: Path, version: str) -> None:
    """The reference implementation finds the axes, the scale and the pixels."""
    needed("ome_zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        path = ours(tmp_path / "a.ome.zarr", version, origin=(1, 2, 3, 4))
        location = parse_url(path)
        assert location.fmt.version == version
        (node,) = Reader(location)()
        assert np.array_equal(np.asarray(node.data[0]), DATA)
        assert [axis["name"] for axis in node.metadata["axes"]] == list("tzyx")
        assert [axis["unit"] for axis in node.metadata["axes"]] == ["second", *["micrometer"] * 3]
        (steps,) = node.metadata["coordinateTransformations"]
        assert steps[0] == {"type": "scale", "scale": [2, 0.5, 0.2, 0.1]}
        assert steps[1] == {"type": "translation", "translation": [1, 2, 3, 4]}
    array = zarr.open_group(str(path), mode="r")["0"]
    assert array.metadata.zarr_format == (2 if version == "0.4" else 3)
    assert (path / ("0/2/0/0/0" if version == "0.4" else "0/c/2/0/0/0")).is_file()


@pytest.mark.beside
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("axes", ["tzyx", "tczyx", "zyx", "tyx", "yx"])
def test_we_read_what_ome_zarr_writes(tmp_path: Path, version: str, axes: str) -> None:
    """Every choice of axes the reference implementation makes, with its pyramid."""
    needed("ome_zarr")
    shape = tuple({"t": 3, "c": 2, "z": 4, "y": 16, "x": 18}[letter] for letter in axes)
    data = np.random.default_rng(1).integers(0, 999, shape).astype("u2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.format import format_from_version
        from ome_zarr.writer import write_image

        write_image(
            data,
            str(tmp_path / "a.zarr"),
            axes=axes,
            fmt=format_from_version(version),
            scale_factors=[2],
            coordinate_transformations=None,
            scale={letter: {"t": 2.5, "z": 0.5, "c": 1.0}.get(letter, 0.25) for letter in axes},
            axes_units={
                letter: "second" if letter == "t" else "micrometer"
                for letter in axes
                if letter != "c"
            },
            metadata=None,
        )
    volume = read(tmp_path / "a.zarr", channel=1 if "c" in axes else None)
    expected = data[:, 1] if "c" in axes else data
    assert np.array_equal(volume.data[:].squeeze(), expected)
    assert volume.units == ("s" if "t" in axes else "frame", "um")
    assert volume.spacing == (2.5 if "t" in axes else 1, 0.5 if "z" in axes else 1, 0.25, 0.25)
    assert volume.metadata["channels"] == (2 if "c" in axes else 1)
    assert volume.metadata["header"]["version"] == version
    assert volume.metadata["warnings"] == []


@pytest.mark.parametrize("axes", ["xyzt", "czxty", "ytx", "yxz"])
def test_axes_in_any_order(tmp_path: Path, axes: str) -> None:
    """The format wants one order; stores with another are seen, and slices of them agree."""
    shape = tuple({"t": 3, "c": 2, "z": 4, "y": 5, "x": 6}[letter] for letter in axes)
    data = np.arange(np.prod(shape), dtype="u2").reshape(shape)
    volume = read(store(tmp_path / "a.zarr", axes, data), channel=1 if "c" in axes else None)
    moved = np.moveaxis(data, axes.index("c"), 0)[1] if "c" in axes else data
    left = axes.replace("c", "")
    expected = moved.transpose([left.index(letter) for letter in "tzyx" if letter in left])
    expected = expected.reshape(
        [dict(zip(axes, shape, strict=True)).get(letter, 1) for letter in "tzyx"]
    )
    for key in np.s_[
        :,
        0,
        ::-1,
        1:4:2,
        (..., 2),
        (-1, 0),
        (slice(2, 0, -1), slice(None, None, -2), 1),
        slice(2, 2),
    ]:
        assert np.array_equal(volume.data[key], expected[key])
    assert np.array_equal(
        read(tmp_path / "a.zarr", axes=axes, channel=1 if "c" in axes else None).data[:], expected
    )


def test_calibration_of_both_levels(tmp_path: Path) -> None:
    """The level's transformations come first, then those of the image; axes may have units of their
    own.
    """
    units = ["millisecond", None, "micrometer", "nanometer", "nanometer"]
    axes = [
        {"name": n, "type": k} | ({"unit": u} if u else {})
        for n, k, u in zip("tczyx", ("time", "channel", *["space"] * 3), units, strict=True)
    ]
    path = store(
        tmp_path / "a.zarr",
        axes,
        DATA[:, None],
        steps=[
            {"type": "scale", "scale": [1, 1, 0.5, 100, 100]},
            {"type": "translation", "translation": [0, 0, 1, 10, 20]},
        ],
        image={
            "coordinateTransformations": [
                {"type": "identity"},
                {"type": "scale", "scale": [100, 1, 2, 2, 2]},
            ]
        },
        omero={"channels": [{"label": "GFP"}]},
    )
    volume = read(path)
    assert volume.units == ("ms", "nm")
    assert volume.spacing == pytest.approx((100, 1000, 200, 200))
    assert volume.origin == pytest.approx((0, 2000, 20, 40))
    assert volume.metadata["channel"] == "GFP"
    assert volume.metadata["calibrated_by"] == {"dt": "OME-Zarr", "voxel": "OME-Zarr"}


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_are_asked_for(tmp_path: Path, version: str) -> None:
    """Two channels and no choice is a question; names come from the omero metadata."""
    both = np.stack([DATA, DATA + 1], axis=1)
    path = store(
        tmp_path / "a.zarr",
        "tczyx",
        both,
        version,
        omero={"channels": [{"label": "red"}, {"label": "green"}]},
    )
    with pytest.raises(InputError, match="2 channels"):
        read(path)
    assert describe(path)["channels"] == 2
    volume = read(path, channel=1)
    assert np.array_equal(volume.data[:], DATA + 1)
    assert (volume.metadata["channel"], volume.metadata["channel_index"]) == ("green", 1)
    with pytest.raises(InputError, match="no channel 2"):
        read(path, channel=2)


def test_plane_times_beside_the_images_of_a_converter(tmp_path: Path) -> None:
    """bioformats2raw leaves the OME-XML of what it converted beside its images."""
    data = np.arange(3 * 2 * 4 * 4, dtype=np.uint8).reshape(3, 2, 4, 4)
    write(Volume(data, (1, 1, 1, 1), units=("frame", "voxel")), tmp_path / "0.zarr")
    folder = tmp_path / "converted.zarr"
    (folder / "OME").mkdir(parents=True)
    (tmp_path / "0.zarr").rename(folder / "0")
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text('{"bioformats2raw.layout": 3}')
    planes = "".join(
        f'<Plane TheT="{t}" TheZ="{z}" TheC="0" DeltaT="{s + z}"/>'
        for t, s in enumerate((2, 12, 42))
        for z in (0, 1)
    )
    beside = folder / "OME" / "METADATA.ome.xml"
    beside.write_text(f"<OME><Image><Pixels>{planes}</Pixels></Image></OME>")
    record = read(folder)
    assert record.grid.times == (2, 12, 42)
    assert record.units[0] == "s"
    assert read(folder, spacing=(5, None, None, None)).grid.times is None
    beside.write_text("<OME><Image>")
    assert read(folder).grid.times is None
