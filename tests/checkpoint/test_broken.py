"""Files that are no models, or whose headers contradict themselves, are told in a sentence."""

from __future__ import annotations

import json
import pickle
import struct

import numpy as np
import pytest
import torch

from model_files import refused
from napari_spatimeinr import checkpoint, load

pytestmark = pytest.mark.usefixtures("one_thread")


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
        rewritten(saved, lambda header, _: header.update(format=checkpoint.LINKED + 1))
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


def test_models_of_earlier_versions_have_no_sums_and_open(field, saved, tmp_path):
    path = tmp_path / "old.spatimeinr"
    path.write_bytes(rewritten(saved, lambda header, entries: None))
    again = load(path, device="cpu")
    assert again.volume.data.sums is None
    assert np.array_equal(again.render(time_scale=2).data, field.render(time_scale=2).data)
