"""The phantom: what it promises about truth, motion, noise and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr import phantom
from napari_spatimeinr.errors import InputError
from napari_spatimeinr.phantoms import KINDS, SPACING

CLEAN = {"photons": 0, "read": 0.0, "background": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_clean_recording_is_the_truth(kind):
    volume, truth = phantom((3, 8, 20, 24), kind=kind, **CLEAN)
    assert volume.shape == (3, 8, 20, 24)
    assert volume.dtype == np.float32
    assert volume.spacing[1:] == SPACING[1:]
    assert volume.spacing[0] == (90 if kind == "uneven" else 60), "the median interval"
    assert volume.units == ("s", "um")
    t, z, y, x = (volume.grid.coordinates(axis) for axis in range(4))
    whole = truth(t[:, None, None, None], z[:, None, None], y[:, None], x)
    np.testing.assert_allclose(volume.data, whole, atol=1e-5)
    np.testing.assert_allclose(truth.frame(t[1], volume.grid), whole[1], atol=1e-6)
    assert 0.5 < whole.max() < 5
    assert whole.min() >= 0


def test_the_truth_broadcasts_and_lies_between_voxels():
    _, truth = phantom((2, 8, 16, 16), **CLEAN)
    assert truth(30.0, 1.1, 2.2, np.linspace(0, 3, 7)).shape == (7,)
    assert truth(np.array([0.0, 17.0])[:, None], 1.0, 2.0, np.zeros(3)).shape == (2, 3)
    step = truth(0.0, 2.0, 2.0, np.linspace(0, 4, 400))
    assert np.abs(np.diff(step)).max() < 0.2


@pytest.mark.parametrize("kind", ["membranes", "nuclei"])
def test_the_point_spread_function_blurs_and_keeps_the_light_of_nuclei(kind):
    volume, truth = phantom((1, 16, 40, 40), kind=kind, **CLEAN)
    sharp, blurred = (truth.frame(0.0, volume.grid, psf=p) for p in (False, True))
    assert np.abs(np.diff(sharp, axis=0)).mean() > np.abs(np.diff(blurred, axis=0)).mean()
    assert sharp.max() > blurred.max()
    if kind == "nuclei":
        assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.03)


def test_motion_is_the_percentile_it_says():
    for motion in (2.0, 9.0):
        volume, truth = phantom((4, 16, 40, 40), motion=motion, kind="nuclei", photons=0)
        z, y, x = np.meshgrid(*[volume.grid.coordinates(a)[::2] for a in (1, 2, 3)], indexing="ij")
        speeds = []
        for k in range(3):
            on = truth.labels(60.0 * k, z, y, x) > 0
            moved = truth.displacement(60.0 * k, 60.0 * (k + 1), z, y, x)[on] / np.array(
                SPACING[1:]
            )
            speeds.append(np.linalg.norm(moved, axis=-1))
        assert np.percentile(np.concatenate(speeds), 95) == pytest.approx(motion, rel=0.25)


def test_without_motion_nothing_moves():
    volume, truth = phantom((3, 6, 16, 16), motion=0, **CLEAN)
    assert np.array_equal(volume.data[0], volume.data[2])
    assert not truth.displacement(0.0, 100.0, 1.0, 2.0, 2.0).any()


def test_accelerating_cells_move_farther_later():
    def path(accelerate: float) -> float:
        _, truth = phantom((6, 8, 24, 24), motion=3, accelerate=accelerate, **CLEAN)
        first, last = (
            np.linalg.norm(truth.centres(b) - truth.centres(a))
            for a, b in ((0.0, 60.0), (240.0, 300.0))
        )
        return last / first

    assert path(0.5) != pytest.approx(path(0.0), rel=0.05)


def test_dividing_cells_add_cells():
    volume, truth = phantom((6, 12, 32, 32), kind="nuclei", divide=2, motion=1, **CLEAN)
    _, plain = phantom((6, 12, 32, 32), kind="nuclei", divide=0, motion=1, **CLEAN)
    assert len(truth.centres(0.0)) == len(plain.centres(0.0)) + 2
    mothers = [
        truth.cells.partner[i]
        for i in np.flatnonzero(truth.cells.partner != np.arange(len(truth.cells.partner)))
    ]
    apart = [
        np.linalg.norm(truth.centres(300.0)[-2 + n] - truth.centres(300.0)[m])
        for n, m in enumerate(mothers)
    ]
    assert min(apart) > 1.0
    assert np.isfinite(volume.data).all()


def test_the_seed_decides():
    one, two, other = (phantom((2, 6, 12, 12), seed=s)[0].data for s in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_noise_is_that_of_the_photons():
    volume, truth = phantom((1, 16, 64, 64), photons=100, background=10, read=0.02)
    clean = truth.frame(0.0, volume.grid)
    error = volume.data[0] - clean
    expected = (clean * 100 + 10) / 100**2 + 0.02**2
    assert np.mean(error**2) == pytest.approx(expected.mean(), rel=0.03)
    assert abs(error.mean()) < 0.002


def test_bleaching_dims_each_frame():
    volume, _ = phantom((4, 8, 24, 24), motion=0, bleach=0.2, **CLEAN)
    sums = volume.data.sum((1, 2, 3))
    np.testing.assert_allclose(sums[1:] / sums[:-1], 0.8, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 9, 9), (1, 4, 1, 7), (3, 2, 3, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_is_legal(shape, kind):
    volume, truth = phantom(shape, kind=kind)
    assert volume.shape == shape
    assert np.isfinite(volume.data).all()
    assert np.isfinite(truth.frame(0.0, volume.grid)).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "cubes"},
        {"kind": "filaments", "divide": 2},
        {"bleach": 1.0},
        {"bleach": -0.1},
        {"photons": -1},
        {"motion": -2},
        {"psf": (-1, 0, 0)},
        {"read": -0.1},
    ],
)
def test_impossible_phantoms_are_refused(wrong):
    with pytest.raises(InputError):
        phantom((2, 4, 8, 8), **wrong)
