"""Noise from one frame on: how strong it is, copies that are thinned, and frames denoised alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage as ndi

from fits import GATED, OFF
from napari_spatimeinr import Field, Volume, fit, load, phantom
from napari_spatimeinr.analysis.scores import psnr
from napari_spatimeinr.analysis.sentences import outcome
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.frames import Frames, Normalisation
from napari_spatimeinr.model.latents import Latents
from napari_spatimeinr.model.network import Network
from napari_spatimeinr.training.noise import Noise, estimate
from napari_spatimeinr.training.parts.thinned import SPLIT, judge, thinned

pytestmark = pytest.mark.usefixtures("one_thread")

Array = NDArray[np.float32]
CPU = torch.device("cpu")
BLURS = np.arange(0, 2, 0.25)
DENOISED: dict[str, Any] = {
    **GATED,
    "latents": {"steps": 150, "channels": 8, "layers": 2, "width": 8, "crop": [8, 24, 24]},
    "planes": OFF,
}
"""Enough steps to be better than a blur."""


def frames_of(data: Any) -> Frames:
    return Frames(np.asarray(data, np.float32), Normalisation(0.0, 1.0, (1.0,) * len(data)), CPU)


def scene(
    least: float, most: float, seed: int = 0, shape: tuple[int, int, int] = (16, 64, 64)
) -> NDArray[np.float64]:
    """Smooth brightness between two values, (z, y, x)."""
    rough = np.random.default_rng(seed).standard_normal(shape)
    smooth = ndi.gaussian_filter(rough, 6)
    return least + (most - least) * (smooth - smooth.min()) / np.ptp(smooth)


def one_frame(data: Any) -> Volume:
    return Volume(np.asarray(data, np.float32)[None], (1.0, 0.5, 0.25, 0.25))


# -- how strong it is ----------------------------------------------------------------------
@settings(max_examples=15, deadline=None)
@given(
    gain=st.floats(0.01, 100),
    dark=st.floats(-50, 200),
    most=st.floats(60, 500),
    seed=st.integers(0, 99),
)
def test_gain_and_offset_of_photons_are_found(
    gain: float, dark: float, most: float, seed: int
) -> None:
    """Within 10 %, of the gain and of the range of brightness; the offset is ``dark`` photons."""
    counts = np.random.default_rng(seed).poisson(scene(2, most, seed, (32, 96, 96)))
    found = estimate(frames_of(gain * (counts + dark)[None]), seed)
    assert found is not None
    assert found.gain == pytest.approx(gain, rel=0.1)
    assert found.offset == pytest.approx(gain * dark, abs=0.1 * gain * most)


@settings(max_examples=10, deadline=None)
@given(deviation=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_noise_that_does_not_depend_on_brightness_is_found(deviation: float, seed: int) -> None:
    clean = scene(0, 1, seed)
    noisy = clean + deviation * np.random.default_rng(seed).standard_normal(clean.shape)
    found = estimate(frames_of(noisy[None]), seed)
    assert found is not None
    for brightness in (0.2, 0.5, 0.8):
        variance = float(found.variance(torch.tensor(brightness)))
        assert variance == pytest.approx(deviation**2, rel=0.15)


@pytest.mark.parametrize("width", [0.5, 0.7, 1.0, 2.0])
def test_noise_that_is_correlated_is_not_told_from_structure(width: float) -> None:
    noise = ndi.gaussian_filter(np.random.default_rng(0).standard_normal((16, 64, 64)), width)
    found = estimate(frames_of(scene(0, 1)[None] + 0.1 * noise / noise.std()), 0)
    assert found is None or float(found.variance(torch.tensor(0.5))) < 1e-4


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 4, 4), (2, 1, 1, 64), (1, 3, 8, 8)])
def test_the_smallest_frames_have_some_answer(shape: tuple[int, int, int, int]) -> None:
    noise = estimate(frames_of(np.random.default_rng(0).random(shape)), 0)
    assert noise is None or torch.isfinite(noise.variance(torch.rand(9))).all()


# -- copies that are thinned ---------------------------------------------------------------
def test_the_noise_of_thinned_copies_is_independent() -> None:
    clean = np.full((16, 64, 64), 0.5)
    noisy = clean + 0.2 * np.random.default_rng(0).standard_normal(clean.shape)
    box = ((0, 16), (0, 64), (0, 64))
    generator = torch.Generator().manual_seed(0)
    copies = thinned(frames_of(noisy[None]), 0, box, 2, Noise(0.0, 0.04), generator)
    first, second = copies[0][0, 0, 2:-2, 2:-2, 2:-2] - 0.5, copies[1] - 0.5
    assert float((first * second).mean()) == pytest.approx(0, abs=0.002)
    assert float(first.var()) == pytest.approx(0.04 * (1 + SPLIT**2), rel=0.05)
    assert float(second.var()) == pytest.approx(0.04 * (1 + SPLIT**-2), rel=0.05)


def test_beyond_the_frame_a_copy_is_mirrored_noise_and_all() -> None:
    """A frame of one plane has no second look at its voxels."""
    data = np.random.default_rng(0).random((1, 1, 8, 8))
    generator = torch.Generator().manual_seed(0)
    box = ((0, 1), (0, 8), (0, 8))
    copy = thinned(frames_of(data), 0, box, 2, Noise(0.0, 0.04), generator)[0]
    assert all(torch.equal(copy[0, 0, z], copy[0, 0, 2]) for z in range(5))


def test_an_encoder_that_does_nothing_brings_nothing() -> None:
    latents = Latents.of(make_config("fast").latents)
    frames = frames_of(0.1 * np.random.default_rng(0).standard_normal((1, 8, 24, 24)))
    everywhere = torch.ones(1, 1, 8, 24, 24)
    noise = Noise(0.0, 0.01)
    judged = judge(Network(latents=latents), frames, noise, everywhere, (1.0, 1.0, 1.0), 0)
    assert judged.latents == 0
    assert judged.blur > 10  # of noise alone a blur leaves next to nothing


# -- frames denoised alone -----------------------------------------------------------------
@pytest.fixture(scope="module", params=[1, 2])
def denoised(request: Any) -> tuple[Field, list[Array]]:
    """A field of so many noisy frames, and the clean ones."""
    shape = (request.param, 12, 40, 40)
    volume, truth = phantom(shape, motion=2, photons=60, seed=3)
    clean = [truth.frame(float(t), volume.grid) for t in volume.grid.coordinates(0)]
    return fit(volume, "fast", DENOISED, device="cpu"), clean


@pytest.mark.slow
def test_frames_are_nearer_to_the_truth_than_raw_and_than_the_best_blur(
    denoised: tuple[Field, list[Array]],
) -> None:
    field, clean = denoised
    raw, ours = np.asarray(field.volume.data), np.asarray(field.lazy())
    for noisy, made, exact in zip(raw, ours, clean, strict=True):
        blurs = [psnr(ndi.gaussian_filter(noisy, (s / 2, s, s)), exact) for s in BLURS]
        assert psnr(made, exact) > psnr(noisy, exact) + 3
        assert psnr(made, exact) > max(blurs)


@pytest.mark.slow
def test_the_fit_says_how_noise_was_judged_and_what_it_is(
    denoised: tuple[Field, list[Array]],
) -> None:
    facts = denoised[0].provenance
    assert facts.latents_gate is not None
    assert facts.noise is not None
    assert facts.noise.gain == pytest.approx(1 / 60, rel=0.25)
    words = outcome(facts.to_dict(), False)
    assert "Noise is removed from each frame by itself" in words
    assert f"{facts.noise.gain:.3g}" in words


@pytest.mark.slow
def test_what_is_denoised_can_be_saved_and_gone_on_with(
    denoised: tuple[Field, list[Array]], tmp_path: Path
) -> None:
    field, _ = denoised
    again = load(field.save(tmp_path / "model.spatimeinr"), "cpu")
    np.testing.assert_array_equal(np.asarray(again.lazy()), np.asarray(field.lazy()))
    longer = fit(field.volume, "fast", DENOISED, resume=again, device="cpu")
    assert longer.network.latents is not None
    assert longer.provenance.noise == field.provenance.noise
    assert longer.provenance.resumed_from_steps == field.provenance.steps


@pytest.mark.slow
def test_planes_of_one_noisy_frame_are_made_of_what_was_denoised() -> None:
    volume, truth = phantom((1, 12, 40, 40), kind="nuclei", photons=60, seed=3)
    options = {**DENOISED, "planes": {"steps": 60, "channels": 8, "layers": 3}, "gate": False}
    found = []
    for latents in (DENOISED["latents"], OFF):
        field = fit(volume, "fast", {**options, "latents": latents}, device="cpu")
        assert field.network.planes is not None
        fine = field.lazy(scale_z=2)
        found.append(psnr(np.asarray(fine[0]), truth.frame(0.0, fine.grid)))
    assert found[0] > found[1] + 3


def field_of(data: Any) -> Field:
    return fit(one_frame(data), config=GATED, device="cpu")


@pytest.mark.parametrize("width", [0.7, 1.5])
def test_correlated_noise_is_left_as_it_is(width: float) -> None:
    extra = ndi.gaussian_filter(np.random.default_rng(0).standard_normal((16, 64, 64)), width)
    data = scene(0, 1) + 0.1 * extra / extra.std()
    field = field_of(data)
    assert field.network.latents is None
    assert "structure" in field.provenance.reasons["latents"]
    np.testing.assert_allclose(np.asarray(field.lazy())[0], data, atol=1e-3)


@pytest.mark.parametrize("bad", [None, np.nan, np.inf])
def test_noise_alone_stays_finite_and_within_what_it_was(bad: float | None) -> None:
    data = np.random.default_rng(0).standard_normal((8, 24, 24)).astype(np.float32)
    highest, lowest = data.max(), data.min()
    if bad is not None:
        data[2:4, 5:9] = bad
    out = np.asarray(field_of(data).lazy())[0]
    assert np.isfinite(out).all()
    assert lowest - 1e-3 <= out.min()
    assert out.max() <= highest + 1e-3


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_constant_frames_stay_constant(frames: int) -> None:
    data = np.full((frames, 4, 12, 12), 7.0, np.float32)
    field = fit(Volume(data, (1.0,) * 4), config=GATED, device="cpu")
    np.testing.assert_array_equal(np.asarray(field.lazy()), data)


def test_a_clean_frame_is_left_as_it_is() -> None:
    clean = phantom((1, 12, 40, 40), photons=0, read=0)[0]
    field = fit(clean, config={**GATED, "planes": OFF}, device="cpu")
    assert field.network.latents is None
    np.testing.assert_allclose(np.asarray(field.lazy()), np.asarray(clean.data), atol=1e-3)
