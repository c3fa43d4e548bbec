"""Fields and lazy renderings in other processes: by reference to the model's file, else by value;
tokens for dask.
"""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
import torch

from fits import LEAST
from napari_spatimeinr import Field, Volume, fit, load, phantom
from napari_spatimeinr.errors import FormatError
from other_packages import needed

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = {**LEAST, "planes": {**LEAST["planes"], "factor": 2}}
HOW = {"time_scale": 2, "scale_z": 1.5, "dtype": "source"}


@pytest.fixture(scope="module")
def field() -> Field:
    data = (phantom((3, 6, 9, 10), motion=1.0)[0].data * 90 + 20).clip(0, 127).astype("u2")
    return fit(
        Volume(
            data,
            (3.0, 1.0, 0.5, 0.5),
            (1.0, 2.0, 3.0, 4.0),
            ("s", "um"),
            metadata={"a": (1, np.eye(2))},
        ),
        config=CONFIG,
        device="cpu",
    )


@pytest.fixture(scope="module")
def whole(field) -> np.ndarray:
    return np.asarray(field.lazy(**HOW))


@pytest.fixture
def loaded(field, tmp_path) -> Field:
    unsaved = Field(
        field.volume,
        field.network,
        field.normalisation,
        field.config,
        field.device,
        "linear",
        field.provenance,
    )
    return load(unsaved.save(tmp_path / "a.spatimeinr"), device="cpu")


def test_a_saved_model_is_pickled_as_a_reference_and_any_other_by_value(field, loaded, whole):
    saved, fitted = pickle.dumps(loaded), pickle.dumps(field)
    assert len(saved) < 1000 < field.volume.data.nbytes < len(fitted)
    for text in (saved, fitted):
        assert np.array_equal(np.asarray(pickle.loads(text).lazy(**HOW)), whole)
    assert len(pickle.dumps(loaded.lazy(**HOW))) < 2000


def test_saving_makes_a_field_a_reference(field, whole, tmp_path):
    other = Field(
        field.volume,
        field.network,
        field.normalisation,
        field.config,
        field.device,
        "linear",
        field.provenance,
    )
    other.save(tmp_path / "b.spatimeinr")
    text = pickle.dumps(other.lazy(**HOW))
    assert len(text) < 2000
    assert np.array_equal(np.asarray(pickle.loads(text)), whole)


def test_a_changed_model_file_is_no_reference(loaded, whole, tmp_path):
    text = pickle.dumps(loaded)
    (tmp_path / "other").write_bytes(b"x" * 10)
    (tmp_path / "other").replace(tmp_path / "a.spatimeinr")
    assert np.array_equal(
        np.asarray(pickle.loads(pickle.dumps(loaded)).lazy(**HOW)), whole
    )  # what was opened is still there
    with pytest.raises(FormatError, match="gone or was changed"):
        pickle.loads(text)


def test_copies_and_unpickled_fields_are_fields_of_their_own(field, loaded, whole):
    text = pickle.dumps(loaded)
    for one, other in (
        (copy.deepcopy(loaded), copy.deepcopy(loaded)),
        (pickle.loads(text), pickle.loads(text)),
    ):
        assert one is not other
        one.provenance["chosen"]["motion"] = not loaded.provenance["chosen"]["motion"]
        one.volume.metadata["name"] = "changed"
        for kept in (other, loaded, pickle.loads(text)):
            assert kept.provenance == loaded.provenance != one.provenance
            assert "name" not in kept.volume.metadata
        assert np.array_equal(np.asarray(other.lazy(**HOW)), whole)
    with_weights = copy.deepcopy(loaded)
    with torch.no_grad():
        with_weights.network.latents.decoder.layers[-1].bias += 1
    assert np.array_equal(np.asarray(loaded.lazy(**HOW)), whole)


