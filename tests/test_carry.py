"""Labels and points carried through time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_spatimeinr import (
    Field,
    Volume,
    fit,
    phantom,
    propagate_labels,
    propagate_nearest_points,
    propagate_points,
    propagate_tracks,
)
from napari_spatimeinr.analysis.votes import Voter, voted
from napari_spatimeinr.errors import GridError, InputError

pytestmark = pytest.mark.usefixtures("one_thread")
MOTION = {
    "motion": {"steps": 40},
    "latents": {"enabled": False},
    "planes": {"enabled": False},
    "gate": False,
    "normalise_frames": False,
}


@pytest.fixture(scope="module")
def sliding() -> Field:
    """A textured scene that slides by 3 voxels along x per frame."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(np.arange(8), np.arange(24), np.arange(40), indexing="ij")
    bumps = [(*rng.uniform((0, 0, -10), (8, 24, 40)), rng.uniform(0.5, 1)) for _ in range(60)]
    frames = [
        sum(
            a * np.exp(-((z - c) ** 2 + (y - b) ** 2 + (x - d - 3 * k) ** 2) / 10)
            for c, b, d, a in bumps
        )
        for k in range(4)
    ]
    return fit(
        Volume(np.stack(frames).astype(np.float32), (10, 1, 0.5, 0.5), (0, 0, 5, 7)), "fast", MOTION
    )


def test_labels_slide_with_the_scene(sliding: Field) -> None:
    labels = np.zeros(sliding.grid.shape, np.uint16)
    labels[1, 2:6, 8:16, 12:20] = 7
    carried = propagate_labels(sliding, labels, [10.0, 15.0, 20.0])
    assert carried.dtype == labels.dtype
    assert np.array_equal(carried[0], labels[1])
    for n, shift in ((1, 1.5), (2, 3.0)):
        there = np.nonzero(carried[n])
        assert abs(there[2].mean() - (15.5 + shift)) < 0.6
        assert abs(there[1].mean() - 11.5) < 0.6
        assert 0.8 < len(there[0]) / np.count_nonzero(labels) < 1.25
    assert set(np.unique(carried)) == {0, 7}


def test_the_nearest_annotated_frame_is_taken(sliding: Field) -> None:
    labels = np.zeros(sliding.grid.shape, np.int32)
    labels[0], labels[3] = 1, 2
    carried = propagate_labels(sliding, labels, [0, 10, 14, 15, 16, 30])
    assert [int(np.unique(frame)[0]) for frame in carried] == [1, 1, 1, 1, 2, 2]
    assert np.unique(propagate_labels(sliding, labels, [16], annotated=[0])).tolist() == [1]


def test_points_move_as_the_scene_and_back(sliding: Field) -> None:
    points = np.array([[10, 4, 10, 14], [10, 3, 11, 15], [20, 4, 11, 15.5]], float)
    carried = propagate_points(sliding, points, 20.0)
    assert np.allclose(carried[:, 0], 20)
    assert np.allclose(carried[:2, 1:] - points[:2, 1:], (0, 0, 1.5), atol=0.25)
    assert np.allclose(carried[2], points[2])
    back = propagate_points(sliding, carried[:2], 10.0)
    assert np.allclose(back, points[:2], atol=0.05)


def test_points_appear_at_every_time_from_the_nearest_frame(sliding: Field) -> None:
    points = np.array([[10, 4, 10, 14], [20, 3, 11, 15], [10, 2, 9, 13]], float)
    carried, rows = propagate_nearest_points(sliding, points, [10, 14, 15, 16])
    assert rows.tolist() == [0, 2, 0, 2, 0, 2, 1]
    assert carried[:, 0].tolist() == [10, 10, 14, 14, 15, 15, 16]
    assert np.allclose(carried[:2], points[[0, 2]])
    assert np.allclose(carried[4] - points[0], (5, 0, 0, 0.75), atol=0.25)
    none, rows = propagate_nearest_points(sliding, np.empty((0, 4)), [10, 14])
    assert none.shape == (0, 4)
    assert rows.shape == (0,)


def test_tracks_get_vertices_between_their_own(sliding: Field) -> None:
    # One track along the motion, given backwards; one that is tracked in frames 0 and 2 alone; one
    # of a single vertex.
    tracks = np.array(
        [
            [7, 20, 4, 10, 17],
            [7, 10, 4, 10, 15.5],
            [7, 0, 4, 10, 14],
            [2, 0, 3, 12, 13],
            [2, 20, 3, 12, 16.2],
            [9, 10, 4, 9, 14],
        ]
    )
    out = propagate_tracks(sliding, tracks, [0, 5, 10, 15, 20, 25])
    assert out[:, :2].tolist() == [
        *([2, t] for t in (0, 5, 10, 15, 20)),
        *([7, t] for t in (0, 5, 10, 15, 20)),
        [9, 10],
    ]
    assert np.allclose(out[5:10:2], tracks[[2, 1, 0]])
    assert np.allclose(out[10], tracks[5])
    assert np.allclose(out[5:10, 4], [14, 14.75, 15.5, 16.25, 17], atol=0.25)
    assert np.allclose(out[:5, 4], [13, 13.8, 14.6, 15.4, 16.2], atol=0.25)
    assert propagate_tracks(sliding, tracks[:0], [5]).shape == (0, 5)
    with pytest.raises(GridError, match=r"\(N, 5\)"):
        propagate_tracks(sliding, tracks[:, :4], [5])
    with pytest.raises(GridError, match="finite"):
        propagate_tracks(sliding, [[1, 0, np.nan, 0, 0]], [5])


