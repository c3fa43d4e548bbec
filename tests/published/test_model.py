"""The published method: hypercubes and the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import Volume
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.config.published import Mlp, PublishedOptions
from napari_spatimeinr.published.hypercube import fixed, important, jittered, weights
from napari_spatimeinr.published.model import Published, degraded, encoded
from napari_spatimeinr.published.steps import cells, learning_rate
from published_fits import SMALL


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
