"""``spatimeinr fit``: what it writes and says, and Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from commands import Fitted, here, interrupted
from fits import QUICK
from napari_spatimeinr import Volume, load


def test_fit_reports_one_json_object_and_a_model_that_loads(fitted: Fitted) -> None:
    model, done = fitted
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    result = done.json
    assert result["model"] == str(model)
    assert result["device"] == "cpu"
    assert result["seed"] == 3
    assert result["seconds"] > 0
    assert result["steps"] > 0
    assert result["peak_memory_bytes"] > 1e6
    assert set(result["chosen"]) >= {"motion", "latents"}
    assert "gain_over_linear_db" in result["hold_out"]
    assert any("%" in line for line in done.lines)  # progress, as plain lines
    assert str(model) in done.lines[-1]
    assert not any("\x1b" in line for line in done.lines)
    field = load(model, device="cpu")
    assert field.config.motion.steps == 5
    assert field.grid.spacing == (60.0, 0.5, 0.25, 0.25)


def test_fit_is_silent_when_quiet_and_goes_on_from_a_model(
    fitted: Fitted, recording_file: Path, tmp_path: Path
) -> None:
    model = tmp_path / "next.spatimeinr"
    part = ("--psf", "0.5,0.2,0.2", "--time-budget", "20")
    done = here(
        "fit",
        recording_file,
        "-o",
        model,
        *QUICK,
        "--resume",
        fitted[0],
        "--quiet",
        "--json",
        *part,
    )
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert load(model).config.psf == (0.5, 0.2, 0.2)


@pytest.mark.slow
def test_equal_seeds_give_equal_files(recording_file: Path, tmp_path: Path) -> None:
    """How long it took, and with how much memory, is in the JSON file beside."""
    found = []
    for k in (1, 2):
        folder = tmp_path / str(k)
        folder.mkdir()
        assert (
            here(
                "fit", recording_file, "-o", folder / "m.spatimeinr", *QUICK, "--seed", 3, "--quiet"
            ).code
            == 0
        )
        for name in ("a.nii", "b.nii.gz", "c.ome.tif"):
            assert (
                here(
                    "render",
                    folder / "m.spatimeinr",
                    "-o",
                    folder / name,
                    "--time-scale",
                    2,
                    "--quiet",
                ).code
                == 0
            )
        found.append([(folder / name).read_bytes() for name in ("a.nii", "b.nii.gz", "c.ome.tif")])
        assert json.loads((folder / "a.json").read_text())["spatimeinr"]["seconds"] > 0
    assert found[0] == found[1]


def test_fit_of_a_part(recording_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "part.spatimeinr"
    assert here("fit", recording_file, "-o", model, *QUICK, "--roi", "1:4,:,2:14,:").code == 0
    field = load(model)
    assert field.grid.shape == (3, 6, 12, 16)
    assert field.grid.origin == (60.0, 0.0, 0.5, 0.0)


@pytest.mark.slow
def test_fit_says_what_the_file_leaves_open(recording: Volume, tmp_path: Path) -> None:
    data = np.array(recording.data)
    data[1, 2, 3, 4] = np.nan
    path = tmp_path / "open.tif"
    tifffile.imwrite(path, data, photometric="minisblack")
    done = here("fit", path, "-o", tmp_path / "m.spatimeinr", "--axes", "TZYX", *QUICK)
    assert done.code == 0
    told = [line for line in done.lines if line.startswith("warning: ")]
    assert any("frames and voxels" in line and "open.tif" in line for line in told)
    assert any("1 of 6144 voxels are not finite" in line for line in told)


@pytest.mark.slow
def test_ctrl_c_leaves_a_usable_model(recording_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "stopped.spatimeinr"
    long = (
        "--preset",
        "best",
        "--set",
        "motion.steps=100000",
        "--set",
        "latents.steps=1000000",
        "--device",
        "cpu",
    )
    done, seconds = interrupted("fit", recording_file, "-o", model, *long, "--json", until="loss")
    assert done.code == 130, done.err
    assert seconds < 30
    assert "Traceback" not in done.err
    assert done.json["interrupted"] is True
    rendered = load(model).render(time_scale=2)
    assert rendered.shape == (7, 6, 16, 16)
    assert np.isfinite(rendered.data).all()


@pytest.mark.slow
def test_ctrl_c_elsewhere_writes_nothing(recording_file: Path, tmp_path: Path) -> None:
    long = ("--set", "motion.steps=100000", "--set", "latents.steps=1000000", "--device", "cpu")
    done, _ = interrupted("evaluate", recording_file, *long, "--json", until="loss")
    assert done.code == 130, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "nterrupted" in done.lines[-1]


def test_times_say_when_frames_were_taken(tmp_path: Path) -> None:
    """Numbers, or a file of them."""
    recording, model = tmp_path / "a.tif", tmp_path / "a.spatimeinr"
    data = np.random.default_rng(0).random((4, 3, 12, 12), np.float32)
    tifffile.imwrite(recording, data, imagej=True, metadata={"axes": "TZYX"})
    log = tmp_path / "times.csv"
    log.write_text("0, 10\n30\n40\n", encoding="utf-8")
    plain = ("--set", "motion.enabled=false", "--set", "latents.enabled=false")
    plain += ("--set", "planes.enabled=false", "--device", "cpu", "--quiet")
    done = here("fit", recording, "-o", model, "--times", log, "--units", "s,um", *plain)
    assert (done.code, done.err) == (0, "")
    assert load(model, device="cpu").grid.times == (0, 10, 30, 40)
    for wrong, words in (
        ("0,10,30", "3 times were given for 4 frames"),
        ("0,10,30,30", "increasing"),
        ("soon", "numbers separated by commas"),
    ):
        done = here("fit", recording, "-o", model, "--times", wrong, *plain)
        assert done.code == 2
        assert words in done.err
