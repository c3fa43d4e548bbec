"""The kinds of phantom: what each moves, and that its truth is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from napari_spatimeinr import Volume, phantom
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.errors import InputError
from napari_spatimeinr.phantoms import KINDS, SPACING
from napari_spatimeinr.phantoms.cells import Cells
from napari_spatimeinr.phantoms.embryo import embryo
from napari_spatimeinr.phantoms.pace import FASTEST

CLEAN = {"photons": 0, "read": 0.0, "background": 0}
SHAPE = (4, 8, 24, 24)
DT = SPACING[0]


def places(number: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random places in a phantom of ``SHAPE``, um."""
    rng = np.random.default_rng(0)
    size = np.asarray(SHAPE[1:]) * SPACING[1:]
    z, y, x = (rng.uniform(size=(number, 3)) * size).T
    return z, y, x


def cells_of(kind: str, motion: float, frames: int = 7, seed: int = 0) -> Cells:
    """Cells of a phantom of the usual size, of which nothing is drawn."""
    return embryo(Grid((frames, 32, 64, 64), SPACING), motion, KINDS[kind], 0.0, 0, seed).cells


def speeds(truth, frames: int, step: int = 2) -> np.ndarray:
    """Displacements of structure from frame to frame, voxels."""
    axes = [np.arange(0, n, step) * s for n, s in zip(SHAPE[1:], SPACING[1:], strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    found = []
    for k in range(frames - 1):
        on = truth.labels(k * DT, z, y, x) > 0
        moved = truth.displacement(k * DT, (k + 1) * DT, z, y, x)[on]
        found.append(np.linalg.norm(moved / np.asarray(SPACING[1:]), axis=-1))
    return np.concatenate(found)


@pytest.mark.parametrize("kind", ["membranes", "nuclei"])
def test_the_first_kinds_are_as_they_were(kind):
    """Values of the phantom before it had more kinds."""
    how = {"membranes": {}, "nuclei": {"divide": 3, "seed": 1}}[kind]
    data = phantom((4, 12, 32, 40), kind=kind, **how)[0].data
    mean, first, second = {
        "membranes": (0.23691474607032656, -0.01409666, -0.04610351),
        "nuclei": (0.0629813823890269, -0.01174102, -0.01488672),
    }[kind]
    assert data.mean(dtype=float) == pytest.approx(mean, rel=1e-6)
    np.testing.assert_allclose(data[0, 0, 0, :2], (first, second), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_velocities_are_the_slopes_of_trajectories(kind):
    _, truth = phantom(SHAPE, kind=kind, accelerate=0.1, seed=2)
    t, step = 85.0, 0.01
    z, y, x = places()
    ahead, behind = truth.trajectory(t, [t + step, t - step], z, y, x)
    velocity = truth.velocity(t, z, y, x)
    assert np.abs(velocity).max() > 1e-3
    np.testing.assert_allclose(velocity, (ahead - behind) / (2 * step), atol=1e-6)


def test_the_velocity_of_a_jump_is_the_slope_of_its_trajectory():
    _, truth = phantom(SHAPE, kind="jumping", seed=2)
    t = (truth.cells.course.jump_times[0] + 0.02) * DT
    z, y, x = places()
    ahead, behind = truth.trajectory(t, [t + 0.001, t - 0.001], z, y, x)
    velocity = truth.velocity(t, z, y, x)
    assert np.abs(velocity).max() > 0.1
    np.testing.assert_allclose(velocity, (ahead - behind) / 0.002, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_and_threads_are_carried_to_where_they_are_labelled(kind):
    """What a place belongs to is there again at the end of its trajectory."""
    _, truth = phantom(SHAPE, motion=2.0, kind=kind, seed=1)
    t0, t1 = 0.0, 2 * DT
    if KINDS[kind].looks == "filaments":
        at, _ = truth.structure.shares(np.stack(places(), -1), t0)
        ends = truth.centres(t0)[at[:, 0]]
        np.testing.assert_allclose(
            truth.displacement(t0, t1, *ends.T), (truth.centres(t1) - truth.centres(t0))[at[:, 0]]
        )
        assert (truth.labels(t1, *truth.centres(t1)[at[:, 0]].T) > 0).all()
        return
    seen = np.flatnonzero(truth.cells.inside & (truth.cells.bright(t0) > 0))
    seen = seen[truth.cells.bright(t1)[seen] > 0]
    centres = truth.centres(t0)[seen]
    np.testing.assert_array_equal(truth.labels(t0, *centres.T), seen + 1)
    moved = centres + truth.displacement(t0, t1, *centres.T)
    np.testing.assert_allclose(moved, truth.centres(t1)[seen], atol=1e-9)
    np.testing.assert_array_equal(truth.labels(t1, *moved.T), seen + 1)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(list(KINDS)),
    shape=st.tuples(*[st.integers(1, 5)] * 4),
    motion=st.floats(0, 30),
    seed=st.integers(0, 5),
)
def test_any_phantom_is_finite_within_bounds_and_seeded(kind, shape, motion, seed):
    volume, truth = phantom(shape, motion, kind, seed=seed, **CLEAN)
    assert volume.shape == shape
    for k, t in enumerate(volume.grid.coordinates(0)):
        np.testing.assert_array_equal(volume.data[k], truth.frame(float(t), volume.grid))
    assert np.isfinite(volume.data).all()
    assert (volume.data >= 0).all()
    course = truth.cells.course
    assert course is None or abs(course.rotation) <= FASTEST
    z, y, x = places(5)
    assert np.isfinite(truth.displacement(0.0, 200.0, z, y, x)).all()
    assert np.isfinite(truth.velocity(30.0, z, y, x)).all()
    again, _ = phantom(shape, motion, kind, seed=seed, **CLEAN)
    np.testing.assert_array_equal(volume.data, again.data)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jumping"])
def test_motion_is_the_percentile_it_says(kind):
    for motion in (2.0, 5.0):
        _, truth = phantom(SHAPE, motion=motion, kind=kind, photons=0)
        assert np.percentile(speeds(truth, 4), 95) == pytest.approx(motion, rel=0.35)


@pytest.mark.parametrize("kind", KINDS)
def test_without_motion_nothing_moves(kind):
    volume, truth = phantom(SHAPE, motion=0, kind=kind, **CLEAN)
    if not KINDS[kind].appear:
        np.testing.assert_allclose(volume.data[0], volume.data[-1], atol=1e-6)
    assert np.abs(truth.displacement(0.0, 200.0, *places())).max() < 1e-12


def test_a_rotating_body_keeps_its_distances_from_the_axis_but_for_its_swings():
    cells = cells_of("rotating", 8)
    course, inside = cells.course, cells.inside
    assert 0.2 < course.rotation <= FASTEST
    first, last = (cells.centres(t)[inside] - course.middle for t in (0.0, 2 * DT))
    radii = [np.linalg.norm(np.cross(arm, course.axis), axis=1) for arm in (first, last)]
    travelled = np.linalg.norm(last - first, axis=1)
    assert np.abs(radii[1] - radii[0]).mean() < 0.3 * travelled.mean()


@pytest.mark.parametrize("seed", range(3))
def test_the_fast_tumbling_phantom_turns_and_moves_as_unseen_data_did(seed):
    cells = cells_of("tumbling", 12, seed=seed)
    assert cells.course.rotation == pytest.approx(0.33, abs=0.06)
    moved = (cells.centres(2 * DT) - cells.centres(DT))[cells.inside] / SPACING[1:]
    assert np.median(np.linalg.norm(moved, axis=-1)) == pytest.approx(6.5, abs=1.5)


def test_sliding_cells_change_their_neighbours():
    def kept(kind: str) -> float:
        cells = cells_of(kind, 11)
        near = []
        for t in (0.0, 6 * DT):
            centres = cells.centres(t)[cells.inside]
            near.append(cKDTree(centres).query(centres, k=7)[1][:, 1:])
        return np.mean([len(set(a) & set(b)) / 6 for a, b in zip(*near, strict=True)])

    assert kept("sliding") < kept("rotating") - 0.15
    assert kept("tumbling") < kept("rotating") - 0.05


def test_a_stage_jumps_at_once_and_stays():
    _, truth = phantom((7, 8, 24, 24), motion=3, kind="jumping", seed=1)
    course = truth.cells.course
    assert len(course.jump_times) == 2
    for when, jump in zip(course.jump_times, course.jumps, strict=True):
        voxels = np.linalg.norm(jump / SPACING[1:])
        assert voxels == pytest.approx(6.0)
        moved = truth.displacement((when - 0.01) * DT, (when + 0.06) * DT, 2.0, 2.0, 2.0)
        assert np.linalg.norm(moved - jump) < 0.2 * np.linalg.norm(jump)


def test_structure_appears_and_vanishes():
    cells = cells_of("appearing", 4.5)
    first, last = (cells.bright(t)[cells.inside] for t in (0.0, 6 * DT))
    assert ((first == 0) & (last > 0)).any()
    assert ((first > 0) & (last == 0)).any()
    assert ((first > 0) & (last > 0)).any()


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 12])
def test_uneven_frames_are_two_thirds_of_a_recording(frames):
    volume, truth = phantom((frames, 4, 12, 12), kind="uneven", **CLEAN)
    times = volume.grid.coordinates(0)
    assert times[0] == 0
    if frames < 3:
        assert volume.grid.times is None
        return
    assert times[-1] == DT * (frames * 3 // 2 - 1)
    assert len(np.unique(np.diff(times))) > 1
    np.testing.assert_array_equal(np.asarray(times) % DT, 0)
    np.testing.assert_array_equal(volume.data[1], truth.frame(times[1], volume.grid))


def test_uneven_times_go_through_a_file(tmp_path):
    volume, _ = phantom((5, 4, 12, 12), kind="uneven")
    again = Volume.open(volume.save(tmp_path / "uneven.nii"))
    np.testing.assert_allclose(again.grid.coordinates(0), volume.grid.coordinates(0))


def test_a_blurred_thread_is_the_thread_blurred():
    """The closed formula against a filter, on a grid fine enough for one."""
    volume, truth = phantom((1, 4, 20, 20), kind="filaments", seed=3, **CLEAN)
    fine = volume.grid.refine(voxel=0.06)
    sharp, exact = (truth.frame(0.0, fine, psf=p) for p in (False, True))
    blurred = gaussian_filter(sharp, np.array([0.5, 0.2, 0.2]) / 0.06, mode="nearest", truncate=6)
    middle = tuple(slice(n // 3, n - n // 3) for n in exact.shape)
    assert exact[middle].max() > 0.1
    # The filter does not know what lies beyond its planes, so only the middle is compared.
    np.testing.assert_allclose(blurred[middle], exact[middle], atol=0.12 * exact[middle].max())


def test_an_unknown_kind_is_refused_by_naming_all():
    with pytest.raises(InputError, match="tumbling"):
        phantom(SHAPE, kind="cubes")
