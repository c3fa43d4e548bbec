"""OME-Zarr that is damaged, absurd or no recording is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_spatimeinr.errors import FormatError, GridError, InputError, SpatimeINRError
from napari_spatimeinr.io import read
from refusal import refused
from zarr_stores import DATA, VERSIONS, ours, store


@pytest.mark.parametrize("version", VERSIONS)
def test_damaged(tmp_path: Path, version: str) -> None:
    """Truncated metadata, chunks that do not decode, missing chunks, and a missing level."""
    name = ".zattrs" if version == "0.4" else "zarr.json"
    path = ours(tmp_path / "a.zarr", version)
    whole = (path / name).read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 3):
        (path / name).write_bytes(whole[:length])
        assert "a.zarr" in refused(FormatError, path)
    (path / name).write_bytes(whole)

    chunks = path / "0" if version == "0.4" else path / "0" / "c"
    chunk = chunks / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    volume = read(path)
    assert np.array_equal(volume.data[0], DATA[0])
    with pytest.raises(FormatError, match="damaged"):
        volume.data[1]
    shutil.rmtree(chunks / "1")
    volume = read(path)
    assert "1 of 3 chunks are not stored" in volume.metadata["warnings"][0]
    assert not volume.data[1].any()
    shutil.rmtree(path / "0")
    assert "incomplete" in refused(FormatError, path)


def test_a_shard_that_states_absurd_lengths(tmp_path: Path) -> None:
    """The library takes its word and asks for the memory."""
    path = store(tmp_path / "a.zarr", version="0.5")
    array = zarr.create_array(
        str(path / "0"),
        shape=DATA.shape,
        dtype="u2",
        chunks=(1, 2, 5, 6),
        shards=(1, 4, 5, 6),
        overwrite=True,
    )
    array[...] = DATA
    assert np.array_equal(read(path).data[1], DATA[1])
    described = json.loads((path / "0" / "zarr.json").read_text())
    described["codecs"][0]["configuration"]["index_codecs"].pop()  # its checksum
    (path / "0" / "zarr.json").write_text(json.dumps(described))
    for shard in (path / "0" / "c").rglob("[0-9]/0/0/0"):
        shard.write_bytes(shard.read_bytes()[:-4])
    assert np.array_equal(read(path).data[1], DATA[1])
    shard = path / "0" / "c" / "1" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-32] + np.array([0, 2**62] * 2, "<u8").tobytes())
    volume = read(path)
    assert np.array_equal(volume.data[0], DATA[0])
    with pytest.raises(
        FormatError,
        match=(
            "a shard of frames 1 to 1 states more bytes than there is memory for; copy or export it"
            " again"
        ),
    ):
        volume.data[1, :2]


def test_truncated_array_metadata(tmp_path: Path) -> None:
    """Every cut through ``.zarray`` is one of our errors."""
    path = ours(tmp_path / "a.zarr")
    file = path / "0" / ".zarray"
    whole = file.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        file.write_bytes(whole[:length])
        refused(FormatError, path)


def test_no_recording(tmp_path: Path) -> None:
    """Missing, empty, a file, a plain array, a plain group."""
    assert "does not exist" in refused(FormatError, tmp_path / "none.zarr")
    (tmp_path / "empty.zarr").mkdir()
    assert "empty" in refused(FormatError, tmp_path / "empty.zarr")
    (tmp_path / "file.zarr").write_bytes(b"PK")
    assert "is a file" in refused(FormatError, tmp_path / "file.zarr")
    for number in (2, 3):
        zarr.create_array(
            store=str(tmp_path / f"plain{number}.zarr"),
            shape=(4, 4),
            dtype="u1",
            zarr_format=number,
        )
        assert "plain Zarr array" in refused(FormatError, tmp_path / f"plain{number}.zarr")
        zarr.create_group(store=str(tmp_path / f"group{number}.zarr"), zarr_format=number)
        assert "without an OME-Zarr image" in refused(FormatError, tmp_path / f"group{number}.zarr")


@pytest.mark.parametrize("version", VERSIONS)
def test_plates_and_labels(tmp_path: Path, version: str) -> None:
    """Refused by name; an image inside a plate is read although its folder has no ending."""

    def group(name: str, attributes: dict[str, Any]) -> Path:
        made = zarr.create_group(
            store=str(tmp_path / name), zarr_format=2 if version == "0.4" else 3
        )
        made.attrs.update(
            attributes if version == "0.4" else {"ome": {"version": version, **attributes}}
        )
        return tmp_path / name

    plate = group("plate.zarr", {"plate": {"wells": [{"path": "A/1"}]}})
    assert "plate" in refused(InputError, plate)
    assert "well" in refused(
        InputError, group("plate.zarr/A/1", {"well": {"images": [{"path": "0"}]}})
    )
    assert read(ours(plate / "A" / "1" / "0", version)).shape == DATA.shape
    assert "labels" in refused(InputError, group("labels.zarr", {"labels": ["cells"]}))
    label = store(tmp_path / "label.zarr", version=version, **{"image-label": {"version": version}})
    assert "labels" in refused(InputError, label)
    several = group("several.zarr", {"bioformats2raw.layout": 3})
    refused(FormatError, several)
    ours(several / "0", version)
    assert np.array_equal(read(several).data[:], DATA)
    assert read(several).metadata["warnings"] == []
    ours(several / "1", version)
    assert "2 images" in refused(InputError, several)


@pytest.mark.parametrize("shape", [[10**6] * 4, [10**18, 1, 1, 1]])
def test_absurd_size(tmp_path: Path, shape: list[int]) -> None:
    """A declared size that nothing can hold is refused without allocating it."""
    path = ours(tmp_path / "a.zarr")
    file = path / "0" / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), "shape": shape}))
    assert "impossible size" in refused(FormatError, path)


def test_large_size_with_little_in_it(tmp_path: Path) -> None:
    """A large sparse store is legal; it costs nothing to open, and the question is asked."""
    path = ours(tmp_path / "a.zarr")
    file = path / "0" / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), "shape": [10**9, 4, 5, 6]}))
    volume = read(path)
    assert volume.shape[0] == 10**9
    assert "are not stored" in volume.metadata["warnings"][0]
    assert np.array_equal(volume.data[2], DATA[2])


def scaled(tmp_path: Path, *values: float) -> Path:
    return store(tmp_path / "a.zarr", steps=[{"type": "scale", "scale": list(values)}])


def test_impossible_calibration(tmp_path: Path) -> None:
    """NaN and negative scales are refused unless given, 0 is unknown, units may be strange."""
    for value in (float("nan"), float("inf"), -1.0):
        path = scaled(tmp_path, 1, 1, 1, value)
        assert "--spacing" in refused(GridError, path)
        assert read(path, spacing=(1, 1, 1, 1)).spacing == (1, 1, 1, 1)
    volume = read(scaled(tmp_path, 0, 1, 0.5, 0.5))
    assert volume.spacing == (1, 1, 0.5, 0.5)
    assert "frame interval of 0" in volume.metadata["warnings"][0]
    strange = [{"name": n, "type": "space", "unit": "parsec"} for n in "zyx"]
    volume = read(
        store(tmp_path / "a.zarr", strange, DATA[0], steps=[{"type": "scale", "scale": [3, 2, 2]}])
    )
    assert (volume.spacing, volume.units) == ((1, 3, 2, 2), ("frame", "voxel"))
    assert [("parsec" in warning) for warning in volume.metadata["warnings"]] == [True]
    steps = [{"type": "translation", "translation": [0, 0, 0, float("nan")]}]
    volume = read(store(tmp_path / "a.zarr", steps=steps))
    assert volume.origin == (0, 0, 0, 0)
    assert "origin" in volume.metadata["warnings"][0]


@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "scale", "scale": [1, 1]}],
        [{"type": "scale", "scale": "abcd"}],
        [{"type": "scale", "scale": [1, 1, 1, "x"]}],
        [{"type": "scale", "path": "0/scale"}],
        [{"type": "affine", "affine": [1, 1, 1, 1]}],
        ["scale"],
        {"type": "scale"},
        5,
    ],
)
def test_damaged_transformations(tmp_path: Path, steps: Any) -> None:
    """Numbers that are none, too few, in a file of their own, or of another kind."""
    refused(FormatError, store(tmp_path / "a.zarr", steps=steps))


@pytest.mark.parametrize(
    "axes", [[], ["t", "z"], "none", [None] * 4, [5] * 4, [{"name": "q", "type": "space"}] * 4]
)
def test_damaged_axes(tmp_path: Path, axes: Any) -> None:
    """They are refused, and the user may name them."""
    path = (
        store(tmp_path / "a.zarr", image={"axes": None})
        if axes == "none"
        else store(tmp_path / "a.zarr", axes)
    )
    refused(SpatimeINRError, path)
    assert np.array_equal(read(path, axes="TZYX").data[:], DATA)
    with pytest.raises(InputError, match="TCZYX are 5, and the file has 4"):
        read(path, axes="TCZYX")


@pytest.mark.parametrize(
    "meta",
    [
        {},
        [],
        [{}],
        "x",
        [{"datasets": []}],
        [{"datasets": [{"path": "../../etc"}]}],
        [{"datasets": [{"path": 3}]}],
    ],
)
def test_damaged_multiscales(tmp_path: Path, meta: Any) -> None:
    """Whatever the metadata are, one sentence; paths that lead out of the store are not followed."""
    path = store(tmp_path / "a.zarr")
    (path / ".zattrs").write_text(json.dumps({"multiscales": meta}))
    refused(FormatError, path)


def test_number_types_that_are_no_intensities(tmp_path: Path) -> None:
    """Complex numbers and axes of size 0."""
    assert "complex64" in refused(InputError, store(tmp_path / "a.zarr", data=DATA.astype("c8")))
    assert "is empty" in refused(InputError, store(tmp_path / "a.zarr", data=DATA[:, :0]))
