"""What the tests in tests/io_locks share besides fixtures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

NAMES = ["a.nii", "a.nii.gz", "e_{t}.nii.gz", "a.tif", "a.ome.tif", "a.ome.zarr"]


SMALL = np.random.default_rng(0).integers(0, 60000, (3, 2, 5, 6)).astype("u2")


MADE = {"spatimeinr": {"seed": 3}}


HOLDER = """
import sys, time
import numpy as np
from napari_spatimeinr.io import write, staging
from napari_spatimeinr.volume import Volume
staging.MARK_EVERY = 0.0

class Waiting:
    shape, dtype, ndim = (3, 2, 5, 6), np.dtype("u2"), 4
    def __getitem__(self, k):
        if (k.start if isinstance(k, slice) else k) == 2:
            print("ready", flush=True)
            time.sleep(100)
        frame = np.zeros(self.shape[1:], "u2")
        return frame[None] if isinstance(k, slice) else frame

write(Volume(Waiting(), metadata={"spatimeinr": {"seed": 3}}), sys.argv[1])
"""


class Writers:
    """Processes that are in the middle of writing."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[str]] = []

    def start(self, path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
        )
        self.all.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def end(self) -> None:
        for process in self.all:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())
