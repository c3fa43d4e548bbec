"""Writing that fails leaves what was there; replacing files."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bad_files import DATA, NAMES
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import read, replacing, write
from napari_spatimeinr.volume import Volume


class Failing:
    """Data that break after the first frame."""

    shape, dtype, ndim = (3, 2, 3, 4), np.dtype(np.uint8), 4

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __getitem__(self, k: int) -> np.ndarray:
        if k:
            raise self.error("no more")
        return np.zeros(self.shape[1:], np.uint8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError, MemoryError])
def test_a_failure_leaves_the_earlier_file(
    tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    """Nothing half-written stays, and nothing that was there is lost."""
    path = tmp_path / name
    path.write_bytes(b"precious")
    with pytest.raises(SaveError if error is OSError else error):
        write(Volume(Failing(error)), path)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES)
def test_places_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """A missing folder, a file in place of a folder, a folder in place of the file."""
    volume = Volume(Failing(AssertionError))  # found before any frame is asked for
    with pytest.raises(SaveError, match="does not exist"):
        write(volume, tmp_path / "none" / name)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SaveError, match="not a folder"):
        write(volume, tmp_path / "file" / name)
    (tmp_path / name).mkdir()
    with pytest.raises(SaveError, match="is a folder"):
        write(volume, tmp_path / name)
    with pytest.raises(SaveError, match="too long"):
        write(Volume(DATA), tmp_path / ("x" * 300 + name))


@pytest.mark.parametrize("name", NAMES)
def test_full_disk(tmp_path: Path, name: str) -> None:
    """A limit on the size of files stands in for a full disk."""
    path = tmp_path / name
    path.write_bytes(b"precious")
    code = """
import resource, sys, numpy as np
from napari_spatimeinr.errors import SaveError
from napari_spatimeinr.io import write
from napari_spatimeinr.volume import Volume
data = np.random.default_rng(0).integers(0, 255, (4, 8, 64, 64)).astype("u1")
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write(Volume(data), sys.argv[1])
except SaveError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "disk is full" in done.stdout
    assert done.stderr == ""
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 50_000


@pytest.mark.parametrize("name", ["a.nii.gz", "a.ome.tif", "a.yaml", "a"])
def test_replacing(tmp_path: Path, name: str) -> None:
    """The temporary file is hidden, ends like the target, and takes its place."""
    path = tmp_path / name
    with replacing(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(name[1:])
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_follows_links(tmp_path: Path) -> None:
    """A link stays a link, to new content."""
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_writing_over_the_mapped_source(tmp_path: Path) -> None:
    """A recording can be saved over the file it is still mapped from."""
    path = write(Volume(DATA), tmp_path / "a.nii")
    again = write(read(path), path)
    assert np.array_equal(read(again).data, DATA)


def test_data_that_are_not_as_large_as_they_say(tmp_path: Path) -> None:
    """A wrong frame stops the file."""
    volume = Volume(DATA)
    volume.data = DATA[:, :2]
    for name in NAMES:
        with pytest.raises(SaveError, match="shape"):
            write(volume, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.beside
def test_importing_io_is_light() -> None:
    """No torch, no napari, and no file library before a file is opened."""
    code = (
        "import sys, napari_spatimeinr.io; print([m for m in ('torch', 'napari', 'qtpy',"
        " 'tifffile', 'nibabel') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
