"""Two methods beside each other: a Field holds one, files and pickles say which, ours knows of no
other.
"""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Field, Volume, checkpoint, fit, load
from napari_spatimeinr.errors import FormatError
from napari_spatimeinr.fitting import METHODS
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.published.method import PublishedMethod
from napari_spatimeinr.render.method import Aligned

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS: dict[str, dict[str, Any]] = {
    "published": {
        "max_iter": 2,
        "rcan_max_iter": 1,
        "n_samples": 2,
        "n_imps": 1,
        "len_lz": 28,
        "dataset": {"train": {"bsize": 32}},
        "rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4},
        "model": {"netD": 2, "netW": 16, "skips": [1], "max_freq": 3},
        "precision": "float32",
    },
    "balanced": {
        "latents": {"enabled": False},
        "motion": {"steps": 2, "points": 300},
        "precision": "float32",
    },
}
KINDS: dict[str, type] = {"published": PublishedMethod, "balanced": Aligned}


@pytest.fixture(scope="module")
def fitted(recording: Volume) -> dict[str, Field]:
    return {
        preset: fit(recording, preset, options, device="cpu") for preset, options in OPTIONS.items()
    }


@pytest.fixture(params=OPTIONS)
def preset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def picture(field: Field) -> np.ndarray[Any, Any]:
    return np.asarray(field.lazy(time_scale=2)[1, 2])


def earlier(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The model file with another header, as versions without sums wrote it."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    entries = json.loads(content[8 : 8 + length])
    del entries["__metadata__"][checkpoint.SUMS]
    header = json.loads(entries["__metadata__"][checkpoint.KEY])
    change(header)
    entries["__metadata__"][checkpoint.KEY] = json.dumps(header)
    text = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    return path


def test_each_fit_gives_a_field_of_its_method(fitted: dict[str, Field], preset: str) -> None:
    method = fitted[preset].method
    assert type(method) is KINDS[preset] is METHODS[method.name].method
    assert set(method.parts()) == set(method.PARTS)
    chosen = fitted[preset].provenance["chosen"]
    assert chosen["published"] is (preset == "published")
    assert {part for kind in METHODS.values() for part in kind.method.PARTS} <= set(chosen)


def test_load_finds_the_method_by_the_header(
    fitted: dict[str, Field], preset: str, tmp_path: Path
) -> None:
    path = fitted[preset].save(tmp_path / "m.spatimeinr")
    assert checkpoint.read_header(path)["method"] == KINDS[preset].name
    again = load(path, "cpu")
    assert type(again.method) is KINDS[preset]
    assert again.method.precision == fitted[preset].method.precision
    np.testing.assert_array_equal(picture(again), picture(fitted[preset]))


def test_headers_of_earlier_versions_name_no_method_and_open(
    fitted: dict[str, Field], preset: str, tmp_path: Path
) -> None:
    def former(header: dict[str, Any]) -> None:
        del header["method"]
        header["levels"] = header.pop("normalisation")

    again = load(earlier(fitted[preset].save(tmp_path / "m.spatimeinr"), former), "cpu")
    assert type(again.method) is KINDS[preset]
    np.testing.assert_array_equal(picture(again), picture(fitted[preset]))


@pytest.mark.parametrize("name", ["telepathy", 3, None])
def test_an_unknown_method_is_one_sentence(
    fitted: dict[str, Field], tmp_path: Path, name: Any
) -> None:
    path = fitted["balanced"].save(tmp_path / "m.spatimeinr")
    with pytest.raises(FormatError, match=f"does not know \\({name}\\); update"):
        load(earlier(path, lambda header: header.update(method=name)), "cpu")


def test_the_published_model_without_its_arrays_is_damaged(
    fitted: dict[str, Field], tmp_path: Path
) -> None:
    path = fitted["balanced"].save(tmp_path / "m.spatimeinr")
    with pytest.raises(FormatError, match="damaged"):
        load(earlier(path, lambda header: header.update(method="published")), "cpu")


AGAIN = """
import pickle, sys
import numpy as np
import torch
torch.set_num_threads(1)
for text in sys.argv[1:-1]:
    field = pickle.loads(open(text, "rb").read())
    assert "napari_spatimeinr.fitting" not in sys.modules
    print(type(field.method).__name__)
    np.save(sys.argv[-1], np.asarray(field.lazy(time_scale=2)[1, 2]))
"""


@pytest.mark.parametrize("saved", [True, False], ids=["as a reference", "by value"])
def test_a_pickled_field_comes_back_in_another_process(
    fitted: dict[str, Field], preset: str, tmp_path: Path, saved: bool
) -> None:
    field = fitted[preset]
    if saved:
        field = load(field.save(tmp_path / "m.spatimeinr"), "cpu")
    else:
        again = (field.volume, field.method, field.normalisation, field.config, field.device)
        field = Field(*again, field.interpolation, field.provenance)
    text = pickle.dumps(field)
    assert (len(text) < 1000) is saved
    (tmp_path / "field").write_bytes(text)
    arguments = [sys.executable, "-c", AGAIN, str(tmp_path / "field"), str(tmp_path / "out.npy")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [KINDS[preset].__name__]
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), picture(field))


def test_a_copy_is_independent(fitted: dict[str, Field], preset: str) -> None:
    method = fitted[preset].method
    copied = method.copy()
    assert type(copied) is type(method)
    assert list(copied.weights()) == list(method.weights())
    for name, array in copied.weights().items():
        np.testing.assert_array_equal(array, method.weights()[name])
        assert not np.shares_memory(array, method.weights()[name])


def test_a_network_knows_no_published_model(fitted: dict[str, Field]) -> None:
    assert not hasattr(Network(), "published")
    assert "published" not in fitted["balanced"].method.parts()
    code = (
        "import sys, napari_spatimeinr.render.method, napari_spatimeinr.field,"
        " napari_spatimeinr.training.stages;"
        " print(*[name for name in sys.modules if name.startswith('napari_spatimeinr.published')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_a_published_field_moves_nothing_and_shows_how_frames_disagree(
    fitted: dict[str, Field],
) -> None:
    field = fitted["published"]
    assert field.network.motion is None
    assert not field.motion(np.zeros((2, 3)), 0.0, 1.0).any()
    assert np.asarray(field.lazy(time_scale=2, what="disagreement")[1, 2]).max() > 0


def test_a_constant_recording_has_nothing_to_publish() -> None:
    field = fit(Volume(np.full((3, 4, 5, 6), 7.0)), "published", OPTIONS["published"], "cpu")
    assert isinstance(field.method, Aligned)
    assert not any(on is True for on in field.provenance["chosen"].values())
    assert np.asarray(field.lazy(time_scale=2)).tolist() == np.full((5, 4, 5, 6), 7.0).tolist()
