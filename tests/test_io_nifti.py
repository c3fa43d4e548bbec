"""NIfTI: round trips, what nibabel sees, what other programs write."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_numbers import noise
from napari_spatimeinr.errors import GridError, InputError, SaveError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.stored import StoredArray
from napari_spatimeinr.volume import Volume

shapes = st.tuples(*[st.integers(1, 5)] * 4)
dtypes = st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">u2", ">f4"])
steps = st.floats(2**-10, 1024, width=32)
places = st.floats(-1e3, 1e3, width=32)
TIME = {"s": "sec", "ms": "msec", "us": "usec", "frame": "unknown"}
SPACE = {"um": "micron", "mm": "mm", "m": "meter", "voxel": "unknown"}


def image(data: np.ndarray, affine: Any = None, header: Any = None) -> nib.Nifti1Image:
    """A NIfTI image of data in (x, y, z, t)."""
    return nib.Nifti1Image(data, affine, header, dtype=data.dtype)


@settings(max_examples=40, deadline=None)
@given(
    shapes,
    dtypes,
    st.tuples(*[steps] * 4),
    st.tuples(*[places] * 4),
    st.sampled_from(sorted(TIME)),
    st.sampled_from(sorted(SPACE)),
    st.sampled_from([".nii", ".nii.gz"]),
)
def test_round_trip(
    shape: Any, dtype: str, spacing: Any, origin: Any, time: str, space: str, ending: str
) -> None:
    """What is written comes back, and nibabel sees the same."""
    data = noise(shape, dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Volume(data, spacing, origin, (time, space)), Path(folder) / f"a{ending}")
        again = read(path)
        assert np.array_equal(np.asarray(again.data), data)
        assert again.dtype == np.dtype(dtype).newbyteorder("=")
        assert again.spacing[1:] == pytest.approx(spacing[1:], rel=1e-6)
        assert again.origin == pytest.approx(origin, rel=1e-5, abs=1e-6)
        assert again.orientation is None
        assert again.units[1] == space
        if shape[0] > 1 or time != "frame":
            assert again.spacing[0] == pytest.approx(spacing[0], rel=1e-6)
            assert again.units[0] == time
        assert json.loads(json.dumps(again.metadata, allow_nan=False)) == again.metadata

        seen = nib.load(path)
        expected = data.transpose(3, 2, 1, 0) if shape[0] > 1 else data[0].transpose(2, 1, 0)
        assert np.array_equal(np.asanyarray(seen.dataobj), expected)
        assert seen.header.get_zooms() == pytest.approx(
            (*spacing[:0:-1], spacing[0])[: expected.ndim], rel=1e-6
        )
        assert seen.header.get_xyzt_units() == (SPACE[space], TIME[time])
        for affine, code in (seen.header.get_sform(coded=True), seen.header.get_qform(coded=True)):
            assert code == 1
            assert np.allclose(affine[:3, 3], origin[:0:-1], rtol=1e-5)
            assert np.allclose(np.diag(affine)[:3], spacing[:0:-1], rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[steps] * 3),
    st.tuples(*[places] * 3),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.sampled_from([-1, 1]),
)
def test_orientation_round_trip(spacing: Any, origin: Any, angles: Any, mirror: int) -> None:
    """Oblique and mirrored files keep their affine, up to 32 bits."""
    turn = nib.eulerangles.euler2mat(*angles) @ np.diag([mirror, 1, 1])
    volume = Volume(np.zeros((2, 2, 3, 4), "u1"), (1, *spacing), (0, *origin), orientation=turn)
    with tempfile.TemporaryDirectory() as folder:
        path = write(volume, Path(folder) / "a.nii")
        first, again = nib.load(path).affine, read(path)
        second = nib.load(write(again, Path(folder) / "b.nii")).affine
    size = max(spacing)
    assert np.allclose(first[:3, :3], turn @ np.diag(spacing[::-1]), rtol=1e-5, atol=1e-6 * size)
    assert np.allclose(first, second, rtol=1e-4, atol=1e-5 * max(size, *map(abs, origin)))
    assert again.spacing[1:] == pytest.approx(spacing, rel=1e-5)


def test_shear_survives_in_the_sform(tmp_path: Path) -> None:
    """A quaternion holds no shear, so only the sform is set."""
    direction = np.array([[1, 0.6, 0], [0, 0.8, 0], [0, 0, 1]])
    path = write(
        Volume(np.zeros((1, 2, 3, 4), "u1"), (1, 3, 2, 1), orientation=direction),
        tmp_path / "a.nii",
    )
    seen = nib.load(path)
    assert (int(seen.header["sform_code"]), int(seen.header["qform_code"])) == (1, 0)
    assert np.allclose(read(path).orientation, direction, atol=1e-6)
    assert read(path).spacing == pytest.approx((1, 3, 2, 1))


@pytest.mark.parametrize(
    ("units", "names", "factors"),
    [
        (("min", "nm"), ("micron", "sec"), (60, 1e-3)),
        (("h", "um"), ("micron", "sec"), (3600, 1)),
        (("ms", "m"), ("meter", "msec"), (1, 1)),
        (("fortnight", "furlong"), ("unknown", "unknown"), (1, 1)),
    ],
)
def test_units_nifti_lacks_are_converted(
    tmp_path: Path, units: Any, names: Any, factors: Any
) -> None:
    """Nm become um, minutes and hours seconds; what is not known is not guessed."""
    volume = Volume(np.zeros((2, 2, 2, 2), "u1"), (2, 300, 200, 100), (1, 30, 20, 10), units)
    seen = nib.load(write(volume, tmp_path / "a.nii"))
    assert seen.header.get_xyzt_units() == names
    time, space = factors
    assert seen.header.get_zooms() == pytest.approx(
        (100 * space, 200 * space, 300 * space, 2 * time)
    )
    assert seen.affine[:3, 3] == pytest.approx([10 * space, 20 * space, 30 * space])
    assert float(seen.header["toffset"]) == pytest.approx(time)


def test_uncompressed_files_stay_on_disk(tmp_path: Path) -> None:
    """Plain .nii is read where it is indexed in (t, z, y, x), a scaled one computes what is
    indexed.
    """
    stored = noise((4, 3, 2, 5), "i2")
    nib.save(image(stored), tmp_path / "a.nii")
    plain = read(tmp_path / "a.nii")
    assert isinstance(plain.data, StoredArray)
    assert np.array_equal(plain.data, stored.transpose(3, 2, 1, 0))

    header = image(stored).header
    header.set_slope_inter(0.5, 3)
    block = bytearray((tmp_path / "a.nii").read_bytes())
    header["vox_offset"] = 352
    block[:348] = header.binaryblock
    (tmp_path / "b.nii").write_bytes(block)
    scaled = read(tmp_path / "b.nii")
    expected = nib.load(tmp_path / "b.nii").get_fdata().transpose(3, 2, 1, 0)
    assert scaled.dtype == np.float32
    assert scaled.metadata["source_dtype"] == "float32"
    assert np.allclose(scaled.data[:], expected)
    assert np.allclose(scaled.data[-1, ::-1, 1:, ::2], expected[-1, ::-1, 1:, ::2])
    assert np.allclose(scaled.crop(((1, 3), None, (0, 2), None)).data, expected[1:3, :, :2])
    with pytest.raises(IndexError):
        scaled.data[9]


def test_big_endian_nifti2_and_pairs(tmp_path: Path) -> None:
    """The other members of the family."""
    data = noise((4, 3, 2, 5), "u2")
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">u2")
    nib.save(nib.Nifti1Image(data, np.diag([0.1, 0.2, 0.5, 1]), header), tmp_path / "big.nii")
    nib.save(nib.Nifti2Image(data, np.diag([0.1, 0.2, 0.5, 1])), tmp_path / "two.nii.gz")
    nib.save(nib.Nifti1Pair(data, np.diag([0.1, 0.2, 0.5, 1])), tmp_path / "pair.hdr")
    nib.save(
        nib.AnalyzeImage(data.astype("i2"), np.diag([-0.1, 0.2, 0.5, 1])), tmp_path / "old.img"
    )
    for name in ("big.nii", "two.nii.gz", "pair.hdr", "pair.img", "old.hdr"):
        volume = read(tmp_path / name)
        assert np.array_equal(np.asarray(volume.data, dtype="u2"), data.transpose(3, 2, 1, 0)), name
        assert volume.spacing[1:] == pytest.approx((0.5, 0.2, 0.1)), name


def test_long_axes_make_nifti2(tmp_path: Path) -> None:
    """NIfTI-1 counts to 32767."""
    data = noise((1, 1, 1, 40_000), "u1")
    path = write(Volume(data), tmp_path / "a.nii")
    assert isinstance(nib.load(path), nib.Nifti2Image)
    assert np.array_equal(read(path).data, data)


def test_what_the_header_leaves_out_is_unknown(tmp_path: Path) -> None:
    """Nothing is guessed: frames and voxels of 1."""
    nib.save(image(noise((4, 3, 2, 5), "u1"), np.eye(4)), tmp_path / "a.nii")
    volume, told = read(tmp_path / "a.nii"), describe(tmp_path / "a.nii")
    assert (volume.spacing, volume.units) == ((1, 1, 1, 1), ("frame", "voxel"))
    assert (told["spacing"], told["units"]) == ([None] * 4, [None, None])
    assert told["calibrated_by"] == {"dt": None, "voxel": None}
    assert (told["kind"], told["shape"], told["dtype"], told["channels"]) == (
        "recording",
        [5, 2, 3, 4],
        "uint8",
        1,
    )

    header = nib.Nifti1Header()
    header.set_data_shape((4, 3, 2, 5))
    header.set_zooms((0.1, 0.1, 0.5, 0))
    nib.save(image(noise((4, 3, 2, 5), "u1"), None, header), tmp_path / "b.nii")
    volume, told = read(tmp_path / "b.nii"), describe(tmp_path / "b.nii")
    assert volume.spacing == (1, 0.5, 0.1, 0.1)
    assert volume.orientation is None
    assert volume.origin == (0, 0, 0, 0)
    assert told["spacing"] == [None, 0.5, 0.1, 0.1]
    assert told["units"] == [None, None]
    assert told["calibrated_by"] == {"dt": None, "voxel": "NIfTI header"}
    assert any("frame interval of 0" in warning for warning in told["warnings"])


def test_given_calibration_wins(tmp_path: Path) -> None:
    """``None`` keeps the file's; the first centre keeps its place in voxels."""
    volume = Volume(np.zeros((3, 2, 2, 2), "u1"), (5, 0.5, 0.1, 0.1), (10, 1, 0.2, 0.2))
    path = write(volume, tmp_path / "a.nii")
    again = read(path, spacing=(None, 1.0, None, None))
    assert again.spacing == pytest.approx((5, 1, 0.1, 0.1))
    assert again.origin == pytest.approx((10, 2, 0.2, 0.2))
    assert again.metadata["calibrated_by"] == {"dt": "NIfTI header", "voxel": "given"}
    again = read(path, units=("min", None))
    assert (again.units, again.metadata["calibrated_by"]["dt"]) == (("min", "um"), "given")
    for bad in ((1, 1, 1), (1, 1, 1, 0), (1, math.nan, 1, 1), "abcd", 3):
        with pytest.raises(GridError):
            read(path, spacing=bad)
    for units in (("s", "furlong"), ("s", "cm"), "um"):
        with pytest.raises(InputError):
            read(path, units=units)