def test_where_nothing_moves_labels_and_points_stay() -> None:
    still = fit(Volume(np.ones((3, 4, 6, 6), np.float32)), "fast")
    labels = np.random.default_rng(0).integers(0, 5, (3, 4, 6, 6))
    assert np.array_equal(propagate_labels(still, labels, [0.4, 1.0, 1.6]), labels[[0, 1, 2]])
    assert propagate_points(still, [[0, 1, 2, 3]], 2).tolist() == [[2, 1, 2, 3]]
    assert propagate_points(still, np.empty((0, 4)), 1).shape == (0, 4)


@pytest.mark.slow
def test_cells_of_the_phantom_are_carried_better_than_by_standing_still() -> None:
    volume, truth = phantom((5, 16, 48, 48), motion=4.5, seed=1)
    field = fit(volume, "fast", MOTION)
    grid = volume.grid
    places = (grid.coordinates(1)[:, None, None], grid.coordinates(2)[:, None], grid.coordinates(3))
    labels = np.stack([truth.labels(float(t), *places) for t in grid.coordinates(0)])
    middle = [float(t) for t in grid.coordinates(0)[:-1] + grid.spacing[0] / 2]
    true = np.stack([truth.labels(t, *places) for t in middle])
    carried = propagate_labels(field, labels, middle)
    wrong, wrong_still = (float(np.mean(guess != true)) for guess in (carried, labels[:-1]))
    assert wrong < 0.4 * wrong_still


def test_labels_that_another_frame_has_not_are_carried_as_if_it_were_not_annotated(
    sliding: Field,
) -> None:
    labels = np.zeros(sliding.grid.shape, np.int32)
    labels[1, 2:6, 8:16, 12:20] = 7
    alone = propagate_labels(sliding, labels, [14])
    labels[2, :, :, 30:] = 4
    assert np.array_equal(propagate_labels(sliding, labels, [14]), alone)


@given(hnp.arrays(np.int32, (3, 4, 5), elements=st.integers(0, 3)))
def test_on_voxels_labels_are_those_of_the_voxels(frame: np.ndarray) -> None:
    ends = np.stack(np.meshgrid(*map(np.arange, frame.shape), indexing="ij"), -1)
    near = Voter(frame, ends.reshape(-1, 3).astype(np.float32), 1.0)
    assert np.array_equal(voted(near, None), frame.ravel())
    assert np.array_equal(voted(near, near._replace(weight=0.5)), frame.ravel())


@given(
    hnp.arrays(np.int32, (3, 4, 5), elements=st.integers(0, 3)),
    hnp.arrays(np.float32, (20, 3), elements=st.floats(-3, 8, width=32)),
    st.floats(0, 1),
)
def test_a_label_is_one_of_those_around_a_point(
    frame: np.ndarray, ends: np.ndarray, weight: float
) -> None:
    far = Voter(frame[::-1], ends[::-1], 1 - weight)
    for end, label in zip(ends, voted(Voter(frame, ends, weight), far), strict=True):
        low = [
            np.clip(np.floor(v), 0, n - 1).astype(int)
            for v, n in zip(end, frame.shape, strict=True)
        ]
        high = [
            np.clip(np.floor(v) + 1, 0, n - 1).astype(int)
            for v, n in zip(end, frame.shape, strict=True)
        ]
        box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
        assert label in frame[box]


def test_what_does_not_fit_is_told(sliding: Field) -> None:
    labels = np.zeros(sliding.grid.shape, np.int32)
    with pytest.raises(InputError, match="No frame carries labels"):
        propagate_labels(sliding, labels, [10])
    with pytest.raises(InputError, match="No frame carries labels"):
        propagate_labels(sliding, labels, [10], annotated=[9])
    with pytest.raises(InputError, match="4 x 8 x 24 x 40"):
        propagate_labels(sliding, labels[:2], [10])
    with pytest.raises(InputError, match="whole numbers"):
        propagate_labels(sliding, labels + 0.5, [10])
    with pytest.raises(GridError, match="0 to 30"):
        propagate_labels(sliding, labels + 1, [31])
    with pytest.raises(GridError, match="within the recording"):
        propagate_points(sliding, [[0, 1, 1, 1]], np.nan)
    with pytest.raises(GridError, match=r"\(N, 4\)"):
        propagate_points(sliding, [[1, 1, 1]], 10)
