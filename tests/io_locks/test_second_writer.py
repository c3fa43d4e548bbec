"""Two writers of one name: the second is told."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spatimeinr import checkpoint
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import read, write
from napari_spatimeinr.io.locks import alone
from napari_spatimeinr.volume import Volume
from writers import MADE, NAMES, SMALL, Writers, names


@pytest.mark.parametrize("name", NAMES)
def test_the_second_writer_is_told_who_writes_and_nothing_is_lost(
    tmp_path: Path, name: str, writers: Writers
) -> None:
    path = write(Volume(SMALL), tmp_path / name)
    whole = names(tmp_path)
    first = writers.start(tmp_path / name)
    source = write(Volume(SMALL), tmp_path.parent / f"{tmp_path.name}.nii")
    done = CliRunner().invoke(app, ["convert", str(source), str(tmp_path / name), "--quiet"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"{name} is being written by process {first.pid} since 20" in done.stderr
    assert "choose another name" in done.stderr
    assert np.array_equal(read(path).data[:], SMALL)
    first.kill()
    first.wait()
    assert np.array_equal(read(path).data[:], SMALL)
    write(Volume(SMALL + 1), tmp_path / name)
    assert np.array_equal(read(path).data[:], SMALL + 1)
    assert names(tmp_path) == whole


def test_two_series_cannot_be_written_to_one_folder_at_once(
    tmp_path: Path, writers: Writers
) -> None:
    writers.start(tmp_path / "e_{t}.nii")
    with pytest.raises(SaveError, match="is being written by process"):
        write(Volume(SMALL), tmp_path / "f_{t}.nii.gz")


def test_other_names_are_free(tmp_path: Path, writers: Writers) -> None:
    """Also those with the same JSON file beside them."""
    writers.start(tmp_path / "a.nii")
    for name in ("b.nii", "a.nii.gz", "a.tif", "a.ome.tif"):
        write(Volume(SMALL, metadata=MADE), tmp_path / name)


def test_threads_of_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(tmp_path / "a"):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(20)
    with pytest.raises(SaveError, match="is being written already, since"), alone(tmp_path / "a"):
        pass
    leave.set()
    with alone(tmp_path / "a", wait=20) as certain:
        assert certain
    thread.join()
    assert names(tmp_path) == []


def test_a_model_waits_for_another_one_of_its_name(tmp_path: Path) -> None:
    """It is written in a moment, and an hour's fit must not be lost for that."""
    path = tmp_path / "m.spatimeinr"
    begun = threading.Event()

    class Slow:
        shape, dtype, ndim = (1, 1, 2, 2), np.dtype("u1"), 4

        def __getitem__(self, k: int) -> Any:
            begun.set()
            time.sleep(0.3)
            return np.zeros((1, 2, 2), "u1")

    thread = threading.Thread(target=checkpoint.write, args=(path, {"n": 1}, {}, Slow()))
    thread.start()
    assert begun.wait(20)
    checkpoint.write(path, {"n": 2}, {}, Slow())
    thread.join()
    assert checkpoint.read_header(path)["n"] == 2
    assert names(tmp_path) == ["m.spatimeinr"]

    with alone(path), pytest.raises(SaveError, match="is being written already"):
        checkpoint.write(path, {"n": 3}, {}, Slow(), wait=0)
