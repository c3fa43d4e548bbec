"""The published method, repaired: what it computes, its configuration, its commands, and its place
beside the default model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import Volume, evaluate, fit, fit_steps, load
from napari_spatimeinr.analysis.scores import psnr
from napari_spatimeinr.cli.app import app
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.config.published import READY, Mlp, PublishedOptions
from napari_spatimeinr.errors import ConfigError, FormatError, InputError
from napari_spatimeinr.published import files
from napari_spatimeinr.published import model as implicit
from napari_spatimeinr.published.hypercube import fixed, important, jittered, shells, weights
from napari_spatimeinr.published.method import PublishedMethod
from napari_spatimeinr.published.model import SPREAD, Published, degraded, encoded
from napari_spatimeinr.published.steps import cells, learning_rate

SMALL: dict[str, Any] = {
    "max_iter": 12,
    "save_iter": 5,
    "log_iter": 4,
    "n_samples": 4,
    "n_imps": 2,
    "len_lz": 28,
    "rcan_max_iter": 6,
    "closed_share": 0.5,
    "dataset": {"train": {"bsize": 64}, "eval": {"bsize": 4096}},
    "rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4},
    "model": {"netD": 3, "netW": 24, "skips": [1], "max_freq": 3},
    "precision": "float32",
}
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


def changed(base: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**base, **more}


@pytest.fixture(scope="module")
def field(recording: Volume) -> Any:
    return fit(recording, "published", SMALL, device="cpu", seed=1)


# -- hypercubes -------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 24), st.integers(0, 1000))
def test_jitter_is_stratified_covers_the_box_and_has_mean_zero(samples: int, seed: int) -> None:
    points = jittered(400, samples, torch.Generator().manual_seed(seed))
    assert points.shape == (400, samples, 4)
    assert float(points.abs().max()) <= 1
    inside = ((points + 1) / 2 * samples).sort(1).values - torch.arange(samples)[None, :, None]
    assert float(inside.min()) > -1e-4
    assert float(inside.max()) < 1 + 1e-4
    assert (
        float(points.mean((0, 1)).abs().max()) < 5 / (samples * np.sqrt(3 * 400 * samples)) + 1e-6
    )
    assert float(points.amax((0, 1)).min()) > 1 - 0.1
    assert float(points.amin((0, 1)).max()) < -1 + 0.1


@pytest.mark.parametrize("samples", [1, 3, 5, 16, 33])
def test_outputs_are_sampled_at_distinct_radii_around_the_centre(samples: int) -> None:
    points = fixed(samples)
    assert points.shape == (samples, 4)
    assert torch.equal(points, fixed(samples))
    assert float(points.abs().max()) <= 1
    assert torch.allclose(points.mean(0), torch.zeros(4), atol=1e-6)
    radii = points.norm(dim=1).sort().values
    assert samples == 1 or float(radii.diff().min()) > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.floats(0, 60), st.integers(0, 100))
def test_weights_sum_to_one_whatever_the_density(samples: int, density: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = jittered(7, samples, generator)
    order, weight = weights(points, density * torch.rand(7, samples, generator=generator))
    assert torch.allclose(weight.sum(1), torch.ones(7), atol=1e-5)
    assert float(weight.min()) >= 0
    assert bool((points.norm(dim=-1).gather(1, order).diff(dim=1) >= 0).all())


def test_added_samples_lie_where_the_weights_are() -> None:
    points = jittered(50, 16, torch.Generator().manual_seed(0))
    density = torch.where(points.norm(dim=-1) < 0.9, 80.0, 0.0)
    order, weight = weights(points, density)
    added = important(points, order, weight, torch.linspace(0.05, 0.9, 5).expand(50, -1))
    assert added.shape == (50, 5, 4)
    assert float(added.abs().max()) <= 1
    assert bool(torch.isfinite(added).all())
    inner = points.norm(dim=-1).sort(1).values[:, 0]
    assert float((added.norm(dim=-1) <= inner[:, None] + 0.7).float().mean()) > 0.9


def test_the_encoding_is_that_of_the_paper() -> None:
    options = Mlp()
    x = torch.rand(3, 4)
    out = encoded(x, options)
    assert out.shape == (3, 92)
    assert torch.equal(out[:, :4], x)
    assert torch.allclose(out[:, 4:8], torch.sin(np.pi * x))
    assert torch.allclose(out[:, 48:52], torch.cos(np.pi * x), atol=1e-6)


# -- the model --------------------------------------------------------------------------------


def small_model(shape: tuple[int, int, int, int]) -> Published:
    torch.manual_seed(0)
    options = make_config("published", SMALL).published
    assert options is not None
    model = Published(options, shape)
    with torch.no_grad():
        coarse = degraded(torch.rand(1, *shape), model.factors)
        model.keep_features(coarse)
    return model


def test_a_constant_value_comes_out_exactly() -> None:
    model = small_model((3, 6, 8, 8))
    with torch.no_grad():
        model.mlp.last.weight[0].zero_()
        model.mlp.last.bias[0] = 0.37
    points = torch.rand(40, 4) * torch.tensor([2.0, 5, 7, 7])
    coarse, fine = model.cells(
        points, torch.full((4,), 0.5), fixed(4).expand(40, -1, -1), torch.rand(40, 2)
    )
    assert torch.allclose(coarse, torch.tensor(0.37), atol=1e-6)
    assert torch.allclose(fine, torch.tensor(0.37), atol=1e-6)


def test_gradients_are_those_of_differences() -> None:
    model = small_model((3, 4, 6, 6)).double()
    points = torch.rand(5, 4, dtype=torch.float64) * 2
    half, offsets = torch.full((4,), 0.5, dtype=torch.float64), fixed(4).double().expand(5, -1, -1)
    bias, last = model.mlp.layers[0].bias, model.mlp.last.weight

    def loss(b: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        values = dict(model.named_parameters()) | {"mlp.layers.0.bias": b, "mlp.last.weight": w}
        latent = model.latents(points)
        out, density = torch.func.functional_call(
            model.mlp, {k.removeprefix("mlp."): v for k, v in values.items() if k.startswith("mlp.")},
            (encoded(2 * (points[:, None] + offsets * half) / 5 - 1, model.options.model) + latent[:, None],),
        )  # fmt: skip
        order, weight = weights(offsets, density.double())
        return (out.double().gather(1, order) * weight).sum()

    def single(x: torch.Tensor) -> torch.Tensor:
        return loss(x[: len(bias)], x[len(bias) :].view_as(last))

    at = torch.cat([bias.detach(), last.detach().flatten()]).requires_grad_(True)
    (gradient,) = torch.autograd.grad(single(at), at)
    for i in range(0, len(at), 9):
        step = torch.zeros_like(at)
        # The output head computes in single precision.
        step[i] = 1e-2
        with torch.no_grad():
            slope = (single(at + step) - single(at - step)) / 2e-2
        assert float(slope) == pytest.approx(float(gradient[i]), rel=0.05, abs=2e-3)


def test_latents_are_linear_in_time_and_space_and_centred_on_their_blocks() -> None:
    model = small_model((4, 8, 8, 8))
    ramp = torch.arange(4.0)
    model.features = ramp[None, None, None, None, :].expand(1, 8, 4, 4, 4).clone()
    with torch.no_grad():
        model.heads.copy_(torch.ones_like(model.heads) * torch.arange(4.0)[:, None, None])
    # Voxels 2 i and 2 i + 1 make block i, whose centre is voxel 2 i + 0.5.
    points = torch.tensor([[1.0, 3, 3, 2.5], [1.5, 3, 3, 2.5], [2.0, 3, 3, 4.5], [2.0, 3, 3, 3.5]])
    found = model.latents(points)[:, 0]
    assert found.tolist() == pytest.approx([8 * 1 * 1, 8 * 1.5 * 1, 8 * 2 * 2, 8 * 2 * 1.5])
    one_time = model.latents(points[2:])
    assert torch.allclose(one_time[:, 0], found[2:], atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(2, 4))
def test_any_size_is_degraded_and_restored_to_itself(z: int, y: int, x: int, factor: int) -> None:
    frames = torch.rand(1, 2, z, y, x)
    options = PublishedOptions.model_validate(
        {k: v for k, v in SMALL.items() if k != "precision"}
        | {"dataset": {"train": {"downsample": factor}, "eval": {"downsample": factor}}}
    )
    model = Published(options, (2, z, y, x))
    coarse = degraded(frames, model.factors)
    assert model.reconstructed(coarse, (z, y, x)).shape == frames.shape
    constant = degraded(torch.full_like(frames, 0.3), model.factors)
    assert torch.allclose(constant, torch.full_like(constant, 0.3))


def test_every_voxel_is_a_target_once_in_a_round(recording: Volume) -> None:
    from napari_spatimeinr.model.frames import Frames, Normalisation

    frames = Frames(
        np.asarray(recording.data),
        Normalisation(0.0, 1.0, (1.0,) * recording.shape[0]),
        torch.device("cpu"),
    )
    total = int(np.prod(recording.shape))
    for shuffle in (True, False):
        seen, batches = [], cells(frames, 1000, shuffle, torch.Generator().manual_seed(0))
        while sum(map(len, seen)) < total:
            points, values = next(batches)
            t, z, y, x = points.long().T
            assert torch.allclose(
                values, torch.from_numpy(np.asarray(recording.data)[t, z, y, x]).float()
            )
            seen.append(points)
        assert len(torch.cat(seen).unique(dim=0)) == total == len(torch.cat(seen))


def test_the_learning_rate_warms_up_and_decays() -> None:
    options = PublishedOptions()
    rates = [learning_rate(options, s / 20_000) for s in range(0, 20_001, 100)]
    assert rates[0] == pytest.approx(0.01 * 5e-4)
    assert max(rates) == rates[10] == pytest.approx(5e-4 * 0.01 ** (1 / 50))
    assert rates[-1] == pytest.approx(5e-4 * 0.01 ** (20 / 50))
    assert rates[10:] == sorted(rates[10:], reverse=True)


# -- the preset -------------------------------------------------------------------------------


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


# -- configuration ----------------------------------------------------------------------------


def test_the_shipped_file_says_the_defaults_and_all_of_them() -> None:
    said = yaml.safe_load(READY.read_text())
    config = make_config("published", READY)
    assert config == make_config("published")
    assert config.published is not None
    dumped = config.published.model_dump(mode="json")
    assert {k: v for k, v in said.items() if k not in ("cycle", "precision")} == dumped


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_itre": 3}, "max_iter"),
        ({"rcan": {"n_feat": 3}}, "n_feats"),
        ({"len_lz": 90}, "92"),
        ({"model": {"in_ch": 3}}, "in_ch"),
        ({"model": {"name": "other"}}, "SpatimeINR"),
        ({"model": {"skips": [10]}}, "skips"),
        ({"rcan": {"reduction": 64}}, "reduction"),
        ({"optim": {"betas": [0.9, 1.0]}}, "betas"),
        ({"dataset": {"train": {"downsample": 3}}}, "downsample"),
        ({"dataset": {"train": {"scale": 1.5}}}, "whole"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_config("published", change)


@pytest.mark.parametrize("name", ["in_channels", "out_channels"])
def test_channels_that_are_not_those_of_the_data_are_refused(recording: Volume, name: str) -> None:
    count = recording.shape[0]
    with pytest.raises(ConfigError, match=f"{name} is {count + 1}.*{count} time points"):
        fit(
            recording,
            "published",
            changed(SMALL, rcan={**SMALL["rcan"], name: count + 1}),
            device="cpu",
        )
    fit(
        recording,
        "published",
        changed(SMALL, max_iter=1, rcan={**SMALL["rcan"], name: count}),
        device="cpu",
    )


# -- commands ---------------------------------------------------------------------------------


def run(*arguments: Any) -> int:
    return int(app([str(a) for a in arguments], standalone_mode=False) or 0)


@pytest.fixture
def folder(tmp_path: Path, recording: Volume) -> Path:
    recording.save(tmp_path / "data.nii.gz")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path


def test_train_and_infer_leave_the_published_files(
    folder: Path, recording: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "--config",
        folder / "c.yaml",
        "--save_path",
        folder / "run",
        "--file",
        folder / "data.nii.gz",
        "--device",
        "cpu",
    )
    assert app([str(a) for a in ("train", *options, "--json")], standalone_mode=False) in (None, 0)
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["steps"] == 12
    assert facts["rcan"]["steps"] == 6
    current = torch.load(folder / "run" / "current.pth", weights_only=True)
    latents = torch.load(folder / "run" / "latent_code.pt", weights_only=True)
    assert current["weights"]
    assert set(latents) == {"published.features", "published.heads"}
    app(
        [str(a) for a in ("infer", *options, "--scale", 1.5, "--scale_z", 2.5, "--scaleT", 2)],
        standalone_mode=False,
    )
    image = nibabel.load(folder / "run" / "output.nii.gz")
    t, z, y, x = recording.shape
    assert image.shape == (int(1.5 * x + 0.5), int(1.5 * y + 0.5), int(2.5 * z + 0.5), 2 * t - 1)
    source = nibabel.load(folder / "data.nii.gz")
    assert image.header.get_xyzt_units() == source.header.get_xyzt_units()
    zooms = source.header.get_zooms()
    assert image.header.get_zooms()[3] == pytest.approx(zooms[3] / 2)
    assert image.header.get_zooms()[0] == pytest.approx(zooms[0] * x / image.shape[0])
    assert np.isfinite(image.get_fdata()).all()


def test_train_goes_on_where_it_was_and_refuses_what_does_not_belong(
    folder: Path, recording: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ("train", "--save_path", folder / "run", "--device", "cpu")
    data = ("--file", folder / "data.nii.gz")
    (folder / "short.yaml").write_text(yaml.safe_dump(changed(SMALL, max_iter=12)))
    assert run(*base, *data, "--config", folder / "short.yaml") == 0
    capsys.readouterr()
    assert run(*base, *data, "--config", folder / "short.yaml") == 0
    assert "Going on from step 12" in capsys.readouterr().err
    (folder / "other.yaml").write_text(yaml.safe_dump(changed(SMALL, n_imps=1)))
    assert run(*base, *data, "--config", folder / "other.yaml") == 2
    assert "other options" in capsys.readouterr().err
    Volume(np.asarray(recording.data) + 1, recording.spacing).save(folder / "b.nii")
    for command in ("train", "infer"):
        arguments = (
            command,
            *base[1:],
            "--config",
            folder / "short.yaml",
            "--file",
            folder / "b.nii",
        )
        assert run(*arguments) == 1
        assert "another recording" in capsys.readouterr().err


def test_what_is_missing_or_damaged_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ("--config", folder / "c.yaml", "--device", "cpu")
    assert run("train", *config, "--file", folder / "data.nii.gz") == 2
    assert "--save_path" in capsys.readouterr().err
    assert (
        run("infer", *config, "--file", folder / "data.nii.gz", "--save_path", folder / "none") == 1
    )
    assert "spatimeinr train" in capsys.readouterr().err
    (folder / "bad").mkdir()
    for name in ("current.pth", "latent_code.pt"):
        (folder / "bad" / name).write_bytes(b"rubbish")
    assert (
        run("infer", *config, "--file", folder / "data.nii.gz", "--save_path", folder / "bad") == 1
    )
    told = capsys.readouterr().err
    assert "damaged" in told
    assert len(told.strip().splitlines()) == 1


def test_config_prints_the_ready_file(capsys: pytest.CaptureFixture[str]) -> None:
    app(["config", "published"], standalone_mode=False)
    assert capsys.readouterr().out == READY.read_text()
    app(["config", "published", "--set", "published.n_imps=3"], standalone_mode=False)
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["n_imps"] == 3
    assert make_config("published", printed).published.n_imps == 3


def test_errors_are_of_the_package(tmp_path: Path, recording: Volume) -> None:
    with pytest.raises(FormatError, match=r"current\.pth"):
        files.load(tmp_path, recording, "x", "cpu")
    field = fit(recording, "published", SMALL, device="cpu")
    files.save(field, tmp_path)
    with pytest.raises(InputError, match="another recording"):
        files.load(tmp_path, recording, "x", "cpu")


# -- latents as they are used, budgets, parts that fit the cache ----------------------------------


@pytest.mark.parametrize("shape", [(3, 6, 8, 10), (2, 7, 9, 5), (1, 3, 8, 8)])
def test_the_latents_are_trained_where_they_are_used(shape: tuple[int, int, int, int]) -> None:
    """What the training of the latents compares is a linear function of the latent at each voxel."""
    torch.manual_seed(0)
    options = PublishedOptions.model_validate({k: v for k, v in SMALL.items() if k != "precision"})
    model = Published(options, shape)
    frames = torch.rand(1, *shape)
    coarse = degraded(frames, model.factors)
    with torch.no_grad():
        made = model.reconstructed(coarse, shape[1:])[0]
        before = model.heads.clone()
        model.keep_features(coarse)
        scale = float((model.heads / before).mean())
        grid = torch.stack(
            torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij"), -1
        ).reshape(-1, 4)
        latents = model.latents(grid.float()) / scale
        place = [grid[:, 1 + axis] % f for axis, f in enumerate(model.factors)]
        number = (place[0] * model.factors[1] + place[1]) * model.factors[2] + place[2]
        value = (latents * model.up.weight[number]).sum(1) + model.up.bias[number]
        spread = torch.stack(
            [torch.einsum("lf,nfzyx->nlzyx", head, model.features).std() for head in model.heads]
        ).mean()
    assert made.shape == shape
    assert torch.allclose(value.view(shape), made, atol=1e-4)
    assert float(spread) == pytest.approx(SPREAD, rel=1e-3)


def test_cells_in_parts_are_the_cells_as_a_whole(
    field: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.asarray(field.lazy(time_scale=2)[1])
    monkeypatch.setattr(implicit, "CACHED", 40)
    assert field.method.model.at_once() == 40 // 6
    assert np.allclose(
        np.asarray(field.lazy(time_scale=2)[1]), whole, atol=1e-4 * float(np.ptp(whole))
    )


@pytest.mark.slow
def test_a_short_budget_makes_small_steps_and_says_so(recording: Volume) -> None:
    many = changed(SMALL, max_iter=1_000_000, dataset={"train": {"bsize": 4096}})
    facts = fit(recording, "published", many, device="cpu", time_budget=3).provenance["mlp"]
    assert facts["cells"] == 256
    assert facts["ended"] == "budget"
    assert facts["steps"] > 0
    facts = fit(
        recording, "published", changed(SMALL, max_iter=4), device="cpu", time_budget=100
    ).provenance["mlp"]
    assert facts == {"steps": 4, "cells": 64, "ended": "max_iter"}


def test_hypercubes_open_late_and_a_fit_stopped_before_renders_as_it_was_trained(
    recording: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatimeinr.training.job.SNAPSHOT_EVERY", 0.0)
    steps = fit_steps(recording, "published", SMALL, device="cpu", seed=1)
    early = None
    for state in steps:
        if state.field is not None and isinstance(state.field.method, PublishedMethod):
            model = state.field.method.model
            done = state.field.provenance["mlp"]["steps"]
            assert bool(model.closed) == (done <= 6), "half of 12 steps"
            if done == 3:
                early = state.field
                break
    steps.close()
    assert early is not None
    early.save(tmp_path / "early.spatimeinr")
    again = load(tmp_path / "early.spatimeinr")
    assert again.method.model.is_point()
    assert again.method.model.at_once() == implicit.CACHED
    assert np.allclose(
        np.asarray(again.lazy()[0]), np.asarray(early.lazy()[0]), rtol=1e-3, atol=1e-3
    )
    late = fit(recording, "published", SMALL, device="cpu", seed=1, resume=again)
    assert late.provenance["mlp"]["steps"] == 12
    assert not late.method.model.is_point()
    always = fit(
        recording, "published", changed(SMALL, closed_share=0.0, max_iter=2), device="cpu"
    ).method.model
    never = fit(
        recording,
        "published",
        changed(SMALL, max_iter=2, render={"hypercube": False}),
        device="cpu",
    ).method.model
    assert not always.is_point()
    assert never.is_point()


def test_samples_stand_for_shells_of_which_none_outweighs_the_others() -> None:
    offsets = fixed(16)[None]
    radius = offsets.norm(dim=-1).sort(1).values
    edges = shells(radius)
    assert edges.shape == (1, 17)
    assert bool((edges[:, :-1] <= radius).all())
    assert bool((edges[:, 1:] >= radius).all())
    _, weight = weights(offsets, torch.full((1, 16), 0.7))
    assert float(weight.max()) < 0.25
    assert float(weight.sum()) == pytest.approx(1, abs=1e-5)
    assert shells(torch.tensor([[0.0]])).diff().item() == 1.0
