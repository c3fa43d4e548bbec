"""OME-Zarr whose writer was killed: the old or the new one, whole."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import read, staging, write
from napari_spatimeinr.volume import Volume
from refusal import refused
from staged import MADE, SMALL


def test_recovery_on_open(tmp_path: Path, marked: None) -> None:
    target, partial, old = staging.places(tmp_path / "a.zarr")
    write(Volume(SMALL), target)
    # Killed between the two renames: the new one is complete and takes its place.
    shutil.copytree(target, old)
    target.rename(partial)
    (partial / staging.MARKER).write_text(
        json.dumps({"identity": None, "frames": 6, "complete": True})
    )
    assert np.array_equal(read(target).data[:], SMALL)
    assert target.is_dir()
    assert not partial.exists()
    # What is left of the swap does not hinder the next one.
    write(Volume(SMALL + 1), target)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    # Killed while it was written: the earlier one comes back, and what is unfinished never opens
    # under the name.
    target.rename(old)
    shutil.copytree(old, partial)
    (partial / staging.MARKER).write_text(
        json.dumps({"identity": None, "frames": 2, "complete": False})
    )
    assert np.array_equal(read(target).data[:], SMALL + 1)
    assert not old.exists()
    assert partial.exists()
    shutil.rmtree(target)
    assert "does not exist" in refused(Exception, target)


def test_killed_before_anything_was_noted(tmp_path: Path) -> None:
    (tmp_path / "a.zarr.partial").mkdir()
    (tmp_path / "a.zarr.partial" / ".0123456789ab.json").write_text('{"iden')
    write(Volume(SMALL, metadata=MADE), tmp_path / "a.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    (tmp_path / "b.zarr.partial").mkdir()
    (tmp_path / "b.zarr.partial" / "thesis.txt").write_text("x")
    with pytest.raises(SaveError, match="in the way"):
        write(Volume(SMALL, metadata=MADE), tmp_path / "b.zarr")


def test_recovery_where_nothing_may_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Volume(SMALL), tmp_path / "a.zarr").rename(tmp_path / "a.zarr.old")

    def refusing(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(staging.os, "replace", refusing)
    assert np.array_equal(read(tmp_path / "a.zarr").data[:], SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr.old"]


WRITER = """
import sys, time
import numpy as np
from napari_spatimeinr.io import write, staging
from napari_spatimeinr.volume import Volume
staging.MARK_EVERY = 0.0

class Slow:
    shape, dtype, ndim = (12, 2, 40, 41), np.dtype("u2"), 4
    def __getitem__(self, k):
        time.sleep(0.02)
        return np.full(self.shape[1:], 100 * int(sys.argv[2]) + k, "u2")

print("ready", flush=True)
write(Volume(Slow(), metadata={"spatimeinr": {"n": int(sys.argv[2])}}), sys.argv[1])
"""


STEPS = """
import os, sys
from pathlib import Path
import numpy as np
import zarr
from napari_spatimeinr.io import read, write
from napari_spatimeinr.volume import Volume

target, step, number = Path(sys.argv[1]) / "a.zarr", 0, 1

def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"step {step}: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def save():
    write(Volume(np.full((1, 2, 3, 4), number, "u2"), metadata={"spatimeinr": {"n": number}}), target)

def save_and_die():
    left = step
    def hook(event, _):
        nonlocal left
        if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            left -= 1
            if left < 0:
                os._exit(9)
    sys.addaudithook(hook)
    save()

def check():
    assert np.unique(read(target).data[:]).tolist() in ([number - 1], [number])
    save()
    assert np.unique(read(target).data[:]).tolist() == [number]
    assert os.listdir(sys.argv[1]) == ["a.zarr"], os.listdir(sys.argv[1])

assert forked(save) == 0
while True:
    number += 1
    died = forked(save_and_die)
    # Killed once more, in the midst of picking up what the first left.
    again = forked(save_and_die)
    assert died in (0, 9) and again in (0, 9) and forked(check) == 0
    if died == 0:
        break
    step += 1
print("steps", step)
"""


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    """Killed before each change of the folder, twice, and tried again: nothing is in the way, and
    no image is lost.
    """
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STEPS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert out.returncode == 0, out.stdout + out.stderr
    assert int(out.stdout.split()[-1]) > 20


@pytest.mark.slow
def test_killed_at_any_time(tmp_path: Path) -> None:
    """After each kill the name holds the whole old or the whole new image; trying again ends in the
    new one.
    """
    target = tmp_path / "a.zarr"
    rng = random.Random(0)

    def start(n: int) -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), str(n)], stdout=subprocess.PIPE, text=True
        )
        assert made.stdout is not None
        with made.stdout:
            assert made.stdout.readline() == "ready\n"
        return made

    def held() -> int:
        data = np.asarray(read(target).data)
        n = int(data[0, 0, 0, 0]) // 100
        assert np.array_equal(
            data, np.broadcast_to((100 * n + np.arange(12))[:, None, None, None], data.shape)
        )
        return n

    assert start(0).wait() == 0
    assert held() == 0
    now, killed = 0, 0
    for n in range(1, 6):
        for _ in range(3):
            process = start(n)
            time.sleep(rng.uniform(0.0, 0.45))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            found = held()
            assert found in (now, n)
            now = found
        process = start(n)
        assert process.wait() == 0
        now = held()
        assert now == n
        assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    assert killed >= 5