def test_extra_axes(tmp_path: Path) -> None:
    """Five axes need a choice, unless they are of size 1."""
    data = noise((4, 3, 2, 5, 3), "u1")
    nib.save(image(data), tmp_path / "five.nii")
    with pytest.raises(InputError, match=r"3 channels.*--channel"):
        read(tmp_path / "five.nii")
    assert np.array_equal(read(tmp_path / "five.nii", channel=2).data, data[..., 2].T)
    assert describe(tmp_path / "five.nii")["channels"] == 3
    for bad in (3, -1, 0.5):
        with pytest.raises(InputError, match="no channel"):
            read(tmp_path / "five.nii", channel=bad)
    nib.save(image(data[..., :1]), tmp_path / "four.nii")
    assert read(tmp_path / "four.nii").shape == (5, 2, 3, 4)
    movie = noise((4, 3, 7), "u1")
    nib.save(image(movie, np.diag([0.2, 0.1, 2, 1])), tmp_path / "movie.nii")
    volume = read(tmp_path / "movie.nii", axes="TYX")
    assert np.array_equal(volume.data[:, 0], movie.T)
    assert volume.spacing == pytest.approx((2, 1, 0.1, 0.2))
    for axes in ("TZYX", "TZ", "YXX", "QYX", ""):
        if axes:
            with pytest.raises(InputError):
                read(tmp_path / "movie.nii", axes=axes)


