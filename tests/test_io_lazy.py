"""Arrays that stay in their files: any index, files that change while they are looked at, other
processes.
"""

from __future__ import annotations

import copy
import errno
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import Volume
from napari_spatimeinr.errors import FormatError
from napari_spatimeinr.io import read, write
from napari_spatimeinr.io.lazy import LazyArray
from napari_spatimeinr.io.stored import StoredArray
from other_packages import needed

SHAPE = (3, 4, 5, 7)
DATA = np.random.default_rng(0).integers(0, 60_000, SHAPE).astype("u2")


def made(folder: Path, kind: str) -> Path:
    """A file that is read lazily."""
    if kind == "scaled.nii":
        return scaled(write(Volume(DATA), folder / kind))
    if kind == "zlib.tif":
        tifffile.imwrite(
            folder / kind,
            DATA,
            compression="zlib",
            photometric="minisblack",
            metadata={"axes": "TZYX"},
        )
        return folder / kind
    if kind == "plain.tif":
        tifffile.imwrite(folder / kind, DATA, imagej=True, metadata={"axes": "TZYX"})
        return folder / kind
    if kind == "folder":
        return write(Volume(DATA), folder / "a_{t:03}.nii")
    return write(Volume(DATA), folder / kind)


def scaled(path: Path) -> Path:
    """The file with a slope and an intercept."""
    import nibabel as nib

    block = bytearray(path.read_bytes())
    header = nib.load(path).header
    header.set_slope_inter(0.5, 3)
    block[:348] = header.binaryblock
    path.write_bytes(block)
    return path


KINDS = ["plain.nii", "scaled.nii", "plain.tif", "zlib.tif", "folder", "a.ome.zarr"]

steps = st.sampled_from([None, 1, 2, 3, -1, -2])
slices = st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9), steps)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> dict[tuple[str, int], tuple[np.ndarray, StoredArray]]:
    """Arrays with their axes in any order, with channels, and what they hold as (t, z, y, x)."""
    folder = tmp_path_factory.mktemp("stored")
    out = {}
    for axes in ("TZYX", "ZTYX", "XYZT", "TZCYX", "CTZYX", "TZYXC", "TYX", "YX"):
        shape = tuple({**dict(zip("TZYX", SHAPE, strict=True)), "C": 2}[letter] for letter in axes)
        data = np.random.default_rng(len(out)).integers(0, 255, shape).astype(">u2")
        path = folder / f"{axes}.raw"
        path.write_bytes(b"header" + data.tobytes())
        for channel in range(2 if "C" in axes else 1):
            plain = data if "C" not in axes else data.take(channel, axis=axes.index("C"))
            left = axes.replace("C", "")
            plain = plain.transpose([left.index(letter) for letter in "TZYX" if letter in left])
            plain = plain.reshape(
                [n if letter in left else 1 for letter, n in zip("TZYX", SHAPE, strict=True)]
            )
            out[axes, channel] = plain, StoredArray(path, ">u2", 6, shape, axes, channel)
    return out


@settings(max_examples=60, deadline=None)
@given(key=st.tuples(*[st.one_of(slices, st.integers(0, 0)) for _ in range(4)]))
def test_any_key_of_stored_voxels_is_numpys(stored, key):
    for (axes, channel), (plain, lazy) in stored.items():
        expected, got = plain[key], lazy[key]
        assert got.shape == expected.shape, (axes, channel)
        assert np.array_equal(got, expected), (axes, channel)


def test_stored_voxels_are_calculated_with_as_arrays_are(stored):
    plain, lazy = stored["TZYX", 0]
    assert np.array_equal(lazy * 2 + lazy, plain * 2 + plain)
    assert lazy.mean() == plain.mean()
    assert lazy.ravel().tolist() == plain.ravel().tolist()
    assert np.array_equal(lazy.astype("f4"), plain)
    assert np.array_equal(lazy == plain, np.ones(SHAPE, bool))
    assert np.percentile(lazy, 5) == np.percentile(plain, 5)
    assert not hasattr(lazy, "chunks")


def test_threads_read_the_same(stored):
    plain, lazy = stored["TZYX", 0]
    keys = list(itertools.product(range(3), range(4))) * 20
    with ThreadPoolExecutor(8) as pool:
        for key, got in zip(keys, pool.map(lazy.__getitem__, keys), strict=True):
            assert np.array_equal(got, plain[key])


def test_a_crop_of_a_lazy_recording_reads_nothing_else(tmp_path):
    volume = read(made(tmp_path, "plain.nii")).crop(((1, 3), (0, 2), (2, 5), (1, 6)))
    assert isinstance(volume.data, LazyArray)
    assert np.array_equal(volume.data, DATA[1:3, :2, 2:5, 1:6])
    assert np.array_equal(
        volume.data[::-1, 1, ::-2, 1:3], DATA[1:3, :2, 2:5, 1:6][::-1, 1, ::-2, 1:3]
    )


