"""``fit --link``, and where a model's recording is now: ``--source``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from commands import here, refused
from fits import QUICK
from linked_models import recording, voxels
from napari_spatimeinr import Volume, load

SMALL = 3, 4, 12, 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, and a model of a part of it that refers to it."""
    folder = tmp_path_factory.mktemp("linked")
    path = recording(folder / "data", "a.nii", voxels(shape=SMALL))
    how = "--spacing", "3,2,1,1", "--roi", ":,:,1:12,:"
    done = here("fit", path, "-o", folder / "m.spatimeinr", "--link", *how, *QUICK, "--json")
    assert done.code == 0, done.err
    assert done.json["recording"] == str(path)
    assert f"needs the frames of {path}" in done.err
    assert load(folder / "m.spatimeinr").recording == path
    return folder


@pytest.fixture
def moved(folder: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of the model, and one of its recording where nothing says it is."""
    model = tmp_path / "m.spatimeinr"
    model.write_bytes((folder / "m.spatimeinr").read_bytes())
    (tmp_path / "new").mkdir()
    (folder / "data" / "a.nii").rename(tmp_path / "new" / "b.nii")
    yield model, tmp_path / "new" / "b.nii"
    (tmp_path / "new" / "b.nii").rename(folder / "data" / "a.nii")


@pytest.mark.slow
def test_a_linked_model_is_told_of_and_rendered(folder: Path, tmp_path: Path) -> None:
    model, path = folder / "m.spatimeinr", folder / "data" / "a.nii"
    facts = here("info", model, "--json").json
    assert (facts["recording"], facts["recording_missing"]) == (str(path), None)
    assert facts["spacing"] == [3, 2, 1, 1]
    assert str(path) in here("info", model).out
    out = tmp_path / "out.nii"
    done = here("render", model, "-o", out, "--dtype", "source", "--keep-acquired")
    assert done.code == 0, done.err
    assert np.array_equal(Volume.open(out).data, voxels(shape=SMALL)[:, :, 1:12])
    refused(here("render", model, "-o", path), 2, "read from and cannot be written to")
    refused(here("render", model, "-o", out, "--trust", path), 2, "cannot be written to")
    assert np.array_equal(Volume.open(path).data, voxels(shape=SMALL))


@pytest.mark.slow
def test_a_recording_that_moved_is_told_and_mended(
    moved: tuple[Path, Path], tmp_path: Path
) -> None:
    model, path = moved
    out = tmp_path / "out.nii"
    refused(here("render", model, "-o", out), 1, "moved, renamed or deleted", "--source PATH")
    told = here("info", model, "--json")
    assert told.code == 0
    assert "moved, renamed or deleted" in told.json["recording_missing"]
    assert here("render", model, "-o", out, "--source", path).code == 0
    assert here("info", model, "--source", path, "--json").json["recording"] == str(path)
    refused(here("render", model, "-o", out), 1, "moved, renamed or deleted")
    assert here("info", model, "--source", path, "--mend").code == 0
    assert here("render", model, "-o", out).code == 0
    other = recording(tmp_path / "other", "a.nii", voxels(1, SMALL))
    for command in (("info", model), ("render", model, "-o", out)):
        refused(here(*command, "--source", other), 1, "its voxels are others", str(other))


@pytest.mark.slow
def test_a_link_that_cannot_be_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "data" / "a.nii"
    refused(here("info", path, "--source", path), 2, "is no model")
    refused(here("info", folder / "m.spatimeinr", "--mend"), 2, "--source PATH")
    model = tmp_path / "e.spatimeinr"
    done = here("fit", path, "-o", model, "--embed", *QUICK, "--json")
    assert done.json["recording"] is None
    refused(here("info", model, "--source", path), 2, "holds its frames")
    refused(here("render", model, "-o", tmp_path / "o.nii", "--source", path), 1, "holds its")
