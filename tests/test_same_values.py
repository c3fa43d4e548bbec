"""A voxel has the same bits whatever it is asked for with: other voxels, in any order, by any
thread, with any cache.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fits import KEPT, OFF
from napari_spatimeinr import Field, Volume, fit, phantom
from napari_spatimeinr.model.boxes import cubic_in, in_boxes, linear_in
from napari_spatimeinr.model.finer import FinerVoxels
from napari_spatimeinr.model.sampling import cubic, linear
from napari_spatimeinr.render.tiles import TiledSource, kept

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (3, 18, 9, 140)
CONFIG = {
    **KEPT,
    "latents": {**KEPT["latents"], "crop": [6, 8, 12]},
    "planes": {**KEPT["planes"], "factor": 2},
}
MODELS = {
    "all parts": ("float32", {}),
    "all parts, bfloat16": ("bfloat16", {}),
    "motion": ("float32", {"latents": OFF, "planes": OFF}),
    "latents": (
        "float32",
        {"motion": OFF, "planes": OFF, "render": {"exposure": 1.0, "samples": 2}},
    ),
    "cubic": ("float32", {"motion": OFF, "latents": OFF, "planes": OFF}),
}
TABLE = {
    "levels": [0.9],
    "edges": [[0.02, 0.05], [0.1, 0.3]],
    "widths": [[[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.4, 0.5]]],
}
TIME, FINER, COARSER = (
    {"time_scale": 2},
    {"time_scale": 1.5, "scale_z": 1.6, "scale_yx": 1.3},
    {"time_scale": 2, "scale": 0.6},
)
ASKED = {
    "all parts": [("intensity", FINER), ("confidence", COARSER)],
    "all parts, bfloat16": [("intensity", TIME), ("disagreement", FINER)],
    "motion": [("intensity", COARSER), ("confidence", TIME)],
    "latents": [("intensity", TIME)],
    "cubic": [("intensity", FINER)],
}
CASES = [(name, what, grid) for name, asked in ASKED.items() for what, grid in asked]


@pytest.fixture(scope="module")
def volume() -> Volume:
    data = phantom(SHAPE, motion=2.0, seed=5)[0].data
    return Volume(np.rint(data * 400 + 10).clip(0).astype(np.uint16), (30.0, 1.0, 0.5, 0.5))


@pytest.fixture(scope="module")
def models(volume) -> Callable[[str], Field]:
    @cache
    def make(name: str) -> Field:
        precision, changes = MODELS[name]
        made = fit(volume, config={**CONFIG, **changes, "precision": precision}, device="cpu")
        if name == "all parts":  # the recording is too small to learn this one
            made.network.voxels = FinerVoxels(2, 4, 2).requires_grad_(False)
            torch.nn.init.normal_(made.network.voxels.lines.convolutions[-1].weight, std=0.1)
        kind = "cubic" if name == "cubic" else "linear"
        return Field(
            volume,
            made.network,
            made.normalisation,
            made.config,
            made.device,
            kind,
            made.provenance | {"confidence": TABLE},
        )

    return make


def fresh(field: Field, size: int = 0) -> Field:
    """The same model with empty caches of a size."""
    render = field.config.render.model_copy(update={"cache_bytes": size})
    config = field.config.model_copy(update={"render": render})
    return Field(
        field.volume,
        field.network,
        field.normalisation,
        config,
        field.device,
        field.interpolation,
        field.provenance,
    )


def check(array, whole, keys, threads: int, torch_threads: int) -> None:
    torch.set_num_threads(torch_threads)
    try:
        with ThreadPoolExecutor(threads) as pool:
            got = list(pool.map(array.__getitem__, keys))
    finally:
        torch.set_num_threads(1)
    for key, part in zip(keys, got, strict=True):
        assert np.array_equal(part, whole[key]), key


steps = st.sampled_from([None, 1, 2, 3, 7, -1, -4])
slices = st.builds(
    slice, st.none() | st.integers(-40, 40), st.none() | st.integers(-20, 150), steps
)
axes = [st.one_of(st.integers(-n, n - 1), slices) for n in (2, 8, 4, 80)]
keys = st.lists(st.tuples(*axes), min_size=1, max_size=3)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "what", "grid"), CASES, ids=str)
def test_any_index_gives_the_bits_of_the_whole(models, name, what, grid):
    model = models(name)
    lazy = {size: fresh(model, size).lazy(**grid, what=what) for size in (0, 1)}
    whole = np.asarray(fresh(model).lazy(**grid, what=what))

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(keys, st.sampled_from([0, 1]), st.sampled_from([1, 4]), st.sampled_from([1, 3]))
    def same(some, size, threads, torch_threads):
        check(lazy[size], whole, some, threads, torch_threads)

    same()


def test_the_published_model_gives_the_same_bits_too(volume):
    small = {
        "max_iter": 6,
        "n_samples": 4,
        "n_imps": 2,
        "len_lz": 28,
        "rcan_max_iter": 4,
        "dataset": {"train": {"bsize": 64}},
    }
    small |= {"rcan": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 8, "reduction": 4}}
    small |= {"model": {"netD": 3, "netW": 24, "skips": [1], "max_freq": 3}, "precision": "float32"}
    data = Volume(np.ascontiguousarray(volume.data[:, :6, :, :24]), volume.spacing)
    field = fit(data, "published", config=small, device="cpu")
    whole = np.asarray(field.lazy(time_scale=2, scale_yx=1.5))
    some = [np.s_[1, 2], np.s_[3, :, 4:9:2, ::-5], np.s_[0, 1, 2, 3], np.s_[::2, -1, :, 7:11]]
    check(field.lazy(time_scale=2, scale_yx=1.5), whole, some, 4, 1)


@settings(max_examples=12, deadline=None, database=None)
@given(st.integers(0, 10**6))
def test_samples_do_not_depend_on_the_box_and_are_those_of_the_kernels(seed):
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(int(n) for n in torch.randint(5, 40, (3,), generator=generator))
    volume = torch.randn(1, 2, *shape, generator=generator)
    box = tuple((-1, n + 2) for n in shape)
    padded = torch.nn.functional.pad(volume, (1, 2, 1, 2, 1, 2), mode="replicate")
    points = torch.rand(1, 15, 3, generator=generator) * (torch.tensor(shape) - 1)
    points = torch.cat(
        [points, points.round(), points.new_tensor([[[n - 1 for n in shape], [0, 0, 0]]])], 1
    )

    def of_box(sampled):
        def sampler(some, box):
            z, y, x = (slice(a + 1, b + 1) for a, b in box)
            return sampled(padded[:, :, z, y, x], some, box)

        return sampler

    def cubic_first(values, some, box):
        return cubic_in(values[:, :1], some, box)

    whole = in_boxes(points, shape, lambda some, _: linear_in(padded, some, box))
    alone = torch.cat(
        [in_boxes(points[:, i : i + 1], shape, of_box(linear_in)) for i in range(points.shape[1])],
        -1,
    )
    assert torch.equal(whole, alone)
    torch.testing.assert_close(whole, linear(volume, points)[0], atol=2e-4, rtol=0)
    whole = in_boxes(points, shape, lambda some, _: cubic_in(padded[:, :1], some, box))
    alone = torch.cat(
        [
            in_boxes(points[:, i : i + 1], shape, of_box(cubic_first))
            for i in range(points.shape[1])
        ],
        -1,
    )
    assert torch.equal(whole, alone)
    torch.testing.assert_close(whole, cubic(padded[:, :1], points + 1)[0], atol=2e-4, rtol=0)


def test_points_further_apart_than_a_box_are_sampled_in_parts():
    volume = torch.arange(1000, dtype=torch.float32)[None, None, None, None].expand(
        1, 1, 3, 3, 1000
    )
    points = torch.zeros(1, 200, 3)
    points[0, :, 2] = torch.linspace(0, 999, 200).flip(0)

    def sampled(some, box):
        assert max(b - a for a, b in box) <= 256
        index = torch.arange(*box[2]).clamp(0, 999)
        return linear_in(volume[..., index].expand(1, 1, 3, 3, -1), some, ((0, 3), (0, 3), box[2]))[
            0
        ]

    got = in_boxes(points, (1, 1, 1000), sampled)
    torch.testing.assert_close(got, points[0, :, 2], atol=1e-2, rtol=0)


@pytest.mark.parametrize("name", ["all parts", "motion"])
def test_splines_are_the_same_in_every_box(models, name):
    model = models(name)
    tiles = [TiledSource(model.network, model._renderer.frames, kept(10**8)) for _ in range(2)]
    for kind in ((), model.network.finer[:1]):
        z, y, x = tiles[0].fine_shape(kind)
        whole = tiles[0].coefficients(1, ((-2, z + 2), (-2, y + 2), (-2, x + 2)), kind)
        part = tiles[1].coefficients(1, ((7, 10), (2, 5), (120, x + 2)), kind)
        assert torch.equal(part, whole[:, :, 9:12, 4:7, 122:])
