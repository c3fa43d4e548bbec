"""``spatimeinr evaluate`` and ``demo``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from commands import here, refused, run
from fits import QUICK
from napari_spatimeinr import Volume, load, phantom


def test_evaluate_reports_every_method(recording_file: Path) -> None:
    done = here("evaluate", recording_file, *QUICK, "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    result = done.json
    assert result["input"] == str(recording_file)
    assert (result["hold_out"], result["gap"]) == ("time", 2)
    for name in ("spatimeinr", "linear", "cubic", "flow"):
        assert set(result["methods"][name]) >= {
            "psnr",
            "psnr_smoothed",
            "ssim",
            "nrmse",
            "rse",
            "rsp",
            "psnr_foreground",
        }
    assert "chosen" in result
    assert result["seconds"] > 0
    assert "spatimeinr" in done.err  # the table


def test_evaluate_tells_the_warnings_of_the_fit(tmp_path: Path) -> None:
    data = phantom((3, 6, 16, 16))[0].data.copy()
    data[0, 0, 0, :3] = np.nan
    done = here(
        "evaluate", Volume(data).save(tmp_path / "a.nii"), *QUICK, "--baselines", "linear", "--json"
    )
    said = "3 of 3072 voxels are not finite; they are filled with the background level."
    assert done.json["warnings"] == [said]
    assert f"warning: In the fit of the given frames: {said}" in " ".join(done.err.split())


@pytest.mark.slow
def test_evaluate_along_z_with_one_baseline(recording_file: Path) -> None:
    done = here(
        "evaluate", recording_file, *QUICK, "--hold-out", "z", "--baselines", "linear", "--quiet"
    )
    assert (done.code, done.err) == (0, "")
    assert "linear" in done.out
    assert "cubic" not in done.out


def test_evaluate_of_too_few_frames_is_1(tmp_path: Path) -> None:
    path = phantom((2, 6, 16, 16))[0].save(tmp_path / "two.nii")
    refused(here("evaluate", path, "--gap", 3), 1, "frames")


@pytest.mark.beside
@pytest.mark.slow
def test_demo_writes_a_nifti_a_picture_and_a_table(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "demo"
    done = run("demo", "-o", folder, "--shape", "4,6,16,16", *QUICK, "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    pictures = ["comparison.png"] if find_spec("matplotlib") else []
    assert sorted(p.name for p in folder.iterdir()) == [
        *pictures,
        "demo.json",
        "demo.nii.gz",
        "demo.spatimeinr",
        "recording.nii.gz",
        "scores.txt",
    ]
    assert ("napari-spatimeinr[demo]" in done.err) is (not pictures)
    assert sorted(done.json["files"]) == sorted(str(p) for p in folder.iterdir())
    rendered = Volume.open(folder / "demo.nii.gz")
    assert rendered.shape == (7, 12, 16, 16)
    np.testing.assert_allclose(rendered.spacing, (30, 0.25, 0.25, 0.25))
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert load(folder / "demo.spatimeinr").grid.shape == (4, 6, 16, 16)
    table = (folder / "scores.txt").read_text(encoding="utf-8")
    assert table.strip() in done.err
    for scores in done.json["psnr"].values():
        assert list(scores) == ["linear", "cubic", "SpatimeINR"]
        for value in scores.values():
            assert f"{value:.2f}" in table
            assert 5 < value < 60
