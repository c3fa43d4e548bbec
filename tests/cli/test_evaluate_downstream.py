"""``spatimeinr evaluate --downstream``, ``--labels``, ``--points``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import here, refused
from fits import arguments
from napari_spatimeinr import Volume, phantom

FAST = (
    *arguments("motion.enabled=false", "latents.enabled=false", "planes.enabled=false"),
    "--baselines",
    "linear",
)
SHAPE = (4, 6, 16, 16)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A recording, its labels, and its nuclei in both kinds of csv."""
    folder = tmp_path_factory.mktemp("annotated")
    volume, truth = phantom(SHAPE, kind="nuclei", seed=1)
    z, y, x = (volume.grid.coordinates(axis) for axis in (1, 2, 3))
    labels = np.stack(
        [
            truth.labels(float(t), z[:, None, None], y[:, None], x)
            for t in volume.grid.coordinates(0)
        ]
    )
    points = np.concatenate(
        [
            np.column_stack(
                [np.full(truth.cells.inside.sum(), t), truth.centres(float(t))[truth.cells.inside]]
            )
            for t in volume.grid.coordinates(0)
        ]
    )
    np.savetxt(folder / "units.csv", points, delimiter=",", header="t,z,y,x", comments="")
    index = volume.grid.to_index(points)
    np.savetxt(
        folder / "napari.csv",
        np.column_stack([np.arange(len(index)), index]),
        delimiter=",",
        header="index,axis-0,axis-1,axis-2,axis-3",
        comments="",
    )
    return {
        "recording": volume.save(folder / "cells.nii.gz"),
        "labels": volume.like(labels, volume.grid).save(folder / "labels.nii.gz"),
        "units": folder / "units.csv",
        "napari": folder / "napari.csv",
    }


def test_labels_and_points_are_scored_at_frames_left_out(files: dict[str, Path]) -> None:
    how = ("evaluate", files["recording"], *FAST, "--json", "--labels", files["labels"])
    done = here(*how, "--points", files["units"])
    assert done.code == 0, done.err
    found = done.json["downstream"]
    assert set(found["labels"]) == {"copy", "flow", "spatimeinr"}
    assert 0 < found["labels"]["copy"]["iou"] < 1
    assert found["nuclei"]["recorded"]["recall"] > 0.5
    assert "in the recording's units" in done.err
    assert "labels at frames left out" in done.err
    again = here(*how, "--points", files["napari"])
    assert "in frames and voxels" in again.err
    assert again.json["downstream"] == found


def test_downstream_alone_compares_nuclei_with_the_recorded_frames(files: dict[str, Path]) -> None:
    done = here("evaluate", files["recording"], *FAST, "--downstream")
    assert done.code == 0, done.err
    assert "nuclei found in frames left out" in done.out
    assert "those found in the recorded frames" in done.out


def test_along_z_labels_are_compared_with_cells(files: dict[str, Path]) -> None:
    done = here(
        "evaluate",
        files["recording"],
        *FAST,
        "--hold-out",
        "z",
        "--labels",
        files["labels"],
        "--json",
    )
    assert done.code == 0, done.err
    assert set(done.json["downstream"]["cells"]) == {"spatimeinr", "linear", "recorded"}


def test_wrong_use_of_annotations_is_2(files: dict[str, Path]) -> None:
    for wrong, words in (
        (("--points-in", "voxels"), "give that too"),
        (("--downstream", "--hold-out", "z"), "add --labels"),
        (("--labels", "a.nii", "--points", "a.csv", "--hold-out", "z"), "leave out --hold-out z"),
    ):
        refused(here("evaluate", files["recording"], *wrong), 2, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "columns t,z,y,x"),
        ("", "columns t,z,y,x"),
        ("t,z,y,x\n1,2,3,four\n", "something else than numbers"),
        ("t,z,y,x\n1,2,3\n", "something else than numbers"),
        ("t,z,y,x\n1e9,2,3,4\n", "No point lies in the recording"),
        (None, "cannot be read"),
    ],
)
def test_bad_points_are_1(
    files: dict[str, Path], tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "points.csv"
    if text is not None:
        path.write_text(text)
    done = here("evaluate", files["recording"], *FAST, "--quiet", "--points", path)
    refused(done, 1, words)


def test_labels_that_are_none_are_1(files: dict[str, Path], tmp_path: Path) -> None:
    how = ("evaluate", files["recording"], *FAST, "--quiet", "--labels")
    refused(here(*how, files["recording"]), 1, "holds no labels")
    other = Volume(np.ones((3, 6, 16, 16), np.int16)).save(tmp_path / "other.nii")
    refused(here(*how, other), 1, "4 x 6 x 16 x 16")
