"""Computing threads end before the program does.

A thread that Python has given up while it is in the middle of one of torch's operations aborts the
process, after all that the user wanted is done.
"""

from __future__ import annotations

import atexit
import weakref
from typing import Any

WAIT = 10.0
"""Seconds that the program waits for a computing thread when it ends."""
_ENGINES: weakref.WeakSet[Any] = weakref.WeakSet()


def ends_before_exit(engine: Any) -> None:
    """Close an engine, and wait for its thread, when the program ends."""
    _ENGINES.add(engine)


@atexit.register
def _close() -> None:
    for engine in list(_ENGINES):
        engine.close(WAIT)
