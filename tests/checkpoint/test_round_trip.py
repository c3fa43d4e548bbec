"""Model files: what they hold comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from fits import LEAST
from model_files import recording
from napari_spatimeinr import checkpoint, fit, load

pytestmark = pytest.mark.usefixtures("one_thread")


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
