"""Folders of one file for each plane, and of NIfTI."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from folders import DATA, frames
from napari_spatimeinr.errors import FormatError, InputError
from napari_spatimeinr.io import describe, read, readable, write
from napari_spatimeinr.io.folder import array as folder
from napari_spatimeinr.io.tiff import read as tiff
from napari_spatimeinr.volume import Volume
from refusal import refused


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
