"""What Windows refuses, simulated here: syncing what is open for reading, replacing what is open,
and its locks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import checkpoint
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import atomic, read, write
from napari_spatimeinr.volume import Volume
from windows import SMALL

if sys.platform == "win32":
    pytest.skip("what simulates Windows needs another system", allow_module_level=True)
import fcntl

NAMES = ["a.nii", "a.nii.gz", "e_{t:02}.nii.gz", "a.tif", "a.ome.tif", "a.ome.zarr"]
MADE = {"spatimeinr": {"seed": 3}}


def content(path: Path) -> dict[str, bytes]:
    """Every file at a path."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file): file.read_bytes() for file in files}


# -- syncing ----------------------------------------------------------------------------------
@pytest.fixture
def no_sync_of_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: a folder cannot be opened, and what is open for reading alone cannot be
    synced.
    """
    fsync, opened = os.fsync, os.open

    def sync(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        fsync(descriptor)

    def open_(path: Any, flags: int, mode: int = 0o777, **how: Any) -> int:
        if os.path.isdir(path) and "dir_fd" not in how and not isinstance(path, int):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, mode, **how)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "open", open_)


@pytest.mark.usefixtures("no_sync_of_readers")
@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_saved_where_readers_cannot_be_synced(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatimeinr.io.staging.MARK_EVERY", 0.0)
    for add in (0, 1):
        path = write(Volume(SMALL + add, metadata=MADE), tmp_path / name)
        assert np.array_equal(read(path).data[:], SMALL + add)


@pytest.mark.usefixtures("no_sync_of_readers")
def test_a_model_is_saved_where_readers_cannot_be_synced(tmp_path: Path) -> None:
    for seed in (1, 2):
        path = checkpoint.write(
            tmp_path / "m.spatimeinr", {"seed": seed}, {"w": np.ones(3, "f4")}, SMALL
        )
        assert checkpoint.read_header(path)["seed"] == seed


# -- a target that another program holds ----------------------------------------------------------
@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Refuse the next so many renamings over, or away of, what is there already."""
    replace, refusals = os.replace, [0]

    def refusing(source: Any, target: Any) -> None:
        over = Path(target).exists() or str(target).endswith(".old")
        if over and refusals[0] > 0 and not Path(target).name.startswith(".spatimeinr"):
            refusals[0] -= 1
            raise PermissionError(13, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    monkeypatch.setattr(atomic, "TRIES", (0.0, 0.0, 0.0))

    def refuse(times: int) -> None:
        refusals[0] = times

    return refuse


@pytest.mark.parametrize("name", [name for name in NAMES if "{" not in name])
def test_a_target_held_open_is_told_apart_from_a_read_only_folder(
    tmp_path: Path, name: str, held: Callable[[int], None]
) -> None:
    path = write(Volume(SMALL), tmp_path / name)
    before = content(tmp_path)
    held(100)
    with pytest.raises(
        SaveError, match=r"another program, .*holds it open; close that and save again"
    ) as told:
        write(Volume(SMALL + 1), tmp_path / name)
    assert "read-only" not in str(told.value)
    assert "\n" not in str(told.value)
    assert {file: content(tmp_path)[file] for file in before} == before
    (kept,) = {entry.name for entry in tmp_path.iterdir()} - {name}
    assert str(told.value).endswith(f"What was written is in {kept}.")
    if name.endswith("zarr"):
        (tmp_path / kept).rename(tmp_path / "b.ome.zarr")
        kept = "b.ome.zarr"
    assert np.array_equal(read(tmp_path / kept).data[:], SMALL + 1), "nothing is lost"
    held(2)  # a virus scanner looks for a moment
    write(Volume(SMALL + 1), tmp_path / name)
    assert np.array_equal(read(path).data[:], SMALL + 1)


def test_an_image_that_could_not_be_put_in_place_is_there_when_saved_again(
    tmp_path: Path, held: Callable[[int], None]
) -> None:

    class Frames:
        shape, dtype, ndim = SMALL.shape, SMALL.dtype, 4
        asked: list[int] = []  # noqa: RUF012

        def __getitem__(self, k: int) -> Any:
            self.asked.append(k)
            return SMALL[k]

    write(Volume(SMALL + 1), tmp_path / "a.zarr")
    held(100)
    with pytest.raises(SaveError, match=r"holds it open.* is in a.zarr.partial"):
        write(Volume(Frames(), metadata=MADE), tmp_path / "a.zarr")
    assert np.array_equal(read(tmp_path / "a.zarr").data[:], SMALL + 1)
    held(0)
    Frames.asked.clear()
    write(Volume(Frames(), metadata=MADE), tmp_path / "a.zarr")
    assert Frames.asked == [2], "the last frame is compared, none is computed again"
    assert np.array_equal(read(tmp_path / "a.zarr").data[:], SMALL)


def test_a_series_with_a_file_held_open_is_finished_when_it_is_free(
    tmp_path: Path, held: Callable[[int], None]
) -> None:
    write(Volume(SMALL), tmp_path / "e_{t}.nii")
    held(100)
    with pytest.raises(SaveError, match="holds it open"):
        write(Volume(SMALL + 1), tmp_path / "e_{t}.nii")
    held(0)
    assert np.array_equal(read(tmp_path).data[:], SMALL + 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "e.json",
        "e_1.nii",
        "e_2.nii",
        "e_3.nii",
    ]


def test_a_model_held_open_stays_and_the_new_one_too(
    tmp_path: Path, held: Callable[[int], None]
) -> None:
    path = checkpoint.write(tmp_path / "m.spatimeinr", {"seed": 1}, {}, SMALL)
    held(100)
    for seed, name in ((2, "m.new.spatimeinr"), (3, "m.new2.spatimeinr")):
        with pytest.raises(SaveError, match=f"holds it open.* What was written is in {name}"):
            checkpoint.write(path, {"seed": seed}, {}, SMALL)
        assert checkpoint.read_header(tmp_path / name)["seed"] == seed
        assert checkpoint.read_header(path)["seed"] == 1


WINDOWS = """
import fcntl, importlib, os, sys, types
from pathlib import Path
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import locks

def locking(descriptor, mode, count):
    assert (mode, count) == (2, 1) and os.lseek(descriptor, 0, os.SEEK_CUR) == locks.FAR
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(13, "Permission denied") from None

sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
sys.platform = "win32"
importlib.reload(locks)
target = Path(sys.argv[1]) / "a.nii"
with locks.alone(target) as certain:
    assert certain and locks._note(target.with_name(".a.nii.lock"))["process"] == os.getpid()
    try:
        with locks.alone(target):
            raise AssertionError("two at once")
    except SaveError as error:
        assert "is being written already, since" in str(error), error
with locks.alone(target) as certain:
    assert certain
assert os.listdir(sys.argv[1]) == []
"""


def test_the_lock_is_taken_as_windows_takes_it(tmp_path: Path) -> None:
    """A byte far behind the note, which others must be able to read."""
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
