"""Slices by template, and how large their voxels are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.embryo.calibration import Calibration, calibrated, data_grid
from napari_spatimeinr.embryo.runfile import RunFile
from napari_spatimeinr.embryo.slices import read_slices, rootnames, template_of
from napari_spatimeinr.errors import FormatError, InputError

CALIBRATION = Calibration((90.0, 0.9, 0.3, 0.3), ())


def slices(
    folder: Path, name: str, times: range | tuple[int, ...], depth: int = 2, add: int = 0
) -> Path:
    """Slices of 2 x 3 pixels; those of time point t and slice z hold 10 t + z."""
    folder.mkdir(parents=True, exist_ok=True)
    for t in times:
        for z in range(1, depth + 1):
            plane = np.full((2, 3), (10 * t + z + add) % 60000, "u2")
            tifffile.imwrite(folder / name.format(t=t, z=z), plane, photometric="minisblack")
    return folder


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("Emb1_", "Emb1_{t:03}_p{z:02}.tif"),
        ("Emb1", "Emb1_{t:03}_p{z:02}.tif"),
        ("Emb1", "Emb1{t:03}_p{z:02}.tif"),
        ("190311plc1mp1_", "190311plc1mp1_{t:03}_p{z:02}.TIF"),
        ("200113plc1p2", "200113plc1p2_L1-t{t:03}-p{z:02}.tiff"),
        (None, "190311plc1mp1_{t:03}_p{z:02}.tif"),
        (None, "emb 03_L1-t{t:03}-p{z:02}.tif"),
    ],
)
def test_slices_by_template(tmp_path: Path, root: str | None, name: str) -> None:
    record = read_slices(slices(tmp_path, name, (189, 190, 191)), root, CALIBRATION)
    assert record.shape == (3, 2, 2, 3)
    assert record.data[:, :, 0, 0].tolist() == [
        [10 * t + z for z in (1, 2)] for t in (189, 190, 191)
    ]
    assert record.metadata["header"]["time_points"] == [189, 190, 191]
    assert record.spacing == (90, 0.9, 0.3, 0.3)
    assert record.units == ("s", "um")
    assert record.metadata["warnings"] == []


@pytest.mark.slow
def test_twelve_hundred_time_points_are_in_order(tmp_path: Path) -> None:
    folder = slices(tmp_path, "190311plc1mp1_{t:03}_p{z:02}.tif", range(1, 1201), 1)
    record = read_slices(folder, "190311plc1mp1_", CALIBRATION)
    assert record.shape[0] == 1200
    some = [0, 8, 98, 189, 190, 998, 999, 1199]
    assert [int(record.data[k, 0, 0, 0]) for k in some] == [10 * (k + 1) + 1 for k in some]


def test_wanted_time_points_alone_need_be_complete(tmp_path: Path) -> None:
    folder = slices(tmp_path, "Emb1_{t:03}_p{z:02}.tif", (1, 2, 3, 5))
    (folder / "Emb1_002_p01.tif").unlink()
    record = read_slices(folder, "Emb1_", CALIBRATION, times=(1, 3, 5))
    assert record.data[:, 0, 0, 0].tolist() == [11, 31, 51]
    assert record.grid.coordinates(0).tolist() == [90, 270, 450]
    assert record.spacing[0] == 180
    assert read_slices(folder, "Emb1_", CALIBRATION, times=(5,)).grid.coordinates(0) == [450]
    uneven = read_slices(
        slices(folder, "Emb1_{t:03}_p{z:02}.tif", (4,)), "Emb1_", CALIBRATION, (1, 3, 4)
    )
    assert uneven.grid.coordinates(0).tolist() == [90, 270, 360]


def test_gaps_are_named(tmp_path: Path) -> None:
    folder = slices(tmp_path, "Emb1_{t:03}_p{z:02}.tif", (1, 2, 4), 3)
    with pytest.raises(InputError, match=r"lack time point 3 \(there are 1 to 4\)"):
        read_slices(folder, "Emb1_", CALIBRATION)
    with pytest.raises(InputError, match="lack time point 5, 6, 7 and 2 more"):
        read_slices(folder, "Emb1_", CALIBRATION, times=(1, 5, 6, 7, 8, 9))
    (folder / "Emb1_002_p02.tif").unlink()
    with pytest.raises(InputError, match="lack slice 2 of time point 2;"):
        read_slices(folder, "Emb1_", CALIBRATION, times=(1, 2))
    with pytest.raises(InputError, match="lack slice 4 of time point 1;"):
        read_slices(folder, "Emb1_", CALIBRATION, times=(1,), depth=4)


def test_two_embryos_in_one_tree(tmp_path: Path) -> None:
    slices(tmp_path / "a", "Emb1_{t:03}_p{z:02}.tif", (1, 2))
    slices(tmp_path / "b", "Emb11_{t:03}_p{z:02}.tif", (1, 2), add=5)
    with pytest.raises(InputError, match="slices of Emb11_ and Emb1_; say which"):
        read_slices(tmp_path, None, CALIBRATION)
    assert read_slices(tmp_path, "Emb1_", CALIBRATION).data[0, 0, 0, 0] == 11
    assert read_slices(tmp_path, "Emb11_", CALIBRATION).data[0, 0, 0, 0] == 16
    with pytest.raises(
        FormatError, match=r"such as Emb2_001_p01\.tif; there are those of Emb11_ and"
    ):
        read_slices(tmp_path, "Emb2_", CALIBRATION)
    slices(tmp_path / "copy", "Emb1_{t:03}_p{z:02}.tif", (1,))
    with pytest.raises(InputError, match="both slice 1 of time point 1"):
        read_slices(tmp_path, "Emb1_", CALIBRATION)


def test_folders_without_slices(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        read_slices(tmp_path / "no", "Emb1_", CALIBRATION)
    with pytest.raises(FormatError, match="holds no TIFF"):
        read_slices(tmp_path, "Emb1_", CALIBRATION)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2), "u1"), photometric="minisblack")
    with pytest.raises(FormatError, match=r"but a\.tif"):
        read_slices(tmp_path, None, CALIBRATION)


@given(
    st.from_regex(r"[A-Za-z0-9]{0,8}[A-Za-z_]", fullmatch=True),
    st.integers(0, 5000),
    st.integers(0, 200),
)
def test_digits_of_the_root_are_never_time(root: str, t: int, z: int) -> None:
    files = [Path(f"{root}{t:03}_p{z:02}.tif")]
    assert rootnames(files) == [root]
    template = template_of(root, files)
    assert template == f"{root}{{t:03}}_p{{z:02}}.tif"


# -- calibration -----------------------------------------------------------------------

RUN = RunFile("Emb1_", "a", "b", (1,), (512, 712, 68), (256, 356, 160))


def test_by_the_ratio_of_the_run_file() -> None:
    found = calibrated(RUN)
    assert found.spacing == pytest.approx((90, 0.4235294, 0.09, 0.09))
    assert "by ori_shape (512, 712, 68) and data_shape (256, 356, 160)" in found.sentences[1]
    assert len(found.sentences) == 3


def test_what_is_given_counts_first_then_what_the_run_file_states() -> None:
    run = RunFile("Emb1_", "a", "b", (1,), (4, 4, 2), (4, 4, 6), xy=0.3, dt=60)
    assert calibrated(run).spacing == pytest.approx((60, 0.9, 0.3, 0.3))
    assert calibrated(run, xy=0.1, z=0.5, dt=10).spacing == (10, 0.5, 0.1, 0.1)
    assert calibrated(run, xy=0.1).sentences[0] == "The pixel is 0.1 um, as given."
    with pytest.raises(InputError, match="--z"):
        calibrated(run, z=0)


def test_the_default_is_always_said() -> None:
    found = calibrated()
    assert found.spacing == (90, 0.42, 0.09, 0.09)
    assert all("is that right" in sentence for sentence in found.sentences)


def test_the_grid_of_data_shape_covers_the_raw_one() -> None:
    raw = Grid((3, 68, 512, 712), (90, 160 / 68 * 0.18, 0.09, 0.09))
    fine = data_grid(raw, (256, 356, 160))
    assert fine.shape == (3, 160, 256, 356)
    assert fine.spacing[1:] == pytest.approx((0.18, 0.18, 0.18))
    for axis in (1, 2, 3):
        for grid in (raw, fine):
            low = grid.origin[axis] - grid.spacing[axis] / 2
            assert low == pytest.approx(-raw.spacing[axis] / 2)
            assert low + grid.shape[axis] * grid.spacing[axis] == pytest.approx(
                (raw.shape[axis] - 0.5) * raw.spacing[axis]
            )
    assert data_grid(Grid((1, 4, 6, 6), (1, 0.9, 0.3, 0.3)), None).shape == (1, 12, 6, 6)
