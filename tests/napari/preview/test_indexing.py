"""The preview's data: never computes when indexed, shows what there is, is drawn elsewhere; no
window.
"""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume, checkpoint, fit, load
from napari_spatimeinr._napari.layers.preview import PreviewArray
from napari_spatimeinr._napari.layers.scales import PREVIEW_STEPS, Scales
from napari_spatimeinr.errors import SpatimeINRError
from previews import Wanted, preview


def test_before_there_is_a_field_it_shows_linear_interpolation(recording: Volume) -> None:
    array, want = preview(recording)
    assert array.shape == (3 * PREVIEW_STEPS + 1, 6, 20, 24)
    assert array.ndim == 4
    assert array.size == np.prod(array.shape)
    assert array.nbytes == 4 * array.size
    assert len(array) == array.shape[0]
    plane = array[24:25, 2:3, :, :]
    assert np.allclose(plane[0, 0], (recording.data[1, 2] + recording.data[2, 2]) / 2, atol=1e-6)
    assert np.array_equal(array[16, 3], recording.data[1, 3])
    assert not want.keys


def test_data_that_may_be_slow_is_not_read_in_the_main_thread(
    recording: Volume, field: Field
) -> None:
    class Slow:
        shape, dtype, ndim = recording.shape, recording.dtype, 4

        def __getitem__(self, key: Any) -> Any:
            raise AssertionError("read")

    want = Wanted()
    array = PreviewArray(
        Volume(Slow(), recording.spacing), Scales().preview(recording.grid), "tzyx", want
    )
    assert not array[24:25, 2:3].any()
    array.update(field, True)
    array[24:25, 2:3]
    want.draw(array)
    # Until the next plane is drawn, the last one stays.
    assert np.array_equal(array[30:31, 3:4], array[24:25, 2:3])


def test_a_cropped_recording_is_shown_before_there_is_a_picture(
    recording: Volume, tmp_path: Path
) -> None:
    part = Volume.open(recording.save(tmp_path / "a.nii")).crop(((0, 3), (1, 6), (2, 20), (0, 20)))
    array, _ = preview(part)
    assert np.array_equal(array[16], recording.data[1, 1:, 2:, :20])
    os.truncate(tmp_path / "a.nii", 1000)
    assert not array[24:25, 2:3].any(), "what cannot be read is told by the drawing"


def test_frames_of_a_model_are_not_verified_in_the_main_thread(
    recording: Volume, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "VERIFIED_AT_ONCE", 0)
    model = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    array, _ = preview(model.volume)
    cropped, _ = preview(model.volume.crop(((1, 4), (0, 6), (0, 20), (0, 24))))
    verified: list[int] = []
    summed = checkpoint.ModelFrames._sum

    def watched(self: checkpoint.ModelFrames, k: int) -> str:
        verified.append(k)
        return summed(self, k)

    monkeypatch.setattr(checkpoint.ModelFrames, "_sum", watched)
    assert not array[24:25, 2:3].any()
    assert not cropped[8:9, 2:3].any()
    assert not verified
    model.volume.data.verify([1])
    assert array[16:17, 2:3].any()
    assert cropped[0:1, 2:3].any()
    assert not array[24:25, 2:3].any()
    model.volume.data.verify([2])
    assert array[24:25, 2:3].any()
    assert cropped[8:9, 2:3].any()
    assert verified == [1, 2]


def test_indexing_asks_and_never_computes(
    recording: Volume, field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_spatimeinr.render.renderer import Renderer

    array, want = preview(recording)
    array[5:6, 2:3]
    array.update(field, True)
    threads: list[threading.Thread] = []
    whole = Renderer.volume

    def watched(*args: Any, **options: Any) -> Any:
        threads.append(threading.current_thread())
        return whole(*args, **options)

    monkeypatch.setattr(Renderer, "volume", watched)
    before = array[5:6, 2:3]
    assert want.keys
    assert not threads
    worker = threading.Thread(target=want.draw, args=(array,))
    worker.start()
    worker.join()
    assert set(threads) == {worker}
    after = array[5:6, 2:3]
    assert not want.keys
    assert array.is_fresh()
    assert np.array_equal(after, field.on_grid(array.grid)[5:6, 2:3])
    assert not np.array_equal(before, after)


def test_what_was_drawn_stays_until_the_newer_field_is_drawn(
    recording: Volume, field: Field
) -> None:
    array, want = preview(recording)
    array.update(field, True)
    array[5:6, 2:3]
    want.draw(array)
    first = array[5:6, 2:3].copy()
    array.update(field.interpolated(), True)
    assert np.array_equal(array[5:6, 2:3], first)
    assert not array.is_fresh()
    want.draw(array)
    assert not np.array_equal(array[5:6, 2:3], first)
    assert array.is_fresh()


def test_a_copy_shows_the_same(recording: Volume, field: Field) -> None:
    array, want = preview(recording)
    array.update(field, True)
    other = copy.deepcopy(array)
    other[5:6, 2:3]
    want.draw(other)
    assert other is not array
    assert other.is_fresh()
    assert other.field is field


@pytest.mark.parametrize(
    "key",
    [(0,), (slice(3, 9, 2), 1), (Ellipsis, 4), (-1, slice(None), slice(2, 5)), (slice(4, 4),)],
)
def test_keys_are_those_of_numpy(recording: Volume, field: Field, key: Any) -> None:
    array, want = preview(recording)
    array.update(field, True)
    array[key]
    want.draw(array)
    assert np.allclose(array[key], np.asarray(field.on_grid(array.grid))[key], atol=1e-5)


def test_what_numpy_refuses_is_refused(recording: Volume) -> None:
    array, _ = preview(recording)
    with pytest.raises(IndexError):
        array[1000]


def test_fewer_axes(recording: Volume, field: Field) -> None:
    one = Volume(recording.data[:1], recording.spacing)
    array, want = preview(one, Scales(z=2), "zyx")
    assert array.shape == (12, 20, 24)
    array.update(fit(one, "fast"), True)
    assert array[3:4].shape == (1, 20, 24)
    want.draw(array)
    assert array.is_fresh()
    assert array[3].shape == (20, 24)


def test_the_whole_is_refused_with_words(recording: Volume) -> None:
    array, _ = preview(recording)
    with pytest.raises(SpatimeINRError, match="Save as"):
        np.asarray(array)


def test_several_threads_may_look(recording: Volume, field: Field) -> None:
    array, want = preview(recording)
    array.update(field, True)
    errors: list[BaseException] = []

    def look(seed: int) -> None:
        try:
            for t in np.random.default_rng(seed).integers(0, 49, 50):
                assert array[int(t) : int(t) + 1, 1:2].shape == (1, 1, 20, 24)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        if want.keys:
            array.draw(want.keys.pop()[0], lambda: False)
    for thread in threads:
        thread.join()
    assert not errors
