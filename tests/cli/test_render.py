"""``spatimeinr render``: grids, number types, confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import Fitted, here
from napari_spatimeinr import Volume, load


@pytest.mark.parametrize(
    ("arguments", "shape", "spacing"),
    [
        ([], (4, 6, 16, 16), (60, 0.5, 0.25, 0.25)),
        (["--time-scale", "2.5"], (8, 6, 16, 16), (24, 0.5, 0.25, 0.25)),
        (["--time-scale", "2", "--isotropic"], (7, 12, 16, 16), (30, 0.25, 0.25, 0.25)),
        (["--scale", "1.5", "--time-scale", "0.5"], (2, 9, 24, 24), (120, 1 / 3, 1 / 6, 1 / 6)),
        (["--scale-z", "2", "--scale-yx", "0.5"], (4, 12, 8, 8), (60, 0.25, 0.5, 0.5)),
        (["--voxel", "0.5"], (4, 6, 8, 8), (60, 0.5, 0.5, 0.5)),
        (["--voxel", "1,0.5,0.25", "--dt", "90"], (3, 3, 8, 16), (90, 1, 0.5, 0.25)),
        (["--times", "15,45,75"], (3, 6, 16, 16), (30, 0.5, 0.25, 0.25)),
        (["--roi", "0:2,1:3,:,8:16", "--time-scale", "2"], (3, 2, 16, 8), (30, 0.5, 0.25, 0.25)),
    ],
)
def test_render_writes_the_grid_that_was_asked_for(
    arguments: list[str],
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    fitted: Fitted,
    tmp_path: Path,
) -> None:
    target = tmp_path / "out.nii.gz"
    done = here("render", fitted[0], "-o", target, "--device", "cpu", "--json", *arguments)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    assert done.json["output"] == str(target)
    assert done.json["shape"] == list(shape)
    assert done.json["voxels_per_second"] > 0
    np.testing.assert_allclose(done.json["spacing"], spacing)
    back = Volume.open(target)
    assert back.shape == shape
    np.testing.assert_allclose(back.spacing, spacing, rtol=1e-5)
    assert back.units == ("s", "um")
    assert np.isfinite(np.asarray(back.data)).all()


def test_render_writes_confidence_beside_it(fitted: Fitted, tmp_path: Path) -> None:
    target, sure = tmp_path / "out.nii.gz", tmp_path / "sure.nii.gz"
    done = here("render", fitted[0], "-o", target, "--time-scale", 2, "--confidence", sure)
    assert done.code == 0, done.err
    values = Volume.open(sure).data[:]
    assert Volume.open(target).shape == values.shape
    np.testing.assert_allclose(
        values, np.asarray(load(fitted[0]).lazy(time_scale=2, what="confidence")), rtol=1e-6
    )
    before = target.read_bytes()
    done = here("render", fitted[0], "-o", target, "--confidence", target)
    assert done.code == 1
    assert "a file of its own" in done.err
    assert target.read_bytes() == before


@pytest.mark.parametrize("quantity", ["confidence", "disagreement", "hypothesis"])
def test_render_writes_the_quantity_that_was_asked_for(
    quantity: str, fitted: Fitted, tmp_path: Path
) -> None:
    target = tmp_path / "out.nii.gz"
    how = "render", fitted[0], "-o", target, "--time-scale", 2, "--device", "cpu"
    done = here(*how, "--quantity", quantity, "--json")
    assert done.code == 0, done.err
    assert done.json["quantity"] == quantity
    expected = load(fitted[0], device="cpu").lazy(time_scale=2, what=quantity)
    back = Volume.open(target)
    assert back.dtype == expected.dtype
    np.testing.assert_allclose(np.asarray(back.data), np.asarray(expected), rtol=1e-5)
    assert ("labels" in done.json) == (quantity == "hypothesis")


def test_render_says_what_labels_mean_and_which_quantities_there_are(
    fitted: Fitted, tmp_path: Path
) -> None:
    target = tmp_path / "out.nii.gz"
    done = here("render", fitted[0], "-o", target, "--quantity", "hypothesis", "--device", "cpu")
    assert "Labels: 0 is no motion, or a frame as it was acquired; 1 smoothness" in done.out
    done = here("render", fitted[0], "-o", target, "--quantity", "motion")
    assert done.code == 2
    assert "--quantity is one of intensity, disagreement, confidence, hypothesis" in done.err


def test_render_to_tiff_equals_the_python_api(fitted: Fitted, tmp_path: Path) -> None:
    target = tmp_path / "out.tif"
    assert (
        here(
            "render", fitted[0], "-o", target, "--time-scale", 2, "--device", "cpu", "--quiet"
        ).code
        == 0
    )
    expected = load(fitted[0], device="cpu").render(time_scale=2)
    np.testing.assert_allclose(
        np.asarray(Volume.open(target).data), expected.data, rtol=1e-5, atol=1e-5
    )


def test_render_keeps_acquired_frames_bit_for_bit(
    fitted: Fitted, recording: Volume, tmp_path: Path
) -> None:
    target = tmp_path / "out.nii"
    assert here("render", fitted[0], "-o", target, "--time-scale", 2, "--keep-acquired").code == 0
    np.testing.assert_array_equal(np.asarray(Volume.open(target).data)[::2], recording.data)


@pytest.mark.parametrize("dtype", ["source", "float32", "uint16", "uint8"])
def test_render_number_types(dtype: str, fitted: Fitted, tmp_path: Path) -> None:
    target = tmp_path / "out.tif"
    assert here("render", fitted[0], "-o", target, "--dtype", dtype).code == 0
    assert Volume.open(target).dtype == np.dtype("float32" if dtype == "source" else dtype)
