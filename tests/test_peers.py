"""Methods of others: they find a translation, whatever the size, and evaluate takes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_spatimeinr import phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.analysis.peers import PEERS, aligned, idir, uvi
from napari_spatimeinr.analysis.peers.warp import unlike, warped

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps."""
    monkeypatch.setattr(idir, "SMOOTHER", ((0.0, 2),))
    monkeypatch.setattr(uvi, "STEPS", 2)
    monkeypatch.setattr(uvi, "CROP", (4, 4, 4))


def translating() -> np.ndarray:
    """Three frames of membranes that move by (0.5, 1.5, -2) voxels a frame."""
    still = phantom((1, 20, 44, 44), photons=0, read=0, background=0)[0].data[0]
    frames = [ndimage.shift(still, k * np.array([0.5, 1.5, -2]), order=3) for k in range(3)]
    return np.stack(frames)[:, 2:18, 8:40, 4:36].astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_translation_is_followed(name):
    frames = translating()
    predicted, line = (scores.baseline(n, frames[::2], 2) for n in (name, "linear"))
    assert scores.psnr(predicted[1], frames[1]) > scores.psnr(line[1], frames[1]) + 3


def test_warped_is_as_interpolation_defines_it():
    rng = np.random.default_rng(0)
    frame = rng.random((5, 6, 7), dtype=np.float32)
    by = rng.uniform(-2, 2, (3, 5, 6, 7)).astype(np.float32)
    places = np.stack(np.meshgrid(*map(np.arange, frame.shape), indexing="ij")) + by
    expected = ndimage.map_coordinates(frame, places, order=1, mode="nearest")
    found = warped(torch.from_numpy(frame), torch.from_numpy(by)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_unlike_is_0_for_equal_and_2_for_opposite_frames():
    a = torch.rand((4, 5, 6), generator=torch.Generator().manual_seed(0))
    assert float(unlike(a, 3 * a + 1)) == pytest.approx(0, abs=1e-5)
    assert float(unlike(a, -a)) == pytest.approx(2, abs=1e-5)
    assert torch.isfinite(unlike(a, torch.zeros_like(a)))


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (3, 1, 6, 7), (1, 4, 5, 6), (2, 9, 1, 3)])
def test_any_size_is_aligned_the_same_each_time(name, shape):
    frames = np.random.default_rng(0).random(shape, dtype=np.float32)
    told: list[tuple[int, int]] = []
    state = torch.get_rng_state()
    pairs, again = (aligned(name, frames, lambda *done: told.append(done)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(pairs) == shape[0] - 1
    assert bool(told) == (shape[0] > 1)
    for one, other in zip(pairs, again, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.shape == (3, *shape[1:])
            assert np.isfinite(a).all()
            np.testing.assert_array_equal(a, b)
