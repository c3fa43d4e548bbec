"""Recordings nobody dreams of: fitted all the same where it makes sense, else one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fits import GATED, INTERPOLATION, PLANES_ALONE
from napari_spatimeinr import Volume, fit, load, phantom
from napari_spatimeinr.errors import DeviceError, GridError, InputError, OutOfMemoryError

pytestmark = pytest.mark.usefixtures("one_thread")


def scene(shape=(4, 5, 11, 13), seed=0) -> np.ndarray:
    return np.array(phantom(shape, motion=1.5, seed=seed)[0].data)


SHAPES = [
    (1, 5, 11, 13),
    (2, 5, 11, 13),
    (3, 5, 11, 13),
    (4, 1, 11, 13),
    (4, 5, 1, 13),
    (4, 5, 11, 1),
    (5, 1, 1, 13),
    (4, 1, 1, 1),
    (1, 1, 1, 1),
    (2, 1, 1, 2),
    (7, 2, 3, 2),
    (6, 3, 17, 31),
]


@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_is_fitted_rendered_and_saved(shape, gate, tmp_path):
    data = scene(shape)
    field = fit(Volume(data, (2.0, 1.0, 0.5, 0.5)), config={**GATED, "gate": gate}, device="cpu")
    out = field.render(time_scale=2, scale_z=2, scale_yx=1.5)
    t, z, y, x = shape
    assert out.shape == (2 * t - 1, 2 * z, int(1.5 * y + 0.5), int(1.5 * x + 0.5))
    assert np.isfinite(out.data).all()
    assert np.array_equal(field.render(keep_acquired=True).data, data)
    assert np.array_equal(
        load(field.save(tmp_path / "m.spatimeinr"), device="cpu").render(scale=0.5).data,
        field.render(scale=0.5).data,
    )
    assert field.motion(np.zeros((2, 3)), 0.0, 2.0 * (t - 1)).shape == (2, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nothing_finite_is_refused(value):
    with pytest.raises(InputError, match="no finite"):
        fit(Volume(np.full((3, 4, 5, 6), value, np.float32)), config=GATED)


@pytest.mark.parametrize("gate", [True, False])
def test_missing_voxels_are_filled_and_said(gate):
    data = scene((5, 5, 13, 15))
    whole = data.copy()
    data[1, 2, 3, 4] = np.nan
    data[0, 0] = np.inf
    data[3, 1, 0, 0] = -np.inf
    field = fit(Volume(data), config={**GATED, "gate": gate}, device="cpu")
    (note,) = field.provenance["warnings"]
    assert note.startswith(f"{1 + 13 * 15 + 1} of {data.size} voxels are not finite")
    out = field.render(time_scale=2, scale=1.5).data
    assert np.isfinite(out).all()
    assert out.max() < 3 * whole.max()


def test_a_frame_of_nothing_but_nan_is_filled():
    data = scene()
    data[2] = np.nan
    field = fit(Volume(data), config=GATED, device="cpu")
    assert field.provenance["warnings"]
    assert np.isfinite(field.render(time_scale=2).data).all()


def test_a_constant_with_holes_stays_constant():
    data = np.full((4, 3, 8, 8), 5.0, np.float32)
    data[1, 1, 2, 3] = np.nan
    out = fit(Volume(data), config=GATED, device="cpu").render(time_scale=2).data
    np.testing.assert_allclose(out, 5.0, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 1, 4, 5), (5, 3, 4, 5)])
def test_constant_recordings_of_every_type(shape):
    for dtype in (np.uint8, np.int16, np.float64, bool):
        field = fit(Volume(np.ones(shape, dtype)), config=GATED, device="cpu")
        assert any("equal" in note for note in field.provenance["warnings"])
        out = field.render(time_scale=2, dtype="source").data
        assert out.dtype == dtype
        assert (out == 1).all()


def test_one_bright_voxel_in_the_dark():
    data = np.zeros((5, 8, 30, 30), np.uint16)
    data[:, 4, 15, 15] = 60000
    field = fit(Volume(data), config=GATED, device="cpu")
    out = field.render(time_scale=2).data
    assert np.isfinite(out).all()
    assert out.max() == pytest.approx(60000, rel=0.05)


def test_saturated_recordings_are_said():
    data = np.clip(scene() * 600, 0, 255).astype(np.uint8)
    assert (data == 255).mean() > 0.01
    field = fit(Volume(data), config=GATED, device="cpu")
    assert any("saturated" in note for note in field.provenance["warnings"])
    assert field.render(time_scale=2, dtype="source").data.dtype == np.uint8


@pytest.mark.parametrize(
    ("scale", "offset", "dtype"),
    [
        (1000, -20000, "i2"),
        (1e6, 1e6, "f8"),
        (1e-6, 0, "f4"),
        (200, 3, ">u2"),
        (100, 5, ">f4"),
        (1e9, 0, "u4"),
        (1e30, 0, "f8"),
        (50, -60, "i1"),
    ],
)
def test_number_types_and_ranges(scale, offset, dtype):
    unit = scene()
    data = unit.astype(np.float64) * scale + offset
    if dtype[-2] != "f":
        data = data.clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    data = data.astype(dtype)
    field = fit(Volume(data), config=GATED, device="cpu")
    back = field.render(keep_acquired=True, dtype="source").data
    assert np.array_equal(back, data)
    out = field.render(time_scale=2).data
    native = data.astype(np.float64)
    assert np.isfinite(out).all()
    span = np.ptp(native)
    assert out.min() > native.min() - 0.5 * span
    assert out.max() < native.max() + 0.5 * span
    assert out.mean() == pytest.approx(native.mean(), abs=0.05 * span)


def test_the_scale_of_the_intensities_does_not_matter():
    data = scene((4, 5, 12, 12))
    one, large = (
        fit(Volume(data * f + a), config={**GATED, "gate": False}, device="cpu")
        .render(time_scale=2)
        .data
        for f, a in ((1, 0), (4096, 1024))
    )
    np.testing.assert_allclose((large - 1024) / 4096, one, atol=0.02 * np.ptp(data))


def test_views_and_lists_are_recordings_too():
    data = scene((4, 4, 9, 10))
    out = (
        fit(Volume(data[::-1, :, ::-1]), config=GATED, device="cpu").render(keep_acquired=True).data
    )
    assert np.array_equal(out, data[::-1, :, ::-1])
    read_only = data.copy()
    read_only.flags.writeable = False
    fit(Volume(read_only), config={**GATED, "gate": False}, device="cpu").render(time_scale=2)
    assert Volume([[[[1, 2], [3, 4]]]]).shape == (1, 1, 2, 2)


def test_the_recording_itself_is_not_changed():
    data = scene()
    data[0, 0, 0, 0] = np.nan
    kept = data.copy()
    fit(Volume(data), config=GATED, device="cpu").render(time_scale=2)
    np.testing.assert_array_equal(data, kept)


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((3, 4)),
        np.zeros((2, 3, 4)),
        np.zeros((1, 2, 3, 4, 5)),
        np.zeros((2, 2, 2, 2), complex),
        np.full((1, 1, 1, 1), "a"),
    ],
)
def test_what_is_no_recording(data):
    with pytest.raises(InputError):
        Volume(data)


@pytest.mark.parametrize("shape", [(0, 4, 5, 6), (3, 0, 5, 6), (3, 4, 5, 0)])
def test_axes_without_samples(shape):
    with pytest.raises(GridError, match="at least one"):
        Volume(np.zeros(shape))


def test_the_published_method_takes_even_times_alone():
    volume = Volume(scene(), times=(0.0, 1.0, 2.5, 4.0))
    with pytest.raises(InputError, match="evenly spaced frames only"):
        fit(volume, "published")


def test_what_is_gone_on_from_has_frames_at_the_same_times():
    volume = Volume(scene(), times=(0.0, 1.0, 2.5, 4.0))
    field = fit(volume, config=INTERPOLATION)
    for how in ("resume", "motion"):
        with pytest.raises(InputError, match="at other times"):
            fit(Volume(scene()), config=INTERPOLATION, **{how: field})


@pytest.mark.parametrize(
    "roi",
    [((0, 9), None, None, None), (None, (3, 3), None, None), (None, None, (-1, 4), None), (None,)],
)
def test_regions_outside_the_recording(roi):
    with pytest.raises(GridError):
        fit(Volume(scene()), config=GATED, roi=roi)


@pytest.mark.parametrize("device", ["quantum", "cuda:x", "cpu:0:1", "", "meta", "xla"])
def test_devices_that_do_not_exist(device):
    with pytest.raises(DeviceError) as caught:
        fit(Volume(scene()), config=GATED, device=device)
    assert "\n" not in str(caught.value)
    assert repr(device) in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_graphics_card_that_is_not_there(device, tmp_path):
    with pytest.raises(DeviceError, match="--device cpu"):
        fit(Volume(scene()), config=GATED, device=device)
    path = fit(Volume(scene()), config=PLANES_ALONE, device="cpu").save(tmp_path / "m.spatimeinr")
    with pytest.raises(DeviceError, match="--device cpu"):
        load(path, device=device)


def test_one_more_card_than_there_are():
    with pytest.raises(DeviceError):
        fit(Volume(scene()), config=GATED, device=f"cuda:{torch.cuda.device_count()}")


def test_frames_larger_than_memory_say_what_would_fit():
    class Huge:
        shape, dtype, ndim = (2, 4000, 200_000, 200_000), np.dtype(np.uint8), 4

        def __getitem__(self, key):
            raise AssertionError("it should not be read")

    with pytest.raises(OutOfMemoryError, match=r"--roi :,:,0:\d+,0:\d+"):
        fit(Volume(Huge()), config=GATED, device="cpu")


def test_a_region_that_was_suggested_is_smaller():
    class Huge:
        shape, dtype, ndim = (2, 4000, 200_000, 200_000), np.dtype(np.uint8), 4

    with pytest.raises(OutOfMemoryError) as caught:
        fit(Volume(Huge()), config=GATED, device="cpu")
    side = int(str(caught.value).split("0:")[1].split(",")[0])
    assert 16 <= side < 200_000


def test_points_of_a_wrong_shape():
    field = fit(Volume(scene()), config=PLANES_ALONE, device="cpu")
    with pytest.raises(GridError, match="z, y, x"):
        field.motion(np.zeros((5, 2)), 0, 1)
