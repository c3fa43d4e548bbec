"""Finer voxels in the plane: exact where nothing is learned, in blocks as in one piece, off unless
asked for, judged when it is.
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

from fits import LEAST, PLANES_ALONE
from napari_spatimeinr import Volume, fit, load
from napari_spatimeinr.analysis.estimate import estimate
from napari_spatimeinr.analysis.scores import psnr
from napari_spatimeinr.config.options import make_config
from napari_spatimeinr.model.finer import FinerVoxels, mirrored_around
from napari_spatimeinr.training.parts.voxels import blur_of_scale

ASKED: dict[str, Any] = {
    **PLANES_ALONE,
    "planes": {"enabled": False},
    "voxels": {"enabled": True, "steps": 150, "channels": 16, "layers": 4},
}


def random_network(factor: int) -> FinerVoxels:
    torch.manual_seed(1)
    network = FinerVoxels(factor, 6, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    return network.requires_grad_(False)


def sheets(shape: tuple[int, int, int], width: float, seed: int = 0) -> np.ndarray[Any, Any]:
    """Thin bright lines in planes, sharper the smaller ``width``, at twice the sampling that is
    given to the fit.
    """
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), (1.0, 7.0, 7.0), mode="wrap")
    return np.exp(-((field / field.std() / width) ** 2)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(1, 7), st.integers(1, 7), st.floats(-5, 5))
def test_a_constant_and_the_acquired_voxels_stay(factor: int, y: int, x: int, level: float) -> None:
    network = FinerVoxels(factor, 2, 3).requires_grad_(False)
    fine = network.frame(torch.full((2, y, x), level))
    assert fine.shape == (2, (y - 1) * factor + 1, (x - 1) * factor + 1)
    assert torch.allclose(fine, torch.full_like(fine, level), atol=1e-4)
    frame = torch.rand(2, y, x)
    # Twice the cut of the spline's prefilter: 0.5 % of a contrast along each axis.
    assert torch.allclose(network.frame(frame)[:, ::factor, ::factor], frame, atol=0.04)


def test_axes_are_treated_alike() -> None:
    network, frame = random_network(3), torch.rand(2, 9, 8)
    turned = network.frame(frame.transpose(1, 2)).transpose(1, 2)
    assert torch.allclose(turned, network.frame(frame), atol=1e-5)
    assert not torch.allclose(
        network.frame(frame), FinerVoxels(3, 2, 2).requires_grad_(False).frame(frame), atol=0.05
    )


def test_what_is_made_of_a_block_does_not_depend_on_the_block() -> None:
    frame, network = torch.rand(3, 14, 13), random_network(2)
    _, r, _ = network.reach
    around = mirrored_around(frame, (0, r, r))
    part = around[1:3, 5 : 9 + 2 * r, 2 : 8 + 2 * r]
    whole = network.frame(frame)
    assert torch.allclose(network(part[None, None])[0, 0], whole[1:3, 10:17, 4:15], atol=1e-5)


def test_the_blur_between_scales_is_none_where_there_is_no_structure_left_and_grows_with_the_factor() -> (
    None
):
    fine = torch.from_numpy(
        ndimage.gaussian_filter(
            np.random.default_rng(0).standard_normal((8, 96, 96)), (0, 1.2, 1.2)
        )
    )
    two, three = (blur_of_scale(fine.float(), factor) for factor in (2, 3))
    # A Gaussian of 1.2 voxels becomes one of 1.2 voxels that are twice, thrice as large.
    assert two == pytest.approx(1.2 * np.sqrt(3), rel=0.25)
    assert three == pytest.approx(1.2 * np.sqrt(8), rel=0.25)
    assert blur_of_scale(fine[:, :4, :4].float(), 2) == 0


@pytest.mark.slow
def test_finer_voxels_than_splines_make() -> None:
    truth = sheets((6, 193, 193), 0.12)
    truth = ndimage.gaussian_filter(truth, (0, 0.8, 0.8))
    volume = Volume(np.ascontiguousarray(truth[None, :, ::2, ::2]), (1.0, 1.0, 1.0, 1.0))
    field = fit(volume, config=ASKED, device="cpu")
    assert field.provenance["chosen"]["voxels"]
    assert field.provenance["voxels"]["hold_out"]["gain_over_cubic_db"] > 0
    grid = Volume(truth[None], (1.0, 1.0, 0.5, 0.5)).grid
    ours, plain = (np.asarray(f.on_grid(grid))[0] for f in (field, field.interpolated()))
    assert np.allclose(ours[:, ::2, ::2], volume.data[0], atol=0.05)
    assert psnr(ours, truth) > psnr(plain, truth) + 0.3


def test_what_does_not_hold_for_the_part_kept_back_is_refused() -> None:
    """Sharp lines teach nothing about waves that splines follow exactly, and those are what it is
    judged on.
    """
    lines = sheets((4, 120, 60), 0.1)
    y, x = np.mgrid[:120, :60]
    lines[:, 88:] = np.sin(y / 4.0 + x / 5.0)[88:]
    field = fit(Volume(lines[None], (1.0,) * 4), config=ASKED, device="cpu")
    assert field.network.voxels is None
    assert not field.provenance["chosen"]["voxels"]
    assert "voxels" in field.provenance["reasons"]
    assert field.provenance["voxels"]["hold_out"]["gain_over_cubic_db"] < 0


def test_it_is_off_by_default_and_small_planes_are_told() -> None:
    data = np.random.default_rng(0).random((1, 3, 20, 20)).astype("f4")
    plain = fit(Volume(data, (1.0,) * 4), config=PLANES_ALONE, device="cpu")
    assert plain.network.voxels is None
    assert "voxels" not in plain.provenance["reasons"]
    asked = fit(Volume(data, (1.0,) * 4), config=ASKED, device="cpu")
    assert asked.network.voxels is None
    assert "too small" in asked.provenance["reasons"]["voxels"]


def test_it_is_counted_in_the_estimate() -> None:
    shape, asked = (1, 4, 70, 70), make_config("balanced", ASKED)
    plain = make_config("balanced", {**ASKED, "voxels": {"enabled": False}})
    a, b = (estimate(shape, config, "cpu").seconds for config in (asked, plain))
    assert a is not None
    assert b is not None
    assert a > b


@pytest.fixture(scope="module")
def field(recording: Volume) -> Any:
    config = {**LEAST, "voxels": {"enabled": True, **LEAST["planes"]}}
    return fit(recording, config=config, device="cpu")


@pytest.mark.slow
def test_a_model_keeps_it_and_resuming_too(field: Any, recording: Volume, tmp_path: Path) -> None:
    assert field.network.voxels is not None
    again = load(field.save(tmp_path / "m.spatimeinr"), "cpu")
    for how in ({"scale_yx": 2}, {"time_scale": 2, "scale": 1.5}):
        np.testing.assert_array_equal(again.render(**how).data, field.render(**how).data)
    resumed = fit(recording, resume=again, config=field.config, device="cpu")
    assert resumed.provenance["voxels"] == field.provenance["voxels"]
    for a, b in zip(
        resumed.network.voxels.parameters(), field.network.voxels.parameters(), strict=True
    ):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_planes_and_blocks_equal_the_whole(field: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_spatimeinr.render import blocks, tiles

    how: dict[str, Any] = {"time_scale": 2, "scale_z": 2, "scale_yx": 2.5}
    whole = np.asarray(field.lazy(**how))
    monkeypatch.setattr(blocks, "POINTS", 100)
    monkeypatch.setattr(tiles, "TILE", (2, 5, 6))
    again = type(field)(
        field.volume, field.network, field.normalisation, field.config, field.device
    )
    array = again.lazy(**how)
    np.testing.assert_allclose(np.asarray(array), whole, atol=1e-5)
    np.testing.assert_allclose(array[3, 7, 2:9], whole[3, 7, 2:9], atol=1e-5)


def test_only_finer_voxels_are_made_by_it(field: Any) -> None:
    plain = type(field)(
        field.volume, field.network.copy(), field.normalisation, field.config, field.device
    )
    plain.network.voxels = None
    for how in ({"time_scale": 2}, {"scale_z": 2}):
        np.testing.assert_array_equal(field.render(**how).data, plain.render(**how).data)
    assert not np.array_equal(field.render(scale_yx=2).data, plain.render(scale_yx=2).data)
