"""Pieces of work on several threads: errors, ends, and values made once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_spatimeinr.compute.pool import spread
from napari_spatimeinr.data.recent import Recent


def squares(count: int, threads: int = 3) -> dict[int, int]:
    out: dict[int, int] = {}
    spread(lambda n: n * n, list(range(count)), threads, out.__setitem__)
    return out


def test_all_is_done_and_told_by_the_caller():
    told = set()
    spread(lambda n: n, list(range(20)), 3, lambda *_: told.add(threading.get_ident()))
    assert told == {threading.get_ident()}
    with ThreadPoolExecutor(4) as callers:
        for made in callers.map(squares, [0, 1, 7, 30] * 3):
            assert made == {n: n * n for n in range(len(made))}


def test_torch_computes_on_one_thread_in_each_of_them():
    used: dict[int, int] = {}
    spread(lambda _: torch.get_num_threads(), list(range(6)), 2, used.__setitem__)
    assert set(used.values()) == {1}


@pytest.mark.parametrize("by", ["work", "done"])
def test_an_error_ends_it(by):
    begun = []

    def work(n: int) -> int:
        begun.append(n)
        time.sleep(0.001)
        if by == "work" and n == 3:
            raise KeyError("three")
        return n

    def done(n: int, result: int) -> None:
        if by == "done" and n == 3:
            raise KeyError("three")

    with pytest.raises(KeyError, match="three"):
        spread(work, list(range(3000)), 2, done)
    count = len(begun)
    assert count < 3000
    assert squares(5) == {n: n * n for n in range(5)}
    assert len(begun) == count


def test_a_value_is_made_once_however_many_ask():
    recent: Recent[str, int] = Recent(100, lambda _: 1)
    together, made = threading.Barrier(4), []

    def make() -> int:
        made.append(1)
        return 7

    def ask(_: int) -> int:
        together.wait()
        return recent.get("key", make)

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(ask, range(4))) == [7] * 4
    assert len(made) == 1
    with pytest.raises(ZeroDivisionError):
        recent.get("other", lambda: 1 // 0)
    assert recent.get("other", lambda: 5) == 5
