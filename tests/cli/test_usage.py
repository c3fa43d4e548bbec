"""Options, help and presets on the command line, and how wrong use is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Fitted, here, refused
from napari_spatimeinr import make_config
from napari_spatimeinr.config.options import load_yaml


@pytest.mark.parametrize("preset", ["fast", "balanced", "best"])
def test_config_prints_the_preset_as_yaml_that_reads_back(preset: str, tmp_path: Path) -> None:
    done = here("config", preset)
    path = tmp_path / "options.yaml"
    path.write_text(done.out, encoding="utf-8")
    assert done.code == 0
    assert load_yaml(path)["preset"] == preset
    assert make_config(config=path) == make_config(preset)


def test_config_names_the_nearest_preset_and_option() -> None:
    refused(here("config", "blanced"), 2, "balanced")
    refused(here("config", "fast", "--set", "motion.stepz=3"), 2, "motion.steps")
    refused(here("config", "fast", "--set", "motion.steps"), 2, "motion.steps=100")


def test_help_and_version() -> None:
    assert here("--version").out.startswith("spatimeinr 0.")
    shown = here("--help")
    assert shown.code == 0
    for name in ("demo", "fit", "render", "evaluate", "info", "convert", "config"):
        assert name in shown.out


@pytest.mark.parametrize(
    "arguments",
    [["fit"], ["fit", "a.nii", "--nope"], ["nope"], ["fit", "a.nii", "-o", "m", "--seed", "x"]],
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    done = here(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--spacing", "1,2"], "--spacing"),
        (["--spacing", "1,2,x,4"], "--spacing"),
        (["--spacing", "1,2,nan,4"], "finite"),
        (["--spacing", "1,0,1,1"], "positive"),
        (["--spacing=1,-2,1,1"], "positive"),
        (["--units", "s"], "--units"),
        (["--units", "parsec,um"], "parsec"),
        (["--axes", "TZQX"], "--axes"),
        (["--axes", "TTYX"], "--axes"),
        (["--axes", "TZ"], "--axes"),
        (["--psf", "1,2"], "--psf"),
        (["--psf=-1,1,1"], "--psf"),
        (["--roi", "0:5"], "region"),
        (["--roi", "a:b,:,:,:"], "t0:t1"),
        (["--roi", "0:9,:,:,:"], "0:9"),
        (["--roi", ":,3:3,:,:"], "3:3"),
        (["--time-budget", "0"], "--time-budget"),
        (["--time-budget", "nan"], "--time-budget"),
        (["--device", "banana"], "--device"),
        (["--preset", "fats"], "fast"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--set", "motion.steps=-1"], "motion.steps"),
    ],
)
def test_wrong_options_of_fit_are_2(
    arguments: list[str], word: str, recording_file: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.spatimeinr"
    refused(here("fit", recording_file, "-o", model, "--quiet", *arguments), 2, word)
    assert not model.exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--scale", "0"], "--scale"),
        (["--scale=-2"], "--scale"),
        (["--scale", "nan"], "--scale"),
        (["--time-scale", "inf"], "--time-scale"),
        (["--time-scale", "0"], "--time-scale"),
        (["--dt", "0"], "--dt"),
        (["--voxel", "1,2"], "--voxel"),
        (["--voxel", "0"], "--voxel"),
        (["--times", "0,now"], "--times"),
        (["--times", "60,30"], "increasing"),
        (["--times", "0,100000"], "within the recording"),
        (["--scale", "2", "--isotropic"], "several"),
        (["--scale", "2", "--scale-z", "2"], "not both"),
        (["--time-scale", "2", "--dt", "3"], "several"),
        (["--scale", "100000"], "TB"),
        (["--time-scale", "1e30"], "frames"),
        (["--keep-acquired", "--scale", "2"], "scale"),
        (["--roi", "0:99,:,:,:"], "0:99"),
        (["--dtype", "int7"], "--dtype"),
    ],
)
def test_wrong_options_of_render_are_2(
    arguments: list[str], word: str, fitted: Fitted, tmp_path: Path
) -> None:
    target = tmp_path / "out.nii.gz"
    refused(here("render", fitted[0], "-o", target, *arguments), 2, word)
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_of_evaluate_and_demo_are_2(recording_file: Path, tmp_path: Path) -> None:
    refused(here("evaluate", recording_file, "--baselines", "linear,magic"), 2, "magic")
    assert here("evaluate", recording_file, "--hold-out", "y").code == 2
    refused(here("demo", "-o", tmp_path / "demo", "--shape", "4,4"), 2, "--shape")
    assert not (tmp_path / "demo").exists()
