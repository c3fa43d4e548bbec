"""Rendering: values."""

from __future__ import annotations

import numpy as np
import pytest

from fits import INTERPOLATION, KEPT
from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr.errors import GridError, InputError
from napari_spatimeinr.render.sampler import Sampler
from render_fields import ORIGIN, SHAPE, SPACING, fresh

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def plain(volume) -> Field:
    """Without latents: acquired frames are themselves."""
    return fit(volume, config={**KEPT, "latents": {"enabled": False}}, device="cpu")


def test_motion_alone_gives_the_frames_back(plain, volume):
    contrast = float(np.ptp(volume.data))
    np.testing.assert_allclose(plain.render().data, volume.data, atol=1e-2 * contrast)


@pytest.mark.slow
def test_scale_one_is_not_noisier_than_the_frames():
    noisy, truth = phantom((5, 10, 32, 32), motion=2.0, seed=4)
    small = {**KEPT, "gate": True, "latents": {**KEPT["latents"], "steps": 60}}
    out = fit(noisy, config=small, device="cpu").render().data
    clean = np.stack([truth.frame(60.0 * k, noisy.grid) for k in range(5)])
    ours, raw = (-10 * np.log10(np.mean((a - clean) ** 2)) for a in (out, noisy.data))
    assert ours >= raw - 0.2


def test_intensities_are_in_the_units_of_the_source(field, volume):
    out = field.render(time_scale=2, scale_z=2).data
    assert out.dtype == np.float32
    assert out.mean() == pytest.approx(volume.data.mean(), rel=0.03)


def test_larger_cells_are_averages_unless_switched_off(volume):
    raw = volume.data.astype(np.float64)[:, :, :16]
    small = Volume(np.ascontiguousarray(volume.data[:, :, :16]), SPACING)
    off = {part: {"enabled": False} for part in ("motion", "latents", "planes")}
    mean = raw.reshape(4, 9, 8, 2, 10, 2).mean((3, 5))
    contrast = np.ptp(raw)
    out = fit(small, config=off, device="cpu").render(scale_yx=0.5).data
    np.testing.assert_allclose(out, mean, atol=2e-3 * contrast)
    sampled = (
        fit(small, config={**off, "render": {"hypercube": False}}, device="cpu")
        .render(scale_yx=0.5)
        .data
    )
    assert np.abs(sampled - mean).max() > 0.02 * contrast


@pytest.mark.parametrize("axes", [(1, 2, 3), (1,), (3,), (2, 3)])
@pytest.mark.parametrize("factor", [1.5, 40, 1e9])
def test_a_cell_larger_than_the_recording_is_the_mean_of_what_exists(volume, axes, factor):
    voxel = tuple(SPACING[a] * (SHAPE[a] * factor if a in axes else 1) for a in (1, 2, 3))
    out = fit(volume, config=INTERPOLATION, device="cpu").render(voxel=voxel).data
    expected = volume.data.astype(np.float64).mean(axes, keepdims=True)
    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, atol=2e-3 * np.ptp(volume.data))
    flat = Volume(np.full(SHAPE, 100, np.uint16), SPACING, ORIGIN)
    np.testing.assert_allclose(
        fit(flat, config=INTERPOLATION, device="cpu").render(voxel=voxel).data, 100, rtol=1e-6
    )


@pytest.mark.parametrize("factor", [1.5, 40, 1e9])
def test_a_cell_larger_than_the_recording_takes_no_more_samples_than_it_has_voxels(
    field, monkeypatch, factor
):
    counted: list[int] = []
    whole = Sampler.value

    def value(self, t, positions, finer):
        counted.append(int(np.prod([len(p) for p in positions])))
        return whole(self, t, positions, finer)

    monkeypatch.setattr(Sampler, "value", value)
    fresh(field).lazy(voxel=tuple(SPACING[a] * SHAPE[a] * factor for a in (1, 2, 3)))[1]
    assert sum(counted) == np.prod(SHAPE[1:])


