"""Parts of a rendering in one process: the same image, what is missing alone, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Field, fit, io
from napari_spatimeinr.cluster import plan
from napari_spatimeinr.cluster.estimate import estimate
from napari_spatimeinr.cluster.parts import render_part
from napari_spatimeinr.cluster.store import Store, opened
from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io.zarr.image import CHUNK
from part_renders import CHUNKS, files, levels, names, rendering

pytestmark = pytest.mark.slow


class Stop(Exception):
    """Ends a rendering in the middle."""


def stopped_after(number: int, error: BaseException) -> Any:
    def seen(stage: str, done: int, of: int) -> None:
        if done >= number:
            raise error

    return seen


def begun(field: Field, target: Path, number: int = 10, **how: Any) -> Store:
    """A rendering of which so many chunks are there."""
    with pytest.raises(Stop):
        render_part(rendering(field, target, **how), 1, 1, stopped_after(number, Stop()))
    store = opened(rendering(field, target, **how))
    assert store is not None
    assert len(store.done()) == number
    return store


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_parts_write_the_files_that_one_process_writes(
    version: str, every_part: Field, tmp_path: Path
) -> None:
    one, many = tmp_path / "one.ome.zarr", tmp_path / "many.ome.zarr"
    whole = rendering(every_part, many, version, chunk=CHUNK)
    io.write(whole.record, one, zarr_version=version)
    for k in (3, 1, 2):
        assert not many.exists()
        done = render_part(rendering(every_part, many, version, chunk=CHUNK), k, 3)
        assert done.complete == (k == 2)
    assert files(many) == files(one)
    assert names(tmp_path) == ["many.ome.zarr", "one.ome.zarr"]


def test_shards_hold_the_same_voxels(every_part: Field, whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    how = rendering(every_part, target, "0.5", chunk=(1, 2, 64, 64), shard=(2, 4, 128, 192))
    assert len(how.pieces) == 4 * 2 * 3 * 2
    assert render_part(how).complete
    for ours, theirs in zip(levels(target), levels(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_parts_than_chunks(every_part: Field, tmp_path: Path) -> None:
    """Shares without chunks end at once, also after the image is complete."""
    how: dict[str, Any] = {"time_scale": 1.0, "scale_yx": 1.0, "chunk": (2, 6, 16, 16)}
    target = tmp_path / "a.ome.zarr"
    outcomes = [render_part(rendering(every_part, target, **how), k, 5) for k in range(1, 6)]
    assert sum(done.rendered for done in outcomes) == 2
    assert outcomes[-1].complete
    before = files(target)
    assert render_part(rendering(every_part, target, **how), 1, 5).complete
    assert names(tmp_path) == ["a.ome.zarr"]
    assert files(target) == before


def test_what_is_there_is_not_rendered_again(
    every_part: Field, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    begun(every_part, target, 10)
    done = render_part(rendering(every_part, target))
    assert done.rendered == CHUNKS - 10
    assert done.complete
    for ours, theirs in zip(levels(target), levels(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_chunk_without_marker_is_not_trusted(
    every_part: Field, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    store = begun(every_part, target)
    half = store.rendering.pieces[3]
    store.forget(half)
    store.file(half).write_bytes(store.file(half).read_bytes()[:20])
    torn = store.rendering.pieces[50]
    store.file(torn).parent.mkdir(parents=True, exist_ok=True)
    store.file(torn).write_bytes(b"")
    assert render_part(rendering(every_part, target)).complete
    np.testing.assert_array_equal(levels(target)[0], levels(whole)[0])


def test_a_marker_without_chunk_is_found_out_in_the_end(
    every_part: Field, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    store = begun(every_part, target)
    store.file(store.rendering.pieces[3]).unlink()
    done = render_part(rendering(every_part, target))
    assert done.rendered == CHUNKS - 10 + 1
    assert done.complete
    for ours, theirs in zip(levels(target), levels(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_coarser_levels_are_gone_on_with(every_part: Field, whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    seen: list[str] = []

    def stop(stage: str, done: int, of: int) -> None:
        seen.append(stage)
        if stage != "rendering" and done == 5:
            raise Stop

    with pytest.raises(Stop):
        render_part(rendering(every_part, target), seen=stop)
    seen.clear()
    done = render_part(rendering(every_part, target), 2, 7)
    assert done.rendered == 0
    assert done.complete
    for ours, theirs in zip(levels(target), levels(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"dtype": "uint8"}, r"dtype uint16, now uint8"),
        ({"time_scale": 3.0}, r"shape 7 x 6 x 320 x 320, now 10 x 6"),
        ({"what": "disagreement"}, "quantity intensity, now disagreement"),
        ({"chunk": (1, 6, 128, 128)}, "chunk 1 x 3 x 128 x 128, now 1 x 6"),
    ],
)
def test_other_options_are_refused_and_named(
    how: dict[str, Any], said: str, every_part: Field, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    store = begun(every_part, target, 2)
    with pytest.raises(SaveError, match=said) as caught:
        render_part(rendering(every_part, target, **how))
    assert str(caught.value).endswith("remove a.ome.zarr.parts to begin anew.")
    assert len(store.done()) == 2


def test_another_model_and_another_program_are_refused(
    every_part: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.ome.zarr"
    begun(every_part, target, 2)
    other = fit(every_part.volume, preset="fast", device="cpu", time_budget=0.1, seed=4)
    with pytest.raises(SaveError, match="another model"):
        render_part(rendering(other, target))
    monkeypatch.setattr(plan, "__version__", "99.0")
    with pytest.raises(SaveError, match=r"version of this program .*, now 99\.0"):
        render_part(rendering(every_part, target))


def test_an_unfinished_image_is_not_opened(every_part: Field, tmp_path: Path) -> None:
    target = tmp_path / "a.ome.zarr"
    begun(every_part, target, 10)
    for place in (target, tmp_path / "a.ome.zarr.parts", tmp_path / "a.ome.zarr.parts" / "image"):
        for look in (io.read, io.describe):
            with pytest.raises(FormatError, match=f"not complete .10 of {CHUNKS} chunks") as caught:
                look(place)
            assert str(caught.value).startswith(str(target))


def test_an_earlier_image_stays_until_the_new_one_is_complete(
    every_part: Field, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    array = every_part.lazy()
    io.write(every_part.wrap(array, array), target)
    begun(every_part, target, 10)
    assert io.read(target).shape == every_part.grid.shape
    assert render_part(rendering(every_part, target)).complete
    np.testing.assert_array_equal(levels(target)[0], levels(whole)[0])
    assert names(tmp_path) == ["a.ome.zarr"]


def test_killed_between_the_two_renames(every_part: Field, whole: Path, tmp_path: Path) -> None:
    """The earlier image had gone and the new one had not come, or had, and its folder was there."""
    target = tmp_path / "a.ome.zarr"
    array = every_part.lazy()
    io.write(every_part.wrap(array, array), target)
    store = begun(every_part, target, 10)
    target.rename(tmp_path / "a.ome.zarr.old")
    assert io.read(target).shape == every_part.grid.shape
    target.rename(tmp_path / "a.ome.zarr.old")
    assert render_part(rendering(every_part, target)).complete
    assert names(tmp_path) == ["a.ome.zarr"]
    store.folder.mkdir()
    note = {"chunks": CHUNKS, "rendering": store.rendering.facts}
    (store.folder / "plan.json").write_text(json.dumps(note))
    assert render_part(rendering(every_part, target)).complete
    assert names(tmp_path) == ["a.ome.zarr"]
    np.testing.assert_array_equal(levels(target)[0], levels(whole)[0])


def test_what_is_in_the_way_stays(every_part: Field, tmp_path: Path) -> None:
    for name, kind in (("a.ome.zarr", "of another kind"), ("b.ome.zarr.parts", "is in the way")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("x")
        with pytest.raises(SaveError, match=kind):
            render_part(rendering(every_part, tmp_path / name.removesuffix(".parts")))
        assert names(tmp_path / name) == ["thesis.txt"]
    (tmp_path / "c.ome.zarr.parts").write_text("x")
    with pytest.raises(SaveError, match="is in the way"):
        render_part(rendering(every_part, tmp_path / "c.ome.zarr"))
    assert names(tmp_path) == ["a.ome.zarr", "b.ome.zarr.parts", "c.ome.zarr.parts"]


def test_what_a_killed_process_left_of_a_beginning_goes(every_part: Field, tmp_path: Path) -> None:
    left = tmp_path / f".a.ome.zarr.parts.{'0' * 32}"
    (left / "image").mkdir(parents=True)
    begun(every_part, tmp_path / "a.ome.zarr", 2)
    assert not left.exists()


def test_an_estimate_writes_nothing_and_counts_what_is_there(
    every_part: Field, tmp_path: Path
) -> None:
    target = tmp_path / "a.ome.zarr"
    found = estimate(rendering(every_part, target))
    assert names(tmp_path) == []
    assert (found.chunks, found.done) == (CHUNKS, 0)
    assert found.bytes == 2 * 7 * 6 * (320**2 + 160**2)
    assert 0 < found.stored < found.bytes
    assert found.left == pytest.approx(found.seconds * CHUNKS)
    begun(every_part, target, 10)
    assert estimate(rendering(every_part, target), patience=0).done == 10
