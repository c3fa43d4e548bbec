"""OME-Zarr 0.4 and 0.5: round trips, what others write, laziness, and stores that are damaged or no
recording.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr.errors import FormatError, GridError, InputError, SaveError, SpatimeINRError
from napari_spatimeinr.io import describe, read, write
from napari_spatimeinr.io.zarr import write as zarr_write
from napari_spatimeinr.volume import Volume
from refusal import refused

DATA = np.random.default_rng(0).integers(0, 60000, (3, 4, 5, 6)).astype("u2")
VERSIONS = ("0.4", "0.5")
TIMES = ("us", "ms", "s", "min", "h", "frame")
SPACES = ("nm", "um", "mm", "m", "voxel")


def ours(path: Path, version: str = "0.4", data: Any = DATA, **how: Any) -> Path:
    """A recording as this package writes it."""
    calibration = {"spacing": (2, 0.5, 0.2, 0.1), "units": ("s", "um"), **how}
    return zarr_write.write(Volume(data, **calibration), path, version=version)


def store(
    path: Path, axes: Any = "tzyx", data: Any = DATA, version: str = "0.4", **more: Any
) -> Path:
    """A store made by hand: ``axes`` (letters, or the metadata), ``steps`` of the level and what
    ``more`` says of the image.
    """
    kinds = {"t": "time", "c": "channel"}
    if isinstance(axes, str):
        axes = [{"name": letter, "type": kinds.get(letter, "space")} for letter in axes]
    steps = more.pop("steps", [{"type": "scale", "scale": [1.0] * data.ndim}])
    group = zarr.create_group(
        store=str(path), zarr_format=2 if version == "0.4" else 3, overwrite=True
    )
    array = group.create_array(
        "0", shape=data.shape, dtype=data.dtype, chunks=(1,) * (data.ndim - 2) + data.shape[-2:]
    )
    array[...] = data
    image = {
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": steps}],
        **more.pop("image", {}),
    }
    meta = {"multiscales": [image], **more}
    group.attrs.update(
        {"multiscales": [{"version": "0.4", **image}], **more}
        if version == "0.4"
        else {"ome": {"version": version, **meta}}
    )
    return path


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The keys of the chunks that are read."""
    keys: list[str] = []
    get: Callable[..., Any] = zarr.storage.LocalStore.get

    async def listening(self: Any, key: str, *args: Any, **how: Any) -> Any:
        if not key.endswith((".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")):
            keys.append(key)
        return await get(self, key, *args, **how)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", listening)
    return keys


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 5)] * 4),
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i8", "f4", "f8", ">i2", ">f4"]),
    st.tuples(*[st.floats(1e-2, 1e2)] * 4),
    st.tuples(*[st.floats(-1e3, 1e3)] * 4),
    st.sampled_from(TIMES),
    st.sampled_from(SPACES),
    st.booleans(),
    st.sampled_from(VERSIONS),
)
def test_round_trip(
    shape: Any,
    dtype: str,
    spacing: Any,
    origin: Any,
    time: str,
    space: str,
    turned: bool,
    version: str,
) -> None:
    """Both versions keep everything, to the last bit."""
    data = (np.arange(np.prod(shape)) % 120).astype(dtype).reshape(shape)
    turn = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]]) if turned else None
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(
            data,
            spacing,
            origin,
            (time, space),
            turn,
            {"channel": "GFP <&> µ", "spatimeinr": {"seed": 3}},
        )
        path = zarr_write.write(volume, Path(folder) / "a.ome.zarr", version=version)
        again = read(path)
        assert np.array_equal(again.data[:], data)
        assert (again.dtype, again.spacing, again.origin) == (
            np.dtype(dtype).newbyteorder("="),
            spacing,
            origin,
        )
        assert again.units == (time, space)
        assert again.metadata["channel"] == "GFP <&> µ"
        assert again.metadata["header"]["spatimeinr"]["seed"] == 3
        assert (again.orientation is None) == (turn is None)
        assert turn is None or np.array_equal(again.orientation, turn)
        json.dumps(again.metadata, allow_nan=False)
        assert np.array_equal(zarr.open_group(str(path), mode="r")["0"][:], data)


def test_nothing_known_stays_unknown(tmp_path: Path) -> None:
    """Frames and voxels of 1 are written as numbers without units, and read as unknown."""
    told = describe(ours(tmp_path / "a.zarr", spacing=(1, 1, 1, 1), units=("frame", "voxel")))
    assert (told["spacing"], told["units"]) == ([None] * 4, [None, None])
    assert told["calibrated_by"] == {"dt": None, "voxel": None}
    known = read(tmp_path / "a.zarr", spacing=(2, None, 0.5, 0.5), units=("min", "nm"))
    assert (known.spacing, known.units) == ((2, 1, 0.5, 0.5), ("min", "nm"))


