"""Number types in files and in casts; frames of a lazy rendering are asked for one by one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_numbers import noise
from napari_spatimeinr.errors import InputError
from napari_spatimeinr.io import convert_dtype, read, write
from napari_spatimeinr.volume import Volume


class Counting:
    """Data that exist one frame at a time."""

    shape, dtype, ndim = (4, 2, 3, 5), np.dtype(np.float32), 4

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __getitem__(self, k: int) -> np.ndarray:
        assert isinstance(k, int)
        self.asked.append(k)
        return np.full(self.shape[1:], k + 0.5, np.float32)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif", "a.ome.tif"])
def test_frames_are_asked_for_one_by_one(tmp_path: Path, name: str) -> None:
    """A lazy rendering is streamed to disk."""
    data = Counting()
    path = write(Volume(data), tmp_path / name)
    assert data.asked == [0, 1, 2, 3]
    assert read(path).data[3, 0, 0, 0] == 3.5


def test_stored_types(tmp_path: Path) -> None:
    """Bool as uint8, half precision as single; ``source`` is the type of the recording."""
    flags = noise((2, 2, 2, 2), "u1") > 99
    assert read(write(Volume(flags), tmp_path / "a.nii")).dtype == np.uint8
    assert read(write(Volume(flags.astype("f2")), tmp_path / "a.nii")).dtype == np.float32
    source = read(write(Volume(noise((2, 2, 2, 2), "u2")), tmp_path / "a.nii"))
    rendered = source.like(
        np.array([-3, 2.5, 3.5, 99999], "f4").reshape(1, 1, 2, 2),
        source.grid.refine().crop(((0, 1), (0, 1), (0, 2), (0, 2))),
    )
    assert read(write(rendered, tmp_path / "b.nii")).dtype == np.float32
    assert read(write(rendered, tmp_path / "b.nii", dtype="source")).data.ravel().tolist() == [
        0,
        2,
        4,
        65535,
    ]
    assert read(write(rendered, tmp_path / "b.nii", dtype="uint8")).data.ravel().tolist() == [
        0,
        2,
        4,
        255,
    ]
    with pytest.raises(InputError, match="uint16"):
        write(rendered, tmp_path / "b.nii", dtype="int3")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6),
    st.sampled_from(["u1", "u2", "i2", "i8", "u8", "f4", "f2", "?"]),
)
def test_casts_round_and_clip_and_never_wrap(values: list[float], dtype: str) -> None:
    """Compared with whole-number arithmetic in Python."""
    out = convert_dtype(np.array(values), np.dtype(dtype))
    assert out.dtype == np.dtype(dtype)
    for value, got in zip(values, out.tolist(), strict=True):
        if np.dtype(dtype).kind == "f":
            assert (
                math.isnan(got)
                if math.isnan(value)
                else got == pytest.approx(value, rel=1e-3, abs=1e-3) or abs(value) > 6e4
            )
            assert not (math.isinf(got) and math.isfinite(value))
            continue
        low, high = (0, 1) if dtype == "?" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        whole = (
            0
            if math.isnan(value)
            else (low if value < 0 else high)
            if math.isinf(value)
            else round(value)
        )
        assert int(got) == min(max(whole, low), high)


def test_casts_between_integers() -> None:
    """Integers clip as well, big-endian ones come back native."""
    assert convert_dtype(np.array([-5, 300], ">i2"), "uint8").tolist() == [0, 255]
    assert convert_dtype(np.array([2**63], "u8"), np.dtype("i8")).tolist() == [2**63 - 1]
    assert convert_dtype(np.array([1, 2], ">u2"), None).dtype == np.dtype("u2")
    assert convert_dtype(np.array([1.4], "f4"), "source", np.uint16).dtype == np.uint16
    assert convert_dtype(np.array([70000], "u4"), np.dtype("f2")).tolist() == [65504]
