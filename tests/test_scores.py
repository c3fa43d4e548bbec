"""Scores and the methods of today, against their definitions; evaluate reports them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.metrics import structural_similarity

from fits import GATED, OFF
from napari_spatimeinr import Field, Volume, evaluate, phantom
from napari_spatimeinr.analysis import scores
from napari_spatimeinr.analysis.coverage import coverage
from napari_spatimeinr.analysis.resolution import degraded, resolution_scaled
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.errors import InputError
from napari_spatimeinr.model.frames import Normalisation
from napari_spatimeinr.model.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")


NO_LATENTS = {**GATED, "latents": OFF}


def test_percentiles_become_zero_and_one():
    data = np.random.default_rng(0).normal(50, 9, (3, 4, 20, 20))
    out, low, span = scores.scaled(data)
    assert out.dtype == np.float32
    np.testing.assert_allclose(np.percentile(out, [0.5, 99.8]), [0, 1], atol=1e-5)
    np.testing.assert_allclose(out * span + low, data, atol=1e-3)
    assert scores.scaled(np.full((2, 3), 7.0))[0].max() == 0


def test_psnr_by_hand():
    a = np.zeros((4, 4), np.float32)
    assert scores.psnr(a, a) == 120
    assert scores.psnr(a, a + 0.1) == pytest.approx(20, abs=1e-4)
    assert scores.psnr(a, a + 1) == pytest.approx(0, abs=1e-6)


def test_ssim_is_scikit_images_in_three_dimensions():
    rng = np.random.default_rng(1)
    a = rng.random((12, 16, 16), dtype=np.float32)
    b = a + 0.1 * rng.random((12, 16, 16), dtype=np.float32)
    expected = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
    )
    assert scores.ssim(a, b) == pytest.approx(expected)
    assert scores.ssim(a, a) == pytest.approx(1)
    # Too thin for 3-D: plane by plane; too small for either: not a number.
    planes = np.mean([scores.ssim(p, q) for p, q in zip(a[:5], b[:5], strict=True)])
    assert scores.ssim(a[:5], b[:5]) == pytest.approx(planes)
    assert scores.ssim(a[:1], b[:1]) == pytest.approx(scores.ssim(a[0], b[0]))
    assert np.isnan(scores.ssim(a[:, :5], b[:, :5]))


def test_a_rendering_is_degraded_to_what_was_acquired() -> None:
    """Finer voxels of the truth, averaged, are the truth; RSE and RSP leave brightness out."""
    coarse = Volume(np.zeros((1, 4, 5, 6), np.float32), (1.0, 2.0, 1.0, 1.0)).grid
    fine = coarse.refine(scale_z=2, scale_yx=3)
    ramp = sum(
        a * c.reshape([-1 if i == j else 1 for j in range(3)])
        for i, (a, c) in enumerate(zip((1, 2, 3), map(fine.coordinates, (1, 2, 3)), strict=True))
    )
    found = degraded(ramp, fine, coarse)
    assert found.shape == coarse.shape[1:]
    z, y, x = (coarse.coordinates(axis)[1:-1] for axis in (1, 2, 3))
    expected = z[:, None, None] + 2 * y[:, None] + 3 * x
    np.testing.assert_allclose(found[1:-1, 1:-1, 1:-1], expected, rtol=1e-5)
    np.testing.assert_allclose(degraded(np.full(fine.shape[1:], 7.0), fine, coarse), 7.0)
    assert resolution_scaled(5 * found - 3, found) == (pytest.approx(0, abs=1e-5), pytest.approx(1))
    noise = np.random.default_rng(0).normal(0, 0.5, (20, 40, 40))
    base = np.random.default_rng(1).normal(0, 1, noise.shape)
    error, along = resolution_scaled(base, base + noise)
    assert error == pytest.approx(0.5, rel=0.05)
    assert along == pytest.approx(1 / np.sqrt(1.25), rel=0.02)
    assert np.isnan(resolution_scaled(np.ones(9), base[:9, 0, 0])[1])


def test_coverage_of_known_intervals_is_known_with_its_error() -> None:
    """Frames between are noise around what is interpolated; intervals are wide enough for some."""
    rng = np.random.default_rng(2)
    raw = np.zeros((5, 8, 48, 48), np.float32)
    raw[2, :, :24] = 100
    raw[1::2] = (raw[:-1:2] + raw[2::2]) / 2 + rng.normal(0, 1, (2, 8, 48, 48))
    given = Volume(np.ascontiguousarray(raw[::2]))
    table = {"levels": [0.5, 0.9], "edges": [[1e9], [1e9]]}
    table["widths"] = [[[w / 100] * 2] * 2 for w in (0.674, 1.645)]
    how = Normalisation(0.0, 100.0, (1.0,) * 3), make_config("fast"), torch.device("cpu"), "linear"
    field = Field(given, Network(), *how, {"confidence": table})
    half, nine = coverage(field, {"time_scale": 2}, raw, 2)
    for one, share in ((half, 0.5), (nine, 0.9)):
        assert one.level == share
        assert abs(one.whole - share) < 4 * one.whole_error
        assert abs(one.moving - share) < 4 * one.moving_error
        assert 0 < one.whole_error < one.moving_error < 0.02
    assert nine.width == pytest.approx(1.645 / scores.scaled(raw)[2], rel=1e-4)
    assert coverage(field.interpolated(), {"time_scale": 2}, raw, 2) == []


def test_baselines_are_exact_where_they_should_be():
    t = np.arange(9.0)
    given = np.broadcast_to(t[::2, None, None, None], (5, 3, 4, 5)).astype(np.float32)
    for name in ("linear", "cubic"):
        out = scores.baseline(name, given, 2)
        assert sorted(out) == [1, 3, 5, 7]
        for k, frame in out.items():
            np.testing.assert_allclose(frame, k, atol=1e-5)
    cubes = (given / 4) ** 3
    assert scores.baseline("cubic", cubes, 2)[3][0, 0, 0] == pytest.approx((3 / 4) ** 3, abs=1e-5)
    assert scores.baseline("linear", cubes, 2)[3][0, 0, 0] == pytest.approx(
        (cubes[1, 0, 0, 0] + cubes[2, 0, 0, 0]) / 2
    )
    assert sorted(scores.baseline("linear", given, 3)) == [1, 2, 4, 5, 7, 8, 10, 11]


def test_flow_beats_linear_on_a_shifted_scene():
    scene = ndimage.gaussian_filter(np.random.default_rng(0).random((12, 40, 46)), 2)
    scene = ((scene - scene.min()) / np.ptp(scene)).astype(np.float32)
    frames = np.stack([scene[:, :, s : s + 40] for s in (0, 1, 2)])
    errors = {
        n: np.mean((scores.baseline(n, frames[::2], 2)[1] - frames[1])[2:-2, 4:-4, 4:-4] ** 2)
        for n in ("linear", *scores.FLOWS)
    }
    assert errors["flow"] < 0.5 * errors["linear"]
    assert errors["tvl1"] < 0.5 * errors["linear"]


def test_scores_of_perfect_and_blurred_frames():
    truth, *_ = scores.scaled(phantom((3, 12, 24, 24), motion=3.0)[0].data)
    perfect = scores.score({1: truth[1]}, truth, truth[::2], 2)
    assert perfect["psnr"] == 120
    assert perfect["ssim"] == pytest.approx(1)
    assert perfect["nrmse"] == 0
    assert perfect["psnr_foreground"] == 120
    noisy = {
        1: truth[1]
        + 0.1 * np.random.default_rng(0).standard_normal(truth[1].shape).astype(np.float32)
    }
    row = scores.score(noisy, truth, truth[::2], 2)
    assert row["psnr"] == pytest.approx(20, abs=0.2)
    assert row["psnr_smoothed"] > row["psnr"] + 3
    assert row["nrmse"] == pytest.approx(0.1 / np.sqrt(np.mean(truth[1] ** 2)), rel=0.05)
    blurred = scores.best_blur(noisy, truth)
    assert blurred["psnr"] >= row["psnr"]
    assert blurred["psnr_smoothed"] >= row["psnr_smoothed"]


def test_evaluate_agrees_with_the_definition(capsys):
    volume, _ = phantom((7, 11, 20, 22), motion=2.0)
    report = evaluate(
        volume, preset="fast", config=NO_LATENTS, device="cpu", baselines=("linear", "cubic")
    )
    low, high = np.percentile(volume.data, [0.5, 99.8])
    truth = (volume.data - low) / (high - low)
    line = [
        10 * np.log10(1 / np.mean(((truth[k - 1] + truth[k + 1]) / 2 - truth[k]) ** 2))
        for k in (1, 3, 5)
    ]
    assert report.methods["linear"]["psnr"] == pytest.approx(np.mean(line), abs=1e-3)
    assert sorted(report.frames["spatimeinr"]) == [1, 3, 5]
    ours = np.mean(
        [
            10 * np.log10(1 / np.mean((report.frames["spatimeinr"][k] - truth[k]) ** 2))
            for k in (1, 3, 5)
        ]
    )
    assert report.methods["spatimeinr"]["psnr"] == pytest.approx(ours, abs=1e-3)
    plain = report.to_json()
    assert plain["peak_bytes"] > 1e7
    assert plain["seconds"] > 0
    assert set(plain["methods"]) == {"spatimeinr", "linear", "cubic", "linear + best blur"}
    assert set(plain["methods"]["linear"]) == {
        "psnr",
        "psnr_smoothed",
        "ssim",
        "nrmse",
        "rse",
        "rsp",
        "psnr_foreground",
    }
    json.dumps(plain, allow_nan=False)
    assert "spatimeinr" in report.table()
    assert capsys.readouterr().out == ""


def test_evaluate_along_z():
    volume, _ = phantom((2, 9, 14, 14), motion=1.0, photons=0, read=0.0)
    off = {"motion": {"enabled": False}, "latents": {"enabled": False}}
    report = evaluate(
        volume, hold_out="z", config=off, device="cpu", baselines=("linear", "cubic", "flow")
    )
    assert sorted(report.frames["spatimeinr"]) == [1, 3, 5, 7]
    assert "flow" not in report.methods
    truth, *_ = scores.scaled(volume.data)
    line = np.mean(
        [
            10 * np.log10(1 / np.mean(((truth[:, z - 1] + truth[:, z + 1]) / 2 - truth[:, z]) ** 2))
            for z in (1, 3, 5, 7)
        ]
    )
    assert report.methods["linear"]["psnr"] == pytest.approx(line, abs=1e-2)
    # Nothing but splines is left, and they are not worse than straight lines on a smooth scene.
    assert report.methods["spatimeinr"]["psnr"] > line - 0.1


def test_evaluate_with_missing_voxels():
    volume, _ = phantom((3, 4, 12, 12), motion=1.0)
    data = np.array(volume.data)
    data[1, 2, 3, 4] = np.nan
    off = {"motion": {"enabled": False}, "latents": {"enabled": False}}
    report = evaluate(Volume(data), config=off, device="cpu", baselines=("linear",))
    assert np.isfinite(report.methods["spatimeinr"]["psnr"])
    assert np.isfinite(report.methods["linear"]["psnr"])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"gap": 1}, "gap"),
        ({"gap": 5}, "5"),
        ({"hold_out": "y"}, "hold_out"),
        ({"baselines": ("magic",)}, "magic"),
        ({"hold_out": "z", "gap": 9}, "planes"),
    ],
)
def test_evaluations_that_are_impossible(how, said):
    volume, _ = phantom((3, 4, 8, 8))
    with pytest.raises(InputError, match=said):
        evaluate(volume, config=NO_LATENTS, **how)
