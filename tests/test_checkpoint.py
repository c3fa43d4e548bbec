"""Model files: nothing changes by saving, nothing is unpickled, nothing broken gets in, nothing old
gets lost.
"""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from fits import LEAST
from napari_spatimeinr import Field, Volume, checkpoint, fit, load, phantom
from napari_spatimeinr.errors import FormatError, SaveError, SpatimeINRError

pytestmark = pytest.mark.usefixtures("one_thread")


def recording(dtype="u2") -> Volume:
    data = phantom((3, 4, 9, 10), motion=1.0)[0].data * 90 + 20
    orientation = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    extra = {"name": "näme", "affine": np.eye(4), "odd": {1: (np.float32(2), None)}}
    return Volume(
        data.clip(0, 127).astype(dtype),
        (3.0, 1.0, 0.5, 0.25),
        (1.0, 2.0, 3.0, 4.0),
        ("min", "nm"),
        orientation,
        extra,
    )


@pytest.fixture(scope="module")
def field() -> Field:
    return fit(recording(), config=LEAST, device="cpu")


@pytest.fixture(scope="module")
def saved(field, tmp_path_factory) -> bytes:
    return field.save(tmp_path_factory.mktemp("model") / "m.spatimeinr").read_bytes()


class Model:
    """Bytes with a short name in hypothesis' messages."""

    def __init__(self, content: bytes) -> None:
        self.content = content


@pytest.fixture(scope="module")
def model(saved) -> Model:
    return Model(saved)


def rewritten(saved: bytes, change) -> bytes:
    """The file with another JSON header, and, as earlier versions wrote it, without sums."""
    length = struct.unpack("<Q", saved[:8])[0]
    entries = json.loads(saved[8 : 8 + length])
    header = json.loads(entries["__metadata__"]["spatimeinr"])
    del entries["__metadata__"][checkpoint.SUMS]
    change(header, entries)
    entries["__metadata__"]["spatimeinr"] = json.dumps(header)
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + saved[8 + length :]


def test_saving_and_loading_changes_nothing(field, tmp_path):
    again = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    assert again.grid == field.grid
    assert again.units == field.units == ("min", "nm")
    assert again.config == field.config
    assert again.normalisation == field.normalisation
    assert again.interpolation == field.interpolation
    assert again.provenance["input"] == field.provenance["input"]
    assert np.array_equal(again.volume.orientation, field.volume.orientation)
    assert again.volume.dtype == np.uint16
    assert np.array_equal(again.volume.data, field.volume.data)
    assert again.volume.metadata["name"] == "näme"
    for how in (
        {},
        {"time_scale": 2.5, "scale": 1.7},
        {"scale_yx": 0.5},
        {"dtype": "source", "keep_acquired": True},
    ):
        assert np.array_equal(again.render(**how).data, field.render(**how).data)
    place = np.array([[2.5, 4.0, 5.0]])
    assert np.array_equal(again.motion(place, 1.0, 5.5), field.motion(place, 1.0, 5.5))
    twice = load(again.save(tmp_path / "b.spatimeinr"), device="cpu")
    assert np.array_equal(twice.render(time_scale=2).data, field.render(time_scale=2).data)


def test_a_model_can_be_saved_over_the_file_it_was_loaded_from(field, tmp_path):
    path = field.save(tmp_path / "a.spatimeinr")
    again = load(path, device="cpu")
    again.save(path)
    expected = field.render(time_scale=2).data
    assert np.array_equal(again.render(time_scale=2).data, expected)
    assert np.array_equal(load(path, device="cpu").render(time_scale=2).data, expected)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "i2", ">u2", "u4", "f2", "f4", ">f4", "f8", "?", "i8"]
)
def test_frames_keep_their_number_type(dtype, tmp_path):
    volume = recording(dtype)
    off = {"motion": {"enabled": False}, "latents": {"enabled": False}}
    field = fit(volume, config=off, device="cpu")
    again = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    assert again.volume.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(again.volume.data, volume.data)
    kept = again.render(time_scale=2, keep_acquired=True, dtype="source").data
    assert np.array_equal(kept[::2], volume.data)


@pytest.mark.parametrize("off", [(), ("motion",), ("latents",), ("motion", "latents")])
def test_parts_that_are_not_there_stay_away(off, tmp_path):
    config = {**LEAST, **{name: {"enabled": False} for name in off}}
    field = fit(recording(), config=config, device="cpu")
    again = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    assert (again.network.motion is None) == ("motion" in off)
    assert (again.network.latents is None) == ("latents" in off)
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)


def test_the_safetensors_library_reads_it(field, tmp_path):
    path = field.save(tmp_path / "a.safetensors")
    weights = {
        f"{p}.{k}": v
        for p, part in field.network.parts.items()
        for k, v in part.state_dict().items()
    }
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == {*weights, "frames"}
        for name, value in weights.items():
            assert torch.equal(file.get_tensor(name), value)
        assert np.array_equal(file.get_tensor("frames").numpy(), field.volume.data)
        assert json.loads(file.metadata()["spatimeinr"])["format"] == checkpoint.FORMAT


