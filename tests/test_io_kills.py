"""A process that is killed while it writes leaves the old recording or the new one, whole, and
nothing that stays.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr import checkpoint
from napari_spatimeinr.io import read, write
from napari_spatimeinr.volume import Volume

KILLS = 5
"""For each kind of file."""
SHAPE = (6, 8, 48, 64)
NAMES = ["a.nii", "a.nii.gz", "a.tif", "a.ome.tif", "e_{t}.nii.gz", "m.spatimeinr"]
SAVE = """
import sys, time
from pathlib import Path
import numpy as np
from napari_spatimeinr import checkpoint
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume

class Slow:
    ndim, dtype = 4, np.dtype("u2")

    def __init__(self, number, shape=(6, 8, 48, 64), wait=0.05):
        self.number, self.shape, self.wait = number, shape, wait

    def __getitem__(self, k):
        if isinstance(k, slice):  # a series is written from slices
            return self[k.start][None]
        time.sleep(self.wait)
        return np.random.default_rng((self.number, k)).integers(0, 60000, self.shape[1:]).astype("u2")

def save(path, number, *small):
    data = Slow(number, *small)
    if path.endswith(".spatimeinr"):
        checkpoint.write(path, {"number": number}, {"w": np.full(5, number, "f4")}, data)
        return
    write(Volume(data, (number + 1, 1, 1, 1), metadata={"spatimeinr": {"number": number}}), path)
"""
WRITER = (
    SAVE
    + """
number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    save(sys.argv[1], number)
    print(number, flush=True)
"""
)


def recording(number: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """The voxels the writer writes for a number."""
    return np.stack(
        [np.random.default_rng((number, k)).integers(0, 60000, shape[1:]) for k in range(shape[0])]
    ).astype("u2")


def found(path: Path, shape: tuple[int, ...] = SHAPE) -> int:
    """The number of the recording at a name, all of which must be of that one."""
    if path.suffix == ".spatimeinr":
        header, weights, data = checkpoint.read(path)
        number = header["number"]
        assert np.all(weights["w"] == number)
    else:
        volume = read(path.parent if "{" in path.name else path)
        data, number = volume.data[:], volume.metadata["spatimeinr"]["number"]
        assert volume.spacing[0] == number + 1
    assert np.array_equal(data, recording(number, shape))
    return int(number)


def save(path: Path, number: int, shape: tuple[int, ...] = SHAPE) -> None:
    if path.suffix == ".spatimeinr":
        checkpoint.write(
            path, {"number": number}, {"w": np.full(5, number, "f4")}, recording(number, shape)
        )
    else:
        write(
            Volume(
                recording(number, shape),
                (number + 1, 1, 1, 1),
                metadata={"spatimeinr": {"number": number}},
            ),
            path,
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_killed_while_writing(tmp_path: Path, name: str) -> None:
    """Whenever the end comes: the last recording that was said to be written, or the one after it."""
    rng = random.Random(name)
    path = tmp_path / name
    save(path, 0)
    whole = sorted(file.name for file in tmp_path.iterdir())
    number = unfinished = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.6))  # a recording takes 0.3 s
        process.kill()
        said, complaint = process.communicate()
        assert complaint == ""
        written = int(said.split()[-1]) if said.split() else number
        number = found(path)
        assert number in (written, written + 1)
        left = [file.name for file in tmp_path.iterdir() if file.name not in whole]
        named = ".series" if "{" in name else f".{name}."
        assert all(file.startswith(named) for file in left), "whose it is can be told"
        assert len(left) <= 3, "what earlier ones left is gone"
        unfinished += bool(left)
    assert unfinished, "no kill came while a file was written"
    # What lies about is in nobody's way, and goes when the name is written again.
    save(path, number + 1)
    assert found(path) == number + 1
    assert sorted(file.name for file in tmp_path.iterdir()) == whole


STEPS = (
    SAVE
    + """
import os
import numpy as np
folder, name = sys.argv[1:]
path, step, number, small = os.path.join(folder, name), 0, 1, ((2, 1, 2, 3), 0.0)

def killed_at(step, number):
    child = os.fork()
    if child == 0:
        left = step
        def hook(event, arguments):
            nonlocal left
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"):
                left -= 1
                if left < 0:
                    os._exit(9)
        sys.addaudithook(hook)
        try:
            save(path, number, *small)
            os._exit(0)
        except BaseException as error:
            print(step, type(error).__name__, error, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

while True:
    number += 1
    # Killed once more, in the midst of picking up what the first left.
    ends = [killed_at(step, number), killed_at(step, number)]
    assert set(ends) <= {0, 9}, ends
    print(step, number, flush=True)
    assert sys.stdin.readline() == "on\\n"
    if ends[0] == 0:
        break
    step += 1
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_every_step(tmp_path: Path, name: str) -> None:
    """Killed before each change of the folder, twice: the old or the new one is there; saved again,
    the new one alone.
    """
    small = (2, 1, 2, 3)
    path = tmp_path / name
    save(path, 1, small)
    whole = sorted(file.name for file in tmp_path.iterdir())
    command = [sys.executable, "-W", "ignore", "-c", STEPS, str(tmp_path), name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        last = 1
        for line in process.stdout:
            steps, number = map(int, line.split())
            assert found(path, small) in (last, number)
            save(path, number, small)
            assert found(path, small) == number
            assert sorted(file.name for file in tmp_path.iterdir()) == whole
            last = number
            process.stdin.write("on\n")
            process.stdin.flush()
    assert process.returncode == 0
    assert steps >= 2
