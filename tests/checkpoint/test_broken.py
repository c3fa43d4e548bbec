"""Model files that are broken are told or change nothing."""

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

from model_files import recording
from napari_spatimeinr import checkpoint, load
from napari_spatimeinr.errors import FormatError, SpatimeINRError

pytestmark = pytest.mark.usefixtures("one_thread")


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
