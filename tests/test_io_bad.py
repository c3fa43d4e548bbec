"""Hostile and broken files: always one of our errors, one sentence, no huge allocation, no
half-written file.
"""

from __future__ import annotations

import gzip
import resource
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spatimeinr.errors import FormatError, GridError, InputError, SaveError, SpatimeINRError
from napari_spatimeinr.io import describe, read, replacing, write
from napari_spatimeinr.volume import Volume
from refusal import refused

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")
NAMES = ("a.nii", "a.nii.gz", "a.tif", "a.ome.tif")


def header(**fields: object) -> bytes:
    """A NIfTI-1 header of a 4 x 4 x 4 x 2 uint8 file with some fields changed."""
    made = nib.Nifti1Header()
    made.set_data_dtype("u1")
    made.set_data_shape((4, 4, 4, 2))
    made["vox_offset"], made["magic"] = 352, b"n+1"
    made["pixdim"][1:5] = 1, 1, 1, 1
    made["xyzt_units"] = 3 | 8
    for name, value in fields.items():
        made[name] = value
    return made.binaryblock + bytes(4)


def dims(*sizes: int) -> list[int]:
    """The ``dim`` field."""
    return [*sizes, *[1] * (8 - len(sizes))]


def nifti(path: Path, **fields: object) -> Path:
    """That header with the voxels of the unchanged one."""
    path.write_bytes(header(**fields) + bytes(128))
    return path


def test_no_such_file_or_kind(tmp_path: Path) -> None:
    """Missing, folder, empty, unknown ending."""
    assert "does not exist" in refused(FormatError, tmp_path / "none.nii")
    (tmp_path / "folder.nii").mkdir()
    assert "folder" in refused(FormatError, tmp_path / "folder.nii")
    (tmp_path / "a.png").write_bytes(b"x")
    assert ".nii.gz" in refused(FormatError, tmp_path / "a.png")
    for name in NAMES:
        (tmp_path / name).write_bytes(b"")
        assert "empty" in refused(FormatError, tmp_path / name)
    with pytest.raises(FormatError, match=r"\.ome\.tif"):
        write(Volume(DATA), tmp_path / "b.png")
    with pytest.raises(OSError, match="ending"):
        write(Volume(DATA), tmp_path / "b")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif", "a.ome.tif", "a.hdr"])
