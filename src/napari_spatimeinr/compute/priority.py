"""Computing without being in the way of what else the machine is used for."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress

NICE = 1
"""How much nicer than usual a thread is on Linux. Beside a busy neighbour it then has 44 % of a
core, so that a fit takes 2.3 times as long; with 5, a quarter and 4 times as long."""
BELOW_NORMAL = -1
"""Of Windows, THREAD_PRIORITY_BELOW_NORMAL."""


def below_normal() -> None:
    """Let everything else go before the thread that calls this, for good; threads that it starts on
    Linux follow it.

    For threads that do nothing but compute: on Linux there is no way back. Nothing happens
    on macOS, or where the system does not allow it.
    """
    with suppress(OSError, AttributeError):
        if sys.platform == "linux":
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + NICE)
        elif sys.platform == "win32":
            kernel = ctypes.WinDLL("kernel32")
            kernel.GetCurrentThread.restype = ctypes.c_void_p
            kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), BELOW_NORMAL)
