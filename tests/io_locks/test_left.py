"""What killed writers leave, file systems without locks, and what is checked before it is in place."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from napari_spatimeinr.errors import FormatError, SaveError
from napari_spatimeinr.io import locks, read, staging, write
from napari_spatimeinr.io.atomic import replacing
from napari_spatimeinr.io.locks import alone
from napari_spatimeinr.io.nifti import series as nifti_series
from napari_spatimeinr.volume import Volume
from writers import MADE, NAMES, SMALL, Writers, names


@pytest.mark.parametrize("name", NAMES)
def test_only_what_was_left_of_the_same_name_is_removed(
    tmp_path: Path, name: str, writers: Writers
) -> None:
    foreign = [
        ".c.nii.0123456789ab.nii",
        ".11d472b25a09.json",
        f".{name}.notes.txt",
        ".a.0123456789ab.nii",
        "c.ome.zarr.partial",
    ]
    for each in foreign:
        (tmp_path / each).write_text(each)
    others = [] if "{" in name else ["b" + name[1:]]
    live = [writers.start(tmp_path / other) for other in others]
    untouched = names(tmp_path)
    killed = writers.start(tmp_path / name)
    killed.kill()
    killed.wait()
    assert len(names(tmp_path)) > len(untouched)
    write(Volume(SMALL), tmp_path / name)
    made = {"e_1.nii.gz", "e_2.nii.gz", "e_3.nii.gz", "e.json"} if "{" in name else {name}
    assert set(names(tmp_path)) == {*untouched, *made}
    assert all((tmp_path / each).read_text() == each for each in foreign)
    assert all(process.poll() is None for process in live)


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".nii", "ü" * 125 + ".nii"):
        for _ in range(2):
            write(Volume(SMALL), tmp_path / name)
        stale = tmp_path / locks.hidden(tmp_path / name, "0123456789ab.nii")
        stale.touch()
        write(Volume(SMALL), tmp_path / name)
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()


def test_a_lock_of_another_user_whose_process_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be locked, though not written."""
    (tmp_path / ".a.nii.lock").touch()
    opened = os.open

    def refusing(path: Any, flags: int, *mode: int, **how: Any) -> int:
        if str(path).endswith(".lock") and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *mode, **how)

    monkeypatch.setattr(os, "open", refusing)
    write(Volume(SMALL), tmp_path / "a.nii")
    assert names(tmp_path) == ["a.nii"]


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)


def note(place: Path, **changes: Any) -> None:
    me = psutil.Process()
    facts = {
        "process": me.pid,
        "started": me.create_time(),
        "host": locks.platform.node(),
        "since": time.time(),
    }
    place.write_text(json.dumps(facts | changes))


@pytest.mark.parametrize("since", ["abc", None, [], 1e300])
def test_a_note_of_no_sense_does_not_hide_that_another_process_writes(
    tmp_path: Path, since: Any
) -> None:
    with alone(tmp_path / "a"):
        note(tmp_path / ".a.lock", since=since)
        with (
            pytest.raises(SaveError, match="is being written by another process"),
            alone(tmp_path / "a"),
        ):
            pass


def test_a_missing_file_is_not_told_as_a_missing_folder(tmp_path: Path) -> None:
    with (
        pytest.raises(SaveError, match="could not be written") as caught,
        replacing(tmp_path / "a.txt"),
    ):
        (tmp_path / "none").read_bytes()
    assert "folder" not in str(caught.value)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_note_decides(tmp_path: Path) -> None:
    lock, stale = tmp_path / ".a.nii.lock", tmp_path / ".a.nii.0123456789ab.nii"
    parent = psutil.Process().parent()
    assert parent is not None
    for changes, words in (
        (
            {"process": parent.pid, "started": parent.create_time()},
            f"is being written by process {parent.pid} since",
        ),
        ({"host": "elsewhere"}, f"is being written by process {os.getpid()} on elsewhere since"),
    ):
        note(lock, **changes)
        with pytest.raises(SaveError, match=words):
            write(Volume(SMALL), tmp_path / "a.nii")
    for gone in (
        {"process": 2**22 + 1},
        {"started": 5.0},
        {"host": "elsewhere", "since": time.time() - 90_000},
    ):
        note(lock, **gone)
        stale.touch()
        write(Volume(SMALL), tmp_path / "a.nii")
        assert names(tmp_path) == [stale.name, "a.nii"], (
            "nothing is removed where nobody can be sure"
        )
    lock.write_text("{")
    write(Volume(SMALL), tmp_path / "a.nii")


