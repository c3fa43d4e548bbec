"""Volume: checks, crops and derived volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import evaluate, fit
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.errors import GridError, InputError
from napari_spatimeinr.io import read
from napari_spatimeinr.volume import Volume, as_volume


def test_defaults_and_repr() -> None:
    """A bare array is seconds and micrometres."""
    volume = Volume(np.zeros((2, 3, 4, 5), "u2"), (5, 0.5, 0.1, 0.1))
    assert (volume.shape, volume.units, volume.dtype) == ((2, 3, 4, 5), ("s", "um"), np.uint16)
    assert "0.5 x 0.1 x 0.1 um" in repr(volume)
    assert volume.frame(1).dtype == np.float32
    assert Volume([[[[1, 2]]]]).shape == (1, 1, 1, 2)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 3, 4)), np.zeros((1, 1, 1, 1), complex), np.zeros((1, 1, 1, 1), "U3")]
)
def test_wrong_data_is_an_input_error(bad: np.ndarray) -> None:
    """Three axes, complex numbers and text are refused."""
    with pytest.raises(InputError):
        Volume(bad)


def test_wrong_calibration_is_a_grid_error() -> None:
    """So are empty axes and impossible spacings."""
    with pytest.raises(GridError):
        Volume(np.zeros((1, 0, 4, 4)))
    with pytest.raises(GridError, match="--spacing"):
        Volume(np.zeros((1, 1, 1, 1)), (1, 1, -1, 1))


def test_crop_is_a_view_with_its_place() -> None:
    """A crop knows where it lies, in time as well."""
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    volume = Volume(
        data, (5, 0.5, 0.1, 0.1), (1, 2, 3, 4), metadata={"channel": "GFP"}, times=(1, 7)
    )
    part = volume.crop(((1, 2), None, (1, 3), (2, 5)))
    assert part.data.base is data.base
    assert np.array_equal(part.data, data[1:2, :, 1:3, 2:5])
    assert part.origin == pytest.approx((7, 2, 3.1, 4.2))
    assert part.grid.times == (7,)
    assert part.metadata == {"channel": "GFP"}
    with pytest.raises(GridError):
        volume.crop(((0, 3), None, None, None))


def test_like_keeps_units_orientation_and_metadata() -> None:
    """A rendering inherits all but the grid."""
    volume = Volume(
        np.zeros((1, 1, 2, 2)),
        units=("min", "nm"),
        orientation=np.diag([-1.0, 1, 1]),
        metadata={"a": 1},
    )
    new = volume.like(np.zeros((1, 1, 4, 4)), Grid((1, 1, 4, 4), (1, 1, 0.5, 0.5)), {"b": 2})
    assert (new.units, new.metadata, new.spacing) == (
        ("min", "nm"),
        {"a": 1, "b": 2},
        (1, 1, 0.5, 0.5),
    )
    assert np.array_equal(new.orientation, np.diag([-1.0, 1, 1]))
    assert volume.metadata == {"a": 1}


def test_open_and_save(tmp_path: Path) -> None:
    """The methods are the functions of ``io``."""
    volume = Volume(np.arange(2 * 3 * 4 * 5, dtype="u2").reshape(2, 3, 4, 5), (5, 0.5, 0.1, 0.1))
    for name in ("a.nii", "a.nii.gz", "a.tif", "a.ome.tif"):
        again = Volume.open(volume.save(tmp_path / name))
        assert np.array_equal(again.data, volume.data)
        assert again.spacing == pytest.approx(volume.spacing)
        assert again.units == volume.units


@pytest.mark.parametrize(
    "units", ["um", ("s",), ("s", "um", "um"), ("s", ""), (1, 2), ("s", "u\nm")]
)
def test_units_are_a_pair_of_words(units: Any) -> None:
    with pytest.raises(InputError, match="pair, of time and of space"):
        Volume(np.zeros((2, 2, 2, 2)), units=units)


@pytest.mark.parametrize("call", [fit, evaluate])
@pytest.mark.parametrize("what", [np.zeros((4, 2, 8, 8)), "a.nii", None])
def test_what_is_no_volume_is_told(call: Any, what: Any) -> None:
    with pytest.raises(InputError, match=r"needs a Volume.*Volume\.open"):
        call(what)


def test_what_was_read_without_a_volume_is_one_too(recording: Volume, recording_file: Path) -> None:
    record = read(recording_file)
    assert not isinstance(record, Volume)
    volume = as_volume(record, "fit")
    assert isinstance(volume, Volume)
    assert volume.grid == recording.grid
    assert np.array_equal(volume.data, recording.data)
    assert as_volume(volume, "fit") is volume
