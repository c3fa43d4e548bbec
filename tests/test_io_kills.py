"""A process that is killed while it writes leaves the old file or the new one, whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.volume import Volume

KILLS = 14
"""For each kind of file."""
SHAPE = (6, 8, 48, 64)
WRITER = """
import sys, time
import numpy as np
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume

class Slow:
    shape, dtype, ndim = (6, 8, 48, 64), np.dtype("u2"), 4

    def __init__(self, number):
        self.number = number

    def __getitem__(self, k):
        time.sleep(0.05)
        return np.random.default_rng((self.number, k)).integers(0, 60000, self.shape[1:]).astype("u2")

number = int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    write(Volume(Slow(number), (number + 1, 1, 1, 1)), sys.argv[1])
    print(number, flush=True)
"""


def recording(number: int) -> np.ndarray:
    """The voxels the writer writes for a number."""
    frames = [np.random.default_rng((number, k)).integers(0, 60000, SHAPE[1:]) for k in range(SHAPE[0])]
    return np.stack(frames).astype("u2")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".tif", ".ome.tif"])
def test_killed_while_writing(tmp_path: Path, ending: str) -> None:
    """Whenever the end comes: the last recording that was said to be written, or the one after it."""
    rng = random.Random(ending)
    path = write(Volume(recording(0), (1, 1, 1, 1)), tmp_path / f"a{ending}")
    number = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(path), str(number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 1.2))
        process.kill()
        said, complaint = process.communicate()
        assert complaint == ""
        written = int(said.split()[-1]) if said.split() else number
        found = read(path)
        number = round(found.spacing[0]) - 1
        assert number in (written, written + 1)
        assert np.array_equal(found.data[:], recording(number))
    left = sorted(tmp_path.glob(f".*{ending}"))
    assert left, "no kill came while a file was written"
    assert sorted(tmp_path.iterdir()) == sorted([path, *left])
    # What lies about is in nobody's way: the file is written again, and a folder of TIFFs is read without it.
    write(Volume(recording(7)), path)
    assert np.array_equal(read(path).data[:], recording(7))
    if ending.endswith(".tif"):
        write(Volume(recording(7)[:1]), path)
        assert describe(tmp_path)["shape"] == [1, *SHAPE[1:]]
