"""``spatimeinr info`` and ``convert``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from commands import Fitted, environment, here, refused
from napari_spatimeinr import Volume


@pytest.fixture
def plain_tiff(recording: Volume, tmp_path: Path) -> Path:
    """A TIFF that says nothing about its axes, time or space."""
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.asarray(recording.data), photometric="minisblack")
    return path


def test_info_of_a_recording(recording_file: Path) -> None:
    facts = here("info", recording_file, "--json").json
    assert facts["kind"] == "recording"
    assert facts["shape"] == [4, 6, 16, 16]
    assert facts["channels"] == 1
    assert facts["spacing"] == [60.0, 0.5, 0.25, 0.25]
    assert facts["units"] == ["s", "um"]
    assert facts["dtype"] == "float32"
    assert facts["calibrated_by"]["dt"]
    shown = here("info", recording_file)
    assert "4 x 6 x 16 x 16" in shown.out
    assert "60 x 0.5 x 0.25 x 0.25" in shown.out
    assert shown.err == ""


def test_info_says_null_for_what_a_file_does_not_state(plain_tiff: Path) -> None:
    facts = here("info", plain_tiff, "--axes", "TZYX", "--json").json
    assert facts["shape"] == [4, 6, 16, 16]
    assert facts["spacing"] == [None] * 4
    assert facts["units"] == [None, None]
    assert "not stated" in here("info", plain_tiff, "--axes", "TZYX").out


def test_info_takes_what_the_user_knows_better(plain_tiff: Path, fitted: Fitted) -> None:
    options = ("--axes", "TZYX", "--spacing", "2,0.3,0.1,0.1", "--units", "min,um")
    facts = here("info", plain_tiff, *options, "--json").json
    assert facts["spacing"] == [2, 0.3, 0.1, 0.1]
    assert facts["units"] == ["min", "um"]
    assert facts["calibrated_by"] == {"dt": "given", "voxel": "given"}
    odd = here("info", plain_tiff, "--axes", "TZYX", "--spacing", "2,0.05,0.1,0.1")
    assert "smaller than the pixel" in odd.out
    refused = here("info", fitted[0], "--spacing", "1,1,1,1")
    assert refused.code == 2
    assert "--spacing" in refused.err
    assert "model" in refused.err


def test_info_blames_the_file_for_its_spacing(tmp_path: Path) -> None:
    import nibabel

    image = nibabel.Nifti1Image(np.zeros((8, 8, 4, 2), "u1"), None)
    image.header["pixdim"][1] = np.nan
    nibabel.save(image, tmp_path / "a.nii")
    told = here("info", tmp_path / "a.nii")
    assert told.code == 1
    assert "impossible spacing" in told.err
    assert "--spacing" in told.err


def test_info_of_a_model_whatever_its_name(fitted: Fitted, tmp_path: Path) -> None:
    renamed = tmp_path / "model.bin"
    renamed.write_bytes(fitted[0].read_bytes())
    for path in (fitted[0], renamed):
        facts = here("info", path, "--json").json
        assert facts["kind"] == "model"
        assert facts["shape"] == [4, 6, 16, 16]
        assert facts["spacing"] == [60.0, 0.5, 0.25, 0.25]
        assert facts["units"] == ["s", "um"]
        assert facts["dtype"] == "float32"
        assert facts["preset"] == "fast"
        assert facts["seed"] == 3
        assert facts["config"]["motion"]["steps"] == 5
        assert facts["provenance"]["input"]["sha256"]
    assert "preset" in here("info", fitted[0]).out


def test_convert_keeps_values_and_calibration(
    recording: Volume, recording_file: Path, tmp_path: Path
) -> None:
    before = recording_file
    for name in ("a.tif", "b.ome.tif", "c.nii", "d.nii.gz"):
        done = here("convert", before, tmp_path / name, "--json", "--quiet")
        assert (done.code, done.err) == (0, "")
        assert done.json["shape"] == [4, 6, 16, 16]
        before = tmp_path / name
        back = Volume.open(before)
        np.testing.assert_array_equal(np.asarray(back.data), recording.data)
        np.testing.assert_allclose(back.spacing, recording.spacing, rtol=1e-5)
        assert back.units == recording.units


def test_convert_a_part_with_other_calibration_and_number_type(
    recording: Volume, plain_tiff: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.nii.gz"
    how = (
        "--axes",
        "TZYX",
        "--spacing",
        "30,2,1,1",
        "--units",
        "min,nm",
        "--roi",
        "1:3,:,4:,:8",
        "--dtype",
        "uint8",
    )
    assert here("convert", plain_tiff, target, *how).code == 0
    back = Volume.open(target)
    assert back.shape == (2, 6, 12, 8)
    assert back.dtype == np.uint8
    # NIfTI knows neither min nor nm.
    np.testing.assert_allclose(back.spacing, (1800, 0.002, 0.001, 0.001), rtol=1e-5)
    assert back.units == ("s", "um")
    part = np.asarray(recording.data)[1:3, :, 4:, :8]
    np.testing.assert_array_equal(np.asarray(back.data), np.clip(np.rint(part), 0, 255))


def test_a_choice_of_channel_is_asked_for(recording: Volume, tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    both = np.stack([recording.data, recording.data + 1], 2)
    tifffile.imwrite(path, both, imagej=True, metadata={"axes": "TZCYX"})
    refused(here("convert", path, tmp_path / "out.nii"), 1, "--channel")
    assert here("info", path, "--json").json["channels"] == 2
    assert here("convert", path, tmp_path / "out.nii", "--channel", 1, "--quiet").code == 0
    np.testing.assert_allclose(
        np.asarray(Volume.open(tmp_path / "out.nii").data), recording.data + 1, rtol=1e-6
    )


@pytest.mark.beside
def test_info_convert_and_config_do_without_torch(
    fitted: Fitted, recording_file: Path, tmp_path: Path
) -> None:
    rows = [
        ["info", recording_file],
        ["info", fitted[0]],
        ["convert", recording_file, tmp_path / "o.tif"],
        ["config", "fast"],
    ]
    code = f"""
import sys
from napari_spatimeinr.checkpoint import FORMAT
from napari_spatimeinr.cli.app import app
for row in {[[str(a) for a in row] for row in rows]}:
    assert not app(row, standalone_mode=False)
    assert "torch" not in sys.modules, row
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env=environment()
    )
    assert done.returncode == 0, done.stderr
