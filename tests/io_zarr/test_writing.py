"""OME-Zarr: piece by piece, and replaced in one go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.volume import Volume
from zarr_stores import DATA, ours, store


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The keys of the chunks that are read."""
    keys: list[str] = []
    get: Callable[..., Any] = zarr.storage.LocalStore.get

    async def listening(self: Any, key: str, *args: Any, **how: Any) -> Any:
        if not key.endswith((".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")):
            keys.append(key)
        return await get(self, key, *args, **how)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", listening)
    return keys


def test_lazy(tmp_path: Path, touched: list[str]) -> None:
    """Nothing is read at open, and a plane reads its own chunk."""
    volume = read(store(tmp_path / "a.zarr"))
    touched.clear()
    volume = read(tmp_path / "a.zarr")
    describe(tmp_path / "a.zarr")
    assert touched == []
    assert np.array_equal(volume.data[1, 2], DATA[1, 2])
    assert touched == ["0/1.2.0.0"] or touched == ["0/1/2/0/0"]
    touched.clear()
    assert np.array_equal(volume.data[2, 1:3, 0], DATA[2, 1:3, 0])
    assert len(touched) == 2
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda k: np.array_equal(volume.data[k % 3], DATA[k % 3]), range(24)))


def test_lazy_in_the_plane(tmp_path: Path, touched: list[str]) -> None:
    """A corner of a large plane reads one of its chunks; chunks are at most 32 x 256 x 256."""
    data = np.zeros((1, 33, 300, 257), dtype="u1")
    volume = read(ours(tmp_path / "a.zarr", data=data))
    touched.clear()
    assert volume.data[0, 0, :200, :256].shape == (200, 256)
    assert touched == ["0/0/0/0/0"]
    assert (
        sum(
            file.is_file() and file.name.isdigit()
            for file in (tmp_path / "a.zarr" / "0").rglob("*")
        )
        == 8
    )


class Frames:
    """Data whose frames are made when indexed; frame ``stop`` raises."""

    shape, dtype, ndim = (4, 2, 3, 5), np.dtype("u2"), 4

    def __init__(self, stop: BaseException | None = None) -> None:
        self.stop, self.asked = stop, []

    def __getitem__(self, k: Any) -> Any:
        self.asked.append(k)
        if self.stop is not None and k == 2:
            raise self.stop
        return np.full(self.shape[1:], k, dtype=self.dtype)


class Cancelled(BaseException):
    pass


def test_frame_by_frame(tmp_path: Path) -> None:
    """Frames are asked for one at a time, each once."""
    frames = Frames()
    volume = read(write(Volume(frames), tmp_path / "a.zarr"))
    assert frames.asked == [0, 1, 2, 3]
    assert volume.data[3].max() == 3


@pytest.mark.parametrize(
    "stop",
    [
        Cancelled(),
        KeyboardInterrupt(),
        ValueError("x"),
        MemoryError(),
        OSError(28, "No space left"),
    ],
)
@pytest.mark.parametrize("earlier", [True, False])
def test_stopped_in_the_middle(tmp_path: Path, stop: BaseException, earlier: bool) -> None:
    """The earlier store stays, and nothing else is left."""
    target = tmp_path / "a.zarr"
    if earlier:
        ours(target)
    kind = SaveError if isinstance(stop, OSError) else type(stop)
    with pytest.raises(kind):
        write(Volume(Frames(stop)), target)
    assert [path.name for path in tmp_path.iterdir()] == (["a.zarr"] if earlier else [])
    assert not earlier or np.array_equal(read(target).data[:], DATA)


def test_swap_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new store cannot take its place, the earlier one is put back."""
    import napari_spatimeinr.io.atomic as atomic

    target = ours(tmp_path / "a.zarr")
    rename = atomic.os.replace

    def failing(source: Any, place: Any) -> None:
        if str(source).endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        rename(source, place)

    monkeypatch.setattr(atomic.os, "replace", failing)
    monkeypatch.setattr(atomic, "TRIES", ())
    with pytest.raises(SaveError):
        write(Volume(DATA + 1), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert np.array_equal(read(target).data[:], DATA)


def test_leftovers_of_a_killed_process(tmp_path: Path) -> None:
    """``.partial`` goes, and ``.old`` comes back when it is all there is."""
    target = ours(tmp_path / "a.zarr")
    shutil.copytree(target, tmp_path / "a.zarr.partial")
    target.rename(tmp_path / "a.zarr.old")
    with pytest.raises(Cancelled):
        write(Volume(Frames(Cancelled())), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    shutil.copytree(target, tmp_path / "a.zarr.old")
    write(Volume(DATA + 1), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert np.array_equal(read(target).data[:], DATA + 1)


def test_what_is_not_replaced(tmp_path: Path) -> None:
    """A folder of something else, and a file."""
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("x")
    (tmp_path / "b.zarr").write_text("x")
    for name in "ab":
        with pytest.raises(SaveError, match="in the way"):
            write(Volume(DATA), tmp_path / f"{name}.zarr")
    assert (tmp_path / "a.zarr" / "thesis.txt").read_text() == "x"
    with pytest.raises(SaveError, match="does not exist"):
        write(Volume(DATA), tmp_path / "none" / "c.zarr")
    with pytest.raises(SaveError, match=r"0\.4 or 0\.5"):
        ours(tmp_path / "c.zarr", "0.3")
    (tmp_path / "link.zarr").symlink_to(ours(tmp_path / "d.zarr"))
    write(Volume(DATA + 1), tmp_path / "link.zarr")
    assert (tmp_path / "link.zarr").is_symlink()
    assert np.array_equal(read(tmp_path / "d.zarr").data[:], DATA + 1)


def test_replaced_while_open(tmp_path: Path) -> None:
    """A volume does not read from a store that took the place of its own, nor zeros from one that
    is gone.
    """
    volume = read(ours(tmp_path / "a.zarr"))
    write(
        volume, tmp_path / "a.zarr", dtype="float32"
    )  # onto itself: read while the new one is made
    assert np.array_equal(read(tmp_path / "a.zarr").data[:], DATA)
    with pytest.raises(FormatError, match="replaced"):
        volume.data[0]
    again = read(tmp_path / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(FormatError, match="gone"):
        again.data[0]
