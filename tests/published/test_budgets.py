"""The published method: latents as they are used, budgets, parts that fit the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_spatimeinr import Volume, fit, fit_steps, load
from napari_spatimeinr.config.published import PublishedOptions
from napari_spatimeinr.published import model as implicit
from napari_spatimeinr.published.hypercube import fixed, shells, weights
from napari_spatimeinr.published.method import PublishedMethod
from napari_spatimeinr.published.model import SPREAD, Published, degraded
from published_fits import SMALL, changed


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