# -- files that change ---------------------------------------------------------------------

CHANGE = """
import os, sys
from pathlib import Path
from napari_spatimeinr.errors import FormatError
from napari_spatimeinr.io import read
path, how = Path(sys.argv[1]), sys.argv[2]
data = read(path).data
data[0, 0]
file = max((p for p in path.rglob("*") if p.is_file()), default=path) if path.is_dir() else path
if how == "truncated":
    os.truncate(file, 10)
elif how == "rewritten":
    content = file.read_bytes()
    os.utime(file, (1, 1))
    file.write_bytes(content[:-8] + bytes(8))
try:
    print(data[-1].sum())
except FormatError as error:
    assert "\\n" not in str(error)
    print("said:", error)
"""


def in_a_process(code: str, *arguments: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.strip()


@pytest.mark.parametrize("kind", ["plain.nii", "scaled.nii", "plain.tif", "zlib.tif"])
def test_a_file_truncated_while_it_is_looked_at_is_one_sentence(tmp_path, kind):
    said = in_a_process(CHANGE, made(tmp_path, kind), "truncated")
    assert (
        said.startswith("said:") and "open it again" in said
    ) or "copy or export it again" in said


def test_a_file_written_over_while_it_is_looked_at_is_one_sentence(tmp_path):
    assert "was changed" in in_a_process(CHANGE, made(tmp_path, "plain.nii"), "rewritten")


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be replaced there")
@pytest.mark.parametrize("kind", ["plain.nii", "plain.tif"])
def test_a_file_that_is_replaced_or_deleted_stays_what_it_was(tmp_path, kind):
    path = made(tmp_path, kind)
    data = read(path).data
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "other").replace(path)
    assert np.array_equal(data, DATA)
    path.unlink()
    assert np.array_equal(data[1], DATA[1])


# -- other processes -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_lazy_recordings_are_pickled_as_a_reference_to_their_file(tmp_path, kind):
    data = read(made(tmp_path, kind)).data
    text = pickle.dumps(data)
    assert len(text) < 3000
    again = pickle.loads(text)
    assert type(again) is type(data)
    assert np.array_equal(again, data)
    part = data.part(((0, 2), (1, 3), (0, 5), (2, 7)))
    assert np.array_equal(pickle.loads(pickle.dumps(part)), data[:2, 1:3, :, 2:])
    assert np.array_equal(copy.deepcopy(data)[1], data[1])


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be replaced there")
def test_what_is_left_of_a_replaced_file_is_pickled_by_value(tmp_path):
    path = made(tmp_path, "plain.nii")
    data = read(path).data
    text = pickle.dumps(data)
    path.unlink()
    assert np.array_equal(pickle.loads(pickle.dumps(data)), DATA)
    with pytest.raises(FormatError, match="gone or was changed"):
        pickle.loads(text)


def test_a_spawned_process_reads_the_file(tmp_path):
    data = read(made(tmp_path, "plain.nii")).data
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(np.sum, (data,)) == DATA.sum()


@pytest.mark.beside
@pytest.mark.parametrize("kind", KINDS)
def test_dask_tells_recordings_apart_by_their_file(tmp_path, kind):
    dask = needed("dask.base")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = (made(tmp_path / name, kind) for name in "ab")
    assert (
        dask.tokenize(read(one).data)
        == dask.tokenize(read(one).data)
        == dask.tokenize(pickle.loads(pickle.dumps(read(one).data)))
    )
    assert dask.tokenize(read(one).data) != dask.tokenize(read(other).data)
    parts = [read(one).data.part(((0, 1), (0, 2), (0, n), (0, 3))) for n in (2, 2, 3)]
    tokens = [dask.tokenize(part) for part in parts]
    assert tokens[0] == tokens[1] != tokens[2]


def test_more_is_read_than_the_system_reads_at_once(tmp_path, monkeypatch):
    """As on macOS, which refuses to read 2**31 bytes and more, into however many buffers."""
    if not hasattr(os, "preadv"):
        pytest.skip("files are read in smaller blocks here")
    plain, read = np.arange(2 * 3 * 50 * 60, dtype="u2").reshape(2, 3, 50, 60), os.preadv

    def refusing(descriptor, buffers, offset):
        if sum(len(buffer) for buffer in buffers) > 1000:
            raise OSError(errno.EINVAL, "Invalid argument")
        return read(descriptor, buffers, offset)

    plain.tofile(tmp_path / "x")
    monkeypatch.setattr(os, "preadv", refusing)
    monkeypatch.setattr("napari_spatimeinr.io.stored.MOST_AT_ONCE", 1000, raising=False)
    assert np.array_equal(StoredArray(tmp_path / "x", "u2", 0, plain.shape, "TZYX")[...], plain)