def test_an_exposure_longer_than_the_recording_is_the_mean_of_what_exists(volume):
    config = INTERPOLATION | {"render": {"exposure": 1.0, "samples": 1}}
    out = fit(volume, config=config, device="cpu").render(dt=1e6 * SPACING[0]).data
    expected = volume.data.astype(np.float64).mean(0, keepdims=True)
    np.testing.assert_allclose(out, expected, atol=2e-3 * np.ptp(volume.data))


def test_exposure_averages_over_time(volume):
    off = {part: {"enabled": False} for part in ("motion", "latents", "planes")}
    off["render"] = {"exposure": 1.0, "samples": 4}
    out = fit(volume, config=off, device="cpu").render().data
    at = 1 + (np.arange(4) + 0.5) / 4 - 0.5
    frames = volume.data.astype(np.float64)
    expected = np.mean([frames[int(t)] * (1 - t % 1) + frames[int(t) + 1] * (t % 1) for t in at], 0)
    np.testing.assert_allclose(out[1], expected, atol=2e-3 * np.ptp(frames))


def test_acquired_frames_are_kept_bit_for_bit(field, volume):
    rendered = field.lazy(time_scale=2.5, keep_acquired=True, dtype="source")
    out = np.asarray(rendered)
    assert out.dtype == np.uint16
    assert rendered.acquired == [0, None, None, None, None, 2, None, None]
    assert np.array_equal(out[0], volume.data[0])
    assert np.array_equal(out[5], volume.data[2])
    assert not np.array_equal(
        np.asarray(field.lazy(time_scale=2.5, dtype="source"))[5], volume.data[2]
    )
    part = field.lazy(
        time_scale=2, keep_acquired=True, dtype="source", roi=((1, 4), (2, 8), (3, 9), None)
    )
    assert np.array_equal(part[2, ::-1, 1:4, 5], volume.data[2, 2:8, 3:9][::-1, 1:4, 5])
    assert np.array_equal(
        field.render(times=[130.0 + 1e-6], keep_acquired=True, dtype="source").data[0],
        volume.data[1],
    )
    assert np.array_equal(field.render(keep_acquired=True).data, volume.data.astype(np.float32))


@pytest.mark.parametrize(
    "other",
    [
        {"scale": 2},
        {"scale_z": 0.5},
        {"isotropic": True},
        {"voxel": (1.0, 0.4, 0.4)},
        {"voxel": (1.0, 0.4, 0.499999)},
    ],
)
def test_acquired_frames_cannot_be_kept_on_another_grid(field, other):
    with pytest.raises(GridError, match="bit for bit"):
        field.render(keep_acquired=True, **other)


def test_the_sources_own_voxel_is_the_same_grid(field, volume):
    assert np.array_equal(
        field.render(keep_acquired=True, voxel=(1.0, 0.4, 0.5), dtype="source").data, volume.data
    )


def test_integers_are_rounded_and_clipped(field):
    exact = field.render(time_scale=2).data.astype(np.float64)
    assert exact.max() > 255
    for dtype, top in (("uint8", 255), ("uint16", 65535), ("source", 65535)):
        out = field.render(time_scale=2, dtype=dtype).data
        assert np.array_equal(out, np.clip(np.rint(exact), 0, top))
        assert out.max() <= top
    with pytest.raises(InputError):
        field.render(dtype="complex64")


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [(np.uint8, 0, 255), (np.uint16, 0, 65535), (np.int16, -32768, 32767)]
)
def test_extremes_do_not_wrap(dtype, low, high):
    # A checkerboard at both ends of the type: the spline would overshoot between voxels.
    z, y, x = np.meshgrid(*map(np.arange, (4, 8, 8)), indexing="ij")
    data = np.where((z // 2 + y // 2 + x // 2) % 2, high, low).astype(dtype)
    volume = Volume(np.stack([data, data]))
    field = fit(
        volume, config={"motion": {"enabled": False}, "latents": {"enabled": False}}, device="cpu"
    )
    exact = field.render(scale=3).data.astype(np.float64)
    assert exact.max() == high
    assert exact.min() == low
    out = field.render(scale=3, dtype="source").data
    assert out.dtype == dtype
    assert np.array_equal(out, np.clip(np.rint(exact), low, high))
