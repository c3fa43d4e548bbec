"""A folder with one TIFF for each time point: order, calibration, laziness, and folders that are no
recording.
"""

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

from napari_spatimeinr.errors import FormatError, InputError
from napari_spatimeinr.io import describe, read, readable, write
from napari_spatimeinr.io.folder import array as folder
from napari_spatimeinr.io.tiff import read as tiff
from napari_spatimeinr.volume import Volume
from refusal import refused

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")
UM = {"axes": "ZYX", "unit": "um", "spacing": 0.5}


def frames(path: Path, *names: str, data: Any = DATA, **how: Any) -> Path:
    """A folder with a plain TIFF of one frame for each name."""
    path.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        tifffile.imwrite(path / name, data[k % len(data)], **{"photometric": "minisblack", **how})
    return path


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 12),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from(["u1", "u2", "f4", ">i2"]),
    st.integers(0, 98),
    st.sampled_from(
        ["t{}.tif", "img_t{:04d}.tiff", "{}.ome.tif", "c1 t{} (raw).TIF", "2024-01-02 {}.tif"]
    ),
    st.booleans(),
)
def test_any_series(
    count: int, shape: Any, dtype: str, first: int, pattern: str, packed: bool
) -> None:
    """Frames come in the order of their numbers, whatever the names, sizes and number types."""
    data = np.arange(count * np.prod(shape)).astype(dtype).reshape(count, *shape)
    with tempfile.TemporaryDirectory() as place:
        for k in range(count):
            compression = "zlib" if packed else None
            how: dict[str, Any] = {
                "photometric": "minisblack",
                "compression": compression,
                "metadata": {"axes": "ZYX"},
            }
            tifffile.imwrite(
                Path(place) / pattern.format(first + k),
                data[k],
                ome=pattern.endswith("ome.tif"),
                **how,
            )
        volume = read(place)
        assert volume.shape == data.shape
        assert volume.dtype.newbyteorder("=") == np.dtype(dtype).newbyteorder("=")
        assert np.array_equal(volume.data[:], data)
        assert volume.units[0] == "frame"
        assert json.loads(json.dumps(volume.metadata, allow_nan=False)) == volume.metadata


def test_natural_order(tmp_path: Path) -> None:
    """t2 comes before t10."""
    data = np.arange(12, dtype="u1")[:, None, None, None] * np.ones((12, 2, 3, 4), "u1")
    volume = read(frames(tmp_path / "a", *[f"t{k}.tif" for k in range(12)], data=data))
    assert volume.data[:, 0, 0, 0].tolist() == list(range(12))
    assert volume.metadata["warnings"] == []
    assert (volume.metadata["format"], volume.metadata["source"]) == (
        "tiff-folder",
        str(tmp_path / "a"),
    )


def test_slices(tmp_path: Path) -> None:
    """Slices agree with numpy's, from several threads too."""
    for how in ({}, {"compression": "zlib"}):
        volume = read(frames(tmp_path / "a", "t1.tif", "t2.tif", "t3.tif", **how))
        for key in np.s_[
            :,
            0,
            ::-1,
            1,
            (..., 2),
            (-1, 0),
            (slice(2, 0, -1), slice(None, None, -2), 1),
            slice(2, 2),
        ]:
            assert np.array_equal(volume.data[key], DATA[key])
        with ThreadPoolExecutor(4) as pool:
            assert all(
                pool.map(lambda k: np.array_equal(volume.data[k % 3], DATA[k % 3]), range(24))  # noqa: B023
            )


def test_planes(tmp_path: Path) -> None:
    """Files of one plane are a recording of one plane."""
    volume = read(frames(tmp_path / "a", "t1.tif", "t2.tif", data=DATA[:, 0]))
    assert np.array_equal(volume.data[:], DATA[:2, :1])
    assert np.array_equal(read(tmp_path / "a", axes="TYX").data[:], DATA[:2, :1])


