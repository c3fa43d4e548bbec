"""Finer planes: exact where nothing is learned, block by block as in one piece, better than splines
where planes teach it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from fits import PLANES_ALONE
from napari_spatimeinr import Volume, fit, fit_steps, load, phantom
from napari_spatimeinr.analysis.scores import psnr
from napari_spatimeinr.model.finer import FinerPlanes
from napari_spatimeinr.model.sampling import mirrored
from napari_spatimeinr.training.parts.lines import (
    Lateral,
    blur_along_z,
    blurred,
    blurs_to_learn,
    noise_of,
    train_planes,
)

SMALL = {**PLANES_ALONE, "planes": {"steps": 120, "channels": 16, "layers": 4}}


def random_network(factor: int, sharpen: bool) -> FinerPlanes:
    torch.manual_seed(1)
    network = FinerPlanes(factor, 6, 3, sharpen)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return network.requires_grad_(False)


def stack(
    seed: int = 0, shape: tuple[int, int, int] = (40, 64, 64), blur: float = 0.0
) -> np.ndarray[Any, Any]:
    """Isotropic sheets and blobs without noise, more blurred along z by ``blur`` voxels."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), 2.0, mode="nearest")
    sheets = np.exp(-((field / field.std() / 0.35) ** 2))
    return (
        ndimage.gaussian_filter1d(ndimage.gaussian_filter(sheets, 0.7), blur, axis=0)
        if blur
        else sheets
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(1, 9), st.floats(-5, 5))
def test_a_constant_and_the_acquired_planes_stay(factor: int, depth: int, level: float) -> None:
    network = FinerPlanes(factor, 2, 3).requires_grad_(False)
    constant = torch.full((depth, 5, 4), level)
    fine = network.frame(constant)
    assert fine.shape == ((depth - 1) * factor + 1, 5, 4)
    assert torch.allclose(fine, torch.full_like(fine, level), atol=1e-4)
    frame = torch.rand(depth, 5, 4)
    at_planes = network.frame(frame)[::factor]
    # The spline's prefilter is cut off: 0.5 % of a contrast.
    assert torch.allclose(at_planes, frame, atol=0.02)


def test_a_learned_correction_leaves_acquired_planes_alone_unless_it_sharpens() -> None:
    frame = torch.rand(6, 8, 9)
    for sharpen in (False, True):
        network, plain = random_network(3, sharpen), FinerPlanes(3, 2, 3).requires_grad_(False)
        fine = network.frame(frame)
        spline = plain.frame(frame)
        assert torch.allclose(fine[::3], spline[::3], atol=1e-5) is not sharpen
        assert not torch.allclose(fine[1::3], spline[1::3], atol=1e-2)


def test_what_is_made_of_a_block_does_not_depend_on_the_block() -> None:
    frame, network = torch.rand(11, 14, 13), random_network(3, True)
    r = network.reach
    whole = network.frame(frame)
    index = [
        mirrored(torch.arange(a - m, b + m), n)
        for (a, b), m, n in zip(((4, 7), (5, 9), (2, 8)), r, frame.shape, strict=True)
    ]
    part = frame[index[0]][:, index[1]][:, :, index[2]]
    assert torch.allclose(network(part[None, None])[0, 0], whole[12 : 12 + 7, 5:9, 2:8], atol=1e-5)


@pytest.mark.parametrize("blur", [0.0, 1.5, 2.5])
def test_the_blur_along_z_is_found(blur: float) -> None:
    volume = stack(3, (96, 96, 96))
    if blur:
        volume = ndimage.gaussian_filter1d(volume, blur, axis=0)
    coarse = torch.from_numpy(volume[8:88:4].astype(np.float32))
    found = blur_along_z(Lateral(coarse[:-1], coarse[1:]), 4)
    assert abs(found - blur) < 0.8


def test_the_blurs_learned_are_at_most_the_estimate() -> None:
    assert blurs_to_learn(0.0) == [0.0]
    assert blurs_to_learn(0.4) == [0.4]
    assert blurs_to_learn(1.0) == pytest.approx([0.7, 0.85, 1.0])
    assert blurs_to_learn(4.0) == pytest.approx([2, 3, 4])


