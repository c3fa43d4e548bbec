"""Two fits of halves of a recording, and where they agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage as ndi

from fits import INTERPOLATION
from napari_spatimeinr import Volume, phantom
from napari_spatimeinr.analysis.agreement import agreement
from napari_spatimeinr.analysis.halves import halves
from napari_spatimeinr.analysis.resolution import resolved
from napari_spatimeinr.analysis.two_fits import SAME, two_fits
from napari_spatimeinr.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")

Array = NDArray[np.float64]
SIZE = (16, 40, 40)
CUBE = (1.0, 1.0, 1.0)


def noise(seed: int, shape: tuple[int, ...] = SIZE) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def structure(seed: int, width: float = 1.5) -> Array:
    rough = ndi.gaussian_filter(noise(seed), width)
    return np.asarray(rough / rough.std())


# -- the map -------------------------------------------------------------------------------
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 99),
    gain=st.floats(0.1, 10),
    offset=st.floats(-100, 100),
    z=st.floats(0.5, 8),
)
def test_what_both_show_agrees_whatever_its_brightness_and_contrast(
    seed: int, gain: float, offset: float, z: float
) -> None:
    first = noise(seed)
    spacing = (z, 1.0, 1.0)
    np.testing.assert_allclose(agreement(first, gain * first + offset, spacing, 0), 1, atol=1e-5)
    np.testing.assert_allclose(agreement(first, offset - gain * first, spacing, 0), -1, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(one=st.integers(0, 99), other=st.integers(100, 199))
def test_agreement_does_not_depend_on_which_comes_first_and_lies_within_one(
    one: int, other: int
) -> None:
    found = agreement(noise(one), noise(other), CUBE, 0)
    np.testing.assert_array_equal(found, agreement(noise(other), noise(one), CUBE, 0))
    assert np.abs(found).max() <= 1


def test_independent_noise_does_not_agree() -> None:
    found = agreement(noise(0), noise(1), CUBE, 0)
    assert abs(found.mean()) < 0.02
    assert np.mean(found >= SAME) < 0.001


def test_as_much_structure_as_noise_agrees_by_half() -> None:
    first, second = structure(0, 0.6) + noise(1), structure(0, 0.6) + noise(2)
    assert agreement(first, second, CUBE, 0).mean() == pytest.approx(0.5, abs=0.05)


def test_what_one_half_alone_shows_does_not_agree_and_the_rest_does() -> None:
    shared, alone = structure(0), structure(1)
    first = np.where(np.arange(40) < 20, shared, alone) + 0.1 * noise(2)
    second = np.where(np.arange(40) < 20, shared, 0) + 0.1 * noise(3)
    found = agreement(first, second, CUBE, 0)
    assert found[..., :14].min() > 0.8
    assert abs(found[..., 26:].mean()) < 0.1


def test_where_there_is_nothing_agreement_is_0_as_near_to_structure_as_the_window() -> None:
    first = np.zeros(SIZE)
    first[:, :, 30:] = structure(0)[:, :, 30:]
    found = agreement(first, first, CUBE, 1e-3)
    assert np.abs(found[..., :25]).max() < 1e-6
    assert found[..., 32:].min() > 0.99


def test_the_window_is_as_wide_along_z_as_across() -> None:
    """Planes far apart do not take part in each other's agreement."""
    first = noise(0)
    second = np.where(np.arange(16)[:, None, None] < 8, first, noise(1))
    found = agreement(first, second, (10.0, 1.0, 1.0), 0)
    np.testing.assert_allclose(found[:8], 1, atol=1e-5)