def test_calibration_of_the_first(tmp_path: Path) -> None:
    """Voxel size from the first file; the frame interval only from the user."""
    names = ("t1.tif", "t2.tif", "t3.tif")
    path = frames(
        tmp_path / "a", *names, imagej=True, resolution=(10, 5), metadata={**UM, "finterval": 3.0}
    )
    volume = read(path)
    assert (volume.spacing, volume.units) == ((1, 0.5, 0.2, 0.1), ("frame", "um"))
    assert volume.metadata["calibrated_by"] == {"dt": None, "voxel": "ImageJ metadata"}
    assert describe(path)["spacing"] == [None, 0.5, 0.2, 0.1]
    given_dt = read(path, spacing=(2.5, None, None, None), units=("s", None))
    assert (given_dt.spacing, given_dt.units) == ((2.5, 0.5, 0.2, 0.1), ("s", "um"))
    frames(path, "t1.tif", imagej=True, resolution=(4, 4), metadata=UM)
    (warning,) = read(path).metadata["warnings"]
    assert "another voxel size than t1.tif" in warning
    write(Volume(DATA[:1], (9, 0.5, 0.2, 0.1), (7, 1, 2, 3), ("s", "um")), tmp_path / "t1.ome.tif")
    volume = read(tmp_path)
    assert (volume.spacing[0], volume.units, volume.origin) == (1, ("frame", "um"), (0, 1, 2, 3))


def test_stacks_saved_as_time(tmp_path: Path) -> None:
    """Planes that a file calls frames are planes when the user says so."""
    path = frames(tmp_path / "a", "t1.tif", "t2.tif", imagej=True, metadata={"axes": "TYX"})
    assert "axes='ZYX'" in refused(InputError, path)
    assert np.array_equal(read(path, axes="ZYX").data[:], DATA[:2])
    assert np.array_equal(read(path, axes="TZYX").data[:], DATA[:2])


def test_channels(tmp_path: Path) -> None:
    """Each file may hold several channels, of which one is chosen."""
    both = np.stack([DATA, DATA + 1], axis=2)
    path = frames(
        tmp_path / "a", "t1.tif", "t2.tif", data=both, imagej=True, metadata={"axes": "ZCYX"}
    )
    with pytest.raises(InputError, match="2 channels"):
        read(path)
    assert describe(path)["channels"] == 2
    assert np.array_equal(read(path, channel=1).data[:], DATA[:2] + 1)


