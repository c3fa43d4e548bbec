"""``spatimeinr phantom``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from commands import here, refused
from napari_spatimeinr import Volume, phantom
from napari_spatimeinr.cli.phantom import KINDS as NAMED
from napari_spatimeinr.phantoms import KINDS


def test_phantom_writes_the_recording_its_truth_and_its_labels(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.nii" for name in ("recording", "truth", "labels")]
    done = here(
        *("phantom", "-o", files[0], "--kind", "tumbling", "--shape", "3,4,12,12", "--seed", 2),
        *("--truth", files[1], "--labels", files[2], "--time-scale", 2, "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["files"] == [str(file) for file in files]
    volume, truth = phantom((3, 4, 12, 12), kind="tumbling", seed=2)
    recording, exact, labels = (Volume.open(file) for file in files)
    np.testing.assert_allclose(recording.data, volume.data, atol=1e-6)
    assert exact.shape == labels.shape == (5, 4, 12, 12)
    np.testing.assert_allclose(exact.data[1], truth.frame(30.0, volume.grid), atol=1e-6)
    places = np.meshgrid(*(volume.grid.coordinates(a) for a in (1, 2, 3)), indexing="ij")
    np.testing.assert_array_equal(labels.data[3], truth.labels(90.0, *places))


def test_the_truth_of_uneven_frames_lies_between_them(tmp_path: Path) -> None:
    files = [tmp_path / "recording.nii", tmp_path / "truth.nii"]
    done = here(
        *("phantom", "-o", files[0], "--kind", "uneven", "--shape", "4,4,12,12", "--seed", 1),
        *("--truth", files[1], "--time-scale", 2),
    )
    assert done.code == 0, done.err
    recording, exact = (Volume.open(file) for file in files)
    assert exact.grid.coordinates(0)[::2].tolist() == list(recording.grid.times)


def test_phantom_of_an_unknown_kind_is_1(tmp_path: Path) -> None:
    refused(here("phantom", "-o", tmp_path / "a.nii", "--kind", "cubes"), 1, "tumbling")


def test_the_help_names_every_kind() -> None:
    assert f"{NAMED} or filaments".replace(" or ", ", ").split(", ") == list(KINDS)