def test_uneven_times_live_in_a_sidecar(tmp_path: Path) -> None:
    """They come back, and leave no stale ones behind."""
    (tmp_path / "a.json").write_text('{"mine": 1}')
    volume = Volume(
        np.zeros((3, 2, 2, 2), "u1"), (2, 1, 1, 1), (1, 0, 0, 0), ("min", "um"), times=(1, 2, 9)
    )
    path = write(volume, tmp_path / "a.nii.gz")
    assert json.loads((tmp_path / "a.json").read_text()) == {"mine": 1, "times": [60, 120, 540]}
    again = read(path)
    assert (again.grid.times, again.units[0], again.origin[0]) == ((60, 120, 540), "s", 60)
    assert describe(path)["times"] == [60, 120, 540]
    write(Volume(np.zeros((3, 2, 2, 2), "u1")), path)
    assert json.loads((tmp_path / "a.json").read_text()) == {"mine": 1}
    assert read(path).grid.times is None
    (tmp_path / "a.json").write_text('{"times": [3, 2, 1]}')
    assert any("a.json" in warning for warning in read(path).metadata["warnings"])
    (tmp_path / "a.json").write_text("no json")
    assert read(path).grid.times is None
    with pytest.raises(SaveError, match=r"a\.json"):
        write(volume, path)