@pytest.mark.parametrize("lost", [".zattrs", "0/.zarray", "0/1", "0/0/0/0/0"])
def test_an_image_that_lost_something_on_the_way_does_not_replace_a_whole_one(
    tmp_path: Path, lost: str
) -> None:
    target = tmp_path / "a.ome.zarr"

    class Losing:
        shape, dtype, ndim = SMALL.shape, SMALL.dtype, 4

        def __getitem__(self, k: int) -> Any:
            place = tmp_path / "a.ome.zarr.partial" / lost
            if k == 2:
                place.rename(tmp_path / "lost")
            return SMALL[k]

    write(Volume(SMALL + 1), target)
    with pytest.raises(
        SaveError, match=r"removed or changed files in a\.ome\.zarr\.partial meanwhile; save again"
    ):
        write(Volume(Losing(), metadata=MADE), target)
    assert np.array_equal(read(target).data[:], SMALL + 1)
    assert names(tmp_path) == ["a.ome.zarr", "lost"]


def test_a_reader_waits_for_a_swap(tmp_path: Path) -> None:
    target, partial, _ = staging.places(write(Volume(SMALL), tmp_path / "a.zarr"))
    (target / staging.MARKER).write_text(
        json.dumps({"identity": None, "frames": 3, "complete": True})
    )
    target.rename(partial)
    with alone(target):
        timer = threading.Timer(0.3, partial.rename, [target])
        timer.start()
        found: list[Any] = []
        reader = threading.Thread(target=lambda: found.append(read(target).data[:]))
        reader.start()
        timer.join()
    reader.join()
    assert np.array_equal(found[0], SMALL)


def test_a_series_that_is_half_in_place_is_finished_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Volume(SMALL), tmp_path / "e_{t}.nii")
    moved = nifti_series.replaced

    def killed(source: Path, target: Path) -> None:
        if target.name == "e_2.nii":
            raise KeyboardInterrupt
        moved(source, target)

    monkeypatch.setattr(nifti_series, "replaced", killed)
    with pytest.raises(KeyboardInterrupt):
        write(Volume(SMALL + 1), tmp_path / "e_{t}.nii")

    def refusing(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(nifti_series, "replaced", refusing)
    with pytest.raises(FormatError, match="not yet all in their places"):
        read(tmp_path)
    monkeypatch.setattr(nifti_series, "replaced", moved)
    assert np.array_equal(read(tmp_path).data[:], SMALL + 1)
    assert names(tmp_path) == ["e.json", "e_1.nii", "e_2.nii", "e_3.nii"]


def test_a_hidden_folder_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / nifti_series.PARTIAL).mkdir()
    (tmp_path / nifti_series.PARTIAL / "thesis.txt").write_text("x")
    with pytest.raises(SaveError, match="in the way"):
        write(Volume(SMALL), tmp_path / "e_{t}.nii")
    assert (tmp_path / nifti_series.PARTIAL / "thesis.txt").exists()


@pytest.mark.slow
def test_the_attack_finds_nothing() -> None:
    """A few rounds of benchmarks/attack_writers.py."""
    script = Path(__file__).parents[2] / "benchmarks" / "attack_writers.py"
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(script),
        "--rounds",
        "3",
        "--kind",
        "zarr",
        "--kind",
        "series",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 findings") == 2


def test_replacing_a_file_twice_from_within_is_refused_at_once(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt", wait=0) as temporary:
        temporary.write_text("x")
        with (
            pytest.raises(SaveError, match="is being written already"),
            replacing(tmp_path / "a.txt", wait=0),
        ):
            pass
    assert (tmp_path / "a.txt").read_text() == "x"
    assert names(tmp_path) == ["a.txt"]
