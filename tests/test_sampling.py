"""Kernels: constants stay constants, voxels stay voxels, straight lines stay straight, scipy
agrees.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_spatimeinr.data.orders import to_torch_grid
from napari_spatimeinr.model.frames import Frames, Normalisation, grown
from napari_spatimeinr.model.interpolation import temporal_weights
from napari_spatimeinr.model.rendering import existing, quadrature
from napari_spatimeinr.model.sampling import (
    PREFILTER_REACH,
    cubic,
    gaussian,
    interpolation_matrix,
    linear,
    mirrored,
    prefilter,
    resample,
)

quick = settings(max_examples=25, deadline=None)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


def spline(volume: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Cubic samples of a frame at (P, 3) voxel indices, mirrored at its border as rendering does."""
    data = volume[None].astype(np.float32)
    frames = Frames(data, Normalisation(0.0, 1.0, (1.0,)), CPU)
    margin = 2 + PREFILTER_REACH
    box = grown(tuple((0, n) for n in volume.shape), margin)
    coefficients = prefilter(frames.block(0, box))
    at = torch.from_numpy(points.astype(np.float32))[None] + 2
    return cubic(coefficients, at)[0].numpy()


def straight(volume: np.ndarray, points: np.ndarray) -> np.ndarray:
    return linear(
        torch.from_numpy(volume)[None, None], torch.from_numpy(points.astype(np.float32))[None]
    )[0, 0].numpy()


def inside(rng: np.random.Generator, shape: tuple[int, ...], n: int = 200) -> np.ndarray:
    return rng.uniform(0, 1, (n, 3)) * (np.asarray(shape) - 1)


@quick
@given(shapes, st.floats(-1e3, 1e3), st.integers(0, 1000))
def test_a_constant_stays_constant(shape, value, seed):
    points = inside(np.random.default_rng(seed), shape, 40)
    volume = np.full(shape, value, np.float32)
    tolerance = 2e-6 * max(1.0, abs(value))
    assert np.abs(spline(volume, points) - np.float32(value)).max() <= tolerance
    assert np.abs(straight(volume, points) - np.float32(value)).max() <= tolerance
    one = torch.from_numpy(volume)[None, None]
    assert (gaussian(one, (1.0, 0.7, 2.0)) - one).abs().max() <= tolerance


@quick
@given(shapes, st.integers(0, 1000))
def test_cubic_gives_the_voxels_back_at_their_centres(shape, seed):
    volume = np.random.default_rng(seed).random(shape, dtype=np.float32)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 3)
    np.testing.assert_allclose(spline(volume, points), volume.ravel(), atol=1e-3)


def test_ramps_are_reproduced_inside():
    z, y, x = np.meshgrid(*map(np.arange, (20, 24, 28)), indexing="ij")
    volume = (3 * z - 2 * y + 0.5 * x).astype(np.float32)
    # The prefilter is cut at 7 voxels, so 8 from the mirrored border nothing of the border is seen.
    points = 9 + np.random.default_rng(0).random((300, 3)) * (np.array([20, 24, 28]) - 19)
    expected = points @ [3, -2, 0.5]
    np.testing.assert_allclose(spline(volume, points), expected, atol=2e-3)
    np.testing.assert_allclose(straight(volume, points), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(7, 9, 11), (1, 8, 9), (5, 1, 1), (2, 2, 2)])
def test_scipy_agrees(shape):
    rng = np.random.default_rng(3)
    volume = rng.random(shape, dtype=np.float32)
    points = inside(rng, shape, 500)
    np.testing.assert_allclose(
        straight(volume, points), ndimage.map_coordinates(volume, points.T, order=1), atol=2e-6
    )
    by_scipy = ndimage.map_coordinates(volume.astype(float), points.T, order=3, mode="mirror")
    np.testing.assert_allclose(spline(volume, points), by_scipy, atol=3e-3)


def test_linear_repeats_the_border_and_is_the_same_for_any_number_of_threads():
    rng = np.random.default_rng(1)
    volume = rng.random((6, 7, 8), dtype=np.float32)
    points = rng.uniform(-5, 12, (8192, 3))
    one = straight(volume, points)
    clamped = np.clip(points, 0, np.array(volume.shape) - 1)
    np.testing.assert_allclose(one, ndimage.map_coordinates(volume, clamped.T, order=1), atol=2e-6)
    torch.set_num_threads(2)
    np.testing.assert_allclose(straight(volume, points), one, atol=1e-6)


def test_cubic_of_a_block_equals_cubic_of_the_whole():
    rng = np.random.default_rng(5)
    frames = Frames(
        rng.random((1, 20, 22, 24), dtype=np.float32), Normalisation(0.0, 1.0, (1.0,)), CPU
    )
    points = torch.from_numpy(rng.uniform(8, 10, (1, 50, 3)).astype(np.float32))
    values = []
    for box in (((0, 20), (0, 22), (0, 24)), ((7, 13), (6, 14), (7, 12))):
        coefficients = prefilter(frames.block(0, grown(box, PREFILTER_REACH)))
        values.append(cubic(coefficients, points - torch.tensor([float(a) for a, _ in box])))
    torch.testing.assert_close(values[0], values[1], atol=1e-5, rtol=0)


