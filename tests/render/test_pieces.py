"""Rendering: blocks, lazy indexing, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatimeinr import Field, Volume, load
from napari_spatimeinr.data.grid import Grid
from napari_spatimeinr.render import blocks
from render_fields import SHAPE, fresh

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
@pytest.mark.parametrize("points", [20, 100, 10**6])
def test_blocks_equal_the_whole(field, monkeypatch, points):
    options = {"time_scale": 2, "scale_z": 1.4, "scale_yx": 0.6}
    whole = field.render(**options).data
    monkeypatch.setattr(blocks, "POINTS", points)
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