def test_the_header_alone(field, tmp_path):
    header = checkpoint.read_header(field.save(tmp_path / "a.spatimeinr"))
    assert header["grid"]["shape"] == [3, 4, 9, 10]
    assert header["units"] == ["min", "nm"]
    assert header["provenance"]["seed"] == 0
    assert json.loads(json.dumps({**field.describe(), "format": checkpoint.FORMAT})) == header


# -- broken files ----------------------------------------------------------------------------


def refused(path, said: str = "") -> str:
    with pytest.raises(FormatError) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert said in text
    return text


def test_truncated_anywhere(saved, tmp_path):
    path = tmp_path / "cut.spatimeinr"
    length = struct.unpack("<Q", saved[:8])[0]
    places = {
        0,
        1,
        7,
        8,
        9,
        20,
        length // 2,
        8 + length - 1,
        8 + length,
        8 + length + 1,
        len(saved) // 2,
        len(saved) - 1,
    }
    for n in sorted(places):
        path.write_bytes(saved[:n])
        refused(path, str(path))
    path.write_bytes(saved[:-1])
    refused(path, "damaged or truncated")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"hello" * 50,
        b"\xff" * 64,
        b"{}" + b" " * 30,
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 2**63) + b"{}",
        b"\x89HDF\r\n\x1a\n" + b"\0" * 99,
    ],
)
def test_garbage(content, tmp_path):
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(content)
    refused(path, "not a SpatimeINR model")


def test_other_safetensors_are_no_models(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path)
    refused(path, "not a SpatimeINR model")
    save_file({"a": np.zeros(3, np.float32)}, path, metadata={"spatimeinr": "{}"})
    refused(path, "not a SpatimeINR model")


def test_a_newer_format_says_so(saved, tmp_path):
    path = tmp_path / "new.spatimeinr"
    path.write_bytes(
        rewritten(saved, lambda header, _: header.update(format=checkpoint.FORMAT + 1))
    )
    refused(path, "newer version")


class Bomb:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "x.spatimeinr"
    path.write_bytes(pickle.dumps(Bomb(trace)))
    refused(path)
    torch.save({"state": Bomb(trace)}, path)
    refused(path)
    assert not trace.exists()


def test_folders_and_missing_files(tmp_path):
    refused(tmp_path, "folder")
    refused(tmp_path / "none.spatimeinr", "no file")


@pytest.mark.parametrize(
    "change",
    [
        lambda h, e: h.pop("grid"),
        lambda h, e: h["grid"].update(spacing=[1, 0, 1, 1]),
        lambda h, e: h["grid"].update(spacing=[1, 1]),
        lambda h, e: h["grid"].update(spacing="abcd"),
        lambda h, e: h.update(units=[]),
        lambda h, e: h.update(units=["s", 3]),
        lambda h, e: h.update(units=["s", ""]),
        lambda h, e: h.update(units="us"),
        lambda h, e: h.update(orientation=[1, 2]),
        lambda h, e: h.update(metadata=3),
        lambda h, e: h.update(provenance=3),
        lambda h, e: h.update(normalisation={}),
        lambda h, e: h["normalisation"].update(gains=[1.0]),
        lambda h, e: h["normalisation"].update(gains=3),
        lambda h, e: h["normalisation"].update(scale=0),
        lambda h, e: h["normalisation"].update(scale=None),
        lambda h, e: h.update(config={"motion": {"nodes": 3}}),
        lambda h, e: h.update(config=7),
        lambda h, e: h["config"]["latents"].update(channels=5),
        lambda h, e: h["config"]["latents"].update(layers=3),
        lambda h, e: h.update(interpolation="quintic"),
        lambda h, e: h.update(interpolation=None),
        lambda h, e: h.update(parts=3),
        lambda h, e: h.update(parts={"planes": 7}),
        lambda h, e: h.update(parts={"planes": {"factor": 2}}),
        lambda h, e: h.update(parts={"voxels": {"factor": 2}}),
        lambda h, e: h.update(format="one"),
        lambda h, e: h.update(format=None),
        lambda h, e: e.pop("frames"),
        lambda h, e: e["frames"].update(shape=[3, 4, 90]),
        lambda h, e: e["frames"].update(shape=[0, 4, 9, 10], data_offsets=[0, 0]),
        lambda h, e: e["frames"].update(dtype="F128"),
        lambda h, e: e["frames"].update(data_offsets=[5]),
        lambda h, e: e["frames"].update(data_offsets=[-720, 1440]),
        lambda h, e: e["frames"].update(shape=[-3, -4, 9, 10]),
        lambda h, e: e["motion.nodes"].update(
            shape=[e["motion.nodes"]["shape"][0], int(np.prod(e["motion.nodes"]["shape"][1:]))]
        ),
        lambda h, e: e.pop("motion.nodes"),
        lambda h, e: e.pop("motion.times"),
        lambda h, e: e.pop("latents.decoder.layers.0.weight"),
    ],
)
def test_headers_that_contradict_themselves(saved, change, tmp_path):
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(rewritten(saved, change))
    refused(path, str(path))


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1), value=st.integers(0, 255))
def test_a_flipped_byte_in_the_header_never_ends_in_another_error(model, tmp_path, place, value):
    saved = model.content
    length = struct.unpack("<Q", saved[:8])[0]
    broken = bytearray(saved)
    broken[int(place * (8 + length - 1))] = value
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(broken)
    try:
        again = load(path, device="cpu")
    except SpatimeINRError as error:
        assert isinstance(error, FormatError)
        assert "\n" not in str(error)
    else:
        assert again.grid.shape[0] == again.volume.data.shape[0]


