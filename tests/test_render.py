"""Rendering: grids, number types, acquired frames, blocks, lazy indexing, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_spatimeinr.render.renderer as rendering
from fits import INTERPOLATION, KEPT
from napari_spatimeinr import Field, Volume, fit, load, phantom
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.errors import GridError, InputError, OutOfMemoryError
from napari_spatimeinr.render.sampler import Sampler

pytestmark = pytest.mark.usefixtures("one_thread")

SPACING, ORIGIN = (30.0, 1.0, 0.4, 0.5), (100.0, -3.0, 7.0, 0.25)
SHAPE = (4, 9, 17, 20)


@pytest.fixture(scope="module")
def volume() -> Volume:
    data, _ = phantom(SHAPE, motion=2.0, seed=5)
    return Volume(
        np.clip(np.rint(data.data * 400 + 100), 0, 65535).astype(np.uint16),
        SPACING,
        ORIGIN,
        metadata={"name": "x"},
    )


@pytest.fixture(scope="module")
def field(volume) -> Field:
    out = fit(volume, config=KEPT, device="cpu")
    assert out.network.motion is not None
    assert out.network.latents is not None
    return out


@pytest.fixture(scope="module")
def plain(volume) -> Field:
    """Without latents: acquired frames are themselves."""
    return fit(volume, config={**KEPT, "latents": {"enabled": False}}, device="cpu")


def fresh(field: Field) -> Field:
    """The same model with empty caches."""
    return Field(
        field.volume,
        field.network,
        field.normalisation,
        field.config,
        field.device,
        field.interpolation,
        field.provenance,
    )


# -- grids ---------------------------------------------------------------------------------


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


# -- values --------------------------------------------------------------------------------


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


# -- pieces --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("block", [(3, 5, 4), (5, 1, 9), (100, 100, 100)])
def test_blocks_equal_the_whole(field, monkeypatch, block):
    options = {"time_scale": 2, "scale_z": 1.4, "scale_yx": 0.6}
    whole = field.render(**options).data
    monkeypatch.setattr(rendering, "BLOCK", block)
    monkeypatch.setattr(rendering, "SPAN", 7)
    pieces = fresh(field).lazy(**options, roi=None)
    assert np.array_equal(pieces[3:5], whole[3:5])


KEYS = [
    np.s_[3],
    np.s_[-1],
    np.s_[3, 2:9, ::2, -3],
    np.s_[1:6:2, ..., 4],
    np.s_[...],
    np.s_[..., -1],
    np.s_[::-2, 1, ::-1, 3:15],
    np.s_[5, 4, 3, 2],
    np.s_[2, ..., ::-3],
    np.s_[:, 3:3],
    np.s_[7:, 0],
    np.s_[1, ..., 2, 3, 4],
    np.s_[np.int64(2), np.uint8(1)],
    (),
    np.s_[-100:100, 0, 0, 0],
    np.s_[6:0:-5, 8:1:-3, 0],
]


@pytest.fixture(scope="module")
def materialised(field) -> np.ndarray:
    return field.render(time_scale=2).data


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_lazy_indexing_is_numpys(field, materialised, key):
    out = field.lazy(time_scale=2)[key]
    expected = materialised[key]
    assert np.shape(out) == expected.shape
    assert out.dtype == expected.dtype
    assert np.array_equal(out, expected)


slices = st.builds(
    slice,
    st.none() | st.integers(-25, 25),
    st.none() | st.integers(-25, 25),
    st.none() | st.integers(-4, -1) | st.integers(1, 4),
)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.one_of(slices, st.integers(-n, n - 1)) for n in (7, *SHAPE[1:])]))
def test_any_key_is_numpys(field, materialised, key):
    rendered = field.lazy(time_scale=2)
    expected = materialised[key]
    out = rendered[key]
    assert np.shape(out) == expected.shape
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    "key",
    [7, -8, (0, 9), np.s_[..., ...], (0, 0, 0, 0, 0), [0, 1], None, 1.5, "a", np.array([True])],
)
def test_keys_it_does_not_take(field, key):
    with pytest.raises(IndexError):
        field.lazy(time_scale=2)[key]


def test_it_looks_like_an_array(field):
    rendered = field.lazy(time_scale=2, dtype="uint16")
    assert (rendered.shape, rendered.ndim, len(rendered), rendered.dtype) == (
        (7, *SHAPE[1:]),
        4,
        7,
        np.uint16,
    )
    assert rendered.size == 7 * 9 * 17 * 20
    assert rendered.nbytes == 2 * rendered.size
    assert np.asarray(rendered, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        rendered.__array__(copy=False)
    assert isinstance(field.wrap(rendered, rendered), Volume)


def test_what_is_returned_may_be_changed(field):
    rendered = field.lazy(time_scale=2)
    first = rendered[1, 2]
    kept = first.copy()
    first[:] = -1
    assert np.array_equal(rendered[1, 2], kept)


def test_a_row_in_reverse_is_not_taken_for_the_row_itself(field, materialised):
    rendered = field.lazy(time_scale=2)
    # The cache keeps rows by their ends and number.
    for key in (
        np.s_[1, 0:9:2],
        np.s_[1, 0:9:1],
        np.s_[1, 8::-2],
        np.s_[1, 0:9:8],
        np.s_[1, 0:9:4],
    ):
        assert np.array_equal(rendered[key], materialised[key])


def test_threads_get_the_same_values(field, materialised):
    rendered = fresh(field).lazy(time_scale=2)
    keys = [np.s_[t, z : z + 4, ::2] for t in range(7) for z in (0, 3, 5)] * 2
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(rendered.__getitem__, keys))
    for key, out in zip(keys, results, strict=True):
        assert np.array_equal(out, materialised[key])


def test_a_tiny_cache_changes_nothing(field, materialised):
    config = field.config.model_copy(
        update={"render": field.config.render.model_copy(update={"cache_bytes": 1})}
    )
    small = Field(field.volume, field.network, field.normalisation, config, field.device)
    assert np.array_equal(small.render(time_scale=2).data, materialised)


def test_any_grid_can_be_asked_for_and_the_border_is_repeated(field, volume):
    grid = Grid((1, 3, 3, 3), (30.0, 1.0, 0.4, 0.5), (100.0, -3.0 - 5.0, 7.0 - 4.0, 0.25 - 5.0))
    out = field.on_grid(grid)[0]
    corner = field.lazy()[0, 0, 0, 0]
    np.testing.assert_allclose(out, corner, atol=1e-4 * np.ptp(volume.data))


def test_a_rendering_says_where_it_comes_from(field):
    out = field.render(time_scale=2)
    said = out.metadata["spatimeinr"]
    assert said["interpolated"] == [False, True] * 3 + [False]
    assert said["seed"] == 0
    assert said["chosen"]["motion"] is True
    assert said["config"]["gate"] is False
    assert out.metadata["name"] == "x"
    assert out.metadata["source_dtype"] == "uint16"


def test_a_loaded_model_renders_the_same_lazily(field, materialised, tmp_path):
    again = load(field.save(tmp_path / "a.spatimeinr"), device="cpu")
    assert np.array_equal(again.lazy(time_scale=2)[3], fresh(field).lazy(time_scale=2)[3])
