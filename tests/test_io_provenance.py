"""How a file was made is in the file and beside it, in every format."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile

from made_recordings import DATA, MADE, recording
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import read, write
from napari_spatimeinr.io.provenance import KEY
from napari_spatimeinr.volume import Volume


@pytest.mark.parametrize("name", ["a.nii", "b.nii.gz", "c.ome.tif", "d.tif", "e.ome.zarr"])
def test_how_it_was_made_is_in_the_file_and_beside_it(tmp_path: Path, name: str) -> None:
    path = write(recording(MADE), tmp_path / name)
    assert read(path).metadata[KEY] == MADE
    beside = path.with_name(name.split(".")[0] + ".json")
    if name.endswith("zarr"):  # the folder has its own
        assert json.loads((path / ".zattrs").read_text())[KEY] == MADE
    else:
        assert json.loads(beside.read_text())[KEY] == {"file": name, **MADE}
    beside.unlink(missing_ok=True)
    assert read(path).metadata[KEY] == MADE, "the file holds it too"
    write(recording(), path)
    assert KEY not in read(path).metadata
    assert not beside.exists()


@pytest.mark.parametrize(
    "name", ["a.nii", "b.nii.gz", "c.ome.tif", "d.tif", "e.ome.zarr", "f_{t}.nii.gz"]
)
def test_what_differs_between_equal_runs_is_not_in_the_file(tmp_path: Path, name: str) -> None:
    """It would make equal results unequal; the file beside keeps it, and reading puts both
    together.
    """
    paths, found = [], []
    for k in (1, 2):
        (tmp_path / str(k)).mkdir()
        made = {**MADE, "seconds": 1.5 * k, "peak_memory_bytes": k}
        path = write(recording(made), tmp_path / str(k) / name)
        files = (
            [path]
            if path.is_file()
            else [file for file in path.rglob("*") if file.is_file() and file.suffix != ".json"]
        )
        paths.append(path)
        found.append(
            {str(file.relative_to(tmp_path / str(k))): file.read_bytes() for file in files}
        )
        if not name.endswith("zarr"):  # which has no file beside it
            assert read(path).metadata[KEY] == made
    assert found[0]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["a.nii", "c.ome.tif", "d.tif", "e.ome.zarr", "f_{t}.nii"])
def test_numbers_that_json_has_not_are_null(tmp_path: Path, name: str) -> None:
    """Written by us or by hand: what is read can be written as JSON."""
    path = write(recording({"gain": float("inf"), "losses": [1.5, float("nan")]}), tmp_path / name)
    assert read(path).metadata[KEY] == {"gain": None, "losses": [1.5, None]}
    for note in [*tmp_path.rglob("*.json"), *tmp_path.rglob(".zattrs")]:
        text = note.read_text()
        assert "NaN" not in text, note
        assert "Infinity" not in text, note
        note.write_text(text.replace("1.5", "-1e999"))
    if name[0] in "ef":  # of the others, what is inside counts
        assert read(path).metadata[KEY] == {"gain": None, "losses": [None, None]}


def test_other_libraries_see_how_it_was_made(tmp_path: Path) -> None:
    header = nib.load(write(recording(MADE), tmp_path / "a.nii.gz")).header
    (comment,) = header.extensions
    assert comment.get_code() == 6
    assert json.loads(comment.get_content().rstrip(b"\0"))[KEY] == MADE
    with tifffile.TiffFile(write(recording(MADE), tmp_path / "c.ome.tif")) as file:
        texts = [
            element.text
            for element in ET.fromstring(file.ome_metadata).iter()
            if element.tag.endswith("Description")
        ]
        assert [json.loads(text)[KEY]["made"] for text in texts if text] == [MADE]
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"
    wide = np.random.default_rng(1).integers(0, 99, (2, 1, 9, 600)).astype(np.uint16)
    with tifffile.TiffFile(write(Volume(wide), tmp_path / "wide.ome.tif")) as file:
        assert file.pages.first.is_tiled
        assert np.array_equal(file.asarray(), wide[:, 0])
    with tifffile.TiffFile(write(recording(MADE), tmp_path / "d.tif")) as file:
        assert json.loads(file.imagej_metadata["Info"])[KEY] == MADE


def test_a_json_file_of_someone_else_keeps_its_own_keys(tmp_path: Path) -> None:
    """BIDS puts such files beside NIfTIs."""
    (tmp_path / "a.json").write_text(json.dumps({"Manufacturer": "x", "RepetitionTime": 2}))
    write(recording(MADE), tmp_path / "a.nii")
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "Manufacturer": "x",
        "RepetitionTime": 2,
        KEY: {"file": "a.nii", **MADE},
    }
    write(recording(), tmp_path / "a.nii")
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "Manufacturer": "x",
        "RepetitionTime": 2,
    }


def test_frame_times_of_another_file_are_not_changed(tmp_path: Path) -> None:
    """``a.nii`` and ``a.nii.gz`` share ``a.json``."""
    uneven = recording(times=(0.0, 1.0, 5.0))
    write(uneven, tmp_path / "a.nii")
    for volume in (recording(), recording(times=(0.0, 2.0, 5.0))):
        with pytest.raises(
            SaveError, match=r"a.json holds the frame times of .*a.nii, .*choose another name"
        ):
            write(volume, tmp_path / "a.nii.gz")
    write(uneven, tmp_path / "a.nii.gz")
    write(recording(MADE), tmp_path / "a.tif")
    assert (
        read(tmp_path / "a.nii").grid.times
        == (0.0, 1.0, 5.0)
        == read(tmp_path / "a.nii.gz").grid.times
    )
    (tmp_path / "a.nii").unlink()
    write(recording(), tmp_path / "a.nii.gz")
    assert read(tmp_path / "a.nii.gz").grid.times is None


@pytest.mark.parametrize("name", ["a.nii.gz", "a.tif"])
def test_what_stands_beside_goes_back_when_the_file_cannot_follow(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(recording({"seed": 1}), tmp_path / name)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    replace = os.replace

    def refusing(source: Any, target: Any) -> None:
        if Path(target).name == name:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    monkeypatch.setattr("napari_spatimeinr.io.atomic.TRIES", ())
    with pytest.raises(SaveError, match="holds it open"):
        write(recording({"seed": 2}), tmp_path / name)
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert {file: after[file] for file in before} == before
    assert len(after) == len(before) + 1


def test_a_json_file_of_someone_else_beside_a_series_keeps_its_keys(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps({"Manufacturer": "x"}))
    write(recording(MADE), tmp_path / "e_{t}.nii")
    assert json.loads((tmp_path / "e.json").read_text())["Manufacturer"] == "x"
    assert read(tmp_path).spacing[0] == 30
    (tmp_path / "e.json").write_text("[1, 2]")
    with pytest.raises(SaveError, match="not a JSON object; move it away first"):
        write(recording(), tmp_path / "e_{t}.nii")
    assert (tmp_path / "e.json").read_text() == "[1, 2]"


def test_a_file_beside_that_is_no_object_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(SaveError, match="not a JSON object; move it away first"):
        write(recording(MADE), tmp_path / "a.nii")
    assert (tmp_path / "a.json").read_text() == "[1, 2]"
    assert not (tmp_path / "a.nii").exists()
    write(recording(), tmp_path / "a.nii")
    assert np.array_equal(read(tmp_path / "a.nii").data[:], DATA)