# -- the finest detail in both ------------------------------------------------------------
@pytest.mark.parametrize("period", [4.0, 8.0])
def test_detail_finer_than_what_both_have_in_common_is_not_resolved(period: float) -> None:
    """Both halves are alike up to a frequency, and beyond it of independent noise."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    spectra = [np.fft.fft2(noise(seed, (2, 4, 64, 64))) for seed in (0, 1)]
    spectra[1] = np.where(frequency < 1 / period, spectra[0], spectra[1])
    first, second = (np.fft.ifft2(one).real for one in spectra)
    assert resolved(first, second, (2, 3), (0.25, 0.25)) == pytest.approx(period / 4, rel=0.1)


def test_what_is_identical_is_resolved_down_to_two_voxels() -> None:
    data = noise(0, (1, 16, 32, 32))
    assert resolved(data, data, (2, 3), (0.25, 0.25)) == pytest.approx(0.5)
    assert resolved(data, data, (1,), (2.0,)) == pytest.approx(4)


def test_of_noise_nothing_is_resolved_and_of_few_planes_it_is_not_known() -> None:
    first, second = noise(0, (1, 4, 64, 64)), noise(1, (1, 4, 64, 64))
    assert resolved(first, second, (2, 3), (1.0, 1.0)) == math.inf
    assert math.isnan(resolved(first, second, (1,), (1.0,)))
    assert resolved(np.zeros((1, 1, 9, 9)), np.zeros((1, 1, 9, 9)), (2, 3), (1.0,) * 2) == math.inf


# -- the halves ---------------------------------------------------------------------------
def test_noise_halves_have_the_recording_as_their_mean_and_no_noise_in_common() -> None:
    volume, truth = phantom((2, 16, 48, 48), photons=60, seed=3)
    parts = halves(volume, None, 0)
    assert (parts.kind, parts.why, parts.shared) == ("noise", "", range(2))
    first, second = (np.asarray(part.data, np.float64) for part in parts.pair)
    np.testing.assert_allclose((first + second) / 2, volume.data, atol=1e-5)
    clean = np.stack([truth.frame(float(t), volume.grid) for t in volume.grid.coordinates(0)])
    left, right = first - clean, second - clean
    assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.05
    assert left.var() == pytest.approx(2 * (volume.data - clean).var(), rel=0.1)


@pytest.mark.parametrize("times", [None, (0.0, 1.0, 4.0, 5.0, 9.0)])
def test_frame_halves_keep_their_times(times: tuple[float, ...] | None) -> None:
    data = noise(0, (5, 3, 6, 6)).astype(np.float32)
    whole = Volume(data, (2.0, 1.0, 1.0, 1.0), (3.0, 0.0, 0.0, 5.0), times=times)
    parts = halves(whole, "frames", 0)
    assert (parts.kind, parts.why, parts.shared) == ("frames", "", range(1, 4))
    taken = whole.grid.coordinates(0)
    for start, part in enumerate(parts.pair):
        np.testing.assert_array_equal(part.data, data[start::2])
        np.testing.assert_allclose(part.grid.coordinates(0), taken[start::2])
        assert part.origin[1:] == (0.0, 0.0, 5.0)


def test_frames_are_taken_where_the_noise_cannot_be_told_from_structure() -> None:
    correlated = np.stack([structure(seed) for seed in range(4)])
    parts = halves(Volume(correlated.astype(np.float32)), None, 0)
    assert parts.kind == "frames"
    assert "cannot be told from structure" in parts.why


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (np.full((5, 4, 8, 8), 7.0), None, "All intensities are equal"),
        (np.stack([structure(s) for s in range(3)]), None, "4 frames, this recording has 3; of"),
        (np.stack([structure(s) for s in range(3)]), "frames", "4 frames, this recording has 3."),
        (np.stack([structure(s) for s in range(4)]), "noise", "no halves of this recording's"),
        (noise(0, (4, 4, 8, 8)), "odd", "'noise' or of 'frames', got 'odd'"),
    ],
)
def test_what_has_no_halves_is_told(data: Array, kind: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        two_fits(Volume(data.astype(np.float32)), kind, "fast", INTERPOLATION)


# -- both fits ----------------------------------------------------------------------------
def scene() -> Array:
    """Four noisy frames with something on their left, and the same everywhere in even ones."""
    still = 5 * structure(0)
    clean = np.where(np.arange(40) < 20, still, 0)[None].repeat(4, 0)
    clean[::2, ..., 20:] = still[..., 20:]
    return np.asarray(clean + 0.5 * np.stack([noise(seed) for seed in range(4)]))


def test_fits_of_even_and_odd_frames_agree_where_their_frames_do() -> None:
    volume = Volume(scene().astype(np.float32), (2.0, 1.0, 0.5, 0.5))
    states: list[str] = []
    found = two_fits(
        volume, "frames", "fast", INTERPOLATION, "cpu", progress=lambda s: states.append(s.stage)
    )
    values = np.asarray(found.map.data)
    assert values.shape == (2, *SIZE)
    np.testing.assert_allclose(found.map.grid.coordinates(0), [2, 4])
    assert found.map.spacing == volume.spacing
    assert values[..., :14].mean() > 0.95
    assert abs(values[..., 26:].mean()) < 0.1
    assert "even and odd frames" in found.sentence()
    assert {"first half", "second half", "two fits"} == {s.split(",")[0] for s in states}


def test_fits_of_noise_halves_agree_on_structure_and_not_on_noise() -> None:
    data = scene()[1:2]
    data[0, :2, :2, :2] = np.nan
    found = two_fits(Volume(data.astype(np.float32)), None, "fast", INTERPOLATION, "cpu")
    values = np.asarray(found.map.data)
    assert found.kind == "noise"
    assert np.isnan(values[0, :2, :2, :2]).all()
    assert np.isfinite(values).sum() == values.size - 8
    assert np.nanmean(values[..., 2:14]) > 0.9
    assert abs(values[..., 26:].mean()) < 0.1
    assert 0.9 < found.rsp < 1
    assert len(found.warnings) == 2
    assert found.warnings[0].startswith("In the fit of the first half: 8 of")