def test_noise_is_measured_and_blur_is_one_dimensional() -> None:
    noise = 0.3 * torch.randn(4, 60, 60, generator=torch.Generator().manual_seed(0))
    assert noise_of(noise) == pytest.approx(0.3, rel=0.05)
    assert noise_of(noise + torch.linspace(0, 50, 60)) == pytest.approx(0.3, rel=0.05)
    line = torch.zeros(1, 21, 9)
    line[:, 10] = 1
    soft = blurred(line, 2.0)
    assert torch.allclose(soft, soft[:, :, :1].expand_as(soft))
    assert float(soft[0, :, 0].sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("blur", "steps"), [(0.0, 120), (1.5, 300)])
def test_planes_between_are_predicted_better_than_by_interpolation(blur: float, steps: int) -> None:
    """The lateral planes of every fourth plane teach what lies between them; the others are scored."""
    truth = stack(5, (61, 72, 72), blur).astype(np.float32)
    given_planes = np.ascontiguousarray(truth[::4])
    volume = Volume(given_planes[None], (1.0, 4.0, 1.0, 1.0))
    field = fit(volume, config={**SMALL, "planes": {"steps": steps}}, device="cpu")
    assert field.provenance["chosen"]["planes"]
    held = [z for z in range(61) if z % 4]
    fine = np.asarray(field.on_grid(Volume(truth[None], (1.0,) * 4).grid))[0]
    assert np.allclose(fine[::4], given_planes, atol=0.03)
    learned = np.mean([psnr(fine[z], truth[z]) for z in held])
    spline = ndimage.zoom(given_planes, (61 / 16, 1, 1), order=3, mode="nearest", grid_mode=False)
    assert learned > np.mean([psnr(spline[z], truth[z]) for z in held]) + 0.5


@pytest.mark.slow
def test_a_given_psf_is_undone() -> None:
    """Against the truth as sharp along z as across it; without the PSF z stays as blurred as it
    was.
    """
    shape = (1, 24, 48, 48)
    volume, truth = phantom(shape, seed=2)
    sharp = phantom(shape, seed=2, psf=(0.2, 0.2, 0.2))[1]
    field = fit(volume, config={**SMALL, "psf": (0.5, 0.2, 0.2)}, device="cpu")
    assert field.provenance["planes"]["sharpened"]
    assert field.network.planes is not None
    out = field.lazy(scale_z=3)
    plain = field.interpolated().lazy(scale_z=3)
    wanted = sharp.frame(0.0, out.grid)
    assert psnr(np.asarray(out[0]), wanted) > psnr(np.asarray(plain[0]), wanted) + 3
    same = fit(volume, config=SMALL, device="cpu").lazy(scale_z=3)
    blurry = truth.frame(0.0, out.grid)
    assert psnr(np.asarray(same[0]), blurry) > psnr(np.asarray(plain[0]), blurry)
    assert psnr(np.asarray(same[0]), blurry) > psnr(np.asarray(out[0]), blurry)


def test_planes_that_have_nothing_in_common_switch_it_off() -> None:
    """Each plane is drawn anew: what the planes teach is wrong along z, and the gate says so."""
    rng = np.random.default_rng(0)
    planes = np.stack([ndimage.gaussian_filter(rng.standard_normal((40, 40)), 2) for _ in range(9)])
    field = fit(Volume(planes[None].astype("f4"), (1.0, 2.0, 1.0, 1.0)), config=SMALL, device="cpu")
    assert field.provenance["planes"]["hold_out"]["method"] == "cubic"
    assert "planes" in field.provenance["reasons"]
    assert field.network.planes is None
    assert not field.provenance["chosen"]["planes"]


@pytest.mark.parametrize(
    ("shape", "spacing", "on"),
    [
        ((1, 9, 20, 20), (1, 2, 1, 1), True),
        ((2, 9, 20, 24), (1, 2.4, 1, 1), True),
        ((1, 1, 20, 20), (1, 2, 1, 1), False),
        ((1, 9, 20, 20), (1, 1, 1, 1), False),
        ((1, 9, 20, 20), (1, 0.5, 1, 1), False),
        ((1, 9, 7, 20), (1, 2, 1, 1), False),
        ((1, 9, 20, 20), (1, 7, 1, 1), False),
        ((1, 2, 16, 16), (1, 2, 1, 1), True),
    ],
)
def test_where_there_is_something_to_learn(shape: Any, spacing: Any, on: bool) -> None:
    data = np.random.default_rng(0).random(shape).astype("f4")
    config = {**PLANES_ALONE, "gate": False, "planes": {"steps": 2, "channels": 4, "layers": 2}}
    field = fit(Volume(data, spacing), config=config, device="cpu")
    assert (field.network.planes is not None) is on
    out = field.render(scale_z=2.5).data
    assert out.shape == (shape[0], round(2.5 * shape[1] + 0.01), *shape[2:])
    assert np.isfinite(out).all()


