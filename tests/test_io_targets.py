"""Writing to where nothing can be written: read-only folders and disks that are full, whoever asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume
from odd_files import DATA

ENDINGS = (".nii", ".nii.gz", ".tif", ".ome.tif", ".ome.zarr")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="needs a folder that is read-only even for root")
def test_read_only_target(ending: str) -> None:
    """The sentence says so, whoever asks."""
    with pytest.raises(SaveError, match=r"read-only|cannot be written") as caught:
        write(Volume(DATA), f"/sys/kernel/a{ending}")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


FULL = """
import os, sys
import numpy as np
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume
data = np.random.default_rng(0).integers(0, 255, (4, 8, 64, 64)).astype("u1")
try:
    write(Volume(data), sys.argv[1])
except SaveError as error:
    print(error)
print(sorted(os.listdir(os.path.dirname(sys.argv[1]))))
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_full_disk(tmp_path: Path, ending: str) -> None:
    """A file system of 100 KB is full in the middle of 131 KB: one sentence, and nothing is left there."""
    script = 'mount -t tmpfs -o size=100k tmpfs "$1" || exit 77; exec "$2" -c "$3" "$1/a$4"'
    try:
        command = ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL, ending]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    except FileNotFoundError:
        pytest.skip("unshare is not there")
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.stderr == ""
    sentence, left = done.stdout.splitlines()
    assert "disk is full" in sentence
    assert left == "[]"