@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"plain text " * 100,
        bytes(1000),
        b"\x1f\x8b" + b"x" * 400,
        b"II*\0" + b"\xff" * 400,
        b"MM\0+",
    ],
)
def test_not_what_the_name_says(tmp_path: Path, name: str, content: bytes) -> None:
    """Text, zeros and pieces of other formats."""
    (tmp_path / name).write_bytes(content)
    (tmp_path / "a.img").write_bytes(content)
    refused(FormatError, tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_truncated_anywhere(tmp_path: Path, name: str) -> None:
    """A file cut short never reads as something smaller or as zeros."""
    whole = write(Volume(DATA, (5, 0.5, 0.1, 0.1)), tmp_path / name).read_bytes()
    cut = tmp_path / f"cut{name[1:]}"
    for length in sorted(
        {1, 3, 8, 20, 347, 352, *np.linspace(1, len(whole) - 1, 40).astype(int).tolist()}
    ):
        cut.write_bytes(whole[:length])
        try:
            volume = read(cut)
        except FormatError:
            continue
        # ImageJ and gzip files end in bytes that hold no voxel.
        assert np.array_equal(volume.data[:], DATA), length


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_truncated_pages(tmp_path: Path, compression: str | None) -> None:
    """What is missing would be filled with zeros."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in DATA[0]:
            file.write(page, metadata=None, compression=compression)
    whole = (tmp_path / "a.tif").read_bytes()
    for length in np.linspace(1, len(whole) - 1, 30).astype(int):
        (tmp_path / "a.tif").write_bytes(whole[:length])
        refused(FormatError, tmp_path / "a.tif")


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    )
)
def test_flipped_bytes(tmp_path: Path, name: str, flips: list[tuple[float, int]]) -> None:
    """Whatever is damaged, it is one of our errors or a volume of a possible size."""
    whole = bytearray(write(Volume(DATA, (5, 0.5, 0.1, 0.1)), tmp_path / name).read_bytes())
    for where, value in flips:
        whole[int(where * (len(whole) if where > 0.5 else min(len(whole), 400)))] = value
    (tmp_path / name).write_bytes(whole)
    try:
        volume = read(tmp_path / name, channel=0)
        np.asarray(volume.data[0])
        assert volume.grid.voxels < 10**6
    except SpatimeINRError:
        pass


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_absurd_sizes_allocate_nothing(tmp_path: Path, ending: str) -> None:
    """The header's promise is checked against the file before any memory is asked for."""
    path = tmp_path / f"a{ending}"
    content = header(dim=dims(4, 32767, 32767, 32767, 100)) + bytes(1000)
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    tracemalloc.start()
    try:
        assert "truncated" in refused(FormatError, path)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()
    content = header(dim=dims(4, 100, 100, 100, 1)) + bytes(1000)
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    assert "truncated" in refused(FormatError, path)


def test_impossible_nifti_headers(tmp_path: Path) -> None:
    """Sizes, types, offsets and spacings that cannot be."""
    path = tmp_path / "a.nii"
    assert read(nifti(path)).shape == (2, 4, 4, 4)
    for sizes in (dims(0), dims(9, 2, 2, 2), dims(4, -4, 4, 4, 2)):
        refused(FormatError, nifti(path, dim=sizes))
    for sizes in (dims(4, 4, 0, 4, 2), dims(2, 4, 4), dims(1, 4), dims(6, 2, 2, 2, 2, 2, 2)):
        refused(InputError, nifti(path, dim=sizes))
    assert read(nifti(path, dim=dims(2, 4, 4)), axes="YX").shape == (1, 1, 4, 4)
    refused(FormatError, nifti(path, datatype=12345))
    refused(FormatError, nifti(path, magic=b"ni1"))
    for offset in (np.nan, np.inf, -5, 1e30):
        refused(FormatError, nifti(path, vox_offset=offset))
    for code in (32, 1792, 128, 2304):
        refused(InputError, nifti(path, datatype=code, dim=dims(3, 1, 1, 1)))
    for bad in (np.nan, -1, np.inf):
        refused(GridError, nifti(path, pixdim=[1, bad, 1, 1, 1, 1, 1, 1]))
        refused(GridError, nifti(path, pixdim=[1, 1, 1, 1, bad, 1, 1, 1]))
        assert read(path, spacing=(1, 1, 1, 1)).spacing == (1, 1, 1, 1)
    assert "--spacing" in refused(GridError, nifti(path, sform_code=1))
    given_all = read(path, spacing=(1, 2, 3, 4))
    assert given_all.spacing == (1, 2, 3, 4)
    assert given_all.metadata["warnings"]
    for slope, offset in ((0, 5), (np.nan, 5), (1, np.nan)):
        assert read(nifti(path, scl_slope=slope, scl_inter=offset)).dtype == np.uint8
    nan = read(
        nifti(path, qform_code=1, quatern_b=5, quatern_c=5, toffset=np.nan, intent_p1=np.nan)
    )
    assert nan.metadata["header"]["toffset"] is None


def test_half_a_pair(tmp_path: Path) -> None:
    """Both halves are needed."""
    nib.save(nib.Nifti1Pair(DATA.T, np.eye(4)), tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    assert "a.img" in refused(FormatError, tmp_path / "a.hdr")


def test_damaged_gzip(tmp_path: Path) -> None:
    """A wrong check sum is damage too."""
    path = write(Volume(DATA), tmp_path / "a.nii.gz")
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 0xFF
    path.write_bytes(whole)
    assert "gzip" in refused(FormatError, path)


def test_tiffs_that_are_no_recording(tmp_path: Path) -> None:
    """Colour, one plane, mixed pages, complex numbers, absurd sizes, circular chains."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 5, 6, 3), "u1"), photometric="rgb")
    assert "colour" in refused(InputError, path)
    tifffile.imwrite(path, DATA[0, 0])
    assert "single plane" in refused(InputError, path)
    assert read(path, axes="YX").shape == (1, 1, 5, 6)
    with tifffile.TiffWriter(path) as file:
        for page in (DATA[0, 0], DATA[0, 0, 1:], DATA[0, 0]):
            file.write(page, metadata=None)
    assert "different sizes" in refused(InputError, path)
    tifffile.imwrite(
        path, np.zeros((4, 5, 6), "c8"), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    refused(InputError, path)
    for compression in (None, "zlib"):
        tifffile.imwrite(
            path, DATA[0], metadata=None, compression=compression, photometric="minisblack"
        )
        with tifffile.TiffFile(path) as tiff:
            places = [page.tags[code].valueoffset for page in tiff.pages for code in (256, 257)]
        block = bytearray(path.read_bytes())
        for place in places:
            block[place : place + 4] = struct.pack("<I", 2**31 - 1)
        path.write_bytes(block)
        refused(FormatError, path)
    with tifffile.TiffWriter(path) as file:
        for page in DATA[0]:
            file.write(page, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        first, second = tiff.pages[0].offset, tiff.pages[1].offset
    block = bytearray(path.read_bytes())
    count = struct.unpack_from("<H", block, second)[0]
    struct.pack_into("<I", block, second + 2 + 12 * count, first)
    path.write_bytes(block)
    assert "chain" in refused(FormatError, path)


def test_ome_xml_that_lies(tmp_path: Path) -> None:
    """Missing planes, broken XML and impossible sizes."""
    path = tmp_path / "a.ome.tif"

    def change(old: bytes, new: bytes) -> None:
        tifffile.imwrite(
            path, DATA, metadata={"axes": "TZYX", "PhysicalSizeX": 0.125, "TimeIncrement": 2.5}
        )
        block = path.read_bytes()
        assert old in block
        path.write_bytes(block.replace(old, new.ljust(len(old))))

    change(b'SizeT="3"', b'SizeT="9"')
    refused(FormatError, path)
    change(b"</OME>", b"")
    refused(FormatError, path)
    change(b'PhysicalSizeX="0.125"', b'PhysicalSizeX="-1"')
    assert "--spacing" in refused(GridError, path)
    change(b'PhysicalSizeX="0.125"', b'PhysicalSizeX="NaN"')
    refused(GridError, path)
    change(b'PhysicalSizeX="0.125"', b'PhysicalSizeX="big"')
    assert read(path).units == ("s", "voxel")
    change(b'TimeIncrement="2.5"', b'TimeIncrement="0"')
    assert describe(path)["spacing"][0] is None


def test_damaged_compressed_page_is_found_when_read(tmp_path: Path) -> None:
    """A lazy page that cannot be decoded is a format error."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, DATA[0], metadata={"axes": "ZYX"}, compression="zlib", photometric="minisblack"
    )
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[2].dataoffsets[0], tiff.pages[2].databytecounts[0]
    block = bytearray(path.read_bytes())
    block[offset : offset + count] = b"\xff" * count
    path.write_bytes(block)
    data = read(path).data
    assert np.array_equal(data[0, 1], DATA[0, 1])
    with pytest.raises(FormatError, match="plane 2 of frame 0"):
        data[0]


# -- writing ----------------------------------------------------------------------------------


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