def test_too_few_planes_to_judge_by_are_interpolated() -> None:
    data = np.random.default_rng(0).random((1, 4, 20, 20)).astype("f4")
    field = fit(Volume(data, (1, 2, 1, 1)), config=SMALL, device="cpu")
    assert field.network.planes is None
    assert not field.provenance["chosen"]["planes"]


def test_a_blur_that_cannot_be_undone_is_told() -> None:
    data = np.random.default_rng(0).random((1, 1, 20, 20)).astype("f4")
    field = fit(Volume(data, (1, 2, 1, 1)), config={**SMALL, "psf": (0.5, 0.2, 0.2)}, device="cpu")
    assert field.network.planes is None
    assert "not undone" in field.provenance["warnings"][0]


@pytest.fixture
def field(every_part: Any) -> Any:
    return every_part


def test_a_model_keeps_it(field: Any, tmp_path: Path) -> None:
    again = load(field.save(tmp_path / "m.spatimeinr"), "cpu")
    assert again.network.planes.factor == field.network.planes.factor == 2
    for how in ({"scale_z": 3}, {"time_scale": 2, "scale_z": 2, "scale_yx": 1.5}):
        np.testing.assert_array_equal(again.render(**how).data, field.render(**how).data)


@pytest.mark.slow
def test_planes_and_blocks_equal_the_whole(field: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatimeinr.render import blocks, tiles

    whole = np.asarray(field.lazy(time_scale=2, scale_z=3))
    monkeypatch.setattr(blocks, "POINTS", 100)
    monkeypatch.setattr(tiles, "TILE", (2, 5, 6))
    again = type(field)(
        field.volume, field.network, field.normalisation, field.config, field.device
    )
    array = again.lazy(time_scale=2, scale_z=3)
    np.testing.assert_allclose(np.asarray(array), whole, atol=1e-5)
    np.testing.assert_allclose(array[3, 7, 2:9], whole[3, 7, 2:9], atol=1e-5)


def test_the_acquired_planes_are_rendered_as_before_at_scale_one(field: Any) -> None:
    """Only finer planes are made by it: at the recording's own planes nothing changes."""
    plain = type(field)(
        field.volume, field.network.copy(), field.normalisation, field.config, field.device
    )
    plain.network.planes = None
    np.testing.assert_array_equal(field.render(time_scale=2).data, plain.render(time_scale=2).data)
    assert not np.array_equal(field.render(scale_z=2).data, plain.render(scale_z=2).data)


def test_resuming_keeps_it(field: Any, recording: Volume) -> None:
    again = fit(recording, resume=field, config=field.config, device="cpu")
    assert again.provenance["planes"] == field.provenance["planes"]
    for a, b in zip(
        again.network.planes.parameters(), field.network.planes.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_a_fit_stopped_while_it_learns_planes_learns_them_when_resumed(
    recording: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_spatimeinr.training.job.SNAPSHOT_EVERY", 0.0)
    config = {**PLANES_ALONE, "gate": False, "planes": {"steps": 6, "channels": 4, "layers": 2}}
    stopped = None
    for state in fit_steps(recording, config=config, device="cpu"):
        stopped = state.field
        if state.stage == "planes" and state.step >= 2:
            break
    assert stopped is not None
    assert stopped.network.planes is None
    again = fit(recording, resume=stopped, config=config, device="cpu")
    assert again.network.planes is not None
    assert again.provenance["chosen"]["planes"]


def test_training_is_repeatable(recording: Volume) -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        network = FinerPlanes(2, 4, 2)
        planes = torch.from_numpy(np.asarray(recording.data[0, :-1]))
        losses = [
            loss for _, loss in train_planes(network, Lateral(planes, planes), 2, [0.7], 5, 1e-3, 7)
        ]
        runs.append(losses)
    assert runs[0] == runs[1]
    assert all(np.isfinite(runs[0]))