def test_number_types(tmp_path: Path) -> None:
    """Types are converted as for the other formats; bool becomes a byte."""
    volume = Volume(DATA.astype("f4") - 100.6, metadata={"source_dtype": "uint8"})
    for dtype, expected in ((None, "f4"), ("uint16", "u2"), ("source", "u1")):
        assert read(write(volume, tmp_path / "a.zarr", dtype=dtype)).dtype == expected
    assert read(tmp_path / "a.zarr").data[:].max() == 255
    assert read(write(Volume(DATA > 5), tmp_path / "a.zarr")).dtype == np.uint8
    assert (
        read(write(Volume(np.full((1, 1, 2, 2), 0.5, "f2")), tmp_path / "a.zarr")).data[0, 0, 0, 0]
        == 0.5
    )
    with pytest.raises(InputError, match="uint8"):
        write(volume, tmp_path / "a.zarr", dtype="uint7")


@pytest.mark.beside
@pytest.mark.parametrize("version", VERSIONS)
def test_ome_zarr_reads_ours(tmp_path: Path, version: str) -> None:
    """The reference implementation finds the axes, the scale and the pixels."""
    pytest.importorskip("ome_zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.io import parse_url
        from ome_zarr.reader import Reader

        path = ours(tmp_path / "a.ome.zarr", version, origin=(1, 2, 3, 4))
        location = parse_url(path)
        assert location.fmt.version == version
        (node,) = Reader(location)()
        assert np.array_equal(np.asarray(node.data[0]), DATA)
        assert [axis["name"] for axis in node.metadata["axes"]] == list("tzyx")
        assert [axis["unit"] for axis in node.metadata["axes"]] == ["second", *["micrometer"] * 3]
        (steps,) = node.metadata["coordinateTransformations"]
        assert steps[0] == {"type": "scale", "scale": [2, 0.5, 0.2, 0.1]}
        assert steps[1] == {"type": "translation", "translation": [1, 2, 3, 4]}
    array = zarr.open_group(str(path), mode="r")["0"]
    assert array.metadata.zarr_format == (2 if version == "0.4" else 3)
    assert (path / ("0/2/0/0/0" if version == "0.4" else "0/c/2/0/0/0")).is_file()


@pytest.mark.beside
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("axes", ["tzyx", "tczyx", "zyx", "tyx", "yx"])
def test_we_read_what_ome_zarr_writes(tmp_path: Path, version: str, axes: str) -> None:
    """Every choice of axes the reference implementation makes, with its pyramid."""
    pytest.importorskip("ome_zarr")
    shape = tuple({"t": 3, "c": 2, "z": 4, "y": 16, "x": 18}[letter] for letter in axes)
    data = np.random.default_rng(1).integers(0, 999, shape).astype("u2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ome_zarr.format import format_from_version
        from ome_zarr.writer import write_image

        write_image(
            data,
            str(tmp_path / "a.zarr"),
            axes=axes,
            fmt=format_from_version(version),
            scale_factors=[2],
            coordinate_transformations=None,
            scale={letter: {"t": 2.5, "z": 0.5, "c": 1.0}.get(letter, 0.25) for letter in axes},
            axes_units={
                letter: "second" if letter == "t" else "micrometer"
                for letter in axes
                if letter != "c"
            },
            metadata=None,
        )
    volume = read(tmp_path / "a.zarr", channel=1 if "c" in axes else None)
    expected = data[:, 1] if "c" in axes else data
    assert np.array_equal(volume.data[:].squeeze(), expected)
    assert volume.units == ("s" if "t" in axes else "frame", "um")
    assert volume.spacing == (2.5 if "t" in axes else 1, 0.5 if "z" in axes else 1, 0.25, 0.25)
    assert volume.metadata["channels"] == (2 if "c" in axes else 1)
    assert volume.metadata["header"]["version"] == version
    assert volume.metadata["warnings"] == []


@pytest.mark.parametrize("axes", ["xyzt", "czxty", "ytx", "yxz"])
def test_axes_in_any_order(tmp_path: Path, axes: str) -> None:
    """The format wants one order; stores with another are seen, and slices of them agree."""
    shape = tuple({"t": 3, "c": 2, "z": 4, "y": 5, "x": 6}[letter] for letter in axes)
    data = np.arange(np.prod(shape), dtype="u2").reshape(shape)
    volume = read(store(tmp_path / "a.zarr", axes, data), channel=1 if "c" in axes else None)
    moved = np.moveaxis(data, axes.index("c"), 0)[1] if "c" in axes else data
    left = axes.replace("c", "")
    expected = moved.transpose([left.index(letter) for letter in "tzyx" if letter in left])
    expected = expected.reshape(
        [dict(zip(axes, shape, strict=True)).get(letter, 1) for letter in "tzyx"]
    )
    for key in np.s_[
        :,
        0,
        ::-1,
        1:4:2,
        (..., 2),
        (-1, 0),
        (slice(2, 0, -1), slice(None, None, -2), 1),
        slice(2, 2),
    ]:
        assert np.array_equal(volume.data[key], expected[key])
    assert np.array_equal(
        read(tmp_path / "a.zarr", axes=axes, channel=1 if "c" in axes else None).data[:], expected
    )


def test_calibration_of_both_levels(tmp_path: Path) -> None:
    """The level's transformations come first, then those of the image; axes may have units of their
    own.
    """
    units = ["millisecond", None, "micrometer", "nanometer", "nanometer"]
    axes = [
        {"name": n, "type": k} | ({"unit": u} if u else {})
        for n, k, u in zip("tczyx", ("time", "channel", *["space"] * 3), units, strict=True)
    ]
    path = store(
        tmp_path / "a.zarr",
        axes,
        DATA[:, None],
        steps=[
            {"type": "scale", "scale": [1, 1, 0.5, 100, 100]},
            {"type": "translation", "translation": [0, 0, 1, 10, 20]},
        ],
        image={
            "coordinateTransformations": [
                {"type": "identity"},
                {"type": "scale", "scale": [100, 1, 2, 2, 2]},
            ]
        },
        omero={"channels": [{"label": "GFP"}]},
    )
    volume = read(path)
    assert volume.units == ("ms", "nm")
    assert volume.spacing == pytest.approx((100, 1000, 200, 200))
    assert volume.origin == pytest.approx((0, 2000, 20, 40))
    assert volume.metadata["channel"] == "GFP"
    assert volume.metadata["calibrated_by"] == {"dt": "OME-Zarr", "voxel": "OME-Zarr"}


@pytest.mark.parametrize("version", VERSIONS)
def test_channels_are_asked_for(tmp_path: Path, version: str) -> None:
    """Two channels and no choice is a question; names come from the omero metadata."""
    both = np.stack([DATA, DATA + 1], axis=1)
    path = store(
        tmp_path / "a.zarr",
        "tczyx",
        both,
        version,
        omero={"channels": [{"label": "red"}, {"label": "green"}]},
    )
    with pytest.raises(InputError, match="2 channels"):
        read(path)
    assert describe(path)["channels"] == 2
    volume = read(path, channel=1)
    assert np.array_equal(volume.data[:], DATA + 1)
    assert (volume.metadata["channel"], volume.metadata["channel_index"]) == ("green", 1)
    with pytest.raises(InputError, match="no channel 2"):
        read(path, channel=2)


def test_lazy(tmp_path: Path, touched: list[str]) -> None:
    """Nothing is read at open, and a plane reads its own chunk."""
    volume = read(store(tmp_path / "a.zarr"))
    touched.clear()
    volume = read(tmp_path / "a.zarr")
    describe(tmp_path / "a.zarr")
    assert touched == []
    assert np.array_equal(volume.data[1, 2], DATA[1, 2])
    assert touched == ["0/1.2.0.0"] or touched == ["0/1/2/0/0"]
    touched.clear()
    assert np.array_equal(volume.data[2, 1:3, 0], DATA[2, 1:3, 0])
    assert len(touched) == 2
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda k: np.array_equal(volume.data[k % 3], DATA[k % 3]), range(24)))


