"""Paths on the command line: blanks, letters of all alphabets, characters with a meaning elsewhere,
links, places that are taken.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fits import PUBLISHED, QUICK
from napari_spatimeinr import phantom
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.io import read
from napari_spatimeinr.io.locks import alone

pytestmark = pytest.mark.usefixtures("one_thread")

ODD = "Meine Daten ü 細胞 'a' [1] {2} %d #5 (é)"


def run(*arguments: object, code: int = 0) -> str:
    """Run a command to its end; the last line of its output, or of its errors where it must fail."""
    done = CliRunner().invoke(
        app, [str(a) for a in arguments], prog_name="spatimeinr", catch_exceptions=False
    )
    assert done.exit_code == code, done.output
    return (done.stdout if code == 0 else done.stderr).strip().splitlines()[-1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / ODD
    folder.mkdir()
    phantom((4, 4, 12, 12), seed=1)[0].save(folder / "Zelle ä 1.nii.gz")
    return folder


@pytest.fixture
def recording(place: Path) -> Path:
    return place / "Zelle ä 1.nii.gz"


@pytest.mark.slow
def test_every_command_takes_every_path(place: Path, recording: Path) -> None:
    model, config = place / "Modell ö.spatimeinr", place / "Einstellung µ.yaml"
    config.write_text(yaml.safe_dump({"motion": {"steps": 3}}), encoding="utf-8")
    said = json.loads(
        run("fit", recording, "-o", model, *QUICK, "--config", config, "--json", "--quiet")
    )
    assert said["model"] == str(model)
    assert model.is_file()
    for path in (recording, model):
        assert json.loads(run("info", path, "--json"))["path"] == str(path)
    (place / "Bilder ß").mkdir()
    outputs = ["Ergebnis 1.nii", "Ergebnis ñ.ome.tif", "Bilder ß/Bild № {t:03} ü.nii.gz"]
    outputs += ["Ergebnis 細.ome.zarr"] if _zarr() else []
    for name in outputs:
        run("render", model, "-o", place / name, "--time-scale", "2", "--quiet")
        written = (place / name).parent if "{t" in name else place / name
        assert read(written).shape == (7, 4, 12, 12)
        assert json.loads(run("info", written, "--json"))["path"] == str(written)
        run("convert", written, place / "zurück verwandelt.tif", "--quiet")
        assert read(place / "zurück verwandelt.tif").shape == (7, 4, 12, 12)
    said = json.loads(
        run("evaluate", recording, *QUICK, "--baselines", "linear", "--json", "--quiet")
    )
    assert said["input"] == str(recording)


def test_the_published_commands_take_every_path(place: Path, recording: Path) -> None:
    config, folder = place / "c ü.yaml", place / "Läufe 1" / "erster"
    named = {**PUBLISHED, "save_path": str(folder)}
    config.write_text(yaml.safe_dump(named, allow_unicode=True), encoding="utf-8")
    run("train", "--config", config, "--file", recording, "--device", "cpu", "--quiet")
    run("infer", "--config", config, "--file", recording, "--device", "cpu", "--quiet")
    assert read(folder / "output.nii.gz").shape[0] == 4
    assert sorted(file.name for file in folder.iterdir()) == [
        "current.pth",
        "latent_code.pt",
        "output.json",
        "output.nii.gz",
    ]


def test_links_on_the_command_line(place: Path, recording: Path) -> None:
    (place / "links").mkdir()
    given, model, out = (
        place / "links" / name for name in ("in.nii.gz", "m.spatimeinr", "out.nii")
    )
    for link, target in (
        (given, recording),
        (model, place / "real.spatimeinr"),
        (out, place / "real.nii"),
    ):
        link.symlink_to(target)
    run("fit", given, "-o", model, *QUICK, "--quiet")
    run("render", model, "-o", out, "--quiet")
    assert given.is_symlink()
    assert model.is_symlink()
    assert out.is_symlink()
    assert read(place / "real.nii").shape == (4, 4, 12, 12)
    before = recording.read_bytes()
    assert "is read from" in run("convert", recording, given, code=2)
    assert "is read from" in run(
        "fit", recording, "-o", _to(place / "m2.spatimeinr", recording), *QUICK, code=2
    )
    assert recording.read_bytes() == before


def _to(link: Path, target: Path) -> Path:
    link.symlink_to(target)
    return link


def test_a_place_that_cannot_be_written_is_told_before_the_fit(
    place: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after an hour of it."""
    monkeypatch.setattr(importlib.import_module("napari_spatimeinr.fitting"), "fit_steps", None)
    assert "does not exist" in run(
        "fit", recording, "-o", _to(place / "m.spatimeinr", place / "none" / "m.spatimeinr"), code=1
    )
    with alone(place / "other.nii"):
        assert "is being written" in run("convert", recording, place / "other.nii", code=1)
    opened = os.open

    def read_only(path: Any, flags: int, *mode: int, **how: Any) -> int:
        if flags & os.O_CREAT and Path(str(path)).parent == place:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *mode, **how)

    monkeypatch.setattr(os, "open", read_only)
    assert "is read-only for you" in run("fit", recording, "-o", place / "n.spatimeinr", code=1)


def test_two_trainings_in_one_folder_do_not_mix(place: Path, recording: Path) -> None:
    folder, config = place / "run", place / "c.yaml"
    folder.mkdir()
    config.write_text(yaml.safe_dump(PUBLISHED), encoding="utf-8")
    with alone(folder / "training"):
        assert "is being written" in run(
            "train", "--config", config, "--file", recording, "--save_path", folder, code=1
        )
    assert list(folder.iterdir()) == []
    assert "is in the way" in run(
        "train", "--config", config, "--file", recording, "--save_path", config, code=1
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_that_an_output_cannot_spell(place: Path, recording: Path, encoding: str) -> None:
    """A pipe on Windows takes cp1252, and a name of other letters must not end the command."""
    odd = place / os.fsdecode(b"broken \xff.nii") if sys.platform == "linux" else place / "日本.nii"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for arguments in (
        ("convert", recording, odd),
        ("info", odd, "--json"),
        ("info", place / "日本 none.nii"),
    ):
        command = [sys.executable, "-m", "napari_spatimeinr.cli", *arguments]
        done = subprocess.run(command, capture_output=True, timeout=100, env=environment)
        assert b"nexpected" not in done.stderr, done.stderr
        assert b"codec" not in done.stderr, done.stderr
        assert done.returncode == (1 if b"does not exist" in done.stderr else 0), done.stderr
        if "--json" in arguments:
            assert json.loads(done.stdout)["path"] == str(odd)
    assert b"does not exist" in done.stderr
    assert "日本".encode("ascii", "backslashreplace") in done.stderr


def _zarr() -> bool:
    try:
        import zarr  # noqa: F401
    except ImportError:
        return False
    return True