def test_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels are not read at open, a frame opens its own file, and few stay open."""
    path = frames(tmp_path / "a", *[f"t{k}.tif" for k in range(20)], compression="zlib")
    decoded: list[str] = []
    asarray = tifffile.TiffPage.asarray

    def listening(self: Any, *args: Any, **how: Any) -> Any:
        decoded.append(self.parent.filehandle.name)
        return asarray(self, *args, **how)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", listening)
    opened: list[str] = []
    original = tiff.read

    def counting(file: Path, how: Any) -> Volume:
        opened.append(file.name)
        return original(file, how)

    monkeypatch.setattr(tiff, "read", counting)
    volume = read(path)
    assert decoded == []
    opened.clear()
    assert np.array_equal(volume.data[7, 2], DATA[7 % 3, 2])
    assert np.array_equal(volume.data[7, 3], DATA[7 % 3, 3])
    assert (opened, decoded) == (["t7.tif"], ["t7.tif"] * 2)
    assert np.array_equal(volume.data[:, 0, 0, 0], [DATA[k % 3, 0, 0, 0] for k in range(20)])
    assert len(volume.data._open) == folder.OPEN_FILES


def test_files_that_change_later(tmp_path: Path) -> None:
    """A file that is gone, damaged or another one is named when it is read."""
    path = frames(tmp_path / "a", "t1.tif", "t2.tif", "t3.tif")
    volume = read(path)
    (path / "t1.tif").unlink()
    with pytest.raises(FormatError, match=r"t1\.tif is gone"):
        volume.data[0]
    (path / "t2.tif").write_bytes(b"II*\0")
    with pytest.raises(FormatError, match=r"t2\.tif"):
        volume.data[1]
    tifffile.imwrite(path / "t3.tif", DATA[0, :2], photometric="minisblack")
    with pytest.raises(FormatError, match=r"t3\.tif has changed"):
        volume.data[2]


def test_missing_and_double_numbers(tmp_path: Path) -> None:
    """The sentence names them."""
    text = refused(InputError, frames(tmp_path / "a", "t1.tif", "t2.tif", "t4.tif"))
    assert "lacks number 3 between t1.tif and t4.tif" in text
    text = refused(InputError, frames(tmp_path / "b", "t1.tif", "t9.tif", "t99999999999.tif"))
    assert "lacks number 2, 3, 4 and 99999999993 more" in text
    assert "t02.tif and t2.tif" in refused(
        InputError, frames(tmp_path / "c", "t1.tif", "t2.tif", "t02.tif")
    )
    assert "same number" in refused(InputError, frames(tmp_path / "d", "t1.tif", "t1.tiff"))


def test_several_numbers(tmp_path: Path) -> None:
    """A clock beside the counter is passed over; channels or positions are not."""
    names = ("s3 t1 c2.tif", "s3 t2 c2.tif", "s3 t3 c2.tif")
    assert np.array_equal(read(frames(tmp_path / "a", *names)).data[:], DATA)
    names = ("120001 t1.tif", "120107 t2.tif", "120109 t3.tif")
    assert np.array_equal(read(frames(tmp_path / "b", *names)).data[:], DATA)
    names = ("c1 t1.tif", "c1 t2.tif", "c2 t1.tif", "c2 t2.tif")
    assert "folder of its own" in refused(InputError, frames(tmp_path / "c", *names))
    names = ("c1 t1.tif", "c2 t2.tif", "c3 t3.tif")
    assert "Several numbers" in refused(InputError, frames(tmp_path / "d", *names))


def test_odd_files(tmp_path: Path) -> None:
    """A file of another size, number type or name is named."""
    path = frames(tmp_path / "a", "t1.tif", "t2.tif", "t3.tif")
    tifffile.imwrite(path / "t1.tif", DATA[0, :3], photometric="minisblack")
    assert "t1.tif holds 3 x 5 x 6 uint16 where the other files hold 4 x 5 x 6 uint16" in refused(
        InputError, path
    )
    tifffile.imwrite(path / "t1.tif", DATA[0].astype("f4"), photometric="minisblack")
    assert "t1.tif holds 4 x 5 x 6 float32" in refused(InputError, path)
    (path / "t1.tif").write_bytes(b"")
    assert "t1.tif is empty" in refused(FormatError, path)
    (path / "t1.tif").write_bytes((path / "t2.tif").read_bytes()[:100])
    assert "t1.tif" in refused(FormatError, path)
    frames(path, "t1.tif", "MAX.tif")
    assert "MAX.tif" in refused(InputError, path)
    assert "not numbered" in refused(InputError, frames(tmp_path / "b", "one.tif", "two.tif"))


# -- one file for each plane ------------------------------------------------------------------


def planes(
    path: Path, data: Any, pattern: str, first: tuple[int, int] = (1, 1), **how: Any
) -> Path:
    """A folder with a plain TIFF of one plane for each plane of each time point."""
    path.mkdir(exist_ok=True)
    for t, frame in enumerate(data):
        for z, plane in enumerate(frame):
            name = pattern.format(t=first[0] + t, z=first[1] + z)
            tifffile.imwrite(path / name, plane, **{"photometric": "minisblack", **how})
    return path


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 5), st.integers(2, 5), st.integers(1, 4), st.integers(1, 5)),
    st.tuples(st.integers(0, 1200), st.integers(0, 120)),
    st.sampled_from(
        [
            ("Emb1_{t:03}_p{z:02}.tif", "Emb1_{t:03}_p{z:02}.tif"),
            ("embryo_L1-t{t:03}-p{z:02}.tif", "embryo_L1-t{t:03}-p{z:02}.tif"),
            ("190311plc1mp1_{t}_p{z}.TIF", "190311plc1mp1_{t}_p{z}.TIF"),
            ("z{z:03}_t{t:04} (größe).tiff", "z{z:03}_t{t:04} (größe).tiff"),
            ("slice {z} of 12 time {t}.tif", "slice {z} of 12 time {t}.tif"),
        ]
    ),
)
def test_planes_of_time_points(
    shape: Any, first: tuple[int, int], pattern: tuple[str, str]
) -> None:
    """Whatever comes first in the names, numbers of the root are never mistaken for those that
    count.
    """
    data = np.arange(np.prod(shape)).astype("u2").reshape(shape)
    with tempfile.TemporaryDirectory() as place:
        volume = read(planes(Path(place), data, pattern[0], first))
        assert np.array_equal(volume.data[:], data)
        header = volume.metadata["header"]
        one = header["template"]
        if shape[0] > 1:
            assert header["first"] == list(first)
            assert header["last"] == [
                first[0] + shape[0] - 1,
                first[1] + shape[1] - 1,
            ]
            # What is shown makes every name.
            names = {
                one.format(t=first[0] + t, z=first[1] + z)
                for t in range(shape[0])
                for z in range(shape[1])
            }
            assert names == {f.name for f in Path(place).iterdir()}
        assert "is that right" in volume.metadata["warnings"][0]
        assert one in volume.metadata["warnings"][0]
        assert describe(place)["template"] == one


def test_planes_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = planes(
        tmp_path / "a", DATA, "t{t}_z{z}.tif", resolution=(1e5, 1e5), resolutionunit="CENTIMETER"
    )
    volume = read(path)
    assert volume.spacing[2:] == pytest.approx((0.1, 0.1))
    assert any("z step" in line for line in volume.metadata["warnings"])
    assert read(path, spacing=(2, 0.5, 0.1, 0.1)).spacing == (2, 0.5, 0.1, 0.1)
    opened: list[str] = []
    original = tiff.read
    monkeypatch.setattr(
        tiff, "read", lambda file, how: opened.append(file.name) or original(file, how)
    )
    for key in np.s_[
        :, 0, ::-1, 1, (..., 2), (-1, 0), (slice(2, 0, -1), slice(None, None, -2), 1), slice(2, 2)
    ]:
        assert np.array_equal(volume.data[key], DATA[key])
    opened.clear()
    fresh = folder.FolderArray(volume.data._series, volume.data._how, volume.shape, volume.dtype)
    assert np.array_equal(fresh[1, 2], DATA[1, 2])
    assert opened == ["t2_z3.tif"]
    assert len(volume.data._open) <= folder.OPEN_FILES
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda k: np.array_equal(volume.data[k % 3], DATA[k % 3]), range(12)))


def test_missing_planes_are_named(tmp_path: Path) -> None:
    path = planes(tmp_path / "a", DATA, "Emb1_{t:03}_p{z:02}.tif")
    (path / "Emb1_002_p03.tif").unlink()
    text = refused(InputError, path)
    assert "lacks plane 3 of time point 2" in text
    assert "Emb1_{t:03}_p{z:02}.tif" in text
    for z in range(1, 5):
        (path / f"Emb1_002_p{z:02}.tif").unlink(missing_ok=True)
    text = refused(InputError, path)
    assert (
        "plane 1 of time point 2, plane 2 of time point 2, plane 3 of time point 2 and 1 more"
        in text
    )
    frames(path, "MAX_Emb1.tif", data=DATA[:, 0])
    assert "MAX_Emb1.tif" in refused(InputError, path)


def test_one_time_point_and_channels(tmp_path: Path) -> None:
    """Letters before the one number say that it counts planes; two numbers of which one counts
    channels are refused.
    """
    volume = read(planes(tmp_path / "a", DATA[:1], "embryo_z{z:02}.tif"))
    assert volume.shape == (1, 4, 5, 6)
    assert volume.metadata["header"]["template"] == "embryo_z{z:02}.tif"
    assert read(planes(tmp_path / "b", DATA[:1], "embryo_{z:02}.tif")).shape == (4, 1, 5, 6)
    assert "folder of its own" in refused(InputError, planes(tmp_path / "c", DATA, "c{t}_z{z}.tif"))


def test_time_points_beyond_the_padding(tmp_path: Path) -> None:
    data = np.arange(4, dtype="u1")[:, None, None, None] * np.ones((4, 2, 3, 3), "u1")
    volume = read(planes(tmp_path / "a", data, "e_{t:03}_p{z:02}.tif", (998, 1)))
    assert volume.data[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert volume.metadata["header"]["last"] == [1001, 2]
    assert volume.metadata["header"]["template"] == "e_{t}_p{z:02}.tif"


def test_many_files_are_not_all_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.zeros((30, 20, 2, 2), "u1") + np.arange(30, dtype="u1")[:, None, None, None]
    path = planes(tmp_path / "a", data, "t{t}_z{z}.tif")
    tifffile.imwrite(path / "t7_z3.tif", np.zeros((3, 2), "u1"), photometric="minisblack")
    assert "t7_z3.tif holds 1 x 3 x 2" in refused(InputError, path)
    # The same number of bytes, but other numbers: found when it is read.
    tifffile.imwrite(path / "t7_z3.tif", np.zeros((1, 4), "u1"), photometric="minisblack")
    same = (path / "t7_z3.tif").stat().st_size == (path / "t1_z1.tif").stat().st_size
    opened: list[str] = []
    original = tiff.read
    monkeypatch.setattr(
        tiff, "read", lambda file, how: opened.append(file.name) or original(file, how)
    )
    assert same
    volume = read(path)
    assert len(opened) <= 3
    assert volume.data[5, 2, 0, 0] == 5
    with pytest.raises(FormatError, match=r"t7_z3\.tif"):
        volume.data[6]


# -- NIfTI ------------------------------------------------------------------------------------


def test_a_nifti_for_each_time_point(tmp_path: Path) -> None:
    volume = Volume(DATA.astype("i2"), (7, 0.5, 0.2, 0.1), (0, 1, 2, 3), ("s", "um"))
    for k in range(3):
        write(
            volume.crop(((k, k + 1), (0, 4), (0, 5), (0, 6))), tmp_path / f"Emb1_{k + 8:03}.nii.gz"
        )
    found = read(tmp_path)
    assert np.array_equal(found.data[:], DATA.astype("i2"))
    assert found.metadata["format"] == "nifti-folder"
    assert (found.spacing, found.units, found.origin) == (
        (1, 0.5, 0.2, 0.1),
        ("frame", "um"),
        (0, 1, 2, 3),
    )
    assert describe(tmp_path)["template"] == "Emb1_{t:03}.nii.gz"
    frames(tmp_path, "t1.tif")
    assert "TIFFs and NIfTIs" in refused(InputError, tmp_path)


def test_links_that_lead_nowhere_and_what_systems_leave(tmp_path: Path) -> None:
    path = frames(tmp_path / "a", "t1.tif", "t2.tif")
    (path / "t3.tif").symlink_to(path / "t4.tif")
    (path / "t4.tif").symlink_to(path / "t3.tif")
    (path / "loop").symlink_to(path)
    for name in ("Thumbs.db", ".DS_Store", "notes.txt"):
        (path / name).write_bytes(b"x")
    assert read(path).shape == (2, 4, 5, 6)


def test_no_recording(tmp_path: Path) -> None:
    """An empty folder, one without a TIFF, hidden files and folders."""
    (tmp_path / "a").mkdir()
    assert "is an empty folder; give a recording" in refused(FormatError, tmp_path / "a")
    assert readable(tmp_path / "a"), "so that napari asks us, and shows this sentence"
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "a" / "._t1.tif").write_text("x")
    (tmp_path / "a" / "t1.tif").mkdir()
    assert "without TIFFs" in refused(FormatError, tmp_path / "a")
    assert "does not exist" in refused(FormatError, tmp_path / "b")
    frames(tmp_path / "a", "t2.tif")
    assert read(tmp_path / "a").shape == (1, 4, 5, 6)
