"""Which recordings a model can refer to, and how much of them it reads."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fits import LEAST, PUBLISHED
from linked_models import SHAPE, fitted, frames, recording, refused, voxels
from napari_spatimeinr import Volume, fit, load
from napari_spatimeinr.data.indexing import within
from napari_spatimeinr.errors import FormatError, InputError
from napari_spatimeinr.io import linked
from napari_spatimeinr.io.lazy import Deferred, LazyArray, Part

pytestmark = pytest.mark.usefixtures("one_thread")

ROI = (1, 4), (2, 6), (0, 70), (5, 75)
INSIDE = tuple(slice(*r) for r in ROI)


@pytest.mark.parametrize("kind", ["a.nii", "a.nii.gz", "a.ome.zarr", "slices"])
def test_a_part_of_a_recording_is_that_part_again(kind: str, tmp_path: Path) -> None:
    path = recording(tmp_path, kind)
    for field in (fitted(path, ROI), fitted(Volume.open(path).crop(ROI))):
        model = field.save(tmp_path / "m.spatimeinr", link=True)
        again = load(model, "cpu")
        assert np.array_equal(again.volume.data, voxels()[INSIDE])
        assert again.grid == field.grid
    whole = Volume.open(path)
    part = whole.crop(((1, 4), (1, 6), (0, 70), (2, 78))).crop(((0, 3), (1, 5), (0, 70), (3, 73)))
    assert np.array_equal(frames(fitted(part).save(model, link=True)), voxels()[INSIDE])


def test_how_a_recording_was_read_is_how_it_is_read_again(tmp_path: Path) -> None:
    import tifffile

    data = np.stack([voxels(0), voxels(1)])
    tifffile.imwrite(tmp_path / "a.tif", data)
    tifffile.imwrite(tmp_path / "p.tif", data, metadata={"axes": "CTZYX"}, ome=True)
    for name, how in (
        ("a.tif", {"axes": "CTZYX", "channel": 1, "spacing": (3, 2, 1, 1), "units": ("s", "um")}),
        ("p.ome.tif", {"channel": 1}),
    ):
        (tmp_path / name.replace("ome.", "")).replace(tmp_path / name)
        field = fitted(tmp_path / name, ROI, **how)
        model = field.save(tmp_path / "m.spatimeinr", link=True)
        again = load(model, "cpu")
        assert np.array_equal(again.volume.data, voxels(1)[INSIDE])
        assert again.grid == field.grid
        assert again.units == field.units


def test_a_compressed_file_that_was_read_in_a_certain_way(tmp_path: Path) -> None:
    path = recording(tmp_path, "a.nii.gz")
    part = (1, 5), (1, 4), (0, 70), (5, 75)
    field = fitted(path, part, axes="ZTYX", spacing=(9, 2, 1, 1), units=("h", "mm"))
    assert field.volume.shape == (4, 3, 70, 70)
    again = load(field.save(tmp_path / "m.spatimeinr", link=True), "cpu")
    assert np.array_equal(again.volume.data, field.volume.data)
    assert again.units == ("h", "mm")


def test_a_coarser_level_of_an_ome_zarr(tmp_path: Path) -> None:
    path = recording(tmp_path, "a.ome.zarr", voxels(shape=(2, 4, 300, 300)))
    volume = Volume.open(path, level=1)
    model = fitted(volume).save(tmp_path / "m.spatimeinr", link=True)
    assert np.array_equal(frames(model), np.asarray(volume.data))


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (lambda path: Volume(voxels()), "in memory and in no file"),
        (lambda path: _changed(Volume.open(path)), "does not hold these voxels"),
        (lambda path: Volume(voxels(), metadata={"source": "/gone/a.nii"}), "no file .*/gone"),
        (lambda path: Volume(voxels(), metadata={"source": str(path.parent)}), "cannot|kind|hold"),
        (lambda path: _said(path, read_as="TZYX"), "do not say how"),
        (lambda path: _said(path, source_part=3), "do not say how"),
        (lambda path: _said(path, source_part=[[0, 9]] * 4), "smaller than the part"),
        (lambda path: _said(path, read_as={"channel": 3}), "channel"),
    ],
)
def test_what_is_in_no_file_cannot_be_referred_to(volume, why: str, tmp_path: Path) -> None:
    field = fitted(volume(recording(tmp_path / "data", "a.nii.gz")))
    with pytest.raises(InputError, match=why) as caught:
        field.save(tmp_path / "m.spatimeinr", link=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m.spatimeinr").exists()
    field.save(tmp_path / "m.spatimeinr")
    assert field.recording is None
    assert field.frames_said == ""
    assert np.array_equal(frames(tmp_path / "m.spatimeinr"), field.volume.data)


def _said(path: Path, **more: object) -> Volume:
    """A recording in memory with odd metadata."""
    return Volume(voxels(), metadata={"source": str(path), **more})


def _changed(volume: Volume) -> Volume:
    return volume.like(np.asarray(volume.data) + 1, volume.grid)


def test_large_recordings_are_referred_to_unless_they_are_to_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(tmp_path, "a.nii")
    field, held = fitted(path), fitted(Volume(voxels()))
    model = tmp_path / "m.spatimeinr"
    monkeypatch.setattr("napari_spatimeinr.saved.LINKED_ABOVE", voxels().nbytes)
    field.save(model)
    assert field.recording is None
    monkeypatch.setattr("napari_spatimeinr.saved.LINKED_ABOVE", voxels().nbytes - 1)
    field.save(model)
    assert field.recording == path == load(model, "cpu").recording
    assert str(path) in field.frames_said
    field.save(model, link=False)
    assert field.recording is None
    held.save(model)
    assert held.recording is None
    assert "in memory" in held.frames_said
    assert linked.LINKED_ABOVE == 2e9


def test_a_model_that_is_saved_again_elsewhere_refers_to_the_same(tmp_path: Path) -> None:
    path = recording(tmp_path / "data", "a.nii.gz")
    first = fitted(path, ROI).save(tmp_path / "m.spatimeinr", link=True)
    moved = path.rename(tmp_path / "b.nii.gz")
    field = load(first, "cpu", moved)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    second = field.save(tmp_path / "deep" / "er" / "n.spatimeinr", link=True)
    assert load(second, "cpu").recording == moved
    held = field.save(tmp_path / "e.spatimeinr", link=False)
    moved.unlink()
    assert np.array_equal(frames(held), voxels()[INSIDE])
    refused(second, "moved, renamed or deleted")


def test_a_model_that_holds_its_frames_can_come_to_refer_to_them(tmp_path: Path) -> None:
    path = recording(tmp_path / "data", "a.ome.tif")
    held = fitted(path, ROI).save(tmp_path / "e.spatimeinr")
    model = load(held, "cpu").save(tmp_path / "m.spatimeinr", link=True)
    assert model.stat().st_size < held.stat().st_size
    assert load(model, "cpu").recording == path
    assert np.array_equal(frames(model), voxels()[INSIDE])


class Counted(LazyArray):
    """An array that counts the voxels read of it."""

    read = 0

    def _block(self, ranges: tuple[range, ...]) -> np.ndarray:
        shape = [len(r) for r in ranges]
        self.read += int(np.prod(shape))
        return np.zeros(shape, self.dtype)


def test_few_voxels_are_compared_however_many_there_are() -> None:
    from napari_spatimeinr.io.link import sums_of

    array = Counted((100, 64, 1024, 1536), "u2")
    assert len(sums_of(array)) == 8
    assert array.read <= 8 * 64 * 64


def test_opening_a_model_inflates_nothing_of_a_compressed_file_that_looks_as_it_did(
    tmp_path: Path,
) -> None:
    path = recording(tmp_path, "a.nii.gz")
    model = fitted(path).save(tmp_path / "m.spatimeinr", link=True)
    data = load(model, "cpu").volume.data
    assert isinstance(data, Deferred)
    assert not data.is_quick([0], True)
    assert data[2, 3, 4, 5] == voxels()[2, 3, 4, 5]
    assert data.is_quick([0], True)


def test_pickled_models_find_their_recording_and_are_told_where_it_changed(tmp_path: Path) -> None:
    path = recording(tmp_path / "data", "a.nii")
    field = fitted(path, ROI)
    model = field.save(tmp_path / "m.spatimeinr", link=True)
    whole = field.render(time_scale=2).data
    moved = path.rename(tmp_path / "b.nii")
    mended = load(model, "cpu", moved)
    text = pickle.dumps(mended.lazy(time_scale=2))
    assert len(text) < 2000
    assert np.array_equal(np.asarray(pickle.loads(text)), whole)
    twin = copy.deepcopy(mended)
    assert twin.recording == moved
    assert len(pickle.dumps(twin)) < 2000
    recording(tmp_path, "b.nii", voxels(1))
    with pytest.raises(FormatError, match="gone or was changed"):
        pickle.loads(text)


@pytest.mark.beside
def test_the_token_of_a_linked_model_reads_no_more_than_its_blocks(tmp_path: Path) -> None:
    from other_packages import needed

    tokenize = needed("dask.base").tokenize
    path = recording(tmp_path, "a.nii")
    model = fitted(path).save(tmp_path / "m.spatimeinr", link=True)
    one, other = load(model, "cpu"), load(model, "cpu")
    data = Counted(one.volume.shape, "u2")
    one.volume.data = data
    assert tokenize(one) == tokenize(other)
    assert data.read == 0
    recording(tmp_path, "c.nii", voxels(1))
    third = load(fitted(tmp_path / "c.nii").save(model, link=True), "cpu")
    assert tokenize(third) != tokenize(other)


def test_a_fit_goes_on_from_a_linked_model_wherever_the_recording_is(tmp_path: Path) -> None:
    path = recording(tmp_path / "data", "a.nii", voxels(shape=(3, 4, 20, 20)))
    first = fit(Volume.open(path), config=LEAST, device="cpu")
    model = first.save(tmp_path / "m.spatimeinr", link=True)
    moved = path.rename(tmp_path / "b.nii")
    again = fit(Volume.open(moved), config=LEAST, device="cpu", resume=model)
    assert again.provenance.resumed_from_steps is not None
    other = recording(tmp_path, "c.nii", voxels(1, (3, 4, 20, 20)))
    with pytest.raises(FormatError, match="not the recording that the model"):
        fit(Volume.open(other), config=LEAST, device="cpu", resume=model)


def test_models_of_the_published_method_refer_to_recordings_too(tmp_path: Path) -> None:
    path = recording(tmp_path, "a.nii", voxels(shape=(3, 2, 12, 12)))
    field = fit(Volume.open(path), "published", PUBLISHED, device="cpu")
    model = field.save(tmp_path / "m.spatimeinr", link=True)
    again = load(model, "cpu")
    assert again.recording == path
    assert again.method.name == field.method.name
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)


def ranges(sizes: tuple[int, ...]) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pairs = [
        st.tuples(st.integers(0, n - 1), st.integers(1, n)).map(lambda p: (min(p), max(p)))
        for n in sizes
    ]
    return st.tuples(*pairs).filter(lambda rs: all(a < b for a, b in rs))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_part_of_a_part_is_a_part_of_the_whole(data: st.DataObject) -> None:
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    outer = data.draw(ranges(SHAPE))
    inner = data.draw(ranges(tuple(b - a for a, b in outer)))
    cut = array[tuple(slice(*r) for r in outer)][tuple(slice(*r) for r in inner)]
    assert np.array_equal(array[tuple(slice(*r) for r in within(outer, inner))], cut)
    lazy = Part(Part(Counted(SHAPE, "u2"), outer), inner)
    assert lazy.whence == (None, within(outer, inner))