def test_lazy_in_the_plane(tmp_path: Path, touched: list[str]) -> None:
    """A corner of a large plane reads one of its chunks; chunks are at most 32 x 256 x 256."""
    data = np.zeros((1, 33, 300, 257), dtype="u1")
    volume = read(ours(tmp_path / "a.zarr", data=data))
    touched.clear()
    assert volume.data[0, 0, :200, :256].shape == (200, 256)
    assert touched == ["0/0/0/0/0"]
    assert (
        sum(
            file.is_file() and file.name.isdigit()
            for file in (tmp_path / "a.zarr" / "0").rglob("*")
        )
        == 8
    )


class Frames:
    """Data whose frames are made when indexed; frame ``stop`` raises."""

    shape, dtype, ndim = (4, 2, 3, 5), np.dtype("u2"), 4

    def __init__(self, stop: BaseException | None = None) -> None:
        self.stop, self.asked = stop, []

    def __getitem__(self, k: Any) -> Any:
        self.asked.append(k)
        if self.stop is not None and k == 2:
            raise self.stop
        return np.full(self.shape[1:], k, dtype=self.dtype)


class Cancelled(BaseException):
    pass


def test_frame_by_frame(tmp_path: Path) -> None:
    """Frames are asked for one at a time, each once."""
    frames = Frames()
    volume = read(write(Volume(frames), tmp_path / "a.zarr"))
    assert frames.asked == [0, 1, 2, 3]
    assert volume.data[3].max() == 3


