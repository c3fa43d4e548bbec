"""The command line: what it writes, prints and returns, and how it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner

from fits import QUICK
from napari_spatimeinr import Volume, load, make_config, phantom
from napari_spatimeinr.checkpoint import FORMAT
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.cli.output import explain, guarded, plain
from napari_spatimeinr.config.options import load_yaml
from napari_spatimeinr.errors import (
    MEMORY,
    ConfigError,
    DeviceError,
    FormatError,
    GridError,
    InputError,
)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Fitted = tuple[Path, Done]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "napari_spatimeinr.cli", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **more}


def run(*arguments: object, cwd: Path | None = None) -> Done:
    """Run ``spatimeinr`` as a user does, in a process of its own."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=200, cwd=cwd, env=environment()
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def fitted(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A model fitted by the command, and what the command said; not to be changed."""
    model = tmp_path_factory.mktemp("model") / "model.spatimeinr"
    return model, run("fit", recording_file, "-o", model, *QUICK, "--seed", 3, "--json")


def here(*arguments: object) -> Done:
    """Run a command in this process."""
    done = CliRunner().invoke(
        app, [str(a) for a in arguments], prog_name="spatimeinr", catch_exceptions=False
    )
    return Done(done.exit_code, done.stdout, done.stderr)


def refused(done: Done, code: int, *words: str) -> None:
    """Check that a command said in exactly one line why it did nothing."""
    assert done.code == code, done.err
    assert done.out == ""
    assert len(done.lines) == 1, done.err
    assert done.err.startswith("spatimeinr: ")
    assert "Traceback" not in done.err
    assert "nexpected" not in done.err
    for word in words:
        assert word in done.err


@pytest.fixture
def plain_tiff(recording: Volume, tmp_path: Path) -> Path:
    """A TIFF that says nothing about its axes, time or space."""
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.asarray(recording.data), photometric="minisblack")
    return path


# -- config -----------------------------------------------------------------------------------


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


# -- usage ------------------------------------------------------------------------------------


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


# -- bad files --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fit", "info", "convert", "evaluate"])
@pytest.mark.parametrize(
    "kind", ["missing.nii", "empty.nii.gz", "text.nii", "text.tif", "unknown.xyz"]
)
def test_bad_recordings_are_1(name: str, kind: str, tmp_path: Path) -> None:
    source, target = tmp_path / kind, tmp_path / "out" / "result.tif"
    target.parent.mkdir()
    if not kind.startswith("missing"):
        source.write_text("" if kind.startswith("empty") else "no image " * 200, encoding="utf-8")
    arguments: list[object] = [name, source]
    arguments += {"fit": ["-o", target.with_suffix(".spatimeinr")], "convert": [target]}.get(
        name, []
    )
    refused(here(*arguments), 1, kind)
    assert list(target.parent.iterdir()) == []


def test_bad_models_are_1(fitted: Fitted, recording_file: Path, tmp_path: Path) -> None:
    whole = fitted[0].read_bytes()
    (tmp_path / "cut.spatimeinr").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.spatimeinr").write_bytes(b"")
    this, newer = (b'\\"format\\": %d,' % number for number in (FORMAT, 9))
    assert whole.count(this) == 1
    (tmp_path / "newer.spatimeinr").write_bytes(whole.replace(this, newer))
    (tmp_path / "other.spatimeinr").write_bytes(recording_file.read_bytes())
    for name, word in (
        ("cut", "damaged"),
        ("empty", "not a"),
        ("newer", "newer"),
        ("other", "not a"),
        ("missing", "no file"),
    ):
        path = tmp_path / f"{name}.spatimeinr"
        refused(here("render", path, "-o", tmp_path / "out.nii"), 1, word)
        refused(here("info", path), 1, word)
    assert not (tmp_path / "out.nii").exists()


def test_a_device_that_is_not_there_is_1(
    fitted: Fitted, recording_file: Path, tmp_path: Path
) -> None:
    refused(
        here("render", fitted[0], "-o", tmp_path / "out.nii", "--device", "cuda:77"),
        1,
        "cuda:77",
        "--device cpu",
    )
    refused(
        here(
            "fit", recording_file, "-o", tmp_path / "m.spatimeinr", "--device", "cuda:77", "--quiet"
        ),
        1,
        "cuda:77",
    )
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_checked_before_anything_is_computed(
    fitted: Fitted, recording_file: Path, tmp_path: Path
) -> None:
    refused(here("fit", recording_file, "-o", tmp_path / "no" / "m.spatimeinr"), 1, "no folder")
    refused(here("fit", recording_file, "-o", tmp_path), 1, "is a folder")
    refused(here("fit", recording_file, "-o", tmp_path / "m.tif"), 2, "m.spatimeinr")
    refused(here("render", fitted[0], "-o", fitted[0]), 2, "choose another name")
    refused(here("render", fitted[0], "-o", tmp_path / "out.xyz"), 1, "ending")
    refused(here("convert", recording_file, recording_file), 2, "choose another name")
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    refused(here("demo", "-o", tmp_path / "file"), 1, "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = here("info", tmp_path / "missing.nii", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.lines[-1].startswith("spatimeinr: ")


# -- info and convert -------------------------------------------------------------------------


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


# -- fit --------------------------------------------------------------------------------------


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


def interrupted(*arguments: object, until: str, wait: float = 120) -> tuple[Done, float]:
    """Press Ctrl-C once a line of standard error holds ``until``; what came out, and the seconds it
    took to end.
    """
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    said = ""
    try:
        begun = time.monotonic()
        while until not in said and time.monotonic() - begun < wait:
            line = process.stderr.readline()
            assert line, f"ended before it could be interrupted: {said}"
            said += line
        pressed = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    return Done(process.returncode, out, said + err), time.monotonic() - pressed


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


# -- render -----------------------------------------------------------------------------------


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


# -- evaluate and demo ------------------------------------------------------------------------


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


# -- errors and words -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("no such option"), 2, "no such option"),
        (GridError("too large"), 2, "too large"),
        (InputError("no recording"), 1, "no recording"),
        (FormatError("damaged"), 1, "damaged"),
        (DeviceError("not there"), 1, "not there"),
        (MemoryError(), 1, MEMORY),
        (
            RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
                " bytes"
            ),
            1,
            MEMORY,
        ),
        (OSError(28, "No space left on device", "out.nii"), 1, "No space left on device: out.nii"),
        (KeyboardInterrupt(), 130, "nterrupted"),
        (ZeroDivisionError("division\nby zero"), 1, "run again with --debug"),
    ],
)
def test_every_error_has_a_line_and_a_code(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(error)[0] == code

    @guarded
    def failing(debug: bool = False) -> None:
        raise error

    with pytest.raises(typer.Exit) as end:
        failing(debug=False)
    said = capsys.readouterr()
    assert end.value.exit_code == code
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert words in said.err


def test_json_holds_what_json_can_hold() -> None:
    value: dict[Any, Any] = {
        "a": np.float32(1.5),
        "b": np.arange(2),
        "c": (float("nan"), None, True),
        3: Path("x"),
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": 1.5,
        "b": [0, 1],
        "c": [None, None, True],
        "3": "x",
    }
