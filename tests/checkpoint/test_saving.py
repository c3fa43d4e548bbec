"""Saving a model that fails leaves the old file and nothing else."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from model_files import recording
from napari_spatimeinr import Volume, fit, load
from napari_spatimeinr.errors import SaveError

pytestmark = pytest.mark.usefixtures("one_thread")


class Failing:
    """A recording whose disk breaks while frame 1 is read."""

    def __init__(self, data: np.ndarray, error: BaseException) -> None:
        self._data, self._error = data, error
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.broken = False

    def __getitem__(self, key):
        k = key[0] if isinstance(key, tuple) else key
        if self.broken and k == 1:
            raise self._error
        return self._data[key]


@pytest.mark.parametrize(
    "error", [OSError("gone"), KeyboardInterrupt(), MemoryError(), ValueError("x")]
)
def test_a_failed_save_leaves_the_old_file_and_nothing_else(error, tmp_path):
    base = recording()
    data = Failing(base.data, error)
    field = fit(
        Volume(data, base.spacing),
        config={"motion": {"enabled": False}, "latents": {"enabled": False}},
        device="cpu",
    )
    path = tmp_path / "a.spatimeinr"
    path.write_bytes(b"old")
    data.broken = True
    with pytest.raises(SaveError if isinstance(error, OSError) else type(error)):
        field.save(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]
    data.broken = False
    field.save(path)
    assert load(path).grid.shape == (3, 4, 9, 10)
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_one_sentence_and_the_old_file_stays(field, tmp_path):
    import resource

    path = tmp_path / "a.spatimeinr"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(SaveError, match="full"):
            field.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]


def test_places_that_cannot_be_written(field, tmp_path):
    with pytest.raises(SaveError, match="does not exist"):
        field.save(tmp_path / "no" / "a.spatimeinr")
    with pytest.raises(SaveError, match="folder"):
        field.save(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(SaveError, match="not a folder"):
        field.save(tmp_path / "file" / "a.spatimeinr")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
