"""A rendering as a list of pieces: shares, order, chunks and shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.cluster.plan import Piece, ordered, share
from napari_spatimeinr.errors import ConfigError, SaveError
from napari_spatimeinr.io.zarr.image import Image, Tiling
from napari_spatimeinr.io.zarr.pieces import Pieces

SIZES = st.tuples(*[st.integers(1, 9)] * 4)
SMALL = st.tuples(*[st.integers(1, 4)] * 4)


def pieces(shape: tuple[int, ...], unit: tuple[int, ...]) -> Pieces:
    return Pieces(Image([(1, 1, 1)], shape, np.dtype("u1"), tiling=Tiling(unit)), 0)


@given(st.integers(0, 60), st.integers(1, 80))
def test_shares_are_disjoint_and_cover_all_pieces_in_order(number: int, count: int) -> None:
    all_of_them = [Piece(0, (k, 0, 0, 0)) for k in range(number)]
    shares = [share(all_of_them, k, count) for k in range(1, count + 1)]
    assert [piece for each in shares for piece in each] == all_of_them
    sizes = [len(each) for each in shares]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("index", "count"), [(0, 4), (5, 4), (-1, 4), (1, 0)])
def test_a_share_that_is_not_there_is_refused(index: int, count: int) -> None:
    with pytest.raises(ConfigError, match="I from 1 to N"):
        share([], index, count)


@given(SIZES, SMALL, st.floats(0.2, 3))
def test_order_has_every_piece_once_and_is_the_same_again(
    shape: tuple[int, ...], unit: tuple[int, ...], step: float
) -> None:
    all_of_them, times = pieces(shape, unit), np.arange(shape[0]) * step
    order = ordered(all_of_them, times)
    assert sorted(order) == list(all_of_them.places())
    assert order == ordered(pieces(shape, unit), times)


@given(SIZES, SMALL, st.floats(0.2, 3))
def test_pieces_that_follow_each_other_share_a_region_or_a_border(
    shape: tuple[int, ...], unit: tuple[int, ...], step: float
) -> None:
    """All times between two frames are rendered of a region before the next, its neighbour."""
    times = np.arange(shape[0]) * step
    order = np.array(ordered(pieces(shape, unit), times))
    moved = np.abs(np.diff(order[:, 1:], axis=0)).sum(axis=1)
    assert np.all(moved <= 1)
    between = np.floor(times[order[:, 0] * unit[0]] + 1e-6)
    assert np.all(np.diff(between) >= 0)
    assert np.all(moved[np.diff(between) > 0] == 0)


@given(SIZES, SMALL, SMALL)
def test_an_array_is_cut_into_whole_chunks_and_whole_shards(
    shape: tuple[int, ...], chunk: tuple[int, ...], times: tuple[int, ...]
) -> None:
    shard = tuple(c * n for c, n in zip(chunk, times, strict=True))
    tiling = Tiling(chunk, shard).of(shape)
    assert tiling.shard is not None
    assert all(s % c == 0 for s, c in zip(tiling.shard, tiling.chunk, strict=True))
    assert all(c <= n for c, n in zip(tiling.chunk, shape, strict=True))
    seen = np.zeros(shape, int)
    every = Pieces(Image([(1, 1, 1)], shape, np.dtype("u1"), "0.5", Tiling(chunk, shard)), 0)
    for place in every.places():
        seen[every.region(place)] += 1
    assert np.all(seen == 1)


@pytest.mark.parametrize(
    ("tiling", "said"),
    [
        (((1, 6, 64, 64), (1, 6, 100, 128)), "would split a shard of 1 x 6 x 100 x 128"),
        (((2, 6, 64, 64), (1, 6, 64, 64)), "would split a shard"),
        (((0, 6, 64, 64), None), "at least 1 voxel"),
        (((6, 64, 64), None), "4 sizes"),
    ],
)
def test_chunks_that_would_split_a_shard_are_refused(
    tiling: tuple[tuple[int, ...], tuple[int, ...] | None], said: str
) -> None:
    with pytest.raises(SaveError, match=said):
        Tiling(*tiling)


def test_shards_need_the_version_that_has_them() -> None:
    how = [(1, 1, 1)], (1, 2, 3, 4), np.dtype("u1")
    with pytest.raises(SaveError, match=r"0\.4 has no shards"):
        Image(*how, "0.4", Tiling((1, 1, 1, 1), (1, 2, 2, 2)))


@pytest.mark.parametrize(
    ("version", "shard"), [("0.4", None), ("0.5", None), ("0.5", (2, 4, 8, 8))]
)
def test_a_piece_holds_what_the_library_writes(
    tmp_path: Path, version: str, shard: tuple[int, ...] | None
) -> None:
    data = np.random.default_rng(0).integers(0, 9, (3, 5, 9, 11)).astype("u2")
    data[1] = 0
    image = Image([(1, 1, 1)], data.shape, data.dtype, version, Tiling((1, 2, 4, 4), shard))
    every = Pieces(image, 0)
    number = 2 if version == "0.4" else 3
    group = zarr.create_group(store=str(tmp_path), zarr_format=number)
    image.array(group, "0", data.shape)[...] = data
    found = (f for f in (tmp_path / "0").rglob("*") if f.is_file() and f.name.isdecimal())
    stored = {f.relative_to(tmp_path) for f in found}
    assert stored == {every.file(place) for place in every.places()}
    for place in every.places():
        content = every.encoded(data[every.region(place)])
        # In a shard chunks may lie in any order.
        assert shard or content == (tmp_path / every.file(place)).read_bytes()
        assert content == Pieces(image, 0).encoded(data[every.region(place)])
        (tmp_path / every.file(place)).write_bytes(content)
    np.testing.assert_array_equal(zarr.open_group(store=str(tmp_path))["0"][...], data)