def test_what_is_changed_after_a_model_was_saved_or_loaded_is_pickled(field, loaded, tmp_path):
    saved = copy.deepcopy(field)
    saved.save(tmp_path / "b.spatimeinr")
    for model in (saved, loaded):
        assert len(pickle.dumps(model)) < 1000
        model.provenance["note"] = "later"
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert again.provenance["note"] == "later"
        del model.provenance["note"]
        assert len(pickle.dumps(model)) < 1000
        model.network.latents.decoder.layers[-1].bias.data[0] += 1
        again = pickle.loads(pickle.dumps(model))
        assert torch.equal(
            again.network.latents.decoder.layers[-1].bias,
            model.network.latents.decoder.layers[-1].bias,
        )


def test_equal_fits_have_one_token_however_long_they_took(field):
    provenance = field.provenance | {"seconds": 99.0, "peak_memory_bytes": 1, "threads": [7]}
    other = Field(
        field.volume,
        field.network,
        field.normalisation,
        field.config,
        field.device,
        "linear",
        provenance,
    )
    assert other.describe() != field.describe()
    assert other.__dask_tokenize__() == field.__dask_tokenize__()


@pytest.mark.parametrize("what", ["intensity", "disagreement"])
def test_renderings_are_the_same_after_pickling_and_copying(field, loaded, what):
    for source in (field, loaded):
        lazy = source.lazy(time_scale=2, what=what, roi=((0, 2), (1, 5), (0, 9), (2, 9)))
        expected = np.asarray(lazy)
        for again in (pickle.loads(pickle.dumps(lazy)), copy.deepcopy(lazy)):
            assert (again.shape, again.dtype, again.grid) == (lazy.shape, lazy.dtype, lazy.grid)
            assert np.array_equal(np.asarray(again), expected)
    kept = field.lazy(time_scale=2, dtype="source", keep_acquired=True)
    assert np.array_equal(pickle.loads(pickle.dumps(kept))[2], field.volume.data[1])


@pytest.mark.slow
def test_another_process_renders_the_same(loaded, field, whole):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for source in (loaded, field):
            assert np.array_equal(pool.apply(np.asarray, (source.lazy(**HOW),)), whole)


@pytest.mark.beside
def test_dask_tells_renderings_apart_by_model_grid_and_type(field, loaded):
    tokenize = needed("dask.base").tokenize
    lazy = field.lazy(**HOW)
    same = [
        field.lazy(**HOW),
        loaded.lazy(**HOW),
        pickle.loads(pickle.dumps(lazy)),
        pickle.loads(pickle.dumps(loaded)).lazy(**HOW),
    ]
    assert {tokenize(array) for array in same} == {tokenize(lazy)}
    network = field.network.copy()
    network.latents.decoder.layers[-1].bias.data[0] += 1e-3
    other_model = Field(
        field.volume,
        network,
        field.normalisation,
        field.config,
        field.device,
        "linear",
        field.provenance,
    )
    data = field.volume.data.copy()
    data[1, 2, 3, 4] += 1
    other_data = Field(
        field.volume.like(data, field.grid),
        field.network,
        field.normalisation,
        field.config,
        field.device,
    )
    others = [
        field.lazy(time_scale=2, scale_z=1.5),
        field.lazy(**HOW, roi=(None, (0, 5), None, None)),
        field.lazy(**HOW, what="disagreement"),
        field.lazy(**HOW | {"scale_z": 1}, keep_acquired=True),
        other_model.lazy(**HOW),
        other_data.lazy(**HOW),
        field.interpolated().lazy(**HOW),
    ]
    tokens = {tokenize(array) for array in [lazy, *others]}
    assert len(tokens) == 1 + len(others)


@pytest.mark.beside
@pytest.mark.slow
def test_dasks_process_scheduler_renders_the_same(loaded, whole):
    da = needed("dask.array")
    array = da.from_array(loaded.lazy(**HOW), chunks=(3, -1, -1, -1))
    out = array.compute(scheduler="processes", num_workers=1)
    assert np.array_equal(out, whole)