def same(one, other) -> bool:
    """Whether two readings of a model are the same."""
    (header, weights, frames), (header2, weights2, frames2) = one, other
    arrays = [(weights[k], weights2.get(k)) for k in weights] + [(frames[...], frames2[...])]
    equal = (
        b is not None and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in arrays
    )
    return header == header2 and list(weights) == list(weights2) and all(equal)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [True, False])
def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(saved, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(checkpoint, "VERIFIED_AT_ONCE", 10**9 if at_once else 0)
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved)
    whole = checkpoint.read(path)
    told = 0
    places = range(0, len(saved), 5 if at_once else 23)
    for n in places:
        broken = bytearray(saved)
        broken[n] ^= 1 << n % 8
        path.write_bytes(broken)
        try:
            assert same(whole, checkpoint.read(path)), (
                f"byte {n} of {len(saved)} changed the model unseen"
            )
        except FormatError as error:
            assert "\n" not in str(error)
            assert str(path) in str(error)
            told += 1
    assert told > 0.95 * len(places)  # blanks after the header, and the like, may change


def test_a_damaged_frame_is_told_when_it_is_first_read(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "VERIFIED_AT_ONCE", 0)
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved[:-1] + bytes([saved[-1] ^ 1]))
    field = load(path, device="cpu")
    assert field.volume.data[1, 2, 3, 4] == recording().data[1, 2, 3, 4]
    with pytest.raises(FormatError, match="Frame 2 in the model"):
        field.volume.data[2, 0, 0, 0]
    with pytest.raises(FormatError, match="Frame 2 in the model"):
        field.render(time_scale=2)


def test_edited_units_are_told(saved, tmp_path):
    path = tmp_path / "x.spatimeinr"
    edited = saved.replace(b'\\"min\\", \\"nm\\"', b'\\"min\\", \\"um\\"')
    assert edited != saved
    assert len(edited) == len(saved)
    path.write_bytes(edited)
    refused(path, "damaged")


def test_models_of_earlier_versions_have_no_sums_and_open(field, saved, tmp_path):
    path = tmp_path / "old.spatimeinr"
    path.write_bytes(rewritten(saved, lambda header, entries: None))
    again = load(path, device="cpu")
    assert again.volume.data.sums is None
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)


TRUNCATED = """
import os, sys
from napari_spatimeinr import load
from napari_spatimeinr.errors import FormatError
lazy = load(sys.argv[1], device="cpu").lazy(time_scale=2)
lazy[0, 0]
os.truncate(sys.argv[1], 1000)
try:
    lazy[3]
except FormatError as error:
    assert "\\n" not in str(error)
    print("said:", error)
"""


@pytest.mark.slow
def test_a_model_truncated_while_it_is_rendered_is_one_sentence(saved, tmp_path):
    path = tmp_path / "x.spatimeinr"
    path.write_bytes(saved)
    done = subprocess.run(
        [sys.executable, "-c", TRUNCATED, str(path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert "said:" in done.stdout
    assert "open it again" in done.stdout


# -- saving that fails -------------------------------------------------------------------------


class Failing:
    """A recording whose disk breaks while frame 1 is read."""

    def __init__(self, data: np.ndarray, error: BaseException) -> None:
        self._data, self._error = data, error
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.broken = False

    def __getitem__(self, key):
        k = key[0] if isinstance(key, tuple) else key
        if self.broken and k == 1:
            raise self._error
        return self._data[key]


@pytest.mark.parametrize(
    "error", [OSError("gone"), KeyboardInterrupt(), MemoryError(), ValueError("x")]
)
def test_a_failed_save_leaves_the_old_file_and_nothing_else(error, tmp_path):
    base = recording()
    data = Failing(base.data, error)
    field = fit(
        Volume(data, base.spacing),
        config={"motion": {"enabled": False}, "latents": {"enabled": False}},
        device="cpu",
    )
    path = tmp_path / "a.spatimeinr"
    path.write_bytes(b"old")
    data.broken = True
    with pytest.raises(SaveError if isinstance(error, OSError) else type(error)):
        field.save(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]
    data.broken = False
    field.save(path)
    assert load(path).grid.shape == (3, 4, 9, 10)
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(field, tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "a.spatimeinr"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(SaveError, match="full"):
            field.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.spatimeinr"]


def test_places_that_cannot_be_written(field, tmp_path):
    with pytest.raises(SaveError, match="does not exist"):
        field.save(tmp_path / "no" / "a.spatimeinr")
    with pytest.raises(SaveError, match="folder"):
        field.save(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(SaveError, match="not a folder"):
        field.save(tmp_path / "file" / "a.spatimeinr")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
