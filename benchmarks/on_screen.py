"""A display for benchmarks that open a window."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def screen() -> Iterator[None]:
    """A virtual one, if there is none."""
    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        yield
        return
    from pyvirtualdisplay import Display

    with Display(
        visible=False, size=(1600, 1000), color_depth=24, extra_args=["+extension", "GLX"]
    ):
        yield
