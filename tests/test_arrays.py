"""Arrays that are read when indexed: what an index means, how progress is told, what is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spatimeinr.data.arrays import IndexedArray, watched
from napari_spatimeinr.data.indexing import resolve
from napari_spatimeinr.data.recent import Recent

SHAPE = (3, 4, 5)
DATA = np.arange(60).reshape(SHAPE)


class Computed(IndexedArray):
    """An array of which only what is asked for is made."""

    shape, dtype = SHAPE, DATA.dtype

    def _block(self, ranges: tuple[range, ...]) -> np.ndarray[Any, Any]:
        return DATA[np.ix_(*ranges)]


slices = st.builds(
    slice,
    st.none() | st.integers(-7, 7),
    st.none() | st.integers(-7, 7),
    st.none() | st.integers(-3, -1) | st.integers(1, 3),
)
keys = st.lists(slices | st.integers(-3, 2), max_size=3).flatmap(
    lambda some: st.sampled_from(
        [tuple(some), (*some[:1], ..., *some[1:]), (..., *some[-1:]) if some else ...]
    )
)


@given(keys)
def test_any_key_is_numpys(key):
    for array in (Computed(), watched(DATA, lambda done, of: None)):
        got = array[key]
        assert np.shape(got) == DATA[key].shape
        assert np.array_equal(got, DATA[key])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (3, "out of range for axis 0 of size 3"),
        ((0, -5), "out of range for axis 1 of size 4"),
        ((..., ...), "one ellipsis"),
        ((0, 0, 0, 0), "Too many indices"),
        ([0, 1], "integers, slices and an ellipsis"),
        (None, "integers, slices and an ellipsis"),
        (1.5, "got 1.5"),
        ("a", "got 'a'"),
    ],
)
def test_what_an_index_cannot_be_is_said(key, words):
    with pytest.raises(IndexError, match=words):
        Computed()[key]


def test_what_is_asked_for():
    asked = resolve((1, ..., slice(None, None, -2)), SHAPE)
    assert asked.ranges == (range(1, 2), range(4), range(4, -1, -2))
    assert asked.dropped == (0,)


@pytest.mark.parametrize("array", [DATA, Computed()], ids=["memory", "computed"])
def test_every_array_tells_its_progress(array):
    told: list[tuple[int, int]] = []
    seen = watched(array, lambda done, of: told.append((done, of)))
    assert np.array_equal(seen[0], DATA[0])
    assert np.array_equal(np.asarray(seen), DATA)
    assert told == [(20, 60), (60, 60)]


@pytest.mark.parametrize("array", [DATA, Computed()], ids=["memory", "computed"])
def test_what_is_told_may_end_the_work(array):
    def enough(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        np.asarray(watched(array, enough))


def of_bytes(most: int) -> Recent[Any, bytes]:
    return Recent(most, len)


def test_the_least_recently_used_goes_first():
    recent = of_bytes(10)
    for key in "abc":
        recent.keep(key, b"1234")
        recent.find("a")
    assert recent.find("b") is None
    assert recent.find("a") == recent.find("c") == b"1234"
    assert recent.bytes == 8


def test_the_newest_is_kept_whatever_its_size():
    recent = of_bytes(10)
    recent.keep("small", b"1")
    recent.keep("large", b"1" * 50)
    assert recent.find("small") is None
    assert recent.find("large") == b"1" * 50


def test_what_is_kept_is_not_made_again():
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"x"

    recent = of_bytes(10)
    assert [recent.get("key", make) for _ in range(3)] == [b"x"] * 3
    assert len(made) == 1


def test_several_threads_may_ask():
    recent = of_bytes(50)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: recent.get(n % 20, lambda: bytes([n % 20]) * 7), range(2000)))
    assert all(value == bytes([n % 20]) * 7 for n, value in enumerate(got))
    assert recent.bytes <= 50