@pytest.mark.parametrize(
    "stop",
    [
        Cancelled(),
        KeyboardInterrupt(),
        ValueError("x"),
        MemoryError(),
        OSError(28, "No space left"),
    ],
)
@pytest.mark.parametrize("earlier", [True, False])
def test_stopped_in_the_middle(tmp_path: Path, stop: BaseException, earlier: bool) -> None:
    """The earlier store stays, and nothing else is left."""
    target = tmp_path / "a.zarr"
    if earlier:
        ours(target)
    kind = SaveError if isinstance(stop, OSError) else type(stop)
    with pytest.raises(kind):
        write(Volume(Frames(stop)), target)
    assert [path.name for path in tmp_path.iterdir()] == (["a.zarr"] if earlier else [])
    assert not earlier or np.array_equal(read(target).data[:], DATA)


def test_swap_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new store cannot take its place, the earlier one is put back."""
    import napari_spatimeinr.io.atomic as atomic

    target = ours(tmp_path / "a.zarr")
    rename = atomic.os.replace

    def failing(source: Any, place: Any) -> None:
        if str(source).endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        rename(source, place)

    monkeypatch.setattr(atomic.os, "replace", failing)
    monkeypatch.setattr(atomic, "TRIES", ())
    with pytest.raises(SaveError):
        write(Volume(DATA + 1), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert np.array_equal(read(target).data[:], DATA)


def test_leftovers_of_a_killed_process(tmp_path: Path) -> None:
    """``.partial`` goes, and ``.old`` comes back when it is all there is."""
    target = ours(tmp_path / "a.zarr")
    shutil.copytree(target, tmp_path / "a.zarr.partial")
    target.rename(tmp_path / "a.zarr.old")
    with pytest.raises(Cancelled):
        write(Volume(Frames(Cancelled())), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    shutil.copytree(target, tmp_path / "a.zarr.old")
    write(Volume(DATA + 1), target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert np.array_equal(read(target).data[:], DATA + 1)


def test_what_is_not_replaced(tmp_path: Path) -> None:
    """A folder of something else, a file, and frames at irregular times."""
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("x")
    (tmp_path / "b.zarr").write_text("x")
    for name in "ab":
        with pytest.raises(SaveError, match="in the way"):
            write(Volume(DATA), tmp_path / f"{name}.zarr")
    assert (tmp_path / "a.zarr" / "thesis.txt").read_text() == "x"
    with pytest.raises(SaveError, match="does not exist"):
        write(Volume(DATA), tmp_path / "none" / "c.zarr")
    with pytest.raises(SaveError, match="irregular"):
        write(Volume(DATA, times=(0, 1, 3)), tmp_path / "c.zarr")
    with pytest.raises(SaveError, match=r"0\.4 or 0\.5"):
        ours(tmp_path / "c.zarr", "0.3")
    (tmp_path / "link.zarr").symlink_to(ours(tmp_path / "d.zarr"))
    write(Volume(DATA + 1), tmp_path / "link.zarr")
    assert (tmp_path / "link.zarr").is_symlink()
    assert np.array_equal(read(tmp_path / "d.zarr").data[:], DATA + 1)


def test_replaced_while_open(tmp_path: Path) -> None:
    """A volume does not read from a store that took the place of its own, nor zeros from one that
    is gone.
    """
    volume = read(ours(tmp_path / "a.zarr"))
    write(
        volume, tmp_path / "a.zarr", dtype="float32"
    )  # onto itself: read while the new one is made
    assert np.array_equal(read(tmp_path / "a.zarr").data[:], DATA)
    with pytest.raises(FormatError, match="replaced"):
        volume.data[0]
    again = read(tmp_path / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(FormatError, match="gone"):
        again.data[0]


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
