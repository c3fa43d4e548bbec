"""One NIfTI for each time point: round trips, what nibabel sees, what is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from made_recordings import DATA, MADE, recording
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io import describe, destination, present, read, write
from napari_spatimeinr.io.provenance import KEY
from napari_spatimeinr.volume import Volume


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
        assert again.spacing == pytest.approx(volume.spacing, rel=1e-5)
        assert again.units == (unit, "um")
        assert again.spacing[0] == volume.spacing[0], "the interval is not rounded"
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
