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
@pytest.mark.skipif(
    not os.path.isdir("/sys/kernel"), reason="needs a folder that is read-only even for root"
)
def test_read_only_target(ending: str) -> None:
    """The sentence says so, whoever asks."""
    with pytest.raises(SaveError, match=r"read-only|cannot be written") as caught:
        write(Volume(DATA), f"/sys/kernel/a{ending}")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


FULL = """
import os, sys
import numpy as np
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume
frames, words = int(sys.argv[2]), int(sys.argv[3])
data = np.random.default_rng(0).integers(0, 255, (frames, 8, 64, 64)).astype("u1")
try:
    write(Volume(data, metadata={"spatimeinr": {"long": [0] * words}}), sys.argv[1])
except SaveError as error:
    print(error)
print(sorted(os.listdir(os.path.dirname(sys.argv[1]))))
"""


def on_a_small_disk(folder: Path, name: str, *arguments: int) -> list[str]:
    """The lines that FULL says where there are 100 KB."""
    script = 'mount -t tmpfs -o size=100k tmpfs "$1" || exit 77; shift; exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        "sh",
        str(folder),
        sys.executable,
        "-c",
        FULL,
        str(folder / name),
    ]
    try:
        done = subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, timeout=100
        )
    except FileNotFoundError:
        pytest.skip("unshare is not there")
    if done.returncode in (1, 77) and not done.stdout:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", [*(f"a{ending}" for ending in ENDINGS), "e_{t}.nii"])
def test_full_disk(tmp_path: Path, name: str) -> None:
    """A file system of 100 KB is full in the middle of 131 KB: one sentence about what was asked
    for, and nothing is left there.
    """
    sentence, left = on_a_small_disk(tmp_path, name, 4, 0)
    assert "disk is full" in sentence
    assert sentence.startswith(str(tmp_path / name))
    assert left == "[]"


@pytest.mark.parametrize("name", [f"a{ending}" for ending in ENDINGS if "zarr" not in ending])
def test_a_disk_that_is_full_when_the_file_beside_is_written(tmp_path: Path, name: str) -> None:
    """66 KB fit, and 15 KB within them; 35 KB beside them do not. The user asked for the file."""
    sentence, left = on_a_small_disk(tmp_path, name, 2, 5000)
    assert "disk is full" in sentence
    assert sentence.startswith(str(tmp_path / name))
    assert ".json" not in sentence
    assert left == "[]"
