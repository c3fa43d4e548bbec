"""What the command line says of files that are no use, and of places that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Fitted, here, refused
from napari_spatimeinr.checkpoint import FORMAT


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
