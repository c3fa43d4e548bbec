"""The published method as a preset: fits, what they hold, how they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spatimeinr import Volume, evaluate, fit, fit_steps, load
from napari_spatimeinr.analysis.scores import psnr
from published_fits import SMALL, changed

LIKE_PUBLISHED: dict[str, Any] = {
    **SMALL,
    "max_iter": 300,
    "rcan_max_iter": 80,
    "n_samples": 6,
    "dataset": {"train": {"bsize": 1024}, "eval": {"bsize": 4096}},
    "rcan": {"n_resgroups": 1, "n_resblocks": 2, "n_feats": 16, "reduction": 4},
    "model": {"netD": 4, "netW": 64, "skips": [2], "max_freq": 3},
    "lr_decay": {"lr_init": 5e-3, "lr_final": 5e-4, "lr_delay_steps": 20, "max_iter": 300},
    "optim": {"lr": 3e-3},
}


def test_the_preset_works_like_any_other(field: Any, recording: Volume, tmp_path: Path) -> None:
    facts = field.provenance
    assert facts["chosen"]["published"]
    assert not facts["chosen"]["motion"]
    assert "published" in facts["method"]
    assert facts["rcan"]["steps"] == 6
    assert facts["rcan"]["ended"] == "max_iter"
    assert facts["mlp"]["steps"] == 12
    again = load(field.save(tmp_path / "m.spatimeinr"), "cpu")
    for how in ({}, {"time_scale": 2.5, "scale_z": 1.5}, {"scale": 0.5}):
        rendered = field.render(**how)
        assert np.isfinite(rendered.data).all()
        assert rendered.data.std() > 0
        np.testing.assert_array_equal(again.render(**how).data, rendered.data)
    whole, lazy = field.render(time_scale=2).data, field.lazy(time_scale=2)
    np.testing.assert_allclose(lazy[3, 2, 4:9], whole[3, 2, 4:9], atol=1e-5)
    np.testing.assert_array_equal(
        field.lazy(time_scale=2, keep_acquired=True)[2], recording.data[1]
    )


def test_the_same_seed_gives_the_same_model(field: Any, recording: Volume) -> None:
    again = fit(recording, "published", SMALL, device="cpu", seed=1)
    np.testing.assert_array_equal(again.render().data, field.render().data)


@pytest.mark.slow
def test_frames_are_reproduced_at_their_own_time_whatever_the_scale() -> None:
    """A short schedule on a smooth recording: frame k is at time k, at scale 1 and at any other."""
    t, z, y, x = np.mgrid[:4, :6, :12, :12].astype(np.float32)
    data = np.sin(0.7 * t + 0.35 * x) * np.cos(0.4 * y) + 0.1 * z
    field = fit(Volume(data, (2.0, 1, 1, 1)), "published", LIKE_PUBLISHED, device="cpu")
    scaled = (data - data.min()) / np.ptp(data)
    for scale in (1.0, 2.0, 2.5):
        lazy = field.lazy(time_scale=scale)
        for k, acquired in enumerate(lazy.acquired):
            if acquired is not None:
                assert (
                    psnr((np.asarray(lazy[k]) - data.min()) / np.ptp(data), scaled[acquired]) > 28
                )
                others = [
                    psnr((np.asarray(lazy[k]) - data.min()) / np.ptp(data), scaled[i])
                    for i in range(4)
                    if i != acquired
                ]
                assert max(others) < 26


@pytest.mark.slow
def test_noise_and_odd_sizes_reach_the_second_stage() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 5, 7, 9)).astype("f4")
    field = fit(
        Volume(noise),
        "published",
        changed(SMALL, rcan_max_iter=2000, threshold=99),
        device="cpu",
        time_budget=6,
    )
    assert field.provenance["rcan"]["ended"] in ("plateau", "budget")
    assert field.provenance["mlp"]["steps"] > 0
    assert field.render(scale=2).shape == (3, 10, 14, 18)


@pytest.mark.parametrize("shape", [(1, 5, 8, 9), (3, 1, 9, 8), (2, 3, 4, 5)])
def test_single_frames_and_planes(shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).random(shape).astype("f4")
    assert np.isfinite(
        fit(Volume(data), "published", SMALL, device="cpu").render(time_scale=2, scale_yx=1.5).data
    ).all()


def test_a_threshold_that_is_reached_ends_the_latents(recording: Volume) -> None:
    field = fit(recording, "published", changed(SMALL, threshold=3.0), device="cpu")
    assert field.provenance["rcan"] == {
        "steps": 1,
        "psnr": field.provenance["rcan"]["psnr"],
        "ended": "threshold",
    }
    assert field.provenance["rcan"]["psnr"] >= 3


def test_parts_can_be_switched_off_and_evaluated(recording: Volume) -> None:
    report = evaluate(
        recording, "time", 2, "published", SMALL, "cpu", baselines=("linear",), ablate=True
    )
    wanted = {"spatimeinr", "linear", "without latents", "without cycle", "without 4D rendering"}
    assert wanted <= set(report.methods)
    assert "without motion" not in report.methods
    assert all(np.isfinite(report.methods[name]["psnr"]) for name in wanted)


def test_it_can_be_stopped_at_any_time_and_resumed(
    recording: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatimeinr.training.job.SNAPSHOT_EVERY", 0.0)
    latest = None
    for state in fit_steps(recording, "published", SMALL, device="cpu"):
        if state.field is not None:
            latest = state.field
            assert np.isfinite(latest.lazy(time_scale=2)[1, 2]).all()
        if (
            state.stage == "rendering cells"
            and latest is not None
            and latest.provenance["mlp"]["steps"] == 5
        ):
            break
    assert latest is not None
    done = fit(recording, "published", SMALL, device="cpu", resume=latest)
    assert done.provenance["mlp"]["steps"] == 12
    assert done.provenance["rcan"] == latest.provenance["rcan"]
