"""Memory that is not used any more goes back to the system."""

from __future__ import annotations

import platform

import numpy as np
import psutil
import pytest

from napari_spatimeinr.compute.memory import give_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others return it by themselves")
def test_what_lies_below_a_piece_in_use_is_given_back() -> None:
    size, number = 2**16, 2000
    pieces = [np.ones(size, np.uint8) for _ in range(number)]
    last = pieces.pop()
    process = psutil.Process()
    held = process.memory_info().rss
    del pieces
    give_back()
    assert process.memory_info().rss < held - size * number // 2
    assert last.sum() == size
