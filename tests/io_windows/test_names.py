"""Names that Windows refuses, and names that are one where case does not count."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import names, present, read, write
from napari_spatimeinr.volume import Volume
from windows import SMALL

if sys.platform == "win32":
    pytest.skip("what simulates Windows needs another system", allow_module_level=True)


@pytest.mark.parametrize(
    "name",
    [
        "nul.nii.gz",
        "CON.tif",
        "lpt1.ome.zarr",
        "com\u00b9.nii",
        "Aux .nii",
        "a:b.nii",
        "what?.tif",
        "a|b.ome.tif",
        "a<{t}>.nii",
    ],
)
def test_names_that_windows_refuses_are_refused_there_alone(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(names, "os", type("Windows", (), {"name": "nt"}))
        with pytest.raises(SaveError, match=r"Windows allows no file name .*; choose another name"):
            write(Volume(SMALL), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(read(write(Volume(SMALL), tmp_path / name)).data[:], SMALL)


@pytest.mark.parametrize(
    "name",
    [
        "console.nii",
        "null.nii",
        "com10.tif",
        "a.nul",
        "nulls",
        "lpt.nii",
        "a b.nii",
        "日本 ü.nii.gz",
    ],
)
def test_names_that_only_look_like_devices_are_fine(name: str) -> None:
    assert names._refused_by_windows(name) is None


@pytest.mark.parametrize("name", ["a.", "a ", "nul", "COM1", "a\tb"])
def test_names_without_an_ending_that_windows_refuses(name: str) -> None:
    assert names._refused_by_windows(name) is not None


def test_names_that_differ_in_case_are_one_where_the_file_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not names.same(tmp_path / "A.nii", tmp_path / "a.nii")
    assert names.same(tmp_path / "x" / ".." / "a.nii", tmp_path / "a.nii")
    monkeypatch.setattr(names, "_ignores_case", lambda folder: True)
    assert names.same(tmp_path / "A.nii", tmp_path / "a.nii")
    assert not names.same(tmp_path / "A.nii", tmp_path / "b.nii")
    (tmp_path / "a.nii").touch()
    (tmp_path / "link.nii").symlink_to(tmp_path / "a.nii")
    assert names.same(tmp_path / "link.nii", tmp_path / "a.nii")


def test_confidence_and_output_may_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.spatimeinr").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setattr(names, "_ignores_case", lambda folder: True)
    for one, other in (
        ("a.nii", "A.nii"),
        ("a.nii", "link/a.nii"),
        ("a.nii", "a.ome.tif"),
        ("e_{t}.nii", "link/f_{t}.nii"),
    ):
        done = CliRunner().invoke(
            app,
            [
                "render",
                str(tmp_path / "model.spatimeinr"),
                "-o",
                str(tmp_path / one),
                "--confidence",
                str(tmp_path / other),
            ],
        )
        assert done.exit_code == 1, done.stderr
        assert "--confidence needs a file of its own" in done.stderr
        assert present(tmp_path / one) == []
