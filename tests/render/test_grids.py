"""Rendering: grids, times, acquired frames, number types."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spatimeinr.errors import GridError, OutOfMemoryError
from render_fields import ORIGIN, SHAPE, SPACING

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("scale", "frames"),
    [(1, 4), (2, 7), (2.5, 8), (0.5, 2), (0.4, 2), (1 / 3, 2), (0.1, 1), (10, 31)],
)
def test_time_scales(field, scale, frames):
    rendered = field.lazy(time_scale=scale)
    assert rendered.shape == (frames, *SHAPE[1:])
    np.testing.assert_allclose(rendered.grid.coordinates(0), 100 + 30 / scale * np.arange(frames))
    assert rendered.grid.spacing == pytest.approx((30 / scale, *SPACING[1:]))
    assert rendered.acquired[0] == 0
    assert rendered.acquired == [
        round(i / scale) if abs(i / scale - round(i / scale)) < 1e-9 else None
        for i in range(frames)
    ]


def test_space_scales_keep_the_extent(field):
    out = field.render(scale_z=3, scale_yx=0.5)
    assert out.shape == (4, 27, 9, 10)  # 8.5 goes up
    for axis, (n, m) in enumerate(zip(SHAPE, out.shape, strict=True)):
        assert out.spacing[axis] == pytest.approx(SPACING[axis] * n / m)
        start = ORIGIN[axis] - SPACING[axis] / 2 if axis else ORIGIN[0] - SPACING[0] / 2
        assert out.origin[axis] - out.spacing[axis] / 2 == pytest.approx(start)
    assert out.units == ("s", "um")


def test_isotropic_takes_the_smaller_of_y_and_x(field):
    out = field.lazy(isotropic=True)
    assert out.grid.spacing[1:] == pytest.approx((0.4, 0.4, 0.4))
    assert out.shape == (4, 22, 17, 25)


def test_exact_voxels_and_intervals(field):
    out = field.lazy(voxel=(0.5, 0.3, 0.35), dt=7.0)
    assert out.grid.spacing == pytest.approx((7.0, 0.5, 0.3, 0.35))
    assert out.shape[0] == 13  # 90 s / 7 s
    for axis, extent in ((1, 9.0), (2, 6.8), (3, 10.0)):
        covered = out.shape[axis] * out.grid.spacing[axis]
        assert 0 <= extent - covered + 1e-9 < out.grid.spacing[axis]
        middle = out.grid.coordinates(axis).mean()
        assert middle == pytest.approx(ORIGIN[axis] + SPACING[axis] * (SHAPE[axis] - 1) / 2)
    assert field.lazy(voxel=0.9).grid.spacing[1:] == pytest.approx((0.9,) * 3)


def test_chosen_times(field):
    times = [100.0, 104.0, 150.0, 190.0]
    out = field.render(times=times)
    np.testing.assert_allclose(out.grid.coordinates(0), times)
    assert out.grid.times == tuple(times)
    fine = field.lazy(dt=2.0)
    np.testing.assert_array_equal(out.data[1], fine[2])
    np.testing.assert_array_equal(out.data[2], fine[25])
    assert field.lazy(times=[100.0, 110.0, 120.0]).grid.times is None
    assert field.lazy(times=133.3).shape[0] == 1


def test_a_region_is_a_part_of_the_whole(field):
    whole = field.render(time_scale=2).data
    part = field.render(time_scale=2, roi=((1, 4), (2, 7), None, slice(5, 11)))
    assert part.origin == pytest.approx((130.0, -1.0, 7.0, 2.75))
    np.testing.assert_allclose(part.data, whole[2:, 2:7, :, 5:11], atol=1e-4 * np.ptp(whole))


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {name: value}
            for name in ("time_scale", "scale", "scale_z", "scale_yx", "voxel", "dt")
            for value in (0, -1, float("nan"), float("inf"))
        ),
        {"time_scale": 2, "dt": 3.0},
        {"scale": 2, "scale_z": 2},
        {"voxel": 1.0, "isotropic": True},
        {"scale": 2, "voxel": 1.0},
        {"voxel": (1.0, 2.0)},
        {"times": []},
        {"times": [150.0, 120.0]},
        {"times": [99.0]},
        {"times": [100.0, 191.0]},
        {"times": [float("nan")]},
        {"roi": ((0, 0), None, None, None)},
        {"roi": ((0, 5), None, None, None)},
        {"roi": (None, None)},
    ],
)
def test_impossible_grids(field, wrong):
    with pytest.raises(GridError) as caught:
        field.render(**wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_scale": 1e12},
        {"scale": 1e12},
        {"scale_z": 1e12},
        {"voxel": 1e-12},
        {"dt": 1e-12},
        {"scale": 20_000},
    ],
)
def test_absurd_sizes_are_named(field, wrong):
    with pytest.raises(GridError, match=r"would (make|have) \d"):
        field.render(**wrong)


def test_a_rendering_larger_than_memory_names_its_size(field):
    with pytest.raises(OutOfMemoryError, match="GB"):
        field.render(scale=350)
    assert field.lazy(scale=350)[0, 5, 5, 5] > 0