@quick
@given(st.integers(1, 12), st.lists(st.floats(-5, 20), min_size=1, max_size=9))
def test_interpolation_matrix(n, positions):
    at = torch.tensor(positions, dtype=torch.float64)
    matrix = interpolation_matrix(at, n)
    assert matrix.shape == (len(positions), n)
    torch.testing.assert_close(matrix.sum(1), torch.ones(len(positions), dtype=torch.float64))
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix @ torch.arange(n, dtype=torch.float64), at.clamp(0, n - 1))


def test_resample_is_separable_linear_interpolation():
    rng = np.random.default_rng(2)
    volume = rng.random((4, 5, 6))
    axes = [rng.uniform(0, n - 1, m) for n, m in zip(volume.shape, (3, 7, 2), strict=True)]
    out = resample(torch.from_numpy(volume)[None, None], [torch.from_numpy(a) for a in axes])[
        0, 0
    ].numpy()
    grid = np.meshgrid(*axes, indexing="ij")
    np.testing.assert_allclose(out, ndimage.map_coordinates(volume, grid, order=1), atol=1e-12)


def test_what_is_cut_off_a_smoothed_volume_does_not_change_the_rest():
    volume = torch.rand(1, 2, 9, 12, 15)
    whole = gaussian(volume, (1.0, 0.0, 2.5))
    torch.testing.assert_close(gaussian(volume, (1.0, 0.0, 2.5), 3), whole[..., 3:-3, 3:-3, 3:-3])


def test_gaussian_is_scipys():
    volume = np.random.default_rng(4).random((12, 13, 14))
    out = gaussian(torch.from_numpy(volume)[None, None], (1.0, 0.0, 1.5))[0, 0].numpy()
    np.testing.assert_allclose(
        out,
        ndimage.gaussian_filter(volume, (1.0, 0, 1.5), mode="mirror", radius=(3, 0, 5)),
        atol=1e-9,
    )


@quick
@given(st.integers(1, 9), st.integers(-40, 40))
def test_mirrored_is_numpys_reflection(n, index):
    padded = np.pad(np.arange(n), 50, mode="reflect") if n > 1 else np.zeros(101, int)
    assert int(mirrored(torch.tensor(index), n)) == padded[index + 50]


def test_frames_beyond_their_border_are_mirrored():
    data = np.random.default_rng(0).random((2, 3, 4, 1), dtype=np.float32)
    frames = Frames(data, Normalisation(0.25, 2.0, (1.0, 0.5)), CPU)
    block = frames.block(1, ((-2, 5), (-7, 9), (-1, 3)))[0, 0].numpy()
    padded = np.pad((data[1] - 0.25) / 1.0, ((2, 2), (7, 5), (0, 0)), mode="reflect")
    np.testing.assert_allclose(block, np.repeat(padded, 4, axis=2), atol=1e-6)


@quick
@given(
    st.floats(-3, 40),
    st.floats(0.01, 60) | st.floats(1, 1e15),
    st.integers(1, 30),
    st.integers(1, 5),
)
def test_cells_are_integrated_over_the_part_of_them_that_exists(centre, extent, n, least):
    samples = quadrature(np.array([centre, (n - 1) / 2]), extent, n, least)
    assert samples.shape[1] <= max(n, least)  # bounded by the recording, however large the cell
    middles, lengths = existing(np.array([centre, (n - 1) / 2]), extent, n)
    assert (lengths / samples.shape[1]).max() <= 1 + 1e-5
    for at, middle, length, where in zip(
        (centre, (n - 1) / 2), middles, lengths, samples, strict=True
    ):
        if samples.shape[1] == 1:
            assert where == at
            continue
        assert where.mean() == pytest.approx(middle, abs=1e-9)
        assert where.min() >= -0.5
        assert where.max() <= n - 0.5
        # Exact for straight lines, and equally spaced.
        np.testing.assert_allclose(np.diff(where), length / samples.shape[1], atol=1e-9)
    inside = np.array([extent / 2 - 0.5])
    if extent < n:
        np.testing.assert_allclose(existing(inside, extent, n), [inside, [extent]], atol=1e-9)


@quick
@given(st.integers(1, 9), st.floats(0, 1), st.sampled_from(["linear", "cubic"]))
def test_temporal_weights_sum_to_one_and_hit_the_frames(count, share, kind):
    times = np.arange(count, dtype=float)
    t = share * (count - 1)
    weights = temporal_weights(t, times, kind)
    assert weights.sum() == pytest.approx(1)
    assert weights @ times == pytest.approx(t, abs=1e-9)
    if kind == "cubic" and count > 3:
        assert weights @ times**3 == pytest.approx(t**3, abs=1e-6)
    k = round(t)
    np.testing.assert_allclose(
        temporal_weights(float(k), times, kind), np.eye(count)[k], atol=1e-12
    )


@quick
@given(shapes, st.integers(0, 99))
def test_torch_order_is_x_first_from_minus_one_to_one(shape, seed):
    corner = torch.tensor([[0.0, 0.0, 0.0], [float(n - 1) for n in shape]])
    out = to_torch_grid(corner, shape)
    assert (out[0] == -1).all()
    expected = torch.tensor([1.0 if n > 1 else -1.0 for n in shape]).flip(0)
    torch.testing.assert_close(out[1], expected)
