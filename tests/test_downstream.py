"""Labels, nuclei and cells of what was predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fits import INTERPOLATION, OFF
from napari_spatimeinr import Volume, phantom
from napari_spatimeinr.analysis.downstream import downstream
from napari_spatimeinr.analysis.nuclei import Finder, compared, finder
from napari_spatimeinr.analysis.segment import agreement, best_overlap, has_bright_borders, overlap
from napari_spatimeinr.errors import InputError
from napari_spatimeinr.phantoms import Truth

pytestmark = pytest.mark.usefixtures("one_thread")
LABELS = hnp.arrays(np.int32, (3, 4, 5), elements=st.integers(0, 4))
MOTION = {"motion": {"steps": 40}, "latents": OFF, "planes": OFF}


def true_labels(truth: Truth, volume: Volume) -> np.ndarray:
    z, y, x = (volume.grid.coordinates(axis) for axis in (1, 2, 3))
    times = volume.grid.coordinates(0)
    return np.stack([truth.labels(float(t), z[:, None, None], y[:, None], x) for t in times])


def true_points(truth: Truth, volume: Volume) -> np.ndarray:
    rows = []
    for t in volume.grid.coordinates(0):
        centres = truth.centres(float(t))[truth.cells.inside]
        rows.append(np.column_stack([np.full(len(centres), t), centres]))
    return np.concatenate(rows)


@given(LABELS, LABELS)
def test_agreement_is_what_sets_of_voxels_say(guess: np.ndarray, true: np.ndarray) -> None:
    found = agreement(guess, true)
    shares = []
    for label in set(true.ravel().tolist()) - {0}:
        a, b = guess == label, true == label
        shares.append((a & b).sum() / (a | b).sum())
    assert found["wrong"] == pytest.approx((guess != true).mean())
    np.testing.assert_allclose(found["iou"], np.mean(shares) if shares else np.nan)


@given(LABELS, st.permutations(range(1, 9)))
def test_overlap_of_cells_does_not_depend_on_their_numbers(
    true: np.ndarray, numbers: list[int]
) -> None:
    renamed = np.array([0, *numbers])[true]
    if true.any():
        assert overlap(renamed, true) == pytest.approx(1)
        assert overlap(np.zeros_like(true), true) == 0
    else:
        assert np.isnan(overlap(renamed, true))


def test_points_pair_as_closely_as_they_can() -> None:
    true = {0: np.array([[0.0, 0, 0], [0, 0, 4], [0, 0, 8]])}
    found = {0: np.array([[0.0, 0, 1], [0, 0, 3.5], [0, 0, 20], [0, 0, 30]])}
    row = compared(found, true)
    assert row["precision"] == 2 / 4
    assert row["recall"] == 2 / 3
    assert row["distance"] == pytest.approx(0.75)
    nothing = compared({0: np.empty((0, 3))}, true)
    assert nothing["recall"] == 0
    assert np.isnan(nothing["distance"])
    assert np.isnan(nothing["precision"])


@pytest.mark.parametrize("known", [True, False])
def test_bright_spots_are_found_where_they_are(known: bool) -> None:
    spacing = (1.0, 0.5, 0.5)
    places = np.array([[4.0, 5, 5], [8, 12, 6], [5, 6, 14], [11, 13, 13]])
    z, y, x = (
        np.arange(n).reshape(shape) * s
        for n, shape, s in zip((16, 36, 40), ((-1, 1, 1), (-1, 1), (-1,)), spacing, strict=True)
    )
    frame = np.sum(
        [np.exp(-((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) / 2) for a, b, c in places], 0
    ) + np.random.default_rng(0).normal(0, 0.02, (16, 36, 40))
    find = finder({0: frame}, spacing, {0: places} if known else None)
    assert isinstance(find, Finder)
    row = compared({0: find(frame)}, {0: places})
    assert row["precision"] == row["recall"] == 1
    assert row["distance"] < 0.3


def test_a_watershed_finds_the_cells_of_a_sharp_phantom() -> None:
    volume, truth = phantom((1, 24, 48, 48), photons=0, read=0, psf=(0.2, 0.2, 0.2))
    labels = true_labels(truth, volume)[0]
    frame = np.asarray(volume.data[0])
    assert has_bright_borders(frame, labels)
    assert not has_bright_borders(-frame, labels)
    assert best_overlap(frame, labels, volume.spacing[1:], True) > 0.8


@pytest.mark.slow
def test_labels_and_nuclei_of_a_phantom_are_better_than_copied_ones() -> None:
    volume, truth = phantom((7, 12, 40, 40), motion=3, kind="nuclei")
    labels, points = true_labels(truth, volume), true_points(truth, volume)
    report, found = downstream(
        volume, "time", 2, labels=labels, points=points, preset="fast", config=MOTION
    )
    assert set(report.methods) >= {"spatimeinr", "linear", "flow"}
    tables = found.tables
    assert set(tables["labels"]) == {"copy", "flow", "spatimeinr"}
    assert tables["labels"]["spatimeinr"]["wrong"] < 0.5 * tables["labels"]["copy"]["wrong"]
    assert tables["labels"]["spatimeinr"]["iou"] > tables["labels"]["copy"]["iou"]
    assert tables["labels"]["copy"] == {
        key: np.mean([agreement(labels[t - 1], labels[t])[key] for t in (1, 3, 5)])
        for key in ("iou", "wrong")
    }
    rows = tables["nuclei"]
    assert set(rows) >= {"copy", "spatimeinr", "linear", "flow", "recorded"}
    assert rows["spatimeinr"]["distance"] < rows["copy"]["distance"]
    assert rows["spatimeinr"]["f1"] > 0.8
    assert "radius" in found.said[0]
    assert "labels at frames left out" in found.table()


def test_cells_of_predicted_planes_are_compared_with_labels() -> None:
    volume, truth = phantom((1, 13, 32, 32), seed=1)
    labels = true_labels(truth, volume)
    _, found = downstream(
        volume, "z", 3, labels=labels, preset="fast", config=INTERPOLATION, baselines=("linear",)
    )
    rows = found.tables["cells"]
    assert set(rows) == {"spatimeinr", "linear", "recorded"}
    assert all(0 < row["iou"] <= 1 for row in rows.values())


def test_without_annotations_nuclei_are_those_of_the_recorded_frames() -> None:
    still = np.tile(phantom((1, 8, 24, 24), kind="nuclei", photons=0)[0].data, (3, 1, 1, 1))
    _, found = downstream(
        Volume(still, (60, 0.5, 0.25, 0.25)),
        preset="fast",
        config=INTERPOLATION,
        baselines=("linear",),
    )
    assert found.tables["nuclei"]["copy"]["f1"] == 1
    assert "those found in the recorded frames" in found.said[0]
    assert found.to_json()["nuclei"]["linear"]["distance"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"labels": np.zeros((3, 2, 4, 4), np.int32)}, "No labels to score"),
        ({"labels": np.zeros((3, 2, 4, 5), np.int32)}, "3 x 2 x 4 x 4"),
        ({"labels": np.ones((3, 2, 4, 4))}, "whole numbers"),
        ({"points": np.ones((5, 3))}, r"\(N, 4\)"),
        ({"points": [[0.0, 90, 90, 90]]}, "No point lies in the recording"),
        ({"points": [[1.0, 0, 0, 0]]}, "No points to score"),
        ({"hold_out": "z"}, "give them as well"),
    ],
)
def test_what_cannot_be_scored_is_told(how: dict[str, Any], words: str) -> None:
    volume = Volume(np.random.default_rng(0).random((3, 2, 4, 4)).astype(np.float32))
    if how.get("hold_out") == "z":
        volume = volume.like(
            np.zeros((1, 4, 4, 4), np.float32), Volume(np.zeros((1, 4, 4, 4))).grid
        )
    with pytest.raises(InputError, match=words):
        downstream(volume, preset="fast", config=INTERPOLATION, baselines=("linear",), **how)
