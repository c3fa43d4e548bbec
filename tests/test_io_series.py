"""One NIfTI for each time point: round trips, what nibabel sees, what is refused; and how a file
was made, in every format.
"""

from __future__ import annotations

import json
import os
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io import describe, destination, present, read, write
from napari_spatimeinr.io.provenance import KEY
from napari_spatimeinr.volume import Volume

DATA = np.random.default_rng(0).integers(0, 60000, (3, 2, 4, 5)).astype(np.uint16)
MADE = {"version": "1", "config": {"note": '<&> µ "quoted"\n'}}


def recording(made: dict[str, Any] | None = None, times: tuple[float, ...] | None = None) -> Volume:
    return Volume(
        DATA,
        (30.0, 2.0, 0.5, 0.5),
        (60.0, 0, 0, 0),
        ("s", "um"),
        None,
        {KEY: made} if made else {},
        times,
    )


# -- series --------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 12), *[st.integers(1, 4)] * 3),
    st.sampled_from(["u1", "i2", "u2", "f4"]),
    st.tuples(*[st.floats(2**-6, 64, width=32)] * 4),
    st.floats(-50, 50, width=32),
    st.sampled_from(["s", "ms", "min", "frame"]),
    st.sampled_from(["Emb1_{t:03}.nii.gz", "{t}.nii", "a 7 {t:02} b.nii.gz", "t{t}_ä.nii"]),
    st.booleans(),
)
def test_a_series_comes_back(
    shape: Any, dtype: str, spacing: Any, origin: float, unit: str, name: str, uneven: bool
) -> None:
    data = (np.arange(np.prod(shape)).reshape(shape) % 120).astype(dtype)
    times = (
        tuple(origin + spacing[0] * k * (1 + 0.125 * k) for k in range(shape[0]))
        if uneven and shape[0] > 2
        else None
    )
    volume = Volume(data, spacing, (origin, 0, 0, 0), (unit, "um"), None, {KEY: MADE}, times)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        assert write(volume, folder / name) == folder
        files = sorted(f for f in folder.iterdir() if f.suffix != ".json")
        assert len(files) == shape[0], "in their order by name"
        for k, file in enumerate(files):
            seen = nib.load(file)
            assert seen.shape == shape[:0:-1]
            assert np.array_equal(np.asarray(seen.dataobj).T, data[k])
            assert np.allclose(seen.header.get_zooms(), spacing[:0:-1], rtol=1e-5)
        again = read(folder)
        assert np.array_equal(again.data[:], data)
        assert again.dtype == volume.dtype
        assert again.spacing == pytest.approx(spacing, rel=1e-5)
        assert again.units == (unit, "um")
        assert again.spacing[0] == spacing[0], "the interval is not rounded"
        assert again.origin[0] == origin
        assert again.grid.times == times
        assert again.metadata[KEY] == MADE
        assert describe(folder)["calibrated_by"]["voxel"] == "NIfTI header"


def test_what_the_user_says_goes_before_the_file_beside(tmp_path: Path) -> None:
    write(recording(times=(60.0, 70.0, 120.0)), tmp_path / "e_{t:03}.nii")
    assert describe(tmp_path)["calibrated_by"]["dt"] == "e.json"
    assert read(tmp_path).grid.times == (60.0, 70.0, 120.0)
    again = read(tmp_path, spacing=(10.0, None, None, None), units=("min", None))
    assert again.spacing == (10.0, 2.0, 0.5, 0.5)
    assert again.units == ("min", "um")
    assert again.grid.times is None
    assert again.metadata["calibrated_by"] == {"dt": "given", "voxel": "NIfTI header"}
    assert again.metadata["stated"]["spacing"][0] == 10.0
    assert read(tmp_path, units=("h", None)).units[0] == "h"


@pytest.mark.parametrize("damage", ["{", "[]", '{"series": {}}', '{"series": {"dt": 0, "origin": 0, "frames": 3}}',
                                    '{"series": {"dt": 1, "origin": 0, "frames": 4}}', '{"series": {"dt": "x", "origin": 0}}',
                                    '{"series": {"dt": 1, "origin": 0, "frames": 3, "times": [1, 1, 2]}}',
                                    '{"series": {"dt": 1e999, "origin": 0, "frames": 3}}', "[" * 10**5])  # fmt: skip
