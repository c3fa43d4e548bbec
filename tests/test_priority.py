"""A thread that computes lets everything else go before it, and only that thread."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from napari_spatimeinr.compute.priority import NICE, below_normal


def nice(thread: int | None) -> int:
    assert thread is not None
    return os.getpriority(os.PRIO_PROCESS, thread)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_only_the_thread_and_those_it_starts_are_nicer() -> None:
    seen: list[int] = []

    def note() -> None:
        seen.append(nice(threading.get_native_id()))

    def work() -> None:
        below_normal()
        note()
        other = threading.Thread(target=note)
        other.start()
        other.join()

    usual = nice(threading.get_native_id())
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert seen == [usual + NICE] * 2
    assert nice(threading.get_native_id()) == usual
