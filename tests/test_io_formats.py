"""The table of formats: what it says of each is so, and a new one is one class and one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.data.plain import plain
from napari_spatimeinr.data.record import Record
from napari_spatimeinr.errors import FormatError, GridError, InputError, SaveError
from napari_spatimeinr.io import (
    clash,
    describe,
    destination,
    formats,
    present,
    read,
    readable,
    write,
)
from napari_spatimeinr.io.format import ALL, Format, Holds
from napari_spatimeinr.io.options import ReadOptions, WriteOptions

NAMES = ("a.nii", "a.tif", "a.ome.tif", "a.zarr", "a{t}.nii")
TURNED = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def recording(dtype: Any = "u2", times: Any = None) -> Record:
    """Three frames, turned, with a place in time and space."""
    data = np.arange(3 * 2 * 5 * 6).reshape(3, 2, 5, 6).astype(dtype)
    grid = Grid((3, 2, 5, 6), (2.0, 0.5, 0.25, 0.25), times=times)
    return Record(data, grid, ("s", "um"), TURNED)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_holds_the_number_types_it_says(tmp_path: Path, name: str) -> None:
    """Others are refused with what to do."""
    path = tmp_path / name
    format = formats.writing(path)
    assert format is not None
    for kind in ALL:
        if kind in format.holds.dtypes:
            back = read(write(recording(kind), path))
            assert back.dtype == np.dtype(kind)
            np.testing.assert_array_equal(back.data[...], recording(kind).data)
        else:
            with pytest.raises(SaveError, match=r"cannot hold .*; choose"):
                write(recording(kind), path)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_holds_the_times_it_says(tmp_path: Path, name: str) -> None:
    """Uneven ones are kept or refused, never dropped."""
    path, times = tmp_path / name, (0.0, 1.0, 5.0)
    format = formats.writing(path)
    assert format is not None
    if format.holds.uneven_times:
        assert read(write(recording(times=times), path)).grid.times == times
    else:
        with pytest.raises(SaveError, match="irregular times"):
            write(recording(times=times), path)


@pytest.mark.parametrize("unit", ["us", "s", "min", "h", "frame"])
@pytest.mark.parametrize("name", ["a.nii", "a.ome.tif", "a.zarr", "a{t}.nii"])
def test_uneven_times_come_back_in_their_unit(tmp_path: Path, name: str, unit: str) -> None:
    """Of NIfTI in one that it has."""
    path, times = tmp_path / name, (0.1, 0.7, 5.3)
    record = Record(recording().data, recording(times=times).grid, (unit, "um"))
    back = read(write(record, path))
    factor = 60.0 if (name, unit) == ("a.nii", "min") else 3600.0 if back.units[0] != unit else 1.0
    assert back.grid.times == pytest.approx([t * factor for t in times], rel=1e-12)
    assert back.spacing == pytest.approx((2.6 * factor, *record.spacing[1:]))
    again = read(write(recording(times=None), path))
    assert again.grid.times is None


@pytest.mark.parametrize("name", NAMES)
def test_a_format_holds_the_orientation_it_says(tmp_path: Path, name: str) -> None:
    """And no other one takes it for something else."""
    path = tmp_path / name
    format = formats.writing(path)
    assert format is not None
    back = read(write(recording(), path)).orientation
    if format.holds.orientation:
        np.testing.assert_allclose(back, TURNED, atol=1e-6)
    else:
        assert back is None


@pytest.mark.parametrize("name", NAMES)
def test_a_format_has_the_levels_it_says(tmp_path: Path, name: str) -> None:
    """Of the others a level is refused at once."""
    path = write(recording(), tmp_path / name)
    format = formats.sniffed(path)
    assert format is not None
    with pytest.raises(InputError, match="There is no level 1" if format.holds.levels else "only"):
        read(path, level=1)


class Numbers(Format):
    """A toy: lists of numbers as JSON."""

    name = "A file of numbers"
    endings = writable = (".numbers",)
    holds = Holds(dtypes=("f8",), orientation=False)
    has_sidecar = False

    def read(self, path: Path, how: ReadOptions) -> Record:
        """All in one file."""
        data = np.asarray(json.loads(path.read_text()))
        facts = {
            "source": str(path),
            "format": "numbers",
            "header": {},
            "channels": 1,
            "source_dtype": str(data.dtype),
            "stated": {"spacing": [None] * 4, "units": [None] * 2},
            "calibrated_by": {"dt": None, "voxel": None},
            "warnings": [],
        }
        return Record(data, Grid(data.shape), ("frame", "voxel"), None, facts)

    def write(self, record: Record, path: Path, how: WriteOptions) -> Path:
        """All in one file."""
        path.write_text(json.dumps(np.asarray(record.data, how.dtype).tolist()))
        return path


def test_a_new_format_is_a_class_and_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that is asked about a path goes by the table."""
    path = tmp_path / "a.numbers"
    with pytest.raises(FormatError, match="ending"):
        write(recording("f8"), path)
    assert not readable(path)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, Numbers()))
    assert readable(path)
    assert destination(path) == path
    assert present(path) == []
    assert write(recording("f8"), path) == path
    assert present(path) == [path]
    assert clash(path, tmp_path / "a.nii") is None
    np.testing.assert_array_equal(read(path).data, recording("f8").data)
    assert Volume.open(path).units == ("frame", "voxel")
    assert describe(path)["format"] == "numbers"
    with pytest.raises(SaveError, match="A file of numbers cannot hold uint8"):
        write(recording(), path, dtype="uint8")
    with pytest.raises(SaveError, match="A file of numbers cannot hold frames at irregular times"):
        write(recording("f8", (0.0, 1.0, 5.0)), path)


def test_a_record_is_what_a_volume_is_without_files(tmp_path: Path) -> None:
    """What is made of one is of its own kind; a volume is made of any."""
    record = recording()
    part = record.crop(((0, 2), None, None, None))
    assert type(part) is Record
    assert part.shape == (2, 2, 5, 6)
    volume = Volume.of(record)
    assert volume.data is record.data
    assert volume.grid == record.grid
    assert type(volume.crop(((0, 2), None, None, None))) is Volume
    assert repr(volume) == repr(record).replace("Record", "Volume")
    volume.save(tmp_path / "a.nii")
    assert type(read(tmp_path / "a.nii")) is Record
    assert type(Volume.open(tmp_path / "a.nii")) is Volume
    with pytest.raises(GridError, match="shape"):
        Record(record.data, Grid((1, 2, 5, 6)))


def test_typed_provenance_is_written_as_a_dictionary(tmp_path: Path) -> None:
    """Any mapping is, not dictionaries alone."""
    record = recording()
    record.metadata["spatimeinr"] = MappingProxyType({"steps": np.int64(3), "seconds": 1.5})
    for name in ("a.nii", "b.ome.tif", "c.tif", "d.zarr", "e{t}.nii"):
        (tmp_path / name[0]).mkdir()
        back = read(write(record, tmp_path / name[0] / name))
        assert back.metadata["spatimeinr"]["steps"] == 3


def test_json_values() -> None:
    """Numbers of numpy are numbers, and what JSON cannot say is null unless it is kept."""
    values = {1: (np.float32(0.5), np.arange(2)), "a": float("nan"), "p": Path("x")}
    assert plain(values) == {"1": [0.5, [0, 1]], "a": None, "p": "x"}
    assert plain(values, finite=False)["a"] != plain(values, finite=False)["a"]