def test_a_file_beside_that_is_about_something_else_is_left_out(
    tmp_path: Path, damage: str
) -> None:
    write(recording(), tmp_path / "e_{t:03}.nii")
    (tmp_path / "e.json").write_text(damage)
    again = read(tmp_path)
    assert np.array_equal(again.data[:], DATA)
    assert again.units == ("frame", "um")
    assert again.metadata["calibrated_by"]["dt"] is None


@pytest.mark.parametrize(
    "name",
    ["a_{t:03}.tif", "a_{z}.nii", "a_{t}_{t}.nii", "a_{t.nii", "a_t}.nii", "{t:0x}.nii", "{t}"],
)
def test_a_template_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        FormatError, match=r"one NIfTI for each time point is named like Emb1_\{t:03\}.nii.gz"
    ):
        write(recording(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_under_a_name(tmp_path: Path) -> None:
    for name in ("e_{t}.nii", "[e]_{t:03}.nii"):
        assert present(tmp_path / name) == []
        assert destination(tmp_path / name) == tmp_path
        write(recording(), tmp_path / name)
        assert (
            len(present(tmp_path / name)) == 3 == len(present(tmp_path / name.replace(":03", "")))
        )
        for file in tmp_path.iterdir():
            file.unlink()
    assert present(tmp_path / "a.nii") == []
    assert destination(tmp_path / "a.nii") == tmp_path / "a.nii"
    write(recording(), tmp_path / "a.nii")
    assert present(tmp_path / "a.nii") == [tmp_path / "a.nii"]


def test_other_files_in_the_folder_are_not_mixed_in(tmp_path: Path) -> None:
    """A longer series of before would be read as the end of this one."""
    write(recording(), tmp_path / "e_{t:03}.nii")
    (tmp_path / "notes.txt").write_text("kept")
    short = Volume(DATA[:2], recording().spacing)
    with pytest.raises(SaveError, match=r"e_003.nii is there already .* move it away"):
        write(short, tmp_path / "e_{t:03}.nii")
    assert np.array_equal(read(tmp_path).data[:], DATA)
    write(Volume(DATA[::-1].copy(), recording().spacing), tmp_path / "e_{t:03}.nii")
    assert np.array_equal(read(tmp_path).data[:], DATA[::-1])
    with pytest.raises(SaveError, match=r"the folder .*missing does not exist; create it first"):
        write(short, tmp_path / "missing" / "e_{t}.nii")


def test_frames_of_two_recordings_are_not_mixed(tmp_path: Path) -> None:
    """Opened, and then written anew with files of the same size."""
    write(recording(), tmp_path / "e_{t}.nii")
    opened = read(tmp_path).data
    assert np.array_equal(opened[0], DATA[0])
    write(Volume(DATA + 1, recording().spacing), tmp_path / "e_{t}.nii")
    with pytest.raises(
        FormatError, match=r"e_3.nii has changed since its folder was opened; open the folder again"
    ):
        opened[2]
    assert np.array_equal(read(tmp_path).data[:], DATA + 1)


def test_a_failure_leaves_the_series_of_before(tmp_path: Path) -> None:
    class Torn(np.ndarray):
        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, slice) and key.start == 2:
                raise OSError(28, "No space left on device")
            return np.asarray(self)[key]

    write(recording(), tmp_path / "e_{t:03}.nii")
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    with pytest.raises(SaveError, match="disk is full"):
        write(Volume((DATA + 1).view(Torn), recording().spacing), tmp_path / "e_{t:03}.nii")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before


def test_the_command_line_writes_a_series(tmp_path: Path) -> None:
    source, target = tmp_path / "a.ome.tif", tmp_path / "frames"
    target.mkdir()
    write(recording(), source)
    done = CliRunner().invoke(
        app, ["convert", str(source), str(target / "Emb1_{t:03}.nii.gz"), "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert sorted(f.name for f in target.iterdir()) == [
        "Emb1.json",
        *(f"Emb1_{k:03}.nii.gz" for k in (1, 2, 3)),
    ]
    assert read(target).spacing == (30.0, 2.0, 0.5, 0.5)
    assert read(target).origin[0] == 60.0
    done = CliRunner().invoke(app, ["convert", str(target), str(target / "Emb1_{t:03}.nii.gz")])
    assert done.exit_code == 2
    assert "is read from" in done.stderr


# -- how it was made ------------------------------------------------------------------------


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
