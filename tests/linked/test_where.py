"""Models that refer to their recording: where that may be, and what is said where it is not."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from linked_models import KINDS, fitted, frames, recording, refused, voxels
from napari_spatimeinr import Volume, checkpoint, load
from napari_spatimeinr.errors import FormatError, InputError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """A recording, and beside its folder a model that refers to it."""
    path = recording(tmp_path / "data", "a.nii")
    (tmp_path / "models").mkdir()
    return path, fitted(path).save(tmp_path / "models" / "m.spatimeinr", link=True)


def said(model: Path) -> dict[str, object]:
    return checkpoint.read_header(model)["recording"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_recording_is_found_again_and_its_frames_are_not_in_the_model(
    kind: str, tmp_path: Path
) -> None:
    path = recording(tmp_path / "data", kind)
    field = fitted(path)
    model = field.save(tmp_path / "m.spatimeinr", link=True)
    assert model.stat().st_size < 20_000 < voxels().nbytes
    assert field.recording == path
    again = load(model, device="cpu")
    assert again.recording == path
    assert np.array_equal(again.volume.data, voxels())
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)
    assert again.units == field.units
    assert again.grid == field.grid


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_of_every_kind_that_has_other_voxels_is_told(kind: str, tmp_path: Path) -> None:
    path = recording(tmp_path / "data", kind)
    model = fitted(path).save(tmp_path / "m.spatimeinr", link=True)
    if path.suffix == ".zarr":  # as programs do that write into an array that is there
        import zarr

        zarr.open_group(path, mode="r+")["0"][:] = voxels(1)
    else:
        recording(tmp_path / "data", kind, voxels(1))
    refused(model, str(path), "its voxels are others", "--source")
    recording(tmp_path / "data", kind)
    assert np.array_equal(frames(model), voxels())


def test_a_model_and_its_recording_move_together(linked: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name in ("data", "models"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    model = tmp_path / "elsewhere" / "models" / "m.spatimeinr"
    assert np.array_equal(frames(model), voxels())
    assert load(model, "cpu").recording == tmp_path / "elsewhere" / "data" / "a.nii"


def test_a_model_that_moves_alone_finds_its_recording_where_that_was(
    linked: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    shutil.move(linked[1], tmp_path / "far" / "away" / "m.spatimeinr")
    assert np.array_equal(frames(tmp_path / "far" / "away" / "m.spatimeinr"), voxels())


def test_another_recording_of_the_same_name_beside_a_model_that_moved_is_passed_over(
    linked: tuple[Path, Path], tmp_path: Path
) -> None:
    recording(tmp_path / "far" / "data", "a.nii", voxels(1))
    (tmp_path / "far" / "models").mkdir()
    moved = tmp_path / "far" / "models" / "m.spatimeinr"
    shutil.move(linked[1], moved)
    assert np.array_equal(frames(moved), voxels())
    linked[0].unlink()
    refused(moved, str(tmp_path / "far" / "data" / "a.nii"), "its voxels are others")


@pytest.mark.parametrize("name", ["b.nii", "a.nii", "deep er/ä ж.nii"])
def test_a_recording_that_moved_alone_is_told_and_found_with_a_source(
    linked: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    path, model = linked
    new = tmp_path / "moved" / name
    new.parent.mkdir(parents=True)
    path.rename(new)
    refused(model, "moved, renamed or deleted", str(path), "--source PATH")
    refused(model, "does not exist", source=tmp_path / "nowhere.nii")
    assert np.array_equal(frames(model, new), voxels())
    assert np.array_equal(frames(model, Volume.open(new)), voxels())
    before = load(model, "cpu", new)
    checkpoint.mend(model, new)
    after = load(model, "cpu")
    assert after.recording == new == before.recording
    assert after.state() == before.state()
    assert "\\" not in str(said(model)["path"])


def test_what_is_at_the_source_must_be_the_recording(
    linked: tuple[Path, Path], tmp_path: Path
) -> None:
    other = recording(tmp_path / "other", "a.nii", voxels(1))
    refused(linked[1], str(other), "its voxels are others", source=other)
    refused(linked[1], "This recording", "its voxels are others", source=Volume.open(other))
    text = tmp_path / "a.txt"
    text.write_text("x")
    refused(linked[1], "cannot be read", "unknown kind", source=text)
    with pytest.raises(FormatError, match="its voxels are others"):
        checkpoint.mend(linked[1], other)


@pytest.mark.parametrize(
    ("data", "dz", "words"),
    [
        (voxels(shape=(4, 6, 70, 81)), 1.0, ("its shape is 4 x 6 x 70 x 81 instead of",)),
        (voxels().astype("f4"), 1.0, ("its number type is float32 instead of uint16",)),
        (voxels(), 3.0, ("its calibration is 2 x 3 x 0.5 x 0.5 s, um instead of 2 x 1 x",)),
        (
            voxels(shape=(3, 6, 70, 80)).astype("u1"),
            3.0,
            ("its shape is", "and its number type is", "and its calibration is"),
        ),
    ],
)
def test_a_changed_recording_is_told_in_what(
    linked: tuple[Path, Path], tmp_path: Path, data: np.ndarray, dz: float, words: tuple[str, ...]
) -> None:
    recording(tmp_path / "data", "a.nii", data, dz)
    text = refused(linked[1], *words)
    assert "voxels are others" not in text


def test_a_recording_that_becomes_something_else_is_told(linked: tuple[Path, Path]) -> None:
    path, model = linked
    path.write_bytes(b"")
    refused(model, "cannot be read", str(path), "empty")
    path.unlink()
    path.mkdir()
    refused(model, "cannot be read", str(path))


def test_frames_that_lie_at_other_times_are_told(tmp_path: Path) -> None:
    times = (0.0, 1.0, 3.0, 7.0)
    path = Volume(voxels(), (1, 1, 1, 1), times=times).save(tmp_path / "a.nii")
    model = fitted(path).save(tmp_path / "m.spatimeinr", link=True)
    assert load(model, "cpu").grid.times == times
    (tmp_path / "a.json").write_text('{"times": [0, 1, 3, 8]}')
    refused(model, "its frames lie at other times")


def test_copies_that_are_younger_are_known_by_their_voxels(
    linked: tuple[Path, Path], tmp_path: Path
) -> None:
    path, model = linked
    path.write_bytes(path.read_bytes())
    assert np.array_equal(frames(model), voxels())


@pytest.mark.parametrize("kind", ["a.nii", "a.nii.gz", "a.tif", "a.ome.zarr", "slices"])
def test_a_recording_deleted_while_it_is_used_is_whole_or_told(kind: str, tmp_path: Path) -> None:
    path = recording(tmp_path / "data", kind)
    field = load(fitted(path).save(tmp_path / "m.spatimeinr", link=True), device="cpu")
    shutil.rmtree(tmp_path / "data")
    try:
        assert np.array_equal(field.volume.data[1], voxels()[1])
    except FormatError as error:
        assert "gone" in str(error)
        assert "\n" not in str(error)


def test_paths_with_blanks_and_letters_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "Бал 細胞 (1)"
    path = recording(folder / "a b", "ö {x}.nii".replace("{x}", "é"))
    model = fitted(path).save(folder / "m ø.spatimeinr", link=True)
    assert said(model)["path"] == "a b/ö é.nii"
    folder.rename(tmp_path / "moved")
    assert np.array_equal(frames(tmp_path / "moved" / "m ø.spatimeinr"), voxels())


def test_the_separators_of_windows_are_understood(linked: tuple[Path, Path]) -> None:
    path, model = linked
    header, weights, _ = checkpoint.read(model)
    assert header["recording"]["path"] == "../data/a.nii"
    header["recording"] |= {"path": "..\\data\\a.nii", "absolute": "C:\\data\\a.nii"}
    checkpoint.write(model, header, weights, None)
    assert np.array_equal(frames(model), voxels())
    path.unlink()
    refused(model, "C:\\data\\a.nii")


def test_a_model_on_another_drive_has_the_absolute_path_alone(linked: tuple[Path, Path]) -> None:
    path, model = linked
    header, weights, _ = checkpoint.read(model)
    header["recording"]["path"] = None
    checkpoint.write(model, header, weights, None)
    assert load(model, "cpu").recording == path


def test_links_to_the_model_and_to_its_folder(linked: tuple[Path, Path], tmp_path: Path) -> None:
    path, model = linked
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "l.spatimeinr").symlink_to(model)
    (tmp_path / "x" / "y" / "models").symlink_to(model.parent)
    header, weights, _ = checkpoint.read(model)
    header["recording"]["absolute"] = "/gone/a.nii"
    checkpoint.write(model, header, weights, None)
    for name in ("l.spatimeinr", "models/m.spatimeinr"):
        assert load(tmp_path / "x" / "y" / name, "cpu").recording == path
    fitted(path).save(tmp_path / "x" / "y" / "models" / "n.spatimeinr", link=True)
    assert said(model.parent / "n.spatimeinr")["path"] == "../data/a.nii"


@pytest.mark.parametrize(
    "damage",
    [
        3,
        {},
        {"path": 3},
        {"absolute": None},
        {"part": [[0, 1]]},
        {"part": [[0, 9], [0, 9], [0, 99], [0, 99]]},
        {"shape": "x"},
        {"read_as": {"axes": 7}},
        {"sums": None},
        {"dtype": "u9"},
    ],
)
def test_a_damaged_link_is_told(linked: tuple[Path, Path], damage: object) -> None:
    header, weights, _ = checkpoint.read(linked[1])
    whole = header["recording"]
    header["recording"] = {**whole, **damage} if isinstance(damage, dict) and damage else damage
    checkpoint.write(linked[1], header, weights, None)
    refused(linked[1])


def test_earlier_versions_say_that_a_linked_model_is_newer(linked: tuple[Path, Path]) -> None:
    content = linked[1].read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["spatimeinr"])
    assert header["format"] == checkpoint.LINKED > checkpoint.FORMAT


def test_a_model_that_holds_its_frames_takes_no_source(
    linked: tuple[Path, Path], tmp_path: Path
) -> None:
    model = fitted(linked[0]).save(tmp_path / "e.spatimeinr")
    with pytest.raises(InputError, match="holds its frames"):
        load(model, "cpu", linked[0])
    with pytest.raises(InputError, match="holds its frames"):
        checkpoint.mend(model, linked[0])
    assert load(model, "cpu").recording is None
